"""Templates of prompts and expectations: compiled once, rendered with a case's values, errors at their place.

Most templates are text and `{{ name }}` or `{{ name.key }}`. These are rendered without Jinja, to the same text (a
property test compares the two): importing Jinja and compiling thousands of prompts with it takes seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from planner.planfile.templates.programs import Programs

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
"""Characters in the tags of all templates of a plan that Jinja compiles, which takes about 10 µs for each."""
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
        self.already_reported = False
        """Whether another template of the plan had the same fault, which concerns the whole plan."""


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
        self._programs: Programs | None = None
        self._room = MAX_PROGRAMS

    def new_plan(self) -> None:
        """Start a plan: limits are per plan."""
        self._room = MAX_PROGRAMS
        if len(self._cache) > _MOST_CACHED:
            self._cache.clear()
        if self._programs is not None:
            self._programs.new_plan()

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
                f"the tags of all templates of a plan that are more than names may have {MAX_PROGRAMS:,} characters"
            )
            raise TemplateFault("template-too-costly", detail)
        return self.program(text)

    def program(self, text: str) -> Template:
        """The template compiled by Jinja. Raises `TemplateFault`."""
        if self._programs is None:
            from planner.planfile.templates.programs import Programs

            self._programs = Programs()
        return self._programs.compile(text)

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
