"""The interface of all stores: keys and bytes, with compare-and-swap.

Keys are plain names separated by `/`: `runs/<invocation>.json`, `evidence/<digest>.json`,
`latest/<environment>/<plan>.json`, `votes/<question>/<number>.json`, `saved/<plan id>`, `change-sets/<digest>.json`, `world/<environment>.json`,
`intents/…`.
`planner.results.repository` interprets the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from planner.errors import StoreError

BRANCHES: Final = "branches/"
_BASELINES: Final = "latest/"

# No segment starts with a dot: such names belong to the store (locks, temporary files), and `..` leads outside.
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_%+=@-][A-Za-z0-9._%+=@-]*")
_UNSAFE: Final = re.compile(r"[^a-z0-9-]")

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 15.0


class Reader(Protocol):
    """Methods raise `StoreError` if the store cannot be read, `UsageError` if its setup is wrong, and `ValueError` for
    an invalid key."""

    def get(self, key: str) -> bytes | None: ...

    def has(self, key: str) -> bool: ...

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys with the prefix, sorted."""
        ...


Change: TypeAlias = Callable[[Reader], Mapping[str, bytes | None]]
"""Computes new contents from the current store; None deletes a key."""


class Store(Reader, Protocol):
    """A writable store."""

    def update(self, change: Change) -> None:
        """Apply `change` to the current content, in its order. If another writer changed what it read, call it again.

        Readers, and crashes, see the old or the new bytes of a key. A git ref is updated at once, other stores key by key.
        """
        ...

    def locate(self, key: str) -> str:
        """The location of a key for people: a path or URL."""
        ...


@dataclass(frozen=True, slots=True)
class Backoff:
    """The retry policy of concurrent writers. `chance` returns numbers from 0 to 1; `pause` waits for seconds."""

    chance: Callable[[], float]
    pause: Callable[[float], None]
    attempts: int = 200

    def wait(self, attempt: int) -> None:
        """Pause for a random time up to a limit that doubles with each attempt."""
        self.pause(self.chance() * min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**attempt))

    def until_written(self, write: Callable[[bool], bool], where: str) -> None:
        """Call `write` until it returns True. Its argument is True if another writer was first. Raises `StoreError`."""
        for attempt in range(self.attempts):
            if attempt:
                self.wait(attempt)
            if write(attempt > 0):
                return
        raise StoreError(
            f"other jobs wrote to {where} at the same time, {self.attempts} times in a row",
            "Nothing is lost: run the same command again.",
        )


class _BranchReader:
    """What a job of a branch reads: its own documents, then those of the default branch, except baselines."""

    def __init__(self, inner: Reader, prefix: str) -> None:
        self._inner = inner
        self._prefix = prefix

    def get(self, key: str) -> bytes | None:
        own = self._inner.get(self._prefix + key)
        return self._inner.get(key) if own is None and not key.startswith(_BASELINES) else own

    def has(self, key: str) -> bool:
        return self._inner.has(self._prefix + key) or (not key.startswith(_BASELINES) and self._inner.has(key))

    def keys(self, prefix: str) -> Iterator[str]:
        own = {key.removeprefix(self._prefix) for key in self._inner.keys(self._prefix + prefix)}
        others = {key for key in self._inner.keys(prefix) if not key.startswith((BRANCHES, _BASELINES))}
        return iter(sorted(own | others))


class BranchStore(_BranchReader):
    """The part of a store that a pull request or branch uses: it writes only under `prefix` (`branches/<number>/`).

    The default branch never reads `branches/`.
    """

    def __init__(self, inner: Store, prefix: str) -> None:
        super().__init__(inner, prefix)
        self._store = inner

    def update(self, change: Change) -> None:
        def prefixed(now: Reader) -> Mapping[str, bytes | None]:
            return {self._prefix + key: data for key, data in change(_BranchReader(now, self._prefix)).items()}

        self._store.update(prefixed)

    def locate(self, key: str) -> str:
        own = self._store.has(self._prefix + key) or not self._store.has(key)
        return self._store.locate(self._prefix + key if own else key)


def segments(key: str) -> tuple[str, ...]:
    """The names in a key.

    Raises:
        ValueError: a name is empty, starts with a dot, or has an unsupported character.
    """
    names = tuple(key.split("/"))
    if not all(_SEGMENT.fullmatch(name) for name in names):
        raise ValueError(f"not a key of a results store: {key!r}")
    return names


def segment_for(name: str) -> str:
    """An author's name (of an environment or plan) as one segment, unique per name.

    Capitals are escaped too, for case-insensitive file systems. The empty name is `_`, which no other name becomes.
    """
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), name) or "_"
