"""Forged results in the store make no case pass and change no price.

The attacker edits the results of a real sandbox session in `.planner/`. Another machine then restores them from a cache.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from planner.results.documents import BaselineDocument
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


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the store of the one session is kept that all tests begin with."""
    return tmp_path_factory.mktemp("session") / "store"


@pytest.fixture
def stored(project: Project, session: Path, monkeypatch: pytest.MonkeyPatch, outside: Path) -> Project:
    """Results of a session that ran on another machine: `good` passed, `bad` failed."""
    project.write("plans/hours.yaml", PLAN)
    if session.exists():
        shutil.copytree(session, project.root / ".planner")
    else:
        assert project.planner("run", "--sandbox", "--consent-to-charge").code == 1
        shutil.copytree(project.root / ".planner", session)
    monkeypatch.setenv("XDG_CACHE_HOME", str(outside / "cache"))
    return project


def edit(project: Project, change: Callable[[dict[str, Any], dict[str, Any]], object], pattern: str = LATEST) -> None:
    """Call `change` with the stored cases `good` and `bad`, then write the document back."""
    (path,) = project.root.glob(pattern)
    document = json.loads(path.read_text(encoding="utf-8"))
    cases = {case["case_id"]: case for case in document["cases"]}
    change(cases[GOOD], cases[BAD])
    path.write_text(json.dumps(document), encoding="utf-8")


def as_if_passed(case: dict[str, Any]) -> None:
    case |= {"outcome": "passed", "runs_passed": len(case["runs"]), "pass_rate": 1.0, "outcome_reason": ""}
    for run in case["runs"]:
        run |= {"outcome": "passed", "cause": None, "reason": "", "cause_quote": None}
        for finding in run["findings"]:
            finding["outcome"] = "passed"


def actions(project: Project) -> dict[str, tuple[str, str, int]]:
    return project.actions("--sandbox")


def test_unedited_documents_stay(stored: Project, outside: Path) -> None:
    """Results of another machine are evaluated again from their evidence once, then trusted. Results of this machine are always trusted."""
    assert actions(stored) == {GOOD: ("reuse", "passed", 0), BAD: ("reuse", "out_of_reach", 0)}
    assert len((outside / "cache/planner/verified").read_text().split()) == 1
    for evidence in (stored.root / ".planner/sandbox/evidence").iterdir():
        evidence.unlink()
    assert actions(stored)[GOOD][0] == "reuse"  # its evidence was not read


def test_an_outcome(stored: Project) -> None:
    """The attacker changes every failure of a case to a pass.

    Before: the case was reused as passed, and the job succeeded. Now: the case is evaluated again from its evidence, and fails.
    """
    edit(stored, lambda _, bad: as_if_passed(bad))
    assert actions(stored)[BAD] == ("reuse", "out_of_reach", 0)
    assert stored.planner("run", "--sandbox", "--consent-to-charge").code == 1


def test_an_outcome_without_evidence(stored: Project) -> None:
    """The attacker also removes the evidence, so that nothing contradicts the pass.

    Before: the case was reused as passed. Now: it is undecided. The next run fetches the call from the service again, free of charge.
    """

    def change(_: dict[str, Any], bad: dict[str, Any]) -> None:
        as_if_passed(bad)
        for run in bad["runs"]:
            run["evidence"] = None

    edit(stored, change)
    assert actions(stored)[BAD] == ("recheck", "inconclusive", 0)
    assert stored.planner("run", "--offline", "--sandbox").code == 4


def test_the_evidence_of_another_call(stored: Project) -> None:
    """The attacker makes failed runs refer to the evidence of runs that passed.

    Before: the failed runs passed. Now: planner uses evidence only for the run that it names.
    """

    def change(good: dict[str, Any], bad: dict[str, Any]) -> None:
        as_if_passed(bad)
        for run, other in zip(bad["runs"], good["runs"], strict=True):
            run["evidence"] = other["evidence"]

    edit(stored, change)
    assert actions(stored)[BAD][0] != "reuse"
    # The same in an earlier session: planner reuses its calls if there is no baseline.
    edit(stored, change, ".planner/sandbox/runs/*.json")
    (stored.root / LATEST).unlink()
    assert {case: found[:2] for case, found in actions(stored).items()} == {
        GOOD: ("recheck", "called_before"),
        BAD: ("call", "new"),
    }


