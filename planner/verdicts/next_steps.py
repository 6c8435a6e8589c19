"""Suggest what decides unknown cases once every call was made."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from planner.reports.quantities import count, money
from planner.results.model import CaseDocument

_NAMED: Final = 3


def steps_to_decide(
    cases: Sequence[CaseDocument],
    unknown: Sequence[CaseDocument],
    out_of_reach: AbstractSet[str],
    *,
    again: str,
    free: str,
) -> list[str]:
    """`again` is the command that also makes calls, `free` the same command without consent."""
    incomplete = [case for case in unknown if any(run.missing or run.votes_missing for run in case.runs)]
    inconclusive = [case for case in unknown if any(run.fault in ("platform", "caller") for run in case.runs)]
    failed = [case for case in cases if case.outcome == "failed" and case.case_id not in out_of_reach]
    called = [count(len(inconclusive), "inconclusive case")] if inconclusive else []
    called += [count(len(failed), "failed case")] if failed else []
    charged = f"calls {' and '.join(called)} again (charged)"
    steps: list[str] = []
    if incomplete:
        also = f", and {charged}" if called else ""
        steps.append(f"The next session reads the missing evidence, free{also}: {again if called else free}")
    elif inconclusive:
        steps.append(f"The next session {charged}: {again}")
    open_cases = [case for case in unknown if case.more_runs]
    steps += [_raise_runs(case) for case in open_cases[:_NAMED]]
    if len(open_cases) > _NAMED:
        left = len(open_cases) - _NAMED
        steps.append(f"{count(left, 'more case')} also need{'s' if left == 1 else ''} more `runs`.")
    if out_of_reach:
        steps.append(
            f"{count(len(out_of_reach), 'failed case')} will not be called again until something changes: even if all new calls"
            " passed, the required rate could not be reached. Raise `runs`, or discard the earlier calls after a fix that planner"
            f" cannot see: {again} --fresh REASON"
        )
    return steps


def _raise_runs(case: CaseDocument) -> str:
    more = case.more_runs or 0
    price = "" if case.more_runs_cents is None else f", about {money(case.more_runs_cents)}"
    return (
        f"To decide {case.case_id}, raise its `runs` from {case.runs_required} to about {case.runs_required + more}{price}. The"
        " calls made so far count."
    )
