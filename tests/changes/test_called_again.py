"""A case that failed or was undecided is called again, and judged by its new and earlier runs together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from planner.checks.opinions import no_judge
from planner.planfile.model import Case
from planner.reports import case_phrasing
from planner.results.model import CaseResult, StartOverDocument
from planner.results.outcomes import Action, CaseOutcome
from planner.verdicts.case_documents import MissingRuns, assemble_cases
from planner.verdicts.cases import total
from planner.verdicts.comparison import differ_too_much
from planner.verdicts.early_stopping import EarlyStopping
from planner.verdicts.untrusted_cases import could_pass
from tests.support.samples import changed, one_side, own_rate
from tests.support.stored_cases import NOW, build, make_case, make_runs

NO_EVIDENCE = could_pass(lambda _: None, no_judge)
FRESH = StartOverDocument(reason="the lookup tool was fixed", by="ana", at=datetime(2026, 11, 25, tzinfo=UTC))
TEN = make_case(runs=10, min_runs=5, min_pass_rate=0.8)
Night = Callable[..., CaseResult]


nights = count(1)


def night(case: Case, stored: CaseResult | None, passed: int, failed: int, **known: Any) -> CaseResult:
    """The stored result of a case after a session with so many passed and failed calls; keywords as for `build`."""
    number = next(nights)
    (change,) = build([case], [] if stored is None else [stored], could_pass=NO_EVIDENCE, **known).changes
    runs = make_runs(*[None] * passed, *["agent"] * failed, first=100 * number, session_id=f"night-{number}")
    made = {case.case_id: runs}
    (found,) = assemble_cases([change], made, lambda _: None, MissingRuns(), today=date(2026, 11, 25))
    return found


def pool(case: CaseResult) -> tuple[str, int, int]:
    return case.outcome, case.runs_passed, case.runs_total


def sides(case: CaseResult) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    before, latest = case.baseline, case.latest
    return (
        before and (before.runs_passed, before.runs_countable),
        latest and (latest.runs_passed, latest.runs_countable),
    )


def test_a_failed_case_is_judged_by_all_of_its_runs() -> None:
    """6 of 10, then 9 of 10, is 15 of 20: not enough for 80 %. 10 more may be enough, and then the case is kept."""
    first = night(TEN, None, 6, 4)
    second = night(TEN, first, 9, 1)
    assert [pool(each) for each in (first, second)] == [("failed", 6, 10), ("failed", 15, 20)]
    assert sides(second) == ((6, 10), (9, 10))
    assert second.pass_rate == 0.75
    assert second.interval is not None
    assert [run.pooled for run in second.runs] == [True] * 10 + [False] * 10
    assert [run.run_id for run in second.carried_runs] == [run.run_id for run in first.runs]
    assert case_phrasing.pool(second) == "10 of its 20 calls are from earlier sessions"
    third = night(TEN, second, 10, 0)
    assert (pool(third), sides(third)) == (("flaky", 25, 30), ((15, 20), (10, 10)))
    assert (night(TEN, third, 0, 0).action, pool(night(TEN, third, 0, 0))) == ("reuse", ("flaky", 25, 30))


def test_a_case_whose_rate_is_out_of_reach_is_not_called() -> None:
    """5 of 10 and 10 more that pass are 15 of 20: kept as failed, unless `runs` is raised or `--rerun failed` is
    given."""
    failed = night(TEN, None, 5, 5)

    def change(case: Case = TEN, **known: Any) -> tuple[str, str, int, int]:
        (found,) = build([case], [failed], could_pass=NO_EVIDENCE, **known).changes
        return found.action.value, found.reason.value, found.runs, len(found.kept_run_ids)

    assert change() == ("reuse", "out_of_reach", 0, 0)
    kept = night(TEN, failed, 0, 0)
    assert (pool(kept), kept.compared) == (("failed", 5, 10), "same")
    assert change(rerun="failed") == change(rerun="all") == ("call", "failed", 10, 10)
    assert change(replace(TEN, runs=40)) == ("call", "runs_raised", 30, 10)
    assert change(start_over=FRESH) == ("call", "start_over", 10, 0)
    (start_over,) = build([TEN], [failed], start_over=FRESH).changes
    assert start_over.detail == "", "earlier runs do not count"
    always = replace(TEN, min_pass_rate=1.0, runs=3, min_runs=2)
    assert night(always, night(always, None, 2, 1), 0, 0).reason == "out_of_reach"


def test_fresh_ignores_earlier_runs_and_is_recorded() -> None:
    """With `--start-over`, the new runs decide alone and are compared with the earlier ones, and the result says why, who
    and when. A passed case is not called because of it."""
    failed = night(TEN, None, 6, 4)
    start_over = night(TEN, failed, 9, 1, start_over=FRESH)
    assert (pool(start_over), sides(start_over), start_over.start_over) == (("flaky", 9, 10), ((6, 10), (9, 10)), FRESH)
    assert case_phrasing.pool(start_over) == "earlier calls are not counted: the lookup tool was fixed"
    kept = night(TEN, start_over, 0, 0, start_over=FRESH)
    assert (kept.action, kept.start_over) == ("reuse", FRESH)
    again = night(TEN, night(TEN, failed, 7, 3, start_over=FRESH), 9, 1)
    assert (pool(again), again.start_over) == (("flaky", 16, 20), FRESH)
    assert night(TEN, None, 9, 1, start_over=FRESH).start_over is None


def test_new_runs_that_differ_too_much_start_a_new_pool() -> None:
    """Beyond chance at 1 %, in either direction: something changed unseen, and the result says so."""
    broken = night(TEN, None, 1, 9)
    fixed = night(TEN, broken, 10, 0, rerun="failed")
    assert (pool(fixed), sides(fixed), fixed.compared) == (("passed", 10, 10), ((1, 10), (10, 10)), "improved")
    assert fixed.set_aside is not None
    assert (fixed.set_aside.runs_passed, fixed.set_aside.runs_countable) == (1, 10)
    assert "(1/10) are not counted" in case_phrasing.pool(fixed)
    worse = night(TEN, night(TEN, None, 7, 3), 0, 10)
    assert (pool(worse), worse.compared, worse.set_aside is not None) == (("failed", 0, 10), "regressed", True)
    again = case_phrasing.pool(night(TEN, worse, 1, 9, rerun="failed"))
    assert "10 of its 20 calls are from earlier sessions" in again
    assert "(7/10) are not counted" in again
    lucky, three = (one_side(CaseOutcome.PASSED, 3, 3), one_side(CaseOutcome.FAILED, 0, 3))
    assert not differ_too_much(three, lucky)
    assert (six := total([three, three])) is not None
    assert differ_too_much(six, lucky)
    assert not differ_too_much(one_side(CaseOutcome.UNKNOWN, 0, 0), lucky)


def test_a_changed_call_or_a_pass_starts_a_new_pool() -> None:
    """Another prompt or an edited agent. A passed case that is called again is compared with its earlier runs, not
    pooled."""
    failed = night(TEN, None, 7, 3)
    assert pool(night(replace(TEN, prompt="Hello."), failed, 9, 1)) == ("flaky", 9, 10)
    revised = changed(failed, inputs=changed(failed.inputs, agent_revision="2026-11-01 a"))
    edited = night(TEN, revised, 9, 1, revisions={("agent", 12): "2026-11-24 b"})
    assert (edited.reason, pool(edited)) == ("agent_edited", ("flaky", 9, 10))
    good = night(TEN, failed, 9, 1)
    assert pool(good) == ("flaky", 16, 20)
    again = night(TEN, good, 9, 1, rerun="all")
    assert (pool(again), sides(again)) == (("flaky", 9, 10), ((16, 20), (9, 10)))


def test_old_runs_leave_the_pool() -> None:
    """By `max_age`; a run of unknown age does not count either."""
    week = replace(TEN, max_age=timedelta(days=7))
    failed = night(week, None, 7, 3)
    ages = [NOW - timedelta(days=8), None, NOW - timedelta(days=6)]
    runs = [changed(run, completed_at=at) for run, at in zip(failed.runs, [*ages, *[NOW] * 7], strict=True)]
    found = night(week, changed(failed, runs=runs), 9, 1)
    assert (pool(found), [run.pooled for run in found.runs].count(True)) == (("failed", 14, 18), 8)


def session(case: Case, stored: CaseResult | None, *causes: str | None, **known: Any) -> CaseResult:
    """The stored result of a case after a session whose new calls had these causes."""
    number = next(nights)
    (change,) = build([case], [] if stored is None else [stored], could_pass=NO_EVIDENCE, **known).changes
    runs = make_runs(*causes, first=100 * number, session_id=f"night-{number}")
    made = {case.case_id: runs}
    (found,) = assemble_cases([change], made, lambda _: None, MissingRuns(), today=date(2026, 11, 25))
    return found


FOUR = make_case(runs=4, min_runs=4)


@pytest.mark.parametrize(
    ("case", "causes", "known", "expected"),
    [
        (FOUR, ("caller", "platform"), {}, 2),
        (FOUR, ("caller", None), {}, 0),
        (FOUR, ("caller", "judge"), {}, 0),
        (FOUR, ("caller", "agent"), {}, 0),
        (FOUR, (), {}, 1),
        (replace(FOUR, platform_failures="fail"), ("caller", "platform"), {}, 0),
        (replace(FOUR, prompt="Hello."), ("caller",), {}, 1),
        (FOUR, ("caller",), {"revisions": {("agent", 12): "2026-11-25 c"}}, 1),
        (FOUR, ("caller",), {"start_over": FRESH}, 1),
    ],
)
def test_sessions_without_a_call_that_counts(
    case: Case, causes: tuple[str | None, ...], known: dict[str, Any], expected: int
) -> None:
    """They are counted in a row, from a call that counts, waits for its evidence, or differs."""
    first = session(FOUR, None, None, "caller", "caller", "platform", revisions={("agent", 12): "2026-11-24 b"})
    assert first.inconclusive_sessions == 0
    second = session(FOUR, first, "caller", revisions={("agent", 12): "2026-11-24 b"})
    assert second.inconclusive_sessions == 1
    revisions = {"revisions": {("agent", 12): "2026-11-24 b"}} | known
    assert session(case, second, *causes, **revisions).inconclusive_sessions == expected


def test_a_partial_session_whose_calls_do_not_count_hides_no_result() -> None:
    """It decides only where the case would be called anyway."""
    fruitless = {FOUR.case_id: session(FOUR, None, *["caller"] * 4)}
    passed = session(FOUR, None, None, None, None, None)
    assert session(FOUR, passed, partial_results=fruitless).action == "reuse"
    assert session(FOUR, None, "caller", partial_results=fruitless).inconclusive_sessions == 2


def test_inconclusive_runs_leave_the_pool() -> None:
    """Platform failures only if the plan counts them; calls of an edited agent never count."""
    failed = night(TEN, None, 6, 3)
    spoilt = changed(failed, runs=[*failed.runs, *make_runs("platform", "caller", first=990)])
    assert pool(night(TEN, spoilt, 9, 1)) == ("failed", 15, 19)
    counted = replace(TEN, platform_failures="fail")
    stored = night(counted, None, 6, 3)
    spoilt = changed(stored, runs=[*stored.runs, *make_runs("platform", first=990)])
    assert pool(night(counted, spoilt, 9, 1)) == ("failed", 15, 20)
    edited = changed(stored, runs=[*stored.runs, *make_runs("platform", first=990, excluded="agent_edited")])
    assert pool(night(counted, edited, 9, 1)) == ("failed", 15, 19)


def test_an_undecided_case_is_pooled_too() -> None:
    """`--rerun failed` of a case that is still open: 16 of 20, then 20 of 20."""
    sure = replace(TEN, runs=20, min_runs=10, confidence=0.9)
    left_open = night(sure, None, 16, 4)
    assert left_open.outcome == "unknown"
    good = night(sure, left_open, 20, 0, rerun="failed")
    assert (pool(good), sides(good)) == (("flaky", 36, 40), ((16, 20), (20, 20)))
    assert pool(night(sure, left_open, 20, 0, rerun="all")) == ("flaky", 36, 40)


def test_runs_of_partial_sessions_count_on_a_retry() -> None:
    """The comparison is still with the baseline. Runs of another agent or another prompt are not pooled."""
    good = night(TEN, None, 10, 0)
    revision = {("agent", 12): "2026-11-24 b"}
    older = changed(good, inputs=changed(good.inputs, agent_revision="2026-11-01 a"))
    tried = night(TEN, older, 6, 4, revisions=revision)
    assert (tried.reason, sides(tried)) == ("agent_edited", ((10, 10), (6, 10)))
    tries = {TEN.case_id: tried}
    found = night(TEN, older, 9, 1, revisions=revision, partial_results=tries)
    assert (pool(found), sides(found)) == (("failed", 15, 20), ((10, 10), (9, 10)))
    assert sum(run.pooled for run in found.runs) == 10
    assert pool(night(TEN, older, 9, 1, revisions={("agent", 12): "2026-11-25 c"}, partial_results=tries)) == (
        "flaky",
        9,
        10,
    )
    assert pool(night(replace(TEN, prompt="Hello."), older, 9, 1, partial_results=tries)) == ("flaky", 9, 10)
    lost = night(TEN, older, 5, 5, revisions=revision)
    assert night(TEN, older, 0, 0, revisions=revision, partial_results={TEN.case_id: lost}).reason == "out_of_reach"
    assert pool(night(TEN, None, 9, 1, partial_results={TEN.case_id: night(TEN, None, 6, 4)})) == ("failed", 15, 20)


def test_a_retry_stops_early_only_if_pool_and_new_runs_agree() -> None:
    """Passing runs may not save the pool, but the new runs alone may turn out to be of another agent."""
    stopping = replace(TEN, when_settled="stop")
    failed = night(stopping, None, 3, 7)
    changes = build([stopping], [failed], could_pass=NO_EVIDENCE, rerun="failed").changes
    settling = EarlyStopping(changes, lambda _: None, no_judge)
    assert settling.pace(stopping.case_id, 10, 0) > 0
    for run in make_runs(*["agent"] * 5, first=501, session_id="new"):
        settling.note(stopping.case_id, run)
    assert settling.pace(stopping.case_id, 5, 0) == 0


def test_the_counts_of_a_pool_are_summed() -> None:
    """Also the rates of expectations, the calls not needed, and the calls in which every expectation was met."""
    earlier = one_side(CaseOutcome.FAILED, 6, 10, 2, [own_rate("polite", 3, 9), own_rate("gone", 1, 1)])
    last = one_side(CaseOutcome.FLAKY, 9, 10, 0, [own_rate("polite", 8, 10), own_rate("new", 5, 5)], 7)
    assert total([last, earlier]) == one_side(
        CaseOutcome.FLAKY, 15, 20, 0, [own_rate("polite", 11, 19), own_rate("new", 5, 5)], 13
    )
    assert (twice := total([earlier, earlier])) is not None
    assert twice.runs_clean is None


@pytest.mark.parametrize(
    ("passed", "failed", "rerun", "expected"),
    [
        (10, 0, "needed", ("reuse", "passed", 0, 0, False)),
        (10, 0, "all", ("call", "start_over", 10, 0, True)),
        (10, 0, "failed", ("reuse", "passed", 0, 0, False)),
        (6, 4, "needed", ("call", "start_over", 10, 0, True)),
        (6, 4, "failed", ("call", "start_over", 10, 0, True)),
        (6, 4, "all", ("call", "start_over", 10, 0, True)),
        (0, 0, "needed", ("call", "new", 10, 0, False)),
    ],
)
def test_starting_over_concerns_what_did_not_pass(passed: int, failed: int, rerun: str, expected: Any) -> None:
    """With `--rerun all`, every selected case."""
    stored = [night(TEN, None, passed, failed)] if passed + failed else []
    (found,) = build([TEN], stored, rerun=rerun, start_over=FRESH).changes
    shown = (found.action.value, found.reason.value, found.runs, len(found.kept_run_ids), found.start_over is not None)
    assert shown == expected


def test_starting_over_calls_what_could_not_be_read() -> None:
    """Instead of reading it once more."""
    undecided = night(TEN, None, 9, 0)
    unread = undecided.model_copy(
        update={
            "outcome": CaseOutcome.UNKNOWN,
            "runs": [*undecided.runs, undecided.runs[0].model_copy(update={"run_id": 99, "outcome": "undecided"})],
        }
    )
    assert build([TEN], [unread]).changes[0].action is Action.RECHECK
    (found,) = build([TEN], [unread], start_over=FRESH).changes
    assert (found.action, found.reason.value, found.runs) == (Action.CALL, "start_over", 10)
