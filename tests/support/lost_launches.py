"""Launches that somebody made and whose answer was lost, as a log has them."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from planner.execution.reconciling import prompt_key
from planner.log.facts import Asked, Fact, Intent
from planner.log.local import LocalLog
from planner.providers.base import Line
from planner.workspace.service import credential_digest

LINE = Line("agent", 12, "outbound", "bot", None)
KEY = "sha256:x"


def lost_launch(launch_id: str, sent_at: datetime, *prompts: str, account: str, slack_seconds: float = 5.0) -> Intent:
    """For a case that is in no plan."""
    asked = tuple(
        Asked(f"{KEY}{number}", prompt_key(prompt), 1, 32, "hours", case="hours/old@clinic")
        for number, prompt in enumerate(prompts)
    )
    return Intent(sent_at, account, launch_id, "other-consent", "i-1", LINE, asked, slack_seconds, "sk-digest")


def note(path: Path, account: str, *facts: Fact) -> None:
    with closing(LocalLog(path, account, lambda: datetime.now(UTC))) as log:
        log.note(facts)
