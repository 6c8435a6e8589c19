"""Failed expectations, summarised over all cases."""

from __future__ import annotations

from collections.abc import Callable

from planner.reports import markdown
from planner.reports.case_phrasing import first_failed
from planner.results.model import RunResult


def _section(text: str) -> str:
    return text[text.index("## What failed") : text.index("## Failed (")]


def test_expectations_that_failed_in_several_cases(many: Callable[[int], RunResult]) -> None:
    """One line per expectation, critical first: runs and cases, message, quote and place."""
    result = many(20)
    places = {"states-window": 22, "no-guarantee": 25}
    cases = [
        case.model_copy(update={"finding_lines": places}) if case.outcome == "failed" else case for case in result.cases
    ]
    quote = cases[0].runs[1].findings[2].quote
    assert quote is not None
    run = cases[0].runs[1]
    plain = run.findings[2].model_copy(update={"quote": quote.model_copy(update={"text": "I guarantee it."})})
    cases[0] = cases[0].model_copy(
        update={"runs": [run.model_copy(update={"findings": [*run.findings[:2], plain]}), *cases[0].runs[2:]]}
    )
    assert _section(markdown.render(result.model_copy(update={"cases": cases}))) == (
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
    assert first_failed(canonical.cases[2].model_copy(update={"runs": [warned]})) == ""
    assert first_failed(unknown) == ""


def test_runs_spoilt_by_the_test_bot(many: Callable[[int], RunResult]) -> None:
    """Runs that the test bot spoilt are neither counted nor quoted."""
    result = many(20)
    cases = [
        case.model_copy(
            update={"runs": [case.runs[1].model_copy(update={"outcome": "errored", "fault": "caller"}), *case.runs[2:]]}
        )
        if case.outcome == "failed"
        else case
        for case in result.cases
    ]
    section = _section(markdown.render(result.model_copy(update={"cases": cases})))
    assert "states-window" not in section
    assert "`no-guarantee` (never\\_says) failed in 2 of 2 runs of 2 cases" in section
    assert first_failed(cases[0]).startswith("no-guarantee (never_says): ")
