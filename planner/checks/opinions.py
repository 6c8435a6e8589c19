"""Questions to a language model about a call, and its votes: the part of `judge` without I/O.

A vote counts only if its quote is in the transcript, which is checked whenever it is counted, also if it was stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field, replace
from enum import Enum
from typing import Final, TypeAlias

from planner.checks.phrases import padded_words
from planner.evidence import Turn
from planner.values import frozen

_LEAST_QUOTED: Final = 2
"""Words in a quote, unless the whole turn has fewer: a single "the" proves nothing."""


class Verdict(Enum):
    HOLDS = "holds"
    DOES_NOT_HOLD = "does_not_hold"
    CANNOT_TELL = "cannot_tell"


@frozen
class Question:
    """Whether a rubric holds on one call. `turns` are the whole transcript."""

    rubric: str
    turns: tuple[Turn, ...]
    votes: int
    is_about_caller: bool = False
    """Whether the test bot followed its prompt, which is asked for every call, not an expectation."""


@frozen
class Vote:
    """One answer of a model. `quote` is from `turn`; `reason` is in the model's words.

    `void` says why the vote does not count; empty if it does.
    """

    verdict: Verdict
    turn: int | None = None
    quote: str = ""
    reason: str = ""
    void: str = ""
    model: str = field(default="", compare=False)
    """The model's edition, as its endpoint names it."""


@frozen
class Votes:
    """The votes on a question, and why some are missing."""

    votes: tuple[Vote, ...] = ()
    missing: str = ""
    is_final: bool = False
    """No later session will request the missing votes, since no model is configured."""


Ask: TypeAlias = Callable[[Question], Votes]
"""Looks up the answers to a question. Makes no judge call."""


def no_judge(question: Question) -> Votes:
    """For judging without a model."""
    del question
    return Votes(missing="no language model was asked")


def checked(vote: Vote, turns: Sequence[Turn]) -> Vote:
    """The vote; void if its quote is not in the turn it names."""
    if vote.void or vote.verdict is Verdict.CANNOT_TELL:
        return vote
    turn = next((turn for turn in turns if turn.number == vote.turn), None)
    if turn is None:
        return replace(vote, void="it quotes a turn that does not exist")
    quoted, said = padded_words(vote.quote, fold=True), padded_words(turn.text, fold=True)
    if not quoted:
        return replace(vote, void="it quotes nothing")
    if quoted not in said:
        return replace(vote, void="its quote is not in the turn it names")
    if len(quoted.split()) < _LEAST_QUOTED and quoted != said:
        return replace(vote, void="its quote is too short")
    return vote
