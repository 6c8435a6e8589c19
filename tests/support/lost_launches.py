"""Launches that somebody made and whose answer was lost, as a log has them."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from planner.calls.model import prompt_key
from planner.log.facts import Asked, Fact, Intent
from planner.log.local import LocalLog
from planner.providers.base import Line
from planner.workspace.service import base_url_of

LINE = Line("agent", 12, "outbound", "bot", None)


def account() -> str:
    """Of the service that the environment names."""
    return sha256(base_url_of(os.environ).encode()).hexdigest()[:32]


def credential() -> str:
    """Of the key and the service that the environment names."""
    url, key = os.environ.get("THUNDERPHONE_API_BASE_URL", ""), os.environ.get("THUNDERPHONE_API_KEY", "")
    return sha256(f"{url} {key}".encode()).hexdigest()[:16]


def lost_launch(launch_id: str, sent_at: datetime, *prompts: str, slack_seconds: float = 5.0) -> Intent:
    """For a case that is in no plan."""
    asked = tuple(
        Asked(f"sha256:x{number}", prompt_key(prompt), 1, 32, "hours", case="hours/old@clinic")
        for number, prompt in enumerate(prompts)
    )
    return Intent(sent_at, account(), launch_id, "other-consent", "i-1", LINE, asked, slack_seconds, credential())


def note(path: Path, *facts: Fact) -> None:
    with closing(LocalLog(path, account(), lambda: datetime.now(UTC))) as log:
        log.note(facts)
