"""Shares launches with all machines of a store: durable there before a launch is sent (rule 2 of `core.py`).

`intents/<launch id>.json` is written before the POST and stays until all runs are in finished results, or the launch is
known never to have happened. A machine without this journal imports such a launch as unconfirmed, unless the document
has its result, and searches for it. So calls are neither repeated nor lost.

Prompts are shared only by digest, which suffices to find them; phone numbers not at all.

Of two concurrent sessions, the second writer sees the first one's launches and does not repeat their calls. Of equal
launches, two machines may match the runs in another order: each run in the store counts once, and each launch without
one is searched for.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Final

import anyio
import anyio.to_thread

from planner.errors import StoreError, UsageError
from planner.execution.consent_sharing import ConsentSharing, ConsentWrite
from planner.execution.events import Imported, Moved, RequesterLearned
from planner.execution.intent_documents import (
    PREFIX,
    RESULTS,
    IntentDocument,
    Outcome,
    Reading,
    SessionCalls,
    SlotDocument,
    key_of,
    launch_id_of,
    merged,
)
from planner.execution.journal import Journal
from planner.execution.launches import KNOWN, LIVE, UNSETTLED, Launch, LaunchIntent, LaunchState, Slot, SlotIntent
from planner.execution.ledger import OverCeilingError
from planner.execution.preview_sharing import PreviewSharing
from planner.execution.reconciling import prompt_key, unconfirmed_launches
from planner.execution.requester_sharing import RequesterSharing
from planner.providers.base import Target
from planner.stores.store import Reader, Store
from planner.values import common_fields, frozen


class OvertakenError(StoreError):
    """Another session is making, or has made, the same calls."""


@frozen
class KnownCall:
    """A call of today's plans, which restores the redacted parts of a shared launch."""

    case_id: str
    plan: str
    target_number: str | None


Calls = Mapping[tuple[str, str], KnownCall]
_AFTER_A_KILL: Final = {LaunchState.INTENDED: LaunchState.UNSENT, LaunchState.SENT: LaunchState.UNCONFIRMED}
"""The states of launches of a process that was killed."""


class Counted(Enum):
    NONE = "none"
    SOME = "some"
    ALL = "all"


@dataclass(slots=True)
class _Queued:
    intent: LaunchIntent
    done: bool = False
    error: StoreError | UsageError | None = None


@frozen
class Write:
    """New intents, and the outcomes of earlier ones, by key; and the consent under which the new ones are sent."""

    documents: Mapping[str, IntentDocument]
    outcomes: Mapping[str, Outcome]
    consent: ConsentWrite | None = None


