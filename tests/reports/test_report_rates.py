"""Statistics in reports, and what failed: early stops, p-values, the suite, rates of expectations."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape

import pytest

from planner.reports import case_phrasing, html, markdown, phrasing
from planner.reports.case_phrasing import first_failed
from planner.reports.redaction import redact
from planner.reports.summary import render_text
from planner.results.model import ExpectationRate, JudgedRun, Quote, RunResult, Sample, SuiteDocument
from planner.results.outcomes import CaseOutcome
from tests.support.samples import changed, one_side


@pytest.fixture
def measured(canonical: RunResult) -> RunResult:
    """The canonical result with statistics, and a run that the test bot spoilt."""
    failed = next(case for case in canonical.cases if case.outcome == "failed")
    quote = Quote(turn=4, role="caller", start_ms=12_000, text="I'm an AI. Call @all at 415 555 0142.")
    run = changed(
        failed.runs[0], outcome="undecided", cause="caller", reason="the caller left its role", cause_quote=quote
    )
    stopped = changed(
        failed,
        runs=[run, *failed.runs[1:]],
        runs_not_needed=2,
        p_value=0.0312,
        expectations=[
            ExpectationRate(expectation="states-window", check="says", met=1, decided=3),
            ExpectationRate(expectation="call", check="call", met=3, decided=3),
        ],
    )
    cases = [stopped if case is failed else case for case in canonical.cases]
    return changed(
        canonical,
        cases=cases,
        suite=SuiteDocument(
            cases=12, passed_before=34, runs_before=36, passed_now=21, runs_now=36, p_value=0.0004, compared="worse"
        ),
    )


SUITE = "12 cases compared: 34 of 36 runs passed before, 21 of 36 now: worse (p < 0.001)"


def test_statistics_in_markdown(measured: RunResult) -> None:
    """The suite at the head; early stop, p-value and rates of each case."""
    shown = unescape(markdown.render(redact(measured))).replace("\\", "")
    assert f"- **Suite:** {SUITE}\n" in shown
    assert "regressed (p = 0.031 on its own)" in shown
    assert "settled after 3 of 5 runs, the others were not needed" in shown
    assert "expectations met: states-window 1 of 3, call 3 of 3" in shown
    quoted = next(line for line in shown.splitlines() if "turn 4, caller, 0:12" in line)
    assert quoted.startswith("    > turn 4, caller, 0:12: “I'm an AI. Call ")
    assert "@all" not in quoted
    assert "555" not in quoted


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (CaseOutcome.PASSED, "settled after 3 of 5 runs, the others were not needed"),
        (CaseOutcome.UNKNOWN, "stopped after 3 of 5 runs: the rest could not decide it"),
    ],
)
def test_early_stop(canonical: RunResult, outcome: CaseOutcome, text: str) -> None:
    """Of a case that is still unknown, nothing is settled."""
    case = changed(canonical.cases[0], outcome=outcome, runs_total=3, runs_not_needed=2)
    assert case_phrasing.settled(case) == text


def test_missed_rates_of_expectations_are_beside_the_passed_runs(canonical: RunResult) -> None:
    """All runs passed, but the case fails: `10 of 10` alone would say the opposite."""
    rates = [
        ExpectationRate(expectation=name, check="says", met=met, decided=4, min_pass_rate=0.9)
        for name, met in (("polite", 2), ("brief", 4))
    ]
    case = changed(canonical.cases[0], runs_passed=4, runs_total=4, pass_rate=1.0, expectations=rates, interval=None)
    assert case_phrasing.runs_passed(case) == "4 of 4; polite 2 of 4"


def test_sides_without_countable_runs_have_no_counts(canonical: RunResult) -> None:
    nothing = one_side(CaseOutcome.UNKNOWN, 0, 0)
    assert case_phrasing.compared_counts(changed(canonical.cases[0], baseline=nothing, latest=nothing)) == ""


def test_the_counts_of_both_sides_are_shown(measured: RunResult) -> None:
    """Passed and countable runs before and now, and those of changed expectations with their own rate."""
    (case,) = [each for each in measured.cases if each.compared == "regressed"]
    fell, stayed = (ExpectationRate(expectation=name, check="says", met=9, decided=9) for name in ("fell", "stayed"))
    before = one_side(CaseOutcome.PASSED, 9, 9, own_rates=[fell, stayed])
    fallen = changed(fell, met=2, decided=8)
    latest = one_side(CaseOutcome.FAILED, 3, 8, own_rates=[fallen, stayed])
    assert case_phrasing.compared(case, p_value=True) == "regressed (p = 0.031 on its own)"
    both = changed(case, baseline=before, latest=latest)
    assert case_phrasing.compared(both, p_value=True) == "regressed (9/9 → 3/8, fell 9/9 → 2/8; p = 0.031 on its own)"
    assert case_phrasing.compared(both) == "regressed (9/9 → 3/8, fell 9/9 → 2/8)"
    kept = changed(both, action="reuse", compared="same")
    assert case_phrasing.compared(kept, p_value=True) == "same"
    assert "9/9 → 3/8" in unescape(markdown.render(changed(measured, cases=[both])))
    shown = render_text(changed(measured, cases=[both]), report_paths=[], width=100, color=False)
    assert "9/9 → 3/8" in " ".join(shown.split())
    assert "9/9 → 3/8" in html.render(changed(measured, cases=[both]))


def test_spoilt_runs_are_not_failures(canonical: RunResult) -> None:
    """Failures come first, with the number of runs; spoilt runs are shown by their reason, once."""
    failed = next(case for case in canonical.cases if case.outcome == "failed")
    finding = {"expectation": "a", "check": "says", "severity": "error"}
    undecided = {**finding, "outcome": "undecided", "message": "not judged: the run failed: boom"}
    missed = {**finding, "outcome": "failed", "message": 'never said "alpha"'}
    runs = [
        JudgedRun.model_validate(
            {"run_id": number, "outcome": outcome, "cause": cause, "reason": why, "findings": [found]}
        )
        for number, (outcome, cause, why, found) in enumerate(
            [
                ("undecided", "platform", "the run failed: boom", undecided),
                ("undecided", "caller", "the caller hung up", missed),
                ("failed", "agent", 'a: never said "alpha"', missed),
                ("undecided", "platform", "the run failed: boom", undecided),
                ("failed", "agent", 'a: never said "alpha"', missed),
            ]
        )
    ]
    result = changed(canonical, cases=[changed(failed, runs=runs)])
    shown = render_text(redact(result), report_paths=(), width=200, color=False)
    text = [line.strip() for line in shown.splitlines() if "alpha" in line or "boom" in line or "hung up" in line]
    assert text == [
        'a (says): never said "alpha" (in 2 runs)',
        "caused by the platform: the run failed: boom",
        "caused by the test bot: the caller hung up",
    ]
    page = markdown.render(redact(result))
    assert page.index("caused by the agent") < page.index("caused by the platform")


def test_the_suite_in_the_headline(measured: RunResult) -> None:
    """Shown if only all cases together show a significant change."""
    cases = [changed(case, compared="suspected", outcome="failed") for case in measured.cases[:3]]

    def headline(**suite: object) -> str:
        assert measured.suite is not None
        whole = measured.suite.model_copy(update=suite)
        return phrasing.changed(changed(measured, cases=cases, suite=whole, dropped=[]))

    assert headline(compared="worse") == "3 failing, worse as a whole"
    assert headline(compared="everything_worse") == "3 failing, everything worse"
    assert headline(compared="not_enough_evidence") == "3 failing"
    assert headline(compared="worse", cases=1) == "3 failing"
    cases[0] = changed(cases[0], compared="regressed")
    assert headline(compared="worse") == "1 regressed, 2 failing"
    before = Sample(outcome=CaseOutcome.PASSED, runs_passed=20, runs_countable=20)
    latest = Sample(outcome=CaseOutcome.FAILED, runs_passed=12, runs_countable=20)
    cases[0] = changed(cases[0], baseline=before, latest=latest)
    assert headline(compared="worse").startswith("1 regressed (20/20 → 12/20), 2 failing")


def _section(text: str) -> str:
    return text[text.index("## What failed") : text.index("## Failed (")]


def test_expectations_that_failed_in_several_cases(many: Callable[[int], RunResult]) -> None:
    """One line per expectation, critical first: runs and cases, message, quote and place."""
    result = many(20)
    places = {"states-window": 22, "no-guarantee": 25}
    cases = [changed(case, finding_lines=places) if case.outcome == "failed" else case for case in result.cases]
    quote = cases[0].runs[1].findings[2].quote
    assert quote is not None
    run = cases[0].runs[1]
    plain = changed(run.findings[2], quote=changed(quote, text="I guarantee it."))
    cases[0] = changed(cases[0], runs=[changed(run, findings=[*run.findings[:2], plain]), *cases[0].runs[2:]])
    assert _section(markdown.render(changed(result, cases=cases))) == (
        "## What failed\n\n"
        "- `states-window` (says, critical) failed in 2 of 2 runs of 2 cases:"
        ' the agent never said any of "30 days", "thirty days" · `plans/suite-0.yaml:22`\n'
        "- `no-guarantee` (never\\_says) failed in 4 of 4 runs of 2 cases:"
        " the agent said what it must never say “I guarantee it.” · `plans/suite-0.yaml:25`\n\n"
    )


def test_expectations_of_one_name_in_two_plans_are_two(many: Callable[[int], RunResult]) -> None:
    """Expectations of two plans, or of two lines, are counted separately."""
    result = many(120)
    section = _section(markdown.render(result))
    assert section.count("`no-guarantee` (never\\_says) failed in 12 of 12 runs of 6 cases") == 2


def test_warnings_and_undecided_findings_are_no_failures(canonical: RunResult) -> None:
    """Passed and unknown cases have no failed expectation."""
    warned, unknown = canonical.cases[2].runs[0], canonical.cases[7]
    assert first_failed(changed(canonical.cases[2], runs=[warned])) == ""
    assert first_failed(unknown) == ""


def test_runs_spoilt_by_the_test_bot(many: Callable[[int], RunResult]) -> None:
    """Runs that the test bot spoilt are neither counted nor quoted."""
    result = many(20)
    cases = [
        changed(case, runs=[changed(case.runs[1], outcome="undecided", cause="caller"), *case.runs[2:]])
        if case.outcome == "failed"
        else case
        for case in result.cases
    ]
    section = _section(markdown.render(changed(result, cases=cases)))
    assert "states-window" not in section
    assert "`no-guarantee` (never\\_says) failed in 2 of 2 runs of 2 cases" in section
    assert first_failed(cases[0]).startswith("no-guarantee (never_says): ")
