"""Expectations of one case that no call can satisfy together, as far as two kinds of check say so of each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from planner.checks import CHECKS
from planner.checks.base import CheckSeverity, Expectation
from planner.diagnostics import Related, Span
from planner.planfile.reporter import Reporter, first_few

WORK_PER_PLAN = 1_000_000
"""About a second: a plan is not searched further."""
_PATTERN_WEIGHT = 20

Kind = type[Expectation]


@lru_cache(maxsize=1_000)
def _rivals(one: Kind, other: Kind) -> bool:
    """Whether expectations of these kinds may contradict each other. Most kinds may not."""
    return other in [CHECKS[name] for name in one.opposes] or one in [CHECKS[name] for name in other.opposes]


@lru_cache(maxsize=1_000)
def may_contradict(kinds: tuple[Kind, ...]) -> bool:
    """Whether there are rivals among the kinds of a case's expectations."""
    return any(_rivals(kind, other) for position, kind in enumerate(kinds) for other in kinds[:position])


class Stated(NamedTuple):
    """An expectation of a case and where it is written. `varies`: it has templates. `size`: its bytes as JSON."""

    expectation: Expectation
    span: Span
    varies: bool
    size: int


@dataclass(slots=True)
class Contradictions:
    """Reports each pair once, however many cases have it; one for all plans loaded together."""

    reporter: Reporter
    _reported: set[tuple[Span, tuple[Span, ...]]] = field(default_factory=set[tuple[Span, tuple[Span, ...]]])
    _left: int = WORK_PER_PLAN

    def new_plan(self) -> None:
        self._left = WORK_PER_PLAN

    def report(self, stated: Sequence[Stated], which: str) -> None:
        """Compare the expectations of one case; `which` names the case, for expectations with templates."""
        for _, pairs in groupby(self._contradicting(stated), _alike):
            (first, later, why), *more = pairs
            others = [first, *(other for other, _, _ in more)]
            key = (later.span, tuple(other.span for other in others))
            if key in self._reported:
                continue
            self._reported.add(key)
            harmless = any(one.expectation.severity is CheckSeverity.WARNING for one in (later, *others))
            report = self.reporter.warning if harmless else self.reporter.error
            also = f"; and with {len(more):,} more" if more else ""
            case = which if any(one.varies for one in (later, *others)) else ""
            related = [Related(f"`{other.expectation.id}`", other.span) for other in others]
            message = f"this cannot hold together with `{first.expectation.id}`: {why}{also}{case}"
            report("contradiction", message, later.span, *first_few(related))

    def _contradicting(self, stated: Sequence[Stated]) -> Iterator[tuple[Stated, Stated, str]]:
        """Pairs in the order written, and why; not those that need not hold in every run."""
        needed = [one for one in stated if one.expectation.min_pass_rate in (None, 1)]
        earlier: defaultdict[Kind, list[int]] = defaultdict(list)
        for number, later in enumerate(needed):
            kind = later.expectation.__class__
            for position in sorted(place for rival in earlier if _rivals(kind, rival) for place in earlier[rival]):
                first = needed[position]
                self._left -= 2 + _weight(first) * _weight(later) // 600
                if self._left < 0:
                    return
                one, other = first.expectation, later.expectation
                if why := one.contradicts(other) or other.contradicts(one):
                    yield first, later, why
            earlier[kind].append(number)


def _alike(pair: tuple[Stated, Stated, str]) -> tuple[int, bool, bool]:
    """What pairs have in common that are reported as one."""
    first, later, _ = pair
    return id(later), first.expectation.severity is CheckSeverity.WARNING, first.varies


def _weight(one: Stated) -> int:
    """A phrase is compared with each phrase of the other; trying a pattern takes longer."""
    return one.size * (_PATTERN_WEIGHT if vars(one.expectation).get("matches") is not None else 1)
