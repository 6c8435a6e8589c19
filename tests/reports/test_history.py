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


def _sessions(case_ids: tuple[str, ...] = ("refunds/late-order@support", "hours/opening@hotline")) -> Timeline:
    """Three days; the first case gets worse, and the last day has a bill that is late."""
    passes = [[None, None, None], [None, "agent", None], ["agent", "agent", None]]
    outlines: list[RunResult] = []
    for day, causes in enumerate(passes):
        name, at = f"day{day}", START + timedelta(days=day)
        cases: list[CaseResult] = []
        for index, case_id in enumerate(case_ids):
            runs = [
                make_runs(
                    cause if index == 0 else None,
                    first=day * 100 + index * 10 + number,
                    session_id=name,
                    cost_cents=None if (day, index, number) == (2, 1, 2) else 16 * (1 + day),
                    duration_seconds=50.0 + 10 * day + number,
                    completed_at=at + timedelta(seconds=number),
                )[0]
                for number, cause in enumerate(causes)
            ]
            case = make_case("s", case_id=case_id, plan=case_id.partition("/")[0])
            outcome = "failed" if index == 0 and day == 2 else "passed"
            cases.append(store_case(case, runs=runs, outcome=outcome))
        outlines.append(session_result(name, *cases, at=at, outcome="failed" if day == 2 else "passed"))
    return timeline(reversed(outlines))


HISTORY = """\
3 sessions · 2026-11-01 to 2026-11-03 · 2 cases · 18 calls · $5.28, 1 bill unknown

Least reliable first
  ✗ refunds/late-order@support   █▆▃   67 % (35 % to 88 %) of 9     $0.32 a call · flaky 50 %
  ✓ hours/opening@hotline        ███   100 % (70 % to 100 %) of 9   $0.30 a call
"""


def _text(page: HistoryPage, width: int = 100, *, color: bool = False) -> str:
    return render_text(page, redactor=Redactor(), width=width, color=color)


def test_the_least_reliable_come_first() -> None:
    """All cases, or those that are wanted."""
    found = _sessions()
    assert _text(HistoryPage(found, None, (), sandbox=False)) == HISTORY
    wanted = _text(HistoryPage(found, (found.cases[1],), (), sandbox=False))
    assert [name in wanted for name in ("refunds/late-order@support", "hours/opening@hotline")] == [True, False]


def test_json_names_its_schema_and_is_complete() -> None:
    """Points are oldest first, sessions newest first."""
    found = _sessions()
    document = json.loads(
        render_json(HistoryPage(found, None, (), sandbox=False), environment="staging", redactor=Redactor())
    )
    assert (document["schema_version"], document["environment"], document["sandbox"]) == ("2.0", "staging", False)
    assert [case["case_id"] for case in document["cases"]] == ["hours/opening@hotline", "refunds/late-order@support"]
    assert [point["passed"] for point in document["cases"][1]["points"]] == [3, 2, 1]
    assert document["cases"][1]["flip_rate"] == 0.5


def test_names_are_redacted_in_every_format() -> None:
    """A phone number in a case id is shown by its last two digits."""
    page = HistoryPage(_sessions(("calls/+14155550199@t",)), None, (), sandbox=False)
    texts = [_text(page), render_json(page, environment="", redactor=Redactor())]
    assert [text for text in texts if "5550199" in text] == []
    assert all("99@t" in text for text in texts)
