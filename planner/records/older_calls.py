"""Remember which files of older calls need not be read again.

Of the calls of a case, only the newest two pools are shown and compared (`planner.verdicts.earlier`). Which calls these
are is found by reading all of them, once. After that, the files of older calls are left out, as long as they, the heads
of their sessions and everything else that decides it are unchanged. This never changes an answer: the cache may be
deleted at any time, and what does not fit is read again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import takewhile
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeAlias

from pydantic import ValidationError

from planner import __version__
from planner.bounds import StoredTime
from planner.clock import aware
from planner.records.facts import CallFact, CallId, StoredCall
from planner.records.files import SESSIONS, Scope, Versions, folder_of
from planner.results.documents import UnreadableError
from planner.results.model import CaseInputs, Document, JudgedRun
from planner.values import frozen

_DIGEST_CHARACTERS: Final = 64
_SHORTENED: Final = 8
"""How often fewer files are tried, if others have facts of the same calls."""


class CalledAgent(Document):
    """The agent that a call reached."""

    target_id: int
    configuration: str | None
    agent_revision: str | None
    has_agent_file: bool


class LeftOut(Document):
    """What is known of calls that are not read."""

    last: tuple[StoredTime, int]
    """When the last of them ended, and its run id."""
    rounds: frozenset[str]
    """Digests of their rounds."""
    agents: tuple[tuple[CalledAgent, StoredTime], ...]
    """The agents that they reached, each with the end of its last call."""

    def ended_before(self, run: JudgedRun) -> bool:
        """Whether the run ended after all of these, so that it is none of them."""
        ended = run.completed_at
        return ended is not None and (aware(ended), run.run_id) > (aware(self.last[0]), self.last[1])

    def is_before(self, call: StoredCall) -> bool:
        """Whether the call ended after all of these, in another round: then no pool of these changes."""
        return call.order > (aware(self.last[0]), self.last[1]) and _short(call.round) not in self.rounds


def _short(text: str) -> str:
    """Two rounds with the same digest only cause older calls to be read."""
    return sha256(text.encode()).hexdigest()[:8]


class OlderCalls(Document):
    """Which files of a folder are not read, and all that this depends on."""

    planner: str
    chosen_at: StoredTime
    chosen_for: str
    """Digest of the case, and of everything else that decides which calls are needed."""
    environments: tuple[str, ...]
    until: str
    """The last file that is left out, by name, without its folder. All before it are left out, too."""
    known: str
    """The last file that was there."""
    versions: str
    """Digest of the versions of all files up to that one, and of the heads of their sessions."""
    verified: tuple[int, str]
    """What this machine had verified: it decides which files are trusted."""
    left_out: LeftOut
    same_agents: tuple[bool | None, ...]
    """Whether each agent of `left_out` was today's, when this was stored."""
    newest_agent: CalledAgent
    """The agent of the folder's newest call."""


class FileFacts(NamedTuple):
    """Of which calls a file has facts."""

    calls: frozenset[CallId]
    """Those that it says were made."""
    every: frozenset[CallId]


class Folder(NamedTuple):
    """The calls with one fingerprint in some of its files."""

    calls: Sequence[StoredCall]
    ids: frozenset[CallId]
    """Their names: one that two machines found has two."""
    files: Mapping[str, FileFacts]
    is_plain: bool
    """All files could be read and are trusted, and every fact counts."""


@frozen
class RecentCalls:
    """The calls of a fingerprint, oldest first, without the `older` ones; None: these are all."""

    calls: Sequence[StoredCall]
    older: OlderCalls | None = None


@frozen
class Choice:
    """Why some calls are not needed: a digest of the case and of everything else that decides it, and today's agent."""

    digest: str
    is_same_agent: Callable[[CalledAgent], bool | None]

    def is_that_of(self, recent: RecentCalls) -> bool:
        """Whether today, too, the older calls are not needed.

        An agent that is no longer today's may be among those of older calls: its calls count no more. If it is unknown
        whether the newest call reached today's agent, nothing may differ.
        """
        older = recent.older
        if older is None or older.chosen_for != self.digest or not recent.calls:
            return False
        newest = agent_of(recent.calls[-1].call)
        today = self.answers(older.left_out)
        if newest == older.newest_agent and today == older.same_agents:
            return True
        is_new = newest == older.newest_agent or all(newest != agent for agent, _ in older.left_out.agents)
        no_more = all(now is then or now is False for now, then in zip(today, older.same_agents, strict=True))
        return is_new and no_more and self.is_same_agent(newest) is not None

    def answers(self, left_out: LeftOut) -> tuple[bool | None, ...]:
        return tuple(self.is_same_agent(agent) for agent, _ in left_out.agents)


def agent_of(call: CallFact | CaseInputs) -> CalledAgent:
    return CalledAgent(
        target_id=call.target_id,
        configuration=call.configuration,
        agent_revision=call.agent_revision,
        has_agent_file=call.has_agent_file,
    )


