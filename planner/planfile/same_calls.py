"""Cases of a matrix that are one and the same call: a value that changes nothing is paid for again.

An axis that no template uses is an error. One whose name is used can change as little: `{% if mood == 'frious' %}` is true
for no value of `mood`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from planner.diagnostics import Related
from planner.planfile.matrix import Matrix
from planner.planfile.model import Case
from planner.planfile.prompts import Prompt
from planner.planfile.reporter import Reporter
from planner.planfile.templates import Interpolation
from planner.planfile.text import shorten

_Tokens = tuple[str, ...]


@dataclass(slots=True)
class _Value:
    """A value with which calls are made that another value of its axis makes already."""

    other: str
    case: Case
    """The first of them."""
    count: int = 0


@dataclass(slots=True)
class _Repeats:
    """By the positions of axes, and the tokens of values. `apart` are cases that differ in several axes."""

    by_axis: defaultdict[int, dict[str, _Value]] = field(default_factory=lambda: defaultdict(dict))
    apart: list[tuple[Case, Case]] = field(default_factory=list[tuple[Case, Case]])


def _tells_apart(prompt: Prompt | None, matrix: Matrix) -> bool:
    """Whether the prompt says each axis's value, so that no two points can be one call."""
    template = prompt.template if prompt is not None else None
    if not isinstance(template, Interpolation):
        return False
    said = {route[0] for route in template.routes if len(route) == 1}
    return all(axis.name in said for axis in matrix.axes)


def warn_of_same_calls(prompt: Prompt | None, matrix: Matrix, cases: Sequence[Case], reporter: Reporter) -> None:
    """`cases` are all those of a scenario without a fault."""
    if not cases or len(matrix.points) == 1 or _tells_apart(prompt, matrix):
        return
    cases = cases[:: len(cases) // len(matrix.points)]  # those of one target
    if len({case.prompt for case in cases}) == len(cases):
        return
    same: defaultdict[tuple[str, tuple[int, ...]], list[Case]] = defaultdict(list)
    for case in cases:  # equal expectations are one object
        same[case.prompt, tuple(map(id, case.expectations))].append(case)
    repeats = _Repeats()
    for group in same.values():
        if len(group) > 1:
            _compare(group, repeats)
    totals = Counter((name, token) for case in cases for name, token in case.point)
    for position, values in repeats.by_axis.items():
        _report(matrix, position, values, totals, reporter)
    if repeats.apart and not repeats.by_axis:
        first, case = repeats.apart[0]
        more = len(repeats.apart) - 1
        also = f"; so it is with {more:,} more" if more else ""
        detail = f"the same call is made in {_shown(case)} as in {_shown(first)}{also}; exclude one, or let the prompt tell them apart"
        reporter.warning("same-call", detail, case.span)


def _compare(group: Sequence[Case], repeats: _Repeats) -> None:
    """Find, for each case but the first, another one that differs from it in one axis."""
    seen: dict[tuple[int, _Tokens], str] = {}
    for case in group:
        tokens = tuple([token for _, token in case.point])
        alone = case is not group[0]
        for position, token in enumerate(tokens):
            rest = (position, tokens[:position] + tokens[position + 1 :])
            other = seen.setdefault(rest, token)
            if other != token:
                repeats.by_axis[position].setdefault(token, _Value(other, case)).count += 1
                alone = False
        if alone:
            repeats.apart.append((group[0], case))


def _report(
    matrix: Matrix, position: int, values: dict[str, _Value], totals: Counter[tuple[str, str]], reporter: Reporter
) -> None:
    """One warning for an axis, at its first value that repeats another."""
    name = matrix.axes[position].name
    places = {point[position].token: point[position].place for point in matrix.points}
    token, value = next(iter(values.items()))
    always = [token for token, found in values.items() if found.count == totals[name, token]]
    shown = shorten(name, 40)
    place, related = places[token](), Related("the other value", places[value.other]())
    if place.file != value.case.span.file:  # other plans may need what is in a shared file
        place = value.case.span
    if len(always) == len(places) - 1:
        detail = f"`{shown}` changes nothing: the same call is made with each of its values; let the prompt depend on it, or remove it (`runs` repeats a call)"
        reporter.warning("same-call", detail, place, related)
        return
    where = "" if token in always else f"in {_shown(value.case)} "
    if (more := value.count - 1) and where:
        where = f"in {value.count:,} cases, such as {_shown(value.case)}, "
    also = f"; so it is with {more:,} more of its values" if (more := len(values) - 1) else ""
    mend = "remove it" if token in always else "exclude such cases"
    detail = f"{where}the same call is made with this value of `{shown}` as with `{shorten(value.other, 40)}`{also}; {mend}, or let the prompt tell them apart"
    reporter.warning("same-call", detail, place, related)


def _shown(case: Case) -> str:
    return f"`[{','.join([f'{name}={token}' for name, token in case.point])}]`"
