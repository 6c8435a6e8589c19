"""Votes by question: those that are stored, those given meanwhile, and why others are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.checks.opinions import Ballot, Question
from planner.judging.prompt import question_key
from planner.judging.recorded import RecordedAnswers
from planner.judging.records import VoteRecord, VoteStore, read_record


@dataclass(slots=True)
class Ballots:
    """Called with a question, it answers as `planner.checks.opinions.Ask`: from what is known, asking nobody.

    `recorded` are answers of a file, `world` those of a sandbox world; both come first. `missing` says why votes that are not there were not asked for;
    `problems`, by question, why asking brought none.
    """

    model: str
    store: VoteStore | None
    recorded: Mapping[tuple[str, int], VoteRecord] = field(default_factory=dict[tuple[str, int], VoteRecord])
    world: RecordedAnswers | None = None
    missing: str = "no language model was asked"
    problems: dict[str, str] = field(default_factory=dict[str, str])
    _known: dict[tuple[str, int], VoteRecord | None] = field(default_factory=dict[tuple[str, int], VoteRecord | None])

    def __call__(self, question: Question) -> Ballot:
        key = self.key_of(question)
        votes = tuple(record.vote for record in self.records(question))
        if len(votes) == question.votes:
            return Ballot(votes)
        if self.world is not None:
            return Ballot(votes, self.world.missing(question), is_final=True)
        return Ballot(votes, self.problems.get(key, self.missing))

    def key_of(self, question: Question) -> str:
        return question_key(question, self.model)

    def unanswered(self, question: Question) -> list[int]:
        """Numbers of the votes that would have to be asked for."""
        key = self.key_of(question)
        return [number for number in range(1, question.votes + 1) if self._record(question, key, number) is None]

    def records(self, question: Question) -> list[VoteRecord]:
        key = self.key_of(question)
        found = (self._record(question, key, number) for number in range(1, question.votes + 1))
        return [record for record in found if record is not None]

    def add(self, record: VoteRecord) -> None:
        self._known[record.key, record.number] = record

    def _record(self, question: Question, key: str, number: int) -> VoteRecord | None:
        place = (key, number)
        if place not in self._known:
            record = self.recorded.get(place)
            if record is None and self.world is not None and (vote := self.world.find(question, number)) is not None:
                record = VoteRecord.of(vote, key, number, self.model)
            if record is None and self.store is not None:
                data = self.store.load_vote(key, number)
                record = None if data is None else read_record(data, key, number)
            self._known[place] = record
        return self._known[place]
