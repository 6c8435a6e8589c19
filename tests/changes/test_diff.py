"""What happens to a case, and why: each reason alone, then several together, then general laws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.changes.detail import is_unchanged, needs_new_calls
from planner.changes.model import Reason
from planner.planfile.model import Case, Target
from planner.results.model import CaseResult
from planner.results.outcomes import Action
from tests.support.samples import changed
from tests.support.stored_cases import NO_NUMBER, NOW, Says, changes_of, make_case, make_runs, store_case

Decide = Callable[..., tuple[Any, ...]]
_AGENT = ("agent", 12)


def decide(case: Case, prior: CaseResult | None, **known: Any) -> tuple[Any, ...]:
    """(action, reason, runs, kept run ids, detail) of one case against its stored result."""
    (change,) = changes_of([case], [prior] if prior else [], **known)
    return change.action.value, change.reason.value, change.runs, change.kept_run_ids, change.detail


CASE = make_case()
STORED = store_case(CASE)
FIVE: Final[dict[str, Any]] = {"runs": 5}
EASIER = make_case(min_pass_rate=0.5)
COMPLETE = "the evidence is complete: only new calls (--rerun failed) or different expectations can decide it"


def failed(*causes: str | None, **fields: Any) -> CaseResult:
    return store_case(CASE, outcome="failed", runs=make_runs(*causes, **fields))


def unknown(*causes: str | None, **fields: Any) -> CaseResult:
    return store_case(make_case(**fields), outcome="unknown", runs=make_runs(*causes))


HIDDEN = [changed(run, findings=[NO_NUMBER]) for run in make_runs("judge", "judge", "judge")]

FRUITLESS = changed(unknown("caller", "caller", None), inconclusive_sessions=2)
ONLY_IF_ASKED = "2 sessions without a call that counts, caused by the test bot: only --rerun failed calls it (charged)"


ROWS: Final[dict[str, tuple[Case, CaseResult | None, tuple[Any, ...]]]] = {
    "new": (CASE, None, ("call", "new", 3, (), "")),
    "nothing changed": (CASE, STORED, ("reuse", "passed", 0, (), "")),
    "prompt": (
        make_case(prompt="You are an impatient caller asking about order 12345."),
        STORED,
        (
            "call",
            "caller_prompt_changed",
            3,
            (),
            f"- {CASE.prompt}\n+ You are an impatient caller asking about order 12345.",
        ),
    ),
    "settings: every other input is named": (
        make_case(target=Target("support", "agent", 14), mode="sip", target_number="+14155550199"),
        STORED,
        ("call", "settings_changed", 3, (), "target 12 → 14\nmode bot → sip\ntarget number none → +14155550199"),
    ),
    "failed: only somebody who asks calls it again": (
        CASE,
        failed(None, "agent", None),
        ("reuse", "failed", 0, (), ""),
    ),
    "failed, runs raised": (
        make_case(**FIVE),
        failed(None, "agent", None),
        ("call", "runs_raised", 2, (101, 102, 103), "in addition to 3 stored runs"),
    ),
    "unknown: only runs without a call are called again": (
        make_case(**FIVE),
        unknown("platform", None, "judge", "agent", "caller", **FIVE),
        ("call", "inconclusive", 2, (102, 103, 104), "in addition to 3 stored runs"),
    ),
    "unknown without runs to keep": (
        CASE,
        unknown("platform", "platform", "platform"),
        ("call", "inconclusive", 3, (), ""),
    ),
    "unknown after one session without a call that counts": (
        CASE,
        changed(unknown("caller", "caller", None), inconclusive_sessions=1),
        ("call", "inconclusive", 2, (103,), "in addition to 1 stored run"),
    ),
    "unknown after two": (CASE, FRUITLESS, ("recheck", "inconclusive", 0, (), ONLY_IF_ASKED)),
    "unknown after two, runs raised": (
        make_case(**FIVE),
        FRUITLESS,
        ("call", "inconclusive", 4, (103,), "in addition to 1 stored run"),
    ),
    "unknown after two, expectations changed": (
        EASIER,
        FRUITLESS,
        ("recheck", "expectations_changed", 0, (), "3 stored runs · free"),
    ),
    "unknown after two, prompt changed": (
        make_case(prompt="Ask."),
        FRUITLESS,
        ("call", "caller_prompt_changed", 3, (), f"- {CASE.prompt}\n+ Ask."),
    ),
    "unknown: calls that decided nothing are not repeated": (
        CASE,
        unknown(None, "judge", "agent"),
        ("recheck", "inconclusive", 0, (), COMPLETE),
    ),
    "unknown: another call would not name the number of the transfer either": (
        CASE,
        changed(unknown("judge", "judge", "judge"), runs=HIDDEN),
        (
            "recheck",
            "inconclusive",
            0,
            (),
            "the service does not name the number of a transfer: only different expectations can decide it",
        ),
    ),
    "runs raised: a platform failure is not replaced": (
        make_case(**FIVE),
        store_case(CASE, runs=make_runs(None, "platform", None)),
        ("call", "runs_raised", 2, (101, 102, 103), "in addition to 3 stored runs"),
    ),
    "runs lowered": (make_case(runs=1), store_case(make_case(**FIVE)), ("reuse", "passed", 0, (), "")),
    "runs raised up to the stored ones": (
        make_case(**FIVE),
        store_case(make_case(**FIVE), runs_required=1),
        ("reuse", "passed", 0, (), ""),
    ),
    "expectations": (EASIER, STORED, ("recheck", "expectations_changed", 0, (), "3 stored runs · free")),
    "expectations of a failed case: rechecked before anything is paid for": (
        EASIER,
        failed("agent", None, None),
        ("recheck", "expectations_changed", 0, (), "3 stored runs · free"),
    ),
    "expectations may decide an undecided case": (
        EASIER,
        unknown("judge", "judge", None),
        ("recheck", "expectations_changed", 0, (), "3 stored runs · free"),
    ),
    "expectations do not replace calls that never happened": (
        EASIER,
        unknown("judge", "platform", None),
        ("call", "inconclusive", 1, (101, 103), "in addition to 2 stored runs"),
    ),
    "expectations without evidence": (
        EASIER,
        store_case(CASE, runs=make_runs(None, None, None, evidence=None)),
        ("call", "expectations_changed", 3, (), "the stored evidence is missing"),
    ),
    "expectations of a failed case without evidence": (
        EASIER,
        failed("agent", "agent", None, evidence=None),
        ("call", "expectations_changed", 3, (), "the stored evidence is missing"),
    ),
    "a platform failure has no evidence to judge": (
        EASIER,
        store_case(CASE, runs=[*make_runs(None, None), *make_runs("platform", first=103, evidence=None)]),
        ("recheck", "expectations_changed", 0, (), "3 stored runs · free"),
    ),
    "runs raised and expectations changed": (
        make_case(**FIVE, min_pass_rate=0.5),
        STORED,
        ("call", "runs_raised", 2, (101, 102, 103), "in addition to 3 stored runs"),
    ),
    "runs raised and expectations changed, one run without evidence": (
        make_case(**FIVE, min_pass_rate=0.5),
        store_case(CASE, runs=[*make_runs(None, "agent"), *make_runs(None, first=103, evidence=None)]),
        ("call", "runs_raised", 3, (101, 102), "in addition to 2 stored runs"),
    ),
    "runs raised and expectations changed of a failed case": (
        make_case(**FIVE, min_pass_rate=0.5),
        failed(None, "agent", "agent"),
        ("call", "runs_raised", 2, (101, 102, 103), "in addition to 3 stored runs"),
    ),
    "a redacted store": (
        CASE,
        store_case(CASE, call_fingerprint=f"sha256:{'0' * 64}"),
        ("call", "caller_prompt_changed", 3, (), "the stored copy does not show where (it may be redacted)"),
    ),
}


@pytest.mark.parametrize(("case", "prior", "expected"), ROWS.values(), ids=ROWS.keys())
def test_one_case(case: Case, prior: CaseResult | None, expected: tuple[Any, ...]) -> None:
    assert decide(case, prior) == expected


@pytest.mark.parametrize(
    ("prior", "unchanged", "needs_calls"),
    [
        (STORED, True, False),
        (FRUITLESS, True, True),
        (unknown(None, "judge", "agent"), True, True),
        (changed(unknown("judge", "judge", "judge"), runs=HIDDEN), True, False),
        (changed(unknown("judge"), runs=make_runs("judge", None, None, missing=["grade"])), False, False),
        (changed(unknown("judge"), runs=make_runs("judge", None, None, votes_missing=1)), False, False),
    ],
)
def test_what_another_session_would_change(prior: CaseResult, *, unchanged: bool, needs_calls: bool) -> None:
    """Nothing, of an unknown case with all its evidence: `planner plan` names the calls that decide it, if any do."""
    changes = changes_of([CASE], [prior])
    assert (is_unchanged(changes[0]), needs_new_calls(changes)) == (unchanged, needs_calls)


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
def test_agent_edited(before: str, after: str, detail: str) -> None:
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
def test_agent_not_known_to_be_edited(before: str | None, after: str | None) -> None:
    """An agent saved without a change is the same; a revision that one side does not know is no reason to call."""
    prior = store_case(make_case(), revision=before)
    assert decide(make_case(), prior, revisions={_AGENT: after})[:2] == ("reuse", "passed")


def test_fewer_stored_runs_than_the_plan_asks_for() -> None:
    """Raised `runs`, other expectations, and an unknown case call the missing ones."""
    case = make_case(runs=5, min_pass_rate=0.6)
    runs, kept = make_runs(None, None, None, "agent"), (101, 102, 103, 104)
    found = store_case(case, runs=runs, outcome="flaky")
    altered = replace(case, expectations=(Says(id="other", any_of=("on its way",)),))
    detail = "in addition to 4 stored runs"
    assert decide(altered, found) == ("call", "expectations_changed", 1, kept, detail)
    assert decide(case, found)[:4] == ("call", "settings_changed", 1, kept)
    assert decide(replace(case, runs=8), found)[:4] == ("call", "runs_raised", 4, kept)
    unknown = store_case(case, runs=runs, outcome="unknown")
    assert decide(replace(case, runs=6), unknown)[:4] == ("call", "inconclusive", 2, kept)
    assert decide(case, unknown, rerun="all")[:3] == ("call", "inconclusive", 5)


def test_missing_evidence() -> None:
    """Late evidence is read again, free; runs whose evidence is gone cannot be rechecked."""
    late = [changed(run, missing=["grade"]) for run in make_runs("judge", "judge")]
    prior = store_case(CASE, outcome="unknown", runs=[*late, *make_runs(None, first=103)])
    again = ("recheck", "unread", 0, (), "2 stored runs without grade: read again, free")
    assert decide(CASE, prior) == again
    gone = ("call", "expectations_changed", 3, (), "the stored evidence is missing")
    assert decide(EASIER, STORED, has_evidence=lambda digest: digest != f"{102:064x}") == gone


@pytest.mark.parametrize(
    ("case", "prior", "rerun", "expected"),
    [
        (CASE, unknown(None, "judge", "agent"), "failed", ("call", "inconclusive", 1, (101, 103))),
        (CASE, unknown(None, "judge", "agent"), "all", ("call", "inconclusive", 3, (101, 102, 103))),
        (CASE, unknown(None, None, "agent"), "failed", ("call", "inconclusive", 3, (101, 102, 103))),
        (CASE, unknown(None, "platform", "platform"), "all", ("call", "inconclusive", 3, (101,))),
        (CASE, None, "all", ("call", "new", 3, ())),
        (CASE, STORED, "all", ("call", "rerun", 3, ())),
        (make_case(prompt="Ask."), STORED, "all", ("call", "caller_prompt_changed", 3, ())),
        (make_case(mode="sip"), STORED, "all", ("call", "settings_changed", 3, ())),
        (make_case(**FIVE), STORED, "all", ("call", "rerun", 5, ())),
        (EASIER, STORED, "all", ("call", "rerun", 3, ())),
        (EASIER, store_case(CASE, runs=make_runs(None, None, None, evidence=None)), "all", ("call", "rerun", 3, ())),
        (CASE, None, "failed", ("reuse", "not_selected", 0, ())),
        (make_case(prompt="Ask."), STORED, "failed", ("reuse", "not_selected", 0, ())),
        (CASE, STORED, "failed", ("reuse", "passed", 0, ())),
        (CASE, failed("agent", "agent", None), "failed", ("call", "failed", 3, (101, 102, 103))),
        (make_case(prompt="Ask."), failed("agent", None, None), "failed", ("call", "caller_prompt_changed", 3, ())),
        (CASE, unknown("platform", "platform", None), "failed", ("call", "inconclusive", 2, (103,))),
        (CASE, FRUITLESS, "failed", ("call", "inconclusive", 2, (103,))),
        (EASIER, STORED, "failed", ("recheck", "expectations_changed", 0, ())),
    ],
)
def test_rerun(case: Case, prior: CaseResult | None, rerun: str, expected: tuple[Any, ...]) -> None:
    """`all` calls from the start, except what failed or is undecided, for the reason `forced` only if there is no other.
    `failed` skips passed and new cases."""
    assert decide(case, prior, rerun=rerun)[:4] == expected


def test_a_case_that_is_not_selected_says_what_it_would_have_been() -> None:
    assert decide(CASE, None, rerun="failed")[4] == "not called: new"
    assert decide(make_case(prompt="Ask."), STORED, rerun="failed")[4] == "not called: caller prompt changed"


def test_expired() -> None:
    """A passed result with a run older than max_age is called again; one of exactly that age is not."""
    case = make_case(max_age=timedelta(days=14))
    young = make_runs(None, None)
    old = make_runs(None, first=103, completed_at=NOW - timedelta(days=15))
    assert decide(case, store_case(case, runs=young + old)) == (
        "call",
        "expired",
        3,
        (),
        "oldest run 15 d ago, max_age 14 d",
    )
    just = make_runs(None, first=103, completed_at=NOW - timedelta(days=14))
    assert decide(case, store_case(case, runs=young + just))[:2] == ("reuse", "passed")
    uncounted = make_runs("platform", first=103, completed_at=NOW - timedelta(days=15))
    assert decide(case, store_case(case, runs=young + uncounted))[:2] == ("reuse", "passed")
    failed = store_case(case, outcome="failed", runs=[*make_runs("agent", None), *old])
    assert decide(case, failed)[:2] == ("reuse", "failed")


def test_runs_of_unknown_age() -> None:
    """With max_age, runs of unknown age are not reused; without it they are."""
    case = make_case(max_age=timedelta(hours=36))
    prior = store_case(case, runs=[*make_runs(None), *make_runs(None, None, first=102, completed_at=None)])
    assert decide(case, prior)[1:] == ("expired", 3, (), "the age of the stored runs is unknown, max_age 36 h")
    assert decide(make_case(), prior)[:2] == ("reuse", "passed")


def test_dropped() -> None:
    """A stored case that is in no plan any more is dropped, after the others."""
    kept, gone = make_case("kept"), store_case(make_case("gone"))
    changes = changes_of([kept], [gone, store_case(kept)])
    assert [(change.case_id, change.action, change.reason, change.case) for change in changes] == [
        ("refunds/kept@support", Action.REUSE, Reason.PASSED, kept),
        ("refunds/gone@support", Action.DROP, Reason.NO_LONGER_IN_PLAN, None),
    ]
    assert (changes[1].prior, changes[1].runs, changes[1].inputs) == (gone, 0, None)


_EDITS: Mapping[str, Mapping[str, Any]] = {
    "caller_prompt_changed": {"prompt": "Ask."},
    "settings_changed": {"mode": "sip"},
    "runs_raised": {"runs": 5},
    "expectations_changed": {"min_pass_rate": 0.5},
    "passed": {},
}


def test_a_skipped_case_keeps_its_inputs_and_digests() -> None:
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
    assert called.inputs is not None
    assert (called.inputs.prompt, called.inputs.agent_revision) == ("Ask.", "2026-11-24T08:00:00Z b2")
    assert called.call_fingerprint != prior.call_fingerprint


_NAMES = st.lists(st.sampled_from([f"s{n}" for n in range(8)]), unique=True, min_size=1)


@given(names=_NAMES, rerun=st.sampled_from(["needed", "failed"]))
def test_an_unchanged_plan_keeps_everything(names: list[str], rerun: str) -> None:
    """diff(x, x) keeps everything and calls nothing."""
    cases = [make_case(name) for name in names]
    changes = changes_of(cases, [store_case(case) for case in cases], rerun=rerun)
    assert [(change.case, change.action, change.runs) for change in changes] == [
        (case, Action.REUSE, 0) for case in cases
    ]


@given(names=_NAMES, data=st.data())
def test_one_edit_changes_one_case(names: list[str], data: st.DataObject) -> None:
    """Any single edit of one case changes exactly that case, for the reason of that edit."""
    cases = [make_case(name) for name in names]
    stored = [store_case(case) for case in cases]
    edited = data.draw(st.integers(0, len(cases) - 1))
    edit = data.draw(st.sampled_from([name for name in _EDITS if name != "passed"]))
    cases[edited] = replace(cases[edited], **_EDITS[edit])
    reasons = [change.reason.value for change in changes_of(cases, stored)]
    assert reasons == [edit if index == edited else "passed" for index in range(len(cases))]


_CAUSES = st.lists(st.sampled_from([None, "agent", "plan", "platform", "caller", "judge"]), max_size=6)


@given(
    causes=_CAUSES,
    outcome=st.sampled_from(["passed", "flaky", "failed", "unknown"]),
    runs=st.integers(1, 6),
    required=st.integers(1, 6),
    rate=st.sampled_from([0.5, 1.0]),
    rerun=st.sampled_from(["needed", "failed", "all"]),
)
def test_runs_add_up(causes: list[str | None], outcome: str, runs: int, required: int, rate: float, rerun: str) -> None:
    """A called case ends with exactly the runs that the plan asks for, or, on a retry, gets that many more. Nothing
    else makes a call."""
    case = make_case(runs=runs, min_pass_rate=rate)
    prior = changed(store_case(make_case(), outcome=outcome, runs_required=required), runs=make_runs(*causes))
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
