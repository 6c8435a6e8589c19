"""`junit.xml`: one test suite per plan, one test case per case.

Failed cases are failures, unknown cases errors; dropped cases, and quarantined cases that did not pass, are skipped.
The first suite, `planner`, is the session itself: it reports refusals, interruptions and, if no case failed,
regressions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from planner.reports import case_phrasing, phrasing
from planner.reports.neutral import for_terminal, for_xml
from planner.results.model import CaseResult, DroppedCase, RunResult
from planner.results.outcomes import CaseOutcome

_QUOTED_CHARACTERS = 2000


def render(result: RunResult) -> str:
    """The report in the xunit2 flavour of JUnit XML, indented."""
    by_plan: dict[str, list[Element]] = {plan: [] for plan in result.plans}
    for case in result.cases:
        by_plan.setdefault(case.plan, []).append(_case(case))
    for dropped in result.dropped:
        by_plan.setdefault(dropped.case_id.partition("/")[0], []).append(_dropped(dropped))
    session = _suite("planner", result, [_session(result)])
    suites = [session, *(_suite(plan, result, cases) for plan, cases in by_plan.items())]
    document = Element("testsuites", name="planner (sandbox)" if result.sandbox else "planner")
    document.extend(suites)
    for name in ("tests", "errors", "failures", "skipped"):
        document.set(name, str(sum(int(suite.attrib[name]) for suite in suites)))
    document.set("time", str(round(sum(float(suite.attrib["time"]) for suite in suites), 3)))
    indent(document, "\t")
    text = tostring(document, encoding="unicode", short_empty_elements=False)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{text}\n"


def _suite(name: str, result: RunResult, cases: Sequence[Element]) -> Element:
    suite = Element("testsuite", name=_line(name), timestamp=result.started_at.isoformat(), tests=str(len(cases)))
    for attribute, tag in (("errors", "error"), ("failures", "failure"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("time", str(round(sum(float(case.get("time", "0")) for case in cases), 3)))
    suite.extend(cases)
    return suite


def _session(result: RunResult) -> Element:
    test = Element("testcase", name="session", classname="planner", time=str(result.stats.wall_seconds))
    about = {"message": phrasing.meaning(result), "type": result.outcome}
    if result.exit_code not in (0, 1):
        _add(test, "error", [*result.problems, *(step.line for step in result.next_steps)], about)
    elif result.exit_code == 1 and not case_phrasing.with_outcome(result, "failed"):  # else the failed cases are red
        red = [case for case in result.cases if case_phrasing.is_red(case)]
        _add(test, "failure", [f"{case.case_id}: {case_phrasing.compared(case)}" for case in red], about)
    lines = [
        phrasing.title(result),
        phrasing.sandbox_note(result),
        f"{phrasing.meaning(result)} (exit code {result.exit_code})",
        *phrasing.problems(result),
        *(f"warning: {line}" for line in result.warnings),
        *(f"{label}: {text}" for label, text in phrasing.facts(result)),
        *(f"{title}: {line}" for title, found in phrasing.sections(result) for line in found),
    ]
    _add(test, "system-out", filter(None, lines))
    return test


def _case(case: CaseResult) -> Element:
    seconds = sum((run.duration_seconds or 0.0 for run in case.runs), 0.0)
    test = _test(case.case_id, f"{case.plan}.{case.scenario}", seconds)
    if case.file:  # as pytest writes it and GitLab shows it
        test.attrib |= {"file": _line(case.file), "line": str(case.line)}
    reason = case.outcome_reason or case.outcome
    lines = [] if case.outcome == "passed" else [" · ".join(case_phrasing.facts(case))]
    lines += case.detail.splitlines() if lines and "\n" in case.detail else []
    for run in case_phrasing.runs_to_show(case):
        lines += case_phrasing.run_lines(run, _QUOTED_CHARACTERS)
    match case.outcome:
        case CaseOutcome.FAILED | CaseOutcome.UNKNOWN | CaseOutcome.FLAKY if case.quarantine:
            _add(test, "skipped", (), {"message": case_phrasing.reason(case)})
            _add(test, "system-out", lines)
        case CaseOutcome.FAILED:
            message = "; ".join(filter(None, [reason, case_phrasing.first_failed(case)]))
            _add(test, "failure", lines, {"message": message, "type": "failed"})
        case CaseOutcome.UNKNOWN:
            _add(test, "error", lines, {"message": reason, "type": "unknown"})
        case CaseOutcome.FLAKY | CaseOutcome.PASSED:
            if lines:
                _add(test, "system-out", lines)
        case _:
            assert_never(case.outcome)
    return test


def _dropped(dropped: DroppedCase) -> Element:
    test = _test(dropped.case_id, dropped.case_id.partition("@")[0].replace("/", "."))
    _add(test, "skipped", (), {"message": f"dropped: {case_phrasing.reason_label(dropped.reason)}"})
    return test


def _test(name: str, class_name: str, seconds: float | None = None) -> Element:
    test = Element("testcase", name=_line(name), classname=_line(class_name))
    if seconds is not None:
        test.set("time", str(seconds))
    return test


def _add(parent: Element, tag: str, lines: Iterable[str] = (), attributes: Mapping[str, str] | None = None) -> Element:
    """A child with a string of neutralised lines, which keep their indent."""
    child = SubElement(parent, tag, {name: _line(value) for name, value in (attributes or {}).items()})
    if text := "\n".join(" " * (len(line) - len(line.lstrip(" "))) + for_terminal(line) for line in lines):
        child.text = for_xml(text)
    return child


def _line(text: str) -> str:
    """On one line, as parsers read a line end in an attribute as a space."""
    return " ⏎ ".join(map(for_terminal, text.splitlines()))
