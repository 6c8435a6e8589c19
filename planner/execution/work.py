"""What the engine is asked to do, and what it tells while it does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from planner.evidence import Evidence

Target: TypeAlias = tuple[str, int]
"""Kind (`agent` or `phone_number`) and id."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the runs of one batch must share."""

    target_type: str
    target_id: int
    direction: str
    mode: str
    target_number: str | None
    stagger_seconds: int

    @property
    def target(self) -> Target:
        return self.target_type, self.target_id


@dataclass(frozen=True, slots=True)
class CaseWork:
    """Calls wanted of one case. `reserve_cents` is the high estimate of one call, None when its price is unknown."""

    case_id: str
    plan: str
    line: Line
    prompt: str
    call_fingerprint: str
    agent_revision: str | None
    runs: int
    timeout_seconds: float
    await_grade: bool
    """Whether a check will ask for the platform's grade, which may come late."""
    reserve_cents: int | None
    expected_seconds: float | None
    retries: int = 0
    """How often each run that the platform failed may be called again; the budget has room for each or it is not made."""
    may_settle: bool = False
    """Whether fewer calls than `runs` may do: `Context.pace` says how many are made at once, and when no more are needed."""


@dataclass(frozen=True, slots=True)
class Settings:
    settle_seconds: float = 600.0
    linger_seconds: float = 60.0
    mark_prompts: bool = False
    max_concurrent_runs: int | None = None
    evidence_wait_seconds: float = 60.0
    """How long a late call id, bill, transcript or grade is awaited after a run's end."""
    throttled_give_up_seconds: float = 900.0
    """Nothing but 429 for so long, with no run of ours in flight: somebody else holds the line; go on another time."""
    evidence_give_up_seconds: float = 120.0
    """A run has ended so long ago and its evidence still cannot be read: left to the next invocation."""
    outage_give_up_seconds: float = 300.0
    """The service cannot be read for so long: go on another time."""
    poll_floor_seconds: float = 0.1
    poll_ceiling_seconds: float = 15.0
    forbidden_at: Callable[[datetime], str] = lambda _: ""
    """Why nothing may be launched at a moment (quiet hours), in words; empty where it may."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as the engine leaves it.

    `evidence` is None for a run we stopped waiting for (`overdue`). `digest` names the stored evidence. `invocation_id` is the
    one that launched it; `resumed` runs were launched by an earlier one.
    """

    case_id: str
    launch_id: str
    ordinal: int
    run_id: int
    batch_id: int | None
    evidence: Evidence | None
    digest: str | None
    cost_cents: int | None
    adopted: bool
    invocation_id: str
    completed_at: datetime | None
    resumed: bool = False
    unread: str = ""
    """Why there is no evidence of a run that had ended: what the service tells of it could not be read."""


@dataclass(frozen=True, slots=True)
class UnsettledLaunch:
    """A launch whose fate is unknown when the engine ends."""

    launch_id: str
    case_ids: tuple[str, ...]
    reserved_cents: int
    several: bool
    """More than one candidate was found: a person must choose."""
    detail: str
    again_at: datetime | None = None
    """From then on it may be sent again, if the service does not show it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where the work stands; for a progress display."""

    runs_done: int
    runs_total: int
    in_flight: int
    spent_cents: int
    reserved_cents: int
    waiting: str


@dataclass(slots=True)
class Outcome:
    """How the work ended. Anything not called is in `left` (case id → runs), with the reason in `stopped_by`."""

    launches: int = 0
    interrupted: bool = False
    ceiling: str = ""
    """Which ceiling stopped launching, in words; empty when none did."""
    ceiling_detail: str = ""
    """What it allows, what is spent and held, and what the next call may cost."""
    ceiling_enough: str = ""
    """What would be enough for all that is left, in words; empty where a price is unknown."""
    broken: str = ""
    """Which ceilings the bills went beyond, in words: calls under way cost more than was held for them."""
    refusal: str = ""
    """402 or another refusal in the middle, by the service or by the project's policy."""
    usage: str = ""
    """The service found fault with a request or key in the middle."""
    trouble: str = ""
    """The service failed, or the journal could not be written."""
    held: str = ""
    """Why no more was launched, while what was under way was still waited for: the shared store failed, or another invocation
    makes the same calls."""
    overtaken: bool = False
    """It is held because another invocation makes the same calls."""
    fail_fast: bool = False
    left: dict[str, int] = field(default_factory=dict[str, int])
    """Runs wanted and not launched, by case id."""
    not_needed: dict[str, int] = field(default_factory=dict[str, int])
    """Runs wanted and not launched because what their case comes to no longer depended on them, by case id."""
    overdue: int = 0
    """Runs we stopped waiting for."""
    unread: list[str] = field(default_factory=list[str])
    """Of those that had ended, why what the service tells of them could not be read; one each."""
    oddities: dict[str, str] = field(default_factory=dict[str, str])
    """What the service shows of launches and runs that it should not, in words; by launch id, or `run 7110`."""
    unread_slots: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    """Of runs that had ended and could not be read, by key; also those that were still to be tried again."""
    unsettled: tuple[UnsettledLaunch, ...] = ()

    @property
    def finished(self) -> bool:
        """Everything asked for was done and its fate is known."""
        return not (
            self.interrupted
            or self.ceiling
            or self.refusal
            or self.usage
            or self.trouble
            or self.held
            or self.left
            or self.overdue
            or self.unsettled
            or self.oddities
        )


Pace = Callable[[str, int, int], int]
"""(case id, calls still without a verdict, times one of them may be called again) → how many of them may be under way now.
0: none is needed any more."""


def all_at_once(case_id: str, to_come: int, retries: int) -> int:
    """The pace where nobody asks what the calls come to."""
    del case_id, retries
    return to_come


@dataclass(frozen=True, slots=True)
class Observer:
    """Told of everything as it happens."""

    on_run: Callable[[RunRecord], bool]
    """Exactly once per run that counts for a case. True: the platform failed it, so that it may be called again."""
    on_snapshot: Callable[[Snapshot], None]
    narrate: Callable[[str], None]
    """Decisions in words, for `-v`."""
    warn: Callable[[str], None] = lambda _: None
    """What everybody should know at once."""
