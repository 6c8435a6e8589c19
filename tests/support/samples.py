"""Short forms of what is compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from planner.results.model import Document, ExpectationRate, Sample
from planner.results.outcomes import CaseOutcome

_Document = TypeVar("_Document", bound=Document)


def changed(document: _Document, **fields: Any) -> _Document:
    return document.model_copy(update=fields)


def own_rate(expectation: str, held: int, decided: int, check: str = "") -> ExpectationRate:
    return ExpectationRate(expectation=expectation, check=check, held=held, decided=decided)


def one_side(
    outcome: CaseOutcome,
    passed: int,
    countable: int,
    not_made: int = 0,
    own_rates: Sequence[ExpectationRate] = (),
    clean: int | None = None,
) -> Sample:
    return Sample(
        outcome=outcome,
        runs_passed=passed,
        runs_countable=countable,
        runs_not_made=not_made,
        own_rates=tuple(own_rates),
        runs_clean=clean,
    )
