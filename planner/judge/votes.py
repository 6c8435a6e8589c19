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
from planner.judge.model_names import is_exactly
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
    transcript: str = Field(default="", description="Digest of the transcript that it is about.")
    call_id: str = Field(default="", description="The judge call that returned it.")
    call_microcents: int | None = Field(
        default=None, description="What the judge call cost, in millionths of a cent; null if unknown."
    )
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
    endpoint: str = ""
    """The endpoint's address."""
    answers_as: tuple[str, ...] = ()
    """Other names of the model."""
    checks_callers: bool = False
    """Whether the model is asked if callers followed their prompts."""
    missing: str = "no judge call was made"
    problems: dict[str, str] = field(default_factory=dict[str, str])
    _records: dict[str, list[VoteRecord | None]] = field(default_factory=dict[str, list[VoteRecord | None]])
    """By question, those read so far; None for what cannot be read."""

    def __call__(self, question: Question) -> Votes:
        if question.is_about_caller and not self.checks_callers:
            return Votes()
        votes = tuple(self._find(question))
        if len(votes) == question.votes:
            return Votes(votes)
        if self.world is not None:
            return Votes(votes, self.world.missing(question), is_final=True)
        return Votes(votes, self.problems.get(self.key_of(question), self.missing))

    def key_of(self, question: Question) -> str:
        return question_key(question, self.endpoint, self.model)

    def unanswered(self, question: Question) -> int:
        """How many votes to request."""
        return question.votes - len(self._find(question))

    def add(self, record: VoteRecord) -> VoteRecord:
        """Store a vote durably, under the next free number of its question."""
        records = self._records.setdefault(record.key, [])
        while True:
            if self._read_next(record.key, records):
                continue
            record = record.model_copy(update={"number": len(records) + 1})
            data = record.model_dump_json().encode()
            stored = data if self.store is None else self.store.save_vote(record.key, record.number, data)
            if stored == data or self.store is None:
                break
        records.append(record)
        self.problems.pop(record.key, None)
        return record

    def edition_of(self, name: str) -> str:
        """The author says that the names of the configured model are one model."""
        return self.model if name and is_exactly(name, (self.model, *self.answers_as)) else name

    def other_models(self, edition: str) -> list[str]:
        """The other models whose votes this session has read."""
        read = filter(None, (record for records in self._records.values() for record in records))
        return sorted({self.edition_of(record.edition) for record in read} - {"", edition})

    def _find(self, question: Question) -> list[Vote]:
        """The votes that count, at most as many as the question wants."""
        if self.world is not None:
            found = (self.world.find(question, number) for number in range(1, question.votes + 1))
            return [vote for vote in found if vote is not None]
        key = self.key_of(question)
        records = self._records.setdefault(key, [])
        while len(found := list(filter(None, records))) < question.votes:
            if not self._read_next(key, records):
                break
        return [record.vote for record in found[: question.votes]]

    def _read_next(self, key: str, records: list[VoteRecord | None]) -> bool:
        """Read one more vote on a question; False if there is none."""
        number = len(records) + 1
        data = None if self.store is None else self.store.load_vote(key, number)
        if data is None:
            return False
        records.append(read_record(data, key, number))
        return True


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
    """Votes to request on one question; `plan` is whose budget pays."""

    plan: str
    question: Question
    key: str
    votes: int


@dataclass(slots=True)
class JudgeCallsResult:
    """The result of the judge calls. The strings say why judge calls are missing; empty if that is not the reason.

    `spent` is in millionths of a cent. `by_plan` also has what may have been charged without an answer.
    """

    given: int = 0
    """Votes that were stored."""
    calls: int = 0
    """Judge calls with an answer."""
    spent: int = 0
    by_plan: Mapping[str, int] = field(default_factory=dict[str, int])
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
