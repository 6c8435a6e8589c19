"""Shares who an API key's requester is at the service, so that a machine without a journal does not take
somebody else's run for its own.

`requesters/<digest of the key>.json` stays, while the launches that name the requester too are deleted when they end.
"""

from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.bounds import ServiceId
from planner.errors import StoreError
from planner.execution.events import RequesterLearned
from planner.execution.journal import Journal
from planner.stores.store import Reader, Store

PREFIX: Final = "requesters/"
_MOST: Final = 1000


class RequestersDocument(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    schema_version: str = "1.0"
    requesters: Annotated[tuple[ServiceId, ...], Field(max_length=_MOST)]


class RequesterSharing:
    def __init__(self, store: Store, journal: Journal) -> None:
        self._store = store
        self._journal = journal

    def import_all(self) -> None:
        """Raises `StoreError`: a document cannot be read. Without it, somebody else's run could be taken for ours."""
        for key in self._store.keys(PREFIX):
            credential = key.removeprefix(PREFIX).removesuffix(".json")
            for requester in self._stored(self._store, key) - self._journal.requesters(credential):
                self._journal.record(RequesterLearned(credential, requester))

    def outcome(self, now: Reader) -> dict[str, bytes]:
        """The documents that lack somebody."""
        return dict(self._writes(now))

    def _writes(self, now: Reader) -> Iterator[tuple[str, bytes]]:
        for credential, requesters in self._journal.known_requesters().items():
            key = f"{PREFIX}{credential}.json"
            stored = self._stored(now, key)
            if not requesters <= stored:
                document = RequestersDocument(requesters=tuple(sorted(requesters | stored)))
                yield key, document.model_dump_json().encode()

    def _stored(self, reader: Reader, key: str) -> set[int]:
        if (data := reader.get(key)) is None:
            return set()
        try:
            return set(RequestersDocument.model_validate_json(data).requesters)
        except ValidationError as error:
            raise StoreError(
                f"the shared requesters {key} cannot be read: {error.errors(include_url=False)[0]['msg']}",
                f"Check {self._store.locate(key)}. If none of your jobs wrote it, remove it from the store.",
            ) from error
