"""Expectations that no call can satisfy together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from planner.checks import CHECKS
from planner.checks.base import CheckSeverity, Expectation
from planner.diagnostics import Related, Span
from planner.spec.expectations.demands import COMBINATORS, Choice, Demand, Route, demands
from planner.spec.faults.reporting import Reporter, first_few

WORK_PER_PLAN = 1_000_000
"""Microseconds, about: a plan is not looked through further. Nothing depends on this but how early an author hears of it."""

_PATTERN = 20
_TAKING_APART = 200

Kind = type[Expectation]


@lru_cache(maxsize=1_000)
def rivals(one: Kind, other: Kind) -> bool:
    """Whether expectations of these kinds may contradict: one of the two tells of the pair. Most kinds are in nobody's way,
    so that most cases need no look at their pairs of expectations."""
    return other in _opposed(one) or one in _opposed(other)


@lru_cache(maxsize=1_000)
def _opposed(kind: Kind) -> frozenset[Kind]:
    return frozenset([CHECKS[name] for name in kind.opposes])


@lru_cache(maxsize=1_000)
def may_contradict(kinds: tuple[Kind, ...]) -> bool:
    """Whether there are rivals among the kinds of a case's expectations."""
    seen: set[Kind] = set()
    for kind in kinds:
        if kind in COMBINATORS or any(rivals(kind, other) for other in seen):
            return True
        seen.add(kind)
    return False


class Stated(NamedTuple):
    """An expectation of a case and where it is written. `varies`: it has templates. `size`: its bytes as JSON.

    `place` tells where a part of it is written.
    """

    expectation: Expectation
    span: Span
    varies: bool
    size: int
    place: Callable[[Route], Span]


class _Asked(NamedTuple):
    """One demand of an expectation."""

    demand: Demand
    stated: Stated

    @property
    def span(self) -> Span:
        return self.stated.place(self.demand.route) if self.demand.route else self.stated.span


