"""Which stored calls count together, and what the next session does about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from planner.planfile.model import Case
from planner.records.facts import CallFact, StoredCall
from planner.reports import case_phrasing
from planner.results.model import CallData, JudgedRun, StartOverDocument
from planner.verdicts.pools import Pool, pools_of
from tests.support.samples import changed
from tests.support.stored_calls import Session, Store, mix, play, runs_after
from tests.support.stored_cases import NOW, make_case, make_runs

FRESH = StartOverDocument(reason="the lookup tool was fixed", by="ana", at=datetime(2026, 11, 25, tzinfo=UTC))
TEN = make_case(runs=10, min_pass_rate=0.8)
FOUR = make_case(runs=4)
EMPTY = Store()
BEFORE, AFTER = ({("agent", 12): revision} for revision in ("2026-11-01 a", "2026-11-24 b"))


def asked(case: Case, store: Store, **known: Any) -> tuple[str, str, int, int]:
    (found,) = Session([case], asked=known).changes(store)
    return found.action.value, found.reason.value, found.runs, len(found.kept_run_ids)


def test_a_failed_case_is_judged_by_all_of_its_runs() -> None:
    """6 of 10, then 9 of 10, is 15 of 20: not enough for 80 %. 10 more may be enough, and then the case is kept."""
    first = play(TEN, EMPTY, mix(6, 4))
    second = play(TEN, first.store, mix(9, 1), rerun="failed")
    assert [first.pool, second.pool, second.sides] == [("failed", 6, 10), ("failed", 15, 20), ((6, 10), (9, 10))]
    assert second.case.pass_rate == 0.75
    assert second.case.interval is not None
    assert [run.pooled for run in second.case.runs] == [True] * 10 + [False] * 10
    assert [run.run_id for run in second.case.carried_runs] == [run.run_id for run in first.case.runs]
    assert case_phrasing.pool(second.case) == "10 of its 20 calls are from earlier sessions"
    third = play(TEN, second.store, mix(10, 0), rerun="failed")
    assert (third.pool, third.sides) == (("flaky", 25, 30), ((15, 20), (10, 10)))
    kept = play(TEN, third.store)
    assert (kept.case.action, kept.pool) == ("reuse", ("flaky", 25, 30))


def test_a_failed_case_is_called_again_if_something_changed_or_somebody_asks() -> None:
    """Whether new calls could reach its rate or not."""
    failed = play(TEN, EMPTY, mix(7, 3)).store
    assert asked(TEN, failed) == ("reuse", "failed", 0, 0)
    assert asked(TEN, failed, rerun="failed") == asked(TEN, failed, rerun="all") == ("call", "failed", 10, 10)
    assert asked(replace(TEN, runs=40), failed)[::2] == ("call", 30)
    assert asked(TEN, failed, start_over=FRESH) == ("call", "start_over", 10, 0)
    (start_over,) = Session([TEN], asked={"start_over": FRESH}).changes(failed)
    assert start_over.detail == "", "earlier runs do not count"
    kept = play(TEN, failed)
    assert (kept.pool, kept.case.compared) == (("failed", 7, 10), "same")


def test_starting_over_is_recorded() -> None:
    """The new runs decide alone and are compared with the earlier ones, and the result says why, who and when. A passed
    case is not called because of it."""
    failed = play(TEN, EMPTY, mix(6, 4)).store
    anew = play(TEN, failed, mix(9, 1), start_over=FRESH)
    assert (anew.pool, anew.sides, anew.case.start_over) == (("flaky", 9, 10), ((6, 10), (9, 10)), FRESH)
    assert case_phrasing.pool(anew.case) == "earlier calls are not counted: the lookup tool was fixed"
    kept = play(TEN, anew.store, start_over=FRESH)
    assert (kept.case.action, kept.pool, kept.case.start_over) == ("reuse", ("flaky", 9, 10), FRESH)
    again = play(TEN, play(TEN, failed, mix(7, 3), start_over=FRESH).store, mix(9, 1), rerun="failed")
    assert (again.pool, again.case.start_over) == (("flaky", 16, 20), FRESH)
    assert play(TEN, EMPTY, mix(9, 1), start_over=FRESH).case.start_over is None


@pytest.mark.parametrize(
    ("passed", "failed", "rerun", "expected"),
    [
        (10, 0, "needed", ("reuse", "passed", 0, 0)),
        (10, 0, "all", ("call", "start_over", 10, 0)),
        (10, 0, "failed", ("reuse", "passed", 0, 0)),
        (6, 4, "needed", ("call", "start_over", 10, 0)),
        (6, 4, "failed", ("call", "start_over", 10, 0)),
        (6, 4, "all", ("call", "start_over", 10, 0)),
        (0, 0, "needed", ("call", "new", 10, 0)),
    ],
)
def test_starting_over_concerns_what_did_not_pass(passed: int, failed: int, rerun: str, expected: Any) -> None:
    """With `--rerun all`, every selected case."""
    store = play(TEN, EMPTY, mix(passed, failed)).store if passed + failed else EMPTY
    assert asked(TEN, store, rerun=rerun, start_over=FRESH) == expected


def test_starting_over_calls_what_could_not_be_read() -> None:
    """Instead of reading it once more."""
    unread = play(FOUR, EMPTY, [None, "judge", "judge", "judge"])
    assert unread.pool == ("unknown", 1, 4)
    assert asked(FOUR, unread.store) == ("recheck", "inconclusive", 0, 0)
    assert asked(FOUR, unread.store, start_over=FRESH) == ("call", "start_over", 4, 0)


def test_new_runs_that_differ_enter_the_pool() -> None:
    """Nothing but a change, a pass or a reason begins another one."""
    fixed = play(TEN, play(TEN, EMPTY, mix(1, 9)).store, mix(10, 0), rerun="failed")
    assert (fixed.pool, fixed.sides, fixed.case.compared) == (("failed", 11, 20), ((1, 10), (10, 10)), "same")


def test_a_changed_call_or_a_pass_begins_a_pool() -> None:
    """Another prompt or an edited agent. A passed case that is called again is compared with its earlier runs, not
    pooled."""
    failed = play(TEN, EMPTY, mix(7, 3), revisions=BEFORE).store
    assert play(replace(TEN, prompt="Hello."), failed, mix(9, 1), revisions=BEFORE).pool == ("flaky", 9, 10)
    edited = play(TEN, failed, mix(9, 1), revisions=AFTER)
    assert (edited.case.reason, edited.pool) == ("agent_edited", ("flaky", 9, 10))
    good = play(TEN, failed, mix(9, 1), rerun="failed", revisions=BEFORE)
    assert good.pool == ("flaky", 16, 20)
    again = play(TEN, good.store, mix(9, 1), rerun="all", revisions=BEFORE)
    assert (again.pool, again.sides) == (("flaky", 9, 10), ((16, 20), (9, 10)))
    assert play(TEN, again.store, revisions=BEFORE).pool == ("flaky", 9, 10)


def test_old_runs_leave_a_pool_that_has_not_passed() -> None:
    """By `max_age`; a run of unknown age does not count either. A pool that passed expires as a whole."""
    week = replace(TEN, max_age=timedelta(days=7))
    old, young = NOW - timedelta(days=8), NOW - timedelta(days=6)

    def aged(*causes: str | None) -> Store:
        ages = [old, None, young, *[NOW - timedelta(hours=1)] * 7]
        runs = [changed(run, completed_at=at) for run, at in zip(runs_after(EMPTY, *causes), ages, strict=True)]
        return play(week, EMPTY, runs).store

    later = [changed(run, completed_at=NOW) for run in make_runs(*mix(9, 1), first=500, session_id="session-002")]
    found = play(week, aged(*mix(7, 3)), later, rerun="failed")
    assert (found.pool, [run.pooled for run in found.case.runs].count(True)) == (("failed", 14, 18), 8)
    assert asked(week, aged(*mix(10, 0)))[:2] == ("call", "expired")


@pytest.mark.parametrize(
    ("case", "causes", "known", "expected"),
    [
        (FOUR, ("caller", "platform"), {}, 2),
        (FOUR, ("caller", None), {}, 0),
        (FOUR, ("caller", "judge"), {}, 0),
        (FOUR, ("caller", "agent"), {}, 0),
        (FOUR, (), {}, 1),
        (replace(FOUR, prompt="Hello."), ("caller",), {}, 1),
        (FOUR, ("caller",), {"revisions": {("agent", 12): "2026-11-25 c"}}, 1),
        (FOUR, ("caller",), {"start_over": FRESH}, 1),
    ],
)
def test_sessions_without_a_call_that_counts(
    case: Case, causes: tuple[str | None, ...], known: dict[str, Any], expected: int
) -> None:
    """They are counted in a row, from a call that counts, waits for its evidence, or differs. The next session finds
    the same number in the facts."""
    first = play(FOUR, EMPTY, [None, "caller", "caller", "platform"], revisions=AFTER)
    second = play(FOUR, first.store, ["caller"], revisions=AFTER)
    assert (first.case.inconclusive_sessions, second.case.inconclusive_sessions) == (0, 1)
    now: dict[str, Any] = {"revisions": AFTER, **known}
    third = play(case, second.store, causes, **now)
    (stored,) = Session([case], known.get("revisions", AFTER)).earlier(third.store).cases.values()
    assert stored.prior is not None
    assert (third.case.inconclusive_sessions, stored.prior.inconclusive_sessions) == (expected, expected)


def test_inconclusive_runs_leave_the_pool() -> None:
    """They are not counted with the next runs."""

    def retried(*spoilt: str, excluded: str | None = None) -> tuple[str, int, int]:
        runs = [*runs_after(EMPTY, *mix(6, 3)), *runs_after(EMPTY, *spoilt, first=990, excluded=excluded)]
        store = play(TEN, EMPTY, runs).store
        return play(TEN, store, mix(9, 1), rerun="failed").pool

    assert retried("platform", "caller") == ("failed", 15, 19)
    assert retried("platform", excluded="agent_edited") == ("failed", 15, 19)


def test_an_undecided_case_is_pooled_too() -> None:
    """4 calls that count, of 10, then 6 of 6."""
    left_open = play(TEN, EMPTY, [*mix(3, 1), *["platform"] * 6])
    assert left_open.pool == ("unknown", 3, 10)
    for rerun in ("needed", "failed"):
        assert play(TEN, left_open.store, mix(6, 0), rerun=rerun).pool == ("flaky", 9, 10)


def test_three_five_three_runs_make_two_calls() -> None:
    """Raised `runs` call what is missing; with the old number nothing is called, and nothing is forgotten."""
    case, more = make_case(), make_case(runs=5)
    first = play(case, EMPTY, mix(3, 0)).store
    assert asked(more, first) == ("call", "runs_raised", 2, 3)
    second = play(more, first, mix(2, 0))
    assert second.pool == ("passed", 5, 5)
    assert asked(case, second.store) == asked(more, second.store) == ("reuse", "passed", 0, 0)
    assert play(case, second.store).pool == ("passed", 5, 5)
    failing = play(more, first, mix(1, 1))
    assert (failing.pool, play(case, failing.store).pool) == (("failed", 4, 5), ("failed", 4, 5))


# Pools of calls, without a session: `cause minute consent reason` of each.

Made = tuple[str | None, int | None, str, str]


def pools(case: Case, *made: Made, now: datetime = NOW) -> list[Pool]:
    runs: dict[int, JudgedRun] = {}
    calls: list[StoredCall] = []
    for number, (cause, minute, consent, reason) in enumerate(made, 1):
        ended = None if minute is None else NOW + timedelta(minutes=minute)
        fact = CallFact(
            run_id=number,
            session_id=f"{consent}-session",
            consent_id=consent,
            case_id=case.case_id,
            plan=case.plan,
            environment="",
            target_id=12,
            reason=reason,  # pyright: ignore[reportArgumentType]
            start_over=FRESH if reason == "start_over" else None,
            data=CallData(completed_at=ended),
        )
        calls.append(StoredCall(fact, "sha256:f", fact.data))
        (runs[number],) = make_runs(cause, first=number, session_id=fact.session_id, completed_at=ended)
    return pools_of(case, calls, lambda call: runs[call.call.run_id], now)


def counts(found: list[Pool]) -> list[tuple[int, int]]:
    return [(pool.verdict.runs_passed, len(pool.calls)) for pool in found]


def again(consent: str, reason: str, *ended: tuple[str | None, int]) -> list[Made]:
    return [(cause, minute, consent, reason) for cause, minute in ended]


FIRST = again("a", "first", (None, 1), ("agent", 2))
GOOD = again("a", "first", (None, 1), (None, 2))
TWO = make_case(runs=2)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ([], []),
        (FIRST, [(1, 2)]),
        ([*FIRST, *again("b", "retry", (None, 11), (None, 12))], [(3, 4)]),
        ([*FIRST, *again("b", "missing", (None, 11))], [(2, 3)]),
        ([*FIRST, *again("b", "again", (None, 11), (None, 12))], [(3, 4)]),
        ([*FIRST, *again("b", "start_over", (None, 11), (None, 12))], [(1, 2), (2, 2)]),
        ([*GOOD, *again("b", "again", (None, 11), ("agent", 12))], [(2, 2), (1, 2)]),
        ([*GOOD, *again("b", "missing", ("agent", 11))], [(2, 3)]),
        ([*GOOD, *again("b", "first", ("agent", 11))], [(2, 3)]),
        ([*GOOD, *again("b", "start_over", ("agent", 11))], [(2, 2), (0, 1)]),
        ([*again("a", "first", *[(None, 1)] * 6), *again("b", "missing", *[("agent", 11)] * 6)], [(6, 12)]),
        ([*again("a", "first", *[("agent", 1)] * 6), *again("b", "missing", *[(None, 11)] * 6)], [(6, 12)]),
        ([*again("b", "retry", (None, 11)), *FIRST], [(2, 3)]),
    ],
)
def test_where_a_pool_begins(made: list[Made], expected: list[tuple[int, int]]) -> None:
    """By what was agreed to, and what had passed; by the order of the ends, not of the files. What is called again
    without a pass before counts with it."""
    assert counts(pools(TWO, *made)) == expected


def test_two_machines_at_the_same_time() -> None:
    """The calls of each consent count together, however their ends are interleaved. Two first consents are one pool: a
    failure of one is not forgotten."""
    mixed = [(None, 1, "a", "first"), (None, 2, "b", "first"), ("agent", 3, "a", "first"), (None, 4, "b", "first")]
    assert counts(pools(TWO, *mixed)) == [(3, 4)]
    passed = [("agent", 1, "b", "again"), *GOOD, (None, 9, "b", "again")]
    assert counts(pools(TWO, *passed)) == [(3, 4)]
    earlier = [*GOOD, ("agent", 5, "b", "again"), (None, 6, "c", "again"), (None, 8, "b", "again")]
    assert counts(pools(TWO, *earlier)) == [(2, 2), (2, 3)]
