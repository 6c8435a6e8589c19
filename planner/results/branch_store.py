"""The part of a store that a pull request or branch uses.

Its jobs write only under `branches/<number>/`. They read from there, and from what the default branch wrote. The default branch never reads
`branches/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from planner.results.store import Change, Expected, Reader, Store

BRANCHES: Final = "branches/"
_BASELINES: Final = "latest/"
"""Baselines are read only from the branch: callers read those of the default branch separately."""


class _BranchReader:
    """The documents that a job of the branch can read."""

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
    """A `Store` that adds `prefix` (`branches/<number>/`) to each key that it writes."""

    def __init__(self, inner: Store, prefix: str) -> None:
        super().__init__(inner, prefix)
        self._store = inner

    def put(self, key: str, data: bytes, *, expected: Expected) -> bool:
        return self._store.put(self._prefix + key, data, expected=expected)

    def update(self, change: Change) -> None:
        def prefixed(now: Reader) -> Mapping[str, bytes | None]:
            wanted = change(_BranchReader(now, self._prefix))
            return {self._prefix + key: data for key, data in wanted.items()}

        self._store.update(prefixed)

    def locate(self, key: str) -> str:
        own = self._store.has(self._prefix + key) or not self._store.has(key)
        return self._store.locate(self._prefix + key if own else key)
