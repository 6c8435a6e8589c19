"""Reads the service's lists, newest first, and reports whether they were read far enough."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from planner.providers.base import PAGE_LIMIT

MOST_PAGES = 100
"""Limit of one reading: 20,000 rows."""
NEVER_CUT = 50
"""The run list's default page size. A shorter list is complete even if the service does not page."""


class Row(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def created_at(self) -> datetime | None: ...


T = TypeVar("T", bound=Row)


@dataclass(slots=True)
class Listed(Generic[T]):
    """The rows read, by id. `whole`: nothing as new as requested is missing, so absence is meaningful."""

    found: dict[int, T] = field(default_factory=dict[int, T])
    whole: bool = False


async def read_list(
    page_of: Callable[..., Awaitable[Sequence[T]]],
    *,
    oldest: datetime | None,
    wanted: AbstractSet[int] | None = None,
    first_page: int = PAGE_LIMIT,
) -> Listed[T]:
    """Read until rows are older than `oldest`, or until all of `wanted` was seen.

    Rows that arrive between two pages shift the list: some are read twice, none is missed. If they fill a whole page,
    reading ends and the result is not `whole`. `first_page` is the number of rows expected to be enough.
    """
    listed = Listed[T]()
    for _ in range(MOST_PAGES):
        limit = PAGE_LIMIT if listed.found else min(max(first_page, NEVER_CUT), PAGE_LIMIT)
        page = await page_of(offset=len(listed.found), limit=limit)
        fresh = any(row.id not in listed.found for row in page)
        listed.found.update((row.id, row) for row in page)
        not_cut = not fresh and len(listed.found) < NEVER_CUT
        listed.whole = not page or not_cut or _older(page[-1].created_at, oldest)
        if listed.whole or not fresh or (wanted is not None and wanted <= listed.found.keys()):
            break
    return listed


def _older(created_at: datetime | None, than: datetime | None) -> bool:
    return created_at is not None and than is not None and created_at < than
