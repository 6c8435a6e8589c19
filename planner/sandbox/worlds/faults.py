"""Faults on demand: what goes wrong, on which route, when and how often; seeded, so that a failing test fails again.

A fault fires on a request of its route when all of its schedule agrees: the first `after` requests pass, then every `every`th,
each with `probability`, at most `times` in all. Declared in a world file, or at run time by `POST /_sandbox/control`.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from planner.sandbox.worlds.part import Part

Route = Literal[
    "any",
    "launch",
    "list",
    "batches",
    "batch",
    "calls",
    "call",
    "transcript",
    "history",
    "grade",
    "audio",
    "agents",
    "agent",
    "versions",
    "phone_numbers",
    "phone_number",
    "billing",
    "transactions",
    "whoami",
]
"""`launch` is both POSTs; `list` is the list of runs."""

Kind = Literal[
    "lost_answer",
    "error_before",
    "error_after",
    "slow",
    "garbage",
    "throttle",
    "no_balance",
    "hang",
    "fail_run",
    "late",
    "shuffle_ids",
    "foreign_runs",
    "agent_edit",
]

Phase = Literal["before", "after", "launch"]
PHASES: dict[Kind, Phase] = {
    "error_before": "before",
    "throttle": "before",
    "no_balance": "before",
    "foreign_runs": "before",
    "lost_answer": "after",
    "error_after": "after",
    "garbage": "after",
    "slow": "after",
    "hang": "launch",
    "fail_run": "launch",
    "late": "launch",
    "shuffle_ids": "launch",
    "agent_edit": "launch",
}
"""When a fault strikes, and so what it counts: requests as they come, requests that were served, accepted launches."""


class FaultSpec(Part):
    kind: Kind
    """
    lost_answer   the work is done, the connection is cut without an answer
    error_before  a 5xx, nothing was done
    error_after   a 5xx, the work was done
    slow          the work is done, the answer comes `seconds` late
    garbage       the work is done, the answer is `body`: an HTML page or JSON cut in the middle
    throttle      429, with `retry_after_seconds` or without
    no_balance    402
    hang          runs of the launch never end
    fail_run      runs of the launch end `failed`, without a call and without a bill
    late          call ids, transcripts and grades (`what`) of the launch come `seconds` late
    shuffle_ids   run ids do not follow the order of prompts
    foreign_runs  `count` runs of somebody else appear; `identical`: same target and prompt as the newest run
    agent_edit    `agent_id` is deployed again before the launch: its `revision`, or (null) the same configuration
    """
    route: Route = "launch"
    times: Annotated[int, Field(ge=1)] | None = None
    after: Annotated[int, Field(ge=0)] = 0
    every: Annotated[int, Field(ge=1)] = 1
    probability: Annotated[float, Field(gt=0, le=1)] = 1
    seconds: Annotated[float, Field(ge=0)] = 1
    """`slow`, `late`: by the clock, not in conversation time."""
    status: Annotated[int, Field(ge=500, le=599)] = 503
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
        return self


@dataclass(slots=True)
class Fault:
    """A declared fault and what it has seen and done so far. `key` names it across restarts."""

    key: str
    spec: FaultSpec
    seed: int
    seen: int = 0
    fired: int = 0

    def fires(self) -> bool:
        """Count one request of its route and say whether it goes wrong."""
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
    """The faults in force."""

    def __init__(self, specs: tuple[FaultSpec, ...], seed: int) -> None:
        self._seed = seed
        self._faults = [Fault(f"world:{index}:{spec.kind}", spec, seed) for index, spec in enumerate(specs)]
        self._added = 0

    def add(self, spec: FaultSpec) -> Fault:
        fault = Fault(f"control:{self._added}:{spec.kind}", spec, self._seed)
        self._added += 1
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        self._faults.clear()

    def firing(self, phase: Phase, route: str) -> list[Fault]:
        """The faults that fire now. Those of accepted launches fire for any route."""
        return [
            fault
            for fault in self._faults
            if PHASES[fault.spec.kind] == phase
            and (phase == "launch" or fault.spec.route in ("any", route))
            and fault.fires()
        ]

    def recall(self, key: str, seen: int, fired: int) -> None:
        """What a fault had done before a restart."""
        for fault in self._faults:
            if fault.key == key:
                fault.seen, fault.fired = max(fault.seen, seen), max(fault.fired, fired)

    def state(self) -> list[dict[str, str | int]]:
        return [{"key": fault.key, "seen": fault.seen, "fired": fault.fired} for fault in self._faults]
