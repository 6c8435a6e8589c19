"""Matching unconfirmed launches with the runs that the service lists: one, none, several, equal launches, other
clients, clocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.evidence import RunStatus
from planner.execution.launches import Launch, LaunchState, Slot
from planner.execution.reads import Listed
from planner.execution.reconciling import (
    LATEST_CREATION_SECONDS,
    Match,
    Unconfirmed,
    bind_slots,
    prompt_key,
    search_launches,
)
from planner.providers.base import Batch, Line, Run

SENT_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
LINE = Line("agent", 12, "outbound", "bot", None)


def slots_of(launch_id: str, *prompts: str) -> tuple[Slot, ...]:
    return tuple(
        Slot(launch_id, n, f"p/{n}@t", "p", prompt, "sha256:f", None, 16, None, None, None, None, None)
        for n, prompt in enumerate(prompts)
    )


def unconfirmed(launch_id: str, *prompts: str, after: float = 0.0, slack: float = 5.0, **line: Any) -> Unconfirmed:
    launch = Launch(
        launch_id=launch_id,
        session_id="i1",
        consent_id="sha256:d",
        state=LaunchState.UNCONFIRMED,
        line=replace(LINE, **line),
        name=f"planner {launch_id}",
        sent_at=SENT_AT + timedelta(seconds=after),
        slack_seconds=slack,
        batch_id=None,
        run_ids=(),
        detail="lost",
    )
    return Unconfirmed(launch, slots_of(launch_id, *prompts))


def run(run_id: int, says: str, *, after: float | None = 1.0, **fields: Any) -> Run:
    made: dict[str, Any] = {
        "id": run_id,
        "status": RunStatus.UNDER_WAY,
        "target_type": "agent",
        "target_id": 12,
        "direction": "outbound",
        "mode": "bot",
        "target_number": "+14155550199",
        "prompt": says,
        "created_at": None if after is None else SENT_AT + timedelta(seconds=after),
    }
    return Run(**{**made, **fields})


def batch(batch_id: int, *prompts: str, after: float | None = 1.0, **fields: Any) -> Batch:
    made: dict[str, Any] = {
        "id": batch_id,
        "name": "",
        "target_type": "agent",
        "target_id": 12,
        "direction": "outbound",
        "prompts": prompts,
        "size": len(prompts),
        "run_ids": tuple(batch_id * 100 + number for number in range(len(prompts))),
        "created_at": None if after is None else SENT_AT + timedelta(seconds=after),
    }
    return Batch(**{**made, **fields})


def matched(
    launches: Sequence[Unconfirmed],
    runs: Sequence[Run] = (),
    batches: Sequence[Batch] = (),
    *,
    claimed: Sequence[int] = (),
    requesters: Sequence[int] = (),
    **options: Any,
) -> dict[str, Any]:
    """Launch id → the run ids or the batch id that it matched; `None`; or the number of candidates."""
    known = [replace(item, requesters=frozenset(requesters)) for item in launches]
    return matched_as_they_are(known, runs, batches, claimed=claimed, **options)


def search(
    launches: Sequence[Unconfirmed],
    runs: Sequence[Run],
    batches: Sequence[Batch],
    claimed: Sequence[int] = (),
    *,
    claimed_batches: Sequence[int] = (),
    every_batch: bool = True,
) -> list[Match]:
    journal: Any = SimpleNamespace(
        claimed_run_ids=lambda: {*claimed},
        claimed_batch_ids=lambda: {*claimed_batches},
        answered_batch_ids=lambda: {*claimed_batches},
    )
    return search_launches(
        launches,
        batches=Listed({batch.id: batch for batch in batches}, whole=every_batch),
        runs=Listed({run.id: run for run in runs}),
        journal=journal,
    )


def matched_as_they_are(
    launches: Sequence[Unconfirmed],
    runs: Sequence[Run] = (),
    batches: Sequence[Batch] = (),
    *,
    claimed: Sequence[int] = (),
    **options: Any,
) -> dict[str, Any]:
    matches = search(launches, runs, batches, claimed, **options)
    assert sorted(match.unconfirmed.launch.launch_id for match in matches) == sorted(
        item.launch.launch_id for item in launches
    )
    return {match.unconfirmed.launch.launch_id: _found(match) for match in matches}


def _found(match: Match) -> Any:
    if match.found is None:
        return f"{len(match.candidates)} candidates" if match.candidates else None
    assert match.found in match.candidates
    return match.found.batch_id or match.found.run_ids


# Singles


def test_exactly_one_run_is_adopted() -> None:
    """One equal run is a match."""
    assert matched([unconfirmed("a", "p")], [run(1, "p"), run(2, "q")]) == {"a": (1,)}


def test_an_empty_list_has_no_match() -> None:
    """An empty list, or a list of other runs."""
    assert matched([unconfirmed("a", "p")]) == {"a": None}
    assert matched([unconfirmed("a", "p")], [run(2, "q")]) == {"a": None}
    assert matched([]) == {}


def test_more_runs_than_launches_need_a_person() -> None:
    """Any of them could be ours."""
    assert matched([unconfirmed("a", "p")], [run(1, "p"), run(2, "p")]) == {"a": "2 candidates"}


@pytest.mark.parametrize(
    "other",
    [
        {"target_id": 14},
        {"target_type": "phone_number"},
        {"direction": "inbound"},
        {"mode": "sip"},
        {"prompt": "P"},
        {"batch_id": 201},
        {"created_at": SENT_AT - timedelta(seconds=6)},
        {"created_at": SENT_AT + timedelta(seconds=LATEST_CREATION_SECONDS + 6)},
    ],
    ids=lambda fields: " ".join(map(str, *fields.items())),
)
def test_a_different_run_is_no_match(other: dict[str, Any]) -> None:
    """Another target, direction, mode, prompt or time, or a run of a batch for a single launch."""
    assert matched([unconfirmed("a", "p")], [run(1, "p", **other)]) == {"a": None}


@pytest.mark.parametrize(
    "missing", ["target_id", "target_type", "direction", "mode", "created_at", "target_number", "requester_id"]
)
def test_missing_fields_rule_nothing_out(missing: str) -> None:
    """Calling again would be the more expensive mistake."""
    assert matched([unconfirmed("a", "p")], [run(1, "p", **{missing: None})], requesters=[1]) == {"a": (1,)}


@pytest.mark.parametrize("after", [-5.0, 0.0, 5.0, LATEST_CREATION_SECONDS + 5.0])
def test_clocks_may_differ_by_the_slack(after: float) -> None:
    """The service's clock is known to a few seconds, and a request may be delayed on its way."""
    assert matched([unconfirmed("a", "p")], [run(1, "p", after=after)]) == {"a": (1,)}


