"""What a language model is asked about a call, and what it answered: all of `judge` that needs no service.

Whoever judges passes in how to ask (`Ask`). Nothing here reaches a network, and no vote counts because it says so: its
quote is looked for in the transcript every time it is counted, also when it comes from a store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, TypeAlias

from planner.checks.phrases import padded_words
from planner.evidence import Turn

_LEAST_QUOTED: Final = 2
"""Words of a quote, unless the whole turn has fewer: a single "the" is said on every call."""


class Verdict(Enum):
    HOLDS = "holds"
    DOES_NOT_HOLD = "does_not_hold"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a rubric holds on one call, to be voted on so often. `turns` are all of the transcript."""

    rubric: str
    turns: tuple[Turn, ...]
    votes: int


@dataclass(frozen=True, slots=True)
class Vote:
    """One answer of a model. `quote` is what it says was said at `turn`; `reason` is its own words.

    `void` says why it does not count, whatever it says: it was not told apart from what the transcript may have told the
    model to say. Empty where nothing speaks against it so far.
    """

    verdict: Verdict
    turn: int | None = None
    quote: str = ""
    reason: str = ""
    void: str = ""
    model: str = field(default="", compare=False)
    """The edition of the model that gave it, as its endpoint names it."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """The votes on a question, at most as many as it asks for, and why there are fewer if there are."""

    votes: tuple[Vote, ...] = ()
    missing: str = ""
    is_final: bool = False
    """No later session will ask for the missing votes: there is no model to ask."""


Ask: TypeAlias = Callable[[Question], Ballot]
"""How a question is answered: from what was asked before. It asks nobody itself."""


def nobody_asked(question: Question) -> Ballot:
    """Judges what can be judged without a model."""
    del question
    return Ballot(missing="no language model was asked")


def checked(vote: Vote, turns: Sequence[Turn]) -> Vote:
    """The vote, void where it does not quote what was said: words of the turn it names, in their order."""
    if vote.void or vote.verdict is Verdict.CANNOT_TELL:
        return vote
    turn = next((turn for turn in turns if turn.number == vote.turn), None)
    if turn is None:
        return replace(vote, void="it quotes a turn that there is not")
    quoted, said = padded_words(vote.quote, fold=True), padded_words(turn.text, fold=True)
    if not quoted:
        return replace(vote, void="it quotes nothing")
    if quoted not in said:
        return replace(vote, void="its quote is not in the turn it names")
    if len(quoted.split()) < _LEAST_QUOTED and quoted != said:
        return replace(vote, void="it quotes too little to rest on")
    return vote
