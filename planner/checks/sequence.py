"""`sequence`: things happen in this order."""

from __future__ import annotations

from collections.abc import Sequence as Several
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from planner.checks.base import Doubt, Expectation, Judgement, errored, failed, passed
from planner.checks.fields import Name
from planner.checks.never_says import NeverSays
from planner.checks.speech import Words
from planner.checks.tool_called import ToolCalled
from planner.checks.tool_not_called import ToolNotCalled
from planner.checks.tools import shown_name
from planner.checks.utterances import Place, quote_of, utterances_of
from planner.checks.wording import counted, listed, shown
from planner.evidence import Evidence, Turn

_BEGINNING: Place = (0, 0)


class Step(BaseModel):
    """One thing that happens: something is said, or a tool is called."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    says: Words | None = Field(
        default=None, description="Words of a speaker, with the fields of `says` but `in` and the counts."
    )
    tool: Name | None = Field(default=None, description="Name of a tool the agent calls.")

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if (self.says is None) is (self.tool is None):
            raise ValueError("a step is either {says: {any_of: […]}} or {tool: name}")
        return self

    def told(self) -> str:
        if self.says is None:
            return f"the call of {shown_name(self.tool or '')}"
        said = listed([sought.told() for sought in self.says.sought])
        return f"{self.says.subject}saying {said}".strip()


def _at_least_two(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    if len(steps) < 2:
        raise ValueError("needs at least two steps: one alone has no order")
    return steps


@dataclass(frozen=True, slots=True)
class Happened:
    """A step that was found: told as in `said "refund" at turn 3`, and where it is over."""

    told: str
    turns: tuple[Turn, ...]
    over: Place


class Sequence(Expectation, frozen=True):
    """These things happen in this order, whatever else happens between them.

    A step counts from where the step before it was over: in a later turn, or later in the same turn. What is said before,
    or again later, does not matter. Words may be split over consecutive turns of one speaker, also around a tool call.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "check": "sequence",
                    "steps": [
                        {"says": {"any_of": ["this call is recorded", "call may be recorded"]}},
                        {"tool": "verify_identity"},
                        {"says": {"who": "agent", "matches": "(?i)refund"}},
                    ],
                }
            ]
        }
    )

    version: ClassVar[int] = 8  # as `says`
    opposes = ("never_says", "tool_called", "tool_not_called")

    looks_at = frozenset({"turns", "tools"})

    check: Literal["sequence"] = Field(description="The kind of check.")
    steps: Annotated[tuple[Step, ...], AfterValidator(_at_least_two), Field(json_schema_extra={"minItems": 2})] = Field(
        description="What happens, in order: {says: …} with the fields of `says`, or {tool: name}.",
        examples=[[{"says": {"any_of": ["may I have your name"]}}, {"tool": "lookup_customer"}]],
    )

    def doubts(self) -> Several[Doubt]:
        steps = [(index, step.says) for index, step in enumerate(self.steps) if step.says is not None]
        return [
            replace(doubt, route=("steps", index, "says", *doubt.route))
            for index, says in steps
            for doubt in says.doubts()
        ]

    def contradicts(self, other: Expectation) -> str:
        match other:
            case NeverSays():
                said = [(number, step.says) for number, step in enumerate(self.steps, start=1) if step.says is not None]
                whys = [(number, why) for number, words in said if (why := other.forbids(words, "any"))]
                return f"of step {whys[0][0]}, {whys[0][1]}" if whys else ""
            case ToolNotCalled():
                return self._calls_unwanted(other)
            case ToolCalled(bounds=(_, int(most))) if not other.narrowed:
                times = sum(step.tool == other.name for step in self.steps)
                told = f"{other.shown_name} is to be called at most {counted(most, 'time')}, and {times} steps are calls of it"
                return told if times > most else ""  # each is of a later turn than the one before
            case _:
                return ""

    def _calls_unwanted(self, other: ToolNotCalled) -> str:
        tools = [step.tool for step in self.steps if step.tool is not None]
        if other.name not in tools:
            return ""
        if not other.narrowed:
            return f"{other.shown_name} is to be called and not to be called"
        last = len(tools) - 1 - tools[::-1].index(other.name)
        if other.narrowed == {"after": other.after} and other.after in tools[:last]:
            return f"{other.shown_name} is to be called after {shown_name(other.after or '')}, and not to be"
        return ""

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.turns is None:
            return errored("the service gave no transcript")
        if not evidence.turns:
            return errored("the transcript is empty: what happened cannot be told")
        done: list[Happened] = []
        for number, step in enumerate(self.steps, start=1):
            since = done[-1].over if done else _BEGINNING
            happened = _find(step, evidence, since)
            if isinstance(happened, Judgement):
                return happened
            if happened is None:
                return self._missing(number, step, done, evidence)
            done.append(happened)
        return passed(f"in this order: {', '.join(step.told for step in done)}", quote_of(done[-1].turns))

    def _missing(self, number: int, step: Step, done: Several[Happened], evidence: Evidence) -> Judgement:
        told = f"step {number} of {len(self.steps)}, {step.told()}, did not happen"
        if not done:
            return failed(told)
        told = f"{told} after step {number - 1} ({done[-1].told})"
        earlier = _find(step, evidence, _BEGINNING)
        if isinstance(earlier, Happened):
            return failed(f"{told}, only before: {earlier.told}", quote_of(earlier.turns))
        return failed(told, quote_of(done[-1].turns))


def _find(step: Step, evidence: Evidence, since: Place) -> Happened | Judgement | None:
    """Where the step happens first; an errored judgement where that cannot be told."""
    turns = evidence.turns or ()
    return _find_words(step.says, turns, since) if step.says is not None else _find_call(step.tool, evidence, since)


def _find_words(words: Words, turns: Several[Turn], since: Place) -> Happened | None:
    """Each thing sought at its first place; the step is over when all were said."""
    said: list[Happened] = []
    spoken = [each for each in utterances_of(turns) if words.who in ("any", each.role.value)]
    for sought in words.sought:
        first = next(
            (
                Happened(f"{words.subject}said {shown(found.words)} {found.place}", found.turns, found.end)
                for utterance in spoken
                if utterance.turns[-1].number >= since[0]
                for found in utterance.find(sought)
                if found.start >= since
            ),
            None,
        )
        if first is None:
            return None
        said.append(first)
    last = max(said, key=lambda happened: happened.over)
    return Happened(" and ".join(happened.told for happened in said), last.turns, last.over)


def _find_call(tool: str | None, evidence: Evidence, since: Place) -> Happened | Judgement | None:
    if evidence.tools is None:
        return errored("the service gave no record of tool calls")
    calls = [call for call in evidence.tools if call.name == tool]
    turns = {turn.number: turn for turn in evidence.turns or ()}
    for call in calls:
        if call.turn is not None and call.turn >= since[0]:
            told = f"called {shown_name(call.name)} at turn {call.turn}"
            return Happened(told, (turns[call.turn],), (call.turn + 1, 0))
    if any(call.turn is None for call in calls):
        return errored(f"the service does not tell when {shown_name(tool or '')} was called")
    return None
