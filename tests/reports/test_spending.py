"""`planner history --spend`: the union of the log and stored sessions, by consent."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from planner.changes.consent import MAX_COST
from planner.evidence import RunStatus
from planner.log.facts import (
    Asked,
    Call,
    Ceiling,
    Consent,
    Fact,
    Goal,
    Intent,
    Outcome,
    Result,
    Scope,
    Session,
    Vote,
)
from planner.log.journal import IN_MEMORY
from planner.log.local import LocalLog
from planner.providers.base import Line, RunId
from planner.reports.spending import Spent, render_json, render_text
from planner.results.model import RunResult
from planner.results.money_documents import ConsentDocument
from planner.workspace.report_session import NO_COST
from planner.workspace.spending import spent_under_consents
from tests.support.stored_cases import session_result

START = datetime(2026, 11, 1, 9, tzinfo=UTC)
LATER = datetime(2026, 12, 1, tzinfo=UTC)
VOTE = "a" * 64


def _session(index: int, consent: ConsentDocument, **cents: int) -> RunResult:
    """Ten days apart."""
    return session_result(f"s{index}", at=START + timedelta(days=10 * index)).model_copy(
        update={"consent": consent, "cost": NO_COST.model_copy(update=cents)}
    )


def consent(number: int, by: str = "ana") -> Consent:
    digit = str(number)
    goals, ceilings = (Goal("f", 3, "refunds"),), (Ceiling(Scope.CONSENT, 100, MAX_COST),)
    consent_id = f"{digit * 16}-{digit * 16}"
    return Consent(START, "a", consent_id, f"sha256:{digit * 64}", goals, ceilings, by, "terminal")


def launch(
    launch_id: str, number: int, cents: int, *, sent_at: datetime = START, result: Result | None = None
) -> list[Fact]:
    """One call under a consent."""
    line, asked = Line("agent", 12, "outbound", "bot", None), (Asked("f", "p", 1, cents, "refunds"),)
    consent_id = consent(number).consent_id
    noted: list[Fact] = [
        consent(number),
        Intent(sent_at, "a", launch_id, consent_id, f"s{number}", line, asked, 5.0, "key"),
    ]
    return noted if result is None else [*noted, Outcome(sent_at, launch_id, result)]


def billed(launch_id: str, cents: int) -> list[Fact]:
    status, run_id = RunStatus.COMPLETED, RunId(7000)
    call = Call(START, "a", run_id, "f", launch_id, 1, status, cents=cents, basis="transaction", evidence=VOTE)
    return [Outcome(START, launch_id, Result.ACCEPTED, 1, (run_id,)), call]


def spent(*noted: Fact, sessions: Iterable[RunResult] = ()) -> list[Spent]:
    with closing(LocalLog(IN_MEMORY, "a", lambda: datetime(2027, 1, 1, tzinfo=UTC))) as log:
        log.note(noted)
        return spent_under_consents(log.state, sessions, str)


def test_one_line_a_consent_and_the_sum() -> None:
    """Refused sessions, and those that made no calls, are left out."""
    agreed = [
        ConsentDocument(given=True, id=name, by=by, max_cost_cents=500)
        for name, by in (("a", "maria"), ("a", "maria"), ("b", "ben"), ("c", "maria"))
    ]
    sessions = [_session(index, consent, this_session_cents=100 + index) for index, consent in enumerate(agreed)]
    sessions.append(_session(4, ConsentDocument(given=False, by="maria"), this_session_cents=9))
    sessions.append(_session(5, ConsentDocument(given=True, id="d", by="maria")))
    entries = spent(*launch("x", 1, 40, sent_at=LATER), sessions=reversed(sessions))
    document = json.loads(render_json(entries))
    assert [
        (each["consent_id"][0], each["sessions"], each["cents"], each["reserved_cents"], each["by"])
        for each in document["consents"]
    ] == [
        ("c", ["s3"], 103, 0, "maria"),
        ("b", ["s2"], 102, 0, "ben"),
        ("a", ["s0", "s1"], 201, 0, "maria"),
        ("1", [], 0, 40, "ana"),
    ]
    assert (document["cents"], document["reserved_cents"]) == (406, 40)
    text = render_text(entries)
    assert "$2.01 of at most $5.00  maria" in text
    assert text.splitlines()[-1] == "4 consents: $4.06 + $0.40 reserved"


@pytest.mark.parametrize(
    ("sessions", "cents"),
    [
        ([(0, 96)], 96),
        ([(64, 64), (0, 96), (0, 96)], 96),
        ([(64, 64), (64, 64), (0, 128)], 128),
    ],
)
def test_each_bill_of_sessions_counts_once(sessions: list[tuple[int, int]], cents: int) -> None:
    """Also of a killed session, and of sessions that do not know of each other's. Each session: billed in it, and
    under the consent as far as it knows."""
    consent = ConsentDocument(given=True, id="a", by="maria")
    results = [
        _session(index, consent, this_session_cents=own, actual_cents=known)
        for index, (own, known) in enumerate(sessions)
    ]
    assert [each.cents for each in spent(sessions=results)] == [cents]


def test_a_killed_session_is_in_the_log() -> None:
    """Billed, under way, and judge calls; what was never sent or refused costs nothing."""
    vote = Vote(START, "a", "j", consent(1).consent_id, "s1", VOTE, VOTE, "model", 9_000_000, "refunds")
    noted = [
        *launch("billed", 1, 30),
        *billed("billed", 25),
        *launch("later", 1, 20, sent_at=LATER),
        *launch("refused", 1, 9, result=Result.REFUSED),
        *launch("unsent", 1, 9, result=Result.UNSENT),
        vote,
        replace(vote, microcents=4_000_000, answer="given"),
    ]
    (entry,) = spent(*noted)
    assert (entry.is_open, entry.sessions, entry.launches, entry.at) == (True, (), 2, START)
    assert (entry.cents, entry.reserved_cents) == (29, 20)
    ended = Session(LATER, "a", "s1", is_end=True, consent_id=consent(1).consent_id, done=(0,))
    assert not spent(*noted, ended)[0].is_open


def test_names_are_redacted() -> None:
    with closing(LocalLog(IN_MEMORY, "a", lambda: LATER)) as log:
        log.note(launch("a", 1, 30))
        (entry,) = spent_under_consents(log.state, (), lambda name: f"[{name}]")
    assert entry.by == "[ana]"
