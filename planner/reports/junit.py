"""`junit.xml`: one test suite per plan, one test case per case.

Failed cases are failures, unknown cases errors; dropped cases, and quarantined cases that did not pass, are skipped. Flaky cases pass
with `flakyFailure`, as in Surefire. The first suite, `planner`, is the session itself: it reports refusals and interruptions.
"""

from __future__ import annotations

from io import BytesIO
from typing import assert_never

from junitparser import (
    Attr,
    Element,
    Error,
    Failure,
    IntAttr,
    JUnitXml,
    Properties,
    Property,
    Skipped,
    TestCase,
    TestSuite,
)
from junitparser.junitparser import FinalResult
from junitparser.xunit2 import FlakyFailure

from planner.reports import case_phrasing, phrasing, verdict_phrasing
from planner.reports.failed_expectations import first_failed
from planner.reports.neutral import for_terminal, for_xml
from planner.reports.quantities import money
from planner.reports.sandbox_note import sandbox_note
from planner.results.model import CaseDocument, DroppedCase, OpenLaunch, RunDocument, RunResult

_QUOTED_CHARACTERS = 2000


class _Case(TestCase):
    """With `file` and `line` of the scenario, as pytest writes them and GitLab shows them."""

    file = Attr()
    line = IntAttr()


def render(result: RunResult) -> str:
    """The report in the xunit2 flavour of JUnit XML, indented."""
    by_plan: dict[str, list[TestCase]] = {plan: [] for plan in result.plans}
    for case in result.cases:
        by_plan.setdefault(case.plan, []).append(_case(case))
    for dropped in result.dropped:
        by_plan.setdefault(dropped.case_id.partition("/")[0], []).append(_dropped(dropped))
    document = JUnitXml("planner (sandbox)" if result.sandbox else "planner")
    document.add_testsuite(_invocation(result))
    for plan, cases in by_plan.items():
        document.add_testsuite(_suite(plan, result, cases))
    document.update_statistics()
    written = BytesIO()
    document.write(written, pretty=True)  # pyright: ignore[reportUnknownMemberType] -- its IO has no type argument
    return written.getvalue().decode()


def _suite(name: str, result: RunResult, cases: list[TestCase]) -> TestSuite:
    suite = TestSuite(_attribute(name))
    suite.timestamp = result.started_at.isoformat()
    suite.add_testcases(cases)
    return suite


def _invocation(result: RunResult) -> TestSuite:
    case = TestCase("invocation", "planner", result.stats.wall_seconds)
    if result.exit_code not in (0, 1):  # for 1, the failed cases are red
        error = Error(verdict_phrasing.meaning(result), result.outcome)
        error.text = _block([for_terminal(line) for line in (*result.problems, *result.next_steps)])
        case.result = error
    case.system_out = _block(_summary(result))
    suite = _suite("planner", result, [case])
    for name, value in _facts(result).items():
        suite.add_property(name, _attribute(value))
    return suite


def _summary(result: RunResult) -> list[str]:
    return [
        f"{verdict_phrasing.verdict(result)}: {phrasing.headline(result)}",
        *filter(None, [sandbox_note(result)]),
        f"{verdict_phrasing.meaning(result)} (exit code {result.exit_code})",
        " · ".join(filter(None, [phrasing.outcome_counts(result), phrasing.scope(result, for_terminal)])),
        *map(for_terminal, result.problems),
        *(f"warning: {for_terminal(line)}" for line in result.warnings),
        *(f"warning: {line}" for line in phrasing.warnings(result, for_terminal)),
        *map(_launch, result.open_launches),
        *(f"next: {for_terminal(line)}" for line in result.next_steps),
        *(f"cost: {line}" for line in [phrasing.cost(result), *phrasing.cost_details(result)]),
        f"consent: {phrasing.consent(result, for_terminal)}",
        phrasing.numbers(result),
        *filter(None, [phrasing.not_a_baseline(result)]),
    ]


