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
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from pydantic import ValidationError

from planner import __version__
from planner.bounds import StoredTime
from planner.clock import aware
from planner.records.facts import CallFact, CallId, StoredCall
from planner.records.files import SESSIONS, Refused, Scope, VersionedFiles, file_of, folder_of
from planner.results.documents import UnreadableError
from planner.results.model import CaseInputs, Document, JudgedRun
from planner.results.repository import StoredFile
from planner.values import frozen

_DIGEST_CHARACTERS: Final = 64


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
    agents: tuple[tuple[CalledAgent, StoredTime], ...]
    """The agents that they reached, each with the end of its last call."""

    def ended_before(self, run: JudgedRun) -> bool:
        """Whether the run ended after all of these, so that it is none of them."""
        ended = run.completed_at
        return ended is not None and (aware(ended), run.run_id) > (aware(self.last[0]), self.last[1])

    def is_before(self, call: StoredCall) -> bool:
        """Whether the call ended after all of these, in another round: then no pool of these changes."""
        return call.order > (aware(self.last[0]), self.last[1]) and call.round not in self.rounds


class OlderCalls(Document):
    """The files of a folder that are not read, and all that this depends on."""

    planner: str
    chosen_at: StoredTime
    chosen_for: str
    """Digest of the case, and of everything else that decides which calls are needed."""
    environments: tuple[str, ...]
    names: tuple[str, ...]
    """Of the files, without their folder."""
    versions: str
    """Digest of the versions of these files and of the heads of their sessions."""
    verified: tuple[int, str]
    """What this machine had verified: it decides which files are trusted."""
    known: dict[str, str]
    """The versions of the folder's other files."""
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
    """All files could be read and are trusted, every fact counts, and no call has two names."""


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
        """Whether today, too, the older calls are not needed."""
        older = recent.older
        if older is None or older.chosen_for != self.digest or not recent.calls:
            return False
        is_same_newest = agent_of(recent.calls[-1].call) == older.newest_agent
        return is_same_newest and self.answers(older.left_out) == older.same_agents

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

    def load(self, prefix: str) -> OlderCalls | None:
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
        return found if found.planner == __version__ else None

    def save(self, prefix: str, older: OlderCalls) -> None:
        content = older.model_dump_json().encode()
        path = self._path(prefix)
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished = path.with_suffix(f".{os.getpid()}")
            unfinished.write_bytes(sha256(content).hexdigest().encode() + content)
            unfinished.replace(path)

    def _path(self, prefix: str) -> Path:
        return self.folder / f"{sha256(f'{self.store} {prefix}'.encode()).hexdigest()}.json"


Read: TypeAlias = Callable[[str, Iterable[StoredFile | Refused]], Folder]
"""Reads the calls with this fingerprint in these files. Raises `UnreadableError`."""


class OlderCallsReader:
    """Reads folders of calls without the files that need not be read again."""

    def __init__(self, files: VersionedFiles, scope: Scope, cache: OlderCallsCache) -> None:
        self._files = files
        self._scope = scope
        self._cache = cache
        self._folders: dict[str, tuple[Folder, LeftOut | None, Sequence[str]]] = {}
        """What was read of each fingerprint, and what was left out."""
        self._heads: Mapping[str, str] | None = None

    def read(self, call_fingerprint: str, read: Read) -> RecentCalls | None:
        """None if all files have to be read."""
        prefix = folder_of(call_fingerprint)
        older = self._cache.load(prefix)
        versions = {} if older is None else self._versions(prefix)
        if older is None or not self._is_current(older, versions):
            return None
        rest = sorted(versions.keys() - set(older.names))
        found = [file for name in rest if (file := file_of(self._files, prefix + name)) is not None]
        try:
            folder = read(call_fingerprint, found)
        except UnreadableError:
            return None
        new = [folder.files.get(prefix + name) for name in rest if name not in older.known]
        is_complete = all(facts is not None and facts.every <= folder.ids for facts in new)
        if not folder.is_plain or not is_complete or not all(map(older.left_out.is_before, folder.calls)):
            return None
        self._folders[call_fingerprint] = folder, older.left_out, older.names
        return RecentCalls(folder.calls, older)

    def was_read_whole(self, call_fingerprint: str, folder: Folder) -> None:
        self._folders[call_fingerprint] = folder, None, ()

    def remember(self, call_fingerprint: str, unneeded: AbstractSet[CallId], choice: Choice) -> None:
        """Remember that the files of these calls need not be read again to choose the same. Only if they have facts of
        no other calls, and no other file has these calls."""
        folder, left_out, names = self._folders[call_fingerprint]
        now, environments = self._scope.now, self._scope.environments
        gone = [key for key, facts in folder.files.items() if facts.every and facts.every <= unneeded]
        is_apart = all(key in gone or not facts.calls & unneeded for key, facts in folder.files.items())
        rest = [call for call in folder.calls if call.id not in unneeded]
        if not gone or not is_apart or not rest or not folder.is_plain or now is None or environments is None:
            return
        left_out = _left_out([call for call in folder.calls if call.id in unneeded], left_out)
        prefix = folder_of(call_fingerprint)
        versions = self._versions(prefix)
        if left_out is None or not all(map(left_out.is_before, rest)):
            return
        every = sorted({*names, *(key.removeprefix(prefix) for key in gone)})
        digest = self._digest(every, versions)
        if digest is None:
            return
        older = OlderCalls(
            planner=__version__,
            chosen_at=now,
            chosen_for=choice.digest,
            environments=tuple(environments),
            names=tuple(every),
            versions=digest,
            verified=self._files.verified_state(),
            known={name: version for name, version in versions.items() if name not in set(every)},
            left_out=left_out,
            same_agents=choice.answers(left_out),
            newest_agent=agent_of(rest[-1].call),
        )
        self._cache.save(prefix, older)

    def _is_current(self, older: OlderCalls, versions: Mapping[str, str]) -> bool:
        now, environments = self._scope.now, self._scope.environments
        if now is None or aware(older.chosen_at) > aware(now):
            return False
        is_here = environments is not None and older.environments == tuple(environments)
        are_known = all(versions.get(name) == version for name, version in older.known.items())
        is_verified = self._files.is_still_verified(older.verified)
        return is_here and are_known and is_verified and self._digest(older.names, versions) == older.versions

    def _versions(self, prefix: str) -> dict[str, str]:
        """By the name of the file."""
        at = len(prefix)
        return {key[at:]: version for key, version in self._files.versions(prefix).items()}

    def _digest(self, names: Iterable[str], versions: Mapping[str, str]) -> str | None:
        """Of the versions of these files and of their sessions' heads; None if a file is gone."""
        if self._heads is None:
            self._heads = self._versions(SESSIONS)
        lines: list[str] = []
        for name in names:
            version = versions.get(name)
            if version is None:
                return None
            lines.append(f"{name} {version} {self._heads.get(name.rpartition('-')[0] + '.json')}")
        return sha256("\n".join(lines).encode()).hexdigest()


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
        rounds.add(call.round)
    return LeftOut(last=max(last), rounds=frozenset(rounds), agents=tuple(agents.values())) if last else None
