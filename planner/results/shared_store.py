"""Results shared by several machines: written locally in full, then published redacted at the end of a session.

The local store has everything unredacted, and this machine judges by it. The shared store has what other machines need:
redacted results and evidence, baselines, launches under way. Evidence is keyed by the digest of its
redacted form in both; `originals/<digest>` in the local store points to the full form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from pydantic import BaseModel
from pydantic_core import from_json, to_json

from planner.errors import PlannerError, StoreError
from planner.evidence import Evidence, evidence_digest
from planner.results.documents import baselines_of, document_bytes, joined
from planner.results.model import CaseResult, RunResult
from planner.results.repository import (
    Access,
    ResultsRepository,
    StoredBaseline,
    baseline_key,
    change_set_key,
    evidence_key,
    session_key,
    vote_key,
)
from planner.results.store import Change, Reader, Store

_UNSHARED: Final = "unshared/"
_SLACK: Final = 1.2
_DIGEST: Final = re.compile(rb'"evidence":"([0-9a-f]{64})"')


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

    def get(self, key: str) -> bytes | None:
        found = self.local.get(key)
        return self.shared.get(key) if found is None else found

    def has(self, key: str) -> bool:
        return self.local.has(key) or self.shared.has(key)

    def keys(self, prefix: str) -> Iterator[str]:
        return iter(sorted({*self.local.keys(prefix), *self.shared.keys(prefix)}))

    def locate(self, key: str) -> str:
        return (self.local if self.local.has(key) else self.shared).locate(key)


class _Unshared(BaseModel):
    """`unshared/<session>`: stored locally and not published yet. `environment` is set if it is a baseline."""

    environment: str | None = None


class _Waiting(NamedTuple):
    """A result that is not published yet."""

    key: str
    result: RunResult
    environment: str | None


class SharedRepository(ResultsRepository):
    """`publish` writes new local results to the shared store at once. `keep` is the number of newest sessions kept
    there; None: all."""

    def __init__(
        self, tiers: Tiers, redaction: Redaction, access: Access | None = None, *, keep: int | None = None
    ) -> None:
        super().__init__(tiers, access)
        self._tiers = tiers
        self._redaction = redaction
        self._keep = keep
        self._mine = ResultsRepository(tiers.local, access)
        self._later: list[Change] = []
        self._votes: dict[str, bytes] = {}
        """Judge's votes that this session requested or used, by key."""

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

    def _shared_votes(self, now: Reader, *, is_finished: bool) -> dict[str, bytes | None]:
        """Votes are shared until finished results have what follows from them: until then, another machine would pay
        for them again."""
        if is_finished:
            return dict.fromkeys(filter(now.has, self._votes))
        return {name: self._redacted_vote(data) for name, data in self._votes.items() if not now.has(name)}

    def _redacted_vote(self, data: bytes) -> bytes | None:
        """None if it cannot be read; then it is requested again."""
        try:
            vote = from_json(data)
            return to_json(vote | {name: self._redaction.text(vote[name]) for name in ("quote", "reason")})
        except (ValueError, TypeError, KeyError):
            return None

    # Evidence

    def save_evidences(self, evidences: Sequence[Evidence]) -> list[str]:
        redacted = [self._redaction.evidence(evidence) for evidence in evidences]
        digests = self._mine.save_evidences(redacted)
        stored = zip(digests, evidences, redacted, strict=True)
        whole = {digest: evidence for digest, evidence, shown in stored if shown != evidence}
        originals = self._mine.save_evidences(list(whole.values()))
        pointers = {_original_key(digest): original.encode() for digest, original in zip(whole, originals, strict=True)}
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
        pointer = self._tiers.local.get(_original_key(digest))
        whole = pointer.decode(errors="replace") if pointer is not None else digest
        return whole if self._mine.has_evidence(whole) else digest

    # Results

    def save_session(self, result: RunResult) -> None:
        super().save_session(result)
        key = _unshared_key(result)
        mark = document_bytes(_Unshared())
        self._tiers.update(lambda now: {} if now.has(key) else {key: mark})

    def promote(self, result: RunResult, environment: str) -> None:
        self._mine.promote(result, environment)
        mark = document_bytes(_Unshared(environment=environment))
        self._tiers.update(lambda _: {_unshared_key(result): mark})

    def save_change_set(self, digest: str, data: bytes, *, share: bool) -> None:
        super().save_change_set(digest, data, share=share)
        if share:
            self._tiers.shared.update(lambda _: {change_set_key(digest): data})

    def load_change_set(self, digest: str) -> bytes | None:
        """The shared one first: it knows the newest commit that was planned."""
        shared = self._tiers.shared.get(change_set_key(digest))
        return super().load_change_set(digest) if shared is None else shared

    def amend_baselines(
        self, environment: str, plan_names: Iterable[str], amend: Callable[[CaseResult], CaseResult]
    ) -> None:
        """Amend local baselines; the shared ones are replaced by the next promoted result."""
        self._mine.amend_baselines(environment, plan_names, amend)

    def stored_baselines(self, environment: str, plan_names: Iterable[str]) -> Iterator[StoredBaseline]:
        """The shared baseline of each plan. A baseline of this machine is used instead only if there is no shared one,
        or if it is newer, was made here and is still to be shared."""
        waiting = {item.result.session_id for item in self._waiting() if item.environment is not None}
        for plan in plan_names:
            mine = next(self._mine.stored_baselines(environment, [plan]), None)
            key = self._shared_key(environment, plan)
            data = self._tiers.shared.get(key)
            shared = self.read_baseline(key, data)
            theirs = StoredBaseline(shared, data, is_trusted=True) if data is not None and shared is not None else None
            own = mine is not None and mine.is_trusted and mine.document.session_id in waiting
            if mine is not None and (theirs is None or (own and mine.document.ended_at > theirs.document.ended_at)):
                yield mine
            elif theirs is not None:
                yield theirs

    def own_cases(self, environment: str, plan_names: Iterable[str]) -> list[CaseResult]:
        """This machine's unredacted copies of stored cases; not trusted."""
        return list(self._mine.baseline(environment, plan_names).values())

    def _shown(self, name: str) -> str:
        return self._redaction.name(name)

    def _shared_key(self, environment: str, plan: str) -> str:
        return baseline_key(self._redaction.name(environment), self._redaction.name(plan))

    # Sharing

    def share_later(self, change: Change) -> None:
        """Make this change with the next `publish`."""
        self._later.append(change)

    def publish(self, more: Change | None = None) -> None:
        """Publish what is waiting and what `more` adds, in as few writes as possible.

        Raises `StoreError` if it fails; everything then waits for the next session.
        """
        waiting = list(self._waiting())

        def change(now: Reader) -> Mapping[str, bytes | None]:
            writes: dict[str, bytes | None] = {}
            for item in waiting:
                writes |= self._writes(item, now, writes)
            writes |= self._shared_votes(now, is_finished=any(item.environment is not None for item in waiting))
            for each in [*self._later, *([more] if more is not None else [])]:
                writes |= each(now)
            return writes if self._keep is None else writes | _pruned(now, writes, self._keep)

        try:
            self._tiers.shared.update(change)
        except PlannerError as error:
            raise StoreError(
                f"the results are stored locally, but could not be shared: {error}",
                f"{error.hint} The next run on this machine shares them.".strip(),
            ) from error
        self._tiers.local.update(lambda _: {item.key: None for item in waiting})
        self._later.clear()

    def _waiting(self) -> Iterator[_Waiting]:
        """Unshared results, oldest first. Results of a store that was copied here from another machine are skipped."""
        for key in self._tiers.local.keys(_UNSHARED):
            data = self._tiers.local.get(key)
            stored = self._tiers.local.get(session_key(key.removeprefix(_UNSHARED)))
            if stored is None or not self.is_verified(stored):
                continue
            result = self._mine.load_session(key.removeprefix(_UNSHARED))
            if data is not None and result is not None:
                yield _Waiting(key, result, _Unshared.model_validate_json(data).environment)

    def _writes(self, item: _Waiting, now: Reader, already: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
        """Evidence first, then documents that reference it."""
        writes: dict[str, bytes | None] = {}
        shown = self._redaction.result(item.result)
        for digest in sorted({run.evidence for case in shown.cases for run in case.runs if run.evidence}):
            key = evidence_key(digest)
            if not now.has(key) and (data := self._tiers.local.get(key)) is not None:
                writes[key] = data
        writes[session_key(shown.session_id)] = self._written(shown)
        if item.environment is not None:
            for document in baselines_of(shown, item.environment):
                key = self._shared_key(item.environment, document.plan)
                data = already.get(key) or now.get(key)
                stored = self.read_baseline(key, data)
                writes[key] = self._written(joined(stored, document))
        return writes


def _pruned(now: Reader, writes: Mapping[str, bytes | None], keep: int) -> dict[str, None]:
    """The keys to delete after `writes`: old sessions, and evidence that no kept document names.

    Only when there are a fifth more sessions than kept, since it reads them all.
    """
    runs = sorted({*now.keys("runs/"), *(key for key in writes if key.startswith("runs/"))}, reverse=True)
    if len(runs) <= keep * _SLACK:
        return {}
    named: set[str] = set()
    for key in dict.fromkeys([*runs[:keep], *now.keys("latest/"), *now.keys("intents/"), *writes]):
        data = writes[key] if key in writes else now.get(key)
        named.update(evidence_key(found.decode()) for found in _DIGEST.findall(data or b""))
    return dict.fromkeys([*runs[keep:], *(key for key in now.keys("evidence/") if key not in named)])


def _original_key(digest: str) -> str:
    return f"originals/{digest}"


def _unshared_key(result: RunResult) -> str:
    return f"{_UNSHARED}{result.session_id}"
