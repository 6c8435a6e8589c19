"""Decide which stored calls count for a case today, and its outcome by them.

A pool is the calls of a case that count together: same prompt, settings and agent. A new pool begins when the agent
changes, when calls are made after the pool passed, and with `--start-over`. Calls older than `max_age` leave a pool
that has not passed; one that passed expires as a whole. Pools are not stored: they are computed from all calls when
needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from typing import Any, Final

from planner.changes.configuration import Agents
from planner.changes.detail import expected_lines, revision_digest
from planner.changes.fingerprint import call_fingerprint, check_fingerprint
from planner.clock import aware
from planner.planfile.model import Case
from planner.records.facts import CallFact, PlannedCase, StoredCall, Trust, VerdictFact
from planner.results.model import CaseInputs, CaseResult, JudgedRun, StartOverDocument
from planner.results.outcomes import Action, CaseOutcome
from planner.values import frozen
from planner.verdicts.cases import (
    CaseVerdict,
    case_fields,
    judge_case,
)
from planner.verdicts.runs import (
    rests_on_grade,
)

_PASSED: Final = (CaseOutcome.PASSED, CaseOutcome.FLAKY)


@frozen
class Pool:
    """Calls that count together, with their verdicts."""

    calls: tuple[StoredCall, ...]
    runs: tuple[JudgedRun, ...]
    verdict: CaseVerdict
    start_over: StartOverDocument | None = None
    replaced: tuple[StoredCall, ...] = ()
    """Calls that do not count and that later calls replaced."""
    first_round: str = ""
    """The round with which it began."""
    confirmation: tuple[JudgedRun, ...] = ()
    """The calls that were added to be sure that the case regressed."""

    @property
    def ended_at(self) -> tuple[datetime, int]:
        return max(call.order for call in self.calls)

    @property
    def began_at(self) -> tuple[datetime, int]:
        return min(call.order for call in self.calls)

    @property
    def has_passed(self) -> bool:
        return self.verdict.outcome in _PASSED


def same_agent(
    calls: Sequence[StoredCall], case: Case, agents: Agents, last: PlannedCase | None = None
) -> list[StoredCall]:
    """The calls that reached today's agent.

    If that is unknown of the newest call, the calls that reached the same agent as the newest one. None of them count
    if the newest session of the case (`last`) had another call fingerprint and perhaps another agent; a pull request's
    own calls are newer than `last`, and always count.
    """
    known: dict[tuple[object, ...], bool | None] = {}

    def is_same(call: CallFact) -> bool | None:
        key = (call.target_id, call.configuration, call.agent_revision, call.has_agent_file)
        if key not in known:
            known[key] = agents.is_same(inputs_of(call, case, agents), case)
        return known[key]

    if not calls or is_same(calls[-1].call) is not None:
        return [call for call in calls if is_same(call.call)]
    then = last_agent(calls[-1].call)
    if last is not None and calls[-1].is_of_base and last.call_fingerprint != calls[-1].call_fingerprint:
        seen = last.inputs.agent_revision
        if seen is None or then[1] != revision_digest(seen):
            return []
    return [call for call in calls if last_agent(call.call) == then]


def last_agent(call: CallFact | CaseInputs) -> tuple[str | None, str]:
    return call.configuration, revision_digest(call.agent_revision or "")


def inputs_of(call: CallFact, case: Case, agents: Agents) -> CaseInputs:
    """Today's inputs, with the agent that the call reached."""
    return agents.inputs(case).model_copy(
        update={
            "target_id": call.target_id,
            "agent_revision": call.agent_revision,
            "configuration": call.configuration,
            "has_agent_file": call.has_agent_file,
        }
    )


def _is_own(_: CallFact) -> bool:
    return True


