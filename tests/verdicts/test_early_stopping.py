"""How many calls of a case are made at once, and when the others are no longer needed."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planner.changes.fingerprint import check_fingerprint
from planner.changes.model import Change, Reason
from planner.checks.opinions import no_judge
from planner.execution.engine import Job
from planner.execution.wanted import WantedRuns
from planner.planfile.model import Case
from planner.providers.base import Line
from planner.results.model import JudgedRun
from planner.results.outcomes import Action, Cause, RunOutcome
from planner.verdicts.cases import judge_case
from planner.verdicts.early_stopping import EarlyStopping, is_open
from tests.support.samples import plan_case
from tests.verdicts.test_baseline import change, stored

HALF = plan_case(runs=6, min_pass_rate=0.5, when_settled="stop")


def run(number: int, said: str, session: str = "new") -> JudgedRun:
    """`1` passed, `0` failed, `?` is open."""
    outcome, cause = (RunOutcome.FAILED, Cause.AGENT) if said == "0" else (RunOutcome.PASSED, None)
    evidence = None if said == "?" else "d"
    return JudgedRun(run_id=number, outcome=outcome, cause=cause, evidence=evidence, session_id=session)


def pace(found: Change, said: str, to_come: int, retries: int = 0) -> int:
    stopping = EarlyStopping([found], lambda _: None, no_judge)
    stopping.note("p/other@t", run(1, "0"))  # a case that is never stopped
    for number, each in enumerate(said, start=1):
        stopping.note(found.case_id, run(number, each))
    return stopping.pace(found.case_id, to_come, retries)


@pytest.mark.parametrize(
    ("said", "to_come", "retries", "at_once"),
    [
        ("", 6, 0, 4),  # four failures settle it
        ("1", 5, 0, 3),
        ("10", 4, 0, 2),  # two more that pass settle it: flaky
        ("111", 3, 0, 1),
        ("1111", 2, 0, 2),  # passed, or flaky
        ("100", 3, 0, 3),  # to save one call is not worth waiting for
        ("0000", 2, 0, 0),
        ("0000", 2, 12, 0),  # a retry replaces a run that does not count
        ("?", 5, 0, 5),  # an open run is not waited for
        ("0?", 4, 0, 4),
        ("1000?", 1, 0, 1),  # it could still pass
        ("0000?", 1, 0, 0),
    ],
)
def test_calls_at_once(said: str, to_come: int, retries: int, at_once: int) -> None:
    assert pace(change(None, HALF), said, to_come, retries) == at_once


def kept(case: Case, reason: Reason, said: str) -> Change:
    """A case with these earlier runs, numbered from 101."""
    runs = [run(number, each, "old") for number, each in enumerate(said, start=101)]
    return change(stored(runs, "failed"), case, reason=reason, kept_run_ids=tuple(each.run_id for each in runs), runs=6)


def test_the_runs_of_a_retry_count_alone_and_with_the_earlier_ones() -> None:
    """Both must be settled; runs in addition to earlier ones count together only."""
    assert pace(kept(HALF, Reason.RUNS_RAISED, "000"), "0", 2) == 0
    assert pace(kept(HALF, Reason.FAILED, "000"), "0", 2) == 2
    assert pace(kept(HALF, Reason.FAILED, "000"), "0000", 2) == 0


@pytest.mark.parametrize("retries", [0, 6])
def test_a_change_is_worth_all_calls(retries: int) -> None:
    """The case has failed after four of six, and may have regressed, whether or not the platform's failures are retried."""

    def after(outcome: str, said: str) -> Change:
        runs = [run(number, said, "old") for number in range(101, 107)]
        prior = stored(runs, outcome, check_fingerprint=check_fingerprint(HALF))
        return change(prior, HALF, reason=Reason.AGENT_EDITED)

    assert pace(after("passed", "1"), "0000", 2, retries) == 2
    assert pace(after("failed", "0"), "0000", 2, retries) == 0


