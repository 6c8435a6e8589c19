"""What a session wants to call, and what it knows beside the log. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from planner.calls.concurrency import ConcurrencyLimit
from planner.clock import Clock
from planner.errors import PlannerError
from planner.log.facts import Asked, Intent
from planner.providers.base import Line, Provider
from planner.values import frozen

LARGEST_BATCH: Final = 20
"""Prompts of one request: the service accepts no more."""
LATEST_CREATION_SECONDS: Final = 600.0
"""A delayed request creates its runs at most this long after it was sent."""
TIMEOUT_SECONDS: Final = 900.0
"""How long a run is waited for, from the launch's answer on."""


_PROMPT_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


@lru_cache(maxsize=4096)
def prompt_key(prompt: str | None) -> str:
    """Digest of a prompt, with line ends unified and outer white space removed, as a service may store it. A digest is
    its own key: of another machine's launch only digests are known."""
    if prompt is not None and _PROMPT_DIGEST.fullmatch(prompt):
        return prompt
    text = "\n".join((prompt or "").splitlines()).strip()
    return f"sha256:{sha256(text.encode(errors='surrogatepass')).hexdigest()}"


@frozen
class Want:
    """The calls of one key, as this session can make them. How many are missing follows from the consent and the log.

    Two wants never have the same key. `reserve_cents` is the high estimate of one call; None if unknown.
    """

    key: str
    prompt: str
    line: Line
    reserve_cents: int | None
    expected_seconds: float | None = None
    timeout_seconds: float = TIMEOUT_SECONDS
    await_grade: bool = False
    """Whether a check needs the platform's grade, which may come late."""
    configuration: str | None = None
    """Digest of the agent's configuration that is called; None if unknown."""
    revision: str | None = None
    """Of that agent at the service; None if unknown."""
    case: str = ""
    """Names the case, for people."""

    @property
    def prompt_digest(self) -> str:
        return prompt_key(self.prompt)


@frozen
class Settings:
    settle_seconds: float = 600.0
    """An unconfirmed launch that the service does not list this long after its intent never arrived."""
    linger_seconds: float = 60.0
    """How long a session waits for unconfirmed launches when all else is done."""
    evidence_wait_seconds: float = 60.0
    """How long to wait for a late call id, bill, transcript or grade after a run's end."""
    throttled_give_up_seconds: float = 900.0
    """Give up after 429 answers only for this long, while the service's list shows no run under way."""
    outage_give_up_seconds: float = 300.0
    poll_floor_seconds: float = 0.1
    poll_ceiling_seconds: float = 15.0

    @property
    def max_send_delay_seconds(self) -> float:
        """An intent that is older must not leave: others wait `settle_seconds` before they call it absent."""
        return self.settle_seconds / 4


class Now(NamedTuple):
    """The time, as a driver reads it."""

    seconds: float
    """Also passes while the machine sleeps (`CLOCK_BOOTTIME`)."""
    server: datetime
    """By the service's clock if that is known."""
    slack_seconds: float
    """How far `server` may be wrong."""

    def seconds_since(self, moment: datetime) -> float:
        """By the service's clock; 0 for a time in the future."""
        return max(0.0, (self.server - moment).total_seconds())

    @property
    def month_begin(self) -> datetime:
        """Of the month that has certainly begun: a run that is launched now may still count for it."""
        earliest = self.server - timedelta(seconds=self.slack_seconds)
        return datetime(earliest.year, earliest.month, 1, tzinfo=UTC)

    @property
    def month(self) -> str:
        return f"{self.month_begin:%Y-%m}"


CLOCK_SLACK_SECONDS: Final = 5.0
"""`Date` headers have whole seconds and arrive late."""
UNKNOWN_CLOCK_SLACK_SECONDS: Final = 90_000.0
"""Used if the service sends no `Date` headers: clocks of machines may be a day apart."""


def now_of(provider: Provider, clock: Clock) -> Now:
    server = clock.now().astimezone(UTC) + timedelta(seconds=provider.clock_offset_seconds)
    slack_seconds = CLOCK_SLACK_SECONDS if provider.clock_known else UNKNOWN_CLOCK_SLACK_SECONDS
    return Now(clock.elapsed(), server, provider.clock_uncertainty_seconds + slack_seconds)


@dataclass(slots=True)
class Month:
    """The month's ceiling. It sums what the service lists: nobody can forge or delete that."""

    limit_cents: int
    month: str
    """`2026-11`, in UTC."""
    dearest_cents: int
    """The price of a listed call whose bill is not known."""
    cents: int = 0
    """The sum when the list was read, with what the log had reserved for calls of this month."""
    committed_cents: int = 0
    """All that the log had spent and reserved then. What it commits later is added to the sum."""
    listed: frozenset[int] = frozenset()
    others: set[int] = field(default_factory=set[int])
    """Runs that were listed later and which no launch of the log has."""


@dataclass(slots=True)
class Limit:
    """What bounds the launches of a session beside its consent."""

    concurrency: ConcurrencyLimit = field(default_factory=ConcurrencyLimit)
    month: Month | None = None
    available_cents: int | None = None
    """The organization's balance when the session began."""
    spent_before_cents: int = 0
    """What the log had spent by then."""
    posting: set[str] = field(default_factory=set[str])
    """Launches of this session whose answer is not here yet."""
    overdue: int = 0
    """Runs that nobody waits for any longer, and which the log does not know to have ended."""


