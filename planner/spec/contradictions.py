"""Expectations that no call can satisfy together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from planner.checks import CHECKS
from planner.checks.base import CheckSeverity, Expectation
from planner.diagnostics import Related, Span
from planner.spec.reporting import Reporter

WORK_PER_PLAN = 1_000_000
"""Microseconds, about: a plan is not looked through further. Nothing depends on this but how early an author hears of it."""

_PATTERN = 20

Kind = type[Expectation]


def _rivals() -> Mapping[Kind, frozenset[Kind]]:
    """Kind of check to the kinds one of it may contradict: each pair is told by one of the two."""
    found: defaultdict[Kind, set[Kind]] = defaultdict(set)
    for kind in CHECKS.values():
        for name in kind.opposes:
            found[kind].add(CHECKS[name])
            found[CHECKS[name]].add(kind)
    return MappingProxyType({kind: frozenset(others) for kind, others in found.items()})


RIVALS = _rivals()
"""Most kinds are in nobody's way, so that most cases need no look at their pairs of expectations."""


@lru_cache(maxsize=1_000)
def may_contradict(kinds: tuple[Kind, ...]) -> bool:
    """Whether there are rivals among the kinds of a case's expectations."""
    seen: set[Kind] = set()
    for kind in kinds:
        if not seen.isdisjoint(RIVALS.get(kind, ())):
            return True
        seen.add(kind)
    return False


class Stated(NamedTuple):
    """An expectation of a case and where it is written. `varies`: it has templates. `size`: its bytes as JSON."""

    expectation: Expectation
    span: Span
    varies: bool
    size: int


@dataclass(slots=True)
class Contradictions:
    """Reports them, each pair once, however many cases have it; one for all plans loaded together."""

    reporter: Reporter
    _told: set[tuple[Span, Span]] = field(default_factory=set[tuple[Span, Span]])
    _left: int = WORK_PER_PLAN

    def new_plan(self) -> None:
        self._left = WORK_PER_PLAN

    def report(self, stated: Sequence[Stated], which: str) -> None:
        """Look through the expectations of one case; `which` says, at the end of a fault, of which."""
        for first, later, why in self._contradicting(stated):
            if (first.span, later.span) in self._told:
                continue
            self._told.add((first.span, later.span))
            name = first.expectation.id
            detail = f"this cannot hold together with `{name}`: {why}{which if first.varies or later.varies else ''}"
            harmless = CheckSeverity.WARNING in (first.expectation.severity, later.expectation.severity)
            report = self.reporter.warning if harmless else self.reporter.error
            report("contradiction", detail, later.span, Related(f"`{name}`", first.span))

    def _contradicting(self, stated: Sequence[Stated]) -> Iterator[tuple[Stated, Stated, str]]:
        """Pairs in the order written, and why; not those that need not hold in every run."""
        needed = [one for one in stated if one.expectation.min_pass_rate in (None, 1)]
        earlier: defaultdict[Kind, list[int]] = defaultdict(list)
        for number, later in enumerate(needed):
            kind = later.expectation.__class__
            for position in sorted([place for rival in RIVALS.get(kind, ()) for place in earlier[rival]]):
                first = needed[position]
                self._left -= 2 + _weight(first) * _weight(later) // 600
                if self._left < 0:
                    return
                one, other = first.expectation, later.expectation
                why = one.contradicts(other) or other.contradicts(one)
                if why:
                    yield first, later, why
            earlier[kind].append(number)


def _weight(one: Stated) -> int:
    """A phrase is compared with each phrase of the other; trying a pattern takes longer."""
    return one.size * (_PATTERN if vars(one.expectation).get("matches") is not None else 1)
