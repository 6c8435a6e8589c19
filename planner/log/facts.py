"""The facts of the log: one line of JSON each, never changed.

Facts have no spoken words and no prompts. Each number and string is bounded when it is read, since others may be able
to write to a log. What cannot be read, and what another account or the future says, is ignored and named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from hashlib import sha256
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, AwareDatetime, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from planner.bounds import SERVER_CLOCK_SKEW, ServiceId, is_possible
from planner.evidence import CostBasis, Part, RunStatus
from planner.providers.base import CallId, Line, RunId
from planner.values import frozen

VERSION: Final = 1
"""Of the facts that this version of planner writes. A higher one changes the meaning of a fact."""
MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""A consent to 20,000 keys has about half of this."""
MAX_CENTS: Final = 10**9
MICROCENTS: Final = 1_000_000
"""One cent."""
MAX_CALLS: Final = 100_000
MAX_RUNS: Final = 1_000
"""Of one launch. It asks for at most 20, but the service may answer with more."""
MAX_KEYS: Final = 20_000
MAX_LINE_FIELD: Final = 100
NO_LAUNCH: Final = ""
"""The launch id of a call that this log did not launch."""


def _checked_time(moment: datetime) -> datetime:
    if not is_possible(moment, None):
        raise ValueError("this is not a possible time")
    return moment


def _checked_line(line: Line) -> Line:
    if max(map(len, (line.target_type, line.direction, line.mode, line.target_number or ""))) > MAX_LINE_FIELD:
        raise ValueError("a field is too long")
    return line


Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=500)]
Digest = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[0-9a-zA-Z:_-]+$")]
Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9a-zA-Z_.-]+$")]
LaunchId = Annotated[str, Field(max_length=64, pattern=r"^[0-9a-zA-Z_.-]*$")]
Cents = Annotated[int, Field(ge=0, le=MAX_CENTS)]
Microcents = Annotated[int, Field(ge=0, le=MAX_CENTS * MICROCENTS)]
Calls = Annotated[int, Field(ge=0, le=MAX_CALLS)]
Seconds = Annotated[float, Field(ge=0, le=10 * 86_400, allow_inf_nan=False)]
Moment = Annotated[AwareDatetime, AfterValidator(_checked_time)]
"""By the service's clock, if that is known."""
Runs = Annotated[tuple[ServiceId, ...], Field(max_length=MAX_RUNS)]


# Consents


class Scope(StrEnum):
    """What a ceiling limits. The month's ceiling is no fact: it sums what the service lists."""

    CONSENT = "consent"
    PLAN = "plan"
    """The calls of one plan, under this consent."""


@frozen
class Ceiling:
    scope: Scope
    cents: Cents
    label: Name
    """How a person sets it: `--max-cost`."""
    plan: Annotated[str, Field(max_length=200)] = ""
    """For `Scope.PLAN`."""

    def covers(self, plan: str) -> bool:
        return self.scope is Scope.CONSENT or self.plan == plan


@frozen
class Goal:
    """How many calls of a key the log is to have in all. The calls that are missing are the goal less the live ones."""

    key: Digest
    calls: Calls
    plan: Annotated[str, Field(max_length=200)] = ""
    """The plan that pays."""
    retries: Calls = 0
    """Most calls beyond the goal, for calls of this consent that the platform failed."""


@frozen
class Consent:
    """A person agreed to a set of calls."""

    at: Moment
    account: Digest
    consent_id: Id
    digest: Digest
    """Of the set."""
    goals: Annotated[tuple[Goal, ...], Field(max_length=MAX_KEYS)]
    ceilings: Annotated[tuple[Ceiling, ...], Field(max_length=1_000)] = ()
    person: Text = ""
    how: Name = "flag"
    """`flag` or `comment`."""
    expires_at: Moment | None = None
    starts_over: bool = False
    """Calls that were made before do not count."""
    part: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Each session that resumes it writes the next one, with today's ceilings. The highest counts."""
    confirmations: Annotated[tuple[Goal, ...], Field(max_length=MAX_KEYS)] = ()
    """The goals of calls that confirm a regression. They have keys of their own."""
    fact: Literal["consent"] = "consent"

    @property
    def identity(self) -> str:
        return self.consent_id


