"""Templates of prompts and expectations: compiled once, rendered with a case's values, errors at their place.

Most templates are text and `{{ name }}` or `{{ name.key }}`. These are rendered without Jinja, to the same text (a
property test compares the two): importing Jinja and compiling thousands of prompts with it takes seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from planner.diagnostics import Span
from planner.planfile.grammar import NAME
from planner.planfile.reporter import Reporter
from planner.planfile.text import Searches, shorten, unknown
from planner.planfile.yaml.parser import NumberError, resolve

if TYPE_CHECKING:
    from planner.planfile.jinja_environment import PlanEnvironment

_SIMPLE = re.compile(r"(\{\{[ \t]*)([A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*)([ \t]*\}\})")
RESERVED_NAMES = frozenset(
    {
        "true", "false", "none", "True", "False", "None", "not", "and", "or", "in", "is", "if", "else", "loop", "range",
        "recursive",
    }
)  # fmt: skip
"""Words of the template language: no variable or axis can have them as its name."""
MAX_SOURCE = 64 * 1024
MAX_TEXT = 32 * 1024
"""Characters of a rendered text, and of any text made on the way."""
MAX_PROGRAMS = 96 * 1024
"""Characters in the tags of a plan that Jinja compiles. Each takes about 10 µs."""
_PROGRAM = 32
"""Compiling any template takes as long as this many characters."""
_MOST_CACHED = 100
_TAG = r"(?s)\{[{%#](?:(?!\{[{%#]).)*?[}%#]\}"
_MISSING = object()


class TemplateFault(Exception):  # noqa: N818 - the word diagnostics use
    """A fault of a template. `start` and `end` are offsets into its text, None where it concerns all of it."""

    def __init__(self, code: str, detail: str, start: int | None = None, end: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.start = start
        self.end = end
        self.others: tuple[TemplateFault, ...] = ()
        """Further faults of the same text."""


class Template(Protocol):
    """`names` maps each name that the template takes from variables and axes to the offset of its first use."""

    @property
    def names(self) -> Mapping[str, int]: ...

    def render(self, values: Mapping[str, Any]) -> str:
        """The text for these values, which must have all `names`. Raises `TemplateFault`."""
        ...


@dataclass(slots=True)
class Interpolation:
    """Text and plain names only. Texts and routes alternate, a text first and last."""

    texts: tuple[str, ...]
    routes: tuple[tuple[str, ...], ...]
    offsets: tuple[int, ...]
    names: Mapping[str, int]
    templates: Templates

    def render(self, values: Mapping[str, Any]) -> str:
        written = [self.texts[0]]
        room = MAX_TEXT - len(self.texts[0])
        faults: list[TemplateFault] = []
        for route, text, offset in zip(self.routes, self.texts[1:], self.offsets, strict=True):
            value = values[route[0]]
            for step in route[1:]:
                value = value.get(step, _MISSING) if isinstance(value, dict) else _MISSING  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            if isinstance(value, bool):
                value = "true" if value else "false"
            elif isinstance(value, int | float):
                value = repr(value)
            if not isinstance(value, str):
                faults.append(self.templates.fault_of(route, offset, values))
                continue
            written += (value, text)
            room -= len(value) + len(text)
            if room < 0 and not faults:
                detail = f"this renders to more than {MAX_TEXT:,} characters"
                raise TemplateFault("template-too-large", detail, offset, offset + len(".".join(route)))
        if faults:
            faults[0].others = tuple(faults[1:])
            raise faults[0]
        return "".join(written)


class Templates:
    """Compiles; one for all plans loaded together, so that equal texts are compiled once."""

    def __init__(self) -> None:
        self._cache: dict[str, Template | TemplateFault] = {}
        self._environment: PlanEnvironment | None = None
        self._room = MAX_PROGRAMS

    def new_plan(self) -> None:
        """Start a plan: limits are per plan."""
        self._room = MAX_PROGRAMS
        if len(self._cache) > _MOST_CACHED:
            self._cache.clear()
        if self._environment is not None:
            self._environment.new_plan()

    def compile(self, text: str) -> Template:
        """Raises `TemplateFault`."""
        if not has_tags(text):
            return self.constant(text)
        known = self._cache.get(text)
        if known is None:
            try:
                known = self._compile(text)
            except TemplateFault as fault:
                known = fault
            self._cache[text] = known
        if isinstance(known, TemplateFault):
            raise known
        return known

    def constant(self, text: str) -> Interpolation:
        """The template of a text without tags."""
        return Interpolation((text,), (), (), {}, self)

    def _compile(self, text: str) -> Template:
        if len(text) > MAX_SOURCE:
            detail = f"a template may have {MAX_SOURCE:,} characters, this has {len(text):,}"
            raise TemplateFault("template-too-large", detail)
        found = self.interpolation(text)
        if found is not None:
            return found
        self._room -= _PROGRAM + len(text) // 16 + sum(map(len, re.findall(_TAG, text)))
        if self._room < 0:
            detail = (
                f"tags other than {{{{ name }}}} may have {MAX_PROGRAMS:,} characters in all templates of a plan; "
                "shorten them"
            )
            raise TemplateFault("template-too-costly", detail)
        return self.program(text)

    def program(self, text: str) -> Template:
        """The template compiled by Jinja. Raises `TemplateFault`."""
        from planner.planfile.jinja_environment import PlanEnvironment
        from planner.planfile.jinja_programs import compile_program

        self._environment = self._environment or PlanEnvironment()
        return compile_program(text, self._environment)

    def interpolation(self, text: str) -> Interpolation | None:
        """The template, if it is text and plain names only."""
        if "\r" in text:  # Jinja normalises line breaks
            return None
        pieces = _SIMPLE.split(text)
        if any("{" in piece and (piece.endswith("{") or has_tags(piece)) for piece in pieces[::4]):
            return None
        offsets: list[int] = []
        names: dict[str, int] = {}
        end = 0
        for before, opening, route, closing in zip(pieces[::4], pieces[1::4], pieces[2::4], pieces[3::4], strict=False):
            start = end + len(before) + len(opening)
            end = start + len(route) + len(closing)
            offsets.append(start)
            names.setdefault(route.partition(".")[0], start)
        if not RESERVED_NAMES.isdisjoint(names):
            return None
        routes = tuple([tuple(route.split(".")) for route in pieces[2::4]])
        return Interpolation(tuple(pieces[::4]), routes, tuple(offsets), names, self)

    def fault_of(self, route: tuple[str, ...], offset: int, values: Mapping[str, Any]) -> TemplateFault:
        """Why Jinja rejects `{{ a.b }}`; `offset` is that of `a`."""
        name = ".".join(route)
        opening = "{{ "
        try:
            self.program(f"{opening}{name} }}}}").render({route[0]: values[route[0]]})
        except TemplateFault as fault:
            if fault.code == "template-undefined" and fault.start is not None and fault.end is not None:
                shift = offset - len(opening)
                return TemplateFault(fault.code, fault.detail, fault.start + shift, fault.end + shift)
            detail = fault.detail.replace("rendering failed", f"`{name}`")
            return TemplateFault(fault.code, detail, offset, offset + len(name))
        raise AssertionError("Jinja writes what an interpolation cannot")


def has_tags(text: str) -> bool:
    return "{" in text and ("{{" in text or "{%" in text or "{#" in text)


def holds_tags(value: Any) -> bool:
    """Whether a text in the value, however deep, looks like a template."""
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
        if isinstance(value, dict):
            return {key: self.compile(item, (*route, key)) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        if isinstance(value, list):
            return [self.compile(item, (*route, index)) for index, item in enumerate(value)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        if not isinstance(value, str) or not has_tags(value):
            return value
        try:
            text = Text(self.templates.compile(value), route, _WHOLE.match(value) is not None)
        except TemplateFault as fault:
            self.faults.append(TextFault(route, fault))
            text = Text(self.templates.constant(""), route, whole=True)  # so that the rest can still be checked
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
    """The value for these values of the names. Raises `TextFault`."""

    def rendered(text: Text) -> str:
        try:
            return text.template.render(values)
        except TemplateFault as fault:
            raise TextFault(text.route, fault) from fault

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
    """The rendered value, with those of these texts that are one whole template read as YAML reads unquoted text."""
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
