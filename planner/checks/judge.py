"""`judge`: a language model decides whether a rubric holds, and quotes its evidence."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from planner.checks.base import Expectation, Lint, NotBool, examples
from planner.checks.judgement import Judgement, Quote, failed, passed, undecided
from planner.checks.opinions import Ask, Question, Verdict, Vote, checked, no_judge
from planner.checks.phrases import padded_words
from planner.evidence import Evidence, Role, Turn
from planner.quantities import count

MAX_RUBRIC: Final = 4_000
"""Characters; each vote pays for them."""
MAX_VOTES: Final = 15
_LONGEST_REASON: Final = 240


def _has_words(rubric: str) -> str:
    if not padded_words(rubric, fold=True):
        raise ValueError("a rubric needs words: write what must hold, such as: The agent stays polite.")
    return rubric.strip()


class Judge(Expectation, frozen=True):
    """A language model reads the transcript and decides whether the rubric holds.

    Use it for what no other check covers: tone, tact, whether an explanation made sense. `judge` in `planner.yaml`
    names the model. Undecided, never passed, if the valid votes do not decide. See docs/judge.md.
    """

    model_config = examples(
        {"check": "judge", "rubric": "The agent stays polite when the caller is rude."},
        {
            "check": "judge",
            "id": "explains-the-fee",
            "rubric": "The agent explains why there is a fee before asking for a card.",
            "votes": 3,
            "threshold": 1.0,
        },
    )
    looks_at = frozenset({"turns", "tools", "results"})
    caller_can_cause_failure = True

    check: Literal["judge"] = Field(description="The kind of check.")
    rubric: Annotated[
        str,
        Field(max_length=MAX_RUBRIC, json_schema_extra={"pattern": r"\S"}),  # first, so that it counts characters
        AfterValidator(_has_words),
    ] = Field(
        description="What must hold, as you would explain it to a careful colleague who has only the transcript.",
        examples=["The agent stays polite when the caller is rude."],
    )
    votes: Annotated[int, Field(ge=1, le=MAX_VOTES), NotBool] = Field(
        default=1, description="How often the model is asked; with an even number, the votes can tie."
    )
    threshold: Annotated[float, Field(gt=0, le=1), NotBool] | None = Field(
        default=None,
        description="Share of the votes that must say that it holds, above 0 and up to 1; by default more than half.",
    )

    def rubrics(self) -> Sequence[tuple[str, int]]:
        return ((self.rubric, self.votes),)

    def lints(self) -> Sequence[Lint]:
        if self.threshold is None and self.votes % 2 == 0:
            why = f"{self.votes} votes can tie, which is undecided: use {self.votes + 1}, or set a `threshold`"
            return (Lint(("votes",), why, "doubtful-votes"),)
        if self.threshold is not None and self.threshold <= 0.5:
            why = (
                f"with `threshold: {self.threshold:g}` it can pass although half of the votes or more say that it does "
                "not hold"
            )
            return (Lint(("threshold",), why, "doubtful-votes"),)
        return ()

    def questions(self, evidence: Evidence) -> Sequence[Question]:
        return () if isinstance(found := self._question(evidence), Judgement) else (found,)

    def judge(self, evidence: Evidence) -> Judgement:
        return self.judge_with(evidence, no_judge)

    def judge_with(self, evidence: Evidence, ask: Ask) -> Judgement:
        question = self._question(evidence)
        if isinstance(question, Judgement):
            return question
        given = ask(question)
        votes = [checked(vote, question.turns) for vote in given.votes[: self.votes]]
        return self._count(votes, given.missing, question.turns)

    def _question(self, evidence: Evidence) -> Question | Judgement:
        """What to ask about this run, or why it is undecided."""
        turns = evidence.turns
        if turns is None:
            return undecided("the service gave no transcript")
        if not any(turn.role is not Role.TOOL and turn.text.strip() for turn in turns):
            return undecided("the transcript is empty: there is nothing to judge")
        return Question(self.rubric, turns, self.votes)

    def _count(self, votes: Sequence[Vote], missing: str, turns: Sequence[Turn]) -> Judgement:
        """Decide only if void and missing votes could not change the result."""
        valid = [vote for vote in votes if not vote.void]
        in_favour = [vote for vote in valid if vote.verdict is Verdict.HOLDS]
        against = [vote for vote in valid if vote.verdict is Verdict.DOES_NOT_HOLD]
        enough_to_pass, enough_to_fail = self._needed
        reasons = "; ".join(dict.fromkeys(vote.void for vote in votes if vote.void))
        others = {
            "against": len(against),
            "undecided": len(valid) - len(in_favour) - len(against),
            f"void ({reasons})": len(votes) - len(valid),
            f"missing ({missing})": self.votes - len(votes),
        }
        counts = [f"{number} {kind}" for kind, number in others.items() if number]
        counts = [f"{len(in_favour)} of {count(self.votes, 'vote')} for", *counts] if self.votes > 1 else []
        agreement = f": {', '.join(counts)}" if counts else ""
        if len(in_favour) >= enough_to_pass:
            return passed(f"the rubric holds{agreement}{_because(in_favour[0])}", Quote.at(in_favour[0].turn, turns))
        if len(against) >= enough_to_fail:
            return failed(
                f"the rubric does not hold{agreement}{_because(against[0])}", Quote.at(against[0].turn, turns)
            )
        if not votes:
            return undecided(f"not judged: {missing or 'there is no vote'}")
        if self.votes == 1:
            agreement = (
                f": the vote is invalid, for {reasons}"
                if reasons
                else f": the judge could not decide{_because(votes[0])}"
            )
        return undecided(f"undecided{agreement}")

    @property
    def _needed(self) -> tuple[int, int]:
        """How many votes pass it, and how many fail it."""
        if self.threshold is None:
            return self.votes // 2 + 1, self.votes // 2 + 1
        share = Fraction(repr(self.threshold)) * self.votes  # exact: the float's shortest decimal is what the plan has
        to_pass = max(1, -(-share.numerator // share.denominator))
        return to_pass, self.votes - to_pass + 1


def _because(vote: Vote) -> str:
    reason = " ".join(vote.reason.split())
    if not reason:
        return ""
    return f": {reason if len(reason) <= _LONGEST_REASON else reason[: _LONGEST_REASON - 1] + '…'}"
