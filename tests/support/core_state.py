"""The state of a session without a driver: events are recorded and applied as a driver does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from planner.evidence import RunStatus
from planner.execution.charges import AwaitedCharges
from planner.execution.engine import EngineSettings, Job, Now, SessionTerms
from planner.execution.events import NAMES, Intended, Moved, SlotsResumed
from planner.execution.fold import apply
from planner.execution.journal_state import JournalState
from planner.execution.launches import LaunchIntent, LaunchState, SlotIntent
from planner.execution.ledger import Ceiling, Ledger
from planner.execution.state import State
from planner.providers.base import Run, RunId

CONSENT = "sha256:1"
"""The consent of `state_of`."""
EPOCH = datetime(2026, 11, 24, 12, tzinfo=UTC)
AGENT = "agent", 12

ROUTES: dict[LaunchState, tuple[LaunchState, ...]] = {
    LaunchState.INTENDED: (),
    LaunchState.UNSENT: (LaunchState.UNSENT,),
    LaunchState.SENT: (LaunchState.SENT,),
    **{
        state: (LaunchState.SENT, state)
        for state in (LaunchState.ACKNOWLEDGED, LaunchState.REFUSED, LaunchState.REJECTED, LaunchState.UNCONFIRMED)
    },
    **{
        state: (LaunchState.SENT, LaunchState.UNCONFIRMED, state) for state in (LaunchState.ADOPTED, LaunchState.ABSENT)
    },
}
"""The events that bring a launch into each state."""


def at(seconds: float) -> Now:
    now = EPOCH + timedelta(seconds=seconds)
    return Now(seconds, now, 5.0)


def state_of(*jobs: Job, ceilings: tuple[Ceiling, ...] = (), **settings: Any) -> State:
    """The calls of these jobs are wanted."""
    terms = SessionTerms(
        session_id="i1",
        credential="key",
        ledger=Ledger(ceilings),
        settings=EngineSettings(**settings),
        consent_id=CONSENT,
        jobs={job.case_id: job for job in jobs},
    )
    state = State(terms, JournalState(), AwaitedCharges())
    happen(state, SlotsResumed(()))
    return state


def intent_of(job: Job, launch_id: str = "l1", runs: int = 1, **changes: Any) -> LaunchIntent:
    slot = SlotIntent(job.case_id, job.plan, job.prompt, job.call_fingerprint, None, job.reserve_cents or 0)
    made: dict[str, Any] = {
        "launch_id": launch_id,
        "session_id": "i1",
        "consent_id": CONSENT,
        "line": job.line,
        "name": f"planner {launch_id}",
        "sent_at": EPOCH,
        "slack_seconds": 5.0,
        "slots": (slot,) * runs,
        "credential": "key",
    }
    return LaunchIntent(**{**made, **changes})


def happen(state: State, *events: Any, seconds: float = 0.0) -> None:
    for event in events:
        if type(event) in NAMES:
            state.journal.record(event)
        apply(state, event, at(seconds))


def lines(state: State, *, warnings: bool = False) -> list[str]:
    """What was logged, or with `warnings` what was warned of."""
    return [note.text for note in state.notes if note.is_warning is warnings]


def send(state: State, job: Job, launch_id: str = "l1", runs: int = 1, *, seconds: float = 0.0, **changes: Any) -> None:
    intent = intent_of(job, launch_id, runs, **changes)
    happen(state, Intended(intent), Moved(launch_id, LaunchState.SENT), seconds=seconds)


def accept(state: State, job: Job, *run_ids: int, launch_id: str = "l1", seconds: float = 0.0, **changes: Any) -> None:
    """The launch of these runs, which are bound."""
    send(state, job, launch_id, len(run_ids), seconds=seconds, **changes)
    known = Moved(launch_id, LaunchState.ACKNOWLEDGED, run_ids=run_ids, bindings=dict(enumerate(run_ids)))
    happen(state, known, seconds=seconds)


def lose(state: State, job: Job, launch_id: str = "l1", runs: int = 1, **changes: Any) -> None:
    send(state, job, launch_id, runs, **changes)
    happen(state, Moved(launch_id, LaunchState.UNCONFIRMED))


def ended(run_id: int, **fields: Any) -> Run:
    made: dict[str, Any] = {"id": RunId(run_id), "status": RunStatus.COMPLETED, "call_id": 1000 + run_id}
    return Run(**{**made, **fields})
