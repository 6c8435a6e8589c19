"""The result of one check on one run, and how several conditions are combined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from planner.evidence import Turn


class FindingOutcome(Enum):
    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    """Undecided: the evidence lacks what the check needs."""


@dataclass(frozen=True, slots=True)
class Quote:
    """The words that support a finding. `turn` counts from 1; `start_ms` from the start of the recording."""

    turn: int
    role: str
    start_ms: int | None
    text: str

    @classmethod
    def of(cls, turn: Turn) -> Quote:
        return cls(turn.number, turn.role.value, turn.start_ms, turn.text)

    @classmethod
    def at(cls, number: int | None, turns: Sequence[Turn]) -> Quote | None:
        """The turn with this number, if there is one."""
        return next((cls.of(turn) for turn in turns if turn.number == number), None)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of one check on one run. `message` is one line: what was found, and what was expected."""

    outcome: FindingOutcome
    message: str
    quote: Quote | None = None


def passed(message: str, quote: Quote | None = None) -> Judgement:
    return Judgement(FindingOutcome.PASSED, message, quote)


def failed(message: str, quote: Quote | None = None) -> Judgement:
    return Judgement(FindingOutcome.FAILED, message, quote)


def errored(message: str, quote: Quote | None = None) -> Judgement:
    return Judgement(FindingOutcome.ERRORED, message, quote)


def with_outcome(judgements: Sequence[Judgement], outcome: FindingOutcome) -> list[Judgement]:
    return [judgement for judgement in judgements if judgement.outcome is outcome]


def merged(outcome: FindingOutcome, prefix: str, deciding: Sequence[Judgement]) -> Judgement:
    """One judgement with the messages of all that decided it, and their first quote."""
    messages = "; ".join(judgement.message for judgement in deciding)
    quote = next((judgement.quote for judgement in deciding if judgement.quote is not None), None)
    return Judgement(outcome, f"{prefix}{messages}", quote)


def all_hold(conditions: Sequence[Judgement]) -> Judgement:
    """Failed if any condition failed, else errored if any errored, else passed. Needs at least one condition."""
    for outcome in (FindingOutcome.FAILED, FindingOutcome.ERRORED):
        if deciding := with_outcome(conditions, outcome):
            return merged(outcome, "", deciding)
    return merged(FindingOutcome.PASSED, "", conditions)
