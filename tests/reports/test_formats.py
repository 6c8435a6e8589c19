"""All formats show the same facts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
from markdown_it import MarkdownIt

from planner.reports import FORMATS
from planner.reports.redaction import redact
from planner.results.model import RunResult


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
    """The texts of the page and of its data."""
    yield re.sub(r"<[^>]*>", " ", re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL)).replace("&#39;", "'")
    for document in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text):
        yield from _read_json(document)


_READERS = {
    "markdown": _read_markdown,
    "junit": _read_junit,
    "json": _read_json,
    "html": _read_html,
    "sarif": _read_json,
}


def _letters(text: str) -> str:
    """Only letters and digits: formats differ in how they escape and fold the rest."""
    return re.sub(r"[\W_]", "", text)


def _facts(result: RunResult) -> set[str]:
    """Facts that every format must show."""
    facts = {
        result.invocation_id,
        result.change_set_digest,
        result.environment,
        result.consent.by,
        result.tool_version,
        *result.problems,
        *result.next_steps,
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


FAILURES_ONLY = {"sarif"}
"""Formats that do not report the rest."""
REPORTS = [name for name in FORMATS if name not in FAILURES_ONLY]


@pytest.mark.parametrize("name", REPORTS)
def test_every_format_has_every_fact(name: str, canonical: RunResult) -> None:
    """All formats show every fact."""
    result = redact(canonical)
    text = _letters(" ".join(_READERS[name](FORMATS[name](result))))
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


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_leaks_a_number(name: str, canonical: RunResult) -> None:
    """The redacted document has no phone number in any format."""
    text = _letters(" ".join(_READERS[name](FORMATS[name](redact(canonical)))))
    assert "4155550199" not in text


@pytest.mark.parametrize("name", REPORTS)
def test_an_unknown_price(name: str, nothing_called: RunResult) -> None:
    """An unknown cost is not shown as $0.00."""
    shown = FORMATS[name](nothing_called)
    expected = {
        "markdown": "unknown cost",
        "junit": 'name="expected_cost" value="unknown"',
        "json": '"estimated_cents": null',
        "html": "unknown cost",
    }
    assert expected[name] in shown


@pytest.mark.parametrize("name", FORMATS)
def test_reports_are_deterministic(name: str, canonical: RunResult) -> None:
    """The same result gives the same text, which can be written as UTF-8."""
    assert FORMATS[name](canonical) == FORMATS[name](canonical)
    assert FORMATS[name](canonical).encode().decode() == FORMATS[name](canonical)


def test_a_format_is_imported_when_it_is_used() -> None:
    """JSON loads no template engine."""
    program = "import sys, planner.reports; print(sorted({'jinja2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
