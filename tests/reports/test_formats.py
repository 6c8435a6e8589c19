"""All formats: what each shows, JSON and JUnit whole, and that hostile text does nothing."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import NamedTuple
from xml.etree.ElementTree import canonicalize

import pytest
from inline_snapshot import external_file
from junitparser import JUnitXml
from markdown_it import MarkdownIt

from planner.reports import FORMATS, junit
from planner.reports.redaction import redact
from planner.results.model import RunResult
from tests.support.samples import changed


def _read_markdown(text: str) -> Iterator[str]:
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        for child in [token, *(token.children or [])]:
            if not child.children:
                yield child.content


def _read_junit(text: str) -> Iterator[str]:
    for element in ET.fromstring(text).iter():  # noqa: S314 -- our own
        yield from element.attrib.values()
        yield element.text or ""


def _read_json(text: str) -> Iterator[str]:
    def walk(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            for item in value.values():
                yield from walk(item)
        elif isinstance(value, list):
            for item in value:
                yield from walk(item)
        else:
            yield str(value)

    return walk(json.loads(text))


def _read_html(text: str) -> Iterator[str]:
    """The strings of the page and of its data."""
    yield re.sub(r"<[^>]*>", " ", re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL)).replace("&#39;", "'")
    for document in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text):
        yield from _read_json(document)


class _Format(NamedTuple):
    """How a test reads the facts of a report, and how the report shows an unknown price."""

    read: Callable[[str], Iterator[str]]
    unknown_price: str | None
    """None if it reports only failures, without prices, the sandbox and the rest."""


_FORMATS = {
    "markdown": _Format(_read_markdown, "unknown cost"),
    "json": _Format(_read_json, '"estimated_cents": null'),
    "junit": _Format(_read_junit, "unknown cost"),
    "html": _Format(_read_html, "unknown cost"),
}
"""By name."""
REPORTS = [name for name, known in _FORMATS.items() if known.unknown_price is not None]


def _letters(text: str) -> str:
    """Only letters and digits: formats differ in how they escape and fold the rest."""
    return re.sub(r"[\W_]", "", text)


def _facts(result: RunResult) -> set[str]:
    """Facts that every format must show."""
    facts = {
        result.session_id,
        result.change_set_digest,
        result.environment,
        result.consent.by,
        result.tool_version,
        *result.problems,
        *(text for step in result.next_steps for text in (step.text, step.command)),
        *(dropped.case_id for dropped in result.dropped),
    }
    for launch in result.open_launches:
        facts |= {launch.launch_id, launch.state, launch.detail, *launch.cases}
    for case in result.cases:
        facts |= {case.case_id, case.outcome, case.carried_from or ""}
        if case.outcome == "passed":
            continue
        facts |= {case.outcome_reason, *case.detail.splitlines(), case.file}
        for run in case.runs:
            if run.outcome != "passed":
                # A reason that a finding contains is shown once.
                reason = "" if any(finding.message in run.reason for finding in run.findings) else run.reason
                facts |= {str(run.run_id), str(run.batch_id), str(run.call_id or ""), run.outcome, reason}
            for finding in run.findings:
                if finding.outcome != "passed":
                    facts |= {finding.expectation}
                if finding.outcome != "passed" and finding.severity != "warning":
                    facts |= {finding.message, finding.quote.text if finding.quote else ""}
    return {_letters(fact) for fact in facts}


@pytest.mark.parametrize("name", REPORTS)
def test_every_format_has_every_fact(name: str, canonical: RunResult) -> None:
    """All formats show every fact."""
    result = redact(canonical)
    text = _letters(" ".join(_FORMATS[name].read(FORMATS[name](result))))
    text = re.sub("8evilexampleclick8|31mred0m", lambda hidden: hidden[0], text)
    missing = {fact for fact in _facts(result) if fact not in text}
    # JSON keeps the letters of terminal sequences, escaped; the other formats leave the sequences out.
    hostile = {fact for fact in missing if "evilexample" in fact}
    assert missing - hostile == set()
    for fact in hostile:
        start, end = fact[:20], fact[-20:]
        assert start in text
        assert end in text


@pytest.mark.parametrize("name", REPORTS)
def test_no_format_hides_the_sandbox(name: str, all_passed: RunResult) -> None:
    """Simulated results are labelled in every format."""
    assert "sandbox" in FORMATS[name](all_passed)


@pytest.mark.parametrize("name", _FORMATS)
def test_no_format_leaks_a_number(name: str, canonical: RunResult) -> None:
    """The redacted document has no phone number in any format."""
    text = _letters(" ".join(_FORMATS[name].read(FORMATS[name](redact(canonical)))))
    assert "4155550199" not in text


@pytest.mark.parametrize("name", REPORTS)
def test_an_unknown_price(name: str, nothing_called: RunResult) -> None:
    """An unknown cost is not shown as $0.00."""
    assert (_FORMATS[name].unknown_price or "") in FORMATS[name](nothing_called)


def test_the_whole_json(canonical: RunResult) -> None:
    """Every field is there, in the model's order, also where its value is null."""
    assert FORMATS["json"](redact(canonical)) == external_file("golden/canonical.json", format=".txt")