def test_retries_may_change_an_outcome_where_failures_of_the_platform_count() -> None:
    """Three of four passed, and two more calls are due: flaky, unless the platform fails them and their retries."""
    counted = plan_case(runs=6, min_pass_rate=0.5, when_settled="stop", platform_failures="fail")
    assert pace(change(None, counted), "1110", 2, retries=0) == 0
    assert pace(change(None, counted), "1110", 2, retries=1) == 1
    assert pace(change(None, counted), "1110", 2, retries=6) == 2


RESULTS = {
    "passed": (RunOutcome.PASSED, None),
    "failed": (RunOutcome.FAILED, Cause.AGENT),
    "platform": (RunOutcome.UNDECIDED, Cause.PLATFORM),
    "judge": (RunOutcome.UNDECIDED, Cause.JUDGE),
}


def made(case: Case, results: list[str], *, may_stop: bool) -> list[JudgedRun]:
    """The runs that are made, as the engine counts them; they end in the order of their launches."""
    stopping = EarlyStopping([change(None, case)], lambda _: None, no_judge)
    job = Job(
        case.case_id, "p", cast(Line, None), "", "", None, case.runs, 900, False, 16, None, case.retries, may_stop
    )  # fmt: skip
    wanted = WantedRuns({case.case_id: job})
    wanted.resume([])
    for question in wanted.first_questions():
        wanted.set_pace(case.case_id, stopping.pace(*question))
    runs: list[JudgedRun] = []
    launched = 0
    while len(wanted.pending) or len(runs) < launched:
        while len(wanted.pending):
            wanted.launched(case.case_id, ("1", launched))
            launched += 1
        outcome, cause = RESULTS[results[len(runs)]]
        ended = JudgedRun(run_id=len(runs), outcome=outcome, cause=cause, evidence="d", session_id="new")
        stopping.note(case.case_id, ended)
        question = wanted.question_after(case.case_id, platform_failed=cause is Cause.PLATFORM)
        at_once = stopping.pace(*question) if question else None
        wanted.judged(case.case_id, platform_failed=cause is Cause.PLATFORM, at_once=at_once)
        runs.append(ended)
    return runs


@given(
    runs=st.integers(1, 8),
    min_runs=st.integers(1, 8),
    rate=st.sampled_from([0.4, 0.5, 0.6, 0.8, 0.9]),
    platform_failures=st.sampled_from(["ignore", "fail"]),
    retries=st.integers(0, 2),
    results=st.lists(st.sampled_from(list(RESULTS)), min_size=24, max_size=24),
)
@example(3, 3, 0.5, "fail", 2, ["judge", "failed", "platform", "failed", *["passed"] * 20])
def test_stopping_early_never_changes_an_outcome(
    runs: int, min_runs: int, rate: float, platform_failures: Any, retries: int, results: list[str]
) -> None:
    """Regardless of which runs the platform fails, and how often they are retried.

    Before: with `retries` and `platform_failures: fail`, a case was left unknown whose other calls would have decided it.
    """
    case = plan_case(
        runs=runs, min_runs=min(runs, min_runs), min_pass_rate=rate, platform_failures=platform_failures,
        retries=retries, when_settled="stop",
    )  # fmt: skip
    stopped, complete = (made(case, results, may_stop=may_stop) for may_stop in (True, False))
    assert judge_case(case, stopped).outcome is judge_case(case, complete).outcome
    assert stopped == complete[: len(stopped)]


def test_only_called_cases_that_may_stop_are_paced() -> None:
    for found in (change(None, plan_case(runs=6)), change(None, HALF, action=Action.REUSE)):
        with pytest.raises(KeyError):
            pace(found, "", 6)


def test_a_run_is_open_until_its_evidence_is_complete() -> None:
    """A bill is not needed."""
    done = run(1, "1")
    assert not is_open(done)
    assert not is_open(done.model_copy(update={"missing": ["bill"]}))
    for fields in ({"missing": ["bill", "grade"]}, {"votes_missing": 1}, {"evidence": None}):
        assert is_open(done.model_copy(update=fields))
