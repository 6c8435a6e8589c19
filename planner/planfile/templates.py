"""Templates of prompts and expectations: compiled once, rendered with a case's values, errors at their place."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from planner.diagnostics import Span
from planner.planfile.budget import Budget
from planner.planfile.grammar import NAME
from planner.planfile.jinja import MAX_TEXT, Environment, TemplateError
from planner.planfile.reporter import Reporter
from planner.planfile.text import Searches, shorten, unknown
from planner.planfile.yaml.parser import NumberError, resolve

RESERVED_NAMES = frozenset(
    {
        "true", "false", "none", "True", "False", "None", "not", "and", "or", "in", "is", "if", "else", "loop",
        "recursive", "self",
    }
)  # fmt: skip
"""Words of the template language: no variable or axis can have them as its name."""


class Template(Protocol):
    """`names` maps each name that the template takes from variables and axes to the offset of its first use."""

    @property
    def names(self) -> Mapping[str, int]: ...

    def render(self, values: Mapping[str, Any]) -> str:
        """The text for these values, which must have all `names`. Raises `TemplateError`."""
        ...


class Constant:
    """The template of a string without tags."""

    names: Mapping[str, int] = {}

    def __init__(self, text: str) -> None:
        self.text = text

    def render(self, values: Mapping[str, Any]) -> str:
        del values
        if len(self.text) > MAX_TEXT:
            detail = f"this has {len(self.text):,} characters, a string may have {MAX_TEXT:,}"
            raise TemplateError("template-too-large", detail)
        return self.text


class Templates:
    """Compiles; one for all plans loaded together, so that equal strings are compiled once."""

    def __init__(self, budget: Budget) -> None:
        self._cache: dict[str, Template | TemplateError] = {}
        self._environment = Environment(budget)

    def compile(self, text: str) -> Template:
        """Raises `TemplateError`."""
        if not has_tags(text):
            return Constant(text)
        known = self._cache.get(text)
        if known is None:
            try:
                known = self._environment.compile_program(text)
            except TemplateError as error:
                known = error
            self._cache[text] = known
        if isinstance(known, TemplateError):
            raise known
        return known


def has_tags(text: str) -> bool:
    return "{" in text and ("{{" in text or "{%" in text or "{#" in text)


def holds_tags(value: Any) -> bool:
    """Whether a string in the value, however deep, looks like a template."""
    if isinstance(value, str):
        return has_tags(value)
    if isinstance(value, dict):
        return any(map(holds_tags, value.values()))  # pyright: ignore[reportUnknownArgumentType]
    return isinstance(value, list) and any(map(holds_tags, value))  # pyright: ignore[reportUnknownArgumentType]


MAX_NAME = 100
_MOST_LISTED = 200
_NAME = re.compile(NAME)


def is_name(name: str) -> bool:
    """Whether templates can use a variable or an axis by this name."""
    return _NAME.fullmatch(name) is not None and len(name) <= MAX_NAME and name not in RESERVED_NAMES


def check_name(name: str, what: str, span: Span, reporter: Reporter) -> None:
    """Report a name that no template can use. `what` is "a variable" or "an axis"."""
    if is_name(name):
        return
    if name in RESERVED_NAMES:
        detail = f"`{name}` is a word of the template language; give {what} another name"
    else:
        fixed = corrected_name(name)
        hint = f"; write `{fixed}`" if is_name(fixed) else ""
        detail = f"`{shorten(name, 40)}` cannot be {what}: letters, digits and _, beginning with a letter{hint}"
    reporter.error("not-a-name", detail, span)


def corrected_name(name: str) -> str:
    """The most similar valid name; it may still be invalid."""
    return name if is_name(name) else "_".join(re.findall(r"[A-Za-z0-9]+", name)).lstrip("0123456789_")[:60]


def undefined(name: str, known: Collection[str], scenario: str, searches: Searches) -> str:
    """The error about a name that a template of the scenario uses and nothing defines."""
    what = f"`{shorten(name, 40)}` is neither a variable of the plan nor an axis of `{shorten(scenario, 40)}`"
    if len(known) <= _MOST_LISTED:
        known = [other for other in known if is_name(other)]
    return unknown(what, name, known, searches)


_WHOLE = re.compile(r"\s*\{\{[^{}]*\}\}\s*\Z")

Route = tuple[str | int, ...]
"""Keys and indices that lead from a value to one inside it."""
Content = Any
"""A JSON value with a `Text` for each text that has a template in it."""


class Text(NamedTuple):
    """A string with a template in it. `whole`: the template is all of it."""

    template: Template
    route: Route
    whole: bool


class TextError(Exception):  # becomes a diagnostic where the text is written
    """The template of the text at this route is invalid."""

    def __init__(self, route: Route, error: TemplateError) -> None:
        super().__init__(error.detail)
        self.route = route
        self.error = error


@dataclass(slots=True)
class Compiler:
    """Compiles values, and collects their templates and errors."""

    templates: Templates
    texts: list[Text] = field(default_factory=list[Text])
    errors: list[TextError] = field(default_factory=list[TextError])

    def compile(self, value: Any, route: Route = ()) -> Content:
        if isinstance(value, dict):
            return {key: self.compile(item, (*route, key)) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        if isinstance(value, list):
            return [self.compile(item, (*route, index)) for index, item in enumerate(value)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        if not isinstance(value, str) or not has_tags(value):
            return value
        try:
            text = Text(self.templates.compile(value), route, _WHOLE.match(value) is not None)
        except TemplateError as error:
            self.errors.append(TextError(route, error))
            text = Text(Constant(""), route, whole=True)  # so that the rest can still be checked
        self.texts.append(text)
        return text


def _filled(content: Content, text_for: Callable[[Text], Any]) -> Any:
    """The value with something for each template."""
    if isinstance(content, Text):
        return text_for(content)
    if isinstance(content, dict):
        return {key: _filled(item, text_for) for key, item in content.items()}  # pyright: ignore[reportUnknownVariableType]
    return [_filled(item, text_for) for item in content] if isinstance(content, list) else content  # pyright: ignore[reportUnknownVariableType]


def render(content: Content, values: Mapping[str, Any]) -> Any:
    """The value for these values of the names. Raises `TextError`."""

    def rendered(text: Text) -> str:
        try:
            return text.template.render(values)
        except TemplateError as error:
            raise TextError(text.route, error) from error

    return _filled(content, rendered)


def placeholders(content: Content) -> Any:
    """The value with a letter for each template, to check the rest of it."""
    return _filled(content, lambda _: "x")


def _has(container: Any, step: str | int) -> bool:
    if isinstance(container, dict):
        return step in container
    return isinstance(container, list) and step in range(len(container))  # pyright: ignore[reportUnknownArgumentType]


def varying(content: Content, texts: Iterable[Text], place: Route) -> list[Text]:
    """The templates at or below this place. Steps that no container has, such as the tag of a union, are skipped."""
    route: Route = ()
    for step in place:
        if _has(content, step):
            content, route = content[step], (*route, step)
    return [text for text in texts if text.route[: len(route)] == route]


def read_numbers(content: Content, rendered: Any, texts: Iterable[Text]) -> Any:
    """The rendered value, with those of these strings that are one whole template read as YAML reads unquoted text."""
    read = {text.route for text in texts if text.whole}

    def value_of(text: Text) -> Any:
        value: Any = rendered
        for step in text.route:
            value = value[step]
        try:
            return resolve(value) if text.route in read else value
        except NumberError:
            return value

    return _filled(content, value_of)
