"""Results that somebody else wrote into the store: no case passes by them, no price is made of them.

The attacker edits what a real session of the sandbox stored in `.planner/`, on a machine that did not make it (a cache was restored).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

PLAN = """\
version: 1
plan: hours
targets:
  clinic: {agent: 12}
defaults: {runs: 2}
scenarios:
  good:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    expect: [{check: call, status: completed}]
  bad:
    prompt: You are Bob, calm. Ask when the clinic is open on Saturday.
    expect: [{check: duration, max_seconds: 1}]
"""
LATEST = ".planner/sandbox/latest/default/hours.json"
GOOD, BAD = "hours/good@clinic", "hours/bad@clinic"


@pytest.fixture
def stored(project: Project, monkeypatch: pytest.MonkeyPatch, outside: Path) -> Project:
    """Results of a session that ran on another machine: `good` passed, `bad` failed."""
    project.write("plans/hours.yaml", PLAN)
    assert project.planner("run", "--sandbox", "--consent-to-charge").code == 1
    monkeypatch.setenv("XDG_CACHE_HOME", str(outside / "cache"))
    return project


def edit(project: Project, change: Callable[[dict[str, Any], dict[str, Any]], object], pattern: str = LATEST) -> None:
    """`change` gets the stored cases `good` and `bad`."""
    (path,) = project.root.glob(pattern)
    document = json.loads(path.read_text(encoding="utf-8"))
    cases = {case["case_id"]: case for case in document["cases"]}
    change(cases[GOOD], cases[BAD])
    path.write_text(json.dumps(document), encoding="utf-8")


def as_if_passed(case: dict[str, Any]) -> None:
    case |= {"outcome": "passed", "runs_passed": len(case["runs"]), "pass_rate": 1.0, "outcome_reason": ""}
    for run in case["runs"]:
        run |= {"outcome": "passed", "fault": None, "reason": "", "fault_quote": None}
        for finding in run["findings"]:
            finding["outcome"] = "passed"


def actions(project: Project) -> dict[str, tuple[str, str, int]]:
    return project.actions("--sandbox")


def test_what_nobody_edited_stays(stored: Project, outside: Path) -> None:
    """Results of another machine are judged again from their evidence, and are used. Those of this one, and those that were judged
    again, are remembered: the next command uses them as they are."""
    assert actions(stored) == {GOOD: ("keep", "passed", 0), BAD: ("keep", "out_of_reach", 0)}
    assert len((outside / "cache/planner/verified").read_text().split()) == 1
    for evidence in (stored.root / ".planner/sandbox/evidence").iterdir():
        evidence.unlink()
    assert actions(stored)[GOOD][0] == "keep"  # its evidence was not read


def test_an_outcome(stored: Project) -> None:
    """The attacker edits every mention of the failure into a pass.

    Before: the case was kept as passed, and the check was green. Now: judged again from its evidence, it failed.
    """
    edit(stored, lambda _, bad: as_if_passed(bad))
    assert actions(stored)[BAD] == ("keep", "out_of_reach", 0)
    assert stored.planner("run", "--sandbox", "--consent-to-charge").code == 1


def test_an_outcome_without_evidence(stored: Project) -> None:
    """The attacker also takes the evidence away, so that nothing contradicts the pass.

    Before: kept as passed. Now: undecided; the next run reads the call again from the service, free.
    """

    def change(_: dict[str, Any], bad: dict[str, Any]) -> None:
        as_if_passed(bad)
        for run in bad["runs"]:
            run["evidence"] = None

    edit(stored, change)
    assert actions(stored)[BAD] == ("recheck", "unknown_last_time", 0)
    assert stored.planner("recheck", "--sandbox").code == 4


def test_the_evidence_of_another_call(stored: Project) -> None:
    """The attacker lets the failed runs point to the evidence of runs that passed.

    Before: judged by that, they passed. Now: evidence is of the run that it names, and of no other.
    """

    def change(good: dict[str, Any], bad: dict[str, Any]) -> None:
        as_if_passed(bad)
        for run, other in zip(bad["runs"], good["runs"], strict=True):
            run["evidence"] = other["evidence"]

    edit(stored, change)
    assert actions(stored)[BAD][0] != "keep"
    # The same in a past session, whose calls stand in for new ones where there is no baseline.
    edit(stored, change, ".planner/sandbox/runs/*.json")
    (stored.root / LATEST).unlink()
    assert {case: found[:2] for case, found in actions(stored).items()} == {
        GOOD: ("recheck", "called_before"),
        BAD: ("call", "new"),
    }


def test_evidence_that_was_edited(stored: Project) -> None:
    """The attacker makes the calls short in their evidence. Before and now: its name is its digest, so this is an error."""
    for path in (stored.root / ".planner/sandbox/evidence").iterdir():
        document = json.loads(path.read_text())
        document["call"]["duration_seconds"] = 0.5
        path.write_text(json.dumps(document))
    ran = stored.planner("plan", "--sandbox")
    assert ran.code == 4
    assert "evidence/" in ran.err


def test_runs_that_are_left_out(stored: Project) -> None:
    """The attacker removes runs of a case, leaving one that passed of the two that its plan asks for.

    Before: kept as passed, by one call. Now: the missing one is called.
    """
    edit(stored, lambda good, _: good["runs"].pop())
    assert actions(stored)[GOOD] == ("call", "runs_raised", 1)


def test_runs_that_were_not_needed(stored: Project) -> None:
    """As above, and the attacker says that the run was not needed.

    Before: kept as passed. Now: that is believed only where early stopping would do without it today.
    """

    def change(good: dict[str, Any], _: dict[str, Any]) -> None:
        good["runs"].pop()
        good["runs_not_needed"] = 1

    edit(stored, change)
    action, _, calls = actions(stored)[GOOD]
    assert (action, calls) == ("call", 1)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("runs", 0, "cost_cents"), -100_000),
        (("runs", 0, "duration_seconds"), -5),
        (("runs", 0, "duration_seconds"), float("inf")),
        (("runs", 0, "grade_score"), 7),
        (("runs", 0, "completed_at"), "2999-01-01T00:00:00Z"),
        (("runs", 0, "completed_at"), "0001-01-01T00:00:00Z"),
        (("runs_passed",), -1),
        (("runs_required",), -1),
        (("runs_not_needed",), -5),
        (("pass_rate",), 2.0),
        (("interval",), [0.0, float("nan")]),
        (("before",), {"outcome": "passed", "runs_passed": 9, "runs_countable": 2}),
        (("expectations",), [{"expectation": "call", "check": "call", "held": 9, "decided": 2}]),
        (("inputs", "target_id"), 2**80),
    ],
)
def test_impossible_numbers(stored: Project, path: tuple[str | int, ...], value: object) -> None:
    """The attacker writes impossible numbers: negative bills lower prices and reservations, impossible counts break comparisons.

    Before: taken, or a traceback. Now: exit 4, with the document and what is wrong with it.
    """

    def change(good: dict[str, Any], _: dict[str, Any]) -> None:
        place: Any = good
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    edit(stored, change)
    for command in (("plan",), ("run", "--consent-to-charge")):
        ran = stored.planner(*command, "--sandbox")
        assert ran.code == 4, (ran.out, ran.err)
        assert "latest/default/hours.json" in ran.err


def test_a_run_that_is_listed_twice(stored: Project) -> None:
    """The attacker lists a run that passed twice, in the place of the one that failed. Before: two passes. Now: an error."""
    edit(stored, lambda good, _: good.update(runs=[good["runs"][0]] * 2))
    assert stored.planner("plan", "--sandbox").code == 4


@pytest.mark.parametrize("field", ["started_at", "ended_at"])
def test_a_session_in_the_future(stored: Project, field: str) -> None:
    """The attacker dates the results to next year, so that no later session ever replaces them.

    Before: every later result was dropped for them. Now: an error.
    """
    path = stored.root / LATEST
    document = json.loads(path.read_text())
    document[field] = (datetime.now(UTC) + timedelta(days=300)).isoformat()
    path.write_text(json.dumps(document))
    assert stored.planner("plan", "--sandbox").code == 4


@pytest.mark.parametrize("field", ["plan", "environment"])
def test_the_results_of_another_plan(stored: Project, field: str) -> None:
    """The attacker copies the baseline of another plan or environment over this one. Before: taken for it. Now: an error."""
    path = stored.root / LATEST
    document = json.loads(path.read_text()) | {field: "another"}
    path.write_text(json.dumps(document))
    ran = stored.planner("plan", "--sandbox")
    assert ran.code == 4
    assert "another" in ran.err


def test_a_document_of_any_size(stored: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attacker makes the document larger than memory. Before: read whole. Now: an error that names it."""
    monkeypatch.setattr("planner.results.directory.MAX_DOCUMENT_BYTES", 1_000)
    ran = stored.planner("plan", "--sandbox")
    assert ran.code == 4
    assert ".json" in ran.err


def test_prices_of_forged_history(stored: Project) -> None:
    """The attacker makes past calls cost less than nothing in `runs/…`, which prices are learned from.

    Before: the expected cost fell, and with it what each launch reserved. Now: an error that names the document.
    """
    (path,) = (stored.root / ".planner/sandbox/runs").glob("*.json")
    path.write_text(path.read_text().replace('"cost_cents":', '"cost_cents":-'))
    ran = stored.planner("plan", "--sandbox")
    assert ran.code == 4
    assert path.name in ran.err


def test_a_cache_inside_the_repository(stored: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attacker brings a cache folder that says that this machine wrote the edited results.

    Before: believed. Now: that is read from outside the repository only.
    """
    edit(stored, lambda _, bad: as_if_passed(bad))
    stored.write(".cache/planner/verified", sha256((stored.root / LATEST).read_bytes()).hexdigest() + "\n")
    monkeypatch.setenv("XDG_CACHE_HOME", str(stored.root / ".cache"))
    assert actions(stored)[BAD] == ("keep", "out_of_reach", 0)
