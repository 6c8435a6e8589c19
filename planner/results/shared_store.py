"""Results shared by several machines: written locally in full, then published redacted at the end of a session.

The local store has everything unredacted, and this machine judges by it. The shared store has what other machines need:
redacted results and evidence, facts about calls, launches under way. Evidence is keyed by the digest of its
redacted form in both; `originals/<digest>` in the local store points to the full form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from pydantic_core import from_json, to_json

from planner.errors import PlannerError, StoreError
from planner.evidence import Evidence, evidence_digest
from planner.results.model import RunResult
from planner.results.repository import (
    Access,
    ResultsRepository,
    StoredFile,
    change_set_key,
    evidence_key,
    session_key,
    vote_key,
)
from planner.stores.store import Change, Reader, Store

_UNSHARED: Final = "unshared/"
_UNSHARED_FILES: Final = "unshared-files/"


class Redaction(Protocol):
    """Redacts documents. Idempotent."""

    def result(self, result: RunResult) -> RunResult: ...
    def evidence(self, evidence: Evidence) -> Evidence: ...
    def name(self, name: str) -> str: ...
    def text(self, text: str) -> str: ...


class Tiers:
    """Reads the local store, then the shared one. Writes go to the local store."""

    def __init__(self, local: Store, shared: Store) -> None:
        self.local = local
        self.shared = shared
        self.update = local.update
        self.erase = local.erase
        self.list_ahead = shared.list_ahead
        self.refresh = shared.refresh

    def get(self, key: str) -> bytes | None:
        found = self.local.get(key)
        return self.shared.get(key) if found is None else found

    def has(self, key: str) -> bool:
        return self.local.has(key) or self.shared.has(key)

    def keys(self, prefix: str) -> Iterator[str]:
        return iter(sorted({*self.local.keys(prefix), *self.shared.keys(prefix)}))

    def prepare(self, keys: Sequence[str]) -> None:
        self.shared.prepare(keys)

    def locate(self, key: str) -> str:
        return (self.local if self.local.has(key) else self.shared).locate(key)


class _Waiting(NamedTuple):
    """A redacted result that is not published yet."""

    key: str
    result: RunResult


class SharedRepository(ResultsRepository):
    """`publish` writes new local results to the shared store at once."""

    def __init__(self, tiers: Tiers, redaction: Redaction, access: Access | None = None) -> None:
        super().__init__(tiers, access)
        self._tiers = tiers
        self._redaction = redaction
        self._mine = ResultsRepository(tiers.local, access)
        self._later: list[Change] = []
        self._votes: dict[str, bytes] = {}
        """Judge's votes that this session requested or used, by key."""
        self._votes_shared: set[str] = set()

    # Votes

    def load_vote(self, key: str, number: int) -> bytes | None:
        data = super().load_vote(key, number)
        if data is not None:
            self._votes[vote_key(key, number)] = data
        return data

    def save_vote(self, key: str, number: int, data: bytes) -> bytes:
        stored = super().save_vote(key, number, data)
        self._votes[vote_key(key, number)] = stored
        return stored

    def share_votes(self) -> None:
        """Share the answers that another machine would pay for again. Raises `StoreError`."""
        votes = self.unshared_votes()
        if votes:
            self._tiers.shared.update(lambda now: {key: data for key, data in votes.items() if not now.has(key)})
            self._votes_shared.update(votes)

    def unshared_votes(self) -> dict[str, bytes]:
        """The answers of judge calls that this session has not shared: another machine would pay for them again."""
        new = {name: data for name, data in self._votes.items() if name not in self._votes_shared}
        return {name: shown for name, data in new.items() if (shown := self._redacted_vote(data)) is not None}

    def _redacted_vote(self, data: bytes) -> bytes | None:
        """None if it cannot be read; then it is requested again."""
        try:
            vote = from_json(data)
            words = vote.keys() & {"quote", "reason"}
            return to_json(vote | {name: self._redaction.text(vote[name]) for name in words})
        except (ValueError, TypeError, AttributeError):
            return None

    # Evidence

    def save_evidences(self, evidences: Sequence[Evidence]) -> list[str]:
        redacted = [self._redaction.evidence(evidence) for evidence in evidences]
        digests = self._mine.save_evidences(redacted)
        stored = zip(digests, evidences, redacted, strict=True)
        whole = {digest: evidence for digest, evidence, shown in stored if shown != evidence}
        originals = self._mine.save_evidences(list(whole.values()))
        pointers = {original_key(digest): original.encode() for digest, original in zip(whole, originals, strict=True)}
        self._tiers.local.update(lambda _: pointers)
        return digests

    def load_evidence(self, digest: str) -> Evidence | None:
        """The full evidence if this machine has it and its redacted form has this digest; otherwise the redacted
        evidence."""
        whole = self._original(digest)
        if whole != digest:
            found = super().load_evidence(whole)
            if found is not None and evidence_digest(self._redaction.evidence(found).to_bytes()) == digest:
                return found
        return super().load_evidence(digest)

    def has_evidence(self, digest: str) -> bool:
        return super().has_evidence(self._original(digest))

    def _original(self, digest: str) -> str:
        """The digest of the full evidence if this machine has it."""
        pointer = self._tiers.local.get(original_key(digest))
        whole = pointer.decode(errors="replace") if pointer is not None else digest
        return whole if self._mine.has_evidence(whole) else digest

    # Results

    def save_session(self, result: RunResult) -> None:
        super().save_session(result)
        key = _unshared_key(result)
        self._tiers.update(lambda _: {key: b""})

    def save_files(self, files: Mapping[str, bytes]) -> None:
        """Also note that they are still to be shared; before they are there, in case the process is killed."""
        marks = {_UNSHARED_FILES + key: b"" for key in files}
        self._tiers.local.update(lambda _: marks)
        super().save_files(files)

    def file(self, key: str) -> StoredFile | None:
        """This machine's file if it wrote it, else the shared one."""
        mine = self._mine.file(key)
        if mine is not None and mine.is_trusted:
            return mine
        data = self._tiers.shared.get(key)
        return mine if data is None else StoredFile(key, data, is_trusted=True)

    def save_change_set(self, digest: str, data: bytes, *, share: bool) -> None:
        super().save_change_set(digest, data, share=share)
        if share:
            self._tiers.shared.update(lambda _: {change_set_key(digest): data})

    def load_change_set(self, digest: str) -> bytes | None:
        """The shared one first: it knows the newest commit that was planned."""
        shared = self._tiers.shared.get(change_set_key(digest))
        return super().load_change_set(digest) if shared is None else shared

    # Sharing

    def share_later(self, change: Change) -> None:
        """Make this change with the next `publish`."""
        self._later.append(change)

    def publish(self, more: Change | None = None) -> None:
        """Publish what is waiting and what `more` adds, in as few writes as possible: evidence before the facts that
        name it, facts before `more` closes their launches.

        Raises `StoreError` if it fails; everything then waits for the next session.
        """
        waiting, files, votes = list(self._waiting()), self._waiting_files(), self.unshared_votes()

        def change(now: Reader) -> Mapping[str, bytes | None]:
            writes: dict[str, bytes | None] = {}
            for item in waiting:
                writes |= self._evidence_of(item, now)
            writes |= {key: data for key, data in {**votes, **files}.items() if not now.has(key)}
            writes |= {session_key(item.result.session_id): self._written(item.result) for item in waiting}
            for each in [*self._later, *([more] if more is not None else [])]:
                writes |= each(now)
            return writes

        try:
            self._tiers.shared.update(change)
        except PlannerError as error:
            raise StoreError(
                f"the results are stored locally, but could not be shared: {error}",
                f"{error.hint} The next run on this machine shares them.".strip(),
            ) from error
        done = [*(item.key for item in waiting), *(_UNSHARED_FILES + key for key in files)]
        self._tiers.local.update(lambda _: dict.fromkeys(done))
        self._votes_shared.update(votes)
        self._later.clear()

    def _waiting(self) -> Iterator[_Waiting]:
        """Unshared results, oldest first. Results of a store that was copied here from another machine are skipped."""
        for key in self._tiers.local.keys(_UNSHARED):
            stored = self._tiers.local.get(session_key(key.removeprefix(_UNSHARED)))
            if stored is None or not self.is_verified(stored):
                continue
            result = self._mine.load_session(key.removeprefix(_UNSHARED))
            if result is not None:
                yield _Waiting(key, self._redaction.result(result))

    def _waiting_files(self) -> dict[str, bytes]:
        """Files that this machine wrote and did not share yet."""
        keys = [key.removeprefix(_UNSHARED_FILES) for key in self._tiers.local.keys(_UNSHARED_FILES)]
        found = ((key, self._mine.file(key)) for key in keys)
        return {key: file.data for key, file in found if file is not None and file.is_trusted}

    def _evidence_of(self, item: _Waiting, now: Reader) -> dict[str, bytes]:
        digests = {run.evidence for case in item.result.cases for run in case.all_runs if run.evidence}
        keys = [evidence_key(digest) for digest in sorted(digests)]
        found = ((key, self._tiers.local.get(key)) for key in keys if not now.has(key))
        return {key: data for key, data in found if data is not None}


def original_key(digest: str) -> str:
    return f"originals/{digest}"


def _unshared_key(result: RunResult) -> str:
    return f"{_UNSHARED}{result.session_id}"
