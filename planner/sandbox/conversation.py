"""A conversation between the test bot and the agent, turn by turn, with times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

Speaker = Literal["agent", "user", "tool_call", "tool_response"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn; times count from the start of the recording, in conversation time."""

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
    collected: dict[str, str]
    """What the agent has understood, by slot."""
    goals: tuple[tuple[str, str], ...]
    """What the bot was after and what became of it: answered, refused or open."""
    misunderstandings: int
    """Times the agent had to ask again or did not understand."""
    error: str = ""
    """Why the call broke off, when a model did not answer."""


EMPTY = Conversation((), 0, "", "", {}, (), 0)
"""Nothing has been said, or nothing is known of it yet."""
