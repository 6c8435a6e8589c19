"""Votes of a language model: stored ones, recorded ones of a sandbox world, and those to request.

Votes are cached by content: the same question to the same model is charged once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from planner.checks.opinions import Question, Verdict, Vote, Votes
from planner.evidence import Turn
from planner.judge.prompt import encodable, question_key
from planner.values import frozen

if TYPE_CHECKING:
    from planner.results.repository import ResultsRepository

SCHEMA_VERSION: Final = "1.0"
VOID_RETRIES: Final = 1
"""Additional attempts after a void answer: models sometimes misquote."""


class VoteRecord(BaseModel):
    """One stored vote. `key` names the question (`question_key`), `number` counts its votes from 1."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    schema_version: str = Field(default=SCHEMA_VERSION, pattern=r"^[0-9]{1,6}(\.[0-9]+)*$")
    key: str = Field(pattern="^[0-9a-f]{64}$")
    number: int = Field(ge=1)
    model: str = Field(description="The configured name.")
    edition: str = Field(default="", description="The name in the endpoint's answer; empty if missing.")
    verdict: Verdict
    turn: int | None = None
    quote: str = ""
    reason: str = ""
    void: str = ""
    call_id: str = Field(default="", description="The judge call that returned it.")
    cost_microcents: int | None = Field(default=None, description="Millionths of a cent; null if unknown.")
    read_tokens: int | None = None
    written_tokens: int | None = None

    @property
    def vote(self) -> Vote:
        return Vote(self.verdict, self.turn, self.quote, self.reason, self.void, self.edition or self.model)


@frozen
class RecordedAnswers:
    """The judge's answers in a sandbox world, by rubric and transcript digest. Several votes count in order."""

    world: str
    answers: Mapping[tuple[str, str], Sequence[Vote]]

    def find(self, question: Question, number: int) -> Vote | None:
        votes = self.answers.get((question.rubric, transcript_digest(question.turns)), ())
        return votes[number - 1] if number <= len(votes) else None

    def missing(self, question: Question) -> str:
        """Why a question is not answered, with the digest to record an answer under."""
        return f"no judge is configured, and world {self.world} records no answer ({transcript_digest(question.turns)})"


def transcript_digest(turns: Sequence[Turn]) -> str:
    """`sha256:` and 64 hex digits over who said what, in order; times do not count."""
    said = [[turn.role.value, encodable(turn.text)] for turn in turns]
    return f"sha256:{sha256(to_json(said)).hexdigest()}"


@dataclass(slots=True)
class VoteCache:
    """Answers questions (`planner.checks.opinions.Ask`) from stored votes, without judge calls.

    In the sandbox without a judge, only the answers of `world` count. `missing` says why other votes were not
    requested; `problems`, by question, why a request failed.
    """

    model: str
    store: ResultsRepository | None
    world: RecordedAnswers | None = None
    missing: str = "no judge call was made"
    problems: dict[str, str] = field(default_factory=dict[str, str])
    _known: dict[tuple[str, int], Vote | None] = field(default_factory=dict[tuple[str, int], Vote | None])

    def __call__(self, question: Question) -> Votes:
        found = (self._find(question, number) for number in range(1, question.votes + 1))
        votes = tuple(vote for vote in found if vote is not None)
        if len(votes) == question.votes:
            return Votes(votes)
        if self.world is not None:
            return Votes(votes, self.world.missing(question), is_final=True)
        return Votes(votes, self.problems.get(self.key_of(question), self.missing))

    def key_of(self, question: Question) -> str:
        return question_key(question, self.model)

    def unanswered(self, question: Question) -> list[int]:
        """Numbers of the votes to request."""
        return [number for number in range(1, question.votes + 1) if self._find(question, number) is None]

    def add(self, record: VoteRecord) -> None:
        if self.store is not None:
            data = self.store.save_vote(record.key, record.number, record.model_dump_json().encode())
            record = read_record(data, record.key, record.number) or record
        self._known[record.key, record.number] = record.vote
        self.problems.pop(record.key, None)

    def _find(self, question: Question, number: int) -> Vote | None:
        if self.world is not None:
            return self.world.find(question, number)
        place = (self.key_of(question), number)
        if place not in self._known:
            data = None if self.store is None else self.store.load_vote(*place)
            record = None if data is None else read_record(data, *place)
            self._known[place] = None if record is None else record.vote
        return self._known[place]


def read_record(data: bytes, key: str, number: int) -> VoteRecord | None:
    """None if this is another vote or from a newer version; it is then requested again."""
    try:
        record = VoteRecord.model_validate_json(data)
    except ValidationError:
        return None
    is_newer = int(record.schema_version.partition(".")[0]) > int(SCHEMA_VERSION.partition(".")[0])
    return None if is_newer or (record.key, record.number) != (key, number) else record


@frozen
class WantedVotes:
    """Votes to request on one question, by number; `plan` is whose budget pays."""

    plan: str
    question: Question
    key: str
    numbers: tuple[int, ...]


@dataclass(slots=True)
class JudgeCallsResult:
    """The result of the judge calls. The strings say why judge calls are missing; empty if that is not the reason.

    `spent` and `uncertain` are millionths of a cent; uncertain amounts may have been charged without an answer.
    """

    given: int = 0
    spent: int = 0
    uncertain: int = 0
    by_plan: Mapping[str, int] = field(default_factory=dict[str, int])
    """Both together."""
    ceiling: str = ""
    refusal: str = ""
    usage: str = ""
    trouble: str = ""
    bug: Exception | None = None
    """An exception that nobody expected."""
    interrupted: bool = False

    @property
    def why_stopped(self) -> str:
        if self.ceiling:
            return f"the ceiling was reached ({self.ceiling})"
        return self.refusal or self.usage or self.trouble or ("interrupted" if self.interrupted else "")
