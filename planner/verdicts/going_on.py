"""How to go on once every call asked for was made, and some cases are unknown all the same."""

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
    """What would decide those that are `unknown`, and what it costs: `again` is the command that also makes calls, `free` the same
    without consent. Nothing is said of a case that no run like this one can decide."""
    untold = [case for case in unknown if any(run.missing or run.votes_missing for run in case.runs)]
    spoilt = [case for case in unknown if any(run.fault in ("platform", "caller") for run in case.runs)]
    failed = [case for case in cases if case.outcome == "failed" and case.case_id not in out_of_reach]
    steps: list[str] = []
    called = [f"{count(len(spoilt), 'case')} whose calls say nothing of the agent"] if spoilt else []
    called += [f"{count(len(failed), 'failed case')}"] if failed else []
    price = f"for money it calls {' and '.join(called)} again"
    if untold:
        also = f"; {price}" if called else ""
        steps.append(
            f"What was not told yet is asked for by the next run, which calls nobody for it{also}: {again if called else free}"
        )
    elif spoilt:
        steps.append(f"The next run can decide {count(len(spoilt), 'case')}; {price}: {again}")
    open_ones = [case for case in unknown if case.more_runs]
    steps += [_raise_runs(case) for case in open_ones[:_NAMED]]
    if len(open_ones) > _NAMED:
        steps.append(f"So with {count(len(open_ones) - _NAMED, 'more case')}: each says how many runs more it takes.")
    if out_of_reach:
        steps.append(
            f"{count(len(out_of_reach), 'failed case')} will not be called again as long as nothing changes: passing calls could not bring"
            " the earlier ones to the required rate. Raise `runs`, or, after a fix that planner cannot see, set the earlier calls aside:"
            f" {again} --fresh REASON"
        )
    return steps


def _raise_runs(case: CaseDocument) -> str:
    more = case.more_runs or 0
    price = "" if case.more_runs_cents is None else f", about {money(case.more_runs_cents)}"
    return (
        f"To decide {case.case_id}, raise its `runs` from {case.runs_required} to about {case.runs_required + more}{price}: the calls"
        " made so far stand."
    )
