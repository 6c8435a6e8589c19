"""Which stored files no result needs any more: old calls, their evidence, and the details of old reports.

`planner ci record` drops them (`keep` in planner.yaml). What was spent stays: the heads of sessions, and reports
without their cases.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import ValidationError

from planner.clock import aware
from planner.records.facts import FACT, CallFact, CallId, Fact, SessionHead, StoredCall, id_of
from planner.records.log import CALLS, SESSIONS, Files
from planner.results.documents import document_bytes
from planner.results.model import RunResult
from planner.results.repository import StoredFile, evidence_key
from planner.stores.store import BRANCHES, Reader
from planner.values import frozen

RUNS: Final = "runs/"
READ: Final = (CALLS, SESSIONS, RUNS, BRANCHES)
"""The folders that are read here."""
_EVIDENCE: Final = re.compile(rb'"evidence":\s?"([0-9a-f]{64})"')


@frozen
class Needed:
    """What stays.

    Args:
        since: all calls that ended later.
        calls: those of today's pools and baselines.
        environments: the spellings of the environment's name; calls of others stay.
        project: the calls of other projects' sessions stay.
        folders: of calls, of which nothing is dropped.
    """

    since: datetime
    calls: AbstractSet[CallId]
    environments: AbstractSet[str]
    project: str = ""
    folders: AbstractSet[str] = field(default_factory=frozenset[str])


class Without:
    """Stored files without some of them."""

    def __init__(self, files: Files, keys: AbstractSet[str]) -> None:
        self._files = files
        self._keys = keys

    def files(self, prefix: str) -> Iterator[StoredFile]:
        return (file for file in self._files.files(prefix) if file.key not in self._keys)

    def file_keys(self, prefix: str) -> Iterator[str]:
        return (key for key in self._files.file_keys(prefix) if key not in self._keys)

    def file(self, key: str) -> StoredFile | None:
        return None if key in self._keys else self._files.file(key)

    def list_ahead(self, folders: Sequence[str]) -> None:
        self._files.list_ahead(folders)

    def prepare(self, keys: Sequence[str]) -> None:
        self._files.prepare(keys)


class _Part(NamedTuple):
    """A file of calls."""

    key: str
    data: bytes
    facts: list[Fact]


def outdated(now: Reader, needed: Needed) -> dict[str, bytes | None]:
    """What to write: reports without their cases, then evidence, then calls to delete.

    Calls are dropped from the oldest on, up to the first that is needed, so that what is left is counted as before.
    """
    heads = {head.session_id: head for head in _heads(now, SESSIONS)}
    named = needed.calls | _named_by(heads.values()) | _named_in_branches(now)
    ours = {session_id for session_id, head in heads.items() if head.project == needed.project}
    dropped: list[_Part] = []
    left: list[bytes] = []
    for folder, parts in _folders(now, CALLS):
        going = set[CallId]() if parts is None or folder in needed.folders else _droppable(parts, needed, named, ours)
        for part in parts or ():
            is_dropped = bool(going) and all(id_of(fact) in going for fact in part.facts)
            dropped += [part] if is_dropped else []
            left += [] if is_dropped else [part.data]
    reports = dict(_short_reports(now, needed.since, ours))
    left += [data for key in now.keys(RUNS) if key not in reports and (data := now.get(key)) is not None]
    left += [data for key in now.keys(BRANCHES) if (data := now.get(key)) is not None]
    gone = [*(part.data for part in dropped), *(data for key in reports if (data := now.get(key)) is not None)]
    evidence = sorted(_evidence_of(gone) - _evidence_of(left))
    return {
        **reports,
        **{key: None for digest in evidence if now.has(key := evidence_key(digest))},
        **{part.key: None for part in dropped},
    }


def _droppable(
    parts: Iterable[_Part], needed: Needed, named: AbstractSet[CallId], ours: AbstractSet[str]
) -> set[CallId]:
    """The calls of a folder that nothing needs."""
    calls = {id_of(fact): fact for part in parts for fact in part.facts if isinstance(fact, CallFact)}
    ordered = sorted(calls.values(), key=_order)
    first = next((at for at, call in enumerate(ordered) if _is_needed(call, needed, named, ours)), len(ordered))
    while (lower := _first_of_same(ordered, first)) < first:
        first = lower
    return {id_of(call) for call in ordered[:first]}


def _is_needed(call: CallFact, needed: Needed, named: AbstractSet[CallId], ours: AbstractSet[str]) -> bool:
    ended = call.data.completed_at
    is_old = ended is not None and aware(ended) < needed.since
    is_ours = call.session_id in ours and call.environment in needed.environments
    return not is_old or not is_ours or id_of(call) in named


def _first_of_same(ordered: list[CallFact], first: int) -> int:
    """Where the calls begin that were made or counted together with one of those from `first` on."""
    kept = ordered[first:]
    rounds = {_round(call) for call in kept}
    counted = {(session_id, run_id) for call in kept for session_id, run_id in call.counted_with}
    together = (at for at, call in enumerate(ordered[:first]) if _round(call) in rounds or id_of(call) in counted)
    return next(together, first)


def _round(call: CallFact) -> str:
    return call.consent_id or call.session_id


def _order(call: CallFact) -> tuple[datetime, int]:
    return StoredCall(call, "", call.data).order


def _named_by(heads: Iterable[SessionHead]) -> set[CallId]:
    """The calls that the newest session of each case counted: if one is missing, its case is unknown."""
    newest: dict[tuple[str, str, str], SessionHead] = {}
    for head in heads:
        for case in head.cases:
            key = (head.project, head.environment, case.case_id)
            if key not in newest or newest[key].session_id < head.session_id:
                newest[key] = head
    return {
        (session_id, run_id)
        for (_, _, case_id), head in newest.items()
        for case in head.cases
        if case.case_id == case_id
        for session_id, run_id in case.calls
    }


def _named_in_branches(now: Reader) -> set[CallId]:
    """The calls that count for open pull requests and other branches."""
    found: set[CallId] = set()
    for key in now.keys(BRANCHES):
        data = now.get(key) if f"/{SESSIONS}" in key or f"/{CALLS}" in key else None
        if data is None:
            continue
        if f"/{SESSIONS}" in key:
            found |= {(one, run_id) for head in _parsed([data]) for case in head.cases for one, run_id in case.calls}
        else:
            facts = _facts(data) or []
            found |= {
                (one, run_id) for fact in facts if isinstance(fact, CallFact) for one, run_id in fact.counted_with
            }
    return found


def _heads(now: Reader, prefix: str) -> Iterator[SessionHead]:
    yield from _parsed(data for key in now.keys(prefix) if (data := now.get(key)) is not None)


def _parsed(documents: Iterable[bytes]) -> Iterator[SessionHead]:
    for data in documents:
        try:
            yield SessionHead.model_validate_json(data)
        except ValidationError:
            continue  # the calls of a session without a readable head stay


def _folders(now: Reader, prefix: str) -> Iterator[tuple[str, list[_Part] | None]]:
    """The files of each folder of calls; None if one cannot be read."""
    parts: dict[str, list[_Part]] = {}
    unreadable: set[str] = set()
    for key in now.keys(prefix):
        folder = key.rpartition("/")[0] + "/"
        data = now.get(key)
        facts = None if data is None else _facts(data)
        if data is None or facts is None:
            unreadable.add(folder)
        else:
            parts.setdefault(folder, []).append(_Part(key, data, facts))
    yield from ((folder, None if folder in unreadable else found) for folder, found in parts.items())


def _facts(data: bytes) -> list[Fact] | None:
    try:
        return [FACT.validate_json(line) for line in data.splitlines()]
    except ValidationError:
        return None


def _short_reports(now: Reader, since: datetime, ours: AbstractSet[str]) -> Iterator[tuple[str, bytes]]:
    """Old reports without their cases. What was agreed to and spent stays."""
    for key in now.keys(RUNS):
        session_id = key.removeprefix(RUNS).removesuffix(".json")
        data = now.get(key) if session_id in ours else None
        if data is None:
            continue
        try:
            result = RunResult.model_validate_json(data)
        except ValidationError:
            continue
        if result.cases and aware(result.ended_at) < since:
            yield key, document_bytes(result.model_copy(update=_WITHOUT_DETAILS))


_WITHOUT_DETAILS: Final[Mapping[str, object]] = {
    "cases": [],
    "suite": None,
    "problems": [],
    "warnings": [],
    "next_steps": [],
    "dropped": [],
    "agents": [],
    "previews": [],
}


def _evidence_of(documents: Iterable[bytes]) -> set[str]:
    return {found.decode() for data in documents for found in _EVIDENCE.findall(data)}
