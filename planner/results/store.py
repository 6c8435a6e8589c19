"""The interface of all stores: keys and bytes, with compare-and-swap.

Keys are plain names separated by `/`: `runs/<invocation>.json`, `evidence/<digest>.json`,
`latest/<environment>/<plan>.json`, `votes/<question>/<number>.json`, `saved/<plan id>`, `intents/…`.
`planner.results.repository` interprets the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Final, Literal, Protocol, TypeAlias


class Unconditional(Enum):
    """Write in any case."""

    UNCONDITIONAL = "unconditional"


UNCONDITIONAL: Final = Unconditional.UNCONDITIONAL

Expected: TypeAlias = bytes | Literal[Unconditional.UNCONDITIONAL] | None
"""The required current content for a write: these bytes, nothing, or anything."""

# No segment starts with a dot: such names belong to the store (locks, temporary files), and `..` leads outside.
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_%+=@-][A-Za-z0-9._%+=@-]*")
_UNSAFE: Final = re.compile(r"[^a-z0-9-]")


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

    def put(self, key: str, data: bytes, *, expected: Expected) -> bool:
        """Write if the key holds `expected`; otherwise return False.

        Atomic: readers, and crashes, see the old or the new bytes.
        """
        ...

    def update(self, change: Change) -> None:
        """Apply `change` to the current content, in its order, without losing concurrent writes: if another writer was
        first, `change` is called again. A git ref is updated at once, a folder key by key."""
        ...

    def locate(self, key: str) -> str:
        """The location of a key for people: a path or URL."""
        ...


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
