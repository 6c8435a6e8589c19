"""Faults on demand: what goes wrong, on which route, when and how often; seeded, so that a failing test fails again.

A fault skips the first `after` requests of its route, then affects every `every`th request with `probability`, at most
`times` times. It is declared in a world file, or at run time by `POST /_sandbox/control`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from planner.sandbox.worlds.dialogues import Part

_OfRuns = Literal["launch", "list", "batches", "batch"]
_OfCalls = Literal["calls", "call", "transcript", "history", "grade", "audio"]
_OfAgents = Literal["agents", "agent", "versions", "create", "edit", "deploy", "discard", "duplicate", "delete"]
_OfAccount = Literal["phone_numbers", "phone_number", "billing", "transactions", "whoami"]
Route = Literal["any", _OfRuns, _OfCalls, _OfAgents, _OfAccount]
"""`launch` is both POSTs; `list` is the list of runs. `agents` and `agent` are reads, the six after `versions`
writes."""

_Before = Literal["error_before", "throttle", "no_balance", "foreign_runs"]
_After = Literal["lost_answer", "error_after", "garbage", "slow"]
_AtLaunch = Literal["hang", "fail_run", "late", "shuffle_ids", "agent_edit"]
Kind = Literal[_Before, _After, _AtLaunch]
_KINDS = {"before": get_args(_Before), "after": get_args(_After), "launch": get_args(_AtLaunch)}
"""By what a fault counts: requests received, requests served, accepted launches."""


class FaultSpec(Part):
    kind: Kind
    """
    lost_answer   the request is carried out, the connection is cut without an answer
    error_before  the answer is `status` with `message`, the request is not carried out
    error_after   the answer is `status`, a 5xx, the request is carried out
    slow          the request is carried out, the answer comes `seconds` late
    garbage       the request is carried out, the answer is `body`: an HTML page or truncated JSON
    throttle      429, with `retry_after_seconds` or without
    no_balance    402
    hang          runs of the launch never end
    fail_run      runs of the launch end `failed`, without a call and without a bill
    late          call ids, transcripts and grades (`what`) of the launch come `seconds` late
    shuffle_ids   run ids do not follow the order of prompts
    foreign_runs  `count` runs of another user appear; `identical`: same target and prompt as the newest run
    agent_edit    `agent_id` is deployed again before the launch: its `revision`, or (null) the same configuration
    """
    route: Route = "launch"
    times: Annotated[int, Field(ge=1)] | None = None
    after: Annotated[int, Field(ge=0)] = 0
    every: Annotated[int, Field(ge=1)] = 1
    probability: Annotated[float, Field(gt=0, le=1)] = 1
    seconds: Annotated[float, Field(ge=0)] = 1
    """`slow`, `late`: by the clock, not in conversation time."""
    status: Annotated[int, Field(ge=400, le=599)] = 503
    message: str = "Service unavailable."
    body: Literal["html", "cut"] = "html"
    retry_after_seconds: Annotated[int, Field(ge=0)] | None = None
    what: tuple[Literal["call_id", "transcript", "grade"], ...] = ("call_id", "transcript", "grade")
    count: Annotated[int, Field(ge=1, le=200)] = 1
    identical: bool = False
    runs: Annotated[int, Field(ge=1)] | None = None
    """`hang`, `fail_run`: how many runs of the launch; null: all."""
    agent_id: int | None = None
    revision: int | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.kind == "agent_edit") != (self.agent_id is not None):
            raise ValueError("agent_id belongs to agent_edit, which needs it")
        if self.kind == "error_after" and self.status < 500:
            raise ValueError("a request that is carried out is not refused: its status is a 5xx")
        return self


@dataclass(slots=True)
class Fault:
    """A declared fault with its counters. `key` identifies it across restarts."""

    key: str
    spec: FaultSpec
    seed: int
    seen: int = 0
    fired: int = 0

    def fires(self) -> bool:
        """Count one request of its route and decide whether it fails."""
        spec = self.spec
        self.seen += 1
        turn = self.seen - spec.after
        if turn < 1 or (turn - 1) % spec.every or (spec.times is not None and self.fired >= spec.times):
            return False
        if spec.probability < 1:
            draw = int.from_bytes(sha256(f"{self.seed}:{self.key}:{self.seen}".encode()).digest()[:8], "big") / 2**64
            if draw >= spec.probability:
                return False
        self.fired += 1
        return True


class Faults:
    """The active faults."""

    def __init__(self, specs: Iterable[FaultSpec], seed: int) -> None:
        self._seed = seed
        self.active = [Fault(f"world:{index}:{spec.kind}", spec, seed) for index, spec in enumerate(specs)]
        self._added = 0

    def add(self, spec: FaultSpec) -> None:
        self.active.append(Fault(f"control:{self._added}:{spec.kind}", spec, self._seed))
        self._added += 1

    def firing(self, phase: Literal["before", "after", "launch"], route: str) -> list[Fault]:
        """The faults that fire now. Those of accepted launches fire for any route."""
        return [
            fault
            for fault in self.active
            if fault.spec.kind in _KINDS[phase]
            and (phase == "launch" or fault.spec.route in ("any", route))
            and fault.fires()
        ]

    def state(self) -> list[dict[str, str | int]]:
        return [{"key": fault.key, "seen": fault.seen, "fired": fault.fired} for fault in self.active]
