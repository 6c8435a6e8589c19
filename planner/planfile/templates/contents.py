"""Values with templates in them: compiled once, rendered for each case. They know nothing of where they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner.planfile.templates.templates import Constant, Template, TemplateFault, Templates, has_tags
from planner.planfile.yaml.scalars import NumberError, resolve

_WHOLE = re.compile(r"\s*\{\{[^{}]*\}\}\s*\Z")

Route = tuple[str | int, ...]
"""Keys and indices that lead from a value to one inside it."""
Content = Any
"""A JSON value with a `Text` for each text that has a template in it."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text with a template in it. `whole`: the template is all of it."""

    template: Template
    route: Route
    whole: bool


_FAULTY = Text(Constant("", {}), (), whole=True)
"""Stands for a text whose template has a fault, which was reported: what it renders to is not known."""


class TextFault(Exception):  # noqa: N818 - becomes a diagnostic where the text is written
    """The template of the text at this route has a fault."""

    def __init__(self, route: Route, fault: TemplateFault) -> None:
        super().__init__(fault.detail)
        self.route = route
        self.fault = fault


@dataclass(slots=True)
class Compiler:
    """Compiles values. `texts` and `faults` are what it has met so far."""

    templates: Templates
    texts: list[Text]
    faults: list[TextFault]

    def compile(self, value: Any, route: Route = ()) -> Content:
        if isinstance(value, str):
            return self._text(value, route) if has_tags(value) else value
        if isinstance(value, (dict, list)):
            return _rebuilt(value, [(key, self.compile(item, (*route, key))) for key, item in _entries(value)])  # pyright: ignore[reportUnknownArgumentType]
        return value

    def _text(self, value: str, route: Route) -> Content:
        try:
            text = Text(self.templates.compile(value), route, _WHOLE.match(value) is not None)
        except TemplateFault as fault:
            self.faults.extend([TextFault(route, one) for one in (fault, *fault.others)])
            return _FAULTY  # so that the rest can still be read
        self.texts.append(text)
        return text


def render(content: Content, values: Mapping[str, Any]) -> Any:
    """The value for these values of the names. Raises `TextFault`."""
    if isinstance(content, Text):
        try:
            return content.template.render(values)
        except TemplateFault as fault:
            raise TextFault(content.route, fault) from fault
    if isinstance(content, (dict, list)):
        return _rebuilt(content, [(key, render(value, values)) for key, value in _entries(content)])  # pyright: ignore[reportUnknownArgumentType]
    return content


def placeholders(content: Content) -> Any:
    """The value with a letter for each template: what it is like where no template decides."""
    if isinstance(content, Text):
        return "x"
    if isinstance(content, (dict, list)):
        return _rebuilt(content, [(key, placeholders(value)) for key, value in _entries(content)])  # pyright: ignore[reportUnknownArgumentType]
    return content


def varies(content: Content, route: Sequence[str | int]) -> bool:
    """Whether there is a template at the end of the route, or below it."""
    content = _at(content, route)
    if isinstance(content, (dict, list)):
        return any(varies(value, ()) for _, value in _entries(content))  # pyright: ignore[reportUnknownArgumentType]
    return isinstance(content, Text)


def read_numbers(content: Content, rendered: Any, faulty: Sequence[Route]) -> Any:
    """Rendered texts that are wholly one template, at a faulty place or below one, read as YAML reads unquoted text.

    The same object where there is none.
    """
    if isinstance(content, Text):
        try:
            return resolve(rendered) if content.whole and () in faulty else rendered
        except NumberError:
            return rendered
    if not isinstance(content, (dict, list)):
        return rendered
    if isinstance(content, dict):  # steps that no container has, such as the tag of a union, are passed over
        faulty = [route[1:] if route and route[0] not in content else route for route in faulty]
    changed: dict[Any, Any] = {}
    for step, below in _entries(content):  # pyright: ignore[reportUnknownArgumentType]
        inner = [route[1:] for route in faulty if route[:1] == (step,)] or [route for route in faulty if route == ()]
        value = read_numbers(below, rendered[step], inner)
        if value is not rendered[step]:
            changed[step] = value
    if not changed:
        return rendered
    return _rebuilt(content, [(step, changed.get(step, rendered[step])) for step, _ in _entries(content)])  # pyright: ignore[reportUnknownArgumentType]


def _at(content: Content, route: Sequence[str | int]) -> Content:
    """What is at the end of the route; steps that no container has, such as the tag of a union, are passed over."""
    for step in route:
        if isinstance(content, (dict, list)):
            content = dict(_entries(content)).get(step, content)  # pyright: ignore[reportUnknownArgumentType]
    return content


def _entries(content: dict[Any, Any] | list[Any]) -> Iterable[tuple[Any, Any]]:
    return content.items() if isinstance(content, dict) else enumerate(content)


def _rebuilt(content: dict[Any, Any] | list[Any], entries: list[tuple[Any, Any]]) -> Any:
    """A container like `content` with these entries."""
    return dict(entries) if isinstance(content, dict) else [value for _, value in entries]
