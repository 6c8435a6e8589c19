"""Shares launches with all machines of a store: durable there before a launch is sent (rule 2 of `core.py`).

`intents/<launch id>.json` is written before the POST and stays until all runs are in finished results, or the launch is
known never to have happened. A machine without this journal imports such a launch as unconfirmed, unless the document
has its result, and searches for it. So calls are neither repeated nor lost.

Prompts are shared only by digest, which suffices to find them; phone numbers not at all.

Of two concurrent sessions, the second writer sees the first one's launches and does not repeat their calls.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import anyio
import anyio.to_thread

from planner.errors import StoreError, UsageError
from planner.execution.consent_sharing import ConsentSharing, ConsentWrite
from planner.execution.events import Imported, Moved, RequesterLearned
from planner.execution.intent_documents import (
    PREFIX,
    RESULTS,
    IntentDocument,
    Reading,
    SessionCalls,
    SlotDocument,
    key_of,
    launch_id_of,
    merged,
)
from planner.execution.journal import Journal
from planner.execution.launches import KNOWN, LIVE, UNSETTLED, Launch, LaunchIntent, LaunchState, Slot, SlotIntent
from planner.execution.preview_sharing import PreviewSharing
from planner.execution.reconciling import prompt_key
from planner.providers.base import Line, Target
from planner.results.store import Reader, Store
from planner.values import frozen


class OvertakenError(StoreError):
    """Another session is making, or has made, the same calls."""


@frozen
class KnownCall:
    """A call of today's plans, which restores the redacted parts of a shared launch."""

    case_id: str
    plan: str
    target_number: str | None


Calls = Mapping[tuple[str, str], KnownCall]


@dataclass(slots=True)
class _Queued:
    intent: LaunchIntent
    done: bool = False
    error: StoreError | UsageError | None = None


@frozen
class _Outcome:
    """What became of a launch, and its slots as the store shows them."""

    launch: Launch
    slots: Sequence[SlotDocument]
    requesters: frozenset[int]
    claimed: AbstractSet[int]
    """Runs that this machine knows, of any launch."""


