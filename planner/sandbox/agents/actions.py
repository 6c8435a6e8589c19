"""What an agent can do on a call."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class Say:
    text: str


@dataclass(frozen=True, slots=True)
class UseTool:
    name: str
    arguments: dict[str, JsonValue]
    result: JsonValue
    latency_ms: int


@dataclass(frozen=True, slots=True)
class Transfer:
    number: str


@dataclass(frozen=True, slots=True)
class Think:
    """Nothing is heard for so long, besides the usual pause before an answer."""

    milliseconds: int


@dataclass(frozen=True, slots=True)
class HangUp:
    pass


Action = Say | Think | UseTool | Transfer | HangUp

KEYS = re.compile(r"\[DTMF ([0-9#*]+)\]")
"""How keys pressed by the caller stand in a transcript; rules may listen for them: `hears: ["DTMF 2"]`."""


def keys_pressed(keys: str) -> str:
    return f"[DTMF {keys}]"
