"""The runs of a case: judged when they end, and again from their evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from planner.calls.slots import Slot
from planner.checks.opinions import Question, Verdict, Vote, Votes
from planner.evidence import Call, Grade
from planner.log import facts as log
from planner.log.facts import Asked, Intent
from planner.log.fold import Launch
from planner.providers.base import Line, RunId
from planner.results.outcomes import Cause, RunOutcome
from planner.verdicts.runs import EndedRun, judge_record, judge_stored, questions
from tests.support.samples import heard, plan_case

SAYS = {"check": "says", "any_of": ["thirty days"]}
POLITE = {"check": "judge", "rubric": "The agent is polite.", "votes": 3}
GRADED = {"check": "grade", "min_score": 0.5}
EVIDENCE = heard(7, "agent: It is thirty days.", "caller: Thanks.", service_estimate_cents=20, cost_basis="transaction")
UNREAD = "GET /v1/calls/9: the service's answer makes no sense"
LINE = Line("agent", 12, "outbound", "bot", None)
AT = datetime(2026, 11, 24, tzinfo=UTC)
ASKED = Asked("f", "p", 1, 16, "p", case="p/s@t")
CALL = log.Call(AT, "a", RunId(7), "f", "1", cents=16, basis="transaction", evidence="d")
LAUNCH = Launch(
    "1", Intent(AT, "a", "1", "d", "i", LINE, (ASKED,), 5.0, "key"), log.Outcome(AT, "1", log.Result.ADOPTED, 70, (7,))
)
SLOT = Slot(LAUNCH, 0, ASKED, 7, case_id="p/s@t")
RECORD = EndedRun(SLOT, resumed=False, unread=UNREAD)


def test_the_verdict_of_a_call_that_cannot_be_read_says_why() -> None:
    """Its run has ended; a run that is still in progress has not."""
    assert UNREAD in judge_record(plan_case(), RECORD).reason
    in_progress = judge_record(plan_case(), replace(RECORD, unread=""))
    assert (in_progress.reason, in_progress.cause) == ("the run did not end in time", Cause.PLATFORM)


def test_a_run_has_the_values_of_its_record_and_its_evidence() -> None:
    call = Call(call_id=9, status="completed", duration_seconds=54, variant_id=3, variant_label="b")
    grade = Grade(status="completed", score=0.75, grader_model="m", grader_version="2")
    graded = EVIDENCE.model_copy(update={"call": call, "grade": grade})
    record = replace(RECORD, evidence=graded, slot=replace(SLOT, call=CALL))
    run = judge_record(plan_case(SAYS), record)
    assert (run.outcome, run.missing, run.votes_missing) == (RunOutcome.PASSED, [], 0)
    assert (run.run_id, run.batch_id, run.evidence, run.session_id, run.adopted) == (7, 70, "d", "i", True)
    assert (run.call_id, run.cost_cents, run.cost_basis, run.service_estimate_cents) == (9, 16, "transaction", 20)
    assert (run.duration_seconds, run.latency_ms, run.judge_model) == (54, None, None)
    assert (run.grade_score, run.grader_model, run.grader_version) == (0.75, "m", "2")
    assert (run.agent_variant_id, run.agent_variant_label) == (3, "b")


def test_an_excluded_run_is_never_judged_again() -> None:
    run = judge_record(plan_case(SAYS), replace(RECORD, evidence=EVIDENCE, slot=replace(SLOT, call=CALL)))
    excluded = run.model_copy(
        update={"outcome": RunOutcome.UNDECIDED, "cause": Cause.PLATFORM, "excluded": "agent_edited"}
    )
    known = {"d": EVIDENCE}.get
    assert judge_stored(plan_case(SAYS), excluded, known) == excluded
    assert judge_stored(plan_case(SAYS), excluded.model_copy(update={"excluded": None}), known).cause is None


@pytest.mark.parametrize(
    ("check", "fields", "missing"),
    [
        (SAYS, {"turns": None, "tools": None}, ["transcript"]),
        (SAYS, {"tools": None}, ["history"]),
        (SAYS, {"call": None, "cost_cents": None}, ["call", "bill"]),
        (SAYS, {"cost_cents": None, "bill_pending": True}, ["bill"]),
        (SAYS, {"grade": None}, []),
        (GRADED, {"grade": None}, ["grade"]),
    ],
)
def test_what_may_still_arrive_is_missing(
    check: dict[str, object], fields: dict[str, object], missing: list[str]
) -> None:
    """The grade only if the case uses it."""
    run = judge_record(plan_case(check), replace(RECORD, evidence=EVIDENCE.model_copy(update=fields)))
    assert run.missing == missing


YES = Vote(Verdict.HOLDS, 1, "It is thirty days.", model="judge-1")


@pytest.mark.parametrize(
    ("votes", "missing"),
    [(Votes((YES,), "late"), 2), (Votes((YES,), "no model", is_final=True), 0), (Votes((YES, YES, YES)), 0)],
)
def test_votes_that_a_later_session_will_ask_for(votes: Votes, missing: int) -> None:
    """None if no model is configured."""
    run = judge_record(plan_case(POLITE), replace(RECORD, evidence=EVIDENCE), lambda _: votes)
    assert (run.votes_missing, run.judge_model) == (missing, "judge-1")


def test_a_model_is_asked_about_calls_that_have_ended() -> None:
    case = plan_case(POLITE)
    assert questions(case, EVIDENCE) == [Question("The agent is polite.", EVIDENCE.turns or (), 3)]
    for call in (None, Call(call_id=9, status="in_progress")):
        assert questions(case, EVIDENCE.model_copy(update={"call": call})) == []
    unfinished = judge_record(case, replace(RECORD, evidence=EVIDENCE.model_copy(update={"call": None})))
    assert (unfinished.outcome, unfinished.cause) == (RunOutcome.UNDECIDED, Cause.JUDGE)


def test_a_stored_run_is_judged_by_todays_expectations() -> None:
    """Without evidence the stored verdict remains."""
    run = judge_record(plan_case(SAYS), replace(RECORD, evidence=EVIDENCE, slot=replace(SLOT, call=CALL)))
    today = plan_case({"check": "says", "any_of": ["forty days"]})
    assert judge_stored(today, run, {"d": EVIDENCE}.get).outcome is RunOutcome.FAILED
    assert judge_stored(today, run, lambda _: None) is run
    without = run.model_copy(update={"evidence": None})
    assert judge_stored(today, without, lambda digest: pytest.fail(f"reads {digest}")) is without
