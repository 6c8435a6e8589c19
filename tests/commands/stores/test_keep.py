"""`keep` in planner.yaml: `planner ci record` drops what no result needs, and the ref's history with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from planner.ci.git import Git
from planner.results.repository import evidence_key
from planner.stores.git_ref import GitStore
from planner.stores.store import Backoff
from tests.commands.stores.conftest import git  # pyright: ignore[reportMissingImports]

REF = "refs/planner/results"


def store_of(project: Any) -> GitStore:
    backoff = Backoff(chance=lambda: 0.0, pause=lambda _: None)
    return GitStore(Git(project.root, {"PATH": "/usr/bin:/bin"}), REF, remote="origin", backoff=backoff)


def older(store: GitStore, year: int) -> Iterator[tuple[str, bytes]]:
    """The files of the newest session once more, as those of a session of that year."""
    key = max(store.keys("sessions/"))
    head, session_id = json.loads(store.get(key) or b""), f"{year}0101T000000Z-1"
    parts: dict[str, Any] = {}
    for part in head["parts"]:
        facts = [json.loads(line) for line in (store.get(part) or b"").splitlines()]
        for fact in facts:
            fact |= {"session_id": session_id, "run_id": fact["run_id"] + year * 1000}
            if fact["kind"] == "call":
                fact |= {"consent_id": session_id, "reason": "again"}
                fact["data"]["completed_at"] = f"{year}-01-01T00:00:00Z"
                evidence = b"evidence of %d" % fact["run_id"]
                fact["data"]["evidence"] = sha256(evidence).hexdigest()
                yield evidence_key(fact["data"]["evidence"]), evidence
            else:
                fact["evidence"] = sha256(b"evidence of %d" % fact["run_id"]).hexdigest()
        data = b"".join(json.dumps(fact).encode() + b"\n" for fact in facts)
        name = part.replace(head["session_id"], session_id)
        parts[name] = {"lines": len(facts), "digest": sha256(data).hexdigest()}
        yield name, data
    times = dict.fromkeys(("started_at", "ended_at"), f"{year}-01-01T00:00:00Z")
    yield f"sessions/{session_id}.json", json.dumps(head | times | {"session_id": session_id, "parts": parts}).encode()
    report = json.loads(store.get(key.replace("sessions/", "runs/")) or b"")
    report["consent"]["id"] = session_id
    yield f"runs/{session_id}.json", json.dumps(report | times | {"session_id": session_id}).encode()


def test_the_nightly_job_drops_what_no_result_needs(
    fresh_clone: Callable[[str], Any], remote: Path, service: Any
) -> None:
    """Calls of 2021 go; those of 2022 are the baseline of the pool of 2023 and today. Verdicts and sums of money stay."""
    project = fresh_clone("one")
    assert project.planner("run", "--consent-to-charge").code == 0
    store = store_of(project)
    for year in (2021, 2022, 2023):
        files = dict(older(store, year))
        store.update(lambda _, files=files: files)
    reader = fresh_clone("reader")
    before = reader.actions(), reader.planner("history", "--spend", "--format", "json").json
    sizes = {name: len(list(store.keys(f"{name}/"))) for name in ("calls", "evidence", "sessions", "runs")}
    assert sizes == {"calls": 12, "evidence": 20, "sessions": 4, "runs": 4}
    assert project.planner("ci", "record").code == 0
    store.refresh()
    assert len(list(store.keys("calls/"))) == 12  # without `keep`, everything stays
    project.write("planner.yaml", (project.root / "planner.yaml").read_text() + "keep: 90d\n")
    commits = git(remote, "rev-list", "--count", REF)
    assert int(commits) > 1
    ran = project.planner("ci", "record")
    assert (ran.code, "dropped 3 files of calls older than 90d" in ran.out) == (0, True), ran
    store.refresh()
    sizes = {name: len(list(store.keys(f"{name}/"))) for name in ("calls", "evidence", "sessions", "runs")}
    assert sizes == {"calls": 9, "evidence": 15, "sessions": 4, "runs": 4}
    assert git(remote, "rev-list", "--count", REF) == "1"
    reader = fresh_clone("later")
    assert (reader.actions(), reader.planner("history", "--spend", "--format", "json").json) == before
    assert project.planner("ci", "record").out.count("dropped") == 0


def test_a_result_keeps_its_calls(fresh_clone: Callable[[str], Any], service: Any) -> None:
    """`keep` may not be shorter than a `max_age`."""
    project = fresh_clone("one")
    project.edit("plans/hours.yaml", "    runs: 2\n", "    runs: 2\n    max_age: 14d\n")
    project.write("planner.yaml", "redact: []\nkeep: 13d\n")
    ran = project.planner("plan", "--offline", "--format", "json")
    assert ran.code == 2
    found = [(each["code"], each["file"], each["line"], each["column"]) for each in ran.json["diagnostics"]]
    assert found == [("bad-value", "planner.yaml", 2, 7)]
    assert "at least 14d" in ran.json["diagnostics"][0]["detail"]
    project.write("planner.yaml", "keep: 14d\n")
    assert project.planner("plan", "--offline").code == 0
