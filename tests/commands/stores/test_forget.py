"""`planner forget`: the words of a call go from this machine and the shared store; what it cost and its outcome stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from memory_store import MemoryStore

from planner.checks.opinions import Verdict
from planner.evidence import Evidence
from planner.judge.votes import VoteRecord, transcript_digest
from planner.records.erasing import erasure, find
from planner.records.facts import CallFact, SessionHead
from planner.records.files import summary_of
from planner.results.documents import document_bytes
from planner.results.repository import evidence_key, vote_key
from planner.stores.directory import DirectoryStore
from tests.commands.stores.conftest import git  # pyright: ignore[reportMissingImports]
from tests.commands.stores.test_shared_store import shared_blobs  # pyright: ignore[reportMissingImports]
from tests.support.stored_cases import NOW

FAILING = "hours/cancel@clinic"


@pytest.fixture
def called(fresh_clone: Callable[[str], Any], service: Any) -> Any:
    """A machine whose session passed two cases and failed one."""
    project = fresh_clone("one")
    project.edit("plans/hours.yaml", "max_seconds: 600", "max_seconds: 1")
    git(project.root, "commit", "-qam", "fails")
    git(project.root, "push", "-q", "origin", "main")
    assert project.planner("run", "--consent-to-charge").code == 1
    return project


def words_of(project: Any, case_id: str) -> set[str]:
    """What was said in the calls of this case, and in no other."""
    said: dict[bool, set[str]] = {True: set(), False: set()}
    ran = project.planner("transcript", "*", "--format", "json").json["transcripts"]
    for each in ran:
        said[each["case_id"] == case_id] |= {turn["text"] for turn in each["turns"] or ()}
    return {text for text in said[True] - said[False] if len(text) > 20 and "•" not in text}


def contents(folder: Path) -> Iterator[bytes]:
    yield from (path.read_bytes() for path in folder.rglob("*") if path.is_file())


def calls_of(project: Any, case_id: str) -> list[Any]:
    (case,) = [case for case in project.results()["cases"] if case["case_id"] == case_id]
    return case["runs"]


def test_words_go_and_outcomes_stay(called: Any, fresh_clone: Callable[[str], Any], remote: Path, service: Any) -> None:
    """By the id of a run or of a call, with every old state of the ref; nothing is called, judged or read again."""
    case_id = "hours/saturday[name=Ana]@clinic"
    runs, words = calls_of(called, case_id) + calls_of(called, FAILING), words_of(called, case_id)
    assert words
    local = called.root / ".planner"
    assert all(any(word.encode() in data for data in contents(local)) for word in words)
    assert any(word.encode() in shared_blobs(remote) for word in words)
    before = called.actions(), called.planner("history", "--spend", "--format", "json").json
    ids = [str(runs[0]["run_id"]), *(str(run["call_id"]) for run in runs[1:])]
    asked = called.planner("forget", *ids)
    assert (asked.code, "needs a confirmation" in asked.err, "Out of reach" in asked.out) == (3, True, True)
    assert any(word.encode() in shared_blobs(remote) for word in words)
    assert called.planner("forget", "999999").code == 2

    ran = called.planner("forget", *ids, "--yes")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "Erased."), ran
    for word in words:
        assert not any(word.encode() in data for data in contents(local)), word
        assert word.encode() not in shared_blobs(remote), word
    assert int(git(remote, "rev-list", "--count", "refs/planner/results")) == 1
    calls = len(service.own_runs())
    for project in (called, fresh_clone("two")):
        assert (project.actions(), project.planner("history", "--spend", "--format", "json").json) == before
        assert project.planner("run", "--offline").code == 1
        assert project.planner("run").code in (1, 3)  # a key is there, and nothing is read again
    assert len(service.own_runs()) == calls
    for word in words:
        assert word.encode() not in shared_blobs(remote), word
    assert called.planner("forget", *ids, "--yes").code == 0


def vote_about(evidence: Evidence) -> bytes:
    transcript = transcript_digest(evidence.turns or ())
    return (
        VoteRecord(key="0" * 64, number=1, model="judge", verdict=Verdict.HOLDS, quote="words", transcript=transcript)
        .model_dump_json()
        .encode()
    )


def test_answers_of_a_judge_about_the_call_are_erased(called: Any) -> None:
    """Found by the transcript that they are about. Those about other calls stay."""
    store = DirectoryStore(next((called.root / ".planner/shared").iterdir()))
    evidence = [
        Evidence.model_validate_json(store.get(evidence_key(run["evidence"])) or b"")
        for case in called.results()["cases"]
        for run in case["runs"]
    ]
    votes = {vote_key(f"{each.run_id:064x}", 1): vote_about(each) for each in evidence}
    store.update(lambda _: votes)
    run_id = evidence[0].run_id
    assert called.planner("forget", str(run_id), "--yes").code == 0
    assert set(votes) - set(store.keys("votes/")) == {vote_key(f"{run_id:064x}", 1)}


def test_every_namespace_is_searched() -> None:
    """The words in results of pull requests go, too, and their heads know the new files."""
    part = b'{"kind":"call","run_id":7,"session_id":"s","case_id":"c","plan":"p","environment":"","target_id":1,"data":{"evidence":"%s","missing":["grade"]}}\n'
    head = SessionHead.model_validate(
        {
            "tool_version": "1",
            "session_id": "s",
            "environment": "",
            "started_at": NOW,
            "ended_at": NOW,
            "parts": {"calls/f/s-1.jsonl": {"lines": 1, "digest": "0" * 64}},
        }
    )
    store = MemoryStore()
    store.update(
        lambda _: {
            "calls/f/s-1.jsonl": part % (b"a" * 64),
            "branches/7/calls/f/s-1.jsonl": part % (b"b" * 64),
            "branches/7/sessions/s.json": document_bytes(head),
            f"branches/7/evidence/bb/{'b' * 64}.json": b"words",
        }
    )
    store.update(lambda now: erasure(now, find(now, 7)))
    assert not find(store, 7).has_words
    assert not store.has(f"branches/7/evidence/bb/{'b' * 64}.json")
    written = store.get("branches/7/calls/f/s-1.jsonl")
    assert written is not None
    assert CallFact.model_validate_json(written).data.missing == []
    changed = SessionHead.model_validate_json(store.get("branches/7/sessions/s.json") or b"")
    assert changed.parts["calls/f/s-1.jsonl"] == summary_of(written)
