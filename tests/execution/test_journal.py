"""The journal: only valid transitions, every event durable, and a clear error for a disk that fails."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from core_state import ROUTES

from planner.errors import StoreError, UsageError
from planner.execution.events import Consumed, DuplicateAnswer, Intended, Moved, RunsBound, RunsClaimed
from planner.execution.journal import Journal
from planner.execution.journal_state import evidence_stored
from planner.execution.launches import TRANSITIONS, LaunchIntent, LaunchProblem, LaunchState, SlotIntent
from planner.providers.base import Line

LINE = Line("phone_number", 77, "inbound", "sip", "+14155550123")
SENT_AT = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)


def intent(launch_id: str = "l1", slots: int = 2, **changes: Any) -> LaunchIntent:
    fields: dict[str, Any] = {
        "launch_id": launch_id,
        "session_id": "i1",
        "consent_id": "sha256:d",
        "line": LINE,
        "name": f"planner {launch_id}",
        "sent_at": SENT_AT,
        "slack_seconds": 5.0,
        "slots": tuple(
            SlotIntent(
                f"p/case{number}@t", "p", f"Prompt {number} “☎”", "sha256:f", "r1" if number else None, 16 + number
            )
            for number in range(slots)
        ),
    }
    return LaunchIntent(**{**fields, **changes})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Generator[Journal]:
    journal = Journal(path)
    yield journal
    journal.close()


def bring(journal: Journal, state: LaunchState, launch_id: str = "l1", **changes: Any) -> None:
    journal.record(Intended(intent(launch_id, **changes)))
    for step in ROUTES[state]:
        journal.record(Moved(launch_id, step))


@pytest.mark.parametrize("after", LaunchState)
@pytest.mark.parametrize("before", LaunchState)
def test_only_valid_transitions_are_possible(journal: Journal, before: LaunchState, after: LaunchState) -> None:
    """Every valid transition is made; every other one is refused and changes nothing."""
    bring(journal, before)
    if after in TRANSITIONS.get(before, ()):
        journal.record(Moved("l1", after))
        expected = after
    else:
        with pytest.raises(AssertionError, match="not a valid transition"):
            journal.record(Moved("l1", after, run_ids=(1,), detail="never"))
        expected = before
    launch = journal.launch("l1")
    assert launch is not None
    assert (launch.state, launch.detail) == (expected, "")
    assert journal.claimed_run_ids() == set()


def test_a_reopened_journal_is_equal(path: Path, journal: Journal) -> None:
    """After closing and opening, a launch and its slots are as they were recorded: text, times, money, lines."""
    journal.record(Intended(intent()))
    journal.record(Moved("l1", LaunchState.SENT))
    journal.record(Moved("l1", LaunchState.ACKNOWLEDGED, batch_id=2**63 - 1, run_ids=(8, 7), bindings={1: 7}))
    completed_at = SENT_AT + timedelta(seconds=31)
    collected = replace(journal.slots_of("l1")[1], evidence="e" * 64, cost_cents=0, completed_at=completed_at)
    journal.record(evidence_stored([collected]))
    journal.close()
    again = Journal(path)
    launch = again.launch("l1")
    slots = again.slots_of("l1")
    again.close()
    assert launch is not None
    assert launch.line == LINE
    assert (launch.sent_at, launch.slack_seconds, launch.name) == (SENT_AT, 5.0, "planner l1")
    assert (launch.batch_id, launch.run_ids) == (2**63 - 1, (7, 8))
    assert [(slot.prompt, slot.agent_revision, slot.run_id, slot.reserved_cents) for slot in slots] == [
        ("Prompt 0 “☎”", None, None, 16),
        ("Prompt 1 “☎”", "r1", 7, 17),
    ]
    assert (slots[1].evidence, slots[1].cost_cents, slots[1].completed_at) == ("e" * 64, 0, completed_at)
    assert [slot.committed_cents for slot in slots] == [16, 0]  # a bill of nothing is a bill


def test_a_crash_leaves_unsent_and_unconfirmed_launches(journal: Journal) -> None:
    """An INTENDED launch never left; a SENT one may have arrived. Other launches are not changed."""
    for number, state in enumerate(LaunchState):
        bring(journal, state, f"l{number}")
    assert journal.mark_interrupted() == 1
    states = {launch.launch_id: launch.state for launch in journal.launches(LaunchState)}
    expected = {f"l{number}": state for number, state in enumerate(LaunchState)}
    expected["l0"], expected["l1"] = LaunchState.UNSENT, LaunchState.UNCONFIRMED
    assert states == expected
    assert journal.mark_interrupted() == 0


def test_only_launches_that_may_cost_money_count(journal: Journal) -> None:
    """Slots of refused, unsent, rejected and absent launches are neither resumed nor charged; consumed ones are
    charged."""
    for number, state in enumerate(LaunchState):
        bring(journal, state, f"l{number}", slots=1)
    live = {
        f"l{number}"
        for number, state in enumerate(LaunchState)
        if state.value not in ("refused", "unsent", "rejected", "absent")
    }
    assert {slot.launch_id for slot in journal.unconsumed_slots()} == live
    assert {slot.launch_id for slot in journal.slots_of_consent("sha256:d")} == live
    known = f"l{list(LaunchState).index(LaunchState.ADOPTED)}"
    journal.record(RunsBound(known, {0: 7}))
    journal.record(Consumed("i2", ((known, 0),)))
    assert {slot.launch_id for slot in journal.unconsumed_slots()} == live - {known}
    assert {slot.launch_id for slot in journal.slots_of_consent("sha256:d")} == live
    assert journal.slots_of_consent("sha256:other") == []
    assert {launch.launch_id for launch in journal.launches_of("i1")} == {
        f"l{number}" for number in range(len(LaunchState))
    }
    assert journal.launches_of("i2") == []


@pytest.mark.parametrize(
    ("state", "take_over"),
    [
        (
            LaunchState.SENT,
            lambda journal: journal.record(Moved("l2", LaunchState.ACKNOWLEDGED, run_ids=(6, 7), batch_id=202)),
        ),
        (LaunchState.ADOPTED, lambda journal: journal.record(RunsClaimed("l2", (6, 7)))),
        (LaunchState.ADOPTED, lambda journal: journal.record(RunsBound("l2", {0: 7}))),
    ],
    ids=["settle", "claim", "bind"],
)
def test_a_run_belongs_to_one_launch(
    journal: Journal, state: LaunchState, take_over: Callable[[Journal], None]
) -> None:
    """No event can give a run to a second launch, and the attempt changes nothing."""
    bring(journal, LaunchState.SENT, "l1")
    bring(journal, state, "l2")
    journal.record(Moved("l1", LaunchState.ACKNOWLEDGED, run_ids=(7,), bindings={0: 7}, batch_id=201))
    with pytest.raises(StoreError, match=r"UNIQUE|which already belongs to launch l1"):
        take_over(journal)
    assert journal.claimed_run_ids() == {7}
    assert journal.claimed_batch_ids() == {201}
    launch = journal.launch("l2")
    assert launch is not None
    assert (launch.state, launch.batch_id, launch.run_ids) == (state, None, ())


def test_slots_follow_their_states(journal: Journal) -> None:
    """Slots are bound only if the launch is known to have happened, permanently, to one run; only bound slots are
    collected and consumed."""
    bring(journal, LaunchState.UNCONFIRMED, slots=1)
    (slot,) = journal.slots_of("l1")
    for impossible in (
        lambda: journal.record(RunsBound("l1", {0: 7})),
        lambda: journal.record(RunsClaimed("l1", (7,))),
        lambda: journal.record(evidence_stored([replace(slot, evidence="e" * 64, cost_cents=16)])),
        lambda: journal.record(Consumed("i1", (slot.key,))),
    ):
        with pytest.raises(AssertionError, match="launch l1"):
            impossible()
        assert journal.slots_of("l1") == (slot,)
    seen = [slot.state]
    journal.record(Moved("l1", LaunchState.ADOPTED, run_ids=(7, 8), bindings={0: 7}))
    for step in (
        lambda: journal.record(RunsBound("l1", {0: 7})),
        lambda: journal.record(evidence_stored([replace(slot, evidence="e" * 64)])),
        lambda: journal.record(Consumed("i1", (slot.key,))),
        lambda: journal.record(evidence_stored([replace(slot, evidence="f" * 64, cost_cents=16)])),
    ):
        step()
        seen.append(journal.slots_of("l1")[0].state)
        with pytest.raises(AssertionError, match="cannot be bound to run 8"):
            journal.record(RunsBound("l1", {0: 8}))
    assert [state.value for state in seen] == ["wanted", "bound", "collected", "consumed", "consumed"]


@pytest.mark.parametrize("holder", ["l1", "elsewhere"])
def test_two_launches_with_one_answer_are_verified(journal: Journal, holder: str) -> None:
    """Also the one that had it first, unless another machine's journal knows it."""
    bring(journal, LaunchState.ACKNOWLEDGED)
    bring(journal, LaunchState.SENT, "l2")
    journal.record(DuplicateAnswer("l2", holder, "twice"))
    first, second = journal.launch("l1"), journal.launch("l2")
    assert first is not None
    assert second is not None
    assert (second.state, second.detail) == (LaunchState.UNCONFIRMED, "twice")
    assert second.problem is LaunchProblem.DUPLICATE_ANSWER
    assert first.problem is (LaunchProblem.DUPLICATE_ANSWER if holder == "l1" else None)


