"""Reading lists: as far back as asked, without gaps while rows are added, and knowing whether the list was read
whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.calls.model import Listed
from planner.calls.reading import NEVER_CUT, read_list
from planner.providers.base import MAX_PAGES, Page

START = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    id: int
    created_at: datetime | None


class Service:
    """A list, newest first, that grows by so many rows after each page; one row per second."""

    def __init__(self, rows: int, *, grows: int = 0, cap: int = 200, paged: bool = True, dated: bool = True) -> None:
        self.rows, self.grows, self.cap, self.paged, self.dated = rows, grows, cap, paged, dated
        self.limits: list[int] = []

    @property
    def pages(self) -> int:
        return len(self.limits)

    async def page(self, *, offset: int, limit: int) -> Page[Row]:
        self.limits.append(limit)
        ids = list(range(self.rows, 0, -1))
        shown = ids[offset if self.paged else 0 :][: min(limit, self.cap)]
        self.rows += self.grows
        return Page([Row(row_id, START + timedelta(seconds=row_id) if self.dated else None) for row_id in shown])


async def read(
    service: Service, *, oldest: float | None = None, wanted: set[int] | None = None, first_page: int = 200
) -> Listed[Row]:
    since = None if oldest is None else START + timedelta(seconds=oldest)
    return await read_list(service.page, oldest=since, wanted=wanted, first_page=first_page)


@pytest.mark.parametrize("rows", [0, 1, 49, 50, 199, 200, 201, 450])
async def test_a_list_is_read_to_its_end(rows: int) -> None:
    listed = await read(Service(rows))
    assert sorted(listed.found) == list(range(1, rows + 1))
    assert listed.whole


async def test_reading_stops_when_the_wanted_runs_are_found() -> None:
    service = Service(1000)
    listed = await read(service, wanted={990, 1000})
    assert service.pages == 1
    assert not listed.whole
    assert set((await read(Service(1000), wanted={5})).found) >= {5}


@pytest.mark.parametrize(
    ("first_page", "oldest_wanted", "limits"),
    [(0, 990, [50]), (80, 921, [80]), (80, 920, [80, 200]), (80, 720, [80, 200, 200]), (900, 990, [200])],
)
async def test_the_first_page_is_as_short_as_expected(first_page: int, oldest_wanted: int, limits: list[int]) -> None:
    """If the first page did not contain all, the rest is read as usual. A page is never so short that a list that
    ends there could have been cut."""
    service = Service(1000)
    listed = await read(service, wanted={oldest_wanted, 1000}, first_page=first_page)
    assert oldest_wanted in listed.found
    assert service.limits == limits


@pytest.mark.parametrize(("rows", "whole"), [(NEVER_CUT - 1, True), (NEVER_CUT, False), (300, False)])
async def test_a_service_without_pages(rows: int, whole: bool) -> None:
    """It returns the same page every time: a short list is whole, a long one may have been cut."""
    listed = await read(Service(rows, paged=False, cap=100))
    assert len(listed.found) == min(rows, 100)
    assert listed.whole is whole


async def test_a_page_without_new_rows_leaves_the_list_not_whole() -> None:
    """So many rows were added between two pages that the second shows nothing new: not whole this time."""
    listed = await read(Service(1000, grows=200))
    assert not listed.whole


async def test_reading_a_list_is_bounded() -> None:
    """After a maximum number of pages, the list is not whole."""
    service = Service(30_000)
    listed = await read(service)
    assert service.pages == MAX_PAGES
    assert not listed.whole


async def test_a_service_whose_pages_are_shorter_than_documented() -> None:
    """Rows that arrive push what was read to the second page, which then shows nothing new."""
    listed = await read(Service(20, grows=3, cap=3))
    assert not listed.whole
    assert (await read(Service(20, cap=3))).whole


@given(
    rows=st.integers(0, 700),
    grows=st.integers(0, 200),
    cap=st.integers(1, 200),
    oldest=st.integers(0, 700),
    first_page=st.integers(0, 200),
)
async def test_a_whole_list_misses_no_row(rows: int, grows: int, cap: int, oldest: int, first_page: int) -> None:
    """However the list grows while it is read, no row is missed that existed at the beginning and is as new as asked
    for."""
    service = Service(rows, grows=min(grows, cap), cap=cap)
    listed = await read(service, oldest=float(oldest), first_page=first_page)
    if listed.whole:
        assert set(listed.found) >= set(range(max(1, oldest), rows + 1))
    else:
        assert grows > 0 or service.pages == MAX_PAGES
