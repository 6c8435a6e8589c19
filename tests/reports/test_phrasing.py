"""Strings that all formats share."""

from __future__ import annotations

from typing import Any

import pytest

from planner.reports import case_phrasing, phrasing
from planner.results.judge_documents import JudgeCost
from planner.results.model import JudgedRun, RunResult, WavesDocument
from planner.results.outcomes import Action, CaseOutcome, Cause
from tests.support.samples import changed, one_side
from tests.support.stored_cases import make_case, store_case


def test_unknown_after_all_calls_does_not_suggest_to_resume(canonical: RunResult) -> None:
    """Running the same command again would decide nothing."""
    assert "same command" not in phrasing.meaning(changed(canonical, exit_code=4, finished=True))


def test_calls_in_progress(canonical: RunResult) -> None:
    """A case whose calls have not ended is under way, not “not called”."""
    case = next(case for case in canonical.cases if case.case_id == "orders/status@support")
    launched = changed(case, runs_under_way=1, outcome_reason="")
    texts = [
        (case_phrasing.runs_passed(each), case_phrasing.why(each), case_phrasing.reason(each))
        for each in (launched, changed(launched, runs_under_way=0))
    ]
    assert texts == [("under way", "under way: new", "under way"), ("not called", "not called: new", "not called")]


def test_unknown_parts_of_the_bill(canonical: RunResult) -> None:
    """Unreadable calls are not in progress, and earlier payments are not estimates."""
    cost = {
        "unconfirmed_cents": 96,
        "calls_under_way": 2,
        "unread_calls": 1,
        "unbilled_calls": 0,
        "paid_before_cents": 500,
    }
    texts = phrasing.cost_details(changed(canonical, open_launches=[], cost=canonical.cost.model_copy(update=cost)))
    assert texts[1:3] == [
        "up to $0.96 more for 2 calls in progress and 1 ended call that cannot be read",
        "expected: $5.00 paid before, plus $9.20 for the remaining calls",
    ]


def test_each_changed_case_is_counted_once(canonical: RunResult) -> None:
    """By its change, with the number that fail or are flaky; unknown and quarantined cases are only in the title."""
    case = changed(canonical.cases[1], quarantine=None)
    apart = next(each.quarantine for each in canonical.cases if each.quarantine)
    kinds = (
        ("regressed", "failed", None),
        ("regressed", "flaky", None),
        ("improved", "passed", None),
        ("suspected", "failed", None),
        ("not_comparable", "unknown", None),
        ("not_comparable", "failed", "expectations"),
        ("same", "failed", "prompt"),
        ("same", "flaky", None),
        ("new", "unknown", None),
    )
    cases = [changed(case, compared=compared, outcome=outcome, not_comparable=why) for compared, outcome, why in kinds]
    cases += [changed(case, compared="regressed", outcome=outcome, quarantine=apart) for outcome in ("failed", "flaky")]
    texts = phrasing.changed(changed(canonical, cases=cases))
    assert texts == (
        "2 regressed (1 flaky), 1 improved, 1 failing, 1 not comparable (1 failing),"
        " 2 unchanged (1 flaky, 1 of them failing before), 1 dropped"
    )
    assert "2 quarantined, 2 flaky" in phrasing.title(changed(canonical, cases=cases))


def test_the_title_has_the_price_of_judge_calls(canonical: RunResult) -> None:
    """In the sandbox only the calls are simulated: the judge is real."""
    judge = JudgeCost(model="m", votes=3, calls=3, actual_cents=100, this_session_cents=100, estimated_cents=160)
    free = dict.fromkeys(("actual_cents", "this_session_cents", "unconfirmed_cents", "estimated_cents"), 0)
    costs = changed(canonical.cost, **free, judge=judge)
    result = changed(
        canonical, cases=[], cost=costs, sandbox=True, open_launches=[], stats=changed(canonical.stats, launches=0)
    )
    assert "nothing called, $1.00 for judge calls · sandbox" in phrasing.title(result)
    assert dict(phrasing.facts(result))["Cost"].startswith(
        "nothing called, simulated; plus $1.00 (estimate was $1.60) for 3 judge calls"
    )


@pytest.mark.parametrize(
    ("compared", "outcome", "counts"), [("same", "failed", "regression"), ("regressed", "passed", "failure")]
)
def test_failures_that_do_not_count(canonical: RunResult, compared: str, outcome: str, counts: str) -> None:
    """Green is not explained by pass rates that were met, but by `--fail-on` or quarantine."""
    case = changed(canonical.cases[0], compared=compared, outcome=outcome)
    green = changed(canonical, cases=[case], exit_code=0, suite=None, fail_on=[counts])
    assert phrasing.meaning(green) == f"Only {counts}s count here (--fail-on)."
    apart = changed(case, quarantine=next(each.quarantine for each in canonical.cases if each.quarantine))
    assert "except quarantined ones" in phrasing.meaning(changed(green, cases=[apart]))


def test_a_regression_without_a_failed_case(all_passed: RunResult) -> None:
    cases = [changed(all_passed.cases[0], compared="regressed"), *all_passed.cases[1:]]
    assert phrasing.meaning(changed(all_passed, cases=cases, exit_code=1)).startswith("No case failed, but")


def test_which_cases_met_their_rate(all_passed: RunResult) -> None:
    """No more than this session had."""
    assert "--fail-fast" in phrasing.meaning(changed(all_passed, exit_code=1)), "the case may still pass"
    assert phrasing.meaning(all_passed).startswith("All cases met")
    assert phrasing.meaning(changed(all_passed, partial=True)).startswith("All selected cases met")
    left_out = changed(all_passed, partial=True, left_out=1)
    for cases in (all_passed.cases, []):
        assert "others have no results" in phrasing.meaning(changed(left_out, cases=cases))


