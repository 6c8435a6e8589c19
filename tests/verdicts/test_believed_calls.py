"""How far stored calls are believed: forged and masked verdicts, late data, damaged files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from planner.checks.opinions import no_judge
from planner.evidence import Grade
from planner.records.facts import Correction, data_of
from planner.records.files import part_bytes
from planner.records.log import Scope
from planner.verdicts.call_judge import CallJudge
from tests.support.heard_calls import BAD, EMPTY, GOOD, HEARD, JUDGE, LATE, calls, heard_in, shown
from tests.support.samples import heard, plan_case
from tests.support.stored_calls import MemoryFiles, Session, Store, play, runs_after
from tests.support.stored_cases import NOW


def as_passed(fact: dict[str, Any]) -> None:
    """An outcome, as somebody may write it."""
    if fact["kind"] == "verdict":
        fact |= {"outcome": "passed", "verdict": {"outcome": "passed"}}


def as_passed_by_others(fact: dict[str, Any]) -> None:
    as_passed(fact)
    if fact["kind"] == "verdict":
        fact["check_fingerprint"] = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("kinds", "edit", "mine", "theirs"),
    [
        ("abb", as_passed_by_others, ("passed", 3, 3), ("failed", 1, 3)),
        ("aaa", as_passed, ("passed", 3, 3), ("passed", 3, 3)),
        ("abb", as_passed, ("passed", 3, 3), ("failed", 1, 3)),
        ("zzz", as_passed, ("passed", 3, 3), ("unknown", 0, 3)),
        ("aaz", as_passed, ("passed", 3, 3), ("passed", 2, 3)),
    ],
)
def test_a_forged_verdict(kinds: str, edit: Any, mine: tuple[str, int, int], theirs: tuple[str, int, int]) -> None:
    """What this machine did not write is judged by what was said. A call without its evidence is undecided."""
    store = heard_in(EMPTY, kinds).edited(edit)
    assert (shown(store), shown(store.untrusted())) == (mine, theirs)


def test_a_call_without_its_own_evidence_is_read_again() -> None:
    """Also if the evidence is another call's."""

    def of_another(fact: dict[str, Any]) -> None:
        if fact["kind"] == "call":
            fact["data"]["evidence"] = f"{GOOD}{999:063x}"

    found = Session([HEARD], judge=JUDGE).prior(heard_in(EMPTY, "bbb").edited(of_another).untrusted())
    assert [(run.cause, run.evidence, run.missing) for run in found.runs] == [
        ("judge", None, ["call", "transcript", "history"])
    ] * 3
    assert all("its evidence is not stored" in run.reason for run in found.runs)


def test_a_failure_of_the_platform_needs_no_evidence() -> None:
    """It does not count."""
    runs = [*calls(EMPTY, "aa"), *runs_after(EMPTY, "platform", first=190, evidence=None)]
    store = play(HEARD, EMPTY, runs, judge=JUDGE).store
    assert shown(store) == shown(store.untrusted()) == ("passed", 2, 3)


def test_masked_words_keep_the_verdict_on_the_original() -> None:
    """If this machine, or code of the default branch, judged it. In a pull request, what its own code says counts for
    nothing, and the call is read again."""
    whole = heard_in(EMPTY, "ccc")
    assert shown(whole) == ("passed", 3, 3)
    theirs = whole.untrusted()
    assert shown(theirs) == ("unknown", 0, 3)
    by_default = replace(theirs, scope=Scope(("",), trusted_ref="refs/heads/main"))

    def made_by(workflow: str) -> Store:
        return by_default.edited(head=lambda head: head.update(workflow=workflow))

    assert shown(made_by("a/b/.github/workflows/plan.yml@refs/heads/main")) == ("passed", 3, 3)
    assert shown(made_by("a/b/.github/workflows/plan.yml@refs/pull/7/merge")) == ("unknown", 0, 3)
    forged = heard_in(EMPTY, "bbb").edited(as_passed).untrusted()
    workflow = "a/b/.github/workflows/plan.yml@refs/heads/main"
    forged = replace(forged, scope=by_default.scope).edited(head=lambda head: head.update(workflow=workflow))
    assert shown(forged) == ("failed", 0, 3), "what can be judged is judged"
    other = replace(HEARD, expectations=plan_case({"check": "says", "any_of": ["forty"]}).expectations)
    assert shown(whole, other)[0] == "passed", "as the older expectations found it, until it is rechecked"
    (change,) = Session([other], judge=JUDGE).changes(whole)
    assert change.action.value == "recheck"


def test_masked_words_are_read_again_for_new_expectations() -> None:
    """Free. A pull request's own calls only: by its expectations, a stranger could find out what was said to others."""
    store = heard_in(EMPTY, "cca")
    other = replace(HEARD, expectations=plan_case({"check": "says", "any_of": ["forty"]}).expectations)

    def missing(*, reads_base: bool) -> list[Sequence[str]]:
        judge = replace(JUDGE, reads_base=reads_base)
        (change,) = Session([other], judge=judge).changes(store)
        assert change.action.value == "recheck"
        return [run.missing for run in Session([other], judge=judge).prior(store).runs]

    again = ["call", "transcript", "history"]
    assert missing(reads_base=True) == [again, again, []]
    assert missing(reads_base=False) == [[], [], []]