# Launches


@frozen
class Asked:
    """Calls of one key in a launch."""

    key: Digest
    prompt: Digest
    """The digest of the prompt, by which a run is recognised."""
    calls: Annotated[int, Field(ge=1, le=MAX_RUNS)]
    cents: Cents
    """Reserved for each call."""
    plan: Annotated[str, Field(max_length=200)] = ""
    """The plan that pays."""
    configuration: Digest | None = None
    """Of the agent that is called; None if unknown."""
    revision: Annotated[str | None, Field(max_length=500)] = None
    """Of that agent at the service; None if unknown."""
    case: Text = ""
    """Names the case that asked, for people."""


@frozen
class Intent:
    """A request that may cost money is about to leave. `at` is when that was decided."""

    at: Moment
    account: Digest
    launch_id: Id
    consent_id: Id
    session_id: Id
    line: Annotated[Line, AfterValidator(_checked_line)]
    asked: Annotated[tuple[Asked, ...], Field(min_length=1, max_length=100)]
    slack_seconds: Seconds
    """How far `at` may be from the service's clock."""
    credential: Digest
    """Of the API key."""
    fact: Literal["intent"] = "intent"

    @property
    def identity(self) -> str:
        return self.launch_id

    @property
    def earliest(self) -> datetime:
        """The earliest time that its runs may have been created, by the service's clock."""
        return self.at - timedelta(seconds=self.slack_seconds)

    @property
    def calls(self) -> int:
        return sum(asked.calls for asked in self.asked)

    @property
    def cents(self) -> int:
        """Reserved in all."""
        return sum(asked.calls * asked.cents for asked in self.asked)


class Result(StrEnum):
    """What became of a launch. Where several facts disagree, the later one of this list is right."""

    ABSENT = "absent"
    """The service does not list it, after the settling time."""
    ADOPTED = "adopted"
    """One batch of the service's list matches."""
    UNCLEAR = "unclear"
    """The service answered with a batch of another launch. Only a person can decide."""
    ABANDONED = "abandoned"
    """A person says that it never arrived."""
    ASSIGNED = "assigned"
    """A person says which batch it is."""
    UNSENT = "unsent"
    """No byte of it left."""
    REFUSED = "refused"
    """The service refused it: nothing was started, nothing is charged."""
    ACCEPTED = "accepted"
    """The service answered with its batch."""

    @property
    def has_runs(self) -> bool:
        return self in (Result.ADOPTED, Result.ASSIGNED, Result.ACCEPTED)

    @property
    def is_open(self) -> bool:
        return self is Result.UNCLEAR


RANK: Final = {result: rank for rank, result in enumerate(Result)}


@frozen
class Outcome:
    """What became of a launch."""

    at: Moment
    launch_id: Id
    result: Result
    batch_id: ServiceId | None = None
    run_ids: Runs = ()
    requester_id: ServiceId | None = None
    """Our id at the service, if it shows one."""
    status: Annotated[int, Field(ge=0, le=999)] = 0
    """The HTTP status of a refusal."""
    fact: Literal["outcome"] = "outcome"

    @property
    def identity(self) -> str:
        return self.launch_id


