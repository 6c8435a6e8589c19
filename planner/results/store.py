"""One interface to every place results can live: key → bytes, with compare-and-swap.

Keys are paths of plain names with `/` between them. One layout everywhere: `runs/<invocation>.json`, `evidence/<digest>.json`,
`latest/<environment>/<plan>.json`, `votes/<question>/<number>.json`, `saved/<plan id>`, `intents/…`. What the bytes mean is `planner.results.repository`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Final, Literal, Protocol, TypeAlias


class Unconditional(Enum):
    """Write whatever is there now."""

    UNCONDITIONAL = "unconditional"


UNCONDITIONAL: Final = Unconditional.UNCONDITIONAL

Expected: TypeAlias = bytes | Literal[Unconditional.UNCONDITIONAL] | None
"""What a key must hold for a write to happen: these bytes, nothing at all, or anything."""

# A segment never starts with a dot: such names are the store's own (locks, half-written files), and `.` and `..` lead out.
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_%+=@-][A-Za-z0-9._%+=@-]*")
_UNSAFE: Final = re.compile(r"[^a-z0-9-]")


class Reader(Protocol):
    """Every method raises `StoreError` where the place cannot be read, `UsageError` where it never will be as it is set up, and
    `ValueError` for an impossible key."""

    def get(self, key: str) -> bytes | None:
        """The whole of what was last put, or None."""
        ...

    def has(self, key: str) -> bool:
        """Whether the key holds anything."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key that starts with `prefix`, in order of their text."""
        ...


Change: TypeAlias = Callable[[Reader], Mapping[str, bytes | None]]
"""From what a store holds now to what each of some keys shall hold; None removes a key."""


class Store(Reader, Protocol):
    """A place to write, too: `StoreError` and `UsageError` as for reading."""

    def put(self, key: str, data: bytes, *, expected: Expected) -> bool:
        """Replace what the key holds if it holds `expected`; False (and nothing written) if it does not.

        All or nothing: a reader, or a crash at any moment, sees the old bytes or the new ones.
        """
        ...

    def update(self, change: Change) -> None:
        """Write what `change` makes of what is there, in the order it gives, so that no write of others in between is lost:
        when somebody was first, `change` is asked again. A git ref takes all of it at once, a folder key by key.
        """
        ...

    def locate(self, key: str) -> str:
        """Where a person finds the key: a path, a URL."""
        ...


def segments(key: str) -> tuple[str, ...]:
    """The names a key is made of.

    Raises:
        ValueError: a name is empty, starts with a dot, or has a character that some store could not take.
    """
    names = tuple(key.split("/"))
    if not all(_SEGMENT.fullmatch(name) for name in names):
        raise ValueError(f"not a key of a results store: {key!r}")
    return names


def segment_for(name: str) -> str:
    """A name of the author's (an environment, a plan) as one segment; different names never share one.

    Capitals are escaped too, for file systems that do not tell them apart. No name at all is `_`, which no name becomes.
    """
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), name) or "_"