def test_an_erased_call_keeps_its_verdict() -> None:
    """Where it is believed. Otherwise the call is undecided, and it is not read again."""

    def erase(fact: dict[str, Any]) -> None:
        fact["evidence"] = None
        if fact["kind"] == "call":
            fact |= {"erased": True, "data": fact["data"] | {"evidence": None}}

    store = heard_in(EMPTY, "aab").edited(erase)
    assert (shown(store), shown(store.untrusted())) == (("failed", 2, 3), ("unknown", 0, 3))
    workflow = "a/b/.github/workflows/plan.yml@refs/heads/main"
    of_default = replace(store.untrusted(), scope=Scope(("",), trusted_ref="refs/heads/main"))
    assert shown(of_default.edited(head=lambda head: head.update(workflow=workflow))) == ("failed", 2, 3)
    other = replace(HEARD, expectations=plan_case({"check": "says", "any_of": ["forty"]}).expectations)
    runs = Session([other], judge=JUDGE).prior(store).runs
    assert [(run.evidence, run.missing) for run in runs] == [(None, [])] * 3
    (change,) = Session([other], judge=JUDGE).changes(store)
    assert (change.action.value, change.runs, change.kept_run_ids) == ("call", 3, ())


def test_a_masked_failure_is_not_forgotten() -> None:
    """On a machine without the original, such a case is neither called again nor passed by new calls alone."""

    def first_failed(fact: dict[str, Any]) -> None:
        if fact["kind"] == "verdict" and fact["run_id"] == 101:
            fact |= {"outcome": "failed", "verdict": {"outcome": "failed", "cause": "agent"}}

    store = heard_in(EMPTY, "ccc").edited(first_failed)
    (change,) = Session([HEARD], judge=JUDGE).changes(store)
    assert (change.action.value, change.reason.value) == ("reuse", "failed")
    again = Session([HEARD], judge=JUDGE, asked={"rerun": "failed"})
    (retried,) = again.results(store, {HEARD.case_id: calls(store, "aaa")})
    assert (retried.outcome.value, retried.runs_passed, retried.runs_total) == ("failed", 5, 6)
    renamed = Session([replace(HEARD, case_id="p/renamed@t")], judge=JUDGE)
    passed = heard_in(EMPTY, "ccc")
    assert [change.action.value for change in renamed.changes(passed)][:1] == ["recheck"]
    assert renamed.results(passed, {})[0].outcome.value == "passed"


# What is learned later, and what cannot be read


def test_a_late_bill_and_a_late_transcript() -> None:
    """The newest correction that is missing least counts, whatever its file is called; verdicts on older evidence
    lapse."""
    store = heard_in(EMPTY, "ddd")
    assert shown(store) == ("unknown", 0, 3)
    records = store.records()
    (fingerprint,) = {case.call_fingerprint for head in records.heads() for case in head.cases}

    def correction(kind: str, hour: int, *missing: str, **fields: Any) -> list[Correction]:
        return [
            Correction(
                run_id=call.call.run_id,
                session_id=call.call.session_id,
                at=NOW + timedelta(hours=hour),
                data=call.data.model_copy(
                    update={"evidence": f"{kind}{call.call.run_id:063x}", "missing": list(missing), **fields}
                ),
            )
            for call in records.calls(fingerprint)
        ]

    folder = f"calls/{fingerprint.removeprefix('sha256:')}"
    files = {
        f"{folder}/session-9-1.jsonl": part_bytes(correction(LATE, 9, "transcript", cost_cents=20)),
        f"{folder}/session-2-1.jsonl": part_bytes(correction(BAD, 2, cost_cents=18)),
        f"{folder}/session-3-1.jsonl": part_bytes(correction(GOOD, 3, cost_cents=19)),
    }
    later = store.with_files(files)
    assert shown(later) == ("passed", 3, 3)
    assert [run.cost_cents for run in Session([HEARD], judge=JUDGE).prior(later).runs] == [19] * 3
    mine = heard_in(EMPTY, "bbb")
    foreign = replace(mine, base=MemoryFiles({**mine.base.content, **files}))
    assert shown(foreign) == ("passed", 3, 3)


