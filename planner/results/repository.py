"""Typed access to any store: evidence, sessions, baselines, votes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, Final, Protocol, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from planner import evidence as evidence_module
from planner.errors import StoreError, UsageError
from planner.evidence import Evidence, evidence_digest
from planner.results import model
from planner.results.baselines import BASELINE_SCHEMA_VERSION, BaselineDocument, baselines_of, joined
from planner.results.chunked_reading import read_cases, read_in_chunks
from planner.results.model import CaseDocument, RunResult
from planner.results.outline import InvocationOutline, outline_of, read_outline
from planner.results.plausible import impossible_in
from planner.results.store import UNCONDITIONAL, Store, segment_for
from planner.results.versions import schema_major

_ATTEMPTS: Final = 20
_RESULTS_MAJOR: Final = int(model.SCHEMA_VERSION.partition(".")[0])
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_Stored = TypeVar("_Stored", bound=BaseModel)
_Document = TypeVar("_Document", RunResult, BaselineDocument)


class VerifiedSet(Protocol):
    """Which documents were written or verified here, by their bytes."""

    def contains(self, data: bytes, /) -> bool: ...
    def add(self, documents: Iterable[bytes], /) -> None: ...


class _AllVerified:
    def contains(self, data: bytes, /) -> bool:
        del data
        return True

    def add(self, documents: Iterable[bytes], /) -> None:
        del documents


@dataclass(frozen=True, slots=True)
class StoredBaseline:
    """`data` is what the document was read from. Without `is_trusted`, its outcomes are judged again from evidence."""

    document: BaselineDocument
    data: bytes
    is_trusted: bool


class ResultsRepository:
    """Raises `StoreError` if the store fails or holds something unreadable, `UsageError` for documents of a newer
    planner.

    An unreadable document is never treated as missing: the calls of a lost baseline would be paid for again.
    """

    def __init__(
        self,
        store: Store,
        redact: Callable[[bytes], bytes] = bytes,
        *,
        now: datetime | None = None,
        verified: VerifiedSet | None = None,
    ) -> None:
        """`redact` replaces keys in what a session found; evidence comes without any. `now`: documents that
        ended later are refused. `verified` None: every document is trusted."""
        self._store = store
        self._now = now
        self._verified = verified or _AllVerified()
        self._redact = redact
        self._sound: set[str] = set()
        """Digests of verified evidence."""

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
                f"a stored result has an invalid evidence digest: {digest!r}", "run its case again with --rerun all"
            )
        key = evidence_key(digest)
        data = self._store.get(key)
        if data is None:
            return None
        self._check_content(digest, data)
        return self._read(key, data, Evidence, evidence_module.SCHEMA_VERSION, "its case can then be called again")

    def has_evidence(self, digest: str) -> bool:
        """Whether the evidence exists. Raises for damaged evidence, so that it is found before anybody pays."""
        if digest in self._sound:
            return True
        if not _DIGEST.fullmatch(digest) or (data := self._store.get(evidence_key(digest))) is None:
            return False
        self._check_content(digest, data)
        self._sound.add(digest)
        return True

    def _check_content(self, digest: str, data: bytes) -> None:
        if evidence_digest(data) != digest:
            why = "its content does not match its digest"
            raise self._unreadable(evidence_key(digest), why, "its case can then be called again")

    def load_vote(self, key: str, number: int) -> bytes | None:
        """The stored answer to vote `number` on the question `key` (64 hex digits)."""
        return self._store.get(_vote_key(key, number))

    def save_vote(self, key: str, number: int, data: bytes) -> bytes:
        """Store a paid answer durably. The first answer wins; returns what is stored."""
        name = _vote_key(key, number)
        return data if self._store.put(name, data, expected=None) else self._store.get(name) or data

    def save_invocation(self, result: RunResult) -> None:
        """Store the results of a session, replacing earlier ones of the same session.

        Ids must sort by time: `invocations` relies on it.
        """
        data = self._redact(document_bytes(result))
        self._store.put(invocation_key(result.invocation_id), data, expected=UNCONDITIONAL)
        self._verified.add([data])

    def load_invocation(self, invocation_id: str) -> RunResult | None:
        key = invocation_key(invocation_id)
        data = self._store.get(key)
        return None if data is None else self._read_invocation(key, data)

    def invocations(self) -> Iterator[RunResult]:
        """Every stored session, newest first, read one at a time."""
        for key in sorted(self._store.keys("runs/"), reverse=True):
            data = self._store.get(key)
            if data is not None:  # pruned in the meantime
                yield self._read_invocation(key, data)

    def invocations_since(self, invocation_id: str) -> Iterator[RunResult]:
        """This session and all later ones, newest first."""
        return takewhile(lambda result: result.invocation_id >= invocation_id, self.invocations())

    def outlines(self, *, before: str | None = None) -> Iterator[InvocationOutline]:
        """Outlines of stored sessions, newest first, optionally only those `before` one: several times faster than
        `invocations`."""
        older = "" if before is None else invocation_key(before)
        for key in sorted(self._store.keys("runs/"), reverse=True):
            if before is not None and key >= older:
                continue
            data = self._store.get(key)
            if data is not None:
                outline = self._outline(key, data)
                del data  # large and no longer needed
                yield outline

    def _outline(self, key: str, data: bytes) -> InvocationOutline:
        try:
            outline = read_outline(data)
        except ValidationError:
            outline = None
        if outline is None or schema_major({"schema_version": outline.schema_version}) != _RESULTS_MAJOR:
            whole = self._read_invocation(key, data)  # raises if the document is invalid
            outline = outline_of(whole.model_dump())
        return outline

    def promote(self, result: RunResult, environment: str) -> None:
        """Make the session the baseline of its plans, merged with concurrent ones (`baselines.joined`).

        Raises:
            ValueError: it is unfinished or partial, or has a case of a plan that it did not load.
            StoreError: other writers were first every time.
        """
        for document in baselines_of(result, environment):
            self._promote_plan(document)

    def baseline(self, environment: str, plan_names: Iterable[str]) -> dict[str, CaseDocument]:
        """The baseline cases of these plans by case id, in stored order."""
        stored = self.stored_baselines(environment, plan_names)
        return {case.case_id: case for baseline in stored for case in baseline.document.cases}

    def stored_baselines(self, environment: str, plan_names: Iterable[str]) -> Iterator[StoredBaseline]:
        """Of each of these plans that has one, in their order."""
        for plan in plan_names:
            key = baseline_key(environment, plan)
            if (data := self._store.get(key)) is not None:
                yield StoredBaseline(self._read_baseline(key, data), data, is_trusted=self._verified.contains(data))

    def other_baselines(self, environment: str, plan_names: Collection[str]) -> Iterator[BaselineDocument]:
        """Baselines of other plans."""
        known = {baseline_key(environment, plan) for plan in plan_names}
        for key in self._store.keys(f"latest/{segment_for(environment)}/"):
            if key not in known and (data := self._store.get(key)) is not None:
                yield self._read_baseline(key, data)

    def amend_baselines(
        self, environment: str, plan_names: Iterable[str], amend: Callable[[CaseDocument], CaseDocument]
    ) -> None:
        """Update cases in baselines; concurrent writes are not overwritten."""
        for plan in plan_names:
            key = baseline_key(environment, plan)
            if (data := self._store.get(key)) is None:
                continue
            document = self._read_baseline(key, data)
            wanted = document.model_copy(update={"cases": [amend(case) for case in document.cases]})
            amended = document_bytes(wanted)
            if wanted != document and self._store.put(key, amended, expected=data) and self._verified.contains(data):
                self._verified.add([amended])

    def mark_plan_used(self, plan_id: str, invocation_id: str) -> None:
        """Record that a saved plan was used; the first record wins."""
        self._store.put(saved_key(plan_id), invocation_id.encode(), expected=None)

    def user_of_plan(self, plan_id: str) -> str | None:
        """The session that used a saved plan; None if none did."""
        data = self._store.get(saved_key(plan_id))
        return None if data is None else data.decode("utf-8", "replace")

    def _promote_plan(self, document: BaselineDocument) -> None:
        key = baseline_key(document.environment, document.plan)
        for _ in range(_ATTEMPTS):
            current = self._store.get(key)
            stored = None if current is None else self._read_baseline(key, current)
            result = joined(stored, document)
            wanted = self._redact(document_bytes(result))
            if wanted == current or self._store.put(key, wanted, expected=current):
                if result is document or (current is not None and self._verified.contains(current)):
                    self._verified.add([wanted])
                return
        raise StoreError(
            f"{self._store.locate(key)} was changed by other writers {_ATTEMPTS} times in a row",
            "the results are stored; run the same command again",
        )

    def _read_invocation(self, key: str, data: bytes) -> RunResult:
        consequence = "only the history loses an entry"
        return self._plausible(key, self._read(key, data, RunResult, model.SCHEMA_VERSION, consequence), consequence)

    def _read_baseline(self, key: str, data: bytes) -> BaselineDocument:
        consequence = "all its cases are then new and will be called"
        document = self._read(key, data, BaselineDocument, BASELINE_SCHEMA_VERSION, consequence)
        environments = {segment_for(name) for name in (document.environment, self._shown(document.environment))}
        *_, environment, plan = key.split("/")
        if environment not in environments or plan != f"{segment_for(document.plan)}.json":
            raise self._unreadable(key, f"it belongs to {document.environment}/{document.plan}", consequence)
        return self._plausible(key, document, consequence)

    def _shown(self, name: str) -> str:
        """How keys of the store write it."""
        return name

    def _plausible(self, key: str, document: _Document, consequence: str) -> _Document:
        if wrong := impossible_in(document, self._now):
            raise self._unreadable(key, wrong, consequence)
        return document

    def _read(self, key: str, data: bytes, kind: type[_Stored], readable: str, consequence: str) -> _Stored:
        readable_major = int(readable.partition(".")[0])
        parsed = _parse_fast(kind, data)
        if (
            parsed is not None
            and schema_major(parsed.model_dump(include={"schema_version"}, exclude_unset=True)) == readable_major
        ):
            return parsed
        try:
            document = from_json(data)
        except ValueError as error:
            raise self._unreadable(key, f"not JSON ({error})", consequence) from error
        written = schema_major(document)
        if written is None:
            raise self._unreadable(key, "schema_version is missing", consequence)
        if written > readable_major:
            fields = cast("dict[str, Any]", document)
            by = f"planner {fields['tool_version']}" if fields.get("tool_version") else "a newer planner"
            raise UsageError(
                f"{self._store.locate(key)} was written by {by}: schema {fields['schema_version']}, but this version reads {readable_major}.x",
                "upgrade planner to at least that version, or choose another place with --store",
            )
        try:
            return kind.model_validate(document)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise self._unreadable(key, f"{where}: {first['msg']}", consequence) from error

    def _unreadable(self, key: str, why: str, consequence: str) -> StoreError:
        return StoreError(
            f"the stored result {key} cannot be read: {why}",
            f"restore {self._store.locate(key)} from a backup, or delete it: {consequence}",
        )


def _parse_fast(kind: type[_Stored], data: bytes) -> _Stored | None:
    """Parse in one step, which takes half of the time, if the document is valid."""
    try:
        if "cases" in kind.model_fields:
            return read_in_chunks(data, kind, kind.model_validate_json, read_cases)
        return kind.model_validate_json(data)
    except ValidationError:
        return None


def document_bytes(document: BaseModel) -> bytes:
    return document.model_dump_json().encode()


def evidence_key(digest: str) -> str:
    return f"evidence/{digest}.json"


def invocation_key(invocation_id: str) -> str:
    return f"runs/{invocation_id}.json"


def _vote_key(key: str, number: int) -> str:
    return f"votes/{key}/{number}.json"


def saved_key(plan_id: str) -> str:
    return f"saved/{segment_for(plan_id)}"


def baseline_key(environment: str, plan: str) -> str:
    return f"latest/{segment_for(environment)}/{segment_for(plan)}.json"