@frozen
class Batched:
    """Calls of one want in a launch, with the reservation of each."""

    want: Want
    plan: str
    calls: int
    cents: int

    @property
    def asked(self) -> Asked:
        want = self.want
        return Asked(
            want.key,
            want.prompt_digest,
            self.calls,
            self.cents,
            self.plan,
            want.configuration,
            None if want.revision is None else want.revision[:500],
            want.case,
        )


@frozen
class Launching:
    """Make this launch: append its intent, then send it."""

    batch: tuple[Batched, ...]

    @property
    def line(self) -> Line:
        return self.batch[0].want.line


class WaitReason(StrEnum):
    """Why nothing is launched now."""

    NOTHING = "nothing is left to launch"
    CONCURRENCY = "at most so many runs at the same time"
    THROTTLED = "the service asked to wait (429)"
    OPEN_LAUNCHES = "earlier launches of the same calls are unconfirmed"
    UNCONFIRMED = "too many launches are unconfirmed"
    CEILING = "the next calls wait for a bill"


@frozen
class Waiting:
    """Launch nothing before something happens, or before `until` (seconds, as in `Now`)."""

    reason: WaitReason
    until: float = float("inf")
    in_vain: Stop | None = None
    """For `CEILING`: why the session ends if no bill makes room."""


class StopReason(StrEnum):
    """Why nothing more is launched in this session."""

    CEILING = "ceiling"
    EXPIRED = "expired"
    """The consent has expired."""
    NEWER = "newer"
    """A newer version of planner writes to the log."""
    REFUSED = "refused"
    """402, or the service's policy."""
    REJECTED = "rejected"
    """The service rejected the request or the key."""
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    INTERRUPTED = "interrupted"
    UNCLEAR = "unclear"
    """The service answered two launches with the same batch."""
    COPY_GONE = "copy_gone"
    """Somebody deleted or edited the copy that is called instead of an agent."""
    STORE = "store"
    """The log cannot be written."""
    FAILED = "failed"
    """An unexpected error."""
    ASKED = "asked"
    """Whoever looks at the calls asked for it (`--fail-fast`)."""


@frozen
class Stop:
    reason: StopReason
    detail: str = ""
    """For people."""
    needed: tuple[CeilingNeed, ...] = ()
    """For `CEILING`: what would cover the rest."""
    error: Exception | None = None
    """The error that led to it, which decides the exit code."""

    @property
    def exit_code(self) -> int:
        if isinstance(self.error, PlannerError):
            return self.error.exit_code
        codes = {
            StopReason.CEILING: 3,
            StopReason.EXPIRED: 3,
            StopReason.NEWER: 2,
            StopReason.REFUSED: 3,
            StopReason.REJECTED: 2,
            StopReason.INTERRUPTED: 130,
            StopReason.FAILED: 5,
            StopReason.ASKED: 1,
        }
        return codes.get(self.reason, 4)


@frozen
class CeilingNeed:
    """A ceiling that stopped launching. `needed_cents` would cover the rest; None if a price is unknown."""

    label: str
    limit_cents: int
    spent_cents: int
    reserved_cents: int
    needed_cents: int | None


Step = tuple[Launching, ...] | Waiting | Stop
"""What to do about launches now."""


@frozen
class Unsettled:
    """A launch whose fate is unknown when the session ends."""

    intent: Intent
    needs_person: bool
    """More than one batch may be it, or none and something that hides it: `planner reconcile` settles it."""
    why: str
    candidates: tuple[int, ...] = ()
    """Batches of the service that it may be."""
    again_at: datetime | None = None
    """From then on it may be called absent."""

    @property
    def command(self) -> str:
        return f"planner reconcile {self.intent.launch_id}" if self.needs_person else ""


@dataclass(slots=True)
class Outcomes:
    """How a session's calling ended."""

    stop: Stop | None = None
    left: Mapping[str, int] = field(default_factory=dict[str, int])
    """Calls that are missing, by key."""
    unsettled: tuple[Unsettled, ...] = ()
    under_way: int = 0
    """Calls that the session stopped waiting for. The next one picks them up."""
    reserved_cents: int = 0
    """For calls whose end or bill has not come, and for launches whose fate is unknown."""
    unreadable: Mapping[int, str] = field(default_factory=dict[int, str])
    """Runs that have ended and cannot be read, with why. The next session tries again."""
    anomalies: tuple[str, ...] = ()
    """Data from the service that nobody expected, in words."""

    @property
    def is_finished(self) -> bool:
        return not (self.stop or self.left or self.unsettled or self.under_way or self.unreadable or self.anomalies)

    @property
    def exit_code(self) -> int:
        """Of the calls; verdicts have their own."""
        if self.stop is not None:
            return self.stop.exit_code
        return 0 if self.is_finished else 4


# What is read of the service


class Row(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def created_at(self) -> datetime | None: ...


T = TypeVar("T", bound=Row)


@dataclass(slots=True)
class Listed(Generic[T]):
    """The rows read, by id. `whole`: nothing as new as requested is missing, so absence is meaningful."""

    found: dict[int, T] = field(default_factory=dict[int, T])
    whole: bool = False


@frozen
class WaitPolicy:
    """How long to wait for late parts of a run's evidence, and for which."""

    seconds: float = 0.0
    """Total; 0 reads once."""
    grade: bool = False
    ended_seconds_ago: float = 0.0