def test_the_json_report_reads_back_equal(canonical: RunResult) -> None:
    """Read back, it is equal to what was written, hostile text included."""
    assert RunResult.model_validate_json(FORMATS["json"](canonical)) == canonical


def test_the_promised_fields(canonical: RunResult) -> None:
    """Documented fields are present, even if null."""
    document = json.loads(FORMATS["json"](canonical))
    assert {
        "schema_version", "outcome", "exit_code", "session_id", "change_set_digest", "consent", "cases", "cost", "stats"
    } <= document.keys()  # fmt: skip
    assert {
        "case_id", "outcome", "runs_passed", "runs_total", "pass_rate", "interval", "compared", "runs", "action", "carried_from",
        "baseline", "latest", "not_comparable",
    } <= set.intersection(*(set(case) for case in document["cases"]))  # fmt: skip
    runs = [run for case in document["cases"] for run in case["runs"]]
    assert {
        "run_id", "batch_id", "call_id", "outcome", "cause", "cost_cents", "duration_seconds", "adopted", "findings", "pooled"
    } <= set.intersection(*map(set, runs))  # fmt: skip
    findings = [finding for run in runs for finding in run["findings"]]
    assert {"expectation", "check", "outcome", "severity", "message", "quote", "is_bug"} == set.union(
        *map(set, findings)
    )
    quotes = [finding["quote"] for finding in findings if finding["quote"]]
    assert {"turn", "role", "start_ms", "text"} == set.intersection(*map(set, quotes))
    assert {"estimated_cents", "actual_cents", "this_session_cents", "unconfirmed_cents"} <= document["cost"].keys()
    assert {"requests", "launches", "refused", "wall_seconds"} <= document["stats"].keys()


def test_the_json_report_is_safe_to_print(canonical: RunResult) -> None:
    """No control or reordering character and no workflow command is in the text itself."""
    text = FORMATS["json"](canonical)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert "##[" not in text
    assert not re.search(r"^\s*::", text, re.MULTILINE)


def _parsed_junit(text: str) -> JUnitXml:
    return JUnitXml.fromstring(text.encode())


def test_the_whole_junit(canonical: RunResult) -> None:
    """Every outcome, action, comparison and cause."""
    assert canonicalize(junit.render(redact(canonical))) == external_file("golden/canonical.xml", format=".txt")


def test_failure_error_and_skipped_are_three_things(canonical: RunResult) -> None:
    """A failed case is a failure, an unknown one an error, a dropped or quarantined one skipped; others are neither."""
    cases = [case for suite in _parsed_junit(junit.render(canonical)) for case in suite]
    kinds = {case.name: [type(result).__name__ for result in case.result] for case in cases}
    assert kinds == {
        "session": [],
        "hours/opening@hotline": [],
        "hours/closing@hotline": [],
        "hours/holiday@hotline": [],
        "hours/menu@hotline": [],
        "hours/parking@hotline": [],
        "hours/parking@support": ["Skipped"],
        'hours/late[day="New Year\'s Eve | 31"]@hotline': ["Error"],
        "orders/status@support": ["Error"],
        "refunds/refund-window[mood=furious]@support": ["Failure"],
        "refunds/late-order@support": [],
        "refunds/old-case@support": ["Skipped"],
    }


def test_a_regression_is_not_green(canonical: RunResult) -> None:
    """A session that fails although no case failed is itself a failure, which names the regressed cases."""
    cases = {case.case_id: case for case in canonical.cases}
    flaky = changed(cases["hours/opening@hotline"], compared="regressed")
    document = _parsed_junit(junit.render(changed(canonical, cases=[flaky])))
    session, *_ = next(iter(document))
    assert [(type(found).__name__, flaky.case_id in (found.text or "")) for found in session.result] == [
        ("Failure", True)
    ]
    assert document.failures == 1


def test_a_quarantined_flaky_case_is_skipped(canonical: RunResult) -> None:
    """As every other format shows it apart."""
    cases = {case.case_id: case for case in canonical.cases}
    quarantine = cases["hours/parking@support"].quarantine
    flaky = changed(cases["hours/opening@hotline"], compared="regressed", quarantine=quarantine)
    document = _parsed_junit(junit.render(changed(canonical, exit_code=0, cases=[flaky], dropped=[])))
    assert (document.failures, document.skipped) == (0, 1)


def test_a_refusal_is_not_green(nothing_called: RunResult) -> None:
    """A refused session is an error."""
    document = _parsed_junit(junit.render(nothing_called))
    (session,) = next(iter(document))
    assert [result.type for result in session.result] == ["refused"]
    assert document.name == "planner (sandbox)"
    assert (document.errors, document.failures) == (2, 0)


def test_the_junit_report_is_safe_to_print(canonical: RunResult) -> None:
    """No control character, reordering or workflow command is in it, and XML's own rules hold."""
    text = junit.render(canonical)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ufffe]", text)
    assert not re.search(r"^\s*::", text, re.MULTILINE)
    assert "##[" not in text
    assert "<img" not in text
