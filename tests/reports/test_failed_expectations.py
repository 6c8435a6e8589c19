"""Failed expectations, summarised over all cases."""

from __future__ import annotations

from collections.abc import Callable

from planner.reports import markdown
from planner.reports.case_phrasing import compared, first_failed
from planner.reports.html import render
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


def test_one_failed_case_has_no_summary(canonical: RunResult) -> None:
    """The section of a single failed case is enough."""
    assert "What failed" not in markdown.render(canonical)
    assert "What failed" not in render(canonical)


def test_expectations_of_one_name_in_two_plans_are_two(many: Callable[[int], RunResult]) -> None:
    """Expectations of two plans, or of two lines, are counted separately."""
    result = many(120)
    section = _section(markdown.render(result))
    assert section.count("`no-guarantee` (never\\_says) failed in 12 of 12 runs of 6 cases") == 2


def test_more_than_six_failures_are_counted(many: Callable[[int], RunResult]) -> None:
    """The most severe are shown, the others counted."""
    assert "\n- 4 more expectations\n" in _section(markdown.render(many(300)))


def test_a_row_of_the_page(many: Callable[[int], RunResult], canonical: RunResult) -> None:
    """The list shows the first failed expectation and the comparison of each case."""
    page = render(many(20))
    found = (
        "states-window (says, critical): the agent never said any of &#34;30 days&#34;, &#34;thirty days&#34;"
        " (and 1 more)"
    )
    assert page.count(f'<span class="because">{found}</span>') == 2
    assert "<li><code>states-window</code> (says, critical) failed in 2 of 2 runs of 2 cases: " in page
    assert page.count(" · <code>plans/suite-0.yaml:12</code>") == 2
    assert page.index("What failed") < page.index('<dl class="facts">')
    quarantined = canonical.cases[-1]
    assert first_failed(quarantined) == "parking (says): the agent never said it"
    assert '<span class="outcome">quarantined, not enough evidence</span>' in render(canonical)
    assert '<span class="outcome">passed</span>' in render(canonical)


def test_warnings_and_undecided_findings_are_no_failures(canonical: RunResult) -> None:
    """Passed and unknown cases have no failed expectation."""
    warned, unknown = canonical.cases[2].runs[0], canonical.cases[7]
    assert first_failed(canonical.cases[2].model_copy(update={"runs": [warned]})) == ""
    assert first_failed(unknown) == ""


def test_the_page_shows_p_values_and_costs(canonical: RunResult) -> None:
    """A case has its p-value; the head has the costs."""
    sure = canonical.cases[0].model_copy(update={"p_value": 0.004})
    page = render(canonical.model_copy(update={"cases": [sure, *canonical.cases[1:]]}))
    assert "regressed (p = 0.004 on its own)" in page
    assert "<dt>Cost</dt><dd>at least $15.02 of $14.20 expected; $14.70 of it in this session" in page


def test_an_uncalled_case_is_not_compared(canonical: RunResult) -> None:
    """A case that was not called is not compared."""
    not_called = canonical.cases[8].model_copy(update={"compared": "not_enough_evidence"})
    assert compared(not_called) == "not compared"
    assert compared(not_called.model_copy(update={"not_comparable": "prompt"})) == "not comparable: prompt changed"
    assert compared(canonical.cases[9]) == "not enough evidence"


def test_commands_in_a_sentence_are_code_on_the_page(canonical: RunResult) -> None:
    """Text in backticks is code; hostile text is escaped."""
    page = render(canonical.model_copy(update={"problems": ["see `planner plan`: <b>", "one ` alone"]}))
    assert "<li>see <code>planner plan</code>: &lt;b&gt;</li>" in page
    assert "<li>one ` alone</li>" in page


def test_runs_spoilt_by_the_test_bot(many: Callable[[int], RunResult]) -> None:
    """Runs that the test bot spoilt are neither counted nor quoted."""
    result = many(20)
    cases = [
        case.model_copy(
            update={
                "runs": [
                    case.runs[1].model_copy(update={"outcome": "errored", "fault": "caller"}),
                    *case.runs[2:],
                ]
            }
        )
        if case.outcome == "failed"
        else case
        for case in result.cases
    ]
    section = _section(markdown.render(result.model_copy(update={"cases": cases})))
    assert "states-window" not in section
    assert "`no-guarantee` (never\\_says) failed in 2 of 2 runs of 2 cases" in section
    assert first_failed(cases[0]).startswith("no-guarantee (never_says): ")