def _launch(launch: OpenLaunch) -> str:
    cases = ", ".join(map(for_terminal, launch.cases))
    facts = phrasing.launch_facts(launch, for_terminal)
    return f"unconfirmed launch {for_terminal(launch.launch_id)}: {facts}: {cases}; {for_terminal(launch.detail)}"


def _facts(result: RunResult) -> dict[str, str]:
    return {
        "outcome": result.outcome,
        "exit_code": str(result.exit_code),
        "invocation_id": result.invocation_id,
        "change_set_digest": result.change_set_digest,
        "environment": result.environment,
        "sandbox": str(result.sandbox).lower(),
        "tool_version": result.tool_version,
        "expected_cost": money(result.cost.estimated_cents),
        "cost": money(None if result.under_way else result.cost.actual_cents),
        "started_at": phrasing.moment(result.started_at),
        "ended_at": phrasing.moment(result.ended_at),
    }


def _case(case: CaseDocument) -> TestCase:
    seconds = sum(run.duration_seconds or 0.0 for run in case.runs)
    test = _Case(_attribute(case.case_id), _attribute(f"{case.plan}.{case.scenario}"), seconds)
    if case.file:
        test.file, test.line = _attribute(case.file), case.line
    properties = Properties()
    for name, value in _case_facts(case).items():
        properties.add_property(Property(name, _attribute(value)))
    _append(test, properties)
    runs = case_phrasing.runs_to_show(case)
    reason = _attribute(case.outcome_reason or case.outcome)
    lines = [line for run in runs for line in case_phrasing.run_lines(run, for_terminal, characters=_QUOTED_CHARACTERS)]
    match case.outcome:
        case "failed" | "unknown" if case.quarantine:
            test.result = Skipped(_attribute(case_phrasing.reason(case)))
            test.system_out = _block(lines)
        case "failed":
            message = "; ".join(filter(None, [reason, _attribute(first_failed(case))]))
            test.result = _with_text(Failure(message, "failed"), lines)
        case "unknown":
            test.result = _with_text(Error(reason, "unknown"), lines)
        case "flaky":
            for run in runs:
                flaky = FlakyFailure(_attribute(run.reason or case_phrasing.run_outcome(run)), _kind(run))
                flaky.stack_trace = _block(case_phrasing.run_lines(run, for_terminal, characters=_QUOTED_CHARACTERS))
                _append(test, flaky)
        case "passed":
            if lines:
                test.system_out = _block(lines)
        case _:
            assert_never(case.outcome)
    return test


def _kind(run: RunDocument) -> str:
    """The type of a flaky failure. In a passed run, an expectation with its own rate failed."""
    return "expectation" if run.outcome == "passed" else run.outcome


def _case_facts(case: CaseDocument) -> dict[str, str]:
    facts = {
        "outcome": case.outcome,
        "compared": case_phrasing.compared(case),
        "why": case_phrasing.why(case),
        "runs_passed": case_phrasing.runs_passed(case),
        "cost": case_phrasing.case_cost(case),
    }
    if case.outcome_reason:
        facts["reason"] = case.outcome_reason
    if case.detail:
        facts["detail"] = case.detail
    if case.carried_from:
        facts["carried_from"] = case.carried_from
    return facts


def _dropped(dropped: DroppedCase) -> TestCase:
    test = TestCase(_attribute(dropped.case_id), _attribute(dropped.case_id.partition("@")[0].replace("/", ".")))
    test.result = Skipped(_attribute(f"dropped: {case_phrasing.reason_label(dropped.reason)}"))
    return test


def _append(parent: Element, child: Element) -> None:
    parent.append(child)  # pyright: ignore[reportUnknownMemberType] -- its argument has no annotation


def _with_text(result: FinalResult, lines: list[str]) -> FinalResult:
    result.text = _block(lines)
    return result


def _attribute(text: str) -> str:
    """On one line, as parsers read a line end in an attribute as a space."""
    return " ⏎ ".join(map(for_terminal, text.splitlines()))


def _block(lines: list[str]) -> str:
    """Joins lines that are already neutralised."""
    return for_xml("\n".join(lines))
