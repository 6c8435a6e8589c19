"""What stored calls say about today's cases: which count, under which name, and in which pull request."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from planner.changes.configuration import Configurations, configuration_digest
from planner.changes.model import Change
from planner.planfile.model import Case, Target
from planner.records.log import Scope
from planner.results.model import StartOverDocument
from planner.results.repository import StoredFile
from tests.support.heard_calls import EMPTY, HEARD, JUDGE, calls, heard_in, shown
from tests.support.stored_calls import MemoryFiles, Session, Store, mix, play, runs_after
from tests.support.stored_cases import NOW, make_case

OLD, NEW = "2026-11-20T09:00:00Z aaaa", "2026-11-22T09:00:00Z bbbb"
CASE = make_case()
EDITED = make_case(prompt="You are an impatient caller.")
PASSED, FAILED = mix(3, 0), mix(2, 1)
FRESH = StartOverDocument(reason="A tool was fixed.", by="Ana", at=NOW)


def at(revision: str | None) -> dict[tuple[str, int], str | None]:
    return {("agent", 12): revision}


def change_of(case: Case, store: Store, revision: str | None = OLD, **known: Any) -> Change:
    return Session([case], at(revision), asked=known).changes(store)[0]


def decided(case: Case, store: Store, revision: str | None = OLD, **known: Any) -> tuple[str, str, int]:
    change = change_of(case, store, revision, **known)
    return change.action.value, change.reason.value, change.runs


known = partial(play, revisions=at(OLD))
"""A session in which the agent's revision is known."""


# Calls that the newest session did not make


def test_a_prompt_that_is_changed_back_needs_no_call() -> None:
    """The earlier runs are rechecked, and compared with those of the newest session."""
    store = known(EDITED, known(CASE, EMPTY, PASSED).store, FAILED).store
    change = change_of(CASE, store)
    assert (change.action.value, change.reason.value, change.detail) == (
        "recheck",
        "called_before",
        "3 stored runs of 2026-11-22 · free",
    )
    assert change.prior is not None
    assert change.compared_with is not None
    assert [run.run_id for run in change.prior.runs] == [101, 102, 103]
    assert [run.run_id for run in change.compared_with.runs] == [201, 202, 203]
    assert decided(CASE, store, rerun="all")[0] == "call"
    assert decided(CASE, known(EDITED, EMPTY, FAILED).store) == ("call", "caller_prompt_changed", 3)


def test_failures_are_not_forgotten_when_a_change_is_reverted() -> None:
    """The case is failed again; if somebody asks, its runs count together with the new ones."""
    case = replace(CASE, min_pass_rate=0.8, runs=5)
    store = known(replace(EDITED, runs=5), known(case, EMPTY, mix(3, 2)).store, mix(5, 0)).store
    assert decided(case, store) == ("recheck", "called_before", 0)
    change = change_of(case, store, rerun="failed")
    assert (change.action.value, change.reason.value, change.runs) == ("call", "failed", 5)
    assert change.kept_run_ids == (101, 102, 103, 104, 105)
    anew = change_of(case, store, start_over=FRESH)
    assert (anew.action.value, anew.kept_run_ids, anew.start_over) == ("call", (), FRESH)


@pytest.mark.parametrize(
    ("then", "newest", "today", "is_reusable"),
    [
        (OLD, OLD, OLD, True),
        (OLD, NEW, OLD, True),
        (OLD, OLD, NEW, False),
        (None, OLD, OLD, False),
        (OLD, OLD, None, True),
        (OLD, NEW, None, False),
        (OLD, None, None, False),
        (None, None, None, False),
    ],
)
def test_calls_count_only_if_the_agent_is_known_to_be_the_same(
    then: str | None, newest: str | None, today: str | None, is_reusable: bool
) -> None:
    """By the service's current revision, or, if it was not asked, by that of the newest session."""
    store = play(CASE, EMPTY, PASSED, revisions=at(then)).store
    store = play(EDITED, store, PASSED, revisions=at(newest)).store
    assert (decided(CASE, store, today)[0] == "recheck") is is_reusable


