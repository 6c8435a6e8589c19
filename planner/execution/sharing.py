"""Shares launches with all machines of a store: durable there before a launch is sent (rule 2 of `core.py`).

`intents/<launch id>.json` is written before the POST and stays until all runs are in finished results, or the launch is
known never to have happened. A machine without this journal imports such a launch as unconfirmed, unless the document
has its result, and searches for it. So calls are neither repeated nor lost.

Prompts are shared only by digest, which suffices to find them; phone numbers not at all.

Of two concurrent sessions, the second writer sees the first one's launches and does not repeat their calls.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Annotated, Final

import anyio
import anyio.to_thread
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from planner.bounds import SERVER_CLOCK_SKEW, Cents, Seconds, ServiceId, is_possible
from planner.errors import StoreError, UsageError
from planner.execution.events import Imported, RequesterLearned
from planner.execution.journal import Journal
from planner.execution.launches import KNOWN, LIVE, UNSETTLED, Launch, LaunchIntent, LaunchState, Slot, SlotIntent
from planner.execution.preview_sharing import PreviewSharing
from planner.execution.reconciling import prompt_key
from planner.providers.base import Line, Target
from planner.results.documents import schema_major
from planner.results.store import Reader, Store
from planner.values import frozen

SCHEMA_VERSION: Final = "1.0"
PREFIX: Final = "intents/"
RESULTS: Final = "runs/"
_MOST_RUNS: Final = 1000
"""Per launch; planner sends at most `LARGEST_BATCH`."""
_LONGEST_TEXT: Final = 65_536
"""Of a name; prompts are not shared."""


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True, str_max_length=_LONGEST_TEXT)


class SlotDocument(_Document):
    """`prompt` is its `reconciling.prompt_key`; the rest is the slot, redacted."""

    case_id: str
    plan: str
    prompt: str
    call_fingerprint: str
    agent_revision: str | None = None
    configuration: str | None = None
    reserved_cents: Cents
    run_id: ServiceId | None = None
    evidence: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    cost_cents: Cents | None = None
    completed_at: AwareDatetime | None = None
    consumed_by: str | None = None


_LEARNED: Final = ("run_id", "evidence", "cost_cents", "completed_at", "consumed_by")
"""Fields of a slot that are unknown at first."""


class IntentDocument(_Document):
    """`credential` is a digest of the API key; `requesters` are its ids at the service."""

    schema_version: str = SCHEMA_VERSION
    launch_id: str
    invocation_id: str
    consent_id: str
    state: LaunchState
    target_type: str
    target_id: ServiceId
    direction: str
    mode: str
    stagger_seconds: Annotated[int, Field(ge=0, le=60)]
    name: str
    sent_at: AwareDatetime
    slack_seconds: Seconds
    batch_id: ServiceId | None = None
    run_ids: Annotated[tuple[ServiceId, ...], Field(max_length=_MOST_RUNS)] = ()
    credential: str = ""
    requesters: Annotated[tuple[ServiceId, ...], Field(max_length=_MOST_RUNS)] = ()
    slots: Annotated[tuple[SlotDocument, ...], Field(min_length=1, max_length=_MOST_RUNS)]


class _CaseDocument(_Document):
    case_id: str
    call_fingerprint: str
    action: str
    runs: list[object] = []


class _SessionDocument(_Document):
    """Of a session's results: which calls it made."""

    invocation_id: str
    cases: list[_CaseDocument]


class OvertakenError(StoreError):
    """Another session is making, or has made, the same calls."""


@frozen
class _Theirs:
    """The calls of another session, as (redacted case id, fingerprint)."""

    invocation_id: str
    calls: frozenset[tuple[str, str]]


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


@frozen
class Write:
    """New intents, and the outcomes of earlier ones. By key."""

    documents: Mapping[str, IntentDocument]
    outcomes: Mapping[str, _Outcome]


