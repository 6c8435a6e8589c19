"""The interface of all stores: keys and bytes, with compare-and-swap.

Keys are plain names separated by `/`: `runs/<session>.json`, `evidence/<2 digits>/<digest>.json`,
`calls/<fingerprint>/<session>-<n>.jsonl`, `sessions/<session>.json`, `votes/<2 digits>/<question>/<number>.json`,
`change-sets/<digest>.json`,
`world/…`, `configurations/<digest>.json`, `versions/<environment>/<agent>.json`, `merged/<number>.json`.
`planner.results.repository` interprets the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from planner.errors import StoreError
from planner.values import frozen

BRANCHES: Final = "branches/"
MERGED: Final = "merged/"
"""`merged/<number>.json`: pull requests that were merged and whose calls are not verified yet. They save calls."""
HISTORY: Final = ("calls/", "configurations/", "evidence/", "runs/", "sessions/", "votes/")
"""Configurations, evidence and answers under their digests, calls and sessions under their ids: the same wherever they
are stored."""

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

    def prepare(self, keys: Sequence[str]) -> None:
        """These keys, and those in these folders (with a slash at the end), will be read: fetch them in one request,
        where that is possible."""
        ...


Change: TypeAlias = Callable[[Reader], Mapping[str, bytes | None]]
"""Computes new contents from the current store; None deletes a key."""


class Store(Reader, Protocol):
    """A writable store."""

    def refresh(self) -> None:
        """See what others have written by now."""
        ...

    def update(self, change: Change) -> None:
        """Apply `change` to the current content, in its order. If another writer changed what it read, call it again.

        Readers, and crashes, see the old or the new bytes of a key. A git ref is updated at once, other stores key by
        key.
        """
        ...

    def erase(self, change: Change) -> None:
        """Apply a change like `update`, and keep none of the old contents: a git ref starts a new history."""
        ...

    def locate(self, key: str) -> str:
        """The location of a key for people: a path or URL."""
        ...

    def list_ahead(self, folders: Sequence[str]) -> None:
        """The keys in these folders will be listed, perhaps several times: list them once and together,
        where that is faster. They are then as of now, until the next write or the next call of this method."""
        ...


@frozen
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
    """What a job reads: its own documents, then evidence, sessions and answers of the branches `also`
    and, unless `only_promoted`, of merged pull requests that are not verified yet, then the documents of the default
    branch. `prefix` is "" for a job of the default branch."""

    def __init__(self, inner: Reader, prefix: str, also: Sequence[str] = (), *, only_promoted: bool = False) -> None:
        self._inner = inner
        self._prefix = prefix
        self._named = also
        self._known: Sequence[str] | None = also if only_promoted else None

    @property
    def _also(self) -> Sequence[str]:
        if self._known is None:
            merged = (unverified_branch(key) for key in self._inner.keys(MERGED))
            self._known = [*self._named, *(each for each in merged if each != self._prefix)]
        return self._known

    def _keys_of(self, key: str) -> Iterator[str]:
        yield self._prefix + key
        if key.startswith(HISTORY):
            yield from (prefix + key for prefix in self._also)
        if self._prefix:
            yield key

    def get(self, key: str) -> bytes | None:
        found = (self._inner.get(name) for name in self._keys_of(key))
        return next((data for data in found if data is not None), None)

    def has(self, key: str) -> bool:
        return any(self._inner.has(name) for name in self._keys_of(key))

    def keys(self, prefix: str) -> Iterator[str]:
        found = {
            key.removeprefix(branch)
            for branch in (self._prefix, *self._also)
            for key in self._inner.keys(branch + prefix)
            if branch == self._prefix or key.removeprefix(branch).startswith(HISTORY)
        }
        if self._prefix:
            found.update(key for key in self._inner.keys(prefix) if not key.startswith(BRANCHES))
        return iter(sorted(found))

    def prepare(self, keys: Sequence[str]) -> None:
        branches = dict.fromkeys(("", self._prefix, *self._also))
        self._inner.prepare([branch + key for branch in branches for key in keys])


class BranchStore(_BranchReader):
    """The part of a store that a job uses: it writes only under `prefix` (`branches/<number>/`, or "" for the default
    branch)."""

    def __init__(self, inner: Store, prefix: str, also: Sequence[str] = (), *, only_promoted: bool = False) -> None:
        super().__init__(inner, prefix, also, only_promoted=only_promoted)
        self._store = inner
        self._only_promoted = only_promoted

    def refresh(self) -> None:
        self._store.refresh()

    def update(self, change: Change) -> None:
        self._store.update(self._prefixed(change))

    def erase(self, change: Change) -> None:
        self._store.erase(self._prefixed(change))

    def _prefixed(self, change: Change) -> Change:
        def prefixed(now: Reader) -> Mapping[str, bytes | None]:
            changed = change(_BranchReader(now, self._prefix, self._named, only_promoted=self._only_promoted))
            return {self._prefix + key: data for key, data in changed.items()}

        return prefixed

    def list_ahead(self, folders: Sequence[str]) -> None:
        branches = dict.fromkeys(("", self._prefix, *self._also)) if folders else ()
        wanted = [branch + folder for branch in branches for folder in folders]
        self._store.list_ahead([MERGED, *wanted] if wanted else ())

    def locate(self, key: str) -> str:
        found = (name for name in self._keys_of(key) if self._store.has(name))
        return self._store.locate(next(found, self._prefix + key))


def of_branches(store: Store, namespaces: Sequence[str]) -> Store:
    """What a job writes to and reads: the first namespace, then the others. Without any: the whole store, which is what
    the default branch stored, and no pull request."""
    return BranchStore(store, namespaces[0], namespaces[1:]) if namespaces else store


def unverified_branch(key: str) -> str:
    """The namespace of a merged pull request, by its `merged/<number>.json`."""
    return f"{BRANCHES}{key.removeprefix(MERGED).removesuffix('.json')}/"


@frozen
class UnverifiedKeys:
    """Finds what only merged pull requests that are not verified yet have stored, in the stores that a job reads. `own`
    is the namespace of the job."""

    stores: Sequence[Reader]
    own: str

    def __call__(self, prefix: str) -> frozenset[str]:
        """The keys with the prefix, as the job sees them."""
        return frozenset(
            key.removeprefix(branch)
            for store in self.stores
            for branch in map(unverified_branch, store.keys(MERGED))
            for key in store.keys(branch + prefix)
            if not any(store.has(place + key.removeprefix(branch)) for place in {"", self.own})
        )


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