def test_an_agent_rolled_back_needs_no_call() -> None:
    store = known(CASE, EMPTY, PASSED).store
    both = play(CASE, store, PASSED, revisions=at(NEW)).store
    assert [run.run_id for run in Session([CASE], at(NEW)).prior(both).runs] == [201, 202, 203]
    assert decided(CASE, both, OLD) == ("recheck", "called_before", 0)
    assert decided(CASE, play(CASE, EMPTY, PASSED, revisions=at(NEW)).store, OLD) == ("call", "agent_edited", 3)


def test_a_case_that_was_taken_out_and_put_back_needs_no_call() -> None:
    """Its newest session is older than others of its plan."""
    store = known(make_case("other"), known(CASE, EMPTY, PASSED).store, PASSED).store
    assert decided(CASE, store) == ("reuse", "passed", 0)


@pytest.mark.parametrize(
    ("case", "made", "expected"),
    [
        (CASE, [None, "judge", "judge"], ("recheck", "inconclusive", 0)),
        (CASE, [None, "platform", "platform"], ("call", "inconclusive", 2)),
        (replace(CASE, runs=5), PASSED, ("call", "runs_raised", 2)),
        (replace(CASE, max_age=timedelta(hours=1)), PASSED, ("call", "expired", 3)),
        (replace(CASE, min_pass_rate=0.5), FAILED, ("recheck", "called_before", 0)),
    ],
)
def test_earlier_calls_that_are_not_enough(case: Case, made: list[str | None], expected: tuple[str, str, int]) -> None:
    """After a revert, only what is missing is called, and what is unread is read again. What failed by other
    expectations is looked at again, free."""
    store = known(EDITED, known(CASE, EMPTY, made).store, PASSED).store
    assert decided(case, store) == expected


# Names, targets and plans


def test_another_name_needs_no_call() -> None:
    """The runs of the deleted case are rechecked under the new id, and the old case is not dropped. What was not
    selected is not gone: both make the same call."""
    store, case = play(CASE, EMPTY, PASSED).store, make_case("delayed-order")
    (change,) = Session([case]).changes(store)
    assert (change.action.value, change.reason.value, change.renamed_from) == ("recheck", "renamed", CASE.case_id)
    assert change.detail == "was refunds/late-order@support · 3 stored runs · free"
    assert change.prior is not None
    assert change.prior.case_id == CASE.case_id
    assert Session([case], partial=True).changes(store)[0].reason.value == "shared"
    assert decided(case, store, None, rerun="all") == ("call", "rerun", 3)
    moved = make_case("delayed-order", target=Target("support", "agent", 13))
    assert decided(moved, store, None) == ("call", "new", 3)
    edited = make_case("delayed-order", prompt="Hello.")
    assert [change.reason.value for change in Session([edited]).changes(store)] == ["new", "no_longer_in_plan"]


def test_a_renamed_case_keeps_its_failures() -> None:
    """They count with the new calls, now and later."""
    case = replace(CASE, runs=5, min_pass_rate=0.8)
    other = replace(case, case_id="refunds/delayed-order@support", scenario="delayed-order")
    store = play(case, EMPTY, mix(3, 2)).store
    assert decided(other, store, None) == ("recheck", "renamed", 0)
    again = play(other, store, mix(5, 0), rerun="failed")
    assert (again.pool, again.case.case_id) == (("flaky", 8, 10), other.case_id)
    assert decided(other, again.store, None) == ("reuse", "passed", 0)
    assert Session([other]).prior(again.store).runs_total == 10


def test_a_case_is_renamed_only_when_it_is_gone() -> None:
    """Others that make the same call use its calls."""
    store = play(CASE, EMPTY, PASSED).store

    def reasons(*cases: Case) -> list[str]:
        return [change.reason.value for change in Session(cases).changes(store)]

    assert reasons(make_case("one"), make_case("two")) == ["renamed", "renamed"]
    assert reasons(CASE, make_case("one")) == ["passed", "shared"]
    assert reasons(make_case("one"), CASE) == ["shared", "passed"]
    assert reasons(CASE, make_case("one", prompt="Hello.")) == ["passed", "new"]