def test_an_unknown_clock_may_differ_by_more() -> None:
    """If no answer ever had a `Date`, the search is wider."""
    assert matched([unconfirmed("a", "p", slack=3600.0)], [run(1, "p", after=-3000.0)]) == {"a": (1,)}


@pytest.mark.parametrize("stored", ["  p \r\nq\n", "p \nq", "\np \rq\t"])
def test_white_space_around_a_prompt_does_not_hide_it(stored: str) -> None:
    """Services trim strings and normalize line ends."""
    assert matched([unconfirmed("a", "p \nq\n")], [run(1, stored)]) == {"a": (1,)}


def test_claimed_runs_are_no_candidates() -> None:
    """They belong to another launch."""
    assert matched([unconfirmed("a", "p")], [run(1, "p"), run(2, "p")], claimed=[1]) == {"a": (2,)}
    assert matched([unconfirmed("a", "p")], [run(1, "p")], claimed=[1]) == {"a": None}


def test_anothers_runs_are_never_adopted() -> None:
    """If the service shows the requester and our own id is known."""
    runs = [run(1, "p", requester_id=2), run(2, "p", requester_id=1)]
    assert matched([unconfirmed("a", "p")], runs, requesters=[1]) == {"a": (2,)}
    assert matched([unconfirmed("a", "p")], runs[:1], requesters=[1]) == {"a": None}
    assert matched([unconfirmed("a", "p")], runs) == {"a": "2 candidates"}


