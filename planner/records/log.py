"""Read the files that hold facts.

`calls/<call fingerprint>/<session>-<n>.jsonl` (a *part*) has one fact per line. `sessions/<session>.json` (the *head*)
is written last and has the number of lines and the digest of each part. Files never change once they are created, so no
facts are overwritten. Names of files are not trusted: facts identify their calls, and the service's times order them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeAlias

from planner.clock import aware
from planner.records.facts import (
    CallFact,
    CallId,
    Correction,
    SessionHead,
    StoredCall,
    Trust,
    VerdictFact,
    id_of,
)
from planner.records.files import CALLS, SESSIONS, Files, Refused, Scope, folder_of, head_key
from planner.records.reading import FactReader, Part, session_of, unreadable
from planner.results.documents import UnreadableError
from planner.results.model import JudgedRun

__all__ = ["CALLS", "SESSIONS", "Files", "Records", "Scope", "folder_of"]


_PREPARED_HEADS: Final = 20
"""How many of the newest sessions are fetched together. Most often, the newest one has all cases."""
_Later: TypeAlias = tuple[Correction | VerdictFact, Trust]


class Records:
    """The facts of one environment, as a job sees them.

    Args:
        own: everything that counts for the job.
        base: in a job of a pull request, what its target branch stored, then what the default branch stored; else
            empty.
        unverified: the keys with a prefix of merged pull requests that are not verified yet. They save calls, and are
            no baseline.
    """

    def __init__(
        self,
        own: Files,
        base: Sequence[Files],
        scope: Scope,
        unverified: Callable[[str], AbstractSet[str]] = lambda _: frozenset(),
    ) -> None:
        self._own = own
        self._base = base
        self._places = (*base, own)
        self._reader = FactReader(self._places, scope)
        self._scope = scope
        self._unverified = unverified
        self._calls: dict[str, list[StoredCall]] = {}
        self._problems: dict[str, str] = {}
        self._damaged: dict[str, tuple[str, ...]] = {}
        self._ids: dict[str, frozenset[CallId]] = {}

    def prepare(self, call_fingerprints: Iterable[str]) -> None:
        """The calls with these fingerprints will be read, and the newest sessions."""
        wanted = [each for each in call_fingerprints if each not in self._calls]
        self._reader.list_ahead(map(folder_of, wanted))
        for number, files in enumerate(self._places) if wanted else ():
            keys = [key for each in wanted for key in self._reader.keys(number, folder_of(each))]
            heads = sorted(files.file_keys(SESSIONS))[-_PREPARED_HEADS:]
            files.prepare([*heads, *dict.fromkeys(head_key(session_of(key)) for key in keys), *keys])

    def calls(self, call_fingerprint: str) -> list[StoredCall]:
        """The calls with this fingerprint, oldest first; none if one of their files cannot be read (`problem`)."""
        if call_fingerprint not in self._calls:
            try:
                found = self._read_calls(call_fingerprint)
            except UnreadableError as error:
                found = []
                self._problems[call_fingerprint] = str(error)
                self._scope.warn(str(error))
            self._calls[call_fingerprint] = found
        return self._calls[call_fingerprint]

    def problem(self, call_fingerprint: str) -> str | None:
        """Why the calls with this fingerprint are unknown: a file is damaged, shortened, or written by a newer planner.
        They may have been paid for, so they are not made again."""
        self.calls(call_fingerprint)
        return self._problems.get(call_fingerprint)

    def ids(self, call_fingerprint: str) -> frozenset[CallId]:
        """The names of its calls: one that two machines found has two."""
        self.calls(call_fingerprint)
        return self._ids.get(call_fingerprint, frozenset())

    def find(self, call_fingerprint: str, run: JudgedRun) -> StoredCall | None:
        """The stored call of a run; None if it is not stored."""
        return next((call for call in self.calls(call_fingerprint) if call.id == id_of(run)), None)

    def of_newest_sessions(self, wanted: Mapping[str, int]) -> dict[str, list[StoredCall]]:
        """The calls of so many newest sessions with calls of a fingerprint, oldest first, by fingerprint."""
        self.prepare(wanted)
        return {each: _of_sessions(self.calls(each), sessions) for each, sessions in wanted.items()}

    def unverified_ids(self, call_fingerprint: str) -> frozenset[CallId]:
        """The calls of merged pull requests that are not verified yet. They may go, so nothing may depend on them."""
        return frozenset(call.id for call in self.calls(call_fingerprint) if not call.is_verified)

    def damaged(self, call_fingerprint: str) -> tuple[str, ...]:
        """The files with this fingerprint that cannot be read."""
        self.calls(call_fingerprint)
        return self._damaged.get(call_fingerprint, ())

    def lacks(self, call_fingerprint: str, wanted: Iterable[CallId]) -> str | None:
        """Why some of the wanted calls are unknown: a file was lost. None if all are known."""
        missing = sorted(set(map(_named, wanted)) - self.ids(call_fingerprint) - self._reader.ignored)
        if not missing or call_fingerprint in self._problems:
            return self._problems.get(call_fingerprint)
        (session_id, run_id), folder = missing[0], folder_of(call_fingerprint)
        problem = (
            f"run {run_id} is missing: restore {folder}{session_id}-1.jsonl, or another file of that "
            "session, or discard the earlier calls (charged): --start-over"
        )
        self._problems[call_fingerprint] = problem
        self._scope.warn(problem)
        return problem

    def heads(self) -> Iterator[SessionHead]:
        """Sessions, newest first. In a job of a pull request: those of its target branch, then those of the default
        branch."""
        yield from self.target_heads()
        yield from self._read_heads(self._base[-1] if self._base else self._own, self._unverified(SESSIONS))

    def target_heads(self) -> Iterator[SessionHead]:
        """The sessions of the pull request's target branch, if that is not the default branch."""
        if len(self._base) > 1:
            yield from self._read_heads(self._base[0], set(self._base[-1].file_keys(SESSIONS)))

    def _read_heads(self, files: Files, without: Container[str]) -> Iterator[SessionHead]:
        keys = sorted(files.file_keys(SESSIONS), reverse=True)
        for number, key in enumerate(keys):
            if number == _PREPARED_HEADS:
                files.prepare(keys[number:])
            session_id = key.removeprefix(SESSIONS).removesuffix(".json")
            head = None if key in without else self._reader.head(session_id, files)
            if head is not None and self._counts(head):
                yield head

    def _counts(self, head: SessionHead) -> bool:
        return self._is_here(head.environment) and head.project == self._scope.project

    def _is_here(self, environment: str) -> bool:
        return self._scope.environments is None or environment in self._scope.environments

    def part_number(self, call_fingerprint: str, session_id: str) -> int:
        """The number of the session's next part."""
        prefix = f"{folder_of(call_fingerprint)}{session_id}-"
        return 1 + sum(1 for _ in self._own.file_keys(prefix))

    def _read_calls(self, call_fingerprint: str) -> list[StoredCall]:
        prefix = folder_of(call_fingerprint)
        base_keys = {key for place, _ in enumerate(self._base) for key in self._reader.keys(place, prefix)}
        default_keys = set(self._reader.keys(len(self._base) - 1, prefix)) if self._base else base_keys
        unverified = self._unverified(prefix)
        found: dict[CallId, StoredCall] = {}
        later: dict[CallId, list[_Later]] = defaultdict(list)
        damaged: dict[str, UnreadableError] = {}
        for part in self._parts(prefix):
            if isinstance(part, Refused):
                damaged[part.key] = UnreadableError(part.why)
                continue
            is_verified = part.key not in unverified
            is_of_base = is_verified and (not self._base or part.key in base_keys)
            is_trusted = part.is_trusted and is_verified and (not self._base or part.key in default_keys)
            trust = Trust.ALL if is_trusted else Trust.MASKED if self._is_by_default_branch(part.key) else Trust.NOTHING
            for fact in part.facts:
                if not isinstance(fact, CallFact):
                    later[id_of(fact)].append((fact, trust))
                elif self._is_here(fact.environment):
                    call = StoredCall(fact, call_fingerprint, fact.data, (), trust, is_of_base, is_verified)
                    found[call.id] = _preferred(found.get(call.id), call)
        self._damaged[call_fingerprint] = tuple(damaged)
        over = max((call for call in found.values() if call.call.reason == "start_over"), key=_order, default=None)
        discarded = {key for call in found.values() for key in call.call.discards}
        for key, error in damaged.items():
            if key not in discarded:
                raise error
        known = found.keys() | self._reader.ignored
        for call in found.values():
            is_over = over is not None and call.order < over.order
            if not is_over and not known.issuperset(map(tuple, call.call.counted_with)):
                raise unreadable(prefix, f"run {call.call.run_id} was counted with earlier calls whose file is gone")
        self._ids[call_fingerprint] = frozenset(found)
        return sorted(_once(_completed(call, later.get(call.id, ())) for call in found.values()), key=_order)

    def _is_by_default_branch(self, key: str) -> bool:
        head = self._reader.any_head(session_of(key))
        ref = self._scope.trusted_ref
        return bool(ref) and head is not None and head.workflow.endswith(f"@{ref}")

    def _parts(self, prefix: str) -> Iterator[Part | Refused]:
        """The files of a folder, each of the first place that has it."""
        seen = set[str]()
        for place, _ in enumerate(self._places):
            for key in self._reader.keys(place, prefix):
                part = None if key in seen else self._reader.part(place, key)
                if part is not None:
                    seen.add(key)
                    yield part


