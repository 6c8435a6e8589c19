"""Cases that make exactly the same call share it: who pays, what is agreed to, and what counts for whom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.changes.consent import ConsentRequest, Limits, check_consent
from planner.changes.consented_calls import consented_calls, parse_consented
from planner.changes.estimate import build_change_set
from planner.changes.model import Change, ChangeSet
from planner.changes.sharing import with_shared_calls
from planner.errors import RefusedError
from planner.planfile.model import AgentFile, Case, Policy, Target
from planner.records.facts import CallFact
from planner.results.model import CaseResult, StartOverDocument
from planner.session.calling import wants_of
from planner.verdicts.history import compare_with_history
from tests.support.stored_calls import Session, Store, mix, runs_after
from tests.support.stored_cases import NOW, Says, changes_of, make_case

EMPTY = Store()
STRICT = (Says(id="strict", any_of=("14 days",)),)
ONE = make_case("one", runs=3)
TWO = make_case("two", runs=3, expectations=STRICT)
OF_ANOTHER_PLAN = replace(make_case("five", runs=5), case_id="returns/five@support", plan="returns")
OTHER_CALL = make_case("other", prompt="Hello.")
FRESH = StartOverDocument(reason="A tool was fixed.", by="Ana", at=NOW)


def set_of(*cases: Case, made: dict[str, int] | None = None) -> ChangeSet:
    changes = with_shared_calls(changes_of(cases))
    return build_change_set(changes, products={("agent", 12): "spark"}, rates={}, history=[], already_made=made or {})


def shares(changes: tuple[Change, ...]) -> list[tuple[int, int, str]]:
    """Of each case: what it needs, what it pays for, and whose calls it uses."""
    return [(change.runs, change.calls, change.shares) for change in changes]


# One price, one consent, one job


def test_the_first_case_pays_for_as_many_calls_as_any_needs() -> None:
    """Also where the cases are in several plans."""
    found = set_of(ONE, OTHER_CALL, TWO, OF_ANOTHER_PLAN)
    assert shares(found.changes) == [(3, 5, ""), (3, 3, ""), (3, 0, ONE.case_id), (5, 0, ONE.case_id)]
    assert [change.case_id for change in found.payers] == [ONE.case_id, OTHER_CALL.case_id]
    assert found.changes[0].shared_by == (TWO.case_id, OF_ANOTHER_PLAN.case_id)


def test_a_shared_call_is_priced_once() -> None:
    alone, both = set_of(replace(ONE, runs=5)), set_of(ONE, TWO, OF_ANOTHER_PLAN)
    assert both.estimate == alone.estimate
    assert set_of(ONE, OF_ANOTHER_PLAN, made={ONE.case_id: 4}).estimate.calls == 1


def test_other_calls_and_other_previews_are_not_shared() -> None:
    file = AgentFile(Path("agents/a.yaml"), "agents/a.yaml", {"prompt": "Be brief."}, {})
    preview = make_case("preview", target=Target("support", "agent", 12, config=file))
    assert [change.shares for change in set_of(ONE, preview, OTHER_CALL).changes] == ["", "", ""]
    again = replace(preview, case_id="refunds/again@support")
    assert [change.shares for change in set_of(ONE, preview, again).changes] == ["", "", preview.case_id]


def test_one_launch_is_made_for_all() -> None:
    ((change, want),) = wants_of(set_of(ONE, OF_ANOTHER_PLAN), {}, str)
    assert (change.case_id, change.calls, want.case) == (ONE.case_id, 5, ONE.case_id)


def test_the_digest_covers_who_shares_and_what_each_expects() -> None:
    digests = {
        set_of(*cases).digest
        for cases in (
            (ONE,),
            (ONE, TWO),
            (TWO, ONE),
            (ONE, replace(TWO, expectations=ONE.expectations)),
            (ONE, replace(TWO, runs=5)),
        )
    }
    assert len(digests) == 5


@pytest.mark.parametrize(
    ("cases", "outside"),
    [
        ((ONE, TWO, OF_ANOTHER_PLAN), 0),
        ((ONE,), 0),
        ((TWO,), 0),
        ((TWO, OF_ANOTHER_PLAN), 0),
        ((ONE, replace(TWO, runs=6)), 2),
        ((replace(TWO, expectations=ONE.expectations),), 1),
    ],
)
def test_a_part_of_what_was_agreed_to_may_be_called(cases: tuple[Case, ...], outside: int) -> None:
    """Whoever of the cases pays then."""
    agreed = consented_calls(set_of(ONE, TWO, OF_ANOTHER_PLAN), NOW, "")
    assert parse_consented(agreed.model_dump_json().encode(), agreed.digest) == agreed
    assert [case.most_calls for case in agreed.cases] == [5, 0, 0]
    assert len(agreed.outside(set_of(*cases))) == outside


def test_the_policy_counts_a_shared_call_once() -> None:
    found, asked = set_of(ONE, TWO, OF_ANOTHER_PLAN), ConsentRequest(given=True, by="Ana", command="")
    assert check_consent(found, Limits((), Policy(max_calls=5), NOW), asked).given
    with pytest.raises(RefusedError, match="5 calls"):
        check_consent(found, Limits((), Policy(max_calls=4), NOW), asked)


# What counts for whom


def finish(
    store: Store, *cases: Case, made: dict[str, list[str | None]], first: int = 0, **asked: Any
) -> tuple[dict[str, CaseResult], Store]:
    """A session that makes one round of calls, which each case judges with these causes."""
    session = Session(cases, asked=asked)
    runs = {
        case_id: runs_after(store, *causes, **({"first": first} if first else {})) for case_id, causes in made.items()
    }
    found, after = session.finish(store, runs)
    return {case.case_id: case for case in found}, after


def facts(store: Store) -> list[CallFact]:
    (fingerprint,) = {change.call_fingerprint for change in changes_of([ONE])}
    return [call.call for call in store.records().calls(fingerprint)]


def numbers(cases: dict[str, CaseResult]) -> list[tuple[str, int, int]]:
    return [(case.outcome.value, case.runs_passed, case.runs_total) for case in cases.values()]


def changed(store: Store, *cases: Case, **asked: Any) -> list[tuple[str, str, int]]:
    return [
        (change.action.value, change.reason.value, change.calls)
        for change in Session(cases, asked=asked).changes(store)
    ]


def test_each_case_is_judged_by_its_own_expectations() -> None:
    """A call is stored once, with the cases that it was made for."""
    found, store = finish(EMPTY, ONE, TWO, made={ONE.case_id: mix(3, 0), TWO.case_id: mix(2, 1)})
    assert numbers(found) == [("passed", 3, 3), ("failed", 2, 3)]
    assert [(fact.run_id, fact.case_id, fact.shared_by) for fact in facts(store)] == [
        (run_id, ONE.case_id, [TWO.case_id]) for run_id in (101, 102, 103)
    ]
    lines = [line for data in store.base.content.values() for line in data.splitlines()]
    assert sum(b'"kind":"call"' in line for line in lines) == 3
    assert changed(store, ONE, replace(TWO, min_pass_rate=0.5)) == [
        ("reuse", "passed", 0),
        ("recheck", "expectations_changed", 0),
    ]


def test_the_retry_of_one_case_does_not_enter_the_pool_of_another_that_passed() -> None:
    loose = replace(TWO, min_pass_rate=0.6, runs=3)
    _, store = finish(EMPTY, ONE, loose, made={ONE.case_id: mix(3, 0), loose.case_id: mix(1, 2)})
    assert changed(store, ONE, loose) == [("reuse", "passed", 0), ("reuse", "failed", 0)]
    found, store = finish(store, ONE, loose, made={loose.case_id: mix(3, 0)}, rerun="failed")
    assert numbers(found) == [("passed", 3, 3), ("flaky", 4, 6)]
    assert [fact.shared_by for fact in facts(store)][3:] == [[], [], []]
    prior = {case_id: each.prior for case_id, each in Session([ONE, loose]).earlier(store).cases.items()}
    assert {case_id: each and len(each.runs) for case_id, each in prior.items()} == {ONE.case_id: 3, loose.case_id: 6}


@pytest.mark.parametrize("asked", [{"rerun": "all"}, {"start_over": FRESH}])
def test_calls_that_one_case_makes_again_leave_another_that_passed(asked: dict[str, Any]) -> None:
    _, store = finish(EMPTY, ONE, TWO, made={ONE.case_id: mix(3, 0), TWO.case_id: mix(2, 1)})
    _, store = Session([TWO], partial=True, asked=asked).finish(store, {TWO.case_id: runs_after(store, *mix(0, 3))})
    assert Session([ONE, TWO]).changes(store)[0].reason.value == "passed"


def test_calls_again_after_a_rename_count_as_before() -> None:
    """What failed under the old name is not hidden."""
    _, store = finish(EMPTY, ONE, made={ONE.case_id: mix(3, 0)})
    _, store = finish(store, ONE, made={ONE.case_id: mix(1, 2)}, rerun="all")
    renamed = replace(ONE, case_id="refunds/renamed@support")
    (prior,) = (each.prior for each in Session([renamed]).earlier(store).cases.values())
    assert prior is not None
    assert prior.outcome.value == "failed"


def test_more_runs_are_called_for_all_that_want_them() -> None:
    """3 and 5 runs are 5 calls, first or later."""
    found, store = finish(
        EMPTY, ONE, OF_ANOTHER_PLAN, made={case.case_id: mix(5, 0) for case in (ONE, OF_ANOTHER_PLAN)}
    )
    assert numbers(found) == [("passed", 5, 5), ("passed", 5, 5)]
    assert changed(store, ONE, OF_ANOTHER_PLAN) == [("reuse", "passed", 0)] * 2
    _, store = finish(EMPTY, ONE, made={ONE.case_id: mix(3, 0)})
    assert changed(store, ONE, OF_ANOTHER_PLAN) == [("reuse", "passed", 0), ("call", "runs_raised", 2)]


def test_a_new_case_uses_the_calls_of_another() -> None:
    """The plan names it. It is rechecked, free, and reused from then on."""
    _, store = finish(EMPTY, ONE, made={ONE.case_id: mix(3, 0)})
    (_, change) = Session([ONE, TWO]).changes(store)
    assert (change.action.value, change.reason.value, change.runs) == ("recheck", "shared", 0)
    assert change.detail == f"uses the calls of {ONE.case_id} · 3 stored runs · free"


def test_a_call_counts_once_in_the_test_of_the_suite() -> None:
    """Of cases that share calls, only the first is compared with the history."""
    cases = [ONE, replace(TWO, expectations=ONE.expectations)]
    store, found = EMPTY, list[CaseResult]()
    for _ in range(4):
        session = Session(cases, asked={"rerun": "all"})
        runs = runs_after(store, *mix(3, 0))
        found, store = session.finish(store, {case.case_id: runs for case in cases})
    compared, suite = compare_with_history(found, lambda wanted: {each: store.records().calls(each) for each in wanted})
    assert suite is not None
    assert (len(compared), suite.cases, suite.runs_now) == (2, 1, 3)