def test_each_launch_has_its_own_requesters() -> None:
    """Two machines with different keys: each lost launch matches runs of its own requester, also if the other's id is
    unknown."""
    mine, theirs = (
        replace(unconfirmed("a", "p"), requesters=frozenset({1})),
        replace(unconfirmed("b", "p"), requesters=frozenset({2})),
    )
    runs = [run(1, "p", requester_id=2), run(2, "p", requester_id=1)]
    assert matched_as_they_are([mine, theirs], runs) == {"a": (2,), "b": (1,)}
    assert matched_as_they_are([mine, unconfirmed("b", "p")], runs) == {"a": (2,), "b": (1,)}
    assert matched_as_they_are([mine, unconfirmed("b", "p")], runs[:1]) == {"a": None, "b": (1,)}
    batches = [batch(201, "p", "q", requester_id=2)]
    pair = [replace(unconfirmed("a", "p", "q"), requesters=frozenset({1})), unconfirmed("b", "p", "q")]
    assert matched_as_they_are(pair, batches=batches) == {"a": None, "b": 201}


def test_a_run_listed_by_a_batch_is_not_a_single_run() -> None:
    """If runs do not show their batch, the batch lists its runs."""
    runs = [run(1, "p"), run(2, "q")]
    assert matched([unconfirmed("a", "p")], runs, [batch(201, "p", "q", run_ids=[1, 2])]) == {"a": None}


# Twins


def test_equal_launches_are_interchangeable() -> None:
    """As many runs as equal launches: each gets one, the oldest launch the oldest run."""
    launches = [unconfirmed("b", "p", after=10), unconfirmed("a", "p")]
    runs = [run(2, "p", after=11), run(1, "p", after=1)]
    assert matched(launches, runs) == {"a": (1,), "b": (2,)}


def test_fewer_runs_than_equal_launches_settle_some_of_them() -> None:
    """The latest launch gets the run: one that is listed later may be too old for it. The others are still searched
    for."""
    launches = [unconfirmed("a", "p"), unconfirmed("b", "p", after=30)]
    assert matched(launches, [run(1, "p", after=31)]) == {"a": None, "b": (1,)}
    assert matched(launches, [run(1, "p", after=2)]) == {"a": (1,), "b": None}
    assert matched(launches, [run(1, "p", after=31), run(2, "p", after=2)]) == {"a": (2,), "b": (1,)}


def test_more_runs_than_equal_launches_need_a_person() -> None:
    """Three runs for two launches: none is adopted."""
    runs = [run(1, "p"), run(2, "p"), run(3, "p")]
    assert matched([unconfirmed("a", "p"), unconfirmed("b", "p")], runs) == {"a": "3 candidates", "b": "3 candidates"}


def test_an_equal_launch_sent_after_a_run_does_not_match_it() -> None:
    """A run created before a launch was sent does not belong to it."""
    launches = [unconfirmed("a", "p"), unconfirmed("b", "p", after=60)]
    assert matched(launches, [run(1, "p", after=1), run(2, "p", after=2), run(3, "p", after=61)]) == {
        "a": "3 candidates",
        "b": "1 candidates",
    }


def test_one_candidate_is_not_given_to_two_launches() -> None:
    """Launches that differ only in something the lists do not show share their candidates: the first takes it."""
    launches = [unconfirmed("a", "p"), unconfirmed("b", "p", mode="sip")]
    assert matched(launches, [run(1, "p", mode=None)]) == {"a": (1,), "b": None}