@frozen
class Call:
    """A test call: the only type for one, from its launch to the report. A fact with a higher `part` replaces the
    others."""

    at: Moment
    """When its run was created, or else launched."""
    account: Digest
    run_id: Annotated[RunId, Field(ge=-(2**63), lt=2**63)]
    key: Digest
    launch_id: LaunchId = NO_LAUNCH
    part: Annotated[int, Field(ge=0, le=1_000)] = 0
    status: RunStatus = RunStatus.UNDER_WAY
    batch_id: ServiceId | None = None
    call_id: Annotated[CallId | None, Field(ge=-(2**63), lt=2**63)] = None
    end_reason: Annotated[str | None, Field(max_length=100)] = None
    started_at: Moment | None = None
    completed_at: Moment | None = None
    duration_seconds: Annotated[float | None, Field(ge=0, le=10 * 86_400, allow_inf_nan=False)] = None
    cents: Cents | None = None
    """The bill; None while unknown."""
    basis: CostBasis | None = None
    """Where the bill is from."""
    configuration: Digest | None = None
    """Of the agent that is called; None if unknown."""
    snapshot: Digest | None = None
    """Of the configuration that the call itself shows, which decides if it is known."""
    evidence: Digest | None = None
    """Names the stored evidence; None until it is read."""
    missing: Annotated[tuple[Part, ...], Field(max_length=10)] = ()
    """Parts that may still come. While `bill` is missing, the bill may change."""
    failed: bool = False
    """The platform failed it, whatever its status says, as if no call was made."""
    fact: Literal["call"] = "call"

    @property
    def identity(self) -> str:
        return str(self.run_id)

    @property
    def has_ended(self) -> bool:
        return self.status.has_ended

    @property
    def has_failed(self) -> bool:
        """The platform failed it: another call may be made instead."""
        return self.failed or self.status.has_failed

    @property
    def has_final_bill(self) -> bool:
        return self.cents is not None and "bill" not in self.missing

    @property
    def is_complete(self) -> bool:
        """Nothing of it needs to be read again."""
        return self.has_ended and self.evidence is not None and not self.missing


# What is said about calls


@frozen
class Verdict:
    """What one expectation says of a call. The words that decided it are in the evidence."""

    at: Moment
    run_id: Annotated[RunId, Field(ge=-(2**63), lt=2**63)]
    expectation: Digest
    evidence: Digest
    outcome: Name
    number: Annotated[float | None, Field(ge=-1e15, le=1e15, allow_inf_nan=False)] = None
    turn: Annotated[int | None, Field(ge=0, le=1_000_000)] = None
    fact: Literal["verdict"] = "verdict"

    @property
    def identity(self) -> str:
        return f"{self.run_id} {self.expectation} {self.evidence}"


@frozen
class Vote:
    """An answer of the judge. It is reserved, without an answer, before it is asked."""

    at: Moment
    account: Digest
    vote_id: Id
    consent_id: Id
    session_id: Id
    question: Digest
    evidence: Digest
    model: Name
    microcents: Microcents
    """Reserved, or charged if it is answered. One vote costs less than a cent."""
    plan: Annotated[str, Field(max_length=200)] = ""
    answer: Annotated[str | None, Field(max_length=40)] = None
    fact: Literal["vote"] = "vote"

    @property
    def identity(self) -> str:
        return self.vote_id


class PreviewStep(StrEnum):
    """In the order of a preview's life: a later one is right."""

    INTENDED = "intended"
    MADE = "made"
    CONFIGURED = "configured"
    """Its fields were deployed and read back."""
    DELETING = "deleting"
    ABSENT = "absent"
    """It was never made."""
    DELETED = "deleted"
    LOST = "lost"
    """Somebody else deleted it: only its calls themselves can prove what they reached."""

    @property
    def is_over(self) -> bool:
        return self in (PreviewStep.ABSENT, PreviewStep.DELETED, PreviewStep.LOST)


PREVIEW_PREFIX: Final = "planner-preview "
"""How the names of copies begin."""
PREVIEW_RANK: Final = {step: rank for rank, step in enumerate(PreviewStep)}


@frozen
class Preview:
    """A copy of an agent. `at` is when it was intended."""

    at: Moment
    account: Digest
    preview_id: Id
    """Random, and part of the copy's name."""
    agent_id: ServiceId
    configuration: Digest
    session_id: Id
    credential: Digest
    step: PreviewStep
    copy_id: ServiceId | None = None
    revision: Text = ""
    """The copy when it was read back."""
    was_changed: bool = False
    """Somebody edited or renamed the copy after it was read back: its calls count for nothing."""
    fact: Literal["preview"] = "preview"

    @property
    def identity(self) -> str:
        return self.preview_id

    @property
    def name(self) -> str:
        """The copy's name. No other preview has the same."""
        digest = self.configuration.removeprefix("sha256:")[:12]
        return f"{PREVIEW_PREFIX}of {self.agent_id} {digest} {self.preview_id}"


class DecisionKind(StrEnum):
    START_OVER = "start_over"
    ACCEPTED = "accepted"
    FORGOTTEN = "forgotten"
    DEPLOYED = "deployed"


