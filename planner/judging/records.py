"""Votes that were given, as they are stored: under the question they answer, so that they are not paid for again."""

from __future__ import annotations

from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.checks.opinions import Verdict, Vote

SCHEMA_VERSION = "1.0"


class VoteRecord(BaseModel):
    """One vote. `key` is the question's (`question_key`), `number` counts its votes from 1."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    schema_version: str = Field(default=SCHEMA_VERSION, pattern=r"^[0-9]{1,6}(\.[0-9]+)*$")
    key: str = Field(pattern="^[0-9a-f]{64}$")
    number: int = Field(ge=1)
    model: str = Field(description="As it is configured.")
    edition: str = Field(default="", description="As the endpoint named it in its answer; empty where it did not.")
    verdict: Verdict
    turn: int | None = None
    quote: str = ""
    reason: str = ""
    void: str = ""
    cost_microcents: int | None = Field(default=None, description="Millionths of a cent; null where it was not told.")
    read_tokens: int | None = None
    written_tokens: int | None = None

    @classmethod
    def of(cls, vote: Vote, key: str, number: int, model: str) -> VoteRecord:
        return cls(
            key=key,
            number=number,
            model=model,
            verdict=vote.verdict,
            turn=vote.turn,
            quote=vote.quote,
            reason=vote.reason,
            void=vote.void,
        )

    @property
    def vote(self) -> Vote:
        return Vote(self.verdict, self.turn, self.quote, self.reason, self.void, self.edition or self.model)

    def to_bytes(self) -> bytes:
        return self.model_dump_json().encode()


class VoteStore(Protocol):
    """Where votes are kept; `planner.results.repository.ResultsRepository` is one."""

    def load_vote(self, key: str, number: int) -> bytes | None: ...

    def save_vote(self, key: str, number: int, data: bytes) -> bytes:
        """Durably. Gives what stands there: another's, where another was first."""
        ...


def read_record(data: bytes, key: str, number: int) -> VoteRecord | None:
    """None where this is not that vote, in a form that this version reads: it is then asked for again."""
    try:
        record = VoteRecord.model_validate_json(data)
    except ValidationError:
        return None
    newer = int(record.schema_version.partition(".")[0]) > int(SCHEMA_VERSION.partition(".")[0])
    return None if newer or record.key != key or record.number != number else record
