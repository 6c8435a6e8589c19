"""Several conditions in one check: one that fails decides, then one that cannot be told."""

from __future__ import annotations

from collections.abc import Sequence

from planner.checks.base import FindingOutcome, Judgement

_DECISIVE = (FindingOutcome.FAILED, FindingOutcome.ERRORED, FindingOutcome.PASSED)


def all_hold(conditions: Sequence[Judgement]) -> Judgement:
    """Failed when any failed, else errored when any errored, else passed; tells of those that decided. At least one."""
    outcome = next(kind for kind in _DECISIVE if any(condition.outcome is kind for condition in conditions))
    decided = [condition for condition in conditions if condition.outcome is outcome]
    quotes = [condition.quote for condition in decided if condition.quote is not None]
    return Judgement(outcome, "; ".join(condition.message for condition in decided), quotes[0] if quotes else None)
