"""What new runs are compared with: earlier runs, a baseline that was left open, and quarantined cases apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from planner.changes.model import ChangeSet
from planner.checks.opinions import no_judge
from planner.planfile.model import Quarantine
from planner.results.model import CaseResult, JudgedRun
from planner.results.outcomes import CaseOutcome, Cause, RunOutcome
from planner.verdicts.case_documents import MissingRuns, assemble_cases
from planner.verdicts.comparison import suite_of
from planner.verdicts.early_stopping import EarlyStopping
from tests.support.samples import changed, one_side
from tests.support.stored_cases import Says, build, make_case, make_runs, store_case


def judged(run: JudgedRun) -> JudgedRun:
    return changed(run, findings=[])


def assembled(changes: ChangeSet, made: list[JudgedRun]) -> CaseResult:
    (change,) = changes.changes
    (case,) = assemble_cases(
        [change],
        {change.case_id: [judged(run) for run in made]},
        lambda _: None,
        MissingRuns(),
        today=date(2026, 11, 25),
    )
    return case


def test_new_calls_are_compared_with_the_stored_ones() -> None:
    """8 of 8 before and 3 of 8 now: regressed, and the suite counts each call once."""
    case = make_case(runs=16, min_runs=8, min_pass_rate=0.8)
    changes = build([case], [store_case(make_case(runs=8, min_runs=4, min_pass_rate=0.8))])
    found = assembled(changes, make_runs(*[None] * 3, *["agent"] * 5, first=201, session_id="new"))
    assert (found.runs_total, found.runs_passed, found.outcome, found.compared) == (16, 11, "failed", "regressed")
    assert found.p_value == pytest.approx(0.012820512820)
    assert found.baseline is not None
    assert found.latest is not None
    assert (found.baseline.runs_passed, found.baseline.runs_countable) == (8, 8)
    assert (found.latest.runs_passed, found.latest.runs_countable) == (3, 8)
    assert sum(run.pooled for run in found.runs) == 8
    suite = suite_of([found])
    assert suite is not None
    assert (suite.passed_before, suite.runs_before, suite.passed_now, suite.runs_now) == (8, 8, 3, 8)


def test_stored_calls_alone_are_nothing_new() -> None:
    """If none of the additional calls could be made, they may still change the outcome, but nothing got worse."""
    stored = store_case(make_case(runs=4, min_runs=2))
    found = assembled(build([make_case(runs=8, min_runs=4)], [stored]), [])
    assert (found.runs_total, found.outcome, found.compared, found.baseline) == (
        4,
        "unknown",
        "not_enough_evidence",
        None,
    )
    assert suite_of([found]) is None


def test_repeating_all_calls_is_reported_as_before() -> None:
    """Without kept calls the new calls are the whole sample."""
    changes = build([make_case()], [store_case(make_case())], rerun="all")
    found = assembled(changes, make_runs("agent", "agent", "agent", first=201, session_id="new"))
    assert found.latest is not None
    assert (found.compared, found.latest.runs_countable) == ("regressed", found.runs_total)


def test_calls_are_not_stopped_because_of_earlier_results() -> None:
    """8 of 8 before, and the first three new calls fail: the case has failed regardless of the other two, but may
    have regressed. 8 of 8 against 0 of 5 would show that; against 8 of 13 it would not."""
    case = make_case(runs=13, min_runs=7, min_pass_rate=0.8, when_settled="stop")
    stored = store_case(make_case(runs=8, min_runs=4, min_pass_rate=0.8))
    settling = EarlyStopping(build([case], [stored]).changes, lambda _: None, no_judge)
    for run in make_runs("agent", "agent", "agent", first=201, session_id="new"):
        settling.note(case.case_id, judged(run))
    assert settling.pace(case.case_id, 2, 0) == 2


def test_a_case_left_open_is_compared_as_one_sample() -> None:
    """19 of 20, then 14 of 19 and open; with 60 more runs it fails. Neither step alone is significant, both together
    are."""
    case = make_case(runs=80, min_runs=40, min_pass_rate=0.8, confidence=0.9)
    before = one_side(CaseOutcome.FLAKY, 19, 20)
    left_open = make_runs(*[None] * 14, *["agent"] * 5, session_id="last")
    stored = store_case(replace(case, runs=20, min_runs=10), outcome="unknown", runs=left_open, open_against=before)
    made = make_runs(*[None] * 37, *["agent"] * 24, first=201, session_id="new")
    found = assembled(build([case], [stored]), made)
    assert (found.runs_total, found.outcome, found.compared) == (80, "failed", "regressed")
    assert found.latest is not None
    assert (found.baseline, found.latest.runs_countable) == (before, 80)
    apart = changed(stored, open_against=None)
    assert assembled(build([case], [apart]), made).compared == "not_enough_evidence"


def test_an_unknown_case_is_compared_with_the_last_known_result() -> None:
    """After a night of platform failures, the baseline is unchanged."""
    before = one_side(CaseOutcome.PASSED, 3, 3)
    nothing = make_runs("platform", "platform", "platform", session_id="last")
    stored = store_case(make_case(), outcome="unknown", runs=nothing, open_against=before)
    found = assembled(build([make_case()], [stored]), make_runs("agent", "agent", "agent", first=201, session_id="new"))
    assert (found.compared, found.baseline) == ("regressed", before)


def test_known_calls_that_are_made_again_are_the_baseline() -> None:
    """The runs of an open case are the baseline once all of its calls are made again."""
    before = one_side(CaseOutcome.PASSED, 3, 3)
    left_open = make_runs(None, None, "agent", session_id="last")
    stored = store_case(make_case(), outcome="unknown", runs=left_open, open_against=before)
    changes = build([make_case()], [stored], rerun="all")
    found = assembled(changes, make_runs("agent", "agent", "agent", first=201, session_id="new"))
    assert found.baseline is not None
    assert (found.baseline.runs_passed, found.baseline.runs_countable) == (2, 3)


def test_an_open_comparison_survives_runs_without_calls() -> None:
    """A case left open keeps its baseline through a recheck, but not if expectations change."""
    case = make_case(runs=20, min_runs=10, min_pass_rate=0.8, confidence=0.9)
    good = store_case(case, outcome=CaseOutcome.FLAKY, runs=make_runs(*[None] * 19, "agent", session_id="first"))
    made = make_runs(*[None] * 15, *["agent"] * 5, first=201, session_id="last")
    left_open = assembled(build([case], [good], rerun="all"), made)
    assert (left_open.outcome, left_open.compared, left_open.open_against) == (
        "unknown",
        "not_enough_evidence",
        left_open.baseline,
    )
    judged_again = assembled(build([case], [left_open]), [])
    assert (judged_again.action, judged_again.baseline, judged_again.open_against) == (
        "recheck",
        left_open.baseline,
        left_open.baseline,
    )
    more = make_runs(*[None] * 36, *["agent"] * 24, first=301, session_id="new")
    raised = replace(case, runs=80, min_runs=40)
    found = assembled(build([raised], [judged_again]), more)
    assert (found.runs_total, found.outcome, found.compared, found.open_against) == (80, "failed", "regressed", None)
    other = replace(case, expectations=(Says(id="says", any_of=("60 days",)),))
    assert assembled(build([other], [left_open]), []).open_against is None


def failing(run: JudgedRun) -> JudgedRun:
    return changed(run, outcome=RunOutcome.FAILED, cause=Cause.AGENT, findings=[])


@pytest.mark.parametrize(
    ("today", "found"),
    [(date(2026, 11, 30), ["regressed", "improved"]), (date(2026, 12, 1), ["not_enough_evidence", "same"])],
)
def test_a_quarantine_is_valid_until_its_last_day(today: date, found: list[str]) -> None:
    """One case falls from 3 of 3 to 0 of 3, which is significant for one alone, and a quarantined one rises. After its
    last day, the quarantined case counts again."""
    cases = [make_case("one"), make_case("apart", quarantine=Quarantine(date(2026, 11, 30), "ticket VOX-41"))]
    failed = [failing(run) for run in make_runs("agent", "agent", "agent", first=101)]
    stored = [
        store_case(cases[0], runs=make_runs(None, None, None)),
        store_case(cases[1], runs=failed, outcome="failed"),
    ]
    changes = build(cases, stored, rerun="all").changes
    first, second = (change.case_id for change in changes)
    made = {
        first: [failing(run) for run in make_runs("agent", "agent", "agent", first=201, session_id="new")],
        second: make_runs(None, None, None, first=301, session_id="new"),
    }
    assembled = assemble_cases(changes, made, lambda _: None, MissingRuns(), today=today)
    assert [case.compared for case in assembled] == found
