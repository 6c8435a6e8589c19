"""The state of a log depends on the set of its lines alone, and counts what was paid or may have been."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.evidence import CostBasis, RunStatus
from planner.log.facts import (
    MICROCENTS,
    NO_LAUNCH,
    Asked,
    Call,
    Ceiling,
    Consent,
    Decision,
    DecisionKind,
    Fact,
    Goal,
    Ignored,
    Intent,
    Outcome,
    Preview,
    PreviewStep,
    Reader,
    Result,
    Scope,
    Session,
    Verdict,
    Vote,
    Why,
    write_fact,
)
from planner.log.fold import Stage, fold
from planner.providers.base import CallId, Line, RunId

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACCOUNT = "a" * 16
LINE = Line("agent", 12, "outbound", "bot", None)
READER = Reader(ACCOUNT, AT)


def intent(launch_id: str = "l1", *asked: Asked, consent_id: str = "c1") -> Intent:
    asked = asked or (Asked("k1", "p1", 2, 24, "plan"),)
    return Intent(AT, ACCOUNT, launch_id, consent_id, "s1", LINE, asked, 5.0, "key")


def accepted(launch_id: str, *run_ids: int) -> Outcome:
    return Outcome(AT, launch_id, Result.ACCEPTED, 1000, run_ids)


def call(
    run_id: int,
    part: int = 1,
    key: str = "k1",
    launch_id: str = "l1",
    cents: int | None = 16,
    basis: CostBasis = "call",
) -> Call:
    missing = () if cents is not None else ("bill",)
    return Call(
        AT,
        ACCOUNT,
        RunId(run_id),
        key,
        launch_id,
        part,
        RunStatus.COMPLETED,
        cents=cents,
        basis=basis,
        missing=missing,
        evidence="e",
    )


def lines(*facts: Fact) -> list[str]:
    return [write_fact(fact) for fact in facts]


# The set decides

_launch_ids = st.sampled_from(["l1", "l2", "l3"])
_run_ids = st.sampled_from([7, 8, 9])
_keys = st.sampled_from(["k1", "k2"])
_cents = st.sampled_from([None, 5, 90])
_asked = st.builds(Asked, _keys, _keys, st.integers(1, 3), st.sampled_from([10, 24]), st.sampled_from(["", "plan"]))
FACTS: st.SearchStrategy[Fact] = st.one_of(
    st.builds(
        lambda launch_id, asked, consent: intent(launch_id, *asked, consent_id=consent),
        _launch_ids,
        st.lists(_asked, min_size=1, max_size=3),
        st.sampled_from(["c1", "c2"]),
    ),
    st.builds(
        lambda launch_id, result, batch, runs: Outcome(AT, launch_id, result, batch, tuple(runs)),
        _launch_ids,
        st.sampled_from(Result),
        st.sampled_from([None, 1, 2]),
        st.lists(_run_ids, max_size=3),
    ),
    st.builds(call, _run_ids, st.integers(0, 3), _keys, st.one_of(_launch_ids, st.just(NO_LAUNCH)), _cents),
    st.builds(
        lambda vote, cents, answer: Vote(AT, ACCOUNT, vote, "c1", "s1", "q", "e", "model", cents, answer=answer),
        st.sampled_from(["v1", "v2"]),
        st.integers(0, 5),
        st.sampled_from([None, "yes", "no"]),
    ),
    st.builds(
        lambda step, copy_id, revision, changed: Preview(
            AT, ACCOUNT, "p1", 12, "d", "s1", "key", step, copy_id, revision, changed
        ),
        st.sampled_from(PreviewStep),
        st.sampled_from([None, 20, 21]),
        st.sampled_from(["", "r1", "r2"]),
        st.booleans(),
    ),
    st.builds(lambda calls: Consent(AT, ACCOUNT, "c1", "d", (Goal("k1", calls),)), st.integers(1, 3)),
    st.builds(lambda outcome: Verdict(AT, RunId(7), "x", "e", outcome), st.sampled_from(["passed", "failed"])),
    st.builds(lambda by: Decision(AT, DecisionKind.ACCEPTED, "s1", by), st.sampled_from(["ann", "bob"])),
    st.builds(lambda code, end: Session(AT, ACCOUNT, "s1", end, exit_code=code), st.integers(0, 5), st.booleans()),
)


@settings(max_examples=120)
@given(st.lists(FACTS, max_size=14), st.randoms(use_true_random=False))
def test_order_and_repetition_make_no_difference(facts: list[Fact], random: Random) -> None:
    written = lines(*facts)
    again = [*written, *written[: len(written) // 2]]
    random.shuffle(again)
    assert fold(again, READER) == fold(written, READER)


@settings(max_examples=60)
@given(st.lists(FACTS, max_size=10), st.lists(FACTS, max_size=10))
def test_two_logs_are_merged_by_the_union_of_their_lines(ours: list[Fact], theirs: list[Fact]) -> None:
    assert fold([*lines(*ours), *lines(*theirs)], READER) == fold(lines(*theirs), READER, fold(lines(*ours), READER))


@settings(max_examples=60)
@given(st.lists(FACTS, max_size=14))
def test_no_sum_is_negative(facts: list[Fact]) -> None:
    counters = fold(lines(*facts), READER).tallies.counters()
    assert all(number > 0 for counter in counters for number in counter.values())


@settings(max_examples=100)
@given(FACTS)
def test_a_fact_is_read_as_it_was_written(fact: Fact) -> None:
    assert READER.read(write_fact(fact)) == fact


# What counts

_TABLE: list[tuple[str, list[Fact], int, tuple[int, int]]] = [
    ("intended", [intent()], 2, (0, 48)),
    ("refused", [intent(), Outcome(AT, "l1", Result.REFUSED, status=429)], 0, (0, 0)),
    ("unsent", [intent(), Outcome(AT, "l1", Result.UNSENT)], 0, (0, 0)),
    ("absent", [intent(), Outcome(AT, "l1", Result.ABSENT)], 0, (0, 0)),
    ("unclear", [intent(), Outcome(AT, "l1", Result.UNCLEAR)], 2, (0, 48)),
    ("accepted", [intent(), accepted("l1", 7, 8)], 2, (0, 48)),
    ("accepted after absent", [Outcome(AT, "l1", Result.ABSENT), intent(), accepted("l1", 7, 8)], 2, (0, 48)),
    ("refused after a wrong adoption", [intent(), Outcome(AT, "l1", Result.ADOPTED, 1, (7, 8)), call(7),
                                        Outcome(AT, "l1", Result.REFUSED)], 0, (0, 0)),
    ("one billed", [intent(), accepted("l1", 7, 8), call(7)], 2, (16, 24)),
    ("both billed", [intent(), accepted("l1", 7, 8), call(7), call(8, cents=90)], 2, (106, 0)),
    ("a bill to come", [intent(), accepted("l1", 7, 8), call(7, cents=None)], 2, (0, 48)),
    ("a later part", [call(7, 2, cents=20), intent(), call(7), accepted("l1", 7, 8)], 2, (20, 24)),
    ("a call of another run", [intent(), accepted("l1", 7, 8), call(99)], 2, (0, 48)),
    ("a call without a launch", [call(7, launch_id=NO_LAUNCH)], 1, (0, 0)),
    ("more runs than asked for", [intent(), accepted("l1", 7, 8, 9), call(7), call(8), call(9)], 3, (48, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "live", "spending"), [pytest.param(*row[1:], id=row[0]) for row in _TABLE])
def test_what_counts(facts: list[Fact], live: int, spending: tuple[int, int]) -> None:
    state = fold(lines(*facts), READER)
    assert state.tallies.live["k1"] == live
    assert (state.tallies.spent.total(), state.tallies.reserved.total()) == spending


def test_a_key_with_an_unknown_run_is_live() -> None:
    state = fold(
        lines(intent("l1", Asked("k1", "p1", 1, 24), Asked("k2", "p2", 2, 24)), accepted("l1", 7), call(7, key="k2")),
        READER,
    )
    assert (state.tallies.live["k1"], state.tallies.live["k2"]) == (1, 2)
    assert state.stages[Stage.UNREAD] == {"l1"}


def test_calls_run_until_they_end_or_for_a_day() -> None:
    state = fold(lines(intent(), accepted("l1", 7, 8), call(7)), READER)
    assert (state.running(AT), state.running(AT + timedelta(days=2))) == (1, 0)


def test_votes_are_reserved_until_they_are_answered() -> None:
    def vote(answer: str | None, cents: int) -> Vote:
        return Vote(AT, ACCOUNT, "v1", "c1", "s1", "q", "e", "model", cents * MICROCENTS, "plan", answer)

    assert fold(lines(vote(None, 3)), READER).tallies.judging == {("c1", "plan"): 3 * MICROCENTS}
    tallies = fold(lines(vote("yes", 1), vote(None, 3)), READER).tallies
    assert (tallies.judged, tallies.judging) == ({("c1", "plan"): MICROCENTS}, {})


def test_what_is_left_to_read() -> None:
    done = lines(intent(), accepted("l1", 7, 8), call(7), call(8))
    assert fold(done[:1], READER).open_launches() == [intent()]
    assert fold(done[:3], READER).stages[Stage.UNREAD] == {"l1"}
    assert fold([*done[:3], *lines(call(8, cents=None))], READER).stages[Stage.INCOMPLETE] == {"l1"}
    assert not any(fold(done, READER).stages.values())


def test_bills_are_of_targets() -> None:
    state = fold(
        lines(intent(), accepted("l1", 7, 8), call(7, cents=90), call(7, 2, cents=30, basis="transaction"), call(8)),
        READER,
    )
    assert (state.highest_bill(("agent", 12)), state.highest_bill(("agent", 13)), state.highest_bill(None)) == (
        30,
        0,
        30,
    )


def test_a_later_reading_does_not_lose_the_bill() -> None:
    """Two machines read a call: one its bill, the other, later, only its transcript."""
    state = fold(lines(intent(), accepted("l1", 7, 8), call(7, 2, cents=None), call(7, 1, cents=30), call(8)), READER)
    assert (state.tallies.spent.total(), state.tallies.reserved.total()) == (46, 0)
    assert not any(state.stages.values())


# Lines that count for nothing

_CONSENT = Consent(AT, ACCOUNT, "c1", "d", (Goal("k1", 2),), (Ceiling(Scope.CONSENT, 500, "--max-cost"),))


def _edited(**fields: object) -> str:
    return json.dumps({**json.loads(write_fact(intent())), **fields})


_BAD: list[tuple[str, str, Why]] = [
    ("empty", "", Why.UNREADABLE),
    ("cut", write_fact(_CONSENT)[:-9], Why.UNREADABLE),
    ("no fact", "[]", Why.UNREADABLE),
    ("a kind that nobody knows", '{"fact":"lease","v":1}', Why.UNREADABLE),
    ("newer kind", '{"fact":"lease","v":2}', Why.NEWER),
    ("newer fact", _edited(v=2), Why.NEWER),
    ("huge", write_fact(intent()).replace("s1", "s" * 5_000_000), Why.UNREADABLE),
    ("deep", '{"fact":' + "[" * 100_000, Why.UNREADABLE),
    ("lone surrogate", _edited(session_id="\ud800"), Why.UNREADABLE),
    ("raw surrogate", write_fact(intent()).replace("s1", "\ud800"), Why.UNREADABLE),
    ("other account", _edited(account="b" * 16), Why.OTHER_ACCOUNT),
    ("future", _edited(at=(AT + timedelta(days=400)).isoformat()), Why.FUTURE),
    ("end of time", _edited(at="9999-12-31T23:59:59Z"), Why.UNREADABLE),
    ("no time zone", _edited(at="2026-11-24T12:00:00"), Why.UNREADABLE),
    ("negative cents", _edited(asked=[{"key": "k", "prompt": "p", "calls": 1, "cents": -5}]), Why.UNREADABLE),
    ("huge cents", _edited(asked=[{"key": "k", "prompt": "p", "calls": 1, "cents": 10**30}]), Why.UNREADABLE),
    ("many calls", _edited(asked=[{"key": "k", "prompt": "p", "calls": 10**7, "cents": 1}]), Why.UNREADABLE),
    ("no calls", _edited(asked=[]), Why.UNREADABLE),
    ("infinite slack", _edited(slack_seconds=float("inf")), Why.UNREADABLE),
    ("a path for an id", _edited(launch_id="../../etc"), Why.UNREADABLE),
    ("a long mode", _edited(line={"target_type": "agent", "target_id": 1, "direction": "o", "mode": "m" * 999, "target_number": None}), Why.UNREADABLE),
]  # fmt: skip


@pytest.mark.parametrize(("line", "why"), [pytest.param(*row[1:], id=row[0]) for row in _BAD])
def test_other_lines_are_ignored_and_named(line: str, why: Why) -> None:
    read = READER.read(line)
    assert isinstance(read, Ignored)
    assert read.why is why
    good = lines(_CONSENT)
    state = fold([line, *good], READER)
    assert state.consents == fold(good, READER).consents
    assert [ignored.why for ignored in state.ignored.values()] == [why]
    assert not state.tallies.live
    assert state.is_newer == (why is Why.NEWER)


def test_unknown_fields_are_of_a_newer_version_that_means_the_same() -> None:
    assert READER.read(_edited(colour="red")) == intent()


def test_parts_of_a_call_may_come_in_any_order() -> None:
    early = Call(AT, ACCOUNT, RunId(7), "k1", "l1", 0, call_id=CallId(1))
    state = fold(lines(call(7, 1), early), READER)
    assert state.launches["l1"].calls[RunId(7)].has_ended
