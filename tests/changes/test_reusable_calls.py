"""Identical calls are not repeated: after a revert, or under another case name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from planner.changes.model import Change, Reason
from planner.planfile.model import Case, Target
from planner.results.model import CaseResult, StartOverDocument
from planner.results.outcomes import Action
from tests.support.stored_cases import NOW, changes_of, make_case, make_runs, store_case

OLD, NEW = "2026-11-20T09:00:00Z aaaa", "2026-11-22T09:00:00Z bbbb"
KEY = ("agent", 12)
EDITED = make_case(prompt="You are an impatient caller.")


def compare(
    cases: Case | list[Case],
    baseline: Iterable[CaseResult] = (),
    before: Iterable[CaseResult] = (),
    revision: str | None = OLD,
    **more: Any,
) -> Change:
    """The change of the first case, against a baseline and earlier calls."""
    stored = list(before)
    return changes_of(
        [cases] if isinstance(cases, Case) else cases,
        list(baseline),
        revisions={KEY: revision},
        called_before=lambda case_id, fingerprint: [
            case for case in stored if (case.case_id, case.call_fingerprint) == (case_id, fingerprint)
        ],
        **more,
    )[0]


def test_an_unchanged_prompt_needs_no_call() -> None:
    """The earlier runs are rechecked, and compared with the baseline's runs."""
    case = make_case()
    older, newer = store_case(case, revision=OLD), store_case(EDITED, revision=OLD, outcome="failed")
    change = compare(case, [newer], [older])
    assert (change.action, change.reason, change.runs) == (Action.RECHECK, Reason.CALLED_BEFORE, 0)
    assert change.detail == "3 stored runs of 2026-11-23 · free"
    assert (change.prior, change.compared_with) == (older, newer)
    assert compare(case, [newer], [older], rerun="all").action is Action.CALL
    assert compare(case, [newer], []).reason is Reason.CALLER_PROMPT_CHANGED


def test_failures_are_not_forgotten_when_a_change_is_reverted() -> None:
    """The failed runs count together with the new ones, unless even passing calls could not reach the rate."""
    case = make_case()
    failed, passed = store_case(case, revision=OLD, outcome="failed"), store_case(case, revision=OLD)
    edited = store_case(EDITED, revision=OLD)
    change = compare(case, [edited], [failed, passed])
    assert (change.action, change.reason, change.runs) == (Action.CALL, Reason.FAILED, case.runs)
    assert change.kept_run_ids == tuple(run.run_id for run in failed.runs)
    assert (change.prior, change.compared_with) == (failed, edited)
    change = compare(case, [edited], [failed], could_pass=lambda *_: False)
    assert (change.action, change.reason) == (Action.REUSE, Reason.OUT_OF_REACH)
    start_over = compare(
        case, [edited], [failed], start_over=StartOverDocument(reason="A tool was fixed.", by="Ana", at=NOW)
    )
    assert (start_over.action, start_over.kept_run_ids) == (Action.CALL, ())


@pytest.mark.parametrize(
    ("then", "baseline", "today", "reusable"),
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
def test_calls_are_reused_only_if_the_agent_is_known_to_be_the_same(
    then: str | None, baseline: str | None, today: str | None, reusable: bool
) -> None:
    """By the service's current revision, or, if it was not asked, by all stored revisions of that target."""
    change = compare(
        make_case(), [store_case(EDITED, revision=baseline)], [store_case(make_case(), revision=then)], today
    )
    assert (change.action is Action.RECHECK) is reusable


def test_an_agent_rolled_back_needs_no_call() -> None:
    """Earlier calls of the restored revision are reused."""
    case = make_case()
    older, newer = store_case(case, revision=OLD), store_case(case, revision=NEW)
    assert compare(case, [newer], [older], OLD).reason is Reason.CALLED_BEFORE
    assert compare(case, [newer], [], OLD).reason is Reason.AGENT_EDITED


def test_a_case_that_was_taken_out_and_put_back_needs_no_call() -> None:
    """The baseline no longer contains it, but an older session does."""
    change = compare(make_case(), [], [store_case(make_case(), revision=OLD)])
    assert (change.reason, change.compared_with) == (Reason.CALLED_BEFORE, None)


def test_unusable_earlier_calls_are_not_reused() -> None:
    """Older runs are not reused if they are too few, too old or undecided, or have no evidence."""
    baseline = [store_case(EDITED, revision=OLD)]
    case = make_case()

    def reason(case: Case, older: CaseResult, **more: Any) -> Reason:
        return compare(case, baseline, [older], **more).reason

    assert reason(case, store_case(case, revision=OLD, outcome="unknown")) is Reason.CALLER_PROMPT_CHANGED
    assert reason(replace(case, runs=5), store_case(case, revision=OLD)) is Reason.CALLER_PROMPT_CHANGED
    assert (
        reason(replace(case, max_age=timedelta(hours=1)), store_case(case, revision=OLD))
        is Reason.CALLER_PROMPT_CHANGED
    )
    gone = store_case(case, revision=OLD, runs=make_runs(None, None, None, evidence=None))
    assert reason(case, gone) is Reason.CALLER_PROMPT_CHANGED
    assert reason(case, store_case(case, revision=OLD), has_evidence=lambda _: False) is Reason.CALLER_PROMPT_CHANGED
    other = store_case(case, revision=OLD, outcome="failed", check_fingerprint="other")
    assert reason(case, other) is Reason.CALLED_BEFORE, "what failed by other expectations is looked at again, free"


def test_another_name_needs_no_call() -> None:
    """The runs of the deleted case are rechecked under the new id, and the old case is not dropped."""
    gone, case = store_case(make_case("late-order")), make_case("delayed-order")
    (change,) = changes_of([case], [gone])
    assert (change.action, change.reason, change.prior) == (Action.RECHECK, Reason.RENAMED, gone)
    assert change.detail == "was refunds/late-order@support · 3 stored runs · free"
    assert compare(case, [gone], partial=True).reason is Reason.NEW, "what was not selected is not gone"
    assert compare(case, [gone], rerun="all").reason is Reason.NEW
    moved = make_case("delayed-order", target=Target("support", "agent", 13))
    assert compare(moved, [gone]).reason is Reason.NEW


def test_a_case_is_renamed_once_and_only_when_it_is_gone() -> None:
    """Two new cases do not share the calls of one, and a case that still exists keeps its own."""
    stored = store_case(make_case("late-order"))
    cases = [make_case("one"), make_case("two")]
    changes = changes_of(cases, [stored])
    assert [change.reason for change in changes] == [Reason.RENAMED, Reason.NEW]
    cases = [make_case("late-order"), make_case("one")]
    changes = changes_of(cases, [stored])
    assert [change.reason for change in changes] == [Reason.PASSED, Reason.NEW]
