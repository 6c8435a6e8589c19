"""Texts about the cost of a session that all formats share."""

from __future__ import annotations

from planner.quantities import count, money
from planner.results.model import JudgeCost, RunResult


def cost(result: RunResult) -> str:
    """`$0.96 of $1.09 expected`; a lower bound if a bill is unknown."""
    if result.under_way:
        return "unknown until it ends"
    spent, expected = result.cost.actual_cents, result.cost.estimated_cents
    is_partial = bool(_unbilled_runs(result) or result.cost.ambiguous_cents)
    if not (spent or is_partial or result.stats.launches):
        return f"nothing called, {money(expected)} expected" if expected else "nothing called"
    bill = f"{'at least ' if is_partial else ''}{money(spent)}"
    return f"{bill}, expected cost unknown" if expected is None else f"{bill} of {money(expected)} expected"


def _judge_calls(judge: JudgeCost) -> str:
    """`plus $0.03 for 12 judge calls (gpt-4o-mini), $0.04 expected; 4 more reused, not charged again`."""
    spent = judge.this_invocation_cents
    if not judge.votes and not judge.actual_cents and not judge.ambiguous_cents:
        return f"{count(judge.stored_votes, 'judge call')} ({judge.model}) reused, not charged again"
    calls = f"{count(judge.votes, 'judge call')} ({judge.model})"
    if not judge.estimated_cents and not judge.actual_cents:
        parts = [f"{calls}, free"]
    else:
        expected = "" if judge.estimated_cents is None else f", {money(judge.estimated_cents)} expected"
        parts = [f"plus {money(spent)} for {calls}{expected}"]
    if judge.actual_cents != spent:
        parts.append(f"{money(judge.actual_cents)} with earlier sessions of this change set")
    if judge.ambiguous_cents:
        parts.append(f"up to {money(judge.ambiguous_cents)} more for requests without an answer")
    if judge.stored_votes:
        parts.append(f"{judge.stored_votes:,} more reused, not charged again")
    return "; ".join(parts)


def cost_details(result: RunResult) -> list[str]:
    """The parts of the bill: this session, unknown bills, the ceiling, reused runs."""
    costs = result.cost
    lines: list[str] = []
    if costs.this_invocation_cents != costs.actual_cents:
        lines.append(
            f"{money(costs.this_invocation_cents)} of it in this session, the rest in earlier sessions of this change set"
        )
    paid = sum(run.cost_cents or 0 for case in result.cases for run in case.own_runs)
    if paid > costs.actual_cents:
        lines.append(f"{money(paid - costs.actual_cents)} more was paid by earlier sessions, for runs reused here")
    if (unbilled := _unbilled_runs(result) - costs.unbilled_calls - costs.calls_under_way - costs.unread_calls) > 0:
        lines.append(f"{count(unbilled, 'run')} without a known bill not included")
    if costs.ambiguous_cents:
        lines.append(f"up to {money(costs.ambiguous_cents)} more{_still_unknown(result)}")
    if costs.paid_before_cents and costs.estimated_cents is not None:
        rest = money(costs.estimated_cents - costs.paid_before_cents)
        lines.append(f"expected: {money(costs.paid_before_cents)} paid before, plus {rest} for the remaining calls")
    if (judge := costs.judge) is not None:
        lines.append(_judge_calls(judge))
    if costs.ceiling_cents is not None:
        lines.append(f"the ceiling is {money(costs.ceiling_cents)}")
    if costs.carried_cents:
        lines.append(f"reused runs cost {money(costs.carried_cents)} in earlier sessions and were not charged again")
    carried = [run for case in result.cases for run in case.carried_runs]
    if late := sum(run.cost_cents is None and "bill" in run.missing for run in carried):
        most = f": up to {money(costs.carried_ambiguous_cents)}" if costs.carried_ambiguous_cents else ""
        lines.append(f"the bill of {count(late, 'earlier run')} is still unknown{most}")
    return lines


def _still_unknown(result: RunResult) -> str:
    """` for 1 unconfirmed launch, 13 calls in progress and 2 unknown bills`."""
    numbers = (
        (len(result.open_launches), "unconfirmed launch", "unconfirmed launches"),
        (result.cost.calls_under_way, "call in progress", "calls in progress"),
        (result.cost.unread_calls, "ended call that cannot be read", "ended calls that cannot be read"),
        (result.cost.unbilled_calls, "unknown bill", "unknown bills"),
    )
    parts = [count(number, one, many) for number, one, many in numbers if number]
    return f" for {' and '.join(filter(None, [', '.join(parts[:-1]), *parts[-1:]]))}" if parts else ""


def _unbilled_runs(result: RunResult) -> int:
    """Runs of this change set without a known bill."""
    return sum(run.cost_cents is None for case in result.cases for run in case.own_runs)
