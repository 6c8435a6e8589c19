"""Recorded answers of a judge, part of a sandbox world. Each belongs to one rubric and one transcript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from pydantic_core import to_json

from planner.checks.opinions import Question, Vote
from planner.evidence import Turn
from planner.judging.prompt import encodable


@dataclass(frozen=True, slots=True)
class RecordedAnswers:
    """The answers of one world, by rubric and transcript digest. Where several votes are recorded, they count in order."""

    world: str
    answers: Mapping[tuple[str, str], Sequence[Vote]]

    def find(self, question: Question, number: int) -> Vote | None:
        """Vote `number` (from 1) on the question, or None if the world has no such answer."""
        votes = self.answers.get((question.rubric, transcript_digest(question.turns)), ())
        return votes[number - 1] if number <= len(votes) else None

    def missing(self, question: Question) -> str:
        """Why a question is not answered, with the digest to record an answer under."""
        return (
            f"no judge is configured, and the world {self.world} has no recorded answer for this transcript"
            f" ({transcript_digest(question.turns)})"
        )


def transcript_digest(turns: Sequence[Turn]) -> str:
    """`sha256:` and 64 hex digits over who said what, in order; times do not count."""
    said = [[turn.role.value, encodable(turn.text)] for turn in turns]
    return f"sha256:{sha256(to_json(said)).hexdigest()}"
