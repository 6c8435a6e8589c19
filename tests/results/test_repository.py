"""Results by evidence, session and baseline: what is stored is read back, joined, or refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot
from store_writes import put

from planner.errors import StoreError, UsageError
from planner.evidence import Call, Evidence, Role, Turn
from planner.results.directory import DirectoryStore
from planner.results.documents import BaselineDocument, baselines_of, joined
from planner.results.model import RunResult
from planner.results.repository import ResultsRepository
from tests.support.samples import changed

MakeResult = Callable[..., RunResult]

_EVIDENCE = Evidence(
    run_id=2**63 - 1,
    run_status="completed",
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
    path = folder / "evidence" / f"{digest}.json"
    path.write_bytes(path.read_bytes().replace(b"Hello", b"Howdy"))
    with pytest.raises(StoreError) as caught:
        repository.load_evidence(digest)
    assert (str(caught.value), caught.value.hint) == (
        f"the stored result evidence/{digest}.json cannot be read: its content does not match its digest",
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


def test_a_session_pruned_while_listing(repository: ResultsRepository, make_result: MakeResult, folder: Path) -> None:
    """A session that goes away between listing and reading is left out."""
    for number in (1, 2):
        repository.save_session(make_result(session_id=f"i{number}"))
    listing = repository.sessions()
    assert next(listing).session_id == "i2"
    (folder / "runs" / "i1.json").unlink()
    assert list(listing) == []


def test_an_impossible_session_id(repository: ResultsRepository, make_result: MakeResult) -> None:
    """A session id that would lead out of the store is refused."""
    with pytest.raises(ValueError, match="not a key"):
        repository.save_session(make_result(session_id="../../x"))


def test_baseline(repository: ResultsRepository, make_result: MakeResult, folder: Path) -> None:
    """A finished session becomes the baseline of each of its plans, also of one that has no case left."""
    result = make_result("refunds/a@s", "hours/b@s", "refunds/c@s", plans=["hours", "refunds", "empty"])
    repository.promote(result, "")
    assert list(repository.baseline("", ["refunds"])) == ["refunds/a@s", "refunds/c@s"]
    assert repository.baseline("", ["hours", "refunds", "empty", "other"]) == {
        case_id: next(case for case in result.cases if case.case_id == case_id)
        for case_id in ("hours/b@s", "refunds/a@s", "refunds/c@s")
    }
    assert sorted(path.relative_to(folder).as_posix() for path in (folder / "latest").rglob("*.json")) == [
        "latest/_/empty.json",
        "latest/_/hours.json",
        "latest/_/refunds.json",
    ]
    repository.promote(make_result(plans=["refunds"], ended_at=result.ended_at), "")
    assert repository.baseline("", ["refunds"]) == {}


def test_environments_do_not_mix(repository: ResultsRepository, make_result: MakeResult) -> None:
    """Each environment has its own baseline, and no environment is one of its own."""
    for environment in ("staging", "Staging", "_", ""):
        repository.promote(make_result(f"refunds/{environment or 'none'}@s"), environment)
    found = {name: list(repository.baseline(name, ["refunds"])) for name in ("staging", "Staging", "_", "", "other")}
    assert found == {
        "staging": ["refunds/staging@s"],
        "Staging": ["refunds/Staging@s"],
        "_": ["refunds/_@s"],
        "": ["refunds/none@s"],
        "other": [],
    }


@pytest.mark.parametrize(("field", "value", "word"), [("finished", False, "unfinished"), ("partial", True, "partial")])
def test_unfinished_and_partial_sessions_never_become_a_baseline(
    repository: ResultsRepository, make_result: MakeResult, field: str, value: bool, word: str
) -> None:
    """Unfinished and partial sessions are refused, and the baseline stays."""
    with pytest.raises(ValueError, match=f"session 20261124T120000Z-1 is {word}"):
        repository.promote(make_result("refunds/a@s", **{field: value}), "")
    assert repository.baseline("", ["refunds"]) == {}


def test_cases_of_plans_not_loaded(repository: ResultsRepository, make_result: MakeResult) -> None:
    """A result with a case of a plan that it did not load would lose that case: it is refused."""
    with pytest.raises(ValueError, match="has cases of plans it did not load: hours"):
        repository.promote(make_result("refunds/a@s", "hours/b@s", plans=["refunds"]), "")


def test_an_older_session_does_not_replace_a_newer(repository: ResultsRepository, make_result: MakeResult) -> None:
    """Of two jobs the one that ended later is the baseline, in any order of storing."""
    ended = datetime(2026, 11, 24, 13, tzinfo=UTC)
    repository.promote(make_result("refunds/newer@s", ended_at=ended), "")
    repository.promote(make_result("refunds/older@s", ended_at=ended - timedelta(seconds=1)), "")
    assert list(repository.baseline("", ["refunds"])) == ["refunds/newer@s"]
    repository.promote(make_result("refunds/newest@s", ended_at=ended + timedelta(seconds=1)), "")
    assert list(repository.baseline("", ["refunds"])) == ["refunds/newest@s"]


def _rewrite(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **fields}))


@pytest.mark.parametrize("tool", ["2.1.0", ""])
def test_a_newer_planners_documents(
    repository: ResultsRepository, make_result: MakeResult, folder: Path, tool: str
) -> None:
    """What a newer major version wrote is refused with the version that reads it, for reading and for replacing."""
    result = make_result("refunds/a@s")
    repository.save_session(result)
    repository.promote(result, "")
    for place in ("runs/20261124T120000Z-1.json", "latest/_/refunds.json"):
        _rewrite(folder / place, schema_version="3.0", tool_version=tool, cases="something else")
    by = f"planner {tool}" if tool else "a newer planner"
    for place, attempt in {
        "runs/20261124T120000Z-1.json": lambda: list(repository.sessions()),
        "latest/_/refunds.json": lambda: repository.baseline("", ["refunds"]),
    }.items():
        with pytest.raises(UsageError) as caught:
            attempt()
        assert str(caught.value) == f"{folder}/{place} was written by {by}: schema 3.0, but this version reads 2.x"
        assert caught.value.hint == "Upgrade planner to at least that version, or choose another place with --store"
        assert caught.value.exit_code == 2
    with pytest.raises(UsageError, match="was written by"):
        repository.promote(result, "")


def test_an_older_document_is_refused(repository: ResultsRepository, make_result: MakeResult, folder: Path) -> None:
    """Its fields may have other names: without `cause`, a failed run would count as passed."""
    repository.promote(make_result("refunds/a@s"), "")
    _rewrite(folder / "latest/_/refunds.json", schema_version="1.0", tool_version="")
    with pytest.raises(UsageError) as caught:
        repository.baseline("", ["refunds"])
    assert "was written by an older planner: schema 1.0, but this version reads 2.x" in str(caught.value)
    assert caught.value.hint == "Use that version, or choose another place with --store"


def test_minor_versions_are_read(repository: ResultsRepository, make_result: MakeResult, folder: Path) -> None:
    """A document with fields that this version does not know is read."""
    result = make_result("refunds/a@s")
    repository.promote(result, "")
    _rewrite(folder / "latest/_/refunds.json", schema_version="2.7", a_field_of_later={"x": 1})
    assert list(repository.baseline("", ["refunds"]).values()) == result.cases


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not JSON (EOF while parsing a value at line 1 column 0)"),
        (b"[]", "schema_version is missing"),
        (b"{}", "schema_version is missing"),
        (b'{"schema_version": "2.0"}', "tool_version: Field required"),
    ],
)
def test_damaged_documents(
    repository: ResultsRepository, store: DirectoryStore, folder: Path, content: bytes, why: str
) -> None:
    """A damaged baseline is an error that names it and what deleting it would cost, never taken for no baseline."""
    put(store, "latest/_/refunds.json", content, expected=None)
    with pytest.raises(StoreError) as caught:
        repository.baseline("", ["refunds"])
    assert (str(caught.value), caught.value.hint) == (
        f"the stored result latest/_/refunds.json cannot be read: {why}",
        f"Restore {folder}/latest/_/refunds.json from a backup, or delete it: all its cases are then new and will be called",
    )


def test_damage_deep_inside(repository: ResultsRepository, make_result: MakeResult, folder: Path) -> None:
    """The first field that cannot be right is named by its path."""
    repository.promote(make_result("refunds/a@s"), "")
    path = folder / "latest/_/refunds.json"
    document = json.loads(path.read_bytes())
    document["cases"][0]["runs"][0]["outcome"] = "great"
    path.write_text(json.dumps(document))
    with pytest.raises(StoreError) as caught:
        repository.baseline("", ["refunds"])
    assert str(caught.value) == snapshot(
        "the stored result latest/_/refunds.json cannot be read: cases.0.runs.0.outcome: Input should be 'passed', 'failed' or 'undecided'"
    )


def test_a_damaged_session(repository: ResultsRepository, store: DirectoryStore, folder: Path) -> None:
    """A damaged session costs an entry of the history, and the hint says so."""
    put(store, "runs/i1.json", b"{", expected=None)
    with pytest.raises(StoreError, match=r"the stored result runs/i1\.json cannot be read: not JSON") as caught:
        list(repository.sessions())
    assert caught.value.hint == (
        f"Restore {folder}/runs/i1.json from a backup, or delete it: only the history loses an entry"
    )


NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def baseline(make: MakeResult, name: str, start: float, end: float, **cases: tuple[str, float]) -> BaselineDocument:
    """`case=(action, minute of its newest call)`."""
    result = make(*(f"p/{case}@t" for case in cases), session_id=name, started_at=at(start), ended_at=at(end))
    altered = [
        changed(case, action=action, detail=name, runs=[changed(case.runs[0], completed_at=at(minute))])
        for case, (action, minute) in zip(result.cases, cases.values(), strict=True)
    ]
    return baselines_of(changed(result, plans=["p"], cases=altered), "eu")[0]


def whose(document: BaselineDocument) -> dict[str, str]:
    return {case.case_id.removeprefix("p/").removesuffix("@t"): case.detail for case in document.cases}


def test_one_after_the_other(make_result: MakeResult) -> None:
    """The later one wins as a whole, whichever is stored first."""
    before = baseline(make_result, "before", 0, 5, a=("call", 4), b=("call", 4), dropped=("call", 4))
    after = baseline(make_result, "after", 5, 9, a=("reuse", 4), b=("call", 8))
    assert joined(None, before) == before
    assert joined(before, after) == after
    assert joined(after, before) == after


def test_two_at_the_same_time(make_result: MakeResult) -> None:
    """Each case keeps its latest calls, in either order of storing; cases that only one session called are kept."""
    calls: dict[str, Any] = {
        "a": ("call", 3),
        "b": ("reuse", -9),
        "both": ("call", 3),
        "new": ("call", 4),
        "old": ("reuse", -9),
    }
    one = baseline(make_result, "one", 0, 5, **calls)
    other = baseline(
        make_result, "other", 2, 9, a=("reuse", -9), b=("call", 8), both=("call", 8), rechecked=("recheck", -9)
    )
    expected = {"a": "one", "b": "other", "both": "other", "rechecked": "other", "new": "one"}
    assert whose(joined(one, other)) == whose(joined(other, one)) == expected
    assert joined(one, other).session_id == "other"


def test_documents_of_older_versions(make_result: MakeResult) -> None:
    """A baseline without a start time counts as made alone."""
    one = baseline(make_result, "one", 0, 5, a=("call", 4))
    other = changed(baseline(make_result, "other", 2, 9, b=("call", 8)), started_at=None)
    assert joined(one, other) == other