@dataclass(slots=True)
class Contradictions:
    """Reports them, each pair once, however many cases have it; one for all plans loaded together."""

    reporter: Reporter
    _told: set[tuple[Span, tuple[Span, ...]]] = field(default_factory=set[tuple[Span, tuple[Span, ...]]])
    _left: int = WORK_PER_PLAN

    def new_plan(self) -> None:
        self._left = WORK_PER_PLAN

    def report(self, stated: Sequence[Stated], which: str) -> None:
        """Look through the expectations of one case; `which` says, at the end of a fault, of which."""
        if any(one.expectation.__class__ in COMBINATORS for one in stated):
            self._report_parts(stated, which)
            return
        for _, pairs in groupby(self._contradicting(stated), _alike):
            (first, later, why), *more = pairs
            also = f"; and with {len(more):,} more" if more else ""
            others = [(first, first.span), *[(other, other.span) for other, _, _ in more]]
            self._tell(f"{_against(first)}: {why}{also}", which, later.span, [later], others)

    def _tell(
        self,
        detail: str,
        which: str,
        span: Span,
        own: Sequence[Stated],
        others: Sequence[tuple[Stated, Span]],
        *,
        harmless: bool = False,
    ) -> None:
        """Once for each place and what it contradicts; `own` is the expectation at the place."""
        key = (span, tuple([other for _, other in others]))
        if key in self._told:
            return
        self._told.add(key)
        concerned = [*own, *[other for other, _ in others]]
        harmless = harmless or any(one.expectation.severity is CheckSeverity.WARNING for one in concerned)
        report = self.reporter.warning if harmless else self.reporter.error
        related = [
            Related("the other part" if other in own else f"`{other.expectation.id}`", place) for other, place in others
        ]
        told = which if any(one.varies for one in concerned) else ""
        report("contradiction", f"{detail}{told}", span, *first_few(related))

    # Expectations that are combined of others

    def _report_parts(self, stated: Sequence[Stated], which: str) -> None:
        asked: list[_Asked] = []
        choices: list[tuple[Choice, Stated]] = []
        for one in stated:
            if one.expectation.__class__ in COMBINATORS:
                self._left -= _TAKING_APART + one.size
                if self._left < 0:
                    return
                self._report_certain(one, which)
            if one.expectation.min_pass_rate not in (None, 1):
                continue
            for demand in demands(one.expectation):
                if isinstance(demand, Choice):
                    choices.append((demand, one))
                else:
                    asked.append(_Asked(demand, one))
        for number, later in enumerate(asked):
            for first in asked[:number]:
                if why := self._clash(first, later):
                    inside = first.stated is later.stated
                    told = "the parts of this cannot hold together" if inside else _against(first.stated)
                    self._tell(f"{told}: {why}", which, later.span, [later.stated], [(first.stated, first.span)])
        for choice, owner in choices:
            self._report_choice(choice, owner, asked, which)

    def _report_certain(self, one: Stated, which: str) -> None:
        """What holds on every call, because its opposite never does."""
        opposite = [_Asked(found, one) for found in demands(one.expectation, denied=True) if isinstance(found, Demand)]
        for number, later in enumerate(opposite):
            for first in opposite[:number]:
                if self._clash(first, later) and (one.span, ()) not in self._told:
                    self._told.add((one.span, ()))
                    detail = f"one of these two parts holds on every call, so this checks nothing{which if one.varies else ''}"
                    places = [Related("the one", first.span), Related("the other", later.span)]
                    self.reporter.error("bad-expectation", detail, one.span, *places)

    def _report_choice(self, choice: Choice, owner: Stated, asked: Sequence[_Asked], which: str) -> None:
        """A choice of which no way can hold, together with what is asked besides, or some ways cannot."""
        hopeless = [found for way in choice.ways if (found := self._hopeless(way, owner, asked)) is not None]
        if len(hopeless) == len(choice.ways):
            others = {other.span: other.stated for _, other, _ in hopeless}
            place = owner.place(choice.route) if choice.route else owner.span
            why = hopeless[0][2]
            self._tell(
                f"no part of this can hold: {why}",
                which,
                place,
                [owner],
                [(other, span) for span, other in others.items()],
            )
            return
        for part, other, why in hopeless:
            if owner.varies or other.stated.varies or part.span.file != other.span.file:
                continue  # it may hold in other cases, or was written for other plans
            detail = f"this part can never hold: {why}"
            self._tell(detail, which, part.span, [owner], [(other.stated, other.span)], harmless=True)

    def _hopeless(
        self, way: Sequence[Demand | Choice], owner: Stated, asked: Sequence[_Asked]
    ) -> tuple[_Asked, _Asked, str] | None:
        """A part of the way and what it cannot hold together with, if there is anything."""
        own = [_Asked(demand, owner) for demand in way if isinstance(demand, Demand)]
        for number, part in enumerate(own):
            for other in [*asked, *own[:number]]:
                if why := self._clash(other, part):
                    return part, other, why
        return None

    def _clash(self, first: _Asked, later: _Asked) -> str:
        self._left -= 2 + _weight(first.stated) * _weight(later.stated) // 600
        return first.demand.clash(later.demand) if self._left >= 0 else ""

    # Expectations that are not

    def _contradicting(self, stated: Sequence[Stated]) -> Iterator[tuple[Stated, Stated, str]]:
        """Pairs in the order written, and why; not those that need not hold in every run."""
        needed = [one for one in stated if one.expectation.min_pass_rate in (None, 1)]
        earlier: defaultdict[Kind, list[int]] = defaultdict(list)
        for number, later in enumerate(needed):
            kind = later.expectation.__class__
            for position in sorted([place for rival in earlier if rivals(kind, rival) for place in earlier[rival]]):
                first = needed[position]
                self._left -= 2 + _weight(first) * _weight(later) // 600
                if self._left < 0:
                    return
                one, other = first.expectation, later.expectation
                why = one.contradicts(other) or other.contradicts(one)
                if why:
                    yield first, later, why
            earlier[kind].append(number)


def _alike(pair: tuple[Stated, Stated, str]) -> tuple[int, bool, bool]:
    """What pairs have in common that are told as one: what stands against the others, and how it is told."""
    first, later, _ = pair
    return id(later), first.expectation.severity is CheckSeverity.WARNING, first.varies


def _against(first: Stated) -> str:
    return f"this cannot hold together with `{first.expectation.id}`"


def _weight(one: Stated) -> int:
    """A phrase is compared with each phrase of the other; trying a pattern takes longer."""
    return one.size * (_PATTERN if vars(one.expectation).get("matches") is not None else 1)