class IntentSharing:
    """Connects a journal to a shared store. `show_name` redacts a case id or plan name."""

    def __init__(
        self, store: Store, journal: Journal, *, show_name: Callable[[str], str], now: datetime | None = None
    ) -> None:
        """Launches much later than `now` are refused."""
        self._now = now
        self._store = store
        self._journal = journal
        self.previews = PreviewSharing(store, journal, now)
        self._show_name = show_name
        self._seen: set[str] = set()
        """Keys of launches and results that this session knew when it planned its calls, and of its own launches."""
        self._theirs: dict[str, _Theirs] = {}
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
            if self._journal.launch(_launch_id(key)) is None and (data := self._store.get(key)) is not None:
                self._import(self._read(key, data), calls)
                imported += 1
            if not self._is_known(key):
                self._unmarked.add(key)
        return imported

    def _is_known(self, key: str) -> bool:
        launch = self._journal.launch(_launch_id(key))
        return launch is not None and launch.state in KNOWN

    def _import(self, document: IntentDocument, calls: Calls) -> None:
        slots = tuple(_slot(document.launch_id, n, slot, calls) for n, slot in enumerate(document.slots))
        known = [calls.get((slot.case_id, slot.call_fingerprint)) for slot in document.slots]
        numbers = {call.target_number if call else None for call in known}
        state = document.state if document.state in KNOWN else LaunchState.AMBIGUOUS
        self._journal.record(
            Imported(
                Launch(
                    launch_id=document.launch_id,
                    invocation_id=document.invocation_id,
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
                    detail="" if state in KNOWN else "launched by another session, which may not have ended",
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
        known = ((key, self._outcome_of(_launch_id(key))) for key in sorted(self._unmarked))
        outcomes = {
            key: outcome for key, outcome in known if outcome is not None and outcome.launch.state not in UNSETTLED
        }
        documents = {_key(intent.launch_id): self._document(intent) for intent in intents}
        self._unmarked = self._unmarked - outcomes.keys() | documents.keys()
        return Write(documents, outcomes)

    def put(self, write: Write) -> None:
        """Write these before the intents are sent. Runs in another thread, so it must not use the journal.

        Raises:
            OvertakenError: another session has launched the same calls; the intents are withdrawn.
            StoreError, UsageError: nothing may be sent.
        """
        documents = write.documents

        def change(now: Reader) -> Mapping[str, bytes | None]:
            self._check_concurrent(now, documents)
            written = {key: document.model_dump_json().encode() for key, document in documents.items()}
            return written | self._writes(now, write.outcomes)

        self._store.update(change)
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
                self._theirs[key] = self._calls_of(key, data)
            if key in self._theirs and mine & self._theirs[key].calls:
                raise OvertakenError(
                    f"session {self._theirs[key].invocation_id} is making the same calls",
                    "Nothing is called twice. When it has ended, run the same command for the rest.",
                )

    def _calls_of(self, key: str, data: bytes) -> _Theirs:
        if key.startswith(PREFIX):
            launch = self._read(key, data)
            return _Theirs(
                launch.invocation_id, frozenset((slot.case_id, slot.call_fingerprint) for slot in launch.slots)
            )
        try:
            session = _SessionDocument.model_validate_json(data)
        except ValidationError as error:
            raise self._impossible(key, error.errors(include_url=False)[0]["msg"]) from error
        made = (case for case in session.cases if case.runs and case.action == "call")
        return _Theirs(session.invocation_id, frozenset((case.case_id, case.call_fingerprint) for case in made))

    def is_called_elsewhere(self, target: Target) -> bool:
        """Whether another session may be making calls to this target."""
        for key in self._store.keys(PREFIX):
            if self._journal.launch(_launch_id(key)) is None and (data := self._store.get(key)) is not None:
                other = self._read(key, data)
                if (other.target_type, other.target_id) == target:
                    return True
        return False

    # Results of launches

    def outcome(self, now: Reader) -> dict[str, bytes | None]:
        """The current documents of the store's launches and previews: finished ones are deleted, others updated,
        unknown ones unchanged."""
        known = ((key, self._outcome_of(_launch_id(key))) for key in now.keys(PREFIX))
        outcomes = {key: outcome for key, outcome in known if outcome is not None}
        return {**self.previews.outcome(now), **self._writes(now, outcomes)}

    def _outcome_of(self, launch_id: str) -> _Outcome | None:
        """None for an unknown launch."""
        launch = self._journal.launch(launch_id)
        if launch is None:
            return None
        slots = [self._redacted(slot) for slot in self._journal.slots_of(launch_id)]
        return _Outcome(launch, slots, self._journal.requesters_of(launch_id))

    def _writes(self, now: Reader, outcomes: Mapping[str, _Outcome]) -> dict[str, bytes | None]:
        writes: dict[str, bytes | None] = {}
        for key, outcome in outcomes.items():
            launch, mine = outcome.launch, outcome.slots
            if (data := now.get(key)) is None:
                continue
            stored = self._read(key, data)
            if len(mine) != len(stored.slots):
                raise self._impossible(key, f"slots: {len(stored.slots)}, where the launch asked for {len(mine)}")
            slots = [_merged(one, other) for one, other in zip(mine, stored.slots, strict=True)]
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

    def _read(self, key: str, data: bytes) -> IntentDocument:
        _refuse_newer(key, data)
        try:
            document = IntentDocument.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise self._impossible(key, f"{where}: {first['msg']}" if where else first["msg"]) from error
        if document.launch_id != _launch_id(key):
            raise self._impossible(key, f"launch_id: it names launch {document.launch_id[:80]!r}")
        ended = [slot.completed_at for slot in document.slots if slot.completed_at is not None]
        for moment in (document.sent_at, *ended):
            if not is_possible(moment, self._now, SERVER_CLOCK_SKEW):
                raise self._impossible(key, f"{moment.isoformat()} is no time of a launch")
        return document

    def _impossible(self, key: str, why: str) -> StoreError:
        return StoreError(
            f"the shared launch {key} cannot be read: {why}",
            f"Check {self._store.locate(key)}. No call is made while it cannot be read, since its calls may be under "
            "way. If none of your jobs wrote it, remove it from the store.",
        )


def _refuse_newer(key: str, data: bytes) -> None:
    """Raises `UsageError` for a document of a newer planner."""
    try:
        major = schema_major(from_json(data))
    except ValueError:
        return
    if major is not None and major > int(SCHEMA_VERSION.partition(".")[0]):
        raise UsageError(f"the shared launch {key} was written by a newer planner", "Upgrade planner to read it.")


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


def _merged(mine: SlotDocument, theirs: SlotDocument) -> SlotDocument:
    """Merge what both know; consumed stays consumed."""
    missing = [name for name in _LEARNED if getattr(mine, name) is None]
    return mine.model_copy(update={name: getattr(theirs, name) for name in missing})


def _slot(launch_id: str, ordinal: int, document: SlotDocument, calls: Calls) -> Slot:
    slot = Slot(launch_id=launch_id, ordinal=ordinal, **document.model_dump())
    known = calls.get((document.case_id, document.call_fingerprint))
    return replace(slot, case_id=known.case_id, plan=known.plan) if known else slot


def _key(launch_id: str) -> str:
    return f"{PREFIX}{launch_id}.json"


def _launch_id(key: str) -> str:
    return key.removeprefix(PREFIX).removesuffix(".json")
