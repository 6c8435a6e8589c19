"""The journal against a model, over random histories: closed, killed or cut off at any byte, it holds a consistent
earlier state."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from planner.errors import StoreError
from planner.execution.events import Consumed, Intended, Moved, RunsBound, RunsClaimed
from planner.execution.journal import Journal
from planner.execution.journal_state import evidence_stored
from planner.execution.launches import KNOWN, LIVE, TRANSITIONS, LaunchIntent, LaunchState, Slot, SlotIntent, SlotState
from planner.providers.base import Line

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
RUN_IDS = st.integers(1, 12)
"""Few, so that launches compete for them."""


@dataclass
class Model:
    """The expected content of a journal."""

    states: dict[str, LaunchState] = field(default_factory=dict[str, LaunchState])
    batch_ids: dict[str, int | None] = field(default_factory=dict[str, "int | None"])
    claims: dict[int, str] = field(default_factory=dict[int, str])
    slots: dict[tuple[str, int], Slot] = field(default_factory=dict[tuple[str, int], Slot])

    def copy(self) -> Model:
        return Model(dict(self.states), dict(self.batch_ids), dict(self.claims), dict(self.slots))

    def state(self) -> dict[str, Any]:
        """In the form that `state_of` reads from a journal."""
        live = {launch_id for launch_id, state in self.states.items() if state in LIVE}
        return {
            "launches": {
                launch_id: (
                    state,
                    self.batch_ids[launch_id],
                    sorted(r for r, owner in self.claims.items() if owner == launch_id),
                )
                for launch_id, state in self.states.items()
            },
            "slots": self.slots,
            "unconsumed": {key for key, slot in self.slots.items() if key[0] in live and slot.consumed_by is None},
            "charged": {key for key in self.slots if key[0] in live},
            "claimed": set(self.claims),
            "batches": {
                batch_id
                for launch_id, batch_id in self.batch_ids.items()
                if batch_id is not None and self.states[launch_id] in KNOWN
            },
        }


def state_of(journal: Journal) -> dict[str, Any]:
    launches = journal.launches(LaunchState)
    return {
        "launches": {launch.launch_id: (launch.state, launch.batch_id, list(launch.run_ids)) for launch in launches},
        "slots": {slot.key: slot for launch in launches for slot in journal.slots_of(launch.launch_id)},
        "unconsumed": {slot.key for slot in journal.unconsumed_slots()},
        "charged": {slot.key for slot in journal.slots_of_consent("sha256:d")},
        "claimed": journal.claimed_run_ids(),
        "batches": journal.claimed_batch_ids(),
    }


class JournalMachine(RuleBasedStateMachine):
    """`past` holds the model after every write. A journal cut off anywhere must equal one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "journal.sqlite"
        self.model = Model()
        self.past: list[dict[str, Any]] = []

    @initialize()
    def open(self) -> None:
        self.journal = Journal(self.path)
        self.remember()

    def remember(self) -> None:
        self.past.append(self.model.copy().state())

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.folder)

    @rule(slots=st.integers(1, 3))
    def intend(self, slots: int) -> None:
        launch_id = f"l{len(self.model.states)}"
        intents = tuple(SlotIntent(f"p/{n}@t", "p", f"prompt {n}", "sha256:f", None, 10 + n) for n in range(slots))
        sent_at = START + timedelta(seconds=len(self.model.states))
        line = Line("agent", 12, "outbound", "bot", None, 0)
        self.journal.record(Intended(LaunchIntent(launch_id, "i1", "sha256:d", line, "name", sent_at, 5.0, intents)))
        self.model.states[launch_id] = LaunchState.INTENDED
        self.model.batch_ids[launch_id] = None
        for n, slot in enumerate(intents):
            self.model.slots[launch_id, n] = Slot(
                launch_id, n, slot.case_id, "p", slot.prompt, "sha256:f", None, 10 + n, None, None, None, None, None
            )
        self.remember()

    def a_launch(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.model.states)), "launch")

    @contextmanager
    def expecting(self, *, possible: bool, error: type[Exception]) -> Any:
        if possible:
            yield
        else:
            with pytest.raises(error):
                yield

    @precondition(lambda self: self.model.states)
    @rule(data=st.data(), state=st.sampled_from(LaunchState), runs=st.lists(RUN_IDS, max_size=3, unique=True))
    def settle(self, data: st.DataObject, state: LaunchState, runs: list[int]) -> None:
        """Valid or not; only confirmed launches claim runs."""
        launch_id = self.a_launch(data)
        runs = runs if state in KNOWN else []
        batch_id = 200 + len(self.past) if state in KNOWN and len(runs) != 1 else None
        legal = state in TRANSITIONS.get(self.model.states[launch_id], ())
        free = not any(run_id in self.model.claims for run_id in runs)
        with self.expecting(possible=legal and free, error=StoreError if legal else AssertionError):
            self.journal.record(Moved(launch_id, state, batch_id=batch_id, run_ids=tuple(runs)))
        if legal and free:
            self.model.states[launch_id] = state
            self.model.batch_ids[launch_id] = batch_id
            self.model.claims.update(dict.fromkeys(runs, launch_id))
            self.remember()

    @precondition(lambda self: self.model.states)
    @rule(data=st.data(), runs=st.lists(RUN_IDS, min_size=1, max_size=2, unique=True))
    def claim(self, data: st.DataObject, runs: list[int]) -> None:
        launch_id = self.a_launch(data)
        free = not any(run_id in self.model.claims for run_id in runs)
        known = self.model.states[launch_id] in KNOWN
        with self.expecting(possible=known and free, error=StoreError if known else AssertionError):
            self.journal.record(RunsClaimed(launch_id, tuple(runs)))
        if known and free:
            self.model.claims.update(dict.fromkeys(runs, launch_id))
            self.remember()

    @precondition(lambda self: self.model.states)
    @rule(data=st.data(), run_id=RUN_IDS)
    def bind(self, data: st.DataObject, run_id: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.model.slots)), "slot")
        taken = any(slot.run_id == run_id for other, slot in self.model.slots.items() if other != key)
        legal = self.model.states[key[0]] in KNOWN and self.model.slots[key].run_id in (None, run_id)
        with self.expecting(possible=legal and not taken, error=StoreError if legal else AssertionError):
            self.journal.record(RunsBound(key[0], {key[1]: run_id}))
        if legal and not taken:
            self.model.slots[key] = replace(self.model.slots[key], run_id=run_id)
            self.remember()

    @precondition(lambda self: self.model.states)
    @rule(data=st.data(), cents=st.none() | st.integers(0, 500))
    def collect(self, data: st.DataObject, cents: int | None) -> None:
        key = data.draw(st.sampled_from(sorted(self.model.slots)), "slot")
        slot = self.model.slots[key]
        with self.expecting(possible=slot.run_id is not None, error=AssertionError):
            self.journal.record(
                evidence_stored([replace(slot, evidence="e" * 64, cost_cents=cents, completed_at=START)])
            )
        if slot.run_id is None:
            return
        self.model.slots[key] = replace(slot, evidence="e" * 64, cost_cents=cents, completed_at=START)
        self.remember()

    @precondition(lambda self: self.model.states)
    @rule(data=st.data())
    def consume(self, data: st.DataObject) -> None:
        keys = data.draw(st.lists(st.sampled_from(sorted(self.model.slots)), max_size=3), "slots")
        legal = all(self.model.slots[key].run_id is not None for key in keys)
        with self.expecting(possible=legal, error=AssertionError):
            self.journal.record(Consumed("i9", tuple(keys)))
        for key in keys if legal else ():
            self.model.slots[key] = replace(self.model.slots[key], consumed_by="i9")
        self.remember()

    @rule()
    def close_and_open(self) -> None:
        self.journal.close()
        self.journal = Journal(self.path)

    @rule()
    def die_and_go_on(self) -> None:
        """What another process finds after this one was killed, and what it records."""
        copy = self.folder / "killed"
        for suffix in ("", "-wal"):
            if (source := Path(f"{self.path}{suffix}")).exists():
                shutil.copy(source, f"{copy}{suffix}")
        self.journal.close()
        for suffix in ("", "-wal"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            if (source := Path(f"{copy}{suffix}")).exists():
                source.rename(f"{self.path}{suffix}")
        self.journal = Journal(self.path)
        assert state_of(self.journal) == self.model.state()
        suspects = self.journal.mark_interrupted()
        assert suspects == sum(state is LaunchState.SENT for state in self.model.states.values())
        moved = {LaunchState.INTENDED: LaunchState.UNSENT, LaunchState.SENT: LaunchState.UNCONFIRMED}
        for before, after in moved.items():  # each launch is one write, oldest first
            for launch_id in [each for each, state in self.model.states.items() if state is before]:
                self.model.states[launch_id] = after
                self.remember()

    @rule(share=st.floats(0, 1))
    def cut_off(self, share: float) -> None:
        """The write-ahead file is cut at any byte, as after a power failure: the journal equals one of the earlier
        states."""
        wal = Path(f"{self.path}-wal")
        cut = self.folder / "cut"
        for suffix in ("", "-wal", "-shm"):
            Path(f"{cut}{suffix}").unlink(missing_ok=True)
        shutil.copy(self.path, cut)
        if wal.exists():
            document = wal.read_bytes()
            Path(f"{cut}-wal").write_bytes(document[: round(len(document) * share)])
        journal = Journal(cut)
        try:
            assert state_of(journal) in self.past
        finally:
            journal.close()

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "journal"):
            assert state_of(self.journal) == self.model.state()
            assert all(
                slot.state in SLOT_STATES[self.model.states[slot.launch_id] in KNOWN]
                for slot in self.model.slots.values()
            )


SLOT_STATES = {False: {SlotState.WANTED}, True: set(SlotState)}
"""By whether its launch is confirmed."""

JournalMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestJournalMachine = JournalMachine.TestCase
