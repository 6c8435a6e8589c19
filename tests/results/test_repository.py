"""Results by evidence, session and file: what is stored is read back, or refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from store_writes import put

from planner.errors import StoreError, UsageError
from planner.evidence import Call, Evidence, Role, RunStatus, Turn
from planner.results.model import RunResult
from planner.results.repository import Access, ResultsRepository, VerifiedDocuments
from planner.stores.directory import DirectoryStore
from tests.support.samples import changed

MakeResult = Callable[..., RunResult]

_EVIDENCE = Evidence(
    run_id=2**63 - 1,
    run_status=RunStatus.COMPLETED,
    call=Call(
        call_id=7, status="completed", duration_seconds=54.5, document={"nested": {"list": [1, None, "é\u2028"]}}
    ),
    turns=(Turn(number=1, role=Role.AGENT, text="Hello \0 \x1b[31m", start_ms=0),),
    cost_cents=16,
)


def test_evidence_that_is_not_there(repository: ResultsRepository) -> None:
    """Evidence never stored, or pruned, is None; a digest that cannot be one is a damaged result."""
    assert repository.load_evidence("0" * 64) is None
    assert not repository.has_evidence("0" * 64)
    assert not repository.has_evidence("../../etc/passwd")
    with pytest.raises(StoreError, match=r"has an invalid evidence digest: '\.\./x'") as caught:
        repository.load_evidence("../x")
    assert caught.value.hint == "Run its case again with --rerun all"


def test_damaged_evidence(repository: ResultsRepository, folder: Path) -> None:
    """Evidence that is not what its name says is an error that names it; saving it again fixes it."""
    digest = repository.save_evidence(_EVIDENCE)
    path = folder / "evidence" / digest[:2] / f"{digest}.json"
    path.write_bytes(path.read_bytes().replace(b"Hello", b"Howdy"))
    with pytest.raises(StoreError) as caught:
        repository.load_evidence(digest)
    assert (str(caught.value), caught.value.hint) == (
        f"the stored result evidence/{digest[:2]}/{digest}.json cannot be read: its content does not match its digest",
        f"Restore {path} from a backup, or delete it: its case can then be called again",
    )
    assert repository.save_evidence(_EVIDENCE) == digest
    assert repository.load_evidence(digest) == _EVIDENCE


def test_sessions_newest_first(repository: ResultsRepository, make_result: MakeResult) -> None:
    """Sessions come back whole, newest first; one saved again replaces itself."""
    older = make_result("refunds/a@s", session_id="20261123T120000Z-9", finished=False)
    newer = make_result("refunds/a@s", session_id="20261124T120000Z-1")
    for result in (newer, older, changed(older, finished=True)):
        repository.save_session(result)
    assert [(found.session_id, found.finished) for found in repository.sessions()] == [
        ("20261124T120000Z-1", True),
        ("20261123T120000Z-9", True),
    ]
    assert repository.load_session("20261124T120000Z-1") == newer
    assert repository.load_session("20261124T120000Z-2") is None


def _rewrite(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **fields}))


SESSION = "runs/20261124T120000Z-1.json"


@pytest.mark.parametrize("tool", ["2.1.0", ""])
def test_a_newer_planners_documents(
    repository: ResultsRepository, make_result: MakeResult, folder: Path, tool: str
) -> None:
    """What a newer major version wrote is refused with the version that reads it."""
    repository.save_session(make_result("refunds/a@s"))
    _rewrite(folder / SESSION, schema_version="3.0", tool_version=tool, cases="something else")
    by = f"planner {tool}" if tool else "a newer planner"
    with pytest.raises(UsageError) as caught:
        list(repository.sessions())
    assert str(caught.value) == f"{folder}/{SESSION} was written by {by}: schema 3.0, but this version reads 2.x"
    assert caught.value.hint == "Upgrade planner to at least that version, or choose another place with --store"
    assert caught.value.exit_code == 2


def test_an_older_document_is_refused(repository: ResultsRepository, make_result: MakeResult, folder: Path) -> None:
    """Its fields may have other names: without `cause`, a failed run would count as passed."""
    repository.save_session(make_result("refunds/a@s"))
    _rewrite(folder / SESSION, schema_version="1.0", tool_version="")
    with pytest.raises(UsageError) as caught:
        list(repository.sessions())
    assert "was written by an older planner: schema 1.0, but this version reads 2.x" in str(caught.value)
    assert caught.value.hint == "Use that version, or choose another place with --store"


def test_minor_versions_are_read(repository: ResultsRepository, make_result: MakeResult, folder: Path) -> None:
    """A document with fields that this version does not know is read."""
    result = make_result("refunds/a@s")
    repository.save_session(result)
    _rewrite(folder / SESSION, schema_version="2.7", a_field_of_later={"x": 1})
    assert [found.cases for found in repository.sessions()] == [result.cases]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not JSON (EOF while parsing a value at line 1 column 0)"),
        (b"{", "not JSON (EOF while parsing an object at line 1 column 1)"),
        (b"[]", "schema_version is missing"),
        (b"{}", "schema_version is missing"),
        (b'{"schema_version": "2.0"}', "tool_version: Field required"),
    ],
)
def test_a_damaged_session_is_only_missing(
    store: DirectoryStore, make_result: MakeResult, folder: Path, content: bytes, why: str
) -> None:
    """It is named once, by its file; all other sessions are read."""
    said: list[str] = []
    repository = ResultsRepository(store, Access(warn=said.append))
    result = make_result("refunds/a@s")
    repository.save_session(result)
    put(store, "runs/i1.json", content, expected=None)
    for _ in range(2):
        assert list(repository.sessions()) == [result]
    assert repository.load_session("i1") is None
    (warning,) = said
    assert warning.startswith(f"{folder}/runs/i1.json cannot be read: {why}. Only the history loses an entry;")


def test_files_are_created_once(repository: ResultsRepository) -> None:
    """A second file of the same name changes nothing. What this machine wrote is trusted."""
    repository.save_files({"calls/f/s-1.jsonl": b"first\n", "sessions/s.json": b"{}"})
    repository.save_files({"calls/f/s-1.jsonl": b"second\n"})
    assert [(file.key, file.data) for file in repository.files("calls/")] == [("calls/f/s-1.jsonl", b"first\n")]
    assert list(repository.file_keys("sessions/")) == ["sessions/s.json"]
    assert repository.file("calls/f/s-2.jsonl") is None


def test_what_this_machine_did_not_write_is_not_trusted(store: DirectoryStore, tmp_path: Path) -> None:
    """By its bytes: another name changes nothing, and another content is another file."""
    repository = ResultsRepository(store, Access(verified=VerifiedDocuments(tmp_path / "verified")))
    repository.save_files({"calls/f/s-1.jsonl": b"mine\n"})
    put(store, "calls/f/s-2.jsonl", b"theirs\n", expected=None)
    put(store, "calls/f/s-3.jsonl", b"mine\n", expected=None)
    assert [file.is_trusted for file in repository.files("calls/")] == [True, False, True]
    again = ResultsRepository(store, Access(verified=VerifiedDocuments(tmp_path / "verified")))
    assert [file.is_trusted for file in again.files("calls/")] == [True, False, True]