@frozen
class Decision:
    """A person or a rule decided something about a key, a session, a call or an agent."""

    at: Moment
    kind: DecisionKind
    subject: Name
    by: Text = ""
    reason: Text = ""
    configuration: Digest | None = None
    fact: Literal["decision"] = "decision"

    @property
    def identity(self) -> str:
        return f"{self.kind} {self.subject} {self.at.isoformat()}"


@frozen
class Session:
    """The first or the last line of a session."""

    at: Moment
    account: Digest
    session_id: Id
    is_end: bool = False
    command: Text = ""
    host: Text = ""
    commit: Text = ""
    planner: Name = "unknown"
    """The version of planner."""
    exit_code: Annotated[int, Field(ge=0, le=255)] = 0
    how: Text = ""
    """How it ended."""
    consent_id: LaunchId = ""
    """Its consent; "" without one."""
    done: Annotated[tuple[Calls, ...], Field(max_length=MAX_KEYS)] = ()
    """The goals of the consent, by their place, of which nothing is left to do."""
    finished: Annotated[tuple[ServiceId, ...], Field(max_length=MAX_CALLS)] = ()
    """The runs that are part of its finished results."""
    fact: Literal["session"] = "session"

    @property
    def identity(self) -> str:
        return f"{self.session_id} {'end' if self.is_end else 'begin'}"


Fact: TypeAlias = Consent | Intent | Outcome | Call | Verdict | Vote | Preview | Decision | Session
KINDS: Final = {kind.fact: kind for kind in (Consent, Intent, Outcome, Call, Verdict, Vote, Preview, Decision, Session)}
MUST_BE_SHARED: Final = frozenset({"consent", "intent", "vote", "preview"})
"""Facts that precede an effect."""

_ADAPTER: Final[TypeAdapter[Fact]] = TypeAdapter(Annotated[Fact, Field(discriminator="fact")])


def write_fact(fact: Fact) -> str:
    """One line, without the fields that have their default."""
    document = _ADAPTER.dump_json(fact, exclude_defaults=True)
    return f'{{"fact":"{fact.fact}","v":{VERSION},{document[1:].decode()}'


# Reading


class Why(Enum):
    """Why a line is ignored."""

    UNREADABLE = "not a fact, or an impossible value"
    NEWER = "written by a newer version of planner"
    OTHER_ACCOUNT = "of another account"
    FUTURE = "from the future"


@frozen
class Ignored:
    """A line that counts for nothing."""

    digest: str
    """Of the line."""
    why: Why
    detail: str = ""


@frozen
class Reader:
    """What a log is read for. `account` is a digest of the service and the organisation; "" accepts any. `now` is by
    the service's clock."""

    account: str
    now: datetime

    def read(self, line: str) -> Fact | Ignored:
        if len(line) > MAX_LINE_BYTES:
            return _ignored(line, Why.UNREADABLE, "it is too long")
        try:
            fact = _ADAPTER.validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            if _is_newer(line):
                return _ignored(line, Why.NEWER)
            place = ".".join(map(str, first["loc"]))[:100]
            return _ignored(line, Why.UNREADABLE, f"{place}: {first['msg'][:100]}")
        if '"v":1,' not in line and _is_newer(line):
            return _ignored(line, Why.NEWER)
        if self.account and getattr(fact, "account", self.account) != self.account:
            return _ignored(line, Why.OTHER_ACCOUNT)
        if not is_possible(fact.at, self.now, SERVER_CLOCK_SKEW):  # the clock of the service that dated it may be ahead
            return _ignored(line, Why.FUTURE)
        return fact

    def read_all(self, lines: Iterable[str]) -> Iterator[Fact | Ignored]:
        return map(self.read, lines)


def line_digest(line: str) -> str:
    return sha256(line.encode(errors="surrogatepass")).hexdigest()[:32]


def _ignored(line: str, why: Why, detail: str = "") -> Ignored:
    return Ignored(line_digest(line), why, detail)


def _is_newer(line: str) -> bool:
    """Whether a line says that a newer version wrote it."""
    try:
        document: Any = from_json(line)
    except (TypeError, ValueError):  # TypeError: it cannot be encoded
        return False
    version: Any = document.get("v") if isinstance(document, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return isinstance(version, int) and VERSION < version < 10_000