def test_evidence_that_was_edited(stored: Project) -> None:
    """The attacker edits the duration in stored evidence. This was always an error, because the name of evidence is its digest."""
    for path in (stored.root / ".planner/sandbox/evidence").iterdir():
        document = json.loads(path.read_text())
        document["call"]["duration_seconds"] = 0.5
        path.write_text(json.dumps(document))
    ran = stored.planner("plan", "--sandbox")
    assert ran.code == 4
    assert "evidence/" in ran.err


def test_runs_that_are_left_out(stored: Project) -> None:
    """The plan asks for two runs of a case. The attacker removes one and leaves the one that passed.

    Before: the case was reused as passed. Now: planner makes the missing call.
    """
    edit(stored, lambda good, _: good["runs"].pop())
    assert actions(stored)[GOOD] == ("call", "runs_raised", 1)


def test_runs_that_were_not_needed(stored: Project) -> None:
    """As above, and the stored case says that the removed run was not needed.

    Before: the case was reused as passed. Now: planner makes the call, unless early stopping would skip it today.
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
        (("runs", 0, "completed_at"), "0001-01-01T00:00:00Z"),
        (("runs", 0, "completed_at"), "0001-01-01T00:00:00+14:00"),
        (("runs", 0, "completed_at"), "9999-12-31T23:59:59-14:00"),
        (("runs_passed",), -1),
        (("runs_required",), -1),
        (("runs_not_needed",), -5),
        (("pass_rate",), 2.0),
        (("interval",), [0.0, float("nan")]),
        (("baseline",), {"outcome": "passed", "runs_passed": 9, "runs_countable": 2}),
        (("expectations",), [{"expectation": "call", "check": "call", "met": 9, "decided": 2}]),
        (("inputs", "target_id"), 2**80),
    ],
)
def test_impossible_numbers(stored: Project, path: tuple[str | int, ...], value: object) -> None:
    """The attacker writes impossible numbers, such as negative bills, which lower prices and reservations, or more passes than runs.

    Before: planner used them, or ended in a traceback. Now: exit code 4, and the error names the document and the value.
    """

    def change(good: dict[str, Any], _: dict[str, Any]) -> None:
        place: Any = good
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    edit(stored, change)
    commands = (("plan",), ("run", "--consent-to-charge")) if path[-1] == "cost_cents" else (("plan",),)
    for command in commands:
        ran = stored.planner(*command, "--sandbox")
        assert ran.code == 4, (ran.out, ran.err)
        assert "latest/default/hours.json" in ran.err


def test_a_run_that_is_listed_twice(stored: Project) -> None:
    """The attacker replaces the failed run with a second copy of the one that passed.

    Before: both copies counted as passed. Now: exit code 4.
    """
    edit(stored, lambda good, _: good.update(runs=[good["runs"][0]] * 2))
    assert stored.planner("plan", "--sandbox").code == 4


@pytest.mark.parametrize(("field", "days"), [("started_at", 2), ("ended_at", 2), ("completed_at", 400)])
def test_a_session_in_the_future(stored: Project, field: str, days: int) -> None:
    """The attacker dates the results of one plan to the future, so that no later session replaces them.

    Before: planner discarded all later results, and later versions stopped with exit code 4 for every plan. Now: the document is named and
    ignored. Only its own cases are called again, and their new results replace it.
    """
    stored.write("plans/others.yaml", PLAN.replace("plan: hours", "plan: others"))
    assert stored.planner("run", "--sandbox", "--consent-to-charge").code == 1
    before = actions(stored)
    for path in (stored.root / LATEST, *(stored.root / ".planner/sandbox/runs").iterdir()):
        document = json.loads(path.read_text())
        if "others" not in document.get("plans", ()):
            moment = (datetime.now(UTC) + timedelta(days=days)).isoformat()
            (document if field in document else document["cases"][0]["runs"][0])[field] = moment
            path.write_text(json.dumps(document))
    ran = stored.planner("plan", "--sandbox", "--format", "json")
    assert ran.code == 0
    assert ran.err.count("latest/default/hours.json is ignored") == 1
    now = actions(stored)
    assert {case: found for case, found in now.items() if case.startswith("others/")} == {
        case: found for case, found in before.items() if case.startswith("others/")
    }
    assert stored.planner("run", "--sandbox", "--consent-to-charge").code == 1
    assert "latest/default/hours.json is ignored" not in stored.planner("plan", "--sandbox").err
    assert actions(stored)[GOOD] == ("reuse", "passed", 0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("command", [("plan",), ("run", "--consent-to-charge"), ("history",), ("ci", "record")])
def test_a_pipe_in_place_of_a_document(stored: Project, command: tuple[str, ...]) -> None:
    """A restored cache has named pipes in place of stored files.

    Before: reading one waited for ever. Now: the command ends at once, and names the file.
    """
    files = [path for path in (stored.root / ".planner").rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert {path.suffix for path in files} >= {".json", ".sqlite"}
    hung: list[str] = []
    for path in files:
        content = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        with alarm(20):
            ran = stored.planner(*command, "--sandbox")
        if ran.code not in (0, 1, 4) or (ran.code == 4 and path.name not in ran.err):
            hung.append(f"{path}: {ran.code} {ran.err}")
        path.unlink()
        path.write_bytes(content)
    assert hung == []


@contextmanager
def alarm(seconds: int) -> Generator[None]:
    """Ends what takes longer, also while it waits for a file."""

    def expire(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_times_at_the_edge_of_the_calendar(stored: Project, moment: str) -> None:
    """The attacker dates the runs of a past session to a time that overflows when it is converted to UTC.

    Before: `planner plan` ended in a traceback. Now: exit code 4, and the error names the document.
    """
    edit(stored, lambda good, _: good["runs"][0].update(completed_at=moment), ".planner/sandbox/runs/*.json")
    ran = stored.planner("plan", "--sandbox")
    assert ran.code == 4, (ran.out, ran.err)
    assert "runs/" in ran.err


def test_many_invalid_elements(stored: Project) -> None:
    """The attacker appends a second key `cases` with 400,000 empty objects to the baseline.

    Before: pydantic stored 14 KB per element, over 5 GB. Now: planner stops at the first invalid element.
    """
    path = stored.root / LATEST
    document = path.read_text(encoding="utf-8").rstrip().removesuffix("}")
    path.write_text(document + ',"cases":[' + ",".join(["{}"] * 1_000) + "]}", encoding="utf-8")
    ran = stored.planner("plan", "--sandbox")
    assert ran.code == 4, (ran.out, ran.err)
    with pytest.raises(ValidationError) as caught:
        BaselineDocument.model_validate_json(path.read_bytes())
    assert caught.value.error_count() < 20


@pytest.mark.parametrize("field", ["plan", "environment"])
def test_the_results_of_another_plan(stored: Project, field: str) -> None:
    """The attacker overwrites the baseline with that of another plan or environment.

    Before: planner used it. Now: exit code 4, and the error names the other plan or environment.
    """
    path = stored.root / LATEST
    document = json.loads(path.read_text()) | {field: "another"}
    path.write_text(json.dumps(document))
    ran = stored.planner("plan", "--sandbox")
    assert ran.code == 4
    assert "another" in ran.err


def test_a_document_of_any_size(stored: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attacker makes a document larger than memory.

    Before: planner read all of it. Now: documents over 512 MB are refused with exit code 4.
    """
    monkeypatch.setattr("planner.results.directory.MAX_DOCUMENT_BYTES", 1_000)
    ran = stored.planner("plan", "--sandbox")
    assert ran.code == 4
    assert ".json" in ran.err


def test_prices_of_forged_history(stored: Project) -> None:
    """The attacker makes the bills of earlier sessions in `runs/` negative. Planner estimates prices from them.

    Before: the estimate fell, and each launch reserved less. Now: exit code 4, and the error names the document.
    """
    (path,) = (stored.root / ".planner/sandbox/runs").glob("*.json")
    path.write_text(path.read_text().replace('"cost_cents":', '"cost_cents":-'))
    ran = stored.planner("plan", "--sandbox")
    assert ran.code == 4
    assert path.name in ran.err


def test_a_cache_inside_the_repository(stored: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """`XDG_CACHE_HOME` is inside the repository. A file there lists the edited results as written by this machine.

    Before: planner trusted them. Now: a cache folder inside the repository is not used.
    """
    edit(stored, lambda _, bad: as_if_passed(bad))
    stored.write(".cache/planner/verified", sha256((stored.root / LATEST).read_bytes()).hexdigest() + "\n")
    monkeypatch.setenv("XDG_CACHE_HOME", str(stored.root / ".cache"))
    assert actions(stored)[BAD] == ("reuse", "out_of_reach", 0)
