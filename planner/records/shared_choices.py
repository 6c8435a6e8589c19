"""What a session of the default branch found about older calls, for machines that read them for the first time.

One document in the shared store. It is a cache: if it is missing, damaged or out of date, all calls are read.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Protocol

from pydantic import Field, ValidationError

from planner.bounds import MAX_DOCUMENT_BYTES, StoredTime
from planner.clock import aware
from planner.records.older_calls import CalledAgent, OlderCalls
from planner.results.model import Document

KEY: Final = "older-calls"
_KEPT_FOR: Final = timedelta(days=90)
"""How long choices are kept that no session made again."""


class _Folder(Document):
    """A choice without its rounds and agents, which are numbers of those of the document."""

    older: OlderCalls
    rounds: tuple[int, ...]
    agents: tuple[int, ...]


class _Choices(Document):
    """All choices, by folder."""

    rounds: tuple[str, ...] = ()
    agents: tuple[tuple[CalledAgent, StoredTime], ...] = ()
    folders: dict[str, _Folder] = Field(default={})

    def of(self, prefix: str) -> OlderCalls | None:
        folder = self.folders.get(prefix)
        if folder is None:
            return None
        try:
            rounds = frozenset(self.rounds[number] for number in folder.rounds)
            agents = tuple(self.agents[number] for number in folder.agents)
        except IndexError:
            return None
        left_out = folder.older.left_out.model_copy(update={"rounds": rounds, "agents": agents})
        return folder.older.model_copy(update={"left_out": left_out})


class SharedFiles(Protocol):
    """The part of a shared store that is used here."""

    def get(self, key: str) -> bytes | None: ...
    def versions(self, prefix: str) -> Mapping[str, str]: ...


class SharedVersions:
    """The versions of what the default branch stored, which all machines see alike. Its files are trusted."""

    def __init__(self, store: SharedFiles) -> None:
        self.versions = store.versions

    def verified_state(self) -> tuple[int, str]:
        return 0, ""

    def is_still_verified(self, state: tuple[int, str]) -> bool:
        return state == self.verified_state()


class SharedOlderCalls:
    """The choices in a shared store, and those of this session, which are not written by `save`."""

    def __init__(self, store: SharedFiles) -> None:
        self._store = store
        self._stored: _Choices | None = None
        self._new: dict[str, OlderCalls] = {}

    def load(self, prefix: str) -> OlderCalls | None:
        return self._new.get(prefix) or self._read().of(prefix)

    def save(self, prefix: str, older: OlderCalls) -> None:
        self._new[prefix] = older

    def document(self) -> bytes | None:
        """The document to store; None if nothing is new."""
        stored = self._read()
        known = {prefix: older for prefix in stored.folders if (older := stored.of(prefix)) is not None}
        if all(known.get(prefix) == older for prefix, older in self._new.items()):
            return None
        newest = max(aware(older.chosen_at) for older in self._new.values())
        kept = {prefix: older for prefix, older in known.items() if newest - aware(older.chosen_at) < _KEPT_FOR}
        return zlib.compress(_packed({**kept, **self._new}).model_dump_json().encode())

    def _read(self) -> _Choices:
        if self._stored is None:
            data = self._store.get(KEY)
            self._stored = _Choices() if data is None else _unpacked(data)
        return self._stored


def _packed(choices: Mapping[str, OlderCalls]) -> _Choices:
    rounds: dict[str, int] = {}
    agents: dict[CalledAgent, int] = {}
    ended: dict[CalledAgent, StoredTime] = {}
    folders: dict[str, _Folder] = {}
    for prefix, older in choices.items():
        left_out = older.left_out
        for agent, at in left_out.agents:
            ended[agent] = max(aware(at), aware(ended.get(agent, at)))
        folders[prefix] = _Folder(
            older=older.model_copy(
                update={"left_out": left_out.model_copy(update={"rounds": frozenset[str](), "agents": ()})}
            ),
            rounds=tuple(rounds.setdefault(each, len(rounds)) for each in sorted(left_out.rounds)),
            agents=tuple(agents.setdefault(agent, len(agents)) for agent, _ in left_out.agents),
        )
    return _Choices(rounds=tuple(rounds), agents=tuple((agent, ended[agent]) for agent in agents), folders=folders)


def _unpacked(data: bytes) -> _Choices:
    try:
        reader = zlib.decompressobj()
        return _Choices.model_validate_json(reader.decompress(data, MAX_DOCUMENT_BYTES))
    except (zlib.error, ValidationError):
        return _Choices()
