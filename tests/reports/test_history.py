"""The history of calls as text and JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from planner.changes.history import Timeline, timeline
from planner.reports.history import HistoryPage, render_json, render_text
from planner.reports.redaction import Redactor
from planner.results.model import CaseResult, RunResult
from tests.support.stored_cases import make_case, make_runs, session_result, store_case

START = datetime(2026, 11, 1, 9, tzinfo=UTC)


def _invocations(case_ids: tuple[str, ...] = ("refunds/late-order@support", "hours/opening@hotline")) -> Timeline:
    """Three days; the first case gets worse, and the last day has a bill that is late."""
    passes = [[None, None, None], [None, "agent", None], ["agent", "agent", None]]
    outlines: list[RunResult] = []
    for day, faults in enumerate(passes):
        name, at = f"day{day}", START + timedelta(days=day)
        cases: list[CaseResult] = []
        for index, case_id in enumerate(case_ids):
            runs = [
                make_runs(
                    fault if index == 0 else None,
                    first=day * 100 + index * 10 + number,
                    invocation_id=name,
                    cost_cents=None if (day, index, number) == (2, 1, 2) else 16 * (1 + day),
                    duration_seconds=50.0 + 10 * day + number,
                    completed_at=at + timedelta(seconds=number),
                )[0]
                for number, fault in enumerate(faults)
            ]
            case = make_case("s", case_id=case_id, plan=case_id.partition("/")[0])
            outcome = "failed" if index == 0 and day == 2 else "passed"
            cases.append(store_case(case, runs=runs, outcome=outcome))
        outlines.append(session_result(name, *cases, at=at, outcome="failed" if day == 2 else "passed"))
    return timeline(reversed(outlines))


SUITE = """\
3 sessions · 2026-11-01 to 2026-11-03 · 2 cases · 18 calls · $5.28, 1 bill unknown

Pass rate  █▇▆ 83 % (61 % to 94 %) of 18 calls
Duration   ▁▅█ 1 min 1 s median
Cost       ▁▅█ $0.31 a call
Flaky      the result changed in 4 of 16 consecutive runs (25 %)

Sessions, newest first
  ✗ 2026-11-03 09:00 · 4 of 6 passed · 1 min 11 s · at least $2.40
  ✓ 2026-11-02 09:00 · 5 of 6 passed · 1 min 1 s · $1.92
  ✓ 2026-11-01 09:00 · 6 of 6 passed · 51 s · $0.96

Cases, least reliable first
  ✗ refunds/late-order@support   █▆▃   67 % (35 % to 88 %) of 9     1 min 1 s · $0.32 a call · flaky
                                                                    50 %
  ✓ hours/opening@hotline        ███   100 % (70 % to 100 %) of 9   1 min 1 s · $0.30 a call
"""
CASE = """\
✗ refunds/late-order@support
  failed · 9 calls · $2.88

Pass rate  █▆▃ 67 % (35 % to 88 %) of 9 calls
Duration   ▁▅█ 1 min 1 s median
Cost       ▁▅█ $0.32 a call
Flaky      the result changed in 4 of 8 consecutive runs (50 %)

  2026-11-03 09:00 · 1 of 3 passed · 1 min 11 s · $1.44
  2026-11-02 09:00 · 2 of 3 passed · 1 min 1 s · $0.96
  2026-11-01 09:00 · 3 of 3 passed · 51 s · $0.48
"""


def _text(page: HistoryPage, width: int = 100, *, color: bool = False) -> str:
    return render_text(page, redactor=Redactor(), width=width, color=color)


def test_the_suite() -> None:
    """Graphs over time, the newest sessions, and cases with the least reliable first."""
    assert _text(HistoryPage(_invocations(), None, (), sandbox=False)) == SUITE


def test_a_row_has_sign_and_counts_of_the_same_verdicts() -> None:
    """Those of the session itself, also after a recheck. The total counts the newest."""
    runs = make_runs("agent", "agent", invocation_id="day0")
    passed = [run.model_copy(update={"fault": None, "outcome": "passed"}) for run in runs]
    case = make_case("s", case_id="p/s@t", plan="p")
    outlines = [
        session_result("day1", store_case(case, runs=passed, outcome="passed"), at=START + timedelta(days=1)),
        session_result("day0", store_case(case, runs=runs, outcome="failed"), at=START, outcome="failed"),
    ]
    text = _text(HistoryPage(timeline(outlines), None, (), sandbox=False))
    assert "  ✗ 2026-11-01 09:00 · 0 of 2 passed" in text
    assert "Pass rate  ▁ 100 %" in text


def test_one_case() -> None:
    """Measures of one case, and each session that called it."""
    found = _invocations()
    assert _text(HistoryPage(found, (found.cases[1],), (), sandbox=False)) == CASE


def test_json_names_its_schema_and_is_complete() -> None:
    """Points are oldest first, sessions newest first."""
    found = _invocations()
    document = json.loads(
        render_json(HistoryPage(found, None, (), sandbox=False), environment="staging", redactor=Redactor())
    )
    assert (document["schema_version"], document["environment"], document["sandbox"]) == ("1.0", "staging", False)
    assert [case["case_id"] for case in document["cases"]] == ["hours/opening@hotline", "refunds/late-order@support"]
    assert [point["passed"] for point in document["cases"][1]["points"]] == [3, 2, 1]
    assert document["cases"][1]["flip_rate"] == 0.5
    assert [entry["passed"] for entry in document["invocations"]] == [4, 5, 6]


def test_names_are_redacted_in_every_format() -> None:
    """A phone number in a case id is shown by its last two digits."""
    page = HistoryPage(_invocations(("calls/+14155550199@t",)), None, (), sandbox=False)
    texts = [_text(page), render_json(page, environment="", redactor=Redactor())]
    assert [text for text in texts if "5550199" in text] == []
    assert all("99@t" in text for text in texts)
