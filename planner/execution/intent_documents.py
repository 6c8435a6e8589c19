"""Documents of launches in a shared store, and which calls the documents of another session show."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from planner.bounds import SERVER_CLOCK_SKEW, Cents, Seconds, ServiceId, is_possible
from planner.errors import StoreError, UsageError
from planner.execution.launches import Launch, LaunchState
from planner.providers.base import Line
from planner.results.documents import schema_major
from planner.stores.store import Store
from planner.values import frozen

SCHEMA_VERSION: Final = "2.0"
PREFIX: Final = "intents/"
RESULTS: Final = "runs/"
"""Results of sessions."""
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
    session_id: str
    consent_id: str
    state: LaunchState
    line: Line
    """Without its number, which is not shared."""
    name: str
    sent_at: AwareDatetime
    slack_seconds: Seconds
    batch_id: ServiceId | None = None
    run_ids: Annotated[tuple[ServiceId, ...], Field(max_length=_MOST_RUNS)] = ()
    credential: str = ""
    requesters: Annotated[tuple[ServiceId, ...], Field(max_length=_MOST_RUNS)] = ()
    slots: Annotated[tuple[SlotDocument, ...], Field(min_length=1, max_length=_MOST_RUNS)]

    @property
    def all_run_ids(self) -> frozenset[int]:
        return frozenset({*self.run_ids, *(slot.run_id for slot in self.slots if slot.run_id is not None)})

    def has_runs_of(self, launch: Launch) -> bool:
        """Whether these are the runs that a machine knows of the launch, as far as both know them."""
        is_same_batch = self.batch_id is not None and self.batch_id == launch.batch_id
        return is_same_batch or not self.all_run_ids.isdisjoint(launch.run_ids)

    def without_runs(self) -> Self:
        slots = tuple(slot.model_copy(update=dict.fromkeys(_LEARNED)) for slot in self.slots)
        return self.model_copy(update={"batch_id": None, "run_ids": (), "slots": slots})


@frozen
class Outcome:
    """What became of a launch, and its slots as the store shows them."""

    launch: Launch
    slots: Sequence[SlotDocument]
    requesters: frozenset[int]
    equal: Sequence[Launch] = ()
    """If it was not found: launches that asked for the same, were found, and are in no finished results."""

    def document(self, stored: IntentDocument, slots: Iterable[SlotDocument]) -> IntentDocument:
        launch = self.launch
        return stored.model_copy(
            update={
                "state": launch.state,
                "slack_seconds": launch.slack_seconds,
                "batch_id": launch.batch_id,
                "run_ids": launch.run_ids,
                "requesters": tuple(sorted({*stored.requesters, *self.requesters})),
                "slots": tuple(slots),
            }
        )


class _CaseDocument(_Document):
    case_id: str
    call_fingerprint: str
    action: str
    runs: list[object] = []


class _SessionDocument(_Document):
    """Of a session's results: which calls it made."""

    session_id: str
    cases: list[_CaseDocument]


@frozen
class SessionCalls:
    """The fingerprints of a session's calls. Two cases may make the same calls: another machine may take the run of one
    for that of the other."""

    session_id: str
    calls: frozenset[str]


@frozen
class Reading:
    """Reads documents of `store`. Launches much later than `now` are refused."""

    store: Store
    now: datetime | None

    def launch(self, key: str, data: bytes) -> IntentDocument:
        """Raises `StoreError`, `UsageError`: it cannot be read."""
        _refuse_newer(key, data)
        try:
            document = IntentDocument.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise self.impossible(key, f"{where}: {first['msg']}" if where else first["msg"]) from error
        if document.launch_id != launch_id_of(key):
            raise self.impossible(key, f"launch_id: it names launch {document.launch_id[:80]!r}")
        ended = [slot.completed_at for slot in document.slots if slot.completed_at is not None]
        for moment in (document.sent_at, *ended):
            if not is_possible(moment, self.now, SERVER_CLOCK_SKEW):
                raise self.impossible(key, f"{moment.isoformat()} is not a valid time of a launch")
        return document

    def calls(self, key: str, data: bytes) -> SessionCalls:
        """The calls of a launch, or of a session's results."""
        if key.startswith(PREFIX):
            launch = self.launch(key, data)
            return _calls_of(launch.session_id, launch.slots)
        try:
            session = _SessionDocument.model_validate_json(data)
        except ValidationError as error:
            raise self.impossible(key, error.errors(include_url=False)[0]["msg"]) from error
        made = (case for case in session.cases if case.runs and case.action == "call")
        return _calls_of(session.session_id, made)

    def impossible(self, key: str, why: str) -> StoreError:
        return StoreError(
            f"the shared launch {key} cannot be read: {why}",
            f"Check {self.store.locate(key)}. No call is made while it cannot be read, since its calls may be under "
            "way. If none of your jobs wrote it, remove it from the store.",
        )


def _calls_of(session_id: str, calls: Iterable[SlotDocument | _CaseDocument]) -> SessionCalls:
    return SessionCalls(session_id, frozenset(call.call_fingerprint for call in calls))


def _refuse_newer(key: str, data: bytes) -> None:
    """Raises `UsageError` for a document of a newer planner."""
    try:
        major = schema_major(from_json(data))
    except ValueError:
        return
    if major is not None and major > int(SCHEMA_VERSION.partition(".")[0]):
        raise UsageError(f"the shared launch {key} was written by a newer planner", "Upgrade planner to read it.")


def merged(mine: SlotDocument, theirs: SlotDocument) -> SlotDocument:
    """Merge what both know; consumed stays consumed."""
    missing = [name for name in _LEARNED if getattr(mine, name) is None]
    return mine.model_copy(update={name: getattr(theirs, name) for name in missing})


def key_of(launch_id: str) -> str:
    return f"{PREFIX}{launch_id}.json"


def launch_id_of(key: str) -> str:
    return key.removeprefix(PREFIX).removesuffix(".json")
