"""What was called again until it was good enough is a baseline by all of its tries, not by the one that was lucky."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from planner.changes.model import ChangeSet
from planner.outcome import CaseOutcome, Fault, OwnRate, RunOutcome, RunVerdict, Sample, joined_tries
from planner.reports.case_phrasing import compared_in_full
from planner.results.model import CaseDocument, RunDocument
from planner.spec.model import Case
from planner.verdicts.assembling import Unmade, assemble_cases
from planner.verdicts.judged_runs import JudgedRun


@pytest.fixture
def night(build: Callable[..., ChangeSet], make_runs: Callable[..., list[RunDocument]]) -> Callable[..., CaseDocument]:
    """What is stored of a case after a run in which so many calls pass and so many fail; keywords as for `build`."""
    nights = iter(range(1, 100))

    def run(case: Case, stored: CaseDocument | None, passed: int, failed: int, **known: Any) -> CaseDocument:
        number = next(nights)
        (change,) = build([case], [] if stored is None else [stored], **known).changes
        runs = make_runs(*[None] * passed, *["agent"] * failed, first=100 * number, invocation_id=f"night-{number}")
        made = [
            JudgedRun(RunVerdict(RunOutcome[each.outcome.upper()], each.fault and Fault(each.fault), ()), each)
            for each in runs
        ]
        (found,) = assemble_cases([change], {case.case_id: made}, lambda _: None, Unmade(), today=date(2026, 11, 25))
        return found

    return run


@pytest.fixture
def ten(make_case: Callable[..., Case]) -> Case:
    return make_case(runs=10, min_runs=5, min_pass_rate=0.8)


def counts(case: CaseDocument) -> tuple[int, int, int] | None:
    tried = case.earlier_tries
    return tried and (tried.runs_passed, tried.runs_countable, tried.runs_again)


def test_tries_are_the_baseline_together(night: Callable[..., CaseDocument], ten: Case) -> None:
    """6 and 7 of 10 were not enough, 9 were: what comes next is compared with 22 of 30, and is no regression. By the last try alone it
    would be one. How many calls were made again is told."""
    first = night(ten, None, 6, 4)
    second = night(ten, first, 7, 3)
    third = night(ten, second, 9, 1)
    assert [counts(each) for each in (first, second, third)] == [None, (6, 10, 0), (13, 20, 10)]
    assert [each.before and each.before.runs_countable for each in (first, second, third)] == [None, 10, 10]
    later = night(ten, third, 4, 6, rerun="all")
    assert (later.outcome, later.compared) == ("failed", "not_enough_evidence")
    assert later.before is not None
    assert (later.before.outcome, later.before.runs_passed, later.before.runs_countable) == ("flaky", 22, 30)
    assert compared_in_full(later) == ("not enough evidence (22/30 → 4/10; p = 0.096 on its own)")
    alone = night(ten, third.model_copy(update={"earlier_tries": None}), 4, 6, rerun="all")
    assert (alone.compared, counts(alone), counts(later)) == ("regressed", None, None)


def test_a_mend_that_nobody_told_of_begins_anew(night: Callable[..., CaseDocument], ten: Case) -> None:
    """Where a try is told apart from those before it, they were of another agent: fixed, or beyond chance with several tries."""
    broken = night(ten, None, 1, 9)
    mended = night(ten, broken, 10, 0)
    assert (mended.compared, counts(mended)) == ("fixed", None)
    assert night(ten, mended, 4, 6, rerun="all").compared == "regressed"
    lucky = Sample(CaseOutcome.PASSED, 3, 3)
    three = Sample(CaseOutcome.FAILED, 0, 3)
    assert joined_tries(None, three, lucky, "not_enough_evidence") == three
    assert joined_tries(None, three, lucky, "fixed") is None
    assert joined_tries(three.after(three), three, lucky, "not_enough_evidence") is None


def test_only_tries_in_a_row_of_the_same_calls_count(
    night: Callable[..., CaseDocument], ten: Case, says: type[Any], make_runs: Callable[..., list[RunDocument]]
) -> None:
    """Not those of another prompt, of an agent that was edited, of other expectations, nor from before it was good enough; what is
    kept, judged again or called beside kept calls is still the same try."""
    failed = night(ten, None, 6, 4)
    assert counts(night(replace(ten, prompt="Hello."), failed, 9, 1)) is None
    other = replace(ten, expectations=(says(id="says", any_of=("60 days",)),))
    assert (
        counts(night(other, failed.model_copy(update={"runs": make_runs(*["agent"] * 9, evidence=None)}), 9, 1)) is None
    )
    revised = failed.model_copy(update={"inputs": failed.inputs.model_copy(update={"agent_revision": "2026-11-01 a"})})
    edited = night(ten, revised, 9, 1, revisions={("agent", 12): "2026-11-24 b"})
    assert (edited.reason, counts(edited)) == ("agent_edited", None)

    good = night(ten, failed, 9, 1)
    assert counts(good) == (6, 10, 0)
    kept = night(ten, good, 0, 0)
    assert (kept.action, counts(kept)) == ("keep", (6, 10, 0))
    more = night(replace(ten, runs=12, min_runs=6), kept, 2, 0)
    assert (more.runs_total, counts(more)) == (12, (6, 10, 0))
    assert more.before is not None
    assert (more.before.runs_passed, more.before.runs_countable) == (15, 20)
    assert counts(night(ten, good, 9, 1, rerun="all")) is None
    expected_otherwise = night(other, good.model_copy(update={"check_fingerprint": "sha256:other"}), 0, 0)
    assert (expected_otherwise.action, counts(expected_otherwise)) == ("recheck", None)


def test_a_case_left_open_and_called_anew_was_tried_too(night: Callable[..., CaseDocument], ten: Case) -> None:
    """`--rerun failed` of a case that its calls could not decide; a night on which nothing counted is no try."""
    sure = replace(ten, runs=20, min_runs=10, confidence=0.9)
    left_open = night(sure, None, 16, 4)
    assert left_open.outcome == "unknown"
    good = night(sure, left_open, 20, 0, rerun="failed")
    assert (good.outcome, counts(good)) == ("passed", (16, 20, 0))


def test_all_that_a_case_rests_on_is_summed() -> None:
    """Also how often an expectation with a rate of its own held, calls that were not needed, and calls in which all held."""
    earlier = Sample(CaseOutcome.FAILED, 6, 10, 2, (OwnRate("polite", 3, 9), OwnRate("gone", 1, 1)))
    last = Sample(CaseOutcome.FLAKY, 9, 10, 0, (OwnRate("polite", 8, 10), OwnRate("new", 5, 5)), 7)
    assert last.after(earlier) == Sample(
        CaseOutcome.FLAKY, 15, 20, 2, (OwnRate("polite", 11, 19), OwnRate("new", 5, 5)), 13, 10
    )
    assert earlier.after(earlier).runs_clean is None
