"""Stored outcomes count only where their evidence supports them: anybody who can write to a store can write `passed` into it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from planner.changes.fingerprint import check_fingerprint
from planner.checks.opinions import no_judge
from planner.evidence import Evidence
from planner.results.model import CaseResult, JudgedRun
from planner.results.outcomes import CaseOutcome, Cause, RunOutcome
from planner.verdicts.runs import judge_record
from planner.verdicts.untrusted_cases import UntrustedCases, could_pass, still_settled
from tests.support.samples import heard, plan_case
from tests.verdicts.test_judged_runs import RECORD, SAYS, SLOT
from tests.verdicts.test_result_comparison import case

CASE = plan_case(SAYS, runs=3)
GOOD, BAD = (f"agent: It is {days} days." for days in ("thirty", "forty"))


def evidence(*lines: str) -> dict[str, Evidence]:
    """By digest: one run for each line of the agent, numbered from 1."""
    return {str(number): heard(number, line, "caller: Thanks.") for number, line in enumerate(lines, start=1)}


def runs_of(found: dict[str, Evidence]) -> list[JudgedRun]:
    records = [
        replace(RECORD, evidence=each, slot=replace(SLOT, run_id=each.run_id, evidence=digest))
        for digest, each in found.items()
    ]
    return [judge_record(CASE, each) for each in records]


def stored(runs: list[JudgedRun], outcome: str = "passed", **fields: Any) -> CaseResult:
    passed = sum(run.cause is None for run in runs)
    written = {"runs_required": 3, "check_fingerprint": check_fingerprint(CASE), "runs": runs, **fields}
    document = case("x", outcome, passed, len(runs) - passed)
    return document.model_copy(update={"case_id": "p/s@t", **written})


def judged(document: CaseResult, known: dict[str, Evidence]) -> CaseResult:
    settled = still_settled(known.get, no_judge)
    (found,) = UntrustedCases({"p/s@t": CASE}, known.get, no_judge, settled).judged([document])
    return found


def test_an_outcome_that_its_evidence_supports_is_kept() -> None:
    known = evidence(GOOD, GOOD, GOOD)
    document = stored(runs_of(known))
    assert judged(document, known) == document
    other = document.model_copy(update={"case_id": "p/gone@t", "outcome": CaseOutcome.FAILED})
    assert judged(other, {}) is other, "no plan has this case"


def test_a_forged_pass_is_judged_again() -> None:
    """By what was said."""
    known = evidence(GOOD, BAD, BAD)
    forged = [
        run.model_copy(update={"outcome": RunOutcome.PASSED, "cause": None, "findings": []}) for run in runs_of(known)
    ]
    found = judged(stored(forged, more_runs=5), known)
    assert (found.outcome, found.runs_passed, found.more_runs) == (CaseOutcome.FAILED, 1, 5)
    assert [run.outcome for run in found.runs] == ["passed", "failed", "failed"]


@pytest.mark.parametrize("how", ["no digest", "not stored", "of another run"])
def test_a_run_without_its_own_evidence_is_undecided(how: str) -> None:
    """And its evidence is read again, free."""
    known = evidence(GOOD, GOOD, GOOD)
    runs = runs_of(known)
    if how == "no digest":
        runs[0] = runs[0].model_copy(update={"evidence": None})
    elif how == "not stored":
        del known["1"]
    else:
        known["1"] = known["2"]
    found = judged(stored(runs), known)
    assert (found.outcome, found.runs_passed) == (CaseOutcome.PASSED, 2)
    (first, *others) = found.runs
    assert (first.outcome, first.cause, first.missing) == (
        RunOutcome.UNDECIDED,
        Cause.JUDGE,
        ["call", "transcript", "history"],
    )
    assert (first.evidence, first.findings, first.cause_quote) == (None, [], None)
    assert "its evidence is not stored" in first.reason
    assert others == runs[1:]


def test_a_failure_of_the_platform_needs_no_evidence() -> None:
    """It does not count."""
    platform = JudgedRun(run_id=3, outcome=RunOutcome.UNDECIDED, cause=Cause.PLATFORM)
    known = evidence(GOOD, GOOD)
    document = stored([*runs_of(known), platform])
    assert judged(document, known).runs[2] == platform


def test_changed_expectations_are_left_to_the_recheck() -> None:
    """Only runs without evidence are corrected."""
    known = evidence(BAD, BAD, BAD)
    document = stored(runs_of(evidence(GOOD, GOOD, GOOD)), check_fingerprint="sha256:older")
    assert judged(document, known) is document
    assert judged(document.model_copy(update={"check_fingerprint": check_fingerprint(CASE)}), known).outcome == "failed"
    del known["1"]
    assert judged(document, known).outcome == "failed"


@pytest.mark.parametrize(
    ("said", "required", "skipped", "found"),
    [
        ((BAD,), 3, 2, (2, 3)),
        ((GOOD,), 3, 2, (0, 1)),
        ((GOOD, GOOD), 3, 1, (0, 2)),
        ((BAD, GOOD), 3, 1, (1, 3)),
        ((BAD,), 3, 1, (0, 1)),
        ((GOOD, GOOD, GOOD), 3, 0, (0, 3)),
        ((GOOD, GOOD), 3, 0, (0, 2)),
        ((GOOD, GOOD, GOOD), 2, 0, (0, 2)),
    ],
)  # fmt: skip
def test_runs_are_skipped_only_if_they_could_change_nothing(
    said: tuple[str, ...], required: int, skipped: int, found: tuple[int, int]
) -> None:
    """Runs not needed, and required: the others are missing, and will be called."""
    known = evidence(*said)
    outcome = "failed" if BAD in said else "passed"
    document = judged(stored(runs_of(known), outcome, runs_required=required, runs_not_needed=skipped), known)
    assert (document.runs_not_needed, document.runs_required) == found


def test_whether_the_plans_have_the_stored_cases() -> None:
    """With the same expectations."""
    cases = UntrustedCases({"p/s@t": CASE}, lambda _: None, no_judge, lambda *_: False)
    document = stored([])
    assert cases.knows([document])
    assert cases.knows([])
    assert not cases.knows([document, document.model_copy(update={"check_fingerprint": "x"})])
    assert not cases.knows([document.model_copy(update={"case_id": "p/gone@t"})])
    (found,) = cases.by_id({"a": document}).items()
    assert (found[0], found[1].outcome, found[1].runs_required) == ("a", CaseOutcome.UNKNOWN, 0), "no run, no pass"


@pytest.mark.parametrize(
    ("said", "passing", "possible"),
    [((BAD,), 9, False), ((GOOD,), 0, True), ((), 1, True), ((), 0, True)],
)
def test_whether_new_calls_could_pass(said: tuple[str, ...], passing: int, possible: bool) -> None:
    known = evidence(*said)
    forged = [run.model_copy(update={"outcome": RunOutcome.PASSED, "cause": None}) for run in runs_of(known)]
    assert could_pass(known.get, no_judge)(CASE, forged, passing) is possible


@pytest.mark.parametrize(
    ("said", "settled"),
    [((GOOD, GOOD), False), ((GOOD, GOOD, GOOD), True), ((BAD,), True), ((BAD, GOOD), True), ((), False)],
)
def test_whether_a_case_is_still_settled(said: tuple[str, ...], settled: bool) -> None:
    known = evidence(*said)
    assert still_settled(known.get, no_judge)(CASE, stored(runs_of(known))) is settled


def test_an_open_run_settles_nothing() -> None:
    """Its evidence may still arrive."""
    known = evidence(BAD)
    open_ = {"1": known["1"].model_copy(update={"turns": None, "tools": None})}
    assert not still_settled(open_.get, no_judge)(CASE, stored(runs_of(known)))
