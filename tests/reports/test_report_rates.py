"""Statistics in reports, and what failed: early stops, p-values, the suite, rates of expectations."""

from __future__ import annotations

from collections.abc import Callable

from planner.reports import markdown
from planner.reports.redaction import redact
from planner.reports.summary import render_text
from planner.results.model import JudgedRun, RunResult
from tests.support.samples import changed


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
