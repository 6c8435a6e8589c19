"""Read the files that hold facts.

`calls/<call fingerprint>/<session>-<n>.jsonl` (a *part*) has one fact per line. `sessions/<session>.json` (the *head*)
is written last and has the number of lines and the digest of each part. Files never change once they are created, so no
facts are overwritten. Names of files are not trusted: facts identify their calls, and the service's times order them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeAlias

from pydantic import ValidationError

from planner.bounds import SERVER_CLOCK_SKEW, is_possible
from planner.clock import aware
from planner.errors import UsageError
from planner.records.facts import (
    FACT,
    SCHEMA_VERSION,
    CallFact,
    CallId,
    Correction,
    Fact,
    SessionHead,
    StoredCall,
    Trust,
    VerdictFact,
    id_of,
)
from planner.records.files import CALLS, SESSIONS, Files, Refused, Scope, file_of, folder_of, head_key, summary_of
from planner.records.older_calls import Choice, FileFacts, Folder, OlderCallsReader, RecentCalls
from planner.results.documents import UnreadableError, parsed
from planner.results.model import JudgedRun
from planner.results.repository import StoredFile

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
        older: knows which files of older calls need not be read again; None: all are read.
    """

    def __init__(
        self,
        own: Files,
        base: Sequence[Files],
        scope: Scope,
        unverified: Callable[[str], AbstractSet[str]] = lambda _: frozenset(),
        older: OlderCallsReader | None = None,
    ) -> None:
        self._own = own
        self._base = base
        self._places = (*base, own)
        self._scope = scope
        self._unverified = unverified
        self._older = older
        self._calls: dict[str, list[StoredCall]] = {}
        self._recent: dict[str, RecentCalls] = {}
        self._problems: dict[str, str] = {}
        self._damaged: dict[str, tuple[str, ...]] = {}
        self._ids: dict[str, frozenset[CallId]] = {}
        self.ignored: set[CallId] = set()
        """Calls whose times are in the future."""
        self._head_of: dict[str, SessionHead | None] = {}
        self._listed: dict[tuple[int, str], Sequence[str]] = {}
        """The files of folders of calls, by place and folder: listed once, before they are read."""

    def prepare(self, call_fingerprints: Iterable[str]) -> None:
        """The calls with these fingerprints will be read, without older ones that are not needed, and the newest
        sessions."""
        wanted = [each for each in call_fingerprints if each not in self._calls]
        left_out = set[str]().union(*(self._older.left_out(each) for each in wanted)) if self._older else set[str]()
        for number, files in enumerate(self._places) if wanted else ():
            keys = [key for each in wanted for key in self._keys(number, folder_of(each)) if key not in left_out]
            heads = sorted(files.file_keys(SESSIONS))[-_PREPARED_HEADS:]
            files.prepare([*heads, *dict.fromkeys(head_key(_session_of(key)) for key in keys), *keys])

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

    def recent(self, call_fingerprint: str) -> RecentCalls:
        """The calls with this fingerprint without the older ones that need not be read. Whoever uses `older` checks
        that it was chosen for the same purpose."""
        if self._older is None or call_fingerprint in self._calls:
            return RecentCalls(self.calls(call_fingerprint))
        if call_fingerprint not in self._recent:
            prefix = folder_of(call_fingerprint)
            found = self._older.read(
                call_fingerprint, lambda without: self._read(call_fingerprint, self._files(prefix, without))
            )
            self._recent[call_fingerprint] = RecentCalls(self.calls(call_fingerprint)) if found is None else found
        return self._recent[call_fingerprint]

    def skip_next_time(self, call_fingerprint: str, unneeded: AbstractSet[CallId], choice: Choice) -> None:
        """Remember that the files of these calls need not be read again to choose the same."""
        if self._older is not None:
            self._older.remember(call_fingerprint, unneeded, choice)

    def problem(self, call_fingerprint: str) -> str | None:
        """Why the calls with this fingerprint are unknown: a file is damaged, shortened, or written by a newer planner.
        They may have been paid for, so they are not made again."""
        self.recent(call_fingerprint)
        return self._problems.get(call_fingerprint)

    def ids(self, call_fingerprint: str) -> frozenset[CallId]:
        """The names of its calls: one that two machines found has two."""
        self.calls(call_fingerprint)
        return self._ids.get(call_fingerprint, frozenset())

    def find(self, call_fingerprint: str, run: JudgedRun) -> StoredCall | None:
        """The stored call of a run; None if it is not stored."""
        recent = self.recent(call_fingerprint)
        found = next((call for call in recent.calls if call.id == id_of(run)), None)
        if found is not None or recent.older is None or recent.older.left_out.ended_before(run):
            return found
        return next((call for call in self.calls(call_fingerprint) if call.id == id_of(run)), None)

    def of_newest_sessions(self, call_fingerprint: str, sessions: int) -> list[StoredCall]:
        """The calls of the newest sessions with calls of this fingerprint, oldest first. Hardly any other files are
        read."""
        prefix = folder_of(call_fingerprint)
        keys = {key for number, _ in enumerate(self._places) for key in self._keys(number, prefix)}
        every = sorted(set(map(_session_of, keys)))
        read = sessions
        while call_fingerprint not in self._calls and read < len(every):
            first = every[-read]
            older = {key for key in keys if _session_of(key) < first}
            try:
                calls = self._read(call_fingerprint, self._files(prefix, older), is_whole=False).calls
            except UnreadableError:
                break
            newest = sorted({call.call.session_id for call in calls if call.call.session_id >= first})[-sessions:]
            if len(newest) == sessions:
                return [call for call in calls if call.call.session_id in newest]
            read *= 2  # some sessions wrote nothing but verdicts
        newest = sorted({call.call.session_id for call in self.calls(call_fingerprint)})[-sessions:]
        return [call for call in self.calls(call_fingerprint) if call.call.session_id in newest]

    def unverified_ids(self, call_fingerprint: str) -> frozenset[CallId]:
        """The calls of merged pull requests that are not verified yet. They may go, so nothing may depend on them."""
        return frozenset(call.id for call in self.recent(call_fingerprint).calls if not call.is_verified)

    def damaged(self, call_fingerprint: str) -> tuple[str, ...]:
        """The files with this fingerprint that cannot be read."""
        self.calls(call_fingerprint)
        return self._damaged.get(call_fingerprint, ())

    def lacks(self, call_fingerprint: str, wanted: Iterable[CallId]) -> str | None:
        """Why some of the wanted calls are unknown: a file was lost. None if all are known."""
        unseen = set(map(_named, wanted)) - {call.id for call in self.recent(call_fingerprint).calls}
        missing = sorted(unseen - self.ids(call_fingerprint) - self.ignored) if unseen else []
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
            head = None if key in without else self._head(key.removeprefix(SESSIONS).removesuffix(".json"), files)
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
        folder = self._read(call_fingerprint, self._files(folder_of(call_fingerprint)))
        self._ids[call_fingerprint] = folder.ids
        if self._older is not None:
            self._older.was_read_whole(call_fingerprint, folder)
        return list(folder.calls)

    def _read(self, call_fingerprint: str, files: Iterable[StoredFile | Refused], *, is_whole: bool = True) -> Folder:
        """`is_whole`: a call that was counted with others may not lack them."""
        prefix = folder_of(call_fingerprint)
        base_keys = {key for number, _ in enumerate(self._base) for key in self._keys(number, prefix)}
        default_keys = set(self._keys(len(self._base) - 1, prefix)) if self._base else base_keys
        unverified = self._unverified(prefix)
        found: dict[CallId, StoredCall] = {}
        later: dict[CallId, list[_Later]] = defaultdict(list)
        damaged: dict[str, UnreadableError] = {}
        facts_of: dict[str, FileFacts] = {}
        is_plain = True
        for file in files:
            if isinstance(file, Refused):
                damaged[file.key] = UnreadableError(file.why)
                continue
            is_verified = file.key not in unverified
            is_of_base = is_verified and (not self._base or file.key in base_keys)
            is_trusted = file.is_trusted and is_verified and (not self._base or file.key in default_keys)
            trust = Trust.ALL if is_trusted else Trust.MASKED if self._is_by_default_branch(file.key) else Trust.NOTHING
            try:
                facts = list(self._facts(file))
            except UnreadableError as error:
                damaged[file.key] = error
                continue
            is_plain = is_plain and (is_trusted or not is_of_base) and len(facts) == len(file.data.splitlines())
            own = frozenset(id_of(fact) for fact in facts if isinstance(fact, CallFact))
            facts_of[file.key] = FileFacts(own, frozenset(map(id_of, facts)))
            for fact in facts:
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
        for call in found.values():
            is_over = over is not None and call.order < over.order
            must_be_whole = is_whole and not is_over
            if must_be_whole and not (found.keys() | self.ignored).issuperset(map(tuple, call.call.counted_with)):
                raise _unreadable(prefix, f"run {call.call.run_id} was counted with earlier calls whose file is gone")
        calls = sorted(_once(_completed(call, later.get(call.id, ())) for call in found.values()), key=_order)
        is_plain = is_plain and not damaged and len(calls) == len(found)
        return Folder(calls, frozenset(found), facts_of, is_plain)

    def _is_by_default_branch(self, key: str) -> bool:
        head = self._any_head(_session_of(key))
        ref = self._scope.trusted_ref
        return bool(ref) and head is not None and head.workflow.endswith(f"@{ref}")

    def _any_head(self, session_id: str) -> SessionHead | None:
        return next(filter(None, (self._head(session_id, files) for files in (self._own, *self._base))), None)

    def _files(self, prefix: str, without: Iterable[str] = ()) -> Iterator[StoredFile | Refused]:
        seen = set(without)
        for number, files in enumerate(self._places):
            for key in self._keys(number, prefix):
                file = None if key in seen else file_of(files, key)
                if file is not None:
                    seen.add(key)
                    yield file

    def _keys(self, place: int, prefix: str) -> Sequence[str]:
        if (place, prefix) not in self._listed:
            self._listed[place, prefix] = list(self._places[place].file_keys(prefix))
        return self._listed[place, prefix]

    def _facts(self, file: StoredFile) -> Iterator[Fact]:
        self._check_complete(file)
        for number, line in enumerate(file.data.splitlines(), 1):
            try:
                fact = FACT.validate_json(line)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                raise _unreadable(file.key, f"line {number}: {first['msg']}") from error
            moment = fact.at if isinstance(fact, Correction) else None
            ended = fact.data.completed_at if isinstance(fact, CallFact | Correction) else None
            late = (moment and not is_possible(moment, self._scope.now)) or (
                ended and not is_possible(ended, self._scope.now, SERVER_CLOCK_SKEW)
            )
            if late:
                self.ignored.add(id_of(fact))
                self._scope.warn(f"{file.key}, line {number}, is ignored: its time is in the future")
            else:
                yield fact

    def _check_complete(self, file: StoredFile) -> None:
        head = self._any_head(_session_of(file.key))
        expected = head.parts.get(file.key) if head is not None else None
        if expected is not None and summary_of(file.data) != expected:
            raise _unreadable(file.key, "it is not what its session wrote")

    def _head(self, session_id: str, files: Files | None = None) -> SessionHead | None:
        if session_id not in self._head_of:
            file = file_of(files or self._own, head_key(session_id))
            if file is None:
                return None
            self._head_of[session_id] = self._read_head(file)
        return self._head_of[session_id]

    def _read_head(self, file: StoredFile | Refused) -> SessionHead | None:
        if isinstance(file, Refused):
            self._scope.warn(file.why)
            return None
        try:
            head = parsed(SessionHead, file.data, SCHEMA_VERSION, file.key)
        except (UnreadableError, UsageError) as error:  # its facts count all the same
            self._scope.warn(f"{file.key} cannot be read and is ignored: {error}")
            return None
        if is_possible(head.ended_at, self._scope.now):
            return head
        self._scope.warn(f"{file.key} is ignored: it is of {aware(head.ended_at).isoformat()}, which is in the future")
        return None


def _unreadable(key: str, why: str) -> UnreadableError:
    return UnreadableError(
        f"{key} cannot be read: {why}. Restore it from a backup, or discard the earlier calls (charged): --start-over"
    )


def _session_of(part: str) -> str:
    return part.rpartition("/")[2].rpartition("-")[0]


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
