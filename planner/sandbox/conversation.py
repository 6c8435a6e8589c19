"""A conversation between the test bot and the agent, turn by turn, with times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from planner.sandbox.worlds.dialogues import Grade

Object = dict[str, JsonValue]
Speaker = Literal["agent", "user", "tool_call", "tool_response"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn. Times count from the start of the recording, in conversation time."""

    role: Speaker
    content: JsonValue
    start_ms: int
    end_ms: int
    ttfa_ms: int | None = None
    """Agent turns: from the caller's last word (or the tool's answer) to the first audio."""


@dataclass(frozen=True, slots=True)
class Conversation:
    turns: tuple[Turn, ...]
    duration_ms: int
    end_reason: str
    transferred_to: str
    grade: Grade
    error: str = ""
    """Why the call broke off, if a model did not answer."""


EMPTY = Conversation((), 0, "", "", Grade(score=None, outcome="unknown", goal="no_opportunity", summary=""))
"""Nothing has been said, or nothing is known yet."""