def _of_sessions(calls: Sequence[StoredCall], number: int) -> list[StoredCall]:
    """The calls of so many newest sessions."""
    newest = sorted({call.call.session_id for call in calls})[-number:]
    return [call for call in calls if call.call.session_id in newest]


def _named(call_id: CallId) -> CallId:
    return call_id[0], call_id[1]


def _once(calls: Iterable[StoredCall]) -> list[StoredCall]:
    """Each call once, although two machines may have matched it to launches of two sessions. The same run id with
    another end is a call of another sandbox."""
    found: dict[tuple[object, ...], StoredCall] = {}
    for call in calls:
        ended = call.data.completed_at
        key = call.id if ended is None else (call.call.run_id, ended)
        found[key] = _preferred(found.get(key), call)
    return list(found.values())


def _order(call: StoredCall) -> tuple[datetime, int]:
    return call.order


def _preferred(one: StoredCall | None, other: StoredCall) -> StoredCall:
    """The copy of a call that counts: one that is trusted, of a session that saw no edit of the agent (another may have
    come after its copy was deleted), or of the default branch."""
    if one is None:
        return other
    return max(one, other, key=lambda call: (call.trust.value, call.call.excluded is None, call.is_of_base))


def _completed(call: StoredCall, later: Iterable[_Later]) -> StoredCall:
    """The call with its corrections and verdicts. Those that are trusted less than the call do not count."""
    own = [fact for fact, trust in later if trust.value >= call.trust.value]
    corrections = [fact for fact in own if isinstance(fact, Correction)]
    newest = max(corrections, key=lambda fact: (-len(fact.data.missing), aware(fact.at)), default=None)
    verdicts = tuple(fact for fact in own if isinstance(fact, VerdictFact))
    return replace(call, data=call.data if newest is None else newest.data, verdicts=verdicts)
