"""Forged results in the store make no case pass and change no price.

The attacker edits the results of a real sandbox session in `.planner/`. Another machine then restores them from a cache.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]
from tests.support.stored_files import edit_parts

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
STORE = ".planner/sandbox"
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


Facts = dict[str, list[dict[str, Any]]]
"""The facts of a case, by their kind."""


def edit(project: Project, change: Callable[[Facts, Facts], object]) -> None:
    """Call `change` with the facts of the cases `good` and `bad`, then write the files back; the heads of the sessions
    have their digests, as those of somebody who forges with care."""
    found: dict[str, Facts] = {}

    def read(facts: list[dict[str, Any]]) -> None:
        by_kind = {kind: [fact for fact in facts if fact["kind"] == kind] for kind in ("call", "verdict")}
        found[by_kind["call"][0]["case_id"]] = by_kind

    def write(facts: list[dict[str, Any]]) -> None:
        facts[:] = [fact for each in found[facts[0]["case_id"]].values() for fact in each]

    store = project.root / STORE
    edit_parts(store, read)
    change(found[GOOD], found[BAD])
    edit_parts(store, write)


def as_if_passed(case: Facts) -> None:
    for fact in case["verdict"]:
        fact |= {"outcome": "passed", "verdict": {"outcome": "passed", "findings": fact["verdict"]["findings"]}}
        for finding in fact["verdict"]["findings"]:
            finding["outcome"] = "passed"


def actions(project: Project) -> dict[str, tuple[str, str, int]]:
    return project.actions("--sandbox")


def test_unedited_facts_stay(stored: Project) -> None:
    """Calls that another machine made are judged again from their evidence, and none is made again."""
    assert actions(stored) == {GOOD: ("reuse", "passed", 0), BAD: ("reuse", "failed", 0)}


def test_what_this_machine_wrote_is_trusted(project: Project) -> None:
    """Its verdicts count without reading the evidence again."""
    project.write("plans/hours.yaml", PLAN)
    assert project.planner("run", "--sandbox", "--consent-to-charge").code == 1
    for evidence in (project.root / STORE / "evidence").rglob("*.json"):
        evidence.unlink()
    assert actions(project)[GOOD] == ("reuse", "passed", 0)


def test_an_outcome(stored: Project) -> None:
    """The attacker changes every failure of a case to a pass.

    Before: the case was reused as passed, and the job succeeded. Now: the case is judged again from its evidence, and fails.
    """
    edit(stored, lambda _, bad: as_if_passed(bad))
    assert actions(stored)[BAD] == ("reuse", "failed", 0)
    assert stored.planner("run", "--sandbox", "--consent-to-charge").code == 1


def test_an_outcome_without_evidence(stored: Project) -> None:
    """The attacker also removes the evidence, so that nothing contradicts the pass.

    Before: the case was reused as passed. Now: it is undecided. The next run fetches the call from the service again, free of charge.
    """

    def change(_: Facts, bad: Facts) -> None:
        as_if_passed(bad)
        for fact in bad["call"]:
            fact["data"]["evidence"] = None
        for fact in bad["verdict"]:
            fact["evidence"] = None

    edit(stored, change)
    assert actions(stored)[BAD] == ("recheck", "unread", 0)
    assert stored.planner("run", "--offline", "--sandbox").code == 4


def test_the_evidence_of_another_call(stored: Project) -> None:
    """The attacker makes failed runs refer to the evidence of runs that passed.

    Before: the failed runs passed. Now: planner uses evidence only for the run that it names.
    """

    def change(good: Facts, bad: Facts) -> None:
        as_if_passed(bad)
        for kind in ("call", "verdict"):
            for fact, other in zip(bad[kind], good[kind], strict=True):
                evidence = (other.get("data") or other)["evidence"]
                (fact.get("data") or fact)["evidence"] = evidence

    edit(stored, change)
    assert actions(stored) == {GOOD: ("reuse", "passed", 0), BAD: ("recheck", "unread", 0)}


def test_evidence_that_was_edited(stored: Project) -> None:
    """The attacker edits the duration in stored evidence. This was always an error, because the name of evidence is its digest."""
    for path in (stored.root / ".planner/sandbox/evidence").rglob("*.json"):
        document = json.loads(path.read_text())
        document["call"]["duration_seconds"] = 0.5
        path.write_text(json.dumps(document))
    ran = stored.planner("plan", "--sandbox")
    assert ran.code == 4
    assert "evidence/" in ran.err


def test_runs_that_are_left_out(stored: Project) -> None:
    """The plan asks for two runs of a case. The attacker removes one and leaves the one that passed.

    Before: the case was reused as passed. Now: the case is unknown, as the newest session had that run.
    """

    def change(good: Facts, _: Facts) -> None:
        for facts in good.values():
            facts.pop()

    edit(stored, change)
    assert actions(stored)[GOOD] == ("reuse", "unreadable", 0)


def test_a_file_that_is_shortened(stored: Project) -> None:
    """As above, but the head of the session still says what the file was.

    Before: the case was judged by what was left. Now: the files are named, their cases are unknown, and nothing is called.
    """
    for path in (stored.root / STORE / "calls").rglob("*.jsonl"):
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    assert_unreadable(stored, GOOD, BAD)


def assert_unreadable(stored: Project, *cases: str) -> None:
    """These cases are unknown and not called, though their calls may not be what the files say."""
    ran = stored.planner("plan", "--sandbox")
    assert (ran.code, ran.err.count(".jsonl cannot be read: ")) == (0, len(cases)), ran.err
    found = actions(stored)
    assert {case: found[case] for case in cases} == dict.fromkeys(cases, ("reuse", "unreadable", 0))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("data", "cost_cents"), -100_000),
        (("data", "duration_seconds"), -5),
        (("data", "duration_seconds"), float("inf")),
        (("data", "latency_ms"), float("nan")),
        (("data", "grade_score"), 7),
        (("data", "completed_at"), "0001-01-01T00:00:00Z"),
        (("data", "completed_at"), "0001-01-01T00:00:00+14:00"),
        (("data", "completed_at"), "9999-12-31T23:59:59-14:00"),
        (("run_id",), 2**80),
        (("target_id",), 2**80),
    ],
)
def test_impossible_numbers(stored: Project, path: tuple[str, ...], value: object) -> None:
    """The attacker writes impossible numbers, such as negative bills, which lower prices and reservations.

    Before: planner used them, or ended in a traceback. Now: the file is named, and its case is unknown.
    """

    def change(good: Facts, _: Facts) -> None:
        place: Any = good["call"][0]
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    edit(stored, change)
    assert_unreadable(stored, GOOD)


def test_a_run_that_is_listed_twice(stored: Project) -> None:
    """The attacker replaces the failed run with a second copy of the one that passed.

    Before: both copies counted as passed. Now: the case is unknown, as the newest session had the other run.
    """

    def change(good: Facts, _: Facts) -> None:
        for facts in good.values():
            facts[:] = [facts[0]] * 2

    edit(stored, change)
    assert actions(stored)[GOOD] == ("reuse", "unreadable", 0)


def test_a_call_in_the_future(stored: Project) -> None:
    """The attacker dates the calls of one case to the future, so that no later call is newer.

    Before: planner discarded all later results, and later versions stopped with exit code 4 for every plan. Now: the file is named and
    its calls are ignored. Only its own case is called again, and its new calls count.
    """
    later = (datetime.now(UTC) + timedelta(days=400)).isoformat()

    def change(good: Facts, _: Facts) -> None:
        for fact in good["call"]:
            fact["data"]["completed_at"] = later

    edit(stored, change)
    ran = stored.planner("plan", "--sandbox", "--format", "json")
    assert ran.code == 0
    assert ran.err.count("is ignored: its time is in the future") == 2
    assert {case: found[0] for case, found in actions(stored).items()} == {GOOD: "call", BAD: "reuse"}
    assert stored.planner("run", "--sandbox", "--consent-to-charge").code == 1
    assert actions(stored)[GOOD] == ("reuse", "passed", 0)


@pytest.mark.parametrize(
    ("field", "value", "reason"), [("case_id", BAD, "passed"), ("environment", "another", "unreadable")]
)
def test_calls_under_another_name(stored: Project, field: str, value: str, reason: str) -> None:
    """The attacker gives the calls that passed the name of the failed case, or of another environment.

    Before: planner used them. Now: they count only for the same call, whatever its case is called, and in their environment.
    """

    def change(good: Facts, _: Facts) -> None:
        for fact in good["call"]:
            fact[field] = value

    edit(stored, change)
    assert actions(stored)[GOOD] == ("reuse", reason, 0)
    assert actions(stored)[BAD] == ("reuse", "failed", 0)


def test_prices_of_forged_history(stored: Project) -> None:
    """The attacker makes the bills of earlier sessions in `runs/` negative. Planner estimates prices from them.

    Before: the estimate fell, and each launch reserved less. Now: a warning names the document, which is ignored.
    """
    whole = stored.planner("plan", "--sandbox", "--rerun", "all", "--format", "json").json["estimate"]
    (path,) = (stored.root / ".planner/sandbox/runs").glob("*.json")
    path.write_text(path.read_text().replace('"cost_cents":', '"cost_cents":-'))
    ran = stored.planner("plan", "--sandbox", "--rerun", "all", "--format", "json")
    assert (ran.code, path.name in ran.err) == (0, True), ran.err
    assert ran.json["estimate"] == whole


def test_a_cache_inside_the_repository(stored: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """`XDG_CACHE_HOME` is inside the repository. A file there lists the edited facts as written by this machine.

    Before: planner trusted them. Now: a cache folder inside the repository is not used.
    """
    edit(stored, lambda _, bad: as_if_passed(bad))
    digests = (sha256(path.read_bytes()).hexdigest() for path in (stored.root / STORE / "calls").rglob("*.jsonl"))
    stored.write(".cache/planner/verified", "".join(f"{digest}\n" for digest in digests))
    monkeypatch.setenv("XDG_CACHE_HOME", str(stored.root / ".cache"))
    assert actions(stored)[BAD] == ("reuse", "failed", 0)
