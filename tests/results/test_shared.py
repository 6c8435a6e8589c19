"""Keys, and results that machines share: each judges by what it has whole and shares no more than may be seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from planner.errors import StoreError
from planner.evidence import Evidence, Role, RunStatus, Turn
from planner.results.model import RunResult
from planner.results.shared_store import SharedRepository, Tiers
from planner.stores.directory import DirectoryStore
from planner.stores.store import segment_for, segments
from tests.support.samples import changed

MakeResult = Callable[..., RunResult]


class Masking:
    """Leaves out the word `secret`."""

    def result(self, result: RunResult) -> RunResult:
        return RunResult.model_validate_json(result.model_dump_json().replace("secret", "•••"))

    def evidence(self, evidence: Evidence) -> Evidence:
        shown = Evidence.model_validate_json(evidence.to_bytes().replace(b"secret", "•••".encode()))
        return evidence if shown == evidence else changed(shown, redacted=("turns",))

    def name(self, name: str) -> str:
        return name.replace("secret", "---")

    def text(self, text: str) -> str:
        return text.replace("secret", "•••")


@pytest.fixture
def there(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "there")


@pytest.fixture
def machine(tmp_path: Path, there: DirectoryStore) -> Callable[..., SharedRepository]:
    def make(name: str) -> SharedRepository:
        return SharedRepository(Tiers(DirectoryStore(tmp_path / name), there), Masking())

    return make


def evidence(text: str, run_id: int = 1) -> Evidence:
    return Evidence(run_id=run_id, run_status=RunStatus.COMPLETED, turns=(Turn(number=1, role=Role.AGENT, text=text),))


def with_evidence(result: RunResult, digest: str) -> RunResult:
    cases = [changed(case, runs=[changed(run, evidence=digest) for run in case.runs]) for case in result.cases]
    return changed(result, cases=cases)


Machine = Callable[..., SharedRepository]


def test_evidence_is_whole_here_and_redacted_there(
    machine: Machine, there: DirectoryStore, make_result: MakeResult
) -> None:
    """One digest names the record on every machine: whole where the call was made, less what others may not see elsewhere."""
    here, elsewhere = machine("here"), machine("elsewhere")
    plain, masked = here.save_evidence(evidence("open", 1)), here.save_evidence(evidence("the secret", 2))
    assert here.load_evidence(masked) == evidence("the secret", 2)
    assert not elsewhere.has_evidence(masked)
    for number, digest in enumerate((plain, masked)):
        here.save_session(with_evidence(make_result("p/a@t", session_id=f"i{number}"), digest))
    here.publish()
    assert elsewhere.load_evidence(plain) == evidence("open", 1)
    redacted = elsewhere.load_evidence(masked)
    assert redacted is not None
    assert (redacted.redacted, redacted.turns and redacted.turns[0].text) == (("turns",), "the •••")
    assert elsewhere.has_evidence(masked)
    assert here.load_evidence(masked) == evidence("the secret", 2)
    assert not any(b"secret" in (there.get(key) or b"") for key in there.keys(""))
    assert not any("secret" in key or key.startswith(("originals/", "unshared/")) for key in there.keys(""))


def test_files_go_from_machine_to_machine(machine: Machine, there: DirectoryStore) -> None:
    """Once, and as they are: what is put into them is redacted before. The first file of a name wins."""
    here, elsewhere = machine("here"), machine("elsewhere")
    here.save_files({"calls/f/i1-1.jsonl": b"mine\n", "sessions/i1.json": b"{}"})
    assert list(elsewhere.file_keys("")) == []
    here.publish()
    assert [(file.key, file.data) for file in elsewhere.files("calls/")] == [("calls/f/i1-1.jsonl", b"mine\n")]
    there.update(lambda _: {"sessions/i1.json": None})
    here.publish()
    assert list(there.keys("sessions/")) == [], "it was shared before"
    elsewhere.save_files({"calls/f/i1-1.jsonl": b"theirs\n", "calls/f/i2-1.jsonl": b"theirs\n"})
    elsewhere.publish()
    assert [file.data for file in here.files("calls/")] == [b"mine\n", b"theirs\n"]


def test_unshared_results_are_shared_by_the_next_session(
    machine: Machine, there: DirectoryStore, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the shared store fails, everything is stored here; the next session brings it there, once."""
    here, elsewhere = machine("here"), machine("elsewhere")
    result = make_result("p/a@t", session_id="i1")
    here.save_session(result)
    here.save_files({"calls/f/i1-1.jsonl": b"mine\n"})

    def broken(_: Any) -> None:
        raise StoreError("no network", "Look at it.")

    with monkeypatch.context() as patched:
        patched.setattr(there, "update", broken)
        with pytest.raises(StoreError) as caught:
            here.publish()
    assert (str(caught.value), caught.value.hint) == (
        "the results are stored locally, but could not be shared: no network",
        "Look at it. The next run on this machine shares them.",
    )
    assert list(elsewhere.sessions()) == []
    again = machine("here")
    again.publish()
    assert elsewhere.load_session("i1") == result
    assert [file.data for file in elsewhere.files("calls/")] == [b"mine\n"]
    before = {key: there.get(key) for key in there.keys("")}
    again.publish()
    assert {key: there.get(key) for key in there.keys("")} == before


