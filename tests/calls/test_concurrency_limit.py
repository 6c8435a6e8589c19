"""Learning how many concurrent runs the service allows, against a simulated service."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from planner.calls.concurrency import ConcurrencyLimit

CALL_SECONDS = 60.0


def simulate(allowed: int, runs: int, *, ceiling: int | None = None, foreign: int = 0) -> tuple[float, int, int, int]:
    """(makespan, refused launches, highest concurrency, percent of the limit used): runs of one minute each, launched
    as the engine does it, up to 20 in a request, if there is room."""
    limit = ConcurrencyLimit(ceiling)
    now, refused, most = 0.0, 0, 0
    ends: list[float] = []
    wanted = runs
    while wanted or ends:
        while ends and ends[0] <= now:
            heapq.heappop(ends)
        room = min(limit.current - len(ends), 20, wanted)
        if room > 0 and now >= limit.pause_until:
            now += 0.2  # a request takes a moment
            if len(ends) + foreign + room > allowed:
                limit.refused(room, in_flight=len(ends), now=now, retry_after_seconds=None)
                refused += 1
            else:
                wanted -= room
                for _ in range(room):
                    heapq.heappush(ends, now + CALL_SECONDS)
                limit.accepted(room, in_flight=len(ends))
                most = max(most, len(ends))
            continue
        if not wanted and not ends:
            break
        waits = [ends[0]] if ends else []
        if wanted and limit.pause_until > now:
            waits.append(limit.pause_until)
        now = min(waits)
    lower_bound = max(CALL_SECONDS, runs * CALL_SECONDS / allowed)
    return now, refused, most, round(100 * lower_bound / now)


@pytest.mark.parametrize("allowed", [1, 2, 3, 5, 7, 8, 9, 10, 16, 20, 33, 50, 64, 100, 127, 200])
def test_the_services_limit_is_learned(allowed: int) -> None:
    """The limit of the service is used fully, with few refused requests."""
    runs = allowed * 20
    _, refused, most, used_percent = simulate(allowed, runs)
    assert most == allowed
    assert used_percent >= 88
    assert refused <= 8 + runs / allowed


@given(allowed=st.integers(1, 200), runs=st.integers(1, 600), foreign=st.integers(0, 3))
def test_every_run_is_launched_under_any_limit(allowed: int, runs: int, foreign: int) -> None:
    """No limit and no other client that uses a few places can starve us: the simulation ends."""
    allowed += foreign
    _, _, most, _ = simulate(allowed, runs, foreign=foreign)
    assert most <= allowed - foreign


@given(allowed=st.integers(1, 200), ceiling=st.integers(1, 50))
def test_our_own_ceiling_is_never_passed(allowed: int, ceiling: int) -> None:
    """The configured limit holds even if the service would allow more."""
    _, _, most, _ = simulate(allowed, 200, ceiling=ceiling)
    assert most <= min(allowed, ceiling)


def test_a_refused_batch_is_split_at_once() -> None:
    """Half of it may fit: no pause, and room for exactly that many beside the runs in flight."""
    limit = ConcurrencyLimit()
    rooms: list[int] = []
    runs = 20
    while runs > 1:
        assert limit.refused(runs, in_flight=5, now=10.0, retry_after_seconds=None) == 0.0
        rooms.append(limit.current - 5)
        runs //= 2
    assert rooms == snapshot([10, 5, 2, 1])


def test_retry_after_is_obeyed() -> None:
    """To the second, also for a batch, and also if it is longer than our longest pause."""
    limit = ConcurrencyLimit()
    assert limit.refused(20, in_flight=0, now=100.0, retry_after_seconds=17.0) == 17.0
    assert limit.pause_until == 117.0
    assert limit.refused(1, in_flight=0, now=117.0, retry_after_seconds=300.0) == 300.0
