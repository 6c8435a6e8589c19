"""What all consents of a month cost: of one journal, and of the machines that share a store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from planner.errors import StoreError
from planner.execution.consent_sharing import ConsentSharing, SharedConsent
from planner.execution.consents import (
    Amount,
    Consent,
    ConsentAdded,
    ConsentedCall,
    ConsentWay,
    JudgeCallReserved,
    JudgeCallSettled,
    Spending,
)
from planner.execution.events import Intended, Moved
from planner.execution.journal_state import JournalState
from planner.execution.launches import LaunchIntent, LaunchState, SlotIntent
from planner.execution.ledger import Ceiling, OverCeilingError
from planner.execution.month_spending import (
    StoreSpending,
    month_ceilings,
    month_of,
    months_of,
    next_month,
    spent_here,
)
from planner.execution.sharing import IntentSharing
from planner.execution.spending import spending_of
from planner.judge.pricing import CeilingReachedError, JudgeBudget
from planner.planfile.model import Policy
from planner.providers.base import Line
from planner.stores.directory import DirectoryStore
from planner.stores.store import Change

NOVEMBER = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
LINE = Line("agent", 12, "outbound", "bot", None)
VOTE = "a" * 64


def consent(number: int) -> Consent:
    digit = str(number)
    calls = (ConsentedCall("f", 3),)
    return Consent(
        f"{digit * 16}-{digit * 16}", f"sha256:{digit * 64}", "ana", ConsentWay.TERMINAL, NOVEMBER, 100, calls
    )


def launch(
    journal: JournalState, launch_id: str, number: int, cents: int, sent_at: datetime = NOVEMBER
) -> LaunchIntent:
    """One call is about to be sent."""
    agreed = consent(number)
    if journal.consents.get(agreed.consent_id) is None:
        journal.record(ConsentAdded(agreed))
    slot: dict[str, Any] = {
        "case_id": "c",
        "plan": "p",
        "prompt": "Ask.",
        "call_fingerprint": "f",
        "agent_revision": None,
    }
    intent = LaunchIntent(
        launch_id=launch_id,
        session_id=f"session-{number}",
        consent_id=agreed.consent_id,
        line=LINE,
        name="planner",
        sent_at=sent_at,
        slack_seconds=5,
        credential="key",
        slots=(SlotIntent(**slot, reserved_cents=cents),),
    )
    journal.record(Intended(intent))
    return intent


def judge(journal: JournalState, number: int, month: str, microcents: int) -> None:
    journal.record(ConsentAdded(consent(number)))
    reserved = JudgeCallReserved("j", consent(number).consent_id, f"session-{number}", "p", microcents, (VOTE,), month)
    journal.record(reserved)


def machine(folder: Path, journal: JournalState, number: int, limit_cents: int) -> ConsentSharing:
    """A session that shares its consent in one folder, with a ceiling for November."""
    store = DirectoryStore(folder)
    made = ConsentSharing(store, cast("Any", journal), show_name=str, now=NOVEMBER)
    ceiling = Ceiling("the month", limit_cents, month="2026-11")
    made.begin(consent(number).consent_id, [ceiling], StoreSpending(store))
    return made


def put(folder: Path, key: str, number: int, spending: Spending) -> None:
    document = SharedConsent(consent=consent(number), spending=spending).model_dump_json().encode()
    DirectoryStore(folder).update(lambda _: {key: document})


def spending(months: str = "2026-11", **cents: Amount) -> Spending:
    return Spending({name: {"p": amount} for name, amount in cents.items()}, months=dict.fromkeys(cents, months))


@pytest.mark.parametrize(
    ("moment", "month", "following"),
    [
        (NOVEMBER, "2026-11", "2026-12"),
        (DECEMBER, "2026-12", "2027-01"),
        (datetime.fromisoformat("2026-12-01T01:00+02:00"), "2026-11", "2026-12"),
    ],
)
def test_a_month_is_of_utc(moment: datetime, month: str, following: str) -> None:
    assert (month_of(moment), next_month(moment)) == (month, following)


def test_a_journal_counts_all_consents_of_a_month() -> None:
    """A launch counts in the month in which it was sent; one that was not sent costs nothing."""
    journal = JournalState()
    launch(journal, "a", 1, 30)
    launch(journal, "b", 2, 20)
    launch(journal, "c", 2, 10, DECEMBER)
    launch(journal, "d", 2, 5)
    journal.record(Moved("d", LaunchState.UNSENT))
    judge(journal, 3, "2026-11", 2_400_000)
    assert spent_here(journal, "2026-11").committed_cents == 53
    journal.record(JudgeCallSettled("j", 400_000))
    found = spent_here(journal, "2026-11")
    assert (found.spent_cents, found.reserved_cents) == (1, 50)
    assert spent_here(journal, "2026-12").committed_cents == 10


STORED = [
    ("another job", "consents/2.json", ["a"], 37),
    ("a job of a pull request", "branches/7/consents/2.json", ["a"], 37),
    ("a pull request that was removed", "spent/7-2.json", [], 7),
    ("its launch is not open any more: refused, and the machine was lost", "consents/2.json", [], 7),
    ("a job of another pull request has an open launch", "branches/7/consents/2.json", [], 7),
]


@pytest.mark.parametrize(("key", "open_launches", "cents"), [row[1:] for row in STORED], ids=[row[0] for row in STORED])
def test_a_store_counts_the_consents_of_all_jobs(
    tmp_path: Path, key: str, open_launches: Sequence[str], cents: int
) -> None:
    place = key.rpartition("consents/")[0]
    put(tmp_path, key, 2, spending(a=Amount(0, 30), b=Amount(7)))
    put(tmp_path, "consents/3.json", 3, spending("2026-12", c=Amount(500)))
    DirectoryStore(tmp_path).update(lambda _: {f"{place}intents/{each}.json": b"{}" for each in open_launches})
    DirectoryStore(tmp_path).update(lambda _: {"branches/8/intents/a.json": b"{}"})
    assert StoreSpending(DirectoryStore(tmp_path)).in_month("2026-11").committed_cents == cents


def test_a_call_that_was_made_keeps_its_reservation_until_its_bill_is_known(tmp_path: Path) -> None:
    """On other machines, too, although its launch is not open any more: one call of two was made, and has no bill."""
    journal = JournalState()
    launch(journal, "made", 1, 30)
    launch(journal, "unsettled", 1, 9)
    journal.record(Moved("made", LaunchState.SENT))
    journal.record(Moved("made", LaunchState.ACKNOWLEDGED, run_ids=(7000,), bindings={0: 7000}))
    put(tmp_path, "consents/1.json", 1, spending_of(journal, consent(1).consent_id))
    month = StoreSpending(DirectoryStore(tmp_path)).in_month("2026-11")
    assert (month.spent_cents, month.reserved_cents) == (0, 30)


def test_a_launch_that_this_machine_knows_counts_once(tmp_path: Path) -> None:
    """As this journal has it, unless another machine knows the bill."""
    journal, policy = JournalState(), Policy(max_cost_cents_per_month=100)
    launch(journal, "a", 1, 30)
    launch(journal, "b", 1, 30)
    launch(journal, "d", 1, 30)
    journal.record(Moved("d", LaunchState.UNSENT))
    put(tmp_path, "consents/1.json", 1, spending(a=Amount(24), b=Amount(0, 31), c=Amount(5), d=Amount(0, 30)))
    DirectoryStore(tmp_path).update(lambda _: {f"intents/{each}.json": b"{}" for each in "abd"})
    store = StoreSpending(DirectoryStore(tmp_path))
    now, following = months_of(policy, NOVEMBER, journal, store)
    assert (now.spent_cents, now.reserved_cents, following.committed_cents) == (29, 30, 0)
    assert [(each.month, each.left_cents) for each in month_ceilings(policy, (now, following))] == [
        ("2026-11", 41),
        ("2026-12", 100),
    ]
    assert months_of(Policy(), NOVEMBER, journal, store) == ()


def test_an_unreadable_consent_stops_the_count(tmp_path: Path) -> None:
    DirectoryStore(tmp_path).update(lambda _: {"branches/7/consents/2.json": b"{}"})
    with pytest.raises(StoreError, match=r"branches/7/consents/2\.json cannot be read"):
        StoreSpending(DirectoryStore(tmp_path)).in_month("2026-11")


@pytest.mark.parametrize(("limit_cents", "fits"), [(60, True), (59, False)])
def test_the_later_consent_of_a_month_is_refused(tmp_path: Path, limit_cents: int, fits: bool) -> None:
    """Two machines reserve under two consents at once: the later writer sees the earlier one."""
    one, two = JournalState(), JournalState()
    launch(one, "a", 1, 30)
    launch(two, "b", 2, 30)
    DirectoryStore(tmp_path).update(lambda _: {"intents/a.json": b"{}", "intents/b.json": b"{}"})
    anyio.run(machine(tmp_path, one, 1, limit_cents).share_judge_calls)
    later = machine(tmp_path, two, 2, limit_cents)
    if fits:
        anyio.run(later.share_judge_calls)
        return
    with pytest.raises(OverCeilingError):
        anyio.run(later.share_judge_calls)
    assert list(DirectoryStore(tmp_path).keys("consents/")) == [f"consents/{consent(1).consent_id}.json"]


class Bucket(DirectoryStore):
    """Written key by key: another machine writes its consent between our look at the store and our write."""

    def update(self, change: Change) -> None:
        theirs = SharedConsent(consent=consent(2), spending=spending(b=Amount(0, 30))).model_dump_json().encode()
        super().update(lambda now: {**change(now), "branches/7/consents/2.json": theirs})


def test_both_machines_look_once_more_after_they_have_written(tmp_path: Path) -> None:
    """The intent is withdrawn, and nothing is sent."""
    journal, store = JournalState(), Bucket(tmp_path)
    intent = launch(journal, "a", 1, 30)
    DirectoryStore(tmp_path).update(lambda _: {"branches/7/intents/b.json": b"{}"})
    sharing = IntentSharing(store, cast("Any", journal), show_name=str, now=NOVEMBER)
    sharing.consents.begin(consent(1).consent_id, [Ceiling("the month", 59, month="2026-11")], StoreSpending(store))
    with pytest.raises(OverCeilingError, match="the month"):
        anyio.run(sharing.share, intent)
    assert list(store.keys("intents/")) == []


def test_judge_calls_are_under_the_ceiling_of_the_month() -> None:
    ceiling = Ceiling("the month", 10, committed_cents=8, month="2026-11")
    budget = JudgeBudget([ceiling], month="2026-11")
    budget.reserve("p", 1_500_000)
    assert ceiling.committed_cents == 10
    with pytest.raises(CeilingReachedError):
        budget.reserve("p", 600_000)
    JudgeBudget([ceiling], month="2026-12").reserve("p", 600_000)
