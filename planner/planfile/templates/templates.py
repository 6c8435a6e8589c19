"""Templates of prompts and expectations: compiled once, rendered with a case's values, faults at their place.

Most templates are text and `{{ name }}` or `{{ name.key }}`. Those are rendered without Jinja, to the same text (a
property test says so): compiling 10,000 prompts with Jinja takes seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from planner.planfile.templates.made_often import made_often

if TYPE_CHECKING:
    from planner.planfile.templates.programs import Programs

_SIMPLE = re.compile(r"(\{\{[ \t]*)([A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*)([ \t]*\}\})")
RESERVED_NAMES = frozenset(
    [
        "true",
        "false",
        "none",
        "True",
        "False",
        "None",
        "not",
        "and",
        "or",
        "in",
        "is",
        "if",
        "else",
        "loop",
        "range",
        "recursive",
    ]
)
"""Words of the template language: no variable or axis can have them as its name."""
MAX_SOURCE = 64 * 1024
MAX_PROGRAMS = 96 * 1024
"""Characters in the tags of all templates of a plan that Jinja has to compile, which takes it some 10 µs for one."""
_PROGRAM = 32
"""Compiling takes as long as so many characters do, whatever there is to compile."""
_MOST_KNOWN = 100
"""Texts with plain names only: of more, most come but once, and taking one apart again takes little."""
_WORD = re.compile(r"\w+")
_TAG = re.compile(r"\{[{%#](?:(?!\{[{%#]).)*?[}%#]\}", re.DOTALL)
"""None begins within one, so that a row of braces that nothing closes is looked at once."""
MAX_TEXT = 32 * 1024
"""Characters of a rendered text, and of any text made on the way."""


class TemplateFault(Exception):  # noqa: N818 - the word diagnostics use
    """A fault of a template. `start` and `end` are offsets into its text, None where it concerns all of it."""

    def __init__(self, code: str, detail: str, start: int | None = None, end: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.start = start
        self.end = end
        self.others: tuple[TemplateFault, ...] = ()
        """What is wrong with the same text besides."""
        self.names: Mapping[str, int] = {}
        """What tags of the same text use that are sound by themselves, each name with an offset."""
        self.is_told = False
        """Whether another template of the plan was told the same, and it is no more this one's fault than that one's."""


class Template(Protocol):
    """`names` maps each name that the template takes from variables and axes to where it is first used (offset)."""

    @property
    def names(self) -> Mapping[str, int]: ...

    def render(self, values: Mapping[str, Any]) -> str:
        """The text for these values; all `names` must be there. Raises `TemplateFault`."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """Text without a tag."""

    text: str
    names: Mapping[str, int]

    def render(self, values: Mapping[str, Any]) -> str:
        del values
        return self.text


@made_often
class Interpolation:
    """Text and plain names only. Texts and routes alternate, a text first and last."""

    texts: tuple[str, ...]
    routes: tuple[tuple[str, ...], ...]
    offsets: tuple[int, ...]
    names: Mapping[str, int]
    programs: Programs

    def render(self, values: Mapping[str, Any]) -> str:
        written = [self.texts[0]]
        room = MAX_TEXT - len(self.texts[0])
        for route, text, offset in zip(self.routes, self.texts[1:], self.offsets, strict=True):
            value = values[route[0]]
            if len(route) == 1 and type(value) is int:
                value = repr(value)
            elif len(route) > 1 or type(value) is not str:
                try:
                    value = self.programs.show(value, route, offset)
                except TemplateFault as fault:
                    fault.others = tuple(self._other_faults(values, offset))
                    raise
            written.append(value)
            written.append(text)
            room -= len(value) + len(text)
            if room < 0:
                raise TemplateFault(
                    "template-too-large",
                    f"this renders to more than {MAX_TEXT:,} characters",
                    offset,
                    offset + len(".".join(route)),
                )
        return "".join(written)

    def _other_faults(self, values: Mapping[str, Any], after: int) -> Iterator[TemplateFault]:
        """What is wrong with the names behind the first one that cannot be shown."""
        for route, offset in zip(self.routes, self.offsets, strict=True):
            if offset > after:
                try:
                    self.programs.show(values[route[0]], route, offset)
                except TemplateFault as fault:
                    yield fault


class Templates:
    """Compiles; one for all plans loaded together, so that equal texts are compiled once."""

    def __init__(self) -> None:
        self._simple: dict[str, Interpolation] = {}
        self._cache: dict[str, Template | TemplateFault] = {}
        self._programs: Programs | None = None
        self._room = MAX_PROGRAMS

    def new_plan(self) -> None:
        """A plan begins: budgets are a plan's."""
        self._room = MAX_PROGRAMS
        if len(self._simple) > _MOST_KNOWN:
            self._simple.clear()
        if self._programs is not None:
            self._programs.new_plan()

    def compile(self, text: str) -> Template:
        """Raises `TemplateFault`."""
        if not has_tags(text):
            return Constant(text, {})
        known = self._simple.get(text) or self._cache.get(text)
        if known is None:
            try:
                known = self._compile(text)
            except TemplateFault as fault:
                known = fault
            if isinstance(known, Interpolation):
                self._simple[text] = known
            else:
                self._cache[text] = known
        if isinstance(known, TemplateFault):
            raise known
        return known

    def _compile(self, text: str) -> Template:
        if len(text) > MAX_SOURCE:
            raise TemplateFault(
                "template-too-large", f"a template may have {MAX_SOURCE:,} characters, this has {len(text):,}"
            )
        if self._programs is None:
            from planner.planfile.templates.programs import Programs

            self._programs = Programs()
        interpolation = simple(text, self._programs)
        if interpolation is not None:
            return interpolation
        self._room -= _PROGRAM + len(text) // 16 + sum(len(tag) for tag in _TAG.findall(text))
        if self._room < 0:
            detail = (
                f"the tags of all templates of a plan that are more than names may have {MAX_PROGRAMS:,} characters"
            )
            raise TemplateFault("template-too-costly", detail)
        return self._programs.compile(text)


def has_tags(text: str) -> bool:
    return "{" in text and ("{{" in text or "{%" in text or "{#" in text)


def holds_tags(value: Any) -> bool:
    """Whether a text in the value, however deep, looks like a template."""
    if isinstance(value, str):
        return has_tags(value)
    if isinstance(value, dict):
        return any(map(holds_tags, value.values()))  # pyright: ignore[reportUnknownArgumentType]
    return isinstance(value, list) and any(map(holds_tags, value))  # pyright: ignore[reportUnknownArgumentType]


def simple(text: str, programs: Programs) -> Interpolation | None:
    """The template, if it is text and plain names only."""
    if "\r" in text:  # Jinja normalises line breaks
        return None
    pieces = _SIMPLE.split(text)
    texts = tuple(pieces[::4])
    for piece in texts:
        if "{" in piece and (piece.endswith("{") or has_tags(piece)):
            return None
    routes: list[tuple[str, ...]] = []
    offsets: list[int] = []
    names: dict[str, int] = {}
    end = 0
    parts = iter(pieces)
    for before, opening, route, closing in zip(parts, parts, parts, parts, strict=False):  # less the last text
        start = end + len(before) + len(opening)
        end = start + len(route) + len(closing)
        steps = (route,) if "." not in route else tuple(route.split("."))
        if steps[0] in RESERVED_NAMES:
            return None
        routes.append(steps)
        offsets.append(start)
        names.setdefault(steps[0], start)
    return Interpolation(texts, tuple(routes), tuple(offsets), names, programs)
