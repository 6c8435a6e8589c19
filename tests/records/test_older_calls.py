"""What a plan finds without reading older calls again is what it finds by reading all of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.records.facts import FACT, CallFact, Correction
from planner.records.files import part_bytes
from planner.records.log import Scope
from planner.records.older_calls import OlderCallsCache
from planner.results.model import RunVerdict
from planner.results.outcomes import RunOutcome
from planner.results.repository import StoredFile
from tests.support.stored_calls import MemoryFiles, Session, Store, play, runs_after
from tests.support.stored_cases import NOW, make_case

CASE: Final = make_case(runs=3)
AGENT: Final = ("agent", 12)
CASES: Final = (
    CASE,
    replace(CASE, prompt="Ask something else."),
    replace(CASE, min_pass_rate=0.5),
    replace(CASE, retries=1),
    replace(CASE, max_age=timedelta(hours=30)),
    replace(CASE, case_id="p/renamed@t"),
)
REVISIONS: Final = ("2026-11-01 a", "2026-11-01 a", "2026-11-24 b", None)
PASSED: Final = RunVerdict(outcome=RunOutcome.PASSED)
SCOPE: Final = Scope(("",), now=NOW)


class CountingFiles(MemoryFiles):
    """Counts how many files of calls were read."""

    def file(self, key: str) -> StoredFile | None:
        if key.startswith("calls/"):
            READ.append(key)
        return super().file(key)


READ: Final[list[str]] = []


def empty(folder: Path | str) -> Store:
    return Store(CountingFiles(), scope=SCOPE, older=OlderCallsCache(Path(folder), ""))


def files_read(store: Store, session: Session) -> int:
    READ.clear()
    session.earlier(store)
    return len(set(READ))


def called_often(folder: Path, times: int = 12) -> Store:
    """Without having read what is stored."""
    return replace(_called_often(times), older=empty(folder).older)


@cache
def _called_often(times: int) -> Store:
    store = replace(empty(""), older=None)
    for _ in range(times):
        store = play(CASE, store, [None] * 3, rerun="all").store
    return store


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def fail(data: bytes) -> bytes:
    return data.replace(b'"outcome":"passed"', b'"outcome":"failed"')


DAMAGES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "cut": cut,
    "empty": lambda _: b"",
    "no JSON": lambda data: b"{" + data,
    "failed": fail,
    "future": lambda data: data.replace(b"2026-11-2", b"2029-11-2"),
    "environment": lambda data: data.replace(b'"environment":""', b'"environment":"other"'),
    "digest": lambda data: data.replace(b'"digest":"', b'"digest":"0'),
}


def damaged(store: Store, key: str, kind: str) -> Store:
    content = dict(store.base.content)
    if kind == "gone":
        del content[key]
    elif kind == "foreign":
        return replace(store, base=replace(store.base, foreign=store.base.foreign | {key}))
    else:
        content[key] = DAMAGES[kind](content[key])
    return replace(store, base=replace(store.base, content=content))


def agrees(store: Store, sessions: Sequence[Session]) -> None:
    """Cold and warm."""
    for session in sessions:
        whole = session.earlier(replace(store, older=None))
        assert session.earlier(store) == whole
        assert session.earlier(store) == whole


def test_only_the_newest_pools_are_read(tmp_path: Path) -> None:
    """After 12 sessions: 2 files, and one more for each session that was not known."""
    store = called_often(tmp_path)
    session = Session([CASE])
    assert [files_read(store, session) for _ in range(3)] == [12, 2, 2]
    store = play(CASE, store, [None, None, "agent"], rerun="all").store
    assert [files_read(store, session) for _ in range(2)] == [3, 2]
    agrees(store, [session])
    assert files_read(store, Session([replace(CASE, prompt="Ask something else.")])) == 2
    other = Session([replace(CASE, retries=1)])
    assert [files_read(store, other) for _ in range(2)] == [13, 2]


@pytest.mark.parametrize("number", [0, 9, 10, 11])
@pytest.mark.parametrize("kind", [*DAMAGES, "gone", "foreign"])
@pytest.mark.parametrize("folder", ["calls/", "sessions/"])
def test_what_happens_to_files_that_were_left_out_is_noticed(
    tmp_path: Path, folder: str, kind: str, number: int
) -> None:
    store = called_often(tmp_path)
    sessions = [Session([CASE]), Session([replace(CASE, prompt="Ask something else.")])]
    agrees(store, sessions[:1])
    key = [key for key in sorted(store.base.content) if key.startswith(folder)][number]
    agrees(damaged(store, key, kind), sessions)


@pytest.mark.parametrize(("old", "new"), [(b"}", b""), (b"session-010", b"session-012"), (b"{", b"["), (b"0", b"1")])
def test_a_damaged_cache_is_ignored(tmp_path: Path, old: bytes, new: bytes) -> None:
    store = called_often(tmp_path)
    session = Session([CASE])
    session.earlier(store)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes().replace(old, new))
    assert files_read(store, session) == 12
    assert files_read(store, session) == 2


@settings(deadline=None, max_examples=10)
@given(data=st.data())
def test_nothing_changes_an_answer(data: st.DataObject) -> None:
    """Whatever is called, edited, damaged and asked for in between."""
    with tempfile.TemporaryDirectory() as folder:
        store = empty(folder)
        for _ in range(data.draw(st.integers(3, 9))):
            case = data.draw(st.sampled_from(CASES))
            revision = data.draw(st.sampled_from(REVISIONS))
            causes = data.draw(st.lists(st.sampled_from([None, None, None, "agent", "platform"]), max_size=4))
            rerun = data.draw(st.sampled_from(["needed", "all", "all", "failed"]))
            session = Session([case], revisions={AGENT: revision}, asked={"rerun": rerun})
            number = data.draw(st.integers(1, store.sessions + 1))  # calls of a session may end before older ones
            at = NOW - timedelta(days=2) + timedelta(hours=number)
            runs = runs_after(store, *causes, completed_at=at)
            _, store = session.finish(store, {case.case_id: runs})
            today = data.draw(st.sampled_from(REVISIONS))
            asked = [Session([each], revisions={AGENT: revision}) for each in (case, data.draw(st.sampled_from(CASES)))]
            asked += [Session([case], revisions={AGENT: today})]
            agrees(store, asked)
            branch = store.on_branch()
            if data.draw(st.booleans()):
                session = Session([case], revisions={AGENT: today}, asked={"rerun": rerun})
                runs = runs_after(store, *causes, completed_at=NOW - timedelta(hours=1))
                _, branch = session.finish(branch, {case.case_id: runs})
            agrees(branch, asked)
            keys = sorted(store.base.content)
            if keys and data.draw(st.integers(0, 3)) == 0:
                key = data.draw(st.sampled_from(keys))
                agrees(damaged(store, key, data.draw(st.sampled_from([*DAMAGES, "gone", "foreign"]))), asked)


def of_session(part: bytes, number: int) -> bytes:
    """A file of session 13 with calls of an earlier session instead of its own."""
    session_id = b'"session_id":"session-%03d"'
    return part.replace(session_id % 13, session_id % number).replace(b'"run_id":13', b'"run_id":%d' % number)


def corrections(part: bytes, at: datetime = NOW) -> bytes:
    """Other evidence of all calls in this file, found at this time."""
    calls = [fact for line in part.splitlines() if isinstance(fact := FACT.validate_json(line), CallFact)]
    return part_bytes(
        Correction(
            run_id=call.run_id,
            session_id=call.session_id,
            at=at,
            data=call.data.model_copy(update={"evidence": "f" * 64}),
        )
        for call in calls
    )


@pytest.mark.parametrize("causes", [[None, None, None], ["agent", "agent", "agent"]])
@pytest.mark.parametrize("old", ["time", "consent", "agent", "copies", "names", "corrections"])
def test_what_arrives_late_is_noticed(tmp_path: Path, old: str, causes: list[str | None]) -> None:
    """Calls that ended before those that are left out, of a consent of theirs, or of another agent; copies of them by
    somebody else, or by another name, or corrections of them."""
    store, session = called_often(tmp_path), Session([CASE])
    agrees(store, [session])
    at = NOW - timedelta(days=9 if old == "time" else 1)
    revisions: dict[tuple[str, int], str | None] = {AGENT: "2026-11-24 b" if old == "agent" else None}
    later = play(CASE, store, runs_after(store, *causes, completed_at=at), rerun="all", revisions=revisions).store
    content = dict(later.base.content)
    del content["sessions/session-013.json"]
    (key,) = (key for key in content if "session-013" in key)
    if old == "consent":
        content[key] = content[key].replace(b'"consent_id":"session-013"', b'"consent_id":"session-003"')
    elif old == "copies":
        content[key] = of_session(content[key], 3)
    elif old == "names":
        content[key] = content[key.replace("session-013", "session-010")].replace(b"session-010", b"session-013")
    elif old == "corrections":
        content[key] = corrections(of_session(content[key], 10))
    foreign = frozenset({key} if old == "copies" else ())
    later = replace(later, base=CountingFiles(content, foreign=foreign))
    assert files_read(later, session) == 13
    agrees(later, [session, Session([CASE], revisions=revisions)])


@cache
def _called_before(first: str) -> Store:
    """Four sessions with an agent, four with one that is set back to the older revision."""
    store = replace(empty(""), older=None)
    for number in range(8):
        causes, revision = ([None, None, "agent"], first) if number < 4 else ([None] * 3, "2026-11-01 a")
        store = play(CASE, store, causes, rerun="all", revisions={AGENT: revision}).store
    return store


@pytest.mark.parametrize("today", [None, "2026-11-01 a", "2026-11-24 b"])
@pytest.mark.parametrize("new", [None, "2026-11-01 a", "2026-11-24 b"])
@pytest.mark.parametrize("first", ["2026-11-01 a", "2026-11-24 b"])
def test_an_agent_that_was_set_back(tmp_path: Path, first: str, new: str | None, today: str | None) -> None:
    """The calls of another agent count again, if today's is that agent, or if the newest call reached it and today's is unknown."""
    store = replace(_called_before(first), older=empty(tmp_path).older)
    agrees(store, [Session([CASE], revisions={AGENT: today})])
    later = play(CASE, store, [None, "agent", None], rerun="all", revisions={AGENT: new}).store
    agrees(later, [Session([CASE], revisions={AGENT: each}) for each in (today, None, "2026-11-24 b", "2026-11-01 a")])
