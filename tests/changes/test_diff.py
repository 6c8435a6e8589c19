"""What happens to a case, and why: each reason alone, then several together, then general laws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.changes.model import Change, Reason
from planner.planfile.model import Case, Target
from planner.results.model import CaseResult
from planner.results.outcomes import Action

MakeCase = Callable[..., Case]
StoreCase = Callable[..., CaseResult]
Decide = Callable[..., tuple[Any, ...]]
_AGENT = ("agent", 12)


@pytest.fixture(scope="session")
def decide(changes_of: Callable[..., tuple[Change, ...]]) -> Decide:
    """(action, reason, runs, kept run ids, detail) of one case against its stored result."""

    def decide(case: Case, prior: CaseResult | None, **known: Any) -> tuple[Any, ...]:
        (change,) = changes_of([case], [prior] if prior else [], **known)
        return change.action.value, change.reason.value, change.runs, change.kept_run_ids, change.detail

    return decide


def test_new(make_case: MakeCase, decide: Decide) -> None:
    """A case without results is called as often as the plan asks."""
    assert decide(make_case(), None) == ("call", "new", 3, (), "")


def test_nothing_changed(make_case: MakeCase, store_case: StoreCase, decide: Decide) -> None:
    """A passed case without changes is kept."""
    assert decide(make_case(), store_case(make_case())) == ("keep", "passed", 0, (), "")


def test_prompt_changed(make_case: MakeCase, store_case: StoreCase, decide: Decide) -> None:
    """A changed prompt means new calls; the detail shows the changed lines."""
    after = make_case(prompt="You are an impatient caller asking about order 12345.")
    assert decide(after, store_case(make_case())) == (
        "call",
        "prompt_changed",
        3,
        (),
        "- You are a polite caller asking about order 12345.\n+ You are an impatient caller asking about order 12345.",
    )


def test_settings_changed(make_case: MakeCase, store_case: StoreCase, decide: Decide) -> None:
    """Every other changed input is named."""
    after = make_case(target=Target("support", "agent", 14), mode="sip", target_number="+14155550199")
    assert decide(after, store_case(make_case())) == (
        "call",
        "settings_changed",
        3,
        (),
        "target 12 → 14\nmode bot → sip\ntarget number none → +14155550199",
    )


@pytest.mark.parametrize(
    ("before", "after", "detail"),
    [
        ("2026-11-20T08:00:00Z a1", "2026-11-24T09:00:00Z b2", "2026-11-20 → 2026-11-24"),
        ("2026-11-24T08:00:00Z a1", "2026-11-24T09:30:05Z b2", "2026-11-24 08:00:00 → 09:30:05"),
        ("2026-11-24T08:00:00Z a1", "2026-11-24T08:00:00Z b2", "2026-11-24, revision a1 → b2"),
        ("a1", "2026-11-24T08:00:00Z b2", "revision a1 → b2"),
        ("yesterday a1", "today b2", "revision a1 → b2"),
        ("2026-11-24T08:00:00 a1", "2026-11-24T08:00:00Z b2", "2026-11-24 08:00:00 → 08:00:00"),
    ],
)
def test_agent_edited(
    make_case: MakeCase, store_case: StoreCase, decide: Decide, before: str, after: str, detail: str
) -> None:
    """If the agent was edited, the case is called again; the detail says when, if known."""
    prior = store_case(make_case(), revision=before)
    assert decide(make_case(), prior, revisions={_AGENT: after}) == ("call", "agent_edited", 3, (), detail)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2026-11-20T08:00:00Z a1", "2026-11-24T08:00:00Z a1"),
        (None, "2026-11-24T08:00:00Z a1"),
        ("2026-11-24T08:00:00Z a1", None),
        (None, None),
    ],
)
def test_agent_not_known_to_be_edited(
    make_case: MakeCase, store_case: StoreCase, decide: Decide, before: str | None, after: str | None
) -> None:
    """An agent saved without a change is the same; a revision that one side does not know is no reason to call."""
    prior = store_case(make_case(), revision=before)
    assert decide(make_case(), prior, revisions={_AGENT: after})[:2] == ("keep", "passed")


def test_failed_last_time(make_case: MakeCase, store_case: StoreCase, make_runs: Any, decide: Decide) -> None:
    """A failed case is called again with all its runs, and judged together with the earlier ones."""
    prior = store_case(make_case(), outcome="failed", runs=make_runs(None, "agent", None))
    again = ("call", "failed_last_time", 3, (101, 102, 103), "counted with 3 stored runs")
    assert decide(make_case(), prior) == again
    raised = make_case(runs=5, min_runs=3)
    stored = store_case(make_case(), outcome="failed", runs=make_runs(None, "agent", None))
    assert decide(raised, stored)[2:4] == (2, (101, 102, 103))


def test_unknown_last_time(make_case: MakeCase, store_case: StoreCase, make_runs: Any, decide: Decide) -> None:
    """Only runs without a call are called again; runs that could not be judged are kept."""
    prior = store_case(
        make_case(runs=5, min_runs=3), outcome="unknown", runs=make_runs("platform", None, "judge", "agent", "caller")
    )
    assert decide(make_case(runs=5, min_runs=3), prior) == (
        "call",
        "unknown_last_time",
        2,
        (102, 103, 104),
        "in addition to 3 stored runs",
    )


def test_unknown_with_no_countable_run(
    make_case: MakeCase, store_case: StoreCase, make_runs: Any, decide: Decide
) -> None:
    """Without runs to keep, an undecided case is called from the start."""
    prior = store_case(make_case(), outcome="unknown", runs=make_runs("platform", "platform", "platform"))
    assert decide(make_case(), prior) == ("call", "unknown_last_time", 3, (), "")


def test_unknown_though_all_count(make_case: MakeCase, store_case: StoreCase, make_runs: Any, decide: Decide) -> None:
    """Calls that decided nothing are not repeated without a request."""
    prior = store_case(make_case(), outcome="unknown", runs=make_runs(None, "judge", "agent"))
    assert decide(make_case(), prior) == (
        "recheck",
        "unknown_last_time",
        0,
        (),
        "the evidence is complete: only new calls (--rerun failed) or different expectations can decide it",
    )
    assert decide(make_case(), prior, rerun="failed") == (
        "call",
        "unknown_last_time",
        1,
        (101, 103),
        "in addition to 2 stored runs",
    )
    again = ("call", "unknown_last_time", 3, (101, 102, 103), "counted with 3 stored runs")
    assert decide(make_case(), prior, rerun="all") == again
    countable = store_case(make_case(), outcome="unknown", runs=make_runs(None, None, "agent"))
    assert decide(make_case(), countable, rerun="failed") == again


def test_missing_evidence_is_read_again(
    make_case: MakeCase, store_case: StoreCase, make_runs: Any, decide: Decide
) -> None:
    """If evidence was late, the plan says what is read again, and that it is free."""
    late = [run.model_copy(update={"missing": ["grade"]}) for run in make_runs("judge", "judge")]
    prior = store_case(make_case(), outcome="unknown", runs=[*late, *make_runs(None, None, None)[2:]])
    assert decide(make_case(), prior) == (
        "recheck",
        "unknown_last_time",
        0,
        (),
        "2 stored runs without grade: read again, free",
    )


def test_runs_raised(make_case: MakeCase, store_case: StoreCase, make_runs: Any, decide: Decide) -> None:
    """Raising `runs` calls only the missing ones. A platform failure is not replaced (`retries` does that)."""
    prior = store_case(make_case(), runs=make_runs(None, "platform", None))
    assert decide(make_case(runs=5, min_runs=3), prior) == (
        "call",
        "runs_raised",
        2,
        (101, 102, 103),
        "in addition to 3 stored runs",
    )


def test_runs_lowered(make_case: MakeCase, store_case: StoreCase, decide: Decide) -> None:
    """Lowering `runs` is no reason to call or recheck; nor is raising it up to the number of stored runs."""
    prior = store_case(make_case(runs=5, min_runs=3))
    assert decide(make_case(runs=1, min_runs=1), prior)[:2] == ("keep", "passed")
    lowered = prior.model_copy(update={"runs_required": 1})
    assert decide(make_case(runs=5, min_runs=3), lowered)[:2] == ("keep", "passed")


def test_expectations_changed(make_case: MakeCase, store_case: StoreCase, decide: Decide) -> None:
    """If only expectations changed, the stored runs are rechecked, free of charge."""
    assert decide(make_case(min_pass_rate=0.5), store_case(make_case())) == (
        "recheck",
        "expectations_changed",
        0,
        (),
        "3 stored runs · free",
    )


def test_expectations_changed_after_a_failure(
    make_case: MakeCase, store_case: StoreCase, make_runs: Any, decide: Decide
) -> None:
    """A failed case with changed expectations is rechecked before anything is paid for."""
    prior = store_case(make_case(runs=1, min_runs=1), outcome="failed", runs=make_runs("agent"))
    assert decide(make_case(runs=1, min_runs=1, min_pass_rate=0.5), prior) == (
        "recheck",
        "expectations_changed",
        0,
        (),
        "1 stored run · free",
    )


def test_expectations_changed_of_an_undecided_case(
    make_case: MakeCase, store_case: StoreCase, make_runs: Any, decide: Decide
) -> None:
    """Changed expectations may decide an undecided check. They cannot replace calls that never happened."""
    after = make_case(min_pass_rate=0.5)
    undecided = store_case(make_case(), outcome="unknown", runs=make_runs("judge", "judge", None))
    assert decide(after, undecided)[:3] == ("recheck", "expectations_changed", 0)
    not_called = store_case(make_case(), outcome="unknown", runs=make_runs("judge", "platform", None))
    assert decide(after, not_called) == ("call", "unknown_last_time", 1, (101, 103), "in addition to 2 stored runs")


def test_recheck_needs_evidence(make_case: MakeCase, store_case: StoreCase, make_runs: Any, decide: Decide) -> None:
    """Runs without stored evidence cannot be rechecked: the case is called."""
    after = make_case(min_pass_rate=0.5)
    never_stored = store_case(make_case(), runs=make_runs(None, None, None, evidence=None))
    gone = ("call", "expectations_changed", 3, (), "the stored evidence is missing")
    assert decide(after, never_stored) == gone
    assert decide(after, store_case(make_case()), has_evidence=lambda digest: digest != f"{102:064x}") == gone
    failed = store_case(make_case(), outcome="failed", runs=make_runs("agent", "agent", None, evidence=None))
    assert decide(after, failed) == ("call", "failed_last_time", 3, (), "")


def test_recheck_without_evidence_of_calls_that_never_happened(
    make_case: MakeCase, store_case: StoreCase, make_runs: Any, decide: Decide
) -> None:
    """A platform failure has no evidence to judge, so it does not prevent a recheck."""
    runs = [*make_runs(None, None), *make_runs("platform", first=103, evidence=None)]
    assert decide(make_case(min_pass_rate=0.5), store_case(make_case(), runs=runs))[:3] == (
        "recheck",
        "expectations_changed",
        0,
    )


def test_runs_that_were_not_needed(
    make_case: MakeCase, store_case: StoreCase, make_runs: Any, says: Any, decide: Decide
) -> None:
    """They stay unneeded for a kept, an unknown or a rechecked case that is still decided. Raised `runs`, or
    expectations that leave the case open, call the missing ones."""
    case = make_case(runs=5, min_pass_rate=0.6, when_settled="stop")
    runs = make_runs(None, None, None, "agent")
    stored = store_case(case, runs=runs, outcome="flaky", runs_not_needed=1)
    yes, no = (lambda *_: True), (lambda *_: False)
    assert decide(case, stored, still_settled=no)[:3] == ("keep", "passed", 0)
    changed = replace(case, expectations=(says(id="other", any_of=("on its way",)),))
    assert decide(changed, stored, still_settled=yes)[:3] == ("recheck", "expectations_changed", 0)
    kept = (101, 102, 103, 104)
    assert decide(changed, stored, still_settled=no) == (
        "call",
        "expectations_changed",
        1,
        kept,
        "in addition to 4 stored runs",
    )
    assert decide(changed, stored)[:4] == ("call", "expectations_changed", 1, kept)
    assert decide(replace(case, when_settled="continue"), stored, still_settled=yes)[:4] == (
        "call",
        "settings_changed",
        1,
        kept,
    )
    assert decide(replace(case, runs=8, min_runs=4), stored, still_settled=yes)[:4] == ("call", "runs_raised", 4, kept)
    unknown = store_case(case, runs=runs, outcome="unknown", runs_not_needed=1)
    assert decide(case, unknown)[:3] == ("recheck", "unknown_last_time", 0)
    assert decide(replace(case, runs=6, min_runs=3), unknown)[:4] == ("call", "unknown_last_time", 2, kept)
    assert decide(case, unknown, rerun="all")[:3] == ("call", "unknown_last_time", 5)


def test_runs_raised_and_expectations_changed(
    make_case: MakeCase, store_case: StoreCase, make_runs: Any, decide: Decide
) -> None:
    """Missing runs are called in addition to the rechecked ones, whether the case passed or failed."""
    after = make_case(runs=5, min_runs=3, min_pass_rate=0.5)
    assert decide(after, store_case(make_case()))[1:4] == ("runs_raised", 2, (101, 102, 103))
    runs = [*make_runs(None, "agent"), *make_runs(None, first=103, evidence=None)]
    assert decide(after, store_case(make_case(), runs=runs, outcome="passed"))[1:4] == ("runs_raised", 3, (101, 102))
    failed = store_case(make_case(), runs=make_runs(None, "agent", "agent"), outcome="failed")
    assert decide(after, failed)[1:4] == ("runs_raised", 2, (101, 102, 103))


def test_expired(make_case: MakeCase, store_case: StoreCase, make_runs: Any, now: datetime, decide: Decide) -> None:
    """A passed result with a run older than max_age is called again; one of exactly that age is not."""
    case = make_case(max_age=timedelta(days=14))
    young = make_runs(None, None)
    old = make_runs(None, first=103, completed_at=now - timedelta(days=15))
    assert decide(case, store_case(case, runs=young + old)) == (
        "call",
        "expired",
        3,
        (),
        "oldest run 15 d ago, max_age 14 d",
    )
    just = make_runs(None, first=103, completed_at=now - timedelta(days=14))
    assert decide(case, store_case(case, runs=young + just))[:2] == ("keep", "passed")
    uncounted = make_runs("platform", first=103, completed_at=now - timedelta(days=15))
    assert decide(case, store_case(case, runs=young + uncounted))[:2] == ("keep", "passed")
    failed = store_case(case, outcome="failed", runs=[*make_runs("agent"), *old])
    assert decide(case, failed)[:2] == ("call", "failed_last_time")


def test_runs_of_unknown_age(make_case: MakeCase, store_case: StoreCase, make_runs: Any, decide: Decide) -> None:
    """With max_age, runs of unknown age are not reused; without it they are."""
    case = make_case(max_age=timedelta(hours=36))
    prior = store_case(case, runs=[*make_runs(None), *make_runs(None, None, first=102, completed_at=None)])
    assert decide(case, prior)[1:] == ("expired", 3, (), "the age of the stored runs is unknown, max_age 36 h")
    assert decide(make_case(), prior)[:2] == ("keep", "passed")


def test_dropped(make_case: MakeCase, store_case: StoreCase, changes_of: Any) -> None:
    """A stored case that is in no plan any more is dropped, after the others; not if only some cases were selected."""
    kept, gone = make_case("kept"), store_case(make_case("gone"))
    changes = changes_of([kept], [gone, store_case(kept)])
    assert [(change.case_id, change.action, change.reason, change.case) for change in changes] == [
        ("refunds/kept@support", Action.KEEP, Reason.PASSED, kept),
        ("refunds/gone@support", Action.DROP, Reason.NO_LONGER_IN_PLAN, None),
    ]
    assert (changes[1].prior, changes[1].runs, changes[1].inputs) == (gone, 0, None)
    assert [change.case_id for change in changes_of([kept], [gone, store_case(kept)], partial=True)] == [kept.case_id]


_EDITS: Mapping[str, Mapping[str, Any]] = {
    "prompt_changed": {"prompt": "Ask."},
    "settings_changed": {"mode": "sip"},
    "runs_raised": {"runs": 5, "min_runs": 3},
    "expectations_changed": {"min_pass_rate": 0.5},
    "passed": {},
}


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        ("prompt_changed", "prompt_changed"),
        ("settings_changed", "settings_changed"),
        ("runs_raised", "forced"),
        ("expectations_changed", "forced"),
        ("passed", "forced"),
    ],
)
def test_rerun_all(make_case: MakeCase, store_case: StoreCase, decide: Decide, edit: str, reason: str) -> None:
    """`--rerun all` calls every case from the start, and gives the reason `forced` only if there is no other."""
    after = make_case(**_EDITS[edit])
    decided = decide(after, store_case(make_case()), rerun="all")
    assert decided[:4] == ("call", reason, after.runs, ())


def test_rerun_everything_that_did_not_pass(
    make_case: MakeCase, store_case: StoreCase, make_runs: Any, decide: Decide
) -> None:
    """An undecided case keeps its reason and the runs that count; changed expectations without evidence are no better
    reason."""
    unknown = store_case(make_case(), outcome="unknown", runs=make_runs(None, "platform", "platform"))
    assert decide(make_case(), unknown, rerun="all") == (
        "call",
        "unknown_last_time",
        3,
        (101,),
        "counted with 1 stored run",
    )
    assert decide(make_case(), None, rerun="all") == ("call", "new", 3, (), "")
    bare = store_case(make_case(), runs=make_runs(None, None, None, evidence=None))
    assert decide(make_case(min_pass_rate=0.5), bare, rerun="all") == ("call", "forced", 3, (), "")


def test_rerun_failed(make_case: MakeCase, store_case: StoreCase, make_runs: Any, decide: Decide) -> None:
    """`--rerun failed` skips passed and new cases, and says what would have happened to them."""
    assert decide(make_case(), None, rerun="failed") == ("keep", "not_selected", 0, (), "not called: new")
    assert decide(make_case(prompt="Ask."), store_case(make_case()), rerun="failed") == (
        "keep",
        "not_selected",
        0,
        (),
        "not called: prompt changed",
    )
    assert decide(make_case(), store_case(make_case()), rerun="failed")[:2] == ("keep", "passed")
    failed = store_case(make_case(), outcome="failed", runs=make_runs("agent", "agent", None))
    assert decide(make_case(), failed, rerun="failed")[:3] == ("call", "failed_last_time", 3)
    assert decide(make_case(prompt="Ask."), failed, rerun="failed")[:3] == ("call", "prompt_changed", 3)
    unknown = store_case(make_case(), outcome="unknown", runs=make_runs("platform", "platform", None))
    assert decide(make_case(), unknown, rerun="failed")[:3] == ("call", "unknown_last_time", 2)


def test_a_skipped_case_keeps_its_inputs_and_digests(
    make_case: MakeCase, store_case: StoreCase, changes_of: Any
) -> None:
    """A case that is not called keeps the inputs and digests of its stored runs, so that the next session still sees
    the change."""
    prior = store_case(make_case(), revision="2026-11-20T08:00:00Z a1")
    edited = make_case(prompt="Ask.", min_pass_rate=0.5)
    (left,) = changes_of([edited], [prior], rerun="failed")
    assert (left.inputs, left.call_fingerprint, left.check_fingerprint) == (
        prior.inputs,
        prior.call_fingerprint,
        prior.check_fingerprint,
    )
    (rechecked,) = changes_of([make_case(min_pass_rate=0.5)], [prior])
    assert (rechecked.inputs, rechecked.call_fingerprint) == (prior.inputs, prior.call_fingerprint)
    assert rechecked.check_fingerprint != prior.check_fingerprint
    (called,) = changes_of([edited], [prior], revisions={_AGENT: "2026-11-24T08:00:00Z b2"})
    assert called.inputs.prompt == "Ask."
    assert called.inputs.agent_revision == "2026-11-24T08:00:00Z b2"
    assert called.call_fingerprint != prior.call_fingerprint


def test_redacted_store(make_case: MakeCase, store_case: StoreCase, decide: Decide) -> None:
    """If the redacted texts are equal, the fingerprint still shows a change."""
    prior = store_case(make_case(), call_fingerprint=f"sha256:{'0' * 64}")
    assert decide(make_case(), prior)[1:] == (
        "settings_changed",
        3,
        (),
        "the stored copy does not show where (it may be redacted)",
    )


_NAMES = st.lists(st.sampled_from([f"s{n}" for n in range(8)]), unique=True, min_size=1)


@given(names=_NAMES, rerun=st.sampled_from(["changed", "failed"]), partial=st.booleans())
def test_an_unchanged_plan_keeps_everything(
    make_case: MakeCase, store_case: StoreCase, changes_of: Any, names: list[str], rerun: str, partial: bool
) -> None:
    """diff(x, x) keeps everything and calls nothing."""
    cases = [make_case(name) for name in names]
    changes = changes_of(cases, [store_case(case) for case in cases], rerun=rerun, partial=partial)
    assert [(change.case, change.action, change.runs) for change in changes] == [
        (case, Action.KEEP, 0) for case in cases
    ]


@given(names=_NAMES, data=st.data())
def test_one_edit_changes_one_case(
    make_case: MakeCase, store_case: StoreCase, changes_of: Any, names: list[str], data: st.DataObject
) -> None:
    """Any single edit of one case changes exactly that case, for the reason of that edit."""
    cases = [make_case(name) for name in names]
    stored = [store_case(case) for case in cases]
    edited = data.draw(st.integers(0, len(cases) - 1))
    edit = data.draw(st.sampled_from([name for name in _EDITS if name != "passed"]))
    cases[edited] = replace(cases[edited], **_EDITS[edit])
    reasons = [change.reason.value for change in changes_of(cases, stored)]
    assert reasons == [edit if index == edited else "passed" for index in range(len(cases))]


_FAULTS = st.lists(st.sampled_from([None, "agent", "author", "platform", "caller", "judge"]), max_size=6)


@given(
    faults=_FAULTS,
    outcome=st.sampled_from(["passed", "flaky", "failed", "unknown"]),
    runs=st.integers(1, 6),
    required=st.integers(1, 6),
    rate=st.sampled_from([0.5, 1.0]),
    rerun=st.sampled_from(["changed", "failed", "all"]),
)
def test_runs_add_up(
    make_case: MakeCase,
    store_case: StoreCase,
    make_runs: Any,
    changes_of: Any,
    faults: list[str | None],
    outcome: str,
    runs: int,
    required: int,
    rate: float,
    rerun: str,
) -> None:
    """A called case ends with exactly the runs that the plan asks for, or, on a retry, gets that many more. Nothing
    else makes a call."""
    case = make_case(runs=runs, min_runs=(runs + 1) // 2, min_pass_rate=rate)
    prior = store_case(make_case(), outcome=outcome, runs_required=required).model_copy(
        update={"runs": make_runs(*faults)}
    )
    (change,) = changes_of([case], [prior], rerun=rerun)
    if change.action is Action.CALL:
        assert change.runs == runs or change.runs + len(change.kept_run_ids) == runs
        assert change.runs + len(change.kept_run_ids) == runs or change.is_retry
        assert change.runs > 0
    else:
        assert (change.runs, change.kept_run_ids) == (0, ())
    assert set(change.kept_run_ids) <= {run.run_id for run in prior.runs}
    if rerun == "all":
        assert change.action is Action.CALL
        assert change.kept_run_ids == () or outcome in ("failed", "unknown")


def test_own_results_of_a_pull_request(
    make_case: MakeCase,
    store_case: StoreCase,
    make_runs: Callable[..., Any],
    changes_of: Callable[..., tuple[Change, ...]],
    now: datetime,
) -> None:
    """Calls that the pull request's own sessions made are not repeated. The comparison is with the default branch,
    also for a retry."""
    case = make_case(prompt="You are an impatient caller asking about order 12345.")
    baseline = store_case(make_case())
    passed = store_case(case, runs=make_runs(None, None, None, completed_at=now))
    failed = store_case(case, runs=make_runs("agent", None, None, completed_at=now), outcome="failed")
    older = store_case(case, runs=make_runs(None, None, None, completed_at=now - timedelta(days=2)))

    def found(stored: list[CaseResult], own: CaseResult) -> tuple[Any, ...]:
        (change,) = changes_of([case], stored, on_branch={case.case_id: own})
        return change.action.value, change.reason.value, change.prior, change.compared_with

    assert found([baseline], passed) == ("recheck", "called_before", passed, baseline)
    assert found([baseline], failed) == ("call", "failed_last_time", failed, baseline)
    assert found([], passed) == ("keep", "passed", passed, None)
    assert found([baseline], older) == ("call", "prompt_changed", baseline, None)