@dataclass(slots=True)
class OlderCallsCache:
    """A file for each folder of calls. `store` says where these are. What cannot be read or written is ignored."""

    folder: Path
    store: str
    _known: dict[str, OlderCalls] = field(default_factory=dict[str, OlderCalls], init=False)
    """What was read or written last: it is not written again."""

    def load(self, prefix: str) -> OlderCalls | None:
        self._known.pop(prefix, None)
        try:
            data = self._path(prefix).read_bytes()
        except OSError:
            return None
        digest, content = data[:_DIGEST_CHARACTERS], data[_DIGEST_CHARACTERS:]
        if sha256(content).hexdigest().encode() != digest:
            return None
        try:
            found = OlderCalls.model_validate_json(content)
        except ValidationError:
            return None
        self._known[prefix] = found
        return found

    def save(self, prefix: str, older: OlderCalls) -> None:
        if self._known.get(prefix) == older:
            return
        content = older.model_dump_json().encode()
        path = self._path(prefix)
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished = path.with_suffix(f".{os.getpid()}")
            unfinished.write_bytes(sha256(content).hexdigest().encode() + content)
            unfinished.replace(path)
            self._known[prefix] = older

    def _path(self, prefix: str) -> Path:
        return self.folder / f"{sha256(f'{self.store} {prefix}'.encode()).hexdigest()}.json"


class OlderCallsSource(Protocol):
    """Where choices are stored, by folder."""

    def load(self, prefix: str) -> OlderCalls | None: ...
    def save(self, prefix: str, older: OlderCalls) -> None: ...


Read: TypeAlias = Callable[[AbstractSet[str]], Folder]
"""Reads the calls of a folder without those in these files. Raises `UnreadableError`."""


class _Read(NamedTuple):
    """What was read of a folder, and what was left out."""

    folder: Folder
    older: OlderCalls | None = None


