"""The history of calls as text and JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from planner.changes.history import Timeline, timeline
from planner.reports.history import HistoryPage, render_json, render_text
from planner.reports.redaction import Redactor
from planner.reports.spending import render_json as spending_json
from planner.reports.spending import render_text as spending_text
from planner.reports.spending import spending_of
from planner.results.model import CaseResult, RunResult
from planner.results.money_documents import ConsentDocument
from planner.workspace.report_session import NO_COST
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


def test_a_row_counts_the_newest_verdicts() -> None:
    """Also after a recheck."""
    runs = make_runs("agent", "agent", session_id="day0")
    passed = [run.model_copy(update={"cause": None, "outcome": "passed"}) for run in runs]
    case = make_case("s", case_id="p/s@t", plan="p")
    outlines = [
        session_result("day1", store_case(case, runs=passed, outcome="passed"), at=START + timedelta(days=1)),
        session_result("day0", store_case(case, runs=runs, outcome="failed"), at=START, outcome="failed"),
    ]
    assert "100 % (34 % to 100 %) of 2" in _text(HistoryPage(timeline(outlines), None, (), sandbox=False))


def _session(index: int, consent: ConsentDocument, **cents: int) -> RunResult:
    """Ten days apart."""
    return session_result(f"s{index}", at=START + timedelta(days=10 * index)).model_copy(
        update={"consent": consent, "cost": NO_COST.model_copy(update=cents)}
    )


def test_spending_is_summed_by_month_and_person() -> None:
    """One entry a consent. Refused sessions, and those that made no calls, are left out."""
    agreed = [
        ConsentDocument(given=True, id=name, by=by, max_cost_cents=500)
        for name, by in (("a", "maria"), ("a", "maria"), ("b", "ben"), ("c", "maria"))
    ]
    sessions = [_session(index, consent, this_session_cents=100 + index) for index, consent in enumerate(agreed)]
    sessions.append(_session(4, ConsentDocument(given=False, by="maria"), this_session_cents=9))
    sessions.append(_session(5, ConsentDocument(given=True, id="d", by="maria")))
    document = json.loads(spending_json(spending_of(reversed(sessions))))
    assert [(each["consent_id"], each["sessions"], each["cents"], each["by"]) for each in document["consents"]] == [
        ("c", ["s3"], 103, "maria"),
        ("b", ["s2"], 102, "ben"),
        ("a", ["s0", "s1"], 201, "maria"),
    ]
    assert document["months"] == {"2026-12": 103, "2026-11": 303}
    assert document["people"] == {"maria": 304, "ben": 102}
    text = spending_text(spending_of(reversed(sessions)))
    assert "$2.01 of at most $5.00  maria" in text
    assert text.splitlines()[-4:] == [
        "2026-12      $1.03",
        "2026-11      $3.03",
        "maria        $3.04",
        "ben          $1.02",
    ]


@pytest.mark.parametrize(
    ("sessions", "cents"),
    [
        ([(0, 96)], 96),
        ([(64, 64), (0, 96), (0, 96)], 96),
        ([(64, 64), (64, 64), (0, 128)], 128),
    ],
)
def test_each_bill_of_a_consent_counts_once(sessions: list[tuple[int, int]], cents: int) -> None:
    """Also of a killed session, and of sessions that do not know of each other's. Each session: billed in it, and
    under the consent as far as it knows."""
    consent = ConsentDocument(given=True, id="a", by="maria")
    results = [
        _session(index, consent, this_session_cents=own, actual_cents=known)
        for index, (own, known) in enumerate(sessions)
    ]
    assert [each.cents for each in spending_of(results)] == [cents]


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
