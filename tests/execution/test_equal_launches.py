"""Equal launches (same target and prompts) are interchangeable, and two machines may match their runs to them in another
order. Each run counts once then, and none is forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from core_state import EPOCH, ROUTES
from simulation import MemoryStore

from planner.execution.events import Consumed, Intended, Moved
from planner.execution.journal import IN_MEMORY, Journal
from planner.execution.launches import KNOWN, UNSETTLED, LaunchIntent, LaunchState, SlotIntent
from planner.execution.sharing import IntentSharing
from planner.providers.base import Line
from planner.workspace.sharing import claim_calls

RUN, OTHER_RUN, BATCH = 7, 8, 5
SLOT = {"case_id": "c", "plan": "p", "prompt": "P", "call_fingerprint": "f", "reserved_cents": 24}
LAUNCH: dict[str, Any] = {
    "session_id": "i",
    "consent_id": "d",
    "line": {
        "target_type": "agent",
        "target_id": 12,
        "direction": "outbound",
        "mode": "bot",
        "target_number": None,
        "stagger_seconds": 0,
    },
    "name": "n",
    "sent_at": EPOCH.isoformat(),
    "slack_seconds": 5,
}


@pytest.fixture
def journal() -> Iterator[Journal]:
    journal = Journal(IN_MEMORY)
    yield journal
    journal.close()


def in_store(
    state: str, run_id: int | None = None, batch_id: int | None = None, others: Sequence[int] = ()
) -> dict[str, Any]:
    run_ids = [*others] if run_id is None else [run_id, *others]
    return {"state": state, "run_ids": run_ids, "batch_id": batch_id, "slots": [SLOT | {"run_id": run_id}]}


def sharing_of(journal: Journal, **documents: dict[str, Any]) -> IntentSharing:
    store = MemoryStore()
    for launch_id, document in documents.items():
        data = json.dumps({**LAUNCH, "launch_id": launch_id, **document}).encode()
        store.update(lambda _, launch_id=launch_id, data=data: {f"intents/{launch_id}.json": data})
    return IntentSharing(store, journal, show_name=str, now=EPOCH)


def happened_here(
    journal: Journal, launch_id: str, state: LaunchState, run_id: int | None = None, batch_id: int | None = None
) -> None:
    line = Line("agent", 12, "outbound", "bot", None, 0)
    slot = SlotIntent("c", "p", "P", "f", None, 24)
    journal.record(Intended(LaunchIntent(launch_id, "i", "d", line, "n", EPOCH, 5.0, (slot,))))
    for step in ROUTES[state][:-1]:
        journal.record(Moved(launch_id, step))
    run_ids = () if run_id is None else (run_id,)
    journal.record(Moved(launch_id, state, batch_id=batch_id, run_ids=run_ids, bindings=dict(enumerate(run_ids))))


@pytest.mark.parametrize(
    ("here", "stored", "counted", "state", "run_id"),
    [
        (None, in_store("intended"), {}, "unconfirmed", None),
        (None, in_store("adopted", RUN), {}, "adopted", RUN),
        (None, in_store("adopted", RUN), {"run_id": RUN}, "unconfirmed", None),
        (None, in_store("acknowledged", batch_id=BATCH), {}, "acknowledged", None),
        (None, in_store("acknowledged", batch_id=BATCH), {"batch_id": BATCH}, "unconfirmed", None),
        (None, in_store("adopted", RUN, others=[OTHER_RUN]), {"run_id": OTHER_RUN}, "adopted", RUN),
        (LaunchState.UNCONFIRMED, in_store("adopted", RUN), {}, "adopted", RUN),
        (LaunchState.UNCONFIRMED, in_store("adopted", RUN, others=[OTHER_RUN]), {"run_id": RUN}, "unconfirmed", None),
        (LaunchState.UNCONFIRMED, in_store("adopted", RUN), {"run_id": RUN}, "unconfirmed", None),
        (LaunchState.UNCONFIRMED, in_store("acknowledged", batch_id=BATCH), {}, "adopted", None),
        (LaunchState.UNSENT, in_store("adopted", RUN), {}, "adopted", RUN),
        (LaunchState.REFUSED, in_store("adopted", RUN), {}, "adopted", RUN),
        (LaunchState.REFUSED, in_store("adopted", RUN), {"run_id": RUN}, "refused", None),
        (LaunchState.REFUSED, in_store("intended"), {}, "refused", None),
        (LaunchState.REJECTED, in_store("adopted", RUN), {}, "adopted", RUN),
        (LaunchState.ABSENT, in_store("adopted", RUN), {}, "adopted", RUN),
        (LaunchState.ACKNOWLEDGED, in_store("adopted", RUN), {}, "acknowledged", OTHER_RUN),
        (LaunchState.ADOPTED, in_store("adopted", RUN), {}, "adopted", OTHER_RUN),
    ],
)
def test_each_run_counts_once_and_a_launch_without_one_is_searched_for(
    journal: Journal,
    here: LaunchState | None,
    stored: dict[str, Any],
    counted: dict[str, int],
    state: str,
    run_id: int | None,
) -> None:
    """`here` is what this machine knows of the launch, `stored` what the store has, and `counted` what this machine has
    for an equal launch."""
    if here is not None:
        happened_here(journal, "a", here, OTHER_RUN if here in KNOWN else None)
    if counted:
        happened_here(journal, "b", LaunchState.ADOPTED, **counted)
    sharing_of(journal, a=stored).import_launches({})
    launch = journal.launch("a")
    assert launch is not None
    assert (launch.state.value, launch.run_ids) == (state, () if run_id is None else (run_id,))
    assert [slot.run_id for slot in journal.slots_of("a")] == [run_id]


KEPT, GONE = "kept", None


@pytest.mark.parametrize(
    ("here", "run_id", "stored", "consumed", "written"),
    [
        (LaunchState.ACKNOWLEDGED, RUN, in_store("intended"), (), RUN),
        (LaunchState.ACKNOWLEDGED, RUN, in_store("adopted", RUN), (), RUN),
        (LaunchState.ACKNOWLEDGED, RUN, in_store("adopted", OTHER_RUN), (), KEPT),
        (LaunchState.ACKNOWLEDGED, RUN, in_store("adopted", OTHER_RUN), (RUN,), KEPT),
        (LaunchState.ACKNOWLEDGED, RUN, in_store("adopted", OTHER_RUN), (RUN, OTHER_RUN), GONE),
        (LaunchState.ACKNOWLEDGED, RUN, in_store("intended"), (RUN,), GONE),
        (LaunchState.REFUSED, None, in_store("intended"), (), GONE),
        (LaunchState.REFUSED, None, in_store("adopted", OTHER_RUN), (), KEPT),
        (LaunchState.REFUSED, None, in_store("adopted", OTHER_RUN), (OTHER_RUN,), GONE),
        (LaunchState.ABSENT, None, in_store("adopted", OTHER_RUN), (), KEPT),
        (LaunchState.UNCONFIRMED, None, in_store("adopted", OTHER_RUN), (), KEPT),
    ],
)
def test_the_store_keeps_the_runs_that_it_has_for_a_launch(
    journal: Journal,
    here: LaunchState,
    run_id: int | None,
    stored: dict[str, Any],
    consumed: tuple[int, ...],
    written: Any,
) -> None:
    """Until finished results have them. This machine has the other run for launch b."""
    happened_here(journal, "a", here, run_id)
    happened_here(journal, "b", LaunchState.ADOPTED, OTHER_RUN)
    slots = [slot.key for slot in journal.unconsumed_slots() if slot.run_id in consumed]
    journal.record(Consumed("i", tuple(slots)))
    sharing = sharing_of(journal, a=stored)
    writes = sharing.outcome(vars(sharing)["_store"])
    found = {key: None if data is None else json.loads(data)["run_ids"] for key, data in writes.items()}
    assert found == ({} if written is KEPT else {"intents/a.json": None if written is GONE else [written]})


@pytest.mark.parametrize(
    ("of_b", "consumed", "a_is_kept"),
    [
        (None, False, True),
        (None, True, False),
        (in_store("intended"), False, False),
        (in_store("adopted", RUN), False, False),
        (in_store("adopted", OTHER_RUN), False, True),
    ],
)
def test_a_launch_that_was_not_found_stays_if_the_run_of_an_equal_one_is_nowhere_else(
    journal: Journal, of_b: dict[str, Any] | None, consumed: bool, a_is_kept: bool
) -> None:
    """This machine gave the run to launch b, which another removed as refused: it was launch a's."""
    happened_here(journal, "a", LaunchState.ABSENT)
    happened_here(journal, "b", LaunchState.ADOPTED, RUN)
    if consumed:
        journal.record(Consumed("i", (("b", 0),)))
    sharing = sharing_of(journal, a=in_store("intended"), **({} if of_b is None else {"b": of_b}))
    writes = sharing.outcome(vars(sharing)["_store"])
    assert ("intents/a.json" not in writes) is a_is_kept


def test_a_stored_call_of_another_session_is_not_taken(journal: Journal) -> None:
    """Even if the report of its session is damaged. One of the launch's own session may be its own; so may one of a
    later session, whose launches are not known yet."""
    happened_here(journal, "a", LaunchState.UNCONFIRMED)
    stored = {"f": [("other", RUN), ("i", 9), ("later", 10)], "g": [("other", 11)]}
    claim_calls(journal, journal.launches(UNSETTLED), stored.__getitem__, {"runs/other.json", "runs/i.json"})
    assert journal.claimed_run_ids() == {RUN}
