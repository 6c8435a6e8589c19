"""A results store in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.stores.store import Change


class MemoryStore:
    """A results store that all machines see. Each update is one step."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self._contents.get(key)

    def has(self, key: str) -> bool:
        return key in self._contents

    def keys(self, prefix: str) -> Iterator[str]:
        return iter(sorted(key for key in self._contents if key.startswith(prefix)))

    def prepare(self, keys: Sequence[str]) -> None:
        pass

    def refresh(self) -> None:
        """Every read is of what is there now."""

    def list_ahead(self, folders: Sequence[str]) -> None:
        pass

    def locate(self, key: str) -> str:
        return key

    def erase(self, change: Change) -> None:
        self.update(change)

    def update(self, change: Change) -> None:
        for key, data in change(self).items():
            if data is None:
                self._contents.pop(key, None)
            else:
                self._contents[key] = data