def test_a_case_whose_old_name_is_used_again_keeps_its_calls() -> None:
    """And its name in reports."""
    other = make_case("delayed-order")
    store = play(other, play(CASE, EMPTY, PASSED).store).store
    session = Session([CASE, other])
    assert [(case.case_id, case.action.value, case.runs_total) for case in session.results(store, {})] == [
        (CASE.case_id, "reuse", 3),
        (other.case_id, "reuse", 3),
    ]


def test_the_same_agent_with_another_id() -> None:
    """Its calls count where both configurations are known and equal."""
    fields = {"prompt": "Be brief."}
    there = replace(CASE, target=Target("support", "agent", 13))

    def configured(case: Case, fields: dict[str, Any] | None) -> Configurations:
        return Configurations({} if fields is None else {case.target: fields}, frozenset(), lambda _: None)

    store = play(CASE, EMPTY, PASSED, configurations=configured(CASE, fields)).store
    for today, action in ((fields, "reuse"), ({"prompt": "Be long."}, "call"), (None, "call")):
        (change,) = Session([there], configurations=configured(there, today)).changes(store)
        assert change.action.value == action
    assert decided(there, play(CASE, EMPTY, PASSED).store, None)[0] == "call"


def test_configurations_are_compared_by_what_they_mean() -> None:
    """A field that the service added since is none that the call had; a revision then says nothing."""
    called = {"prompt": "Be brief.", "voice": "aria"}
    store = play(CASE, EMPTY, FAILED, revisions=at(OLD), configurations=Configurations({CASE.target: called})).store
    for fields, reason in (({"a_new_field": 1}, "failed"), ({"voice": "nova"}, "agent_edited")):
        stored = {configuration_digest(called): called}.get
        today = Configurations({CASE.target: called | fields}, frozenset(), stored)
        assert [change.reason.value for change in Session([CASE], at(NEW), today).changes(store)] == [reason]


def test_gone_cases() -> None:
    """Those of the newest session that read the plan. Where only some cases were selected, none is known to be gone."""
    other = make_case("other")
    _, store = Session([CASE, other]).finish(EMPTY, {CASE.case_id: runs_after(EMPTY, *PASSED)})
    store = play(other, store, PASSED, partial=True).store
    assert [case.case_id for case in Session([other]).earlier(store).gone] == [CASE.case_id]
    assert Session([other], partial=True).earlier(store).gone == []
    dropped = play(other, store).store
    assert Session([other]).earlier(dropped).gone == []
    assert decided(CASE, dropped, None) == ("reuse", "passed", 0)


def test_selected_cases_count() -> None:
    """There is no partial session: whatever chose the calls, they were made."""
    first = play(CASE, EMPTY, PASSED, partial=True, revisions=at(OLD)).store
    assert decided(CASE, first) == ("reuse", "passed", 0)
    retried = replace(CASE, runs=5, min_pass_rate=0.8)
    tried = play(retried, EMPTY, mix(3, 2), partial=True)
    again = play(retried, tried.store, mix(5, 0), rerun="failed")
    assert (again.pool, again.sides) == (("flaky", 8, 10), ((3, 5), (5, 5)))
    fruitless = play(CASE, EMPTY, ["caller"] * 3, partial=True)
    assert play(CASE, fruitless.store, ["caller"]).case.inconclusive_sessions == 2


# Pull requests