def test_a_number_over_64_bits_is_an_error(journal: Journal) -> None:
    """A value that SQLite cannot hold raises StoreError, and the launch is unchanged."""
    bring(journal, LaunchState.SENT)
    with pytest.raises(StoreError):
        journal.record(Moved("l1", LaunchState.ACKNOWLEDGED, run_ids=(2**63,)))
    launch = journal.launch("l1")
    assert launch is not None
    assert launch.state is LaunchState.SENT


# Disks that will not do


@pytest.mark.parametrize("version", [5, 7])
def test_a_journal_of_another_version_is_refused(path: Path, version: int) -> None:
    """The file is not changed."""
    Journal(path).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version={version}")
    db.close()
    with pytest.raises(UsageError, match="another version of planner") as caught:
        Journal(path)
    assert caught.value.hint == "Use that version, or another --store."


def test_a_second_writer_is_refused(path: Path) -> None:
    """A journal that another process has written to meanwhile is not written from an older state."""
    with contextlib.closing(Journal(path)) as journal, contextlib.closing(Journal(path)) as other:
        other.record(Intended(intent()))
        with pytest.raises(StoreError, match="written by another process"):
            journal.record(Intended(intent("l2")))
        assert journal.launch("l2") is None


def test_a_read_only_journal_can_be_read(path: Path) -> None:
    """Includes the write-ahead log of a running or killed writer; the file itself is not changed."""
    with contextlib.closing(Journal(path)) as writer:
        writer.record(Intended(intent()))
        before = path.read_bytes()
        with contextlib.closing(Journal(path, read_only=True)) as reader:
            assert reader.launch("l1") == writer.launch("l1")
            reader.record(Moved("l1", LaunchState.SENT))
        assert path.read_bytes() == before
        assert [launch.state for launch in writer.launches(LaunchState)] == [LaunchState.INTENDED]