@frozen
class Write:
    """New intents, and the outcomes of earlier ones, by key; and the consent under which the new ones are sent."""

    documents: Mapping[str, IntentDocument]
    outcomes: Mapping[str, _Outcome]
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
        self._seen.update(self._store.keys(RESULTS))
        imported = 0
        for key in self._store.keys(PREFIX):
            self._seen.add(key)
            if (data := self._store.get(key)) is None:
                continue
            document, launch = self._reading.launch(key, data), self._journal.launch(launch_id_of(key))
            if launch is None:
                self._import(self._without_taken_runs(document), calls)
                imported += 1
            elif launch.state is LaunchState.UNCONFIRMED:
                self._adopt(document, launch)
            if document.state not in KNOWN:
                self._unmarked.add(key)
        return imported

    def _without_taken_runs(self, document: IntentDocument) -> IntentDocument:
        """This machine may have found the launch's runs for an equal one. Then it gets those that the store knows of
        the other, so that each run counts once."""
        claimed = self._journal.claimed_run_ids()
        holders = {slot.launch_id for run_id in document.all_run_ids if (slot := self._journal.slot_of_run(run_id))}
        if document.state not in KNOWN or len(holders) != 1 or not document.all_run_ids <= claimed:
            return document
        key = key_of(holders.pop())
        data = self._store.get(key)
        runs = frozenset[int]() if data is None else self._reading.launch(key, data).all_run_ids - claimed
        if len(runs) != len(document.slots):
            return document
        unknown: dict[str, None] = dict.fromkeys(("run_id", "evidence", "cost_cents", "completed_at", "consumed_by"))
        slots = tuple(slot.model_copy(update=unknown) for slot in document.slots)
        return document.model_copy(update={"run_ids": tuple(sorted(runs)), "slots": slots})

    def _adopt(self, document: IntentDocument, launch: Launch) -> None:
        """Another machine has found an unconfirmed launch of ours."""
        run_ids = document.all_run_ids
        if document.state in KNOWN and run_ids and not run_ids & self._journal.claimed_run_ids():
            bindings = {number: slot.run_id for number, slot in enumerate(document.slots) if slot.run_id is not None}
            self._journal.record(
                Moved(
                    launch.launch_id,
                    LaunchState.ADOPTED,
                    launch.detail,
                    document.batch_id,
                    tuple(sorted(run_ids)),
                    bindings,
                )
            )

    def _is_known(self, key: str) -> bool:
        launch = self._journal.launch(launch_id_of(key))
        return launch is not None and launch.state in KNOWN

    def _import(self, document: IntentDocument, calls: Calls) -> None:
        slots = tuple(_slot(document.launch_id, n, slot, calls) for n, slot in enumerate(document.slots))
        known = [calls.get((slot.case_id, slot.call_fingerprint)) for slot in document.slots]
        numbers = {call.target_number if call else None for call in known}
        state, detail = document.state_elsewhere(self._journal.claimed_run_ids())
        self._journal.record(
            Imported(
                Launch(
                    launch_id=document.launch_id,
                    session_id=document.session_id,
                    consent_id=document.consent_id,
                    state=state,
                    line=Line(
                        document.target_type,
                        document.target_id,
                        document.direction,
                        document.mode,
                        numbers.pop() if len(numbers) == 1 else None,
                        document.stagger_seconds,
                    ),
                    name=document.name,
                    sent_at=document.sent_at,
                    slack_seconds=document.slack_seconds,
                    batch_id=document.batch_id,
                    run_ids=document.run_ids,
                    detail=detail,
                ),
                slots,
                credential=document.credential,
            )
        )
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
        claimed = self._journal.claimed_run_ids()
        known = ((key, self._outcome_of(launch_id_of(key), claimed)) for key in sorted(self._unmarked))
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
            OverCeilingError: of all machines together, they would be above a ceiling.
            StoreError, UsageError: nothing may be sent.
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
        try:
            self._check_concurrent(self._store, documents)  # for stores without a transaction over all keys
        except OvertakenError:
            self._store.update(lambda _: dict.fromkeys(documents))
            raise

    def _check_concurrent(self, now: Reader, documents: Mapping[str, IntentDocument]) -> None:
        """Raises `OvertakenError` if another session has started one of these calls since we planned them. It may have
        ended meanwhile: then its results have them."""
        mine = {(slot.case_id, slot.call_fingerprint) for document in documents.values() for slot in document.slots}
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

    def is_called_elsewhere(self, target: Target) -> bool:
        """Whether another session may be making calls to this target."""
        for key in self._store.keys(PREFIX):
            if self._journal.launch(launch_id_of(key)) is None and (data := self._store.get(key)) is not None:
                other = self._reading.launch(key, data)
                if (other.target_type, other.target_id) == target:
                    return True
        return False

    # Results of launches

    def outcome(self, now: Reader) -> dict[str, bytes | None]:
        """The current documents of the store's launches and previews: finished ones are deleted, others updated,
        unknown ones unchanged."""
        claimed = self._journal.claimed_run_ids()
        known = ((key, self._outcome_of(launch_id_of(key), claimed)) for key in now.keys(PREFIX))
        outcomes = {key: outcome for key, outcome in known if outcome is not None}
        slots = (slot for launch in self._journal.launches(KNOWN) for slot in self._journal.slots_of(launch.launch_id))
        consumed = {slot.run_id for slot in slots if slot.run_id is not None and slot.consumed_by is not None}
        consents = self.consents.outcome(now, map(launch_id_of, outcomes))
        return {**consents, **self.previews.outcome(now), **self._writes(now, outcomes, consumed)}

    def _outcome_of(self, launch_id: str, claimed: AbstractSet[int]) -> _Outcome | None:
        """None for an unknown launch."""
        launch = self._journal.launch(launch_id)
        if launch is None:
            return None
        slots = [self._redacted(slot) for slot in self._journal.slots_of(launch_id)]
        return _Outcome(launch, slots, self._journal.requesters_of(launch_id), claimed)

    def _writes(
        self, now: Reader, outcomes: Mapping[str, _Outcome], consumed: AbstractSet[int] = frozenset()
    ) -> dict[str, bytes | None]:
        """`consumed` are runs in finished results. Of equal launches, two machines may match a run to different ones:
        what the store knows of a launch is never replaced by less."""
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
            is_same = launch.state in KNOWN and not stored.all_run_ids.isdisjoint(launch.run_ids)
            is_better = launch.state in KNOWN and bool(launch.run_ids) and stored.all_run_ids <= outcome.claimed
            is_mine = is_same or is_better  # the other machine gave the launch runs of an equal one
            if stored.state in KNOWN and stored.all_run_ids and not is_mine:
                if stored.all_run_ids <= consumed:
                    writes[key] = None
                continue
            slots = [merged(one, other) for one, other in zip(mine, stored.slots, strict=True)]
            if is_better and not is_same and stored.all_run_ids:
                slots = list(mine)
            if launch.state not in LIVE or all(slot.consumed_by for slot in slots):
                writes[key] = None
            elif launch.state is not LaunchState.INTENDED:
                writes[key] = _current(stored, outcome, slots).model_dump_json().encode()
        return writes

    # Documents

    def _document(self, intent: LaunchIntent) -> IntentDocument:
        line = asdict(intent.line)
        del line["target_number"]
        known = {name: getattr(intent, name) for name in IntentDocument.model_fields if hasattr(intent, name)}
        return IntentDocument.model_validate(
            known
            | line
            | {
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


def _current(stored: IntentDocument, outcome: _Outcome, slots: Iterable[SlotDocument]) -> IntentDocument:
    launch, requesters = outcome.launch, {*stored.requesters, *outcome.requesters}
    return stored.model_copy(
        update={
            "state": launch.state,
            "slack_seconds": launch.slack_seconds,
            "batch_id": launch.batch_id,
            "run_ids": launch.run_ids,
            "requesters": tuple(sorted(requesters)),
            "slots": tuple(slots),
        }
    )


def _slot(launch_id: str, ordinal: int, document: SlotDocument, calls: Calls) -> Slot:
    slot = Slot(launch_id=launch_id, ordinal=ordinal, **document.model_dump())
    known = calls.get((document.case_id, document.call_fingerprint))
    return replace(slot, case_id=known.case_id, plan=known.plan) if known else slot