def test_a_grade_that_came_late() -> None:
    graded = plan_case({"check": "grade", "min_score": 0.5}, runs=1)
    store = play(graded, EMPTY, runs_after(EMPTY, "judge", missing=["grade"]), judge=JUDGE).store
    (run,) = Session([graded], judge=JUDGE).prior(store).runs
    assert (run.cause, Session([graded], judge=JUDGE).prior(store).is_graded) == ("judge", True)
    evidence = heard(run.run_id, grade=Grade(status="completed", score=0.75))
    judge = CallJudge({f"g{run.run_id}": evidence}.get, no_judge)
    data = data_of(run).model_copy(update={"evidence": f"g{run.run_id}", "missing": [], "grade_score": 0.75})
    fact = Correction(run_id=run.run_id, session_id=run.session_id, at=NOW, data=data)
    (key,) = store.base.file_keys("calls/")
    later = store.with_files({key.replace("session-001", "session-002"): part_bytes([fact])})
    found = Session([graded], judge=judge).prior(later)
    assert (found.outcome.value, [each.grade_score for each in found.runs]) == ("passed", [0.75])


DAMAGES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "no end": lambda data: data[:-1],
    "fewer lines": lambda data: b"".join(data.splitlines(keepends=True)[:-2]),
    "empty": lambda _: b"",
    "other words": lambda data: data.replace(b"agent", b"AGENT"),
    "one line more": lambda data: data + b"\n",
}


def assert_unreadable(store: Store, key: str, why: str) -> None:
    """Its case is unknown, is not called, and the file is named once; another case goes on."""
    warnings: list[str] = []
    store = replace(store, scope=Scope(("",), warn=warnings.append))
    other = replace(HEARD, prompt="Ask again.", case_id="p/other@t")
    unknown, new = Session([HEARD, other], judge=JUDGE).changes(store)
    assert unknown.prior is not None
    assert (unknown.action.value, unknown.reason.value, unknown.prior.outcome) == ("reuse", "unreadable", "unknown")
    assert (new.action.value, new.reason.value) == ("call", "new")
    assert [text.startswith(f"{key} cannot be read: {why}") for text in warnings] == [True]


@pytest.mark.parametrize("name", DAMAGES)
def test_a_file_that_is_not_what_its_session_wrote(name: str) -> None:
    """What it said about failing calls must not be forgotten, and none of its calls is paid for again."""
    store = heard_in(EMPTY, "aab")
    (key,) = store.base.file_keys("calls/")
    assert_unreadable(
        store.with_files({key: DAMAGES[name](store.base.content[key])}), key, "it is not what its session"
    )


@pytest.mark.parametrize("line", [b"{}", b"[]", b"null", b"{", b'{"kind":"call"}', b'{"kind":"other"}', b"\xff", b""])
def test_a_damaged_line_of_a_session_that_was_lost(line: bytes) -> None:
    """No head says what the file should be."""
    (key, data), *_ = heard_in(EMPTY, "aab").base.content.items()
    assert_unreadable(Store(MemoryFiles({key: data + line + b"\n"})), key, "line 7")


def test_a_session_that_was_lost_counts() -> None:
    """Its calls were made."""
    store = heard_in(EMPTY, "aab")
    (key,) = store.base.file_keys("calls/")
    lost = replace(store, base=MemoryFiles({key: store.base.content[key]}))
    assert shown(lost) == ("failed", 2, 3)


def test_a_call_that_two_sessions_report_is_one_call() -> None:
    """The copy that can be trusted counts, whatever the other says, and whichever is read first."""
    store = heard_in(EMPTY, "aab")
    (key,) = store.base.file_keys("calls/")

    def without_evidence(fact: dict[str, Any]) -> None:
        if fact["kind"] == "call":
            fact["data"]["evidence"] = None

    forged = store.edited(without_evidence).base.content[key]
    for name in ("session-000-1.jsonl", "session-002-1.jsonl"):
        copy = f"{key.rpartition('/')[0]}/{name}"
        assert shown(store.with_files({copy: store.base.content[key]})) == ("failed", 2, 3)
        both = replace(store.base.with_files({copy: forged}), foreign=frozenset({copy}))
        assert shown(replace(store, base=both)) == ("failed", 2, 3)
        assert shown(replace(store.on_branch(), own=MemoryFiles({copy: forged}))) == ("failed", 2, 3)


@pytest.mark.parametrize("kind", ["verdict", "correction"])
def test_a_pull_request_says_nothing_about_calls_of_the_default_branch(kind: str) -> None:
    """Neither how they are judged, nor what was said in them."""
    store = heard_in(EMPTY, "aab")
    (key,) = store.base.file_keys("calls/")
    facts = [json.loads(line) for line in store.base.content[key].splitlines()]
    forged: list[dict[str, Any]] = []
    for fact in facts:
        identity = {name: fact[name] for name in ("run_id", "session_id")}
        if kind == "verdict" and fact["kind"] == "verdict":
            forged.append(fact)
            as_passed(forged[-1])
        if kind == "correction" and fact["kind"] == "call":
            data = fact["data"] | {"evidence": f"{GOOD}{fact['run_id']:063x}"}
            forged.append(identity | {"kind": "correction", "at": NOW.isoformat(), "data": data})
    data = b"".join(json.dumps(fact).encode() + b"\n" for fact in forged)
    own = MemoryFiles({key.replace("session-001", "session-002"): data})
    assert shown(replace(store.on_branch(), own=own)) == ("failed", 2, 3)