@contextlib.contextmanager
def nobody() -> Generator[None]:
    """Run as another user, because root may write anywhere; only briefly, because other threads may write meanwhile."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def read_only() -> Generator[Path]:
    """A folder that we may read but not write, with a journal of another user."""
    folder = Path(tempfile.mkdtemp())
    Journal(folder / "old.sqlite").close()
    (folder / "old.sqlite").chmod(0o444)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["new.sqlite", "old.sqlite"])
def test_a_read_only_folder_is_named(read_only: Path, name: str) -> None:
    """It cannot be written: an error with a hint, before anything is launched."""
    with pytest.raises(StoreError, match=f"{name} cannot be opened") as caught, nobody():
        Journal(read_only / name)
    assert "permissions" in caught.value.hint


FULL = """
    import resource, signal, sys
    from pathlib import Path
    sys.path[:0] = {tests!r}
    from test_journal import intent
    from planner.errors import StoreError
    from planner.execution.events import Intended, Moved
    from planner.execution.journal import Journal
    journal = Journal(Path({path!r}))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    written = 0
    try:
        while True:
            journal.record(Intended(intent(f"l{{written}}")))
            written += 1
    except StoreError as error:
        print(written, type(error).__name__, error, "|", error.hint)
"""


TESTS = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")]


def run_python(program: str, **names: object) -> subprocess.CompletedProcess[str]:
    code = textwrap.dedent(program).format(**names)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_full_disk_loses_nothing_that_was_written(path: Path) -> None:
    """On a full disk, the failed write is an error, and everything before it is stored."""
    done = run_python(FULL, tests=TESTS, path=str(path))
    assert done.stderr == ""
    written, kind, message = done.stdout.split(" ", 2)
    assert kind == "StoreError"
    assert message.startswith(f"the journal {path} cannot be written: ")
    assert message.strip().endswith("Free disk space or fix its permissions, then run the same command again.")
    journal = Journal(path)
    launches = journal.launches(LaunchState)
    journal.close()
    assert int(written) > 0
    assert {launch.launch_id for launch in launches} == {f"l{number}" for number in range(int(written))}


DIES = """
    import os, sys
    from pathlib import Path
    sys.path[:0] = {tests!r}
    from test_journal import intent
    from planner.execution.events import Intended, Moved
    from planner.execution.journal import Journal
    from planner.execution.launches import KNOWN, LaunchState
    journal = Journal(Path({path!r}))
    journal.record(Intended(intent("l1")))
    journal.record(Intended(intent("l2")))
    journal.record(Moved("l1", LaunchState.SENT))
    with journal._transaction() as db:
        db.execute("DELETE FROM events WHERE number = 3")
        os._exit(9)
