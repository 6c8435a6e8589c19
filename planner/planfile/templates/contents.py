"""Values with templates in them: compiled once, rendered for each case, without knowledge of where they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from planner.planfile.templates.templates import Template, TemplateFault, Templates, has_tags
from planner.planfile.yaml.scalars import NumberError, resolve

_WHOLE = re.compile(r"\s*\{\{[^{}]*\}\}\s*\Z")

Route = tuple[str | int, ...]
"""Keys and indices that lead from a value to one inside it."""
Content = Any
"""A JSON value with a `Text` for each text that has a template in it."""


class Text(NamedTuple):
    """A text with a template in it. `whole`: the template is all of it."""

    template: Template
    route: Route
    whole: bool


class TextFault(Exception):  # noqa: N818 - becomes a diagnostic where the text is written
    """The template of the text at this route is invalid."""

    def __init__(self, route: Route, fault: TemplateFault) -> None:
        super().__init__(fault.detail)
        self.route = route
        self.fault = fault


@dataclass(slots=True)
class Compiler:
    """Compiles values, and collects their templates and faults."""

    templates: Templates
    texts: list[Text] = field(default_factory=list[Text])
    faults: list[TextFault] = field(default_factory=list[TextFault])

    def compile(self, value: Any, route: Route = ()) -> Content:
        if isinstance(value, (dict, list)):
            return _rebuilt(value, [(key, self.compile(item, (*route, key))) for key, item in _entries(value)])  # pyright: ignore[reportUnknownArgumentType]
        if not isinstance(value, str) or not has_tags(value):
            return value
        try:
            text = Text(self.templates.compile(value), route, _WHOLE.match(value) is not None)
        except TemplateFault as fault:
            self.faults.append(TextFault(route, fault))
            return Text(self.templates.constant(""), route, whole=True)  # so that the rest can still be checked
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
    """The value with a letter for each template, to check the rest of it."""
    if isinstance(content, Text):
        return "x"
    if isinstance(content, (dict, list)):
        return _rebuilt(content, [(key, placeholders(value)) for key, value in _entries(content)])  # pyright: ignore[reportUnknownArgumentType]
    return content


def varies(content: Content, route: Sequence[str | int]) -> bool:
    """Whether there is a template at the end of the route or below it. Steps that no container has are skipped."""
    for step in route:
        if isinstance(content, (dict, list)):
            content = dict(_entries(content)).get(step, content)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(content, (dict, list)):
        return any(varies(value, ()) for _, value in _entries(content))  # pyright: ignore[reportUnknownArgumentType]
    return isinstance(content, Text)


def read_numbers(content: Content, rendered: Any, faulty: Sequence[Route]) -> Any:
    """Rendered texts that are one whole template, at or below a faulty place, read as YAML reads unquoted text.

    Returns the same object if there is none. Steps that no container has, such as the tag of a union, are skipped.
    """
    if isinstance(content, Text):
        try:
            return resolve(rendered) if content.whole and () in faulty else rendered
        except NumberError:
            return rendered
    if not isinstance(content, (dict, list)):
        return rendered
    if isinstance(content, dict):
        faulty = [route[1:] if route and route[0] not in content else route for route in faulty]
    entries: list[tuple[Any, Any]] = []
    for step, below in _entries(content):  # pyright: ignore[reportUnknownArgumentType]
        inner = [route[1:] for route in faulty if route[:1] == (step,)] or [route for route in faulty if route == ()]
        entries.append((step, read_numbers(below, rendered[step], inner)))
    changed = any(value is not rendered[step] for step, value in entries)
    return _rebuilt(content, entries) if changed else rendered  # pyright: ignore[reportUnknownArgumentType]


def _entries(content: dict[Any, Any] | list[Any]) -> Iterable[tuple[Any, Any]]:
    return content.items() if isinstance(content, dict) else enumerate(content)


def _rebuilt(content: dict[Any, Any] | list[Any], entries: list[tuple[Any, Any]]) -> Any:
    """A container like `content` with these entries."""
    return dict(entries) if isinstance(content, dict) else [value for _, value in entries]
