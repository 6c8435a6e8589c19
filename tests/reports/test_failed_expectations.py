"""What failed, told once for all cases in which it did: what a reviewer reads first."""

from __future__ import annotations

from collections.abc import Callable

from planner.reports import markdown
from planner.reports.case_phrasing import compared, first_failed
from planner.reports.html import render
from planner.results.model import RunResult


def _section(text: str) -> str:
    return text[text.index("## What failed") : text.index("## Failed (")]


def test_many_cases_are_told_by_what_failed(many: Callable[[int], RunResult]) -> None:
    """A line an expectation, the critical one first: in how many runs and cases, what was found, where it is written, and a quote."""
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


def test_one_case_tells_it_itself(canonical: RunResult) -> None:
    """Where a single case failed, its own section is the first already."""
    assert "What failed" not in markdown.render(canonical)
    assert "What failed" not in render(canonical)


def test_expectations_of_one_name_in_two_plans_are_two(many: Callable[[int], RunResult]) -> None:
    """Two plans, or two lines of one, are two expectations: their counts are not added up."""
    result = many(120)
    section = _section(markdown.render(result))
    assert section.count("`no-guarantee` (never\\_says) failed in 12 of 12 runs of 6 cases") == 2


def test_what_is_beyond_six_is_counted(many: Callable[[int], RunResult]) -> None:
    """A reader is shown the gravest few, and told that there are more."""
    assert "\n- 4 more expectations\n" in _section(markdown.render(many(300)))


def test_a_row_of_the_page_says_what_failed(many: Callable[[int], RunResult], canonical: RunResult) -> None:
    """In the list, unopened: what was found, the comparison of what failed, and the first such case a click away."""
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


def test_warnings_and_what_is_undecided_are_no_failures(canonical: RunResult) -> None:
    """A case that holds, or of which nothing is known, has failed nothing."""
    warned, unknown = canonical.cases[2].runs[0], canonical.cases[7]
    assert first_failed(canonical.cases[2].model_copy(update={"runs": [warned]})) == ""
    assert first_failed(unknown) == ""


def test_the_page_shows_p_values_and_costs(canonical: RunResult) -> None:
    """A case has its p-value; the head has the costs."""
    sure = canonical.cases[0].model_copy(update={"p_value": 0.004})
    page = render(canonical.model_copy(update={"cases": [sure, *canonical.cases[1:]]}))
    assert "regressed (p = 0.004 on its own)" in page
    assert "<dt>Cost</dt><dd>at least $15.02 of $14.20 expected; $14.70 of it in this session" in page


def test_what_was_not_called_is_not_compared(canonical: RunResult) -> None:
    """Evidence is not what a case lacks that nobody called: it is not compared."""
    not_called = canonical.cases[8].model_copy(update={"compared": "not_enough_evidence"})
    assert compared(not_called) == "not compared"
    assert compared(not_called.model_copy(update={"not_comparable": "prompt"})) == "not comparable: prompt changed"
    assert compared(canonical.cases[9]) == "not enough evidence"


def test_commands_in_a_sentence_are_code_on_the_page(canonical: RunResult) -> None:
    """Backticks are for programs: the page shows what stands between them as code, and hostile words as words."""
    page = render(canonical.model_copy(update={"problems": ["see `planner plan`: <b>", "one ` alone"]}))
    assert "<li>see <code>planner plan</code>: &lt;b&gt;</li>" in page
    assert "<li>one ` alone</li>" in page


def test_calls_that_say_nothing_of_the_agent_are_not_counted(many: Callable[[int], RunResult]) -> None:
    """Where the test bot left its role, what did not hold is not the agent's: neither counted nor quoted."""
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