"""


def test_a_killed_process_leaves_whole_transactions(path: Path) -> None:
    """Everything before `record` returned is stored; nothing uncommitted is."""
    done = run_python(DIES, tests=TESTS, path=str(path))
    assert (done.returncode, done.stderr) == (9, "")
    journal = Journal(path)
    states = {launch.launch_id: launch.state for launch in journal.launches(LaunchState)}
    journal.close()
    assert states == {"l1": LaunchState.SENT, "l2": LaunchState.INTENDED}


def test_a_locked_journal_is_reported(path: Path, journal: Journal) -> None:
    """Another writer, which should not exist, is an error after a wait, not a traceback."""
    other = sqlite3.connect(path, isolation_level=None)
    journal._db.execute("PRAGMA busy_timeout=1")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        journal.record(Intended(intent()))
    other.execute("ROLLBACK")
    other.close()
    journal.record(Intended(intent()))


@pytest.mark.parametrize("damage", [b"no database at all " * 100, b""])
def test_a_damaged_journal_has_its_own_hint(path: Path, damage: bytes) -> None:
    """Free space or permissions would not fix it. The message says that moving the file away may cost money."""
    journal = Journal(path)
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(damage or whole[:100] + b"\xff" * (len(whole) - 100))
    with pytest.raises(StoreError, match=r"the journal .* is damaged: ") as caught:
        Journal(path).launches(LaunchState)
    assert "Restore it from a backup, or move it away" in caught.value.hint
    assert "charged again: first check the service's" in caught.value.hint
