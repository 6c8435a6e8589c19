"""Votes by question: those that are stored, those given meanwhile, and why others are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.checks.opinions import Ballot, Question, Vote
from planner.judging.prompt import question_key
from planner.judging.records import VoteRecord, VoteStore, read_record


@dataclass(slots=True)
class Ballots:
    """Called with a question, it answers as `planner.checks.opinions.Ask`: from what is known, asking nobody.

    `recorded` are answers of a file, which come first. `missing` says why votes that are not there were not asked for;
    `problems`, by question, why asking brought none.
    """

    model: str
    store: VoteStore | None
    recorded: Mapping[tuple[str, int], VoteRecord] = field(default_factory=dict[tuple[str, int], VoteRecord])
    missing: str = "no language model was asked"
    problems: dict[str, str] = field(default_factory=dict[str, str])
    _known: dict[tuple[str, int], VoteRecord | None] = field(default_factory=dict[tuple[str, int], VoteRecord | None])

    def __call__(self, question: Question) -> Ballot:
        key = self.key_of(question)
        votes = self._votes(key, question.votes)
        if len(votes) == question.votes:
            return Ballot(votes)
        return Ballot(votes, self.problems.get(key, self.missing))

    def key_of(self, question: Question) -> str:
        return question_key(question, self.model)

    def unanswered(self, question: Question) -> list[int]:
        """Numbers of the votes that would have to be asked for."""
        key = self.key_of(question)
        return [number for number in range(1, question.votes + 1) if self._record(key, number) is None]

    def records(self, question: Question) -> list[VoteRecord]:
        key = self.key_of(question)
        found = (self._record(key, number) for number in range(1, question.votes + 1))
        return [record for record in found if record is not None]

    def add(self, record: VoteRecord) -> None:
        self._known[record.key, record.number] = record

    def _votes(self, key: str, count: int) -> tuple[Vote, ...]:
        found = (self._record(key, number) for number in range(1, count + 1))
        return tuple(record.vote for record in found if record is not None)

    def _record(self, key: str, number: int) -> VoteRecord | None:
        place = (key, number)
        if place not in self._known:
            record = self.recorded.get(place)
            if record is None and self.store is not None:
                data = self.store.load_vote(key, number)
                record = None if data is None else read_record(data, key, number)
            self._known[place] = record
        return self._known[place]
