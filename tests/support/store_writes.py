"""Compare-and-swap of one key, for tests of any results store."""

from __future__ import annotations

from collections.abc import Mapping
from types import EllipsisType
from typing import Final

from planner.stores.store import Reader, Store

Expected = bytes | EllipsisType | None
UNCONDITIONAL: Final = ...


def put(store: Store, key: str, data: bytes, *, expected: Expected = UNCONDITIONAL) -> bool:
    """Write if the key holds `expected` (None: nothing). Return whether it did."""
    swapped = False

    def change(now: Reader) -> Mapping[str, bytes | None]:
        nonlocal swapped
        swapped = expected is UNCONDITIONAL or now.get(key) == expected
        return {key: data} if swapped else {}

    store.update(change)
    return swapped
