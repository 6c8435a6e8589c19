"""`planner history --spend`: the union of journal, shared store and stored sessions, by consent."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from planner.execution.consent_sharing import SharedConsent
from planner.execution.consents import (
    Amount,
    Consent,
    ConsentAdded,
    ConsentedCall,
    ConsentEnded,
    ConsentWay,
    JudgeCallReserved,
    JudgeCallSettled,
    Spending,
)
from planner.execution.events import Collected, EvidenceStored, Intended, Moved
from planner.execution.journal_state import JournalState
from planner.execution.launches import LaunchIntent, LaunchState, SlotIntent
from planner.execution.month_spending import StoreSpending
from planner.providers.base import Line
from planner.reports.spending import Spent, render_json, render_text
from planner.results.model import RunResult
from planner.results.money_documents import ConsentDocument
from planner.stores.directory import DirectoryStore
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
    digest, consent_id = f"sha256:{digit * 64}", f"{digit * 16}-{digit * 16}"
    return Consent(consent_id, digest, by, ConsentWay.TERMINAL, START, 100, (ConsentedCall("f", 3),))


def launch(journal: JournalState, launch_id: str, number: int, cents: int, **known: Any) -> None:
    """One call under a consent: sent at `sent_at`, and then `moved` to these states."""
    agreed = consent(number)
    if journal.consents.get(agreed.consent_id) is None:
        journal.record(ConsentAdded(agreed))
    slot = SlotIntent("c", "refunds", "Ask.", "f", None, reserved_cents=cents)
    line = Line("agent", 12, "outbound", "bot", None)
    sent_at = known.get("sent_at", START)
    intent = LaunchIntent(launch_id, f"s{number}", agreed.consent_id, line, "planner", sent_at, 5, (slot,), "key")
    journal.record(Intended(intent))
    for state in known.get("moved", (LaunchState.SENT,)):
        journal.record(Moved(launch_id, state))


def billed(journal: JournalState, launch_id: str, cents: int) -> None:
    run_id = 7000 + len(journal.claimed_run_ids())
    bound = {0: run_id}
    journal.record(Moved(launch_id, LaunchState.ACKNOWLEDGED, run_ids=(run_id,), bindings=bound))
    journal.record(EvidenceStored((Collected(launch_id, 0, VOTE, cents, START),)))


def shared(number: int, amounts: dict[str, Amount], *, ended: tuple[int, ...] = ()) -> SharedConsent:
    launches = {name: {"refunds": amount} for name, amount in amounts.items()}
    spending = Spending(launches, months=dict.fromkeys(amounts, "2026-11"))
    return SharedConsent(consent=consent(number), ended=ended, spending=spending)


def spent(
    journal: JournalState | None = None,
    documents: Iterable[SharedConsent] = (),
    sessions: Iterable[RunResult] = (),
) -> list[Spent]:
    return spent_under_consents(journal or JournalState(), documents, sessions, str)


def test_one_line_a_consent_and_the_sum() -> None:
    """Refused sessions, and those that made no calls, are left out."""
    agreed = [
        ConsentDocument(given=True, id=name, by=by, max_cost_cents=500)
        for name, by in (("a", "maria"), ("a", "maria"), ("b", "ben"), ("c", "maria"))
    ]
    sessions = [_session(index, consent, this_session_cents=100 + index) for index, consent in enumerate(agreed)]
    sessions.append(_session(4, ConsentDocument(given=False, by="maria"), this_session_cents=9))
    sessions.append(_session(5, ConsentDocument(given=True, id="d", by="maria")))
    journal = JournalState()
    launch(journal, "x", 1, 40, sent_at=LATER)
    entries = spent(journal, sessions=reversed(sessions))
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


def test_a_killed_session_is_in_the_journal() -> None:
    """Billed, under way, and judge calls; what was never sent or refused costs nothing."""
    journal = JournalState()
    launch(journal, "billed", 1, 30)
    billed(journal, "billed", 25)
    launch(journal, "later", 1, 20, sent_at=LATER)
    launch(journal, "refused", 1, 9, moved=(LaunchState.SENT, LaunchState.REFUSED))
    launch(journal, "unsent", 1, 9, moved=())
    call = JudgeCallReserved("j", consent(1).consent_id, "s1", "refunds", 9_000_000, (VOTE,), "2026-11")
    journal.record(call)
    journal.record(JudgeCallSettled("j", 4_000_000))
    (entry,) = spent(journal)
    assert (entry.is_open, entry.sessions, entry.launches, entry.at) == (True, (), 2, START)
    assert (entry.cents, entry.reserved_cents) == (29, 20)
    journal.record(ConsentEnded(consent(1).consent_id, (0,)))
    assert not spent(journal)[0].is_open


KNOWN_HERE = [
    ("only here", {}, (0, 30)),
    ("under way", {"a": Amount(0, 30)}, (0, 30)),
    ("its reservation was closed with its launch", {"a": Amount()}, (0, 30)),
    ("billed elsewhere", {"a": Amount(25)}, (25, 0)),
    ("another launch elsewhere", {"a": Amount(0, 30), "b": Amount(12, 8)}, (12, 38)),
    ("refused here", {"a": Amount(0, 30), "refused": Amount(0, 9)}, (0, 30)),
]


@pytest.mark.parametrize(("name", "amounts", "cost"), KNOWN_HERE, ids=[each[0] for each in KNOWN_HERE])
def test_journal_and_store_count_each_launch_once(name: str, amounts: dict[str, Amount], cost: tuple[int, int]) -> None:
    journal = JournalState()
    launch(journal, "a", 1, 30)
    launch(journal, "refused", 1, 9, moved=(LaunchState.SENT, LaunchState.REFUSED))
    assert [(each.cents, each.reserved_cents) for each in spent(journal, [shared(1, amounts)])] == [cost], name


def test_a_machine_with_only_the_store() -> None:
    """Consents of lost machines; one whose bill came late is in a session only; ended ones are not open."""
    agreed = ConsentDocument(given=True, id=consent(2).consent_id, by="ana")
    entries = spent(
        None,
        [shared(1, {"a": Amount(25, 30)}), shared(2, {"a": Amount(40)}, ended=(0,)), shared(3, {})],
        [_session(3, agreed, actual_cents=48)],
    )
    found = {
        each.consent_id[0]: (each.cents, each.reserved_cents, each.is_open, each.launches, each.sessions)
        for each in entries
    }
    assert found == {"1": (25, 30, True, 1, ()), "2": (48, 0, False, 1, ("s3",))}
    ends = [line.rpartition("  ")[2] for line in render_text(entries).splitlines()[:2]]
    assert ends == ["1 session from s3", "no session has ended"]


UNBILLED: list[tuple[dict[str, int], int]] = [
    ({"unconfirmed_cents": 30, "unbilled_calls": 1}, 30),
    ({"unconfirmed_cents": 30, "unbilled_calls": 1, "calls_under_way": 1}, 0),
    ({"unconfirmed_cents": 30}, 0),
]


@pytest.mark.parametrize(("cost", "reserved_cents"), UNBILLED)
def test_a_call_of_another_machine_that_has_no_bill(cost: dict[str, int], reserved_cents: int) -> None:
    """Its launch is closed in the store, so only the session that ended says that it may still be charged. What was
    under way then may be settled by now."""
    agreed = ConsentDocument(given=True, id=consent(1).consent_id, by="ana")
    (entry,) = spent(None, [shared(1, {"a": Amount(40)}, ended=(0,))], [_session(0, agreed, actual_cents=40, **cost)])
    assert (entry.cents, entry.reserved_cents) == (40, reserved_cents)


NAMESPACES = ["consents/", "branches/42/consents/", "branches/heads%2Fnext/consents/", "spent/42-"]


@pytest.mark.parametrize("place", NAMESPACES)
def test_every_namespace_counts(tmp_path: Path, place: str) -> None:
    """Also pull requests, open or merged. A reservation whose launch is closed is none."""
    store = DirectoryStore(tmp_path)
    document = shared(1, {"a": Amount(25, 30), "b": Amount(0, 12)}).model_dump_json().encode()
    namespace = "" if place.startswith("spent/") else place.removesuffix("consents/")
    store.update(lambda _: {f"{place}{consent(1).consent_id}.json": document, f"{namespace}intents/b.json": b"{}"})
    (entry,) = spent(None, StoreSpending(store).consents())
    assert (entry.by, entry.cents, entry.reserved_cents) == ("ana", 25, 12)


def test_names_are_redacted() -> None:
    journal = JournalState()
    launch(journal, "a", 1, 30)
    (entry,) = spent_under_consents(journal, (), (), lambda name: f"[{name}]")
    assert entry.by == "[ana]"