QUESTION = "0" * 64
VOTE = {"key": QUESTION, "number": 1, "verdict": "holds", "quote": "a secret", "reason": "It is a secret."}


def test_votes_are_shared(
    machine: Callable[..., SharedRepository], there: DirectoryStore, make_result: MakeResult
) -> None:
    """Redacted, so that no machine pays for them again; a damaged vote is not shared."""
    first, second = machine("first"), machine("second")
    first.save_vote(QUESTION, 1, to_json(VOTE))
    first.save_vote(QUESTION, 2, b"{")
    assert list(there.keys("votes/")) == []
    first.save_session(make_result())
    first.publish()
    assert list(there.keys("votes/")) == [f"votes/{QUESTION[:2]}/{QUESTION}/1.json"]
    shared = second.load_vote(QUESTION, 1)
    assert shared is not None
    assert from_json(shared) == VOTE | {"quote": "a •••", "reason": "It is a •••."}


@pytest.mark.parametrize(
    "key", ["runs/a.json", "sessions/i1.json", "intents/20261124T120000Z-1", "a", "a/b/c/%2Ed+=@_"]
)
def test_keys(key: str) -> None:
    """Plain names with slashes between them are keys."""
    assert "/".join(segments(key)) == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/etc/passwd",
        "a//b",
        "a/",
        "..",
        "a/../b",
        "./a",
        ".lock",
        "runs/.hidden",
        "a\\b",
        "a\0b",
        "a b",
        "a\nb",
        "é",
        "C:x",
    ],
)
def test_impossible_keys(key: str) -> None:
    """A key can neither lead out of the store, nor name the store's own files, nor what some store could not take."""
    with pytest.raises(ValueError, match="not a key of a results store"):
        segments(key)


@pytest.mark.parametrize(
    ("name", "segment"),
    [
        ("staging", "staging"),
        ("eu-1", "eu-1"),
        ("", "_"),
        ("_", "%5F"),
        ("..", "%2E%2E"),
        ("EU/x", "%45%55%2Fx"),
        ("é", "%C3%A9"),
    ],
)
def test_names_as_segments(name: str, segment: str) -> None:
    """A name that is not plain is escaped, and no name at all has a segment of its own."""
    assert segment_for(name) == segment


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    st.text(alphabet=st.characters(exclude_categories=["Cs"])),
)
def test_different_names_never_share_a_segment(one: str, other: str) -> None:
    """Two environments never mix, also where a file system ignores case; and every name makes a possible key."""
    assert (segment_for(one).casefold() == segment_for(other).casefold()) == (one == other)
    assert segments(f"versions/{segment_for(one)}/x")[1] == segment_for(one)
