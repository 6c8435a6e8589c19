"""What an agent can do on a call."""

from __future__ import annotations

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
class HangUp:
    pass


Action = Say | UseTool | Transfer | HangUp