def test_the_called_number_distinguishes_launches() -> None:
    """A launch with a number gets the run with that number; one without may get any other."""
    launches = [unconfirmed("a", "p"), unconfirmed("b", "p", target_number="+14155550001")]
    runs = [run(1, "p", target_number="+14155550199"), run(2, "p", target_number="+14155550001")]
    assert matched(launches, runs) == {"a": (1,), "b": (2,)}
    assert matched(launches[1:], runs[:1]) == {"b": None}


# Batches


def test_a_batch_matches_by_its_prompts() -> None:
    """In any order, with repetitions."""
    launches = [unconfirmed("a", "p", "q", "q")]
    assert matched(launches, batches=[batch(201, "q", "p", "q")]) == {"a": 201}
    assert matched(launches, batches=[batch(201, "p", "p", "q")]) == {"a": None}
    assert matched(launches, batches=[batch(201, "p", "q", "q", "r")]) == {"a": None}
    assert matched(launches, batches=[batch(201, "p", "q", "q", size=6)]) == {"a": None}


def test_a_batch_without_listed_runs_is_adopted() -> None:
    """Its runs are found later."""
    assert matched([unconfirmed("a", "p", "q")], batches=[batch(201, "p", "q", run_ids=())]) == {"a": 201}


@pytest.mark.parametrize(
    "other",
    [
        {"target_id": 14},
        {"direction": "inbound"},
        {"created_at": SENT_AT - timedelta(seconds=6)},
        {"name": "planner somebody"},
        {"requester_id": 2},
    ],
    ids=lambda fields: " ".join(map(str, *fields.items())),
)
def test_a_different_batch_is_no_match(other: dict[str, Any]) -> None:
    """Another target, time, requester, or the name of another of our launches."""
    assert matched([unconfirmed("a", "p", "q")], batches=[batch(201, "p", "q", **other)], requesters=[1]) == {"a": None}


def test_an_echoed_name_is_proof() -> None:
    """Even if times, prompts and equal launches leave several candidates."""
    launches = [unconfirmed("a", "p", "q"), unconfirmed("b", "p", "q")]
    batches = [
        batch(201, "p", "q", name="planner b", after=-500.0),
        batch(202, "p", "q", name="planner a"),
        batch(203, "p", "q"),
    ]
    assert matched(launches, batches=batches) == {"a": 202, "b": 201}


def test_a_name_set_by_the_service_does_not_rule_out_a_match() -> None:
    """A service may rename a batch: a missing name of ours must not make us call again."""
    assert matched([unconfirmed("a", "p", "q")], batches=[batch(201, "p", "q", name="Batch of 2")]) == {"a": 201}


def test_a_batch_with_claimed_runs_is_no_match() -> None:
    """Also if only one of its runs is claimed, or its launch knows only its id."""
    batches = [batch(201, "p", "q"), batch(202, "p", "q")]
    assert matched([unconfirmed("a", "p", "q")], batches=batches, claimed=[20101]) == {"a": 202}
    assert matched([unconfirmed("a", "p", "q")], batches=batches, claimed_batches={202}) == {"a": 201}


def test_an_unlisted_batch_matches_by_its_runs() -> None:
    """If it is not listed yet, or that list does not reach back, runs of one batch with exactly the launch's prompts identify
    it; fewer may be its."""
    runs = [run(1, "p", batch_id=201), run(2, "q", batch_id=201), run(3, "p", batch_id=202)]
    launches = [unconfirmed("a", "p", "q")]
    assert matched(launches, runs[:2], every_batch=False) == {"a": 201}
    assert matched(launches, runs[:2], every_batch=True) == {"a": 201}
    assert matched(launches, runs[:1], every_batch=True) == {"a": "1 candidates"}
    assert matched(launches, runs, every_batch=False) == {"a": "2 candidates"}
    assert matched(launches, runs[2:], every_batch=False) == {"a": "1 candidates"}
    assert matched(launches, [], every_batch=False) == {"a": None}
    assert matched(launches, [*runs[:2], run(4, "r", batch_id=203)], every_batch=False) == {"a": 201}
    unlisted = [run(1, "p"), run(2, "q")]
    assert matched(launches, unlisted, every_batch=False) == {"a": (1, 2)}
    assert matched([*launches, unconfirmed("b", "p")], unlisted, every_batch=False) == {"a": "1 candidates", "b": (1,)}
    assert matched([unconfirmed("a", "p")], [run(1, "p", batch_id=5)], every_batch=False) == {"a": None}
    partial = [run(1, "p", batch_id=5), run(2, "q", batch_id=5), run(3, "p", batch_id=6)]
    assert matched(launches, partial, every_batch=False) == {"a": "2 candidates"}
    assert matched(launches, partial[:2], every_batch=False) == {"a": 5}
    assert matched(launches, [run(1, "p"), run(2, "r")], every_batch=False) == {"a": "1 candidates"}
    for every_batch in (True, False):  # another launch was answered with the batch
        assert matched(launches, runs[:2], every_batch=every_batch, claimed_batches={201}) == {"a": None}


