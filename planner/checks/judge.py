"""`judge`: a language model says whether a rubric holds, and quotes what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from planner.checks.base import Doubt, Expectation, Judgement, Quote, errored, failed, passed
from planner.checks.fields import NotBool
from planner.checks.opinions import Ask, Question, Verdict, Vote, checked, nobody_asked
from planner.checks.phrases import padded_words
from planner.checks.wording import counted
from planner.evidence import Evidence, Role, Turn

MAX_RUBRIC = 4_000
"""Characters: a rubric is one thing to hold, not a manual; each vote pays for all of it."""

MAX_VOTES = 15

MAX_TRANSCRIPT = 200_000
"""Characters of a transcript that is asked about whole. A longer one is not cut: what was cut might have decided."""

_LONGEST_REASON = 240


def _says_something(rubric: str) -> str:
    if not padded_words(rubric, fold=True):
        raise ValueError("a rubric needs words: write what must hold, such as: The agent stays polite.")
    return rubric.strip()


class Judge(Expectation, frozen=True):
    """A language model reads the transcript and says whether the rubric holds.

    For what no other check can tell: tone, tact, whether an explanation made sense. The model is the one that `planner.yaml`
    names under `judge`, behind any OpenAI-compatible endpoint. Each vote must quote what it rests on; a quote that was not
    said makes it void, and what the votes leave open is `errored`, the judge's fault, and never passed. Answers are stored,
    and the same question about the same call is not paid for twice. See docs/judge.md.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"check": "judge", "rubric": "The agent stays polite when the caller is rude."},
                {
                    "check": "judge",
                    "id": "explains-the-fee",
                    "rubric": "The agent explains why there is a fee before asking for a card.",
                    "votes": 3,
                    "threshold": 1.0,
                },
            ]
        }
    )

    looks_at = frozenset({"turns", "tools", "results"})

    check: Literal["judge"] = Field(description="The kind of check.")
    rubric: Annotated[
        str,
        Field(max_length=MAX_RUBRIC, json_schema_extra={"pattern": r"\S"}),  # first, so that it counts characters
        AfterValidator(_says_something),
    ] = Field(
        description="What must hold, as one would put it to a careful colleague who has only the transcript.",
        examples=["The agent stays polite when the caller is rude."],
    )
    votes: Annotated[int, Field(ge=1, le=MAX_VOTES), NotBool] = Field(
        default=1, description="How often the model is asked; an odd number cannot tie."
    )
    threshold: Annotated[float, Field(gt=0, le=1), NotBool] | None = Field(
        default=None,
        description="Share of the votes that must say that it holds, above 0 and up to 1; by default more than half.",
    )

    def rubrics(self) -> Sequence[tuple[str, int]]:
        return ((self.rubric, self.votes),)

    def doubts(self) -> Sequence[Doubt]:
        if self.threshold is None:
            if self.votes % 2:
                return ()
            why = (
                f"{self.votes} votes can tie, and a tie decides nothing: ask for {self.votes + 1}, or set a `threshold`"
            )
            return (Doubt(("votes",), why, "doubtful-votes"),)
        if self.threshold > 0.5:
            return ()
        why = (
            f"with `threshold: {self.threshold:g}` it passes although as many votes, or more, say that it does not hold"
        )
        return (Doubt(("threshold",), why, "doubtful-votes"),)

    def questions(self, evidence: Evidence) -> Sequence[Question]:
        turns = evidence.turns or ()
        if not _spoken(turns) or _length(turns) > MAX_TRANSCRIPT:
            return ()
        return (Question(self.rubric, turns, self.votes),)

    def judge(self, evidence: Evidence) -> Judgement:
        return self.judge_with(evidence, nobody_asked)

    def judge_with(self, evidence: Evidence, ask: Ask) -> Judgement:
        if evidence.turns is None:
            return errored("the service gave no transcript")
        if not _spoken(evidence.turns):
            return errored("the transcript is empty: there is nothing to judge")
        if (length := _length(evidence.turns)) > MAX_TRANSCRIPT:
            return errored(f"the transcript has {length:,} characters, and at most {MAX_TRANSCRIPT:,} are judged")
        (question,) = self.questions(evidence)
        ballot = ask(question)
        votes = [checked(vote, evidence.turns) for vote in ballot.votes[: self.votes]]
        return self._count(votes, ballot.missing, evidence.turns)

    def _count(self, votes: Sequence[Vote], missing: str, turns: Sequence[Turn]) -> Judgement:
        """Passed and failed only where votes that do not count, or are missing, could not have changed it."""
        holding = [vote for vote in votes if not vote.void and vote.verdict is Verdict.HOLDS]
        against = [vote for vote in votes if not vote.void and vote.verdict is Verdict.DOES_NOT_HOLD]
        enough_to_pass, enough_to_fail = self._needed
        agreement = self._agreement(votes, len(holding), len(against), missing)
        if len(holding) >= enough_to_pass:
            return passed(f"the rubric holds{agreement}{_because(holding[0])}", _quote(holding[0], turns))
        if len(against) >= enough_to_fail:
            return failed(f"the rubric does not hold{agreement}{_because(against[0])}", _quote(against[0], turns))
        if not votes:
            return errored(f"not judged: {missing or 'there is no vote'}")
        return errored(f"undecided{agreement or f': {_told(votes[0])}'}")

    @property
    def _needed(self) -> tuple[int, int]:
        """Votes that pass it, and votes that fail it: so many that the others could not pass it any more, or, where more than
        half decide, more than half."""
        if self.threshold is None:
            return self.votes // 2 + 1, self.votes // 2 + 1
        share = Fraction(repr(self.threshold)) * self.votes  # a float's shortest decimal is what the author wrote
        to_pass = max(1, -(-share.numerator // share.denominator))
        return to_pass, self.votes - to_pass + 1

    def _agreement(self, votes: Sequence[Vote], holding: int, against: int, missing: str) -> str:
        """How the votes fell, where that says more than the outcome does."""
        if len(votes) == self.votes == 1:
            return ""
        parts = [f"{holding} of {counted(self.votes, 'vote')} say that it holds", f"{against} that it does not"]
        unsure = sum(not vote.void and vote.verdict is Verdict.CANNOT_TELL for vote in votes)
        parts += [f"{unsure} cannot tell"] if unsure else []
        void = [vote.void for vote in votes if vote.void]
        parts += [f"{len(void)} void ({'; '.join(dict.fromkeys(void))})"] if void else []
        parts += [f"{self.votes - len(votes)} missing ({missing})"] if len(votes) < self.votes else []
        return f": {', '.join(parts)}"


def _spoken(turns: Sequence[Turn]) -> bool:
    return any(turn.role is not Role.TOOL and turn.text.strip() for turn in turns)


def _length(turns: Sequence[Turn]) -> int:
    return sum(len(turn.text) for turn in turns)


def _quote(vote: Vote, turns: Sequence[Turn]) -> Quote | None:
    return next((Quote.of(turn) for turn in turns if turn.number == vote.turn), None)


def _because(vote: Vote) -> str:
    reason = " ".join(vote.reason.split())
    if not reason:
        return ""
    return f": {reason if len(reason) <= _LONGEST_REASON else reason[: _LONGEST_REASON - 1] + '…'}"


def _told(vote: Vote) -> str:
    if vote.void:
        return f"the vote is void, for {vote.void}"
    return f"the judge cannot tell{_because(vote)}"
