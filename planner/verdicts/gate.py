"""Decide which results fail: failed cases and regressions.

The required check of a pull request is green only if also nothing is left to call, collect or judge. What already fails
on the base branch does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Literal

from planner.changes.model import Change, Reason
from planner.clock import aware
from planner.quantities import count
from planner.results.model import CaseResult, JudgedRun, SuiteDocument
from planner.results.outcomes import Action, CaseOutcome, CaseState, CheckState, RequiredCheck
from planner.values import frozen
from planner.verdicts.sessions import MIN_SESSIONS


@frozen
class Gate:
    """`suite` compares all cases together; None if no case was compared. `policy` is the project's `policy.gate`, which
    the required check follows."""

    suite: SuiteDocument | None = None
    policy: Literal["regressions", "strict"] | None = None

    @property
    def asks_for_regressions(self) -> bool:
        """Whether a case that misses its requirement as before is not red. By default, if earlier sessions show what is
        usual."""
        has_history = self.suite is not None and self.suite.sessions >= MIN_SESSIONS
        return self.policy == "regressions" or (self.policy is None and has_history)

    @property
    def is_undecided(self) -> bool:
        """Whether everything is worse than usual, because of the agent or of the platform."""
        return self.suite is not None and self.suite.compared == "everything_worse"

    @property
    def is_suite_worse(self) -> bool:
        return self.suite is not None and self.suite.compared == "worse"

    def has_failure(self, cases: Iterable[CaseResult]) -> bool:
        """Whether a case failed, quarantined ones excepted."""
        return any(case.outcome is CaseOutcome.FAILED and case.quarantine is None for case in cases)

    def has_regression(self, cases: Iterable[CaseResult]) -> bool:
        """Whether a case or the whole suite got worse, quarantined cases excepted."""
        return self.is_suite_worse or any(case.compared == "regressed" and case.quarantine is None for case in cases)


DEFAULT_GATE: Final = Gate()


BILL_AWAITED: Final = timedelta(hours=24)
"""A bill that is missing longer than this is named, and no longer blocks."""
_DESCRIPTION_LIMIT: Final = 140
"""GitHub's limit for the description of a commit status."""


_INCOMPLETE: Final = (CaseState.TO_COLLECT, CaseState.TO_JUDGE, CaseState.UNDECIDED)
_RED: Final = (CaseState.REGRESSED, CaseState.FAILED)


@frozen
class CheckedCase:
    """One case of the change set. `judged` is its result by today's expectations; None if it has none.

    `base` is the base branch's case, in a job of a pull request. `in_progress` counts launched runs that no finished
    session has; `calls` are still to be made. Without `excuse_known`, failures of the base branch count too.
    """

    change: Change
    judged: CaseResult | None
    base: CaseResult | None = None
    calls: int = 0
    in_progress: int = 0
    excuse_known: bool = True

    @property
    def is_base_result(self) -> bool:
        """Whether the current result is the base branch's own."""
        return self.base is not None and self.change.prior is self.base

    @property
    def fails_on_base(self) -> bool:
        """Whether the same call already fails on the base branch, and nothing fails now that does not fail there."""
        base = self.base
        if base is None or base.outcome != "failed" or base.call_fingerprint != self.change.call_fingerprint:
            return False
        return self.judged is None or _failing(self.judged) <= _failing(base)

    def _is_as_before(self, case: CaseResult) -> bool:
        """Whether a failed case was compared with earlier calls, and no critical expectation fails that did not fail on
        the base branch."""
        known_failures = set[str]() if self.base is None else _failing(self.base)
        was_compared = case.baseline is not None and case.baseline.is_known and case.not_comparable is None
        return self.excuse_known and was_compared and _failing(case, only_critical=True) <= known_failures

    def case_state(self, gate: Gate, now: datetime) -> CaseState:
        case = self.judged
        if case is not None and case.quarantine is not None:
            return CaseState.QUARANTINED
        if self.change.reason is Reason.LEFT_TO_BASE:
            return CaseState.LEFT_TO_BASE
        if self.calls:
            return CaseState.TO_CALL
        if self.in_progress or case is None:
            return CaseState.TO_COLLECT
        is_known = self.is_base_result or (case.regressed_since is not None and self.fails_on_base)
        if case.compared == "regressed" and not is_known:
            return CaseState.REGRESSED
        if case.outcome == "failed":
            if gate.policy != "strict" and self.excuse_known and self.fails_on_base:
                return CaseState.KNOWN_FAILING
            if gate.asks_for_regressions and self._is_as_before(case):
                return CaseState.BELOW_REQUIREMENT
            return CaseState.FAILED
        if case.outcome == "unknown":
            return _undecided(case)
        if not self.is_base_result and any(is_bill_awaited(run, now) for run in case.runs):
            return CaseState.TO_COLLECT
        return CaseState.GREEN