class IntentSharing:
    """Connects a journal to a shared store. `show_name` redacts a case id or plan name."""

    def __init__(
        self, store: Store, journal: Journal, *, show_name: Callable[[str], str], now: datetime | None = None
    ) -> None:
        """Launches much later than `now` are refused."""
        self._store = store
        self._reading = Reading(store, now)
        self._journal = journal
        self.previews = PreviewSharing(store, journal, now)
        self.requesters = RequesterSharing(store, journal)
        self.consents = ConsentSharing(store, journal, show_name=show_name, now=now)
        self._show_name = show_name
        self._seen: set[str] = set()
        """Keys of launches and results that this session knew when it planned its calls, and of its own launches."""
        self._theirs: dict[str, SessionCalls] = {}
        """Of later ones, by key."""
        self._unmarked: set[str] = set()
        """Keys of launches whose outcome the store does not have yet."""
        self._queue: list[_Queued] = []
        self._turn = anyio.Lock()

    # What others launched

    def import_launches(self, calls: Calls) -> int:
        """Import unknown launches and previews of the store; return the number of launches. `calls` are by redacted
        case id and fingerprint.

        Raises:
            StoreError, UsageError: a document cannot be read. It is never skipped: its calls would be paid for again.
        """
        self.previews.import_all()
        self.requesters.import_all()
        self._seen.update(self._store.keys(RESULTS))
        imported, keys = 0, list(self._store.keys(PREFIX))
        self._store.prepare(keys)
        for key in keys:
            self._seen.add(key)
            if (data := self._store.get(key)) is None:
                continue
            document = self._reading.launch(key, data)
            imported += self._import(document, calls)
            if document.state not in KNOWN:
                self._unmarked.add(key)
        return imported

    def _import(self, document: IntentDocument, calls: Calls) -> bool:
        """Whether the launch is new here.

        Machines may match the runs of equal launches to them in another order. Then a launch whose runs this machine
        counts for an equal one is open, and one that it saw refused or absent has the run of an equal one.
        """
        launch = self._journal.launch(document.launch_id)
        is_known, counted = document.state in KNOWN, self._counted(document)
        if launch is None:
            self._add(document, calls, has_runs=is_known and counted is not Counted.ALL)
        elif launch.state not in KNOWN and is_known and counted is Counted.NONE:
            self._adopt(document, launch)
        return launch is None

    def _counted(self, document: IntentDocument) -> Counted:
        """How many runs of a launch this machine counts already, for it or for an equal one."""
        run_ids, claimed = document.all_run_ids, self._journal.claimed_run_ids()
        if not run_ids:
            return Counted.ALL if document.batch_id in self._journal.claimed_batch_ids() else Counted.NONE
        if run_ids <= claimed:
            return Counted.ALL
        return Counted.NONE if run_ids.isdisjoint(claimed) else Counted.SOME

    def _adopt(self, document: IntentDocument, launch: Launch) -> None:
        """Another machine has found runs for this launch."""
        if (state := _AFTER_A_KILL.get(launch.state)) is not None:
            self._journal.record(Moved(launch.launch_id, state, launch.detail))
        bindings = {number: slot.run_id for number, slot in enumerate(document.slots) if slot.run_id is not None}
        self._journal.record(
            Moved(
                launch.launch_id,
                LaunchState.ADOPTED,
                launch.detail,
                document.batch_id,
                tuple(sorted(document.all_run_ids)),
                bindings,
            )
        )

    def _add(self, document: IntentDocument, calls: Calls, *, has_runs: bool) -> None:
        if not has_runs:
            document = document.without_runs()
        slots = tuple(_slot(document.launch_id, n, slot, calls) for n, slot in enumerate(document.slots))
        known = [calls.get((slot.case_id, slot.call_fingerprint)) for slot in document.slots]
        numbers = {call.target_number if call else None for call in known}
        launch = replace(
            Launch(**common_fields(document, Launch)),
            line=replace(document.line, target_number=numbers.pop() if len(numbers) == 1 else None),
            state=document.state if has_runs else LaunchState.UNCONFIRMED,
            detail="" if has_runs else "launched by another session, which may not have ended",
        )
        self._journal.record(Imported(launch, slots, credential=document.credential))
        for requester in {*document.requesters} - self._journal.requesters(document.credential):
            self._journal.record(RequesterLearned(document.credential, requester))

    # What we launch

    async def share(self, intent: LaunchIntent) -> None:
        """Share an intent; return when it is durable. Concurrent intents are written together.

        Raises:
            OvertakenError: another session has launched the same calls; this intent is withdrawn.
            StoreError, UsageError: it may not be durable and must not be sent.
        """
        mine = _Queued(intent)
        self._queue.append(mine)
        async with self._turn:
            if not mine.done:
                batch, self._queue = self._queue, []
                await self._share(batch)
        if mine.error is not None:
            raise mine.error

    async def _share(self, batch: Sequence[_Queued]) -> None:
        error: StoreError | UsageError | None = StoreError("the launch was interrupted before it was shared")
        try:
            write = self.prepare([item.intent for item in batch])
            # In another thread, so that runs are still watched; an interruption does not wait for it.
            await anyio.to_thread.run_sync(self.put, write, abandon_on_cancel=True)
            error = None
        except (StoreError, UsageError) as failure:
            error = failure
        finally:
            for item in batch:
                item.done, item.error = True, error

    def prepare(self, intents: Iterable[LaunchIntent]) -> Write:
        """The next write: these intents, and what became of earlier ones. On another machine, a refused launch without
        a mark would be unconfirmed."""
        known = ((key, self._outcome_of(launch_id_of(key))) for key in sorted(self._unmarked))
        outcomes = {
            key: outcome for key, outcome in known if outcome is not None and outcome.launch.state not in UNSETTLED
        }
        documents = {key_of(intent.launch_id): self._document(intent) for intent in intents}
        self._unmarked |= documents.keys()
        return Write(documents, outcomes, self.consents.prepare())

    def put(self, write: Write) -> None:
        """Write these before the intents are sent. Runs in another thread, so it must not use the journal.

        Raises:
            OvertakenError: another session has launched the same calls; the intents are withdrawn.
            StoreError (also `OverCeilingError`), UsageError: nothing may be sent.
        """
        documents = write.documents

        def change(now: Reader) -> Mapping[str, bytes | None]:
            self._check_concurrent(now, documents)
            consents = {} if write.consent is None else self.consents.reserved(now, write.consent)
            written = {key: document.model_dump_json().encode() for key, document in documents.items()}
            # Stores that write key by key may be left in between: a reservation without its launch would be void.
            return {**written, **consents, **self._writes(now, write.outcomes)}

        self._store.update(change)
        self._unmarked -= write.outcomes.keys()
        self._seen.update(documents)
        try:  # again, for stores without a transaction over all keys
            self._check_concurrent(self._store, documents)
            if write.consent is not None:
                self.consents.check_months(write.consent)
        except (OvertakenError, OverCeilingError):
            self._store.update(lambda _: dict.fromkeys(documents))
            raise

    def _check_concurrent(self, now: Reader, documents: Mapping[str, IntentDocument]) -> None:
        """Raises `OvertakenError` if another session has started one of these calls since we planned them. It may have
        ended meanwhile: then its results have them."""
        mine = {slot.call_fingerprint for document in documents.values() for slot in document.slots}
        for key in (*now.keys(PREFIX), *now.keys(RESULTS)):
            if key in self._seen or key in documents:
                continue
            if key not in self._theirs and (data := now.get(key)) is not None:
                self._theirs[key] = self._reading.calls(key, data)
            if key in self._theirs and mine & self._theirs[key].calls:
                raise OvertakenError(
                    f"session {self._theirs[key].session_id} is making the same calls",
                    "Nothing is called twice. When it has ended, run the same command for the rest.",
                )

    def is_called(self, target: Target, since: datetime) -> bool:
        """Whether the store has an open launch to this target that was sent after `since`, or that is new: until its
        runs are in finished results there, some machine may still need the target."""
        return any(self._is_to(key, target, since) for key in self._store.keys(PREFIX))

    def _is_to(self, key: str, target: Target, since: datetime) -> bool:
        if (known := self._journal.launch(launch_id_of(key))) is not None:
            return known.line.target == target and known.sent_at > since
        if (data := self._store.get(key)) is None:
            return False
        other = self._reading.launch(key, data)
        return other.line.target == target and other.sent_at > since

    # Results of launches

    def outcome(self, now: Reader) -> dict[str, bytes | None]:
        """The current documents of the store's launches and previews: finished ones are deleted, others updated,
        unknown ones unchanged."""
        known = ((key, self._outcome_of(launch_id_of(key))) for key in now.keys(PREFIX))
        outcomes = {key: outcome for key, outcome in known if outcome is not None}
        slots = (slot for launch in self._journal.launches(KNOWN) for slot in self._journal.slots_of(launch.launch_id))
        consumed = {slot.run_id for slot in slots if slot.run_id is not None and slot.consumed_by is not None}
        consents = self.consents.outcome(now, map(launch_id_of, outcomes))
        writes = self._writes(now, outcomes, consumed)
        return consents | self.requesters.outcome(now) | self.previews.outcome(now) | writes

    def _outcome_of(self, launch_id: str) -> Outcome | None:
        """None for an unknown launch."""
        launch = self._journal.launch(launch_id)
        if launch is None:
            return None
        slots = [self._redacted(slot) for slot in self._journal.slots_of(launch_id)]
        equal = self._equal_found(launch) if launch.state is LaunchState.ABSENT else ()
        return Outcome(launch, slots, self._journal.requesters_of(launch_id), equal)

    def _equal_found(self, launch: Launch) -> list[Launch]:
        wanted, *others = unconfirmed_launches([launch, *self._journal.launches([LaunchState.ADOPTED])], self._journal)
        return [
            other.launch
            for other in others
            if other.has_run_like(wanted) and any(slot.consumed_by is None for slot in other.slots)
        ]

    def _writes(
        self, now: Reader, outcomes: Mapping[str, Outcome], consumed: AbstractSet[int] = frozenset()
    ) -> dict[str, bytes | None]:
        """`consumed` are runs in finished results.

        Machines may match a run to different ones of equal launches, and yet no run may be in none of them. So the runs
        that the store has for a launch are not replaced, and a launch that was not found here stays if the run of an
        equal one is nowhere else: it may have made that run.
        """
        writes: dict[str, bytes | None] = {}
        for key, outcome in outcomes.items():
            launch, mine = outcome.launch, outcome.slots
            if (data := now.get(key)) is None:
                continue
            stored = self._reading.launch(key, data)
            if len(mine) != len(stored.slots):
                raise self._reading.impossible(
                    key, f"slots: {len(stored.slots)}, where the launch asked for {len(mine)}"
                )
            if stored.state in KNOWN and not (launch.state in KNOWN and stored.has_runs_of(launch)):
                if stored.all_run_ids and stored.all_run_ids <= consumed:
                    writes[key] = None
                continue
            if not all(self._has_runs_of(now, found) for found in outcome.equal):
                continue
            slots = [merged(one, other) for one, other in zip(mine, stored.slots, strict=True)]
            if launch.state not in LIVE or all(slot.consumed_by for slot in slots):
                writes[key] = None
            elif launch.state is not LaunchState.INTENDED:
                writes[key] = outcome.document(stored, slots).model_dump_json().encode()
        return writes

    def _has_runs_of(self, now: Reader, launch: Launch) -> bool:
        """Whether the store has this launch with its runs, or gets them with this write."""
        key = key_of(launch.launch_id)
        if (data := now.get(key)) is None:
            return False
        stored = self._reading.launch(key, data)
        return stored.state not in KNOWN or stored.has_runs_of(launch)

    # Documents

    def _document(self, intent: LaunchIntent) -> IntentDocument:
        known = {name: getattr(intent, name) for name in IntentDocument.model_fields if hasattr(intent, name)}
        return IntentDocument.model_validate(
            known
            | {
                "line": replace(intent.line, target_number=None),
                "state": LaunchState.INTENDED,
                "requesters": tuple(sorted(self._journal.requesters(intent.credential))),
                "slots": tuple(self._redacted(slot) for slot in intent.slots),
            }
        )

    def _redacted(self, slot: SlotIntent | Slot) -> SlotDocument:
        known = {name: getattr(slot, name) for name in SlotDocument.model_fields if hasattr(slot, name)}
        return SlotDocument.model_validate(
            known
            | {
                "case_id": self._show_name(slot.case_id),
                "plan": self._show_name(slot.plan),
                "prompt": prompt_key(slot.prompt),
            }
        )


def _slot(launch_id: str, ordinal: int, document: SlotDocument, calls: Calls) -> Slot:
    slot = Slot(launch_id=launch_id, ordinal=ordinal, **document.model_dump())
    known = calls.get((document.case_id, document.call_fingerprint))
    return replace(slot, case_id=known.case_id, plan=known.plan) if known else slot