def pools_of(
    case: Case,
    calls: Sequence[StoredCall],
    judge: Callable[[StoredCall], JudgedRun],
    now: datetime,
    is_own: Callable[[CallFact], bool] = _is_own,
) -> list[Pool]:
    """The pools of calls that reached one agent, oldest first.

    Args:
        is_own: False for calls that were made for other cases only, which make the same call. They count too, but what
            was called again for these cases does not enter a pool that has passed with all of its calls.
    """
    pools: list[Pool] = []
    for made in rounds_of([call for call in calls if not call.confirms]):
        is_of_others = not any(is_own(each.call) for each in made)
        if is_of_others and pools and pools[-1].has_passed and len(pools[-1].calls) >= case.runs:
            continue
        new = _pool(case, made, tuple(map(judge, made)))
        starts_over = made[0].call.reason == "start_over" and not is_of_others
        begins_by = made[0].call.start_over if starts_over else None
        if not pools or starts_over:
            pools.append(_with(new, begins_by))
            continue
        last = pools[-1]
        if made[0].call.reason == "again" and last.has_passed:
            pools.append(new)
        else:
            pools[-1] = _joined(case, last, new)
    if not pools:
        return []
    last = _young(case, pools[-1], now)
    added = sorted(
        (call for call in calls if call.confirms and call.order >= last.began_at), key=lambda each: each.order
    )
    return [*pools[:-1], replace(last, confirmation=tuple(map(judge, added)))]


def _joined(case: Case, last: Pool, new: Pool) -> Pool:
    """The pool with the calls of another round, which replace those of its calls that do not count."""
    kept = [both for both in zip(last.calls, last.runs, strict=True) if _is_proper(both[1])]
    calls, runs = tuple(call for call, _ in kept), tuple(run for _, run in kept)
    replaced = tuple(call for call in last.calls if call not in calls)
    both = _with(_pool(case, (*calls, *new.calls), (*runs, *new.runs)), last.start_over)
    return replace(both, replaced=(*last.replaced, *replaced), first_round=last.first_round)


def _is_proper(run: JudgedRun) -> bool:
    """True if the run needs no replacement: it counts, or lacks only evidence or a judge's answer."""
    return run.excluded is None and run.had_call


def rounds_of(calls: Sequence[StoredCall]) -> list[tuple[StoredCall, ...]]:
    """The calls of each consent, in the order of their run ids. Consents are in the order in which their first calls
    ended."""
    rounds: dict[str, list[StoredCall]] = {}
    for call in sorted(calls, key=lambda call: call.order):
        rounds.setdefault(call.round, []).append(call)
    return [tuple(sorted(made, key=lambda call: call.call.run_id)) for made in rounds.values()]


def _pool(case: Case, calls: tuple[StoredCall, ...], runs: tuple[JudgedRun, ...]) -> Pool:
    verdict = judge_case(case, runs)
    return Pool(calls, runs, verdict, first_round=calls[0].round)


def _with(pool: Pool, start_over: StartOverDocument | None) -> Pool:
    return replace(pool, start_over=start_over)


def _young(case: Case, pool: Pool, now: datetime) -> Pool:
    """The pool without calls older than `max_age`. Unchanged if it passed, or if all of its calls are older."""
    if case.max_age is None or pool.has_passed:
        return pool
    young = [
        (call, run)
        for call, run in zip(pool.calls, pool.runs, strict=True)
        if call.data.completed_at is not None and now - aware(call.data.completed_at) <= case.max_age
    ]
    if not young or len(young) == len(pool.calls):
        return pool
    calls, runs = zip(*young, strict=True)
    younger = _with(_pool(case, calls, runs), pool.start_over)
    return replace(younger, replaced=pool.replaced, first_round=pool.first_round)


def stored_case(
    case: Case, pool: Pool, agents: Agents, judged: tuple[str, str | None], last: PlannedCase | None = None
) -> CaseResult:
    """A pool of today's calls, as a case of a results document. If its newest verdicts are by other expectations, it
    has their outcome. `judged` are today's check fingerprint and language model. `last` is the case in the newest
    session that made or reused the calls."""
    newest = max(pool.calls, key=lambda call: call.order)
    check, judged_by = judged
    last_check, last_judge = judged
    others = [call.verdicts[-1] for call in pool.calls if _is_by_others(call, check, judged_by)]
    expected = expected_lines(case)
    if others:
        last_check, last_judge, expected = others[-1].check_fingerprint, others[-1].judged_by, others[-1].expected
        pool = _as_found(case, pool, others[-1])
    fields: dict[str, Any] = {
        **_PLAIN,
        **case_fields(case, pool.verdict, pool.runs),
        "case_id": newest.call.case_id,
        "plan": case.plan,
        "scenario": case.scenario,
        "target": case.target.alias,
        "tags": sorted(case.tags),
        "file": case.span.file,
        "line": case.span.line,
        "carried_from": max(call.call.session_id for call in pool.calls),
        "runs_required": min(case.runs, len(pool.runs)) if last is None else last.runs,
        "inconclusive_sessions": _inconclusive_sessions(pool),
        "min_pass_rate": case.min_pass_rate,
        "inputs": agents.completed(inputs_of(newest.call, case, agents), case),
        "call_fingerprint": newest.call_fingerprint,
        "check_fingerprint": last_check,
        "judged_by": last_judge,
        "is_graded": rests_on_grade(case),
        "expected": expected,
        "start_over": pool.start_over,
        "confirmation": list(pool.confirmation),
    }
    return CaseResult.model_construct(**fields)


