"""`keep`: what no result needs goes, and every result and every sum stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_store import MemoryStore

from planner.records.facts import CallId
from planner.records.pruning import Needed, outdated
from tests.support.stored_calls import MemoryFiles, Session, Store, make_runs, play
from tests.support.stored_cases import NOW, make_case

CASE = make_case()
DAYS = timedelta(days=1)


def after(store: Store, needed: Needed) -> Store:
    """The store without what is outdated."""
    memory = MemoryStore()
    memory.update(lambda _: store.base.content)
    memory.update(lambda now: outdated(now, needed))
    return Store(MemoryFiles({key: memory.get(key) or b"" for key in memory.keys("")}), sessions=store.sessions)


def needed(store: Store, *, days: int = 90, calls: frozenset[CallId] | None = None) -> Needed:
    counted = Session([CASE]).earlier(store).counted if calls is None else calls
    return Needed(NOW - days * DAYS, counted, frozenset({""}))


def because(session_id: str, reason: str, fact: dict[str, Any]) -> None:
    """Edit a call of this session: why it was made."""
    if fact["kind"] == "call" and fact["session_id"] == session_id:
        fact["reason"] = reason


def stored(rounds: Sequence[tuple[int, str | None, Sequence[str | None]]]) -> Store:
    """Sessions of one case, so many days ago: why their calls were made, and how they went."""
    store = Store()
    for ago, reason, causes in rounds:
        number = store.sessions + 1
        runs = make_runs(
            *causes, first=100 * number + 1, session_id=f"session-{number:03}", completed_at=NOW - ago * DAYS
        )
        store = play(CASE, store, runs, now=NOW - ago * DAYS, rerun="all").store
        if reason is not None:
            store = store.edited(partial(because, f"session-{number:03}", reason))
    return store


def files(store: Store, prefix: str = "calls/") -> list[str]:
    return [key.rpartition("/")[2] for key in sorted(store.base.content) if key.startswith(prefix)]


def test_old_calls_go_and_pool_and_baseline_stay() -> None:
    """Passed pools of 400, 300, 200 and 100 days ago: the last counts, and the one before is its baseline."""
    store = stored([(days, None, [None] * 3) for days in (400, 300, 200, 100)])
    left = after(store, needed(store))
    assert files(left) == ["session-003-1.jsonl", "session-004-1.jsonl"]
    assert files(left, "sessions/") == files(store, "sessions/")
    assert Session([CASE]).earlier(left).cases == Session([CASE]).earlier(store).cases


@pytest.mark.parametrize(("days", "project", "environment"), [(500, "", ""), (90, "other", ""), (90, "", "production")])
def test_younger_calls_and_those_of_others_stay(days: int, project: str, environment: str) -> None:
    store = stored([(days, None, [None] * 3) for days in (400, 300, 200, 100)])
    wanted = Needed(NOW - days * DAYS, frozenset(), frozenset({environment}), project)
    assert after(store, wanted).base.content == store.base.content


def test_a_folder_with_a_damaged_file_stays() -> None:
    store = stored([(days, None, [None] * 3) for days in (400, 300, 200, 100)])
    key = next(key for key in store.base.content if key.endswith("session-002-1.jsonl"))
    damaged = store.with_files({key: b"{"})
    assert after(damaged, needed(damaged)).base.content == damaged.base.content


def test_what_a_pull_request_counts_stays() -> None:
    """Its sessions name the calls of the default branch that they reused."""
    store = stored([(days, None, [None] * 3) for days in (400, 300, 200, 100)])
    head = next(data for key, data in store.base.content.items() if key == "sessions/session-002.json")
    branch = store.with_files({"branches/7/sessions/x.json": head})
    assert files(after(branch, needed(branch))) == [f"session-00{number}-1.jsonl" for number in (2, 3, 4)]


REASONS = st.sampled_from([None, "missing", "retry", "again", "start_over"])
ROUNDS = st.tuples(
    st.integers(0, 200), REASONS, st.lists(st.sampled_from([None, "agent", "platform"]), min_size=1, max_size=3)
)


@settings(deadline=None, max_examples=60)
@given(rounds=st.lists(ROUNDS, min_size=1, max_size=5))
def test_every_case_counts_as_before(rounds: list[tuple[int, str | None, list[str | None]]]) -> None:
    """Whatever is dropped of any history."""
    store = stored(sorted(rounds, key=lambda each: -each[0]))
    assert Session([CASE]).earlier(after(store, needed(store))).cases == Session([CASE]).earlier(store).cases