@pytest.mark.parametrize("every_batch", [True, False])
def test_equal_launches_never_adopt_one_batch_together(every_batch: bool) -> None:
    """The answers of two equal launches are lost. Before: both matched the same batch. Now: each batch is one
    launch's, whether the service lists the batch or only its runs."""
    made = [run(1, "p", batch_id=201), run(2, "q", batch_id=201), run(3, "p", batch_id=202), run(4, "q", batch_id=202)]
    alike = [unconfirmed("a", "p", "q"), unconfirmed("b", "p", "q", after=1)]
    for shown, found in ((made[:2], [201]), (made, [201, 202])):
        listed = [batch(201, "p", "q"), batch(202, "p", "q")][: len(shown) // 2] if every_batch else []
        matches = matched(alike, [] if every_batch else shown, listed, every_batch=every_batch)
        assert sorted(filter(None, matches.values())) == found
    overlapping = [unconfirmed("a", "p", "q"), unconfirmed("c", "p", "r")]
    assert matched(overlapping, made[:2], every_batch=False) == {"a": 201, "c": None}


def test_the_rest_of_a_batch_that_another_launch_took_is_a_candidate() -> None:
    """The batch is listed whole only now. Two of its runs were given to another launch, which it did not answer."""
    shown = [run(20100, "p"), run(20101, "q"), run(20102, "r"), run(20103, "s")]
    shown = [replace(each, batch_id=201) for each in shown]
    larger, listed = unconfirmed("b", "p", "q", "r", "s"), [batch(201, "p", "q", "r", "s", name="planner b")]
    assert matched([larger], shown, listed, claimed=[20100, 20101]) == {"b": "1 candidates"}
    assert matched([larger], shown, listed, claimed=[20100, 20101], claimed_batches=[201]) == {"b": None}


def test_runs_that_a_larger_launch_may_have_made_are_marked() -> None:
    """Its other runs may be listed later."""
    launches = [unconfirmed("a", "p", "q"), unconfirmed("b", "p", "q", "r")]
    made = [run(1, "p", batch_id=201), run(2, "q", batch_id=201)]
    found = {match.unconfirmed.launch.launch_id: match.candidates for match in search(launches, made, [])}
    assert [(each.may_grow, each.is_partial) for each in found["a"]] == [(True, False)]
    alone = search(launches[:1], made, [])
    assert [(each.may_grow, each.is_partial) for match in alone for each in match.candidates] == [(False, False)]


# A law


@given(
    sent=st.lists(st.sampled_from(["p", "q", "p+q", "p+p"]), min_size=1, max_size=5),
    made=st.data(),
    names=st.booleans(),
)
def test_each_launch_adopts_a_different_run(sent: list[str], made: Any, names: bool) -> None:
    """Without other clients, every launch that was carried out is matched, each to a different run or batch, and no
    other launch is."""
    launches: list[Unconfirmed] = []
    runs: list[Run] = []
    batches: list[Batch] = []
    carried_out: list[tuple[str, ...]] = []
    for number, asked in enumerate(sent):
        item = unconfirmed(f"l{number}", *asked.split("+"), after=number * 3)
        launches.append(item)
        if made.draw(st.booleans(), "carried out"):
            carried_out.append(item.prompts)
            if len(item.slots) > 1:
                name = item.launch.name if names else ""
                batches.append(batch(200 + number, *item.prompts, after=number * 3 + 1, name=name))
            else:
                runs.append(run(1 + number, item.prompts[0], after=number * 3 + 1))
    matches = search(launches, runs, batches)
    found = [match.found for match in matches if match.found is not None]
    assert len({(candidate.batch_id, candidate.run_ids) for candidate in found}) == len(found)
    assert sorted(match.unconfirmed.prompts for match in matches if match.found) == sorted(carried_out)


# Slots


def test_slots_are_bound_by_prompt_never_by_position() -> None:
    """Run ids may come in any order."""
    runs = {7: run(7, " q"), 8: run(8, "p"), 9: run(9, "q")}
    assert bind_slots(slots_of("a", "p", "q", "q"), runs, (7, 8, 9)) == {0: 8, 1: 7, 2: 9}


def test_equal_prompts_need_no_list() -> None:
    """Any run is as good as any other, even before it is listed."""
    assert bind_slots(slots_of("a", "p", "p"), {}, (7, 8)) == {0: 7, 1: 8}
    assert bind_slots(slots_of("a", "p"), {}, (7,)) == {0: 7}


def test_runs_not_listed_yet_stay_unbound() -> None:
    """If only one prompt is left, the remaining run needs no list."""
    slots = slots_of("a", "p", "q", "q")
    assert bind_slots(slots, {}, (7, 8, 9)) == {}
    assert bind_slots(slots, {8: run(8, "p")}, (7, 8, 9)) == {0: 8, 1: 9}
    bound = (replace(slots[0], run_id=8), replace(slots[1], run_id=9), slots[2])
    assert bind_slots(bound, {}, (7, 8, 9)) == {2: 7}


def test_extra_or_unknown_runs_are_not_bound() -> None:
    """A service that lists more runs than were asked for."""
    assert bind_slots(slots_of("a", "p"), {}, (7, 8)) == {0: 7}
    assert bind_slots(slots_of("a", "p", "q"), {7: run(7, "r"), 8: run(8, "q")}, (7, 8)) == {1: 8}
    assert bind_slots(slots_of("a", "p"), {}, ()) == {}


@given(prompts=st.lists(st.sampled_from("pqr"), min_size=1, max_size=8), data=st.data())
def test_all_slots_are_bound_once_all_runs_are_listed(prompts: list[str], data: st.DataObject) -> None:
    """Each run is bound to a slot with its prompt, each slot to a different run, in any order, in one step or two."""
    slots = slots_of("a", *prompts)
    order = data.draw(st.permutations(range(len(prompts))), "order")
    runs = {10 + place: run(10 + place, prompts[ordinal]) for place, ordinal in enumerate(order)}
    seen = data.draw(st.sets(st.sampled_from(sorted(runs))), "listed first")
    first = bind_slots(slots, {run_id: runs[run_id] for run_id in seen}, sorted(runs))
    later = tuple(replace(slot, run_id=first.get(slot.ordinal)) for slot in slots)
    bindings = first | bind_slots(later, runs, sorted(runs))
    assert sorted(bindings) == list(range(len(prompts)))
    assert sorted(bindings.values()) == sorted(runs)
    assert all(runs[run_id].prompt == prompts[ordinal] for ordinal, run_id in bindings.items())


@given(st.text())
def test_prompts_compare_as_stored(prompt: str) -> None:
    """The comparison does not change if a string is stored and read again; no prompt is only white space."""
    assert prompt_key(prompt_key(prompt)) == prompt_key(prompt)
    assert prompt_key(f" \r\n{prompt}\t\n") == prompt_key(prompt)
    assert prompt_key(None) == prompt_key(" ") != prompt_key("x")
