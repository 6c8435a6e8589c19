"""Typed access to any store: evidence, sessions, baselines, votes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import takewhile
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from pydantic import BaseModel

from planner import evidence as evidence_module
from planner.errors import StoreError
from planner.evidence import Evidence, evidence_digest
from planner.results import model
from planner.results.documents import (
    UnreadableError,
    document_bytes,
    future_time_in,
    impossible_in,
    parsed,
)
from planner.results.model import RunResult
from planner.stores.store import Store, segment_for
from planner.values import frozen

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_SCHEMAS: Final[Mapping[type[BaseModel], str]] = {
    Evidence: evidence_module.SCHEMA_VERSION,
    RunResult: model.SCHEMA_VERSION,
}
"""The schema version that this planner reads."""
_READ_TOGETHER: Final = 4
"""How many sessions are fetched together."""
_Stored = TypeVar("_Stored", bound=BaseModel)


@dataclass(slots=True)
class VerifiedDocuments:
    """Which documents were written or verified on this machine, by their bytes.

    With `path` None, nothing is stored. If the file cannot be read or written, documents are verified again, which is
    slower.
    """

    path: Path | None
    _known: set[str] | None = field(default=None, init=False)

    def contains(self, data: bytes) -> bool:
        return sha256(data).hexdigest() in self._load()

    def _load(self) -> set[str]:
        if self._known is None:
            data = b""
            with suppress(OSError):
                data = b"" if self.path is None else self.path.read_bytes()
            self._known = set(data.decode("ascii", errors="replace").splitlines())
        return self._known

    def add(self, documents: Iterable[bytes]) -> None:
        new = {sha256(data).hexdigest() for data in documents if not self.contains(data)}
        self._known = (self._known or set()) | new
        if self.path is None or not new:
            return
        with suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.path.open("a", encoding="ascii") as file:
                file.write("".join(f"{digest}\n" for digest in sorted(new)))


@frozen
class Access:
    """How documents are read and written.

    `redact` replaces keys in what a session found; evidence comes without any. Documents from after `now` are ignored,
    and `warn` is called. `verified` None: every document is trusted.
    """

    redact: Callable[[bytes], bytes] = bytes
    now: datetime | None = None
    verified: VerifiedDocuments | None = None
    warn: Callable[[str], None] = lambda _: None


class StoredFile(NamedTuple):
    """A file of a store."""

    key: str
    data: bytes
    is_trusted: bool
    """This machine wrote it, or only code of the default branch can write there."""


class ResultsRepository:
    """Raises `StoreError` if the store fails or holds unreadable evidence, `UsageError` for documents of a newer
    planner.

    Unreadable evidence is never treated as missing: its call would be paid for again. An unreadable session is only
    missing from the history, with a warning.
    """

    def __init__(self, store: Store, access: Access | None = None) -> None:
        self._store = store
        self._access = access or Access()
        self._verified: set[str] = set()
        """Digests of verified evidence."""
        self._ignored: set[str] = set()
        """Sessions that were named in a warning: damaged ones, and those from the future."""

    def is_verified(self, data: bytes) -> bool:
        """Whether this machine wrote or verified the document."""
        return self._access.verified is None or self._access.verified.contains(data)

    def _note_verified(self, documents: Iterable[bytes]) -> None:
        if self._access.verified is not None:
            self._access.verified.add(documents)

    def _written(self, document: BaseModel) -> bytes:
        return self._access.redact(document_bytes(document))

    def save_evidence(self, evidence: Evidence) -> str:
        """Store one run's evidence durably; return its digest. Idempotent."""
        return self.save_evidences([evidence])[0]

    def save_evidences(self, evidences: Sequence[Evidence]) -> list[str]:
        """Store evidence of several runs at once, which is much cheaper; return the digests in order."""
        documents = [evidence.to_bytes() for evidence in evidences]
        digests = [evidence_digest(data) for data in documents]
        wanted = {evidence_key(digest): data for digest, data in zip(digests, documents, strict=True)}
        # The name is the digest, so damaged content is replaced.
        self._store.update(lambda now: {key: data for key, data in wanted.items() if now.get(key) != data})
        return digests

    def load_evidence(self, digest: str) -> Evidence | None:
        """The evidence with this digest; None if it was never stored or was pruned."""
        if not _DIGEST.fullmatch(digest):
            raise StoreError(
                f"a stored result has an invalid evidence digest: {digest!r}", "Run its case again with --rerun all"
            )
        data = self._evidence(digest)
        if data is None:
            return None
        try:
            return self._read(Evidence, evidence_key(digest), data)
        except UnreadableError as error:
            raise self._unreadable(evidence_key(digest), str(error)) from error

    def has_evidence(self, digest: str) -> bool:
        """Whether the evidence exists. Raises for damaged evidence, so that it is found before anybody pays."""
        if digest not in self._verified and _DIGEST.fullmatch(digest) and self._evidence(digest) is not None:
            self._verified.add(digest)
        return digest in self._verified

    def _evidence(self, digest: str) -> bytes | None:
        data = self._store.get(evidence_key(digest))
        if data is not None and evidence_digest(data) != digest:
            raise self._unreadable(evidence_key(digest), "its content does not match its digest")
        return data

    def load_vote(self, key: str, number: int) -> bytes | None:
        """The stored answer to vote `number` on the question `key` (64 hex digits)."""
        return self._store.get(vote_key(key, number))

    def save_vote(self, key: str, number: int, data: bytes) -> bytes:
        """Store a paid answer durably. The first answer wins; returns what is stored."""
        name = vote_key(key, number)
        self._store.update(lambda now: {} if now.get(name) is not None else {name: data})
        return self._store.get(name) or data

    def save_session(self, result: RunResult) -> None:
        """Store the results of a session, replacing earlier ones of the same session.

        Ids must sort by time: `sessions` relies on it.
        """
        data = self._written(result)
        self._store.update(lambda _: {session_key(result.session_id): data})
        self._note_verified([data])

    def load_session(self, session_id: str) -> RunResult | None:
        key = session_key(session_id)
        data = self._store.get(key)
        return None if data is None else self._read_result(key, data)

    def sessions(self, *, before: str | None = None) -> Iterator[RunResult]:
        """Every stored session, newest first, read one at a time; optionally only those `before` one."""
        older = None if before is None else session_key(before)
        keys = sorted(self._store.keys("runs/"), reverse=True)
        for number, key in enumerate(keys):
            if number % _READ_TOGETHER == 0:
                self._store.prepare(keys[number : number + _READ_TOGETHER])
            if (older is None or key < older) and (data := self._store.get(key)) is not None:
                result = self._read_result(key, data)
                if result is not None:
                    yield result

    def sessions_of(self, environment: str, *, sandbox: bool) -> Iterator[RunResult]:
        """The stored sessions of one environment, newest first."""
        return (each for each in self.sessions() if each.environment == environment and each.sandbox is sandbox)

    def sessions_since(self, session_id: str) -> Iterator[RunResult]:
        """This session and all later ones, newest first."""
        return takewhile(lambda result: result.session_id >= session_id, self.sessions())

    def save_files(self, files: Mapping[str, bytes]) -> None:
        """Store files that are created once, in their order. They are then trusted on this machine."""
        written = {key: self._access.redact(data) for key, data in files.items()}
        self._note_verified(written.values())  # first: after a kill, they would be taken for somebody else's
        self._store.update(lambda now: {key: data for key, data in written.items() if not now.has(key)})

    def file_keys(self, prefix: str) -> Iterator[str]:
        return self._store.keys(prefix)

    def prepare(self, keys: Sequence[str]) -> None:
        self._store.prepare(keys)

    def list_ahead(self, folders: Sequence[str]) -> None:
        self._store.list_ahead(folders)

    def files(self, prefix: str) -> Iterator[StoredFile]:
        """The files whose keys begin with the prefix, sorted by key."""
        found = (self.file(key) for key in self._store.keys(prefix))
        return (file for file in found if file is not None)

    def file(self, key: str) -> StoredFile | None:
        data = self._store.get(key)
        return None if data is None else StoredFile(key, data, self.is_verified(data))

    def save_change_set(self, digest: str, data: bytes, *, share: bool) -> None:
        """Store the set of calls behind a digest; `share` it with other machines, if the store is shared."""
        del share
        self._store.update(lambda _: {change_set_key(digest): data})

    def save_configurations(self, configurations: Mapping[str, bytes]) -> None:
        """Store configurations of agents, as JSON, by digest."""
        wanted = {configuration_key(digest): data for digest, data in configurations.items()}
        self._store.update(lambda now: {key: data for key, data in wanted.items() if not now.has(key)})

    def load_configuration(self, digest: str) -> bytes | None:
        """The configuration with this digest; None if it is not stored. Not verified."""
        is_digest = _DIGEST.fullmatch(digest.removeprefix("sha256:"))
        return self._store.get(configuration_key(digest)) if is_digest else None

    def load_change_set(self, digest: str) -> bytes | None:
        return self._store.get(change_set_key(digest))

    def _read_result(self, key: str, data: bytes) -> RunResult | None:
        """None if it is damaged or from the future: it is missing from the history, and nothing else stops."""
        where = self._store.locate(key)
        try:
            document = self._read(RunResult, key, data)
        except UnreadableError as error:
            self._ignore(key, f"{where} cannot be read: {error}")
            return None
        if wrong := impossible_in(document):
            self._ignore(key, f"{where} cannot be right: {wrong}")
            return None
        moment = future_time_in(document, self._access.now)
        if moment is None:
            return document
        if key not in self._ignored:
            self._ignored.add(key)
            self._access.warn(
                f"{where} is ignored: it is dated {moment.isoformat()}, which is in the future. If the "
                "clock of this machine is wrong, correct it before you agree to calls; otherwise delete the document"
            )
        return None

    def _ignore(self, key: str, problem: str) -> None:
        """Warn once that the history lacks a damaged session."""
        if key in self._ignored:
            return
        self._ignored.add(key)
        self._access.warn(
            f"{problem}. Only the history loses an entry; restore the document from a backup, or delete it"
        )

    def _read(self, kind: type[_Stored], key: str, data: bytes) -> _Stored:
        """Raises `UnreadableError` if it is damaged."""
        return parsed(kind, data, _SCHEMAS[kind], self._store.locate(key))

    def _unreadable(self, key: str, why: str) -> StoreError:
        """The error about evidence that is damaged."""
        return StoreError(
            f"the stored result {key} cannot be read: {why}",
            f"Restore {self._store.locate(key)} from a backup, or delete it: its case can then be called again",
        )


def evidence_key(digest: str) -> str:
    return f"evidence/{digest[:2]}/{digest}.json"


def session_key(session_id: str) -> str:
    return f"runs/{session_id}.json"


def vote_key(key: str, number: int) -> str:
    return f"votes/{key[:2]}/{key}/{number}.json"


def configuration_key(digest: str) -> str:
    return f"configurations/{digest.removeprefix('sha256:')}.json"


def versions_key(environment: str, agent_id: int) -> str:
    return f"versions/{segment_for(environment)}/{agent_id}.json"


def change_set_key(digest: str) -> str:
    return f"change-sets/{digest.removeprefix('sha256:')}.json"