def test_a_pull_requests_own_calls_are_compared_with_the_default_branch() -> None:
    """They are not repeated, also if they failed. A call of the default branch that is older is no newer one."""
    base = heard_in(EMPTY, "aaa")
    changed = replace(HEARD, prompt="Ask again.")

    def in_pull_request(case: Case, store: Store, kinds: str) -> Change:
        own = play(case, store, calls(store, kinds), judge=JUDGE).store
        return Session([case], judge=JUDGE).changes(own)[0]

    good, bad, only = (
        in_pull_request(changed, base.on_branch(), "aaa"),
        in_pull_request(replace(changed, min_pass_rate=0.6), base.on_branch(), "abb"),
        in_pull_request(changed, EMPTY.on_branch(), "aaa"),
    )
    assert (good.action.value, good.reason.value) == ("recheck", "called_before")
    assert (bad.action.value, bad.reason.value) == ("recheck", "called_before")
    assert good.compared_with is not None
    assert bad.compared_with is not None
    assert {run.run_id for run in good.compared_with.runs} == {run.run_id for run in bad.compared_with.runs}
    assert (only.action.value, only.reason.value, only.compared_with) == ("reuse", "passed", None)


def test_what_already_fails_on_the_default_branch_is_not_called() -> None:
    """Unless the pull request changes the call. Its own retry counts with the calls of the base, and the base stays as
    it was."""
    case = replace(HEARD, min_pass_rate=0.6)
    store = heard_in(EMPTY, "abb")
    session = Session([case], judge=JUDGE)
    assert [change.reason.value for change in session.changes(store)] == ["expectations_changed"]
    base = play(case, EMPTY, calls(EMPTY, "abb"), judge=JUDGE).store.on_branch()
    assert [change.reason.value for change in session.changes(base)] == ["known_failing"]
    own = play(case, base, calls(base, "aaa"), judge=JUDGE, rerun="failed").store
    found = session.earlier(own)
    assert shown(own, case) == ("flaky", 4, 6)
    assert [(each.outcome.value, each.runs_total) for each in found.base.values()] == [("failed", 3)]
    assert shown(own.on_default(), case) == ("failed", 1, 3)


def test_a_pull_request_onto_another_pull_request() -> None:
    """The calls of its target count as the base's."""
    changed = replace(HEARD, prompt="Ask again.")
    target = play(changed, heard_in(EMPTY, "aaa").on_branch(), calls(EMPTY, "aab", first=501), judge=JUDGE).store
    stacked = target.onto_branch()
    found = Session([changed], judge=JUDGE).earlier(stacked)
    assert [(each.outcome.value, each.runs_total) for each in found.base.values()] == [("failed", 3)]
    assert [change.reason.value for change in Session([changed], judge=JUDGE).changes(stacked)] == ["known_failing"]
    assert [change.reason.value for change in Session([changed], judge=JUDGE).changes(stacked.on_default())] == [
        "caller_prompt_changed"
    ]


# What is read


def test_heads_are_read_on_demand() -> None:
    """The newest one that has the case, and those of the sessions that wrote its calls."""
    store = EMPTY
    for name in ("one", "two", "three"):
        store = play(make_case(name, prompt=f"Ask {name}."), store, PASSED, partial=True).store
    store = play(CASE, store, PASSED).store
    read: list[str] = []

    class Noted(MemoryFiles):
        def file(self, key: str) -> StoredFile | None:
            read.append(key)
            return super().file(key)

    noted = replace(store, base=Noted(store.base.content))
    assert decided(CASE, noted, None) == ("reuse", "passed", 0)
    assert {key for key in read if key.startswith("sessions/")} == {"sessions/session-004.json"}
    assert len({key for key in read if key.startswith("calls/")}) == 1


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(("",)), ("reuse", "passed", 0)),
        (Scope(("eu",)), ("call", "new", 3)),
        (Scope(("",), project="phones"), ("reuse", "passed", 0)),
    ],
)
def test_another_environment_or_project(scope: Scope, expected: tuple[str, str, int]) -> None:
    """Calls of another environment reached another agent; those of another project are the same calls."""
    store = play(CASE, EMPTY, PASSED).store
    assert decided(CASE, replace(store, scope=scope), None) == expected
    assert bool(list(replace(store, scope=scope).records().heads())) is (
        scope.environments == ("",) and not scope.project
    )
