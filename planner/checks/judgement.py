"""The result of one check on one run, how several conditions are combined, and values in messages."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from planner.evidence import Turn
from planner.values import frozen


class FindingOutcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    """Undecided: the evidence lacks what the check needs."""


class Quote(BaseModel):
    """The words that support a finding."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    turn: int = Field(description="Number of the turn, from 1.")
    role: str = Field(description="agent, caller or tool.")
    start_ms: int | None = Field(description="From the start of the recording; null if unknown.")
    text: str

    @classmethod
    def of(cls, turn: Turn) -> Quote:
        return cls(turn=turn.number, role=turn.role.value, start_ms=turn.start_ms, text=turn.text)

    @classmethod
    def at(cls, number: int | None, turns: Sequence[Turn]) -> Quote | None:
        """The turn with this number, if there is one."""
        return next((cls.of(turn) for turn in turns if turn.number == number), None)


@frozen
class Judgement:
    """The result of one check on one run. `message` is one line: what was found, and what was expected."""

    outcome: FindingOutcome
    message: str
    quote: Quote | None = None
    is_silence: bool = False
    """Failed because the speaker never spoke: then the opposite is undecided."""
    is_bug: bool = False
    """Undecided because the check raised an exception."""


def passed(message: str, quote: Quote | None = None) -> Judgement:
    return Judgement(FindingOutcome.PASSED, message, quote)


def failed(message: str, quote: Quote | None = None) -> Judgement:
    return Judgement(FindingOutcome.FAILED, message, quote)


def undecided(message: str, quote: Quote | None = None) -> Judgement:
    return Judgement(FindingOutcome.UNDECIDED, message, quote)


def with_outcome(judgements: Sequence[Judgement], outcome: FindingOutcome) -> list[Judgement]:
    return [judgement for judgement in judgements if judgement.outcome is outcome]


def merged(outcome: FindingOutcome, prefix: str, deciding: Sequence[Judgement]) -> Judgement:
    """One judgement with the messages of all that decided it, and their first quote."""
    messages = "; ".join(judgement.message for judgement in deciding)
    quote = next((judgement.quote for judgement in deciding if judgement.quote is not None), None)
    return Judgement(outcome, f"{prefix}{messages}", quote)


def all_hold(conditions: Sequence[Judgement]) -> Judgement:
    """Failed if any condition failed, else undecided if any is, else passed. Needs at least one condition."""
    for outcome in (FindingOutcome.FAILED, FindingOutcome.UNDECIDED):
        if deciding := with_outcome(conditions, outcome):
            return merged(outcome, "", deciding)
    return merged(FindingOutcome.PASSED, "", conditions)


LONGEST_VALUE = 120
"""Longest value in a message, in characters."""


def shown(value: Any) -> str:
    """A value as JSON on one line, cut if long."""
    text = to_json(value, inf_nan_mode="constants").decode()
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def listed(items: Sequence[str], conjunction: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {conjunction} {items[-1]}"


def named(names: Sequence[str], conjunction: str = "and") -> str:
    """`listed`, with each name in backquotes."""
    return listed([f"`{name}`" for name in names], conjunction)


def number(value: float) -> str:
    """A number with all its digits, so that a value just off a limit does not look equal to it; `2.0` as `2`."""
    return repr(value).removesuffix(".0")
