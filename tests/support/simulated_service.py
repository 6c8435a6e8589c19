"""A model of the service for the simulated core: what it does with a launch, and what its lists show."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from planner.evidence import RunStatus
from planner.execution.engine import Job
from planner.execution.events import Moved
from planner.execution.journal_state import JournalState
from planner.execution.launches import LaunchIntent, LaunchState
from planner.execution.reads import Listed
from planner.providers.base import Batch, BatchId, CallId, Launched, Line, Run, RunId

EPOCH = datetime(2026, 11, 24, 12, tzinfo=UTC)
RESERVE_CENTS = 24
US, SOMEBODY_ELSE = 1, 2


class Violation(Exception):  # noqa: N818 - what a schedule found
    """A rule of `core.py` does not hold."""


@dataclass
class Made:
    """A run that the service made."""

    run: Run
    ended: Run
    launch_id: str
    ends_at: float
    shown_at: float
    cents: int


@dataclass
class Model:
    """The service: what it does with a launch, and what its lists show."""

    random: Random
    limit: int
    lag_seconds: float
    shows_names: bool
    shows_requesters: bool
    lists_batches: bool
    """If not, the list of batches does not reach back."""
    wanted: Counter[str]
    ceiling_cents: int | None
    made: list[Made] = field(default_factory=list[Made])
    names: dict[int, str] = field(default_factory=dict[int, str])
    """By batch."""

    def launch(self, intent: LaunchIntent, now: float) -> Launched | None:
        """None if it is refused with 429."""
        active = sum(1 for made in self.made if made.ends_at > now)
        if active + len(intent.slots) > self.limit:
            return None
        batch_id = BatchId(1000 + len(self.made)) if len(intent.slots) > 1 else None
        if batch_id is not None:
            self.names[batch_id] = intent.name
        runs = [self._make(slot.prompt, intent.line, batch_id, intent.launch_id, now) for slot in intent.slots]
        self._check()
        ids = [run.id for run in runs]
        self.random.shuffle(ids)
        is_listed = batch_id is None or self.random.random() < 0.7
        return Launched(
            batch_id,
            tuple(ids) if is_listed else (),
            runs[0] if batch_id is None else None,
            US if self.shows_requesters else None,
        )

    def launch_of_somebody_else(self, prompt: str, line: Line, now: float) -> None:
        self._make(prompt, line, None, "", now)

    def _make(self, prompt: str, line: Line, batch_id: BatchId | None, launch_id: str, now: float) -> Run:
        run = Run(
            id=RunId(7000 + len(self.made)),
            status=RunStatus.UNDER_WAY,
            target_type=line.target_type,
            target_id=line.target_id,
            direction=line.direction,
            mode=line.mode,
            prompt=prompt,
            created_at=EPOCH + timedelta(seconds=now),
            batch_id=batch_id,
            requester_id=(US if launch_id else SOMEBODY_ELSE) if self.shows_requesters else None,
        )
        lasts, lag = self.random.uniform(5, 90), self.random.uniform(0, self.lag_seconds)
        self.made.append(
            Made(run, _ended(run), launch_id, now + lasts, now + lag, self.random.randint(1, RESERVE_CENTS))
        )
        return run

    def _check(self) -> None:
        ours = [made for made in self.made if made.launch_id]
        for prompt, runs in Counter(made.run.prompt or "" for made in ours).items():
            if runs > self.wanted[prompt]:
                raise Violation(f"{runs} runs of {prompt!r} were paid for, {self.wanted[prompt]} are wanted")
        spent = sum(made.cents for made in ours)
        if self.ceiling_cents is not None and spent > self.ceiling_cents:
            raise Violation(f"{spent} cents were spent, the ceiling is {self.ceiling_cents}")

    def runs(self, now: float) -> Listed[Run]:
        found: dict[int, Run] = {}
        for made in reversed(self.made):
            if made.shown_at <= now:
                found[made.run.id] = made.ended if made.ends_at <= now else made.run
        return Listed(found, whole=True)

    def batches(self, now: float) -> Listed[Batch]:
        return Listed(dict(self.shown_batches(now)) if self.lists_batches else {}, whole=self.lists_batches)

    def shown_batches(self, now: float) -> dict[int, Batch]:
        """Each can be read by its id."""
        found: dict[int, Batch] = {}
        for batch_id, name in self.names.items():
            members = [made for made in self.made if made.run.batch_id == batch_id]
            if members[0].shown_at <= now:
                first = members[0].run
                found[batch_id] = Batch(
                    id=BatchId(batch_id),
                    name=name if self.shows_names else "a name of its own",
                    target_type=first.target_type,
                    target_id=first.target_id,
                    direction=first.direction,
                    prompts=tuple(made.run.prompt or "" for made in members),
                    size=len(members),
                    requester_id=first.requester_id,
                    created_at=first.created_at,
                    run_ids=tuple(made.run.id for made in members),
                )
        return found


def _ended(run: Run) -> Run:
    return replace(run, status=RunStatus.COMPLETED, call_id=CallId(run.id + 100_000))


def job_of(name: str, runs: int, agent_id: int = 12) -> Job:
    """The calls of one case. `name` distinguishes its calls from those of others."""
    return Job(
        case_id=f"p/{name}@t",
        plan="p",
        line=Line("agent", agent_id, "outbound", "bot", None),
        prompt=f"You are {name}.",
        call_fingerprint=f"sha256:{name}",
        agent_revision=None,
        runs=runs,
        timeout_seconds=600.0,
        await_grade=False,
        reserve_cents=RESERVE_CENTS,
        expected_seconds=30.0,
    )


def forget_sent_launches(journal: JournalState) -> int:
    """`JournalState.mark_interrupted`, broken: a sent launch counts as refused."""
    for launch in journal.launches([LaunchState.SENT, LaunchState.INTENDED]):
        state = LaunchState.UNSENT if launch.state is LaunchState.INTENDED else LaunchState.REFUSED
        journal.record(Moved(launch.launch_id, state))
    return 0
