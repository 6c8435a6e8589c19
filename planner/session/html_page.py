"""Additional data of `report.html`: conversations, and earlier pass rates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from planner.changes.timeline import timeline
from planner.errors import StoreError, UsageError
from planner.evidence import Evidence
from planner.reports.redaction import Pattern, redact_evidence
from planner.results.model import RunResult
from planner.results.repository import ResultsRepository

_SHOWN_INVOCATIONS: Final = 12


def page(
    result: RunResult, shown: RunResult, repository: ResultsRepository, patterns: Sequence[Pattern]
) -> Iterator[str]:
    """The page in pieces. `shown` is the redacted `result`. Unreadable stored data does not fail the page."""
    from planner.reports.html import pieces  # imported late: needs a template engine

    names = {case.case_id: redacted.case_id for case, redacted in zip(result.cases, shown.cases, strict=True)}
    rates = _pass_rates(result, repository)
    trends = {names[case_id]: before for case_id, before in rates.items() if case_id in names}
    return pieces(shown, _conversations(repository, patterns), trends)


def _conversations(repository: ResultsRepository, patterns: Sequence[Pattern]) -> Callable[[str], Evidence | None]:
    def of(digest: str) -> Evidence | None:
        try:
            found = repository.load_evidence(digest)
        except (StoreError, UsageError):
            return None
        return None if found is None else redact_evidence(found, patterns)

    return of


def _pass_rates(result: RunResult, repository: ResultsRepository) -> Mapping[str, Sequence[float]]:
    """Pass rates by case in the newest sessions up to this one, oldest first."""

    def alike() -> Iterator[RunResult]:
        for outline in repository.invocations():
            place = (outline.sandbox, outline.environment)
            if place == (result.sandbox, result.environment) and outline.started_at <= result.started_at:
                yield outline

    try:
        cases = timeline(islice(alike(), _SHOWN_INVOCATIONS)).cases
    except (StoreError, UsageError):
        return {}
    rates = {case.case_id: [point.figures.pass_rate for point in case.points] for case in cases}
    return {case_id: [rate for rate in known if rate is not None] for case_id, known in rates.items()}
