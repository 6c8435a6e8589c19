"""Shares previews with all machines of a store: durable there before a copy is asked for, so that a copy whose machine
is lost is reused or deleted by the next session; and again before the copy is called, so that this session sees edits.

`previews/<preview id>.json` stays until the copy is deleted. It has no field of the agent.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import anyio.to_thread
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from planner.bounds import SERVER_CLOCK_SKEW, ServiceId, is_possible
from planner.errors import StoreError
from planner.execution.events import PreviewIntended
from planner.execution.journal import Journal
from planner.execution.previews import GONE, Preview, PreviewState
from planner.stores.store import Reader, Store

SCHEMA_VERSION: Final = "2.0"
PREFIX: Final = "previews/"


class PreviewDocument(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True, str_max_length=1000)

    schema_version: str = SCHEMA_VERSION
    preview_id: str
    agent_id: ServiceId
    configuration: str
    session_id: str
    credential: str
    intended_at: AwareDatetime
    revision: str | None = None


class PreviewSharing:
    """Connects a journal to a shared store. Previews intended much later than `now` are refused."""

    def __init__(self, store: Store, journal: Journal, now: datetime | None) -> None:
        self._store = store
        self._journal = journal
        self._now = now

    def import_all(self) -> None:
        """Import unknown previews of the store. Their copies, if they were made, are found by their names: anybody who
        writes to the store could name another agent. Raises `StoreError`: a document cannot be read."""
        for key in self._store.keys(PREFIX):
            if self._journal.previews.get(_preview_id(key)) is None and (data := self._store.get(key)) is not None:
                document = self._read(key, data)
                known = document.model_dump(exclude={"schema_version"})
                intended = Preview(**known, state=PreviewState.DUPLICATING, detail="made by another machine")
                self._journal.record(PreviewIntended(intended))

    async def share(self, preview: Preview) -> None:
        """Return when the intent is durable. Raises `StoreError`, `UsageError`: nothing may be sent."""
        written: dict[str, bytes | None] = {_key(preview.preview_id): _document(preview)}

        def write() -> None:
            self._store.update(lambda _: written)

        await anyio.to_thread.run_sync(write, abandon_on_cancel=True)

    def has(self, preview: Preview) -> bool:
        """Whether no machine has said that it is gone."""
        return self._store.has(_key(preview.preview_id))

    def outcome(self, now: Reader) -> dict[str, bytes | None]:
        """What is to be written to the store: the documents of previews that are gone are deleted."""
        known = ((key, self._journal.previews.get(_preview_id(key))) for key in now.keys(PREFIX))
        return {key: None for key, preview in known if preview is not None and preview.state in GONE}

    def _read(self, key: str, data: bytes) -> PreviewDocument:
        try:
            document = PreviewDocument.model_validate_json(data)
        except ValidationError as error:
            raise self._impossible(key, error.errors(include_url=False)[0]["msg"]) from error
        if document.preview_id != _preview_id(key):
            raise self._impossible(key, f"it names preview {document.preview_id[:80]!r}")
        if not is_possible(document.intended_at, self._now, SERVER_CLOCK_SKEW):
            raise self._impossible(key, f"{document.intended_at.isoformat()} is not a valid time of a preview")
        return document

    def _impossible(self, key: str, why: str) -> StoreError:
        return StoreError(
            f"the shared preview {key} cannot be read: {why}",
            f"Check {self._store.locate(key)}. If none of your jobs wrote it, remove it from the store.",
        )


def _document(preview: Preview) -> bytes:
    known: Mapping[str, object] = {
        name: getattr(preview, name) for name in PreviewDocument.model_fields if hasattr(preview, name)
    }
    return PreviewDocument.model_validate(known).model_dump_json().encode()


def _key(preview_id: str) -> str:
    return f"{PREFIX}{preview_id}.json"


def _preview_id(key: str) -> str:
    return key.removeprefix(PREFIX).removesuffix(".json")
