"""A process that makes the calls of one story against a served sandbox, with the log in a file, and kills itself where it
is told to.

Steps are `append`, `appended`, `note`, `noted` (of the log), `sending` (the first byte of a launch) and `answered` (a
launch's answer has come). Prints how the calls ended, to stderr; its exit code is theirs.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
from file_log import FileLog

import planner.calls.model
from planner.calls.driver import Driver, Terms, Tools
from planner.calls.model import Limit, Settings, Want
from planner.clock import Clock
from planner.evidence import Evidence
from planner.key_redaction import NO_KEYS
from planner.log.facts import Consent, Goal
from planner.providers.base import Launched, LaunchRequest, Line
from planner.providers.requests import NO_HOOKS
from planner.providers.thunderphone.client import Account, ApiClient, connect

SETTINGS = Settings(settle_seconds=2.0, linger_seconds=20.0, evidence_wait_seconds=5.0, poll_ceiling_seconds=0.5)
SLACK_SECONDS = 0.5
"""On one machine, clocks do not differ."""
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "sk_sandbox_any"


def wants(story: int, calls: int) -> tuple[Want, ...]:
    """As many prompts as calls, on two agents; each prompt is called twice."""
    prompts = [f"You are caller {number} of story {story}. Ask when you are open." for number in range(-(-calls // 2))]
    lines = [Line("agent", agent, "outbound", "bot", None) for agent in (12, 14)]
    return tuple(
        Want(f"k{number}", prompt, lines[number % 2], reserve_cents=100) for number, prompt in enumerate(prompts)
    )


def consent(story: int, calls: int) -> Consent:
    return Consent(BEGIN, "a", f"c{story}", "d", tuple(Goal(want.key, 2, "plan") for want in wants(story, calls)))


class Steps:
    """Kills the process at the `number`th time of a step."""

    def __init__(self, dies_at: str, number: int) -> None:
        self._left = Counter({dies_at: number})

    def __call__(self, name: str) -> None:
        if name in self._left:
            self._left[name] -= 1
            if not self._left[name]:
                os.kill(os.getpid(), signal.SIGKILL)


class SteppingClient:
    """The real client, which may die right before and after a launch."""

    def __init__(self, client: ApiClient, step: Callable[[str], None]) -> None:
        self._client = client
        self._step = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def launch(self, request: LaunchRequest, *, on_sending: Callable[[], None]) -> Launched:
        def about_to_send() -> None:
            on_sending()
            self._step("sending")

        launched = await self._client.launch(request, on_sending=about_to_send)
        self._step("answered")
        return launched


async def save(evidence: Sequence[Evidence]) -> list[str]:
    return [f"e{each.run_id}" for each in evidence]


async def call(url: str, log: FileLog, story: int, calls: int, step: Callable[[str], None]) -> int:
    clock = Clock(lambda: datetime.now(UTC), time.monotonic, anyio.sleep, time.monotonic)
    client: Any = SteppingClient(connect(Account(url, KEY), clock=clock, hooks=NO_HOOKS, redactor=NO_KEYS), step)
    agreed = consent(story, calls)
    while agreed.consent_id not in log.state.consents:
        await log.append([agreed])
    await client.agent(12)  # so that the service's clock is known
    terms = Terms(uuid.uuid4().hex, "a", SETTINGS, agreed, wants(story, calls))
    driver = Driver(client, log, Tools(clock, lambda: uuid.uuid4().hex, save), terms, Limit())
    outcomes = await driver.run(anyio.Event())
    sys.stderr.write(f"{outcomes}\n")
    return outcomes.exit_code


def make_calls(url: str, log: Path, story: int, calls: int, dies_at: str = "", number: int = 1) -> int:
    """The work of the process, which dies at the `number`th time of a step."""
    planner.calls.model.CLOCK_SLACK_SECONDS = SLACK_SECONDS  # type: ignore[misc]
    step = Steps(dies_at, number)
    return anyio.run(call, url, FileLog(log, step), story, calls, step)
