"""What a case is compared with, and which changes make it incomparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from planner.changes.fingerprint import call_fingerprint, case_inputs, check_fingerprint
from planner.changes.model import Change, Reason
from planner.checks.opinions import no_judge
from planner.evidence import Evidence
from planner.planfile.model import Case
from planner.providers.base import RunId
from planner.results.model import CaseResult, JudgedRun
from planner.results.outcomes import Action, CaseOutcome, Cause, RunOutcome
from planner.verdicts.baseline import (
    Baseline,
    BaselineComparison,
    baseline_of,
    call_change,
    compare_outcomes,
    keeps_comparison,
    open_against,
)
from planner.verdicts.case_documents import MissingRuns, assemble_cases
from planner.verdicts.ending import OpenRuns
from planner.verdicts.runs import EndedRun, judge_record
from tests.support.samples import heard, one_side, plan_case
from tests.verdicts.test_judged_runs import CALL, LAUNCH, SAYS, SLOT
from tests.verdicts.test_result_comparison import case

CASE = plan_case(SAYS, runs=2)
TODAY = date(2026, 11, 25)
INPUTS = case_inputs(CASE, None)
BEFORE = one_side(CaseOutcome.PASSED, 3, 3)
SAID = {"1": heard(1, "agent: It is thirty days.", "caller: Hi."), "2": heard(2, "agent: Forty days.", "caller: Hi.")}


def runs(session: str = "old", *digests: str) -> list[JudgedRun]:
    assert LAUNCH.intent is not None
    launch = replace(LAUNCH, intent=replace(LAUNCH.intent, session_id=session))
    calls = [replace(CALL, run_id=RunId(int(digest)), evidence=digest) for digest in digests]
    slots = [replace(SLOT, launch=launch, run_id=call.run_id, call=call) for call in calls]
    return [judge_record(CASE, EndedRun(slot, False, SAID[slot.evidence or ""])) for slot in slots]


def stored(found: Sequence[JudgedRun], outcome: str = "flaky", **fields: Any) -> CaseResult:
    passed = sum(run.cause is None for run in found)
    written = {"case_id": "p/s@t", "check_fingerprint": check_fingerprint(CASE), "runs": found, "inputs": INPUTS}
    document = case("s", outcome, passed, len(found) - passed, call_fingerprint=call_fingerprint(INPUTS))
    return document.model_copy(update={**written, **fields})


def change(
    prior: CaseResult | None,
    today: Case = CASE,
    action: Action = Action.CALL,
    reason: Reason = Reason.NEW,
    **fields: Any,
) -> Change:
    inputs = case_inputs(today, None)
    written = (inputs, call_fingerprint(inputs), check_fingerprint(today))
    return replace(Change(today.case_id, action, reason, today.runs, "why", today, prior, *written), **fields)


def baseline(found: Change, known: dict[str, Evidence] = SAID) -> Baseline:
    return baseline_of(found, known.get, no_judge)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, None),
        ({"prompt": "Ask twice."}, "prompt"),
        ({"mode": "script"}, "settings"),
        ({"direction": "inbound"}, "settings"),
        ({"target_id": 13}, None),
        ({"target_number": "+14155550142"}, None),
        ({"target_id": 13, "mode": "script"}, "settings"),
        ({"target_id": 13, "prompt": "Ask twice."}, "prompt"),
    ],
)
def test_what_the_author_changed_in_a_call(fields: dict[str, Any], why: str | None) -> None:
    """Two agents that take the same calls may be compared."""
    now = INPUTS.model_copy(update=fields)
    fingerprint = "sha256:other" if fields else call_fingerprint(INPUTS)
    assert call_change(stored(runs()), now, fingerprint) == why


@pytest.mark.parametrize(
    ("before", "now", "why", "found"),
    [
        ("passed", CaseOutcome.PASSED, None, ("same", None)),
        ("passed", CaseOutcome.PASSED, "prompt", ("same", "prompt")),
        ("passed", CaseOutcome.FAILED, None, ("not_comparable", "judging")),
        ("passed", CaseOutcome.FAILED, "prompt", ("not_comparable", "prompt")),
        ("passed", CaseOutcome.UNKNOWN, None, ("not_comparable", None)),
        ("unknown", CaseOutcome.FAILED, None, ("not_comparable", None)),
    ],
)
def test_outcomes_alone_show_no_regression(
    before: str, now: CaseOutcome, why: Any, found: tuple[str, str | None]
) -> None:
    comparison = compare_outcomes(stored([], before), now, why)
    assert (comparison.compared, comparison.not_comparable) == found


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"baseline": BEFORE}, True),
        ({"baseline": None}, False),
        ({"baseline": BEFORE, "not_comparable": "prompt"}, False),
        ({"baseline": BEFORE, "check_fingerprint": "sha256:older"}, False),
    ],
)
def test_a_recheck_by_the_same_expectations_keeps_the_comparison(fields: dict[str, Any], kept: bool) -> None:
    prior = stored(runs(), **fields)
    assert keeps_comparison(change(prior, action=Action.RECHECK), prior) is kept


def test_the_baseline_of_a_called_case() -> None:
    """Its stored runs; none without a stored result, and another one if it is named."""
    assert baseline(change(None)) == Baseline()
    prior = stored(runs("old", "1", "2"))
    keys = frozenset({("old", 1), ("old", 2)})
    assert baseline(change(prior)) == Baseline(one_side(CaseOutcome.FLAKY, 1, 2), None, keys, prior.runs)
    older = stored(runs("older", "1"), "passed")
    assert baseline(change(prior, compared_with=older)).runs == {("older", 1)}
    assert baseline(change(prior, replace(CASE, prompt="Ask twice."))) == Baseline(None, "prompt", keys)


FORTY = {"check": "says", "any_of": ["forty days"]}


def test_earlier_calls_are_judged_by_todays_expectations() -> None:
    """Without the evidence of each, or if that leaves them undecided, the case is not comparable."""
    prior, today = stored(runs("old", "1", "2")), plan_case(FORTY, runs=2)
    found = baseline(change(prior, today))
    assert (found.sample, found.not_comparable) == (one_side(CaseOutcome.FAILED, 1, 2), None)
    assert [run.cause for run in found.judged] == [Cause.AGENT, None]
    assert baseline(change(prior, today), {"1": SAID["1"]}) == Baseline(None, "expectations", found.runs)
    silent = {digest: each.model_copy(update={"turns": None}) for digest, each in SAID.items()}
    assert baseline(change(prior, today), silent) == Baseline(None, "expectations", found.runs)
    platform = JudgedRun(run_id=3, session_id="old", outcome="undecided", cause=Cause.PLATFORM)  # pyright: ignore[reportArgumentType]
    with_platform = prior.model_copy(update={"runs": [*prior.runs, platform]})
    assert baseline(change(with_platform, today)).sample == one_side(CaseOutcome.FAILED, 1, 2)


@pytest.mark.parametrize(
    ("fields", "kept", "is_open"),
    [
        ({}, (1,), True),
        ({}, (), False),
        ({"runs": []}, (), True),
        ({"outcome": CaseOutcome.FAILED}, (1,), False),
        ({"open_against": None}, (1,), False),
    ],
)
def test_the_baseline_of_an_open_case_is_the_one_it_was_opened_against(
    fields: dict[str, Any], kept: tuple[int, ...], is_open: bool
) -> None:
    """Its calls so far and those to come are one sample. If all are made again, those so far are the baseline."""
    prior = stored(runs("old", "1"), "unknown", open_against=BEFORE).model_copy(update=fields)
    more = change(prior, replace(CASE, runs=1), reason=Reason.RUNS_RAISED, kept_run_ids=kept)
    assert (baseline(more).sample == BEFORE) is is_open
    retried = change(prior, reason=Reason.FAILED, kept_run_ids=(1,))
    assert baseline(retried).sample != BEFORE
    assert baseline(replace(more, compared_with=prior)).sample != BEFORE


def test_what_an_open_case_is_compared_with_next_time() -> None:
    prior = stored(runs("old", "1"), "unknown", open_against=BEFORE)
    compared = BaselineComparison("same", None, BEFORE)
    called, rechecked = change(prior), change(prior, action=Action.RECHECK)
    assert open_against(called, CaseOutcome.UNKNOWN, compared) == BEFORE
    assert open_against(called, CaseOutcome.FAILED, compared) is None
    shared = compared._replace(earlier_runs=frozenset({("old", 1)}))
    assert open_against(called, CaseOutcome.UNKNOWN, shared) is None
    nothing = BaselineComparison("same")
    assert open_against(rechecked, CaseOutcome.UNKNOWN, nothing) == BEFORE
    assert open_against(replace(rechecked, check_fingerprint="other"), CaseOutcome.UNKNOWN, nothing) is None


def assembled(found: Change, made: Sequence[JudgedRun] = (), **missing: Any) -> CaseResult:
    (document,) = assemble_cases([found], {"p/s@t": made}, SAID.get, MissingRuns(**missing), today=TODAY)
    return document


@pytest.mark.parametrize(
    ("made", "missing", "outcome"),
    [
        ([None, None], {}, "passed"),
        ([None], {}, "unknown"),
        ([None], {"not_called": "interrupted", "left": {"p/s@t": 1}}, "unknown"),
        ([None], {"open_runs": {"p/s@t": OpenRuns(1)}}, "unknown"),
        ([None, Cause.PLATFORM], {}, "passed"),
        ([None, Cause.PLATFORM], {"left": {"p/s@t": 1}}, "unknown"),
        ([None, Cause.PLATFORM], {"open_runs": {"p/s@t": OpenRuns(not_made=1)}}, "unknown"),
        ([Cause.AGENT], {}, "failed"),
        ([Cause.PLATFORM], {"left": {"p/s@t": 1}}, "unknown"),
    ],
)  # fmt: skip
def test_calls_that_were_not_made_leave_a_case_open(
    made: list[Cause | None], missing: dict[str, Any], outcome: str
) -> None:
    """Of two wanted calls, both of which must pass; a failed call of the platform may be retried."""
    made_runs = [run for number, cause in enumerate(made) for run in counted(cause, 1, 201 + number, "new")]
    assert assembled(change(None), made_runs, **missing).outcome == outcome


def counted(cause: Cause | None, number: int, first: int, session: str) -> list[JudgedRun]:
    """Billed runs without evidence."""
    return [
        JudgedRun(
            run_id=first + each, outcome=RunOutcome.FAILED if cause else RunOutcome.PASSED, cause=cause, cost_cents=16,
            session_id=session,
        )
        for each in range(number)
    ]  # fmt: skip


def test_runs_in_addition_to_earlier_ones_are_pooled() -> None:
    """However much the new ones differ."""
    earlier = counted(Cause.AGENT, 6, 101, "old")
    prior = stored(earlier, "failed")
    fields: dict[str, Any] = {"kept_run_ids": tuple(run.run_id for run in earlier), "runs": 6}
    new = counted(None, 6, 201, "new")
    today = plan_case(runs=6, min_pass_rate=0.8)
    for reason in (Reason.RUNS_RAISED, Reason.FAILED):
        found = assembled(change(prior, today, reason=reason, **fields), new)
        assert (found.runs_total, found.outcome) == (12, CaseOutcome.FAILED)
