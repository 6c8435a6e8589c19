"""Labelled transcripts: what people say of a rubric on a fixed conversation. A file has one JSON object a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.checks.judge import MAX_RUBRIC
from planner.checks.opinions import Question, Verdict
from planner.errors import UsageError
from planner.evidence import Role, Turn
from planner.judge.votes import transcript_digest
from planner.values import frozen

MAX_LABELS: Final = 2_000
_Said = Annotated[dict[Literal["agent", "caller", "tool"], str], Field(min_length=1, max_length=1)]


class Label(BaseModel):
    """One line of the file: somebody's verdict on one rubric. `turns` are who said what, in order."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    rubric: str = Field(min_length=1, max_length=MAX_RUBRIC)
    verdict: Verdict
    by: str = ""
    turns: tuple[_Said, ...] = Field(min_length=1)

    @classmethod
    def of(cls, rubric: str, turns: Sequence[Turn], verdict: Verdict, by: str) -> Label:
        said: tuple[_Said, ...] = tuple({turn.role.value: turn.text} for turn in turns)
        return cls(rubric=rubric, verdict=verdict, by=by, turns=said)

    @property
    def question(self) -> Question:
        said = [pair for turn in self.turns for pair in turn.items()]
        turns = tuple(Turn(number=number, role=Role(role), text=text) for number, (role, text) in enumerate(said, 1))
        return Question(self.rubric.strip(), turns, votes=1)

    def to_line(self) -> str:
        return f"{self.model_dump_json()}\n"


@frozen
class Labelled:
    """A question, and the verdict that people agree on: None if they contradict each other."""

    question: Question
    verdict: Verdict | None


def read_labels(data: bytes, name: str) -> tuple[Label, ...]:
    """The labels of the file called `name`. Raises `UsageError` if one is invalid."""
    labels: list[Label] = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            label = Label.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the line"
            raise UsageError(
                f"{name}:{number} is not a label: {place}: {first['msg']}",
                "A line is one JSON object with rubric, verdict (holds, does_not_hold, cannot_tell) and turns; "
                "`planner judge label` writes them.",
            ) from error
        if not any(turn.role is not Role.TOOL and turn.text.strip() for turn in label.question.turns):
            raise UsageError(f"{name}:{number} has a transcript in which nobody speaks", "Remove the line.")
        labels.append(label)
    if len(labels) > MAX_LABELS:
        raise UsageError(f"{name} has {len(labels):,} labels, at most {MAX_LABELS:,} are read", "Remove some.")
    return tuple(labels)


def question_id(question: Question) -> str:
    """Equal for equal rubrics on equal conversations."""
    return f"{question.rubric}\n{transcript_digest(question.turns)}"


def settled(labels: Iterable[Label]) -> list[Labelled]:
    """Each question once, with the verdict of most people. A person's newest label counts."""
    by_question: dict[str, dict[str, Label]] = {}
    for label in labels:
        by_question.setdefault(question_id(label.question), {})[label.by] = label
    return [_settled([*by_person.values()]) for by_person in by_question.values()]


def _settled(labels: Sequence[Label]) -> Labelled:
    (verdict, times), *_ = Counter(label.verdict for label in labels).most_common()
    return Labelled(labels[0].question, verdict if 2 * times > len(labels) else None)
