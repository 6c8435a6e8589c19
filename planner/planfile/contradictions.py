"""Expectations of one case that no call can satisfy together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from planner.checks import CHECKS
from planner.checks.base import CheckSeverity, Expectation
from planner.diagnostics import Related, Span
from planner.planfile.reporter import Reporter, first_few

WORK_PER_PLAN = 1_000_000
"""About a second of comparing; later expectations of the plan are not compared."""
_PATTERN_WEIGHT = 20
"""Matching a pattern takes as long as comparing so many phrases."""

Kind = type[Expectation]


@lru_cache(maxsize=1_000)
def _rivals(one: Kind, other: Kind) -> bool:
    return other in [CHECKS[name] for name in one.opposes] or one in [CHECKS[name] for name in other.opposes]


@lru_cache(maxsize=1_000)
def may_contradict(kinds: tuple[Kind, ...]) -> bool:
    """Whether any two of these kinds may contradict each other."""
    return any(_rivals(kind, other) for position, kind in enumerate(kinds) for other in kinds[:position])


class Stated(NamedTuple):
    """An expectation of a case and where it is written. `varies`: it has templates. `size`: its bytes as JSON."""

    expectation: Expectation
    span: Span
    varies: bool
    size: int


class Contradictions:
    """Reports each pair once, however many cases have it; one for all plans loaded together."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._reported: set[tuple[Span, ...]] = set()
        self._left = WORK_PER_PLAN

    def new_plan(self) -> None:
        self._left = WORK_PER_PLAN

    def report(self, stated: Sequence[Stated], which: str) -> None:
        """Compare the expectations of one case; `which` names the case, for expectations with templates."""
        needed = [one for one in stated if one.expectation.min_pass_rate in (None, 1)]
        earlier: defaultdict[Kind, list[Stated]] = defaultdict(list)
        for later in needed:
            kind = type(later.expectation)
            found: list[tuple[Stated, str]] = []
            for first in (first for rival in earlier if _rivals(kind, rival) for first in earlier[rival]):
                self._left -= 2 + _weight(first) * _weight(later) // 600
                if self._left < 0:
                    return
                one, other = first.expectation, later.expectation
                if why := one.contradicts(other) or other.contradicts(one):
                    found.append((first, why))
            earlier[kind].append(later)
            if found:
                self._report(later, found, which)

    def _report(self, later: Stated, found: Sequence[tuple[Stated, str]], which: str) -> None:
        required = [pair for pair in found if not _warns(pair[0]) and not _warns(later)]
        chosen = required or found
        key = (later.span, *(first.span for first, _ in chosen))
        if key in self._reported:
            return
        self._reported.add(key)
        report = self._reporter.error if required else self._reporter.warning
        first, why = chosen[0]
        case = which if any(one.varies for one in (later, *(one for one, _ in chosen))) else ""
        related = first_few([Related(f"`{one.expectation.id}`", one.span) for one, _ in chosen])
        detail = f"this cannot hold together with `{first.expectation.id}`: {why}{case}"
        report("contradiction", detail, later.span, *related)


def _warns(stated: Stated) -> bool:
    return stated.expectation.severity is CheckSeverity.WARNING


def _weight(stated: Stated) -> int:
    """A phrase is compared with each phrase of the other."""
    has_pattern = vars(stated.expectation).get("matches") is not None
    return stated.size * (_PATTERN_WEIGHT if has_pattern else 1)