def with_results(cases: Sequence[CheckedCase], judged: Sequence[CaseResult]) -> list[CheckedCase]:
    """The cases, with these results of some of them."""
    results = {case.case_id: case for case in judged}
    return [replace(case, judged=results.get(case.change.case_id, case.judged)) for case in cases]


def _failing(case: CaseResult, *, only_critical: bool = False) -> set[str]:
    """The ids of expectations that failed in a run that counts."""
    severities = ("critical",) if only_critical else ("critical", "error")
    return {
        finding.expectation
        for run in case.runs
        if run.countable
        for finding in run.findings
        if finding.outcome == "failed" and finding.severity in severities
    }


def _undecided(case: CaseResult) -> CaseState:
    if case.runs_under_way or any(run.missing for run in case.runs):
        return CaseState.TO_COLLECT
    return CaseState.TO_JUDGE if any(run.votes_missing for run in case.runs) else CaseState.UNDECIDED


def lacks_bill(run: JudgedRun) -> bool:
    return run.cost_cents is None and run.call_id is not None


def is_bill_awaited(run: JudgedRun, now: datetime) -> bool:
    """Whether the call ended recently and its bill is missing."""
    return lacks_bill(run) and run.completed_at is not None and now - aware(run.completed_at) < BILL_AWAITED


def must_call(change: Change) -> bool:
    """Whether the case has no result for today's call. Calling a failed case again is optional: its failure counts."""
    if change.action is not Action.CALL:
        return False
    prior = change.prior if change.reason is Reason.FAILED else None
    return prior is None or prior.check_fingerprint != change.check_fingerprint


def decide_check(
    cases: Sequence[CheckedCase], digest: str, gate: Gate, now: datetime, call_undecided: str = ""
) -> RequiredCheck:
    """The required check. `call_undecided` is the command that calls undecided cases again.

    Exit codes: 0 green, 1 failing or regressed, 3 calls to make, 4 incomplete. Where several apply, the first of 3, 1,
    4 wins, as for all commands.
    """
    by_state: dict[CaseState, list[str]] = {}
    for case in cases:
        by_state.setdefault(case.case_state(gate, now), []).append(case.change.case_id)
    calls = sum(case.calls for case in cases)
    unbilled = [
        case.change.case_id
        for case in cases
        if case.judged and any(lacks_bill(run) and not is_bill_awaited(run, now) for run in case.judged.runs)
    ]
    green = set(by_state.get(CaseState.GREEN, ()))
    flaky = [
        case.change.case_id
        for case in cases
        if case.judged and case.judged.outcome is CaseOutcome.FLAKY and case.change.case_id in green
    ]
    if by_state.get(CaseState.TO_CALL):
        code, state = 3, CheckState.PENDING
    elif gate.is_suite_worse or any(map(by_state.get, _RED)):
        code, state = 1, CheckState.FAILURE
    elif gate.is_undecided or any(map(by_state.get, _INCOMPLETE)):
        code, state = 4, CheckState.PENDING
    else:
        code, state = 0, CheckState.SUCCESS
    return RequiredCheck(
        code,
        state,
        _description(by_state, calls, len(flaky), len(unbilled), suite=_suite_words(gate)),
        digest,
        by_state,
        calls,
        sum(case.in_progress for case in cases),
        gate.is_suite_worse,
        call_undecided if by_state.get(CaseState.UNDECIDED) else "",
        flaky,
        unbilled,
        everything_worse=gate.is_undecided,
    )


def _suite_words(gate: Gate) -> list[str]:
    if gate.is_suite_worse:
        return ["the suite regressed"]
    return ["everything is worse than usual (agent or platform)"] if gate.is_undecided else []


def _description(
    cases: Mapping[CaseState, Sequence[str]], calls: int, flaky: int, unbilled: int, *, suite: Sequence[str]
) -> str:
    """`2 calls to make, 1 failed, 20 passed`: what is missing comes first."""
    parts = [f"{count(calls, 'call')} to make"] if cases.get(CaseState.TO_CALL) else []
    parts += suite
    shown = (
        *_RED,
        *_INCOMPLETE,
        CaseState.KNOWN_FAILING,
        CaseState.BELOW_REQUIREMENT,
        CaseState.QUARANTINED,
        CaseState.LEFT_TO_BASE,
    )
    parts += [f"{len(cases[case_state]):,} {case_state.words}" for case_state in shown if cases.get(case_state)]
    passed = len(cases.get(CaseState.GREEN, ())) - flaky
    parts += [f"{flaky:,} flaky"] if flaky else []
    parts += [f"{passed:,} {CaseState.GREEN.words}"] if passed else []
    parts += [f"{unbilled:,} without a bill"] if unbilled else []
    return ", ".join(parts)[:_DESCRIPTION_LIMIT] or "nothing to check"
