"""`junit.xml`, compared whole and read back by a parser."""

from __future__ import annotations

import re
from xml.etree.ElementTree import canonicalize

from inline_snapshot import external_file
from junitparser import JUnitXml

from planner.reports import junit
from planner.reports.redaction import redact
from planner.results.model import RunResult


def _read(text: str) -> JUnitXml:
    return JUnitXml.fromstring(text.encode())


def test_the_whole_report(canonical: RunResult) -> None:
    """Every outcome, action, comparison and cause."""
    assert canonicalize(junit.render(redact(canonical))) == external_file("golden/canonical.xml", format=".txt")


def test_failure_error_and_skipped_are_three_things(canonical: RunResult) -> None:
    """A failed case is a failure, an unknown one an error, a dropped or quarantined one skipped; others are neither."""
    cases = [case for suite in _read(junit.render(canonical)) for case in suite]
    kinds = {case.name: [type(result).__name__ for result in case.result] for case in cases}
    assert kinds == {
        "invocation": [],
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


def test_a_refusal_is_not_green(nothing_called: RunResult) -> None:
    """A refused session is an error."""
    document = _read(junit.render(nothing_called))
    (invocation,) = next(iter(document))
    assert [result.type for result in invocation.result] == ["refused"]
    assert document.name == "planner (sandbox)"
    assert (document.errors, document.failures) == (2, 0)


def test_a_good_day_is_green(all_passed: RunResult) -> None:
    """All passed has neither failures nor errors."""
    document = _read(junit.render(all_passed))
    assert (document.tests, document.failures, document.errors, document.skipped) == (3, 0, 0, 0)


def test_the_report_is_safe_to_print(canonical: RunResult) -> None:
    """No control character, reordering or workflow command is in it, and XML's own rules hold."""
    text = junit.render(canonical)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ufffe]", text)
    assert not re.search(r"^\s*::", text, re.MULTILINE)
    assert "##[" not in text
    assert "<img" not in text