def _is_by_others(call: StoredCall, check: str, judged_by: str | None) -> bool:
    """True if only other expectations judged the call. Verdicts without any trust are ignored."""
    if call.trust is Trust.NOTHING or not call.verdicts:
        return False
    return not any(fact.is_by(check, judged_by) for fact in call.verdicts)


def _as_found(case: Case, pool: Pool, newest: VerdictFact) -> Pool:
    """The pool with the verdicts of the expectations that gave `newest`, and what today's expectations miss."""
    facts = [_by(call, newest.check_fingerprint) for call in pool.calls]
    runs = tuple(
        run if fact is None else call.run(fact.verdict, fact.judge_model).model_copy(update={"missing": run.missing})
        for call, run, fact in zip(pool.calls, pool.runs, facts, strict=True)
    )
    found = _with(_pool(case, pool.calls, runs), pool.start_over)
    return replace(found, verdict=found.verdict._replace(outcome=newest.outcome))


def _by(call: StoredCall, check: str) -> VerdictFact | None:
    return None if call.trust is Trust.NOTHING else call.verdict(check, None)


_PLAIN: Final = {
    name: field.get_default(call_default_factory=True)
    for name, field in CaseResult.model_fields.items()
    if not field.is_required()
} | {"action": Action.REUSE, "reason": "passed", "compared": "same"}


def _inconclusive_sessions(pool: Pool) -> int:
    """The number of newest sessions in a row whose calls do not count."""
    proper = {call.call.session_id for call, run in zip(pool.calls, pool.runs, strict=True) if _is_proper(run)}
    calls = sorted((*pool.calls, *pool.replaced), key=lambda call: call.order, reverse=True)
    sessions = dict.fromkeys(call.call.session_id for call in calls)
    return sum(1 for _ in takewhile(lambda session: session not in proper, sessions))


def other_case(
    planned: PlannedCase, case: Case | None, runs: Sequence[JudgedRun], prompt: Callable[[str], str]
) -> CaseResult:
    """Calls with another prompt or other settings, as a case of a results document. `case` is None if it was deleted
    from the plans."""
    if case is None:
        verdict = CaseVerdict(CaseOutcome.UNKNOWN, 0, 0, None, None)
        fields: dict[str, Any] = {**verdict._asdict(), "runs": list(runs), "runs_total": len(runs)}
    else:
        fields = case_fields(case, judge_case(case, runs), runs)
    inputs = planned.inputs.model_copy(update={"prompt": prompt(planned.inputs.prompt)})
    shown: dict[str, Any] = {
        **_PLAIN,
        **fields,
        "case_id": planned.case_id,
        "plan": planned.plan,
        "scenario": planned.scenario,
        "target": planned.target,
        "file": planned.file,
        "runs_required": len(runs),
        "inputs": inputs,
        "call_fingerprint": planned.call_fingerprint,
        "check_fingerprint": planned.check_fingerprint,
        "judged_by": planned.judged_by,
        "is_graded": case is not None and rests_on_grade(case),
    }
    return CaseResult.model_construct(**shown)


def unreadable_case(case: Case, inputs: CaseInputs, why: str) -> CaseResult:
    """A case whose earlier calls cannot be read: unknown."""
    shown: dict[str, Any] = {
        **_PLAIN,
        **case_fields(case, CaseVerdict(CaseOutcome.UNKNOWN, 0, 0, None, None, why), ()),
        "case_id": case.case_id,
        "plan": case.plan,
        "scenario": case.scenario,
        "target": case.target.alias,
        "runs_required": case.runs,
        "inputs": inputs,
        "call_fingerprint": call_fingerprint(inputs),
        "check_fingerprint": check_fingerprint(case),
    }
    return CaseResult.model_construct(**shown)