def test_failures_are_shown_by_variant(canonical: RunResult) -> None:
    """Of an agent that splits its calls: one of them may be the one that fails. Without a label, by its id."""
    case = next(case for case in canonical.cases if case.outcome == "passed")
    run = case.runs[0]

    def shown(*runs: tuple[int | None, str | None, str | None]) -> str:
        made = [
            changed(run, cause=cause and Cause(cause), agent_variant_id=variant, agent_variant_label=label)
            for variant, label, cause in runs
        ]
        return case_phrasing.by_variant(changed(case, runs=made))

    first, second = (1, "A", None), (2, None, "agent")
    assert shown(first, second, first, (2, None, "platform")) == "passed by variant: 2 0 of 1, A 2 of 2"
    assert shown(first, (2, None, None)) == ""
    assert shown(second, (None, None, None)) == ""


def test_undecided_warnings_and_uncounted_runs(canonical: RunResult) -> None:
    """Undecided warnings are listed after failed ones; runs that do not count are shown."""
    case = next(case for case in canonical.cases if case.outcome == "passed")
    run = case.runs[0]
    found = run.findings[0] if run.findings else canonical.cases[0].runs[0].findings[0]
    warned = [
        changed(run, findings=[changed(found, expectation="calm", severity="warning", outcome=word)])
        for word in ("undecided", "failed", "undecided")
    ]
    silent = changed(run, outcome="undecided", cause="judge")
    shown = changed(case, runs=[*warned, silent], runs_passed=3, runs_total=4, pass_rate=1.0, interval=(0.44, 1.0))
    assert phrasing.warnings(changed(canonical, cases=[shown])) == [
        "`calm` failed in 1 run of 1 case",
        "`calm` could not be decided in 2 runs of 1 case",
    ]
    assert case_phrasing.runs_passed(shown) == "3 of 4, 1 not counted (44–100 %)"


@pytest.mark.parametrize(
    ("spent", "expected", "launches", "text"),
    [
        (0, None, 0, "nothing called"),
        (0, 1420, 0, "nothing called, $14.20 expected"),
        (0, 1420, 1, "$0.00 (estimate was $14.20)"),
        (1502, None, 5, "$15.02, expected cost unknown"),
        (1420, 1420, 5, "$14.20 (as estimated)"),
        (1502, 1420, 5, "$15.02 (estimate was $14.20)"),
    ],
)
def test_cost(all_passed: RunResult, spent: int, expected: int | None, launches: int, text: str) -> None:
    """Spent and expected cost; “nothing called” is not $0.00."""
    cost = changed(all_passed.cost, actual_cents=spent, estimated_cents=expected)
    stats = changed(all_passed.stats, launches=launches)
    assert phrasing.cost(changed(all_passed, cost=cost, stats=stats)) == text


@pytest.mark.parametrize(
    ("bills", "text"),
    [((), "–"), ((None,), "unknown"), ((16, None), "at least $0.16"), ((16, 0), "$0.16")],
    ids=["none", "unknown", "some", "all"],
)
def test_case_cost(canonical: RunResult, bills: tuple[int | None, ...], text: str) -> None:
    """A missing bill makes the sum a lower bound; without any bill it is unknown."""
    run: JudgedRun = canonical.cases[0].runs[0]
    runs = [changed(run, cost_cents=cents) for cents in bills]
    assert case_phrasing.case_cost(changed(canonical.cases[0], runs=runs)) == text


def test_a_passed_run_with_a_failed_expectation() -> None:
    """An expectation with its own rate decides no run, but is named."""
    finding = {"check": "says", "outcome": "failed", "message": "never said it"}
    found = [
        {**finding, "expectation": "polite", "severity": "error"},
        {**finding, "expectation": "brief", "severity": "warning"},
    ]
    run = JudgedRun.model_validate({"run_id": 1, "outcome": "passed", "cause": None, "findings": found})
    assert case_phrasing.run_outcome(run) == "passed, except polite"
    assert list(case_phrasing.run_lines(run, 99))[1] == "  passed, except polite"
    assert case_phrasing.run_outcome(changed(run, findings=run.findings[1:])) == "passed"
    assert case_phrasing.run_outcome(changed(run, outcome="failed", cause="judge")) == "failed, undecided"


def test_how_likely_a_case_changed_is_said_where_sessions_show_it() -> None:
    """Never 100 %. Below the limit of a regression, it may be one."""
    outcome = CaseOutcome.FAILED
    sides: dict[str, Any] = {
        "baseline": one_side(outcome, 20, 20),
        "latest": one_side(outcome, 12, 20),
        "p_value": 0.003,
    }
    case = store_case(make_case(), compared="regressed", probability_regressed=0.9996, **sides)
    assert case_phrasing.compared(case, p_value=True) == "regressed (20/20 → 12/20; 99 % likely)"
    perhaps = store_case(make_case(), compared="suspected", probability_regressed=0.62, **sides)
    assert case_phrasing.compared(perhaps) == "may have regressed (20/20 → 12/20; 62 % likely)"


@pytest.mark.parametrize(
    ("calls", "not_needed", "text"),
    [
        (9, 0, "9 calls instead of 5, to see whether it got worse"),
        (5, 0, ""),
        (2, 3, "2 of 5 calls: the rest went to other cases"),
        (2, 0, ""),  # a ceiling was reached
    ],
)
def test_why_a_case_in_waves_got_other_calls_than_the_plan_asks_for(calls: int, not_needed: int, text: str) -> None:
    waves = WavesDocument(runs=5, first=2, most=26, made=1)
    case = store_case(make_case(), waves=waves, runs_total=calls, runs_required=5, runs_not_needed=not_needed)
    assert case_phrasing.settled(changed(case, action=Action.CALL)) == text