class OlderCallsReader:
    """Reads folders of calls without the files that need not be read again.

    Args:
        files: those of the default branch. Only these are left out.
        may_choose: False in a job of a branch, which uses what the default branch chose.
    """

    def __init__(
        self, files: Versions, scope: Scope, sources: Sequence[OlderCallsSource], *, may_choose: bool = True
    ) -> None:
        self._files = files
        self._scope = scope
        self._sources = sources
        self._may_choose = may_choose
        self._read: dict[str, _Read] = {}
        """By fingerprint."""
        self._choices: dict[str, tuple[OlderCalls, frozenset[str]] | None] = {}
        self._listed: dict[str, Mapping[str, str]] = {}
        """The versions of files by folder, from before any was read: a file that changes later is noticed next time."""

    def again(self, sources: Sequence[OlderCallsSource]) -> OlderCallsReader:
        """By the versions that were listed before: files that were added since are new ones."""
        reader = OlderCallsReader(self._files, self._scope, sources, may_choose=self._may_choose)
        reader._listed = self._listed
        return reader

    def left_out(self, call_fingerprint: str) -> frozenset[str]:
        """The keys of the files that are probably not needed."""
        found = self._newest(folder_of(call_fingerprint))
        return frozenset() if found is None else found[1]

    def read(self, call_fingerprint: str, read: Read) -> RecentCalls | None:
        """None if all files have to be read."""
        prefix = folder_of(call_fingerprint)
        found = self._newest(prefix)
        if found is None:
            return None
        older, gone = found
        try:
            folder = read(gone)
        except UnreadableError:
            return None
        names = self._versions(prefix).keys()
        new = [facts for key, facts in folder.files.items() if not _is_known(key.removeprefix(prefix), names, older)]
        is_complete = all(facts.every <= folder.ids for facts in new)
        if not folder.is_plain or not is_complete or not all(map(older.left_out.is_before, folder.calls)):
            return None
        for source in self._sources if self._may_choose else ():
            source.save(prefix, older)
        self._read[call_fingerprint] = _Read(folder, older)
        return RecentCalls(folder.calls, older)

    def _newest(self, prefix: str) -> tuple[OlderCalls, frozenset[str]] | None:
        """The newest choice that still holds, and the keys of the files that it leaves out."""
        if prefix not in self._choices:
            self._choices[prefix] = self._find(prefix)
        return self._choices[prefix]

    def _find(self, prefix: str) -> tuple[OlderCalls, frozenset[str]] | None:
        loaded = [each for source in self._sources if (each := source.load(prefix)) is not None]
        if not loaded:
            return None
        versions = self._versions(prefix)
        current = [each for each in loaded if self._is_current(each, versions)]
        if not current:
            return None
        older = max(current, key=lambda each: aware(each.chosen_at))
        return older, frozenset(prefix + name for name in versions if name <= older.until)

    def was_read_whole(self, call_fingerprint: str, folder: Folder) -> None:
        self._read[call_fingerprint] = _Read(folder)

    def remember(self, call_fingerprint: str, unneeded: AbstractSet[CallId], choice: Choice) -> None:
        """Remember that the files of these calls need not be read again to choose the same: those before the first
        file with facts of other calls. Only if no other file has facts of them."""
        folder, before = self._read[call_fingerprint]
        now, environments = self._scope.now, self._scope.environments
        if not self._may_choose or not folder.is_plain or now is None or environments is None:
            return
        prefix = folder_of(call_fingerprint)
        versions = self._versions(prefix)
        until = "" if before is None else before.until
        after = sorted(name for name in versions if name > until)
        facts = [(name, folder.files.get(prefix + name)) for name in after]
        gone = [name for name, _ in takewhile(lambda each: _is_only_of(each[1], unneeded), facts)]
        left_out, rest = self._split(folder, [prefix + name for name in gone], before)
        for _ in range(_SHORTENED):
            if gone and left_out is None:
                gone.pop()
                left_out, rest = self._split(folder, [prefix + name for name in gone], before)
        digest = self._digest(versions, max(versions, default=""))
        if not gone or left_out is None or digest is None:
            return
        older = OlderCalls(
            planner=__version__,
            chosen_at=now,
            chosen_for=choice.digest,
            environments=tuple(environments),
            until=gone[-1],
            known=max(versions),
            versions=digest,
            verified=self._files.verified_state(),
            left_out=left_out,
            same_agents=choice.answers(left_out),
            newest_agent=agent_of(rest[-1].call),
        )
        for source in self._sources:
            source.save(prefix, older)

    def _split(
        self, folder: Folder, gone: Sequence[str], before: OlderCalls | None
    ) -> tuple[LeftOut | None, list[StoredCall]]:
        """What is known of the calls in these files, and the other calls; None if other files have facts of them, or if
        others ended before them."""
        ids = frozenset[CallId]().union(*(folder.files[key].every for key in gone))
        rest = [call for call in folder.calls if call.id not in ids]
        is_apart = all(key in gone or not facts.every & ids for key, facts in folder.files.items())
        if not is_apart or not rest or not gone:
            return None, rest
        left_out = _left_out(
            [call for call in folder.calls if call.id in ids], None if before is None else before.left_out
        )
        return left_out if left_out is not None and all(map(left_out.is_before, rest)) else None, rest

    def _is_current(self, older: OlderCalls, versions: Mapping[str, str]) -> bool:
        now, environments = self._scope.now, self._scope.environments
        if now is None or aware(older.chosen_at) > aware(now) or older.planner != __version__:
            return False
        is_here = environments is not None and older.environments == tuple(environments)
        is_verified = self._files.is_still_verified(older.verified)
        return is_here and is_verified and self._digest(versions, older.known) == older.versions

    def _versions(self, prefix: str) -> Mapping[str, str]:
        """By the name of the file, sorted."""
        if prefix not in self._listed:
            at, found = len(prefix), self._files.versions(prefix)
            self._listed[prefix] = {key[at:]: found[key] for key in sorted(found)}
        return self._listed[prefix]

    def _digest(self, versions: Mapping[str, str], until: str) -> str | None:
        """Of the versions of the files up to this one, and of their sessions' heads; None if it is gone."""
        if until not in versions:
            return None
        heads = self._versions(SESSIONS)
        lines = [
            f"{name} {version} {heads.get(_head_of(name))}\n" for name, version in versions.items() if name <= until
        ]
        return sha256("".join(lines).encode()).hexdigest()


def _head_of(name: str) -> str:
    """The name of the head of a file's session."""
    return f"{name.rpartition('-')[0]}.json"


def _is_known(name: str, names: AbstractSet[str], older: OlderCalls) -> bool:
    """Whether this file was there when it was chosen what to read."""
    return name in names and name <= older.known


def _is_only_of(facts: FileFacts | None, calls: AbstractSet[CallId]) -> bool:
    return facts is not None and bool(facts.every) and facts.every <= calls


def _left_out(calls: Iterable[StoredCall], before: LeftOut | None) -> LeftOut | None:
    """Of these calls, and those that were left out before; None if it is not known when one ended."""
    last = [] if before is None else [(aware(before.last[0]), before.last[1])]
    rounds = set[str]() if before is None else set(before.rounds)
    agents = {} if before is None else {agent.model_dump_json(): (agent, ended) for agent, ended in before.agents}
    for call in calls:
        ended = call.data.completed_at
        if ended is None:
            return None
        agent = agent_of(call.call)
        name = agent.model_dump_json()
        known = agents.get(name)
        agents[name] = (agent, ended if known is None else max(aware(known[1]), aware(ended)))
        last.append(call.order)
        rounds.add(_short(call.round))
    return LeftOut(last=max(last), rounds=frozenset(rounds), agents=tuple(agents.values())) if last else None
