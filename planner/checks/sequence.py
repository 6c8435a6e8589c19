"""`sequence`: things happen in this order."""

from collections.abc import Sequence as Several
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from planner.checks.base import Expectation, Lint, Name, at_least, examples
from planner.checks.judgement import FindingOutcome, Judgement, failed, listed, passed, shown, undecided
from planner.checks.speech import Words
from planner.checks.tools import shown_name
from planner.checks.utterances import WordPosition, quote_of, utterances_of
from planner.evidence import Evidence, Turn
from planner.values import frozen

_BEGINNING: WordPosition = (0, 0)


class Step(BaseModel):
    """One event: something is said, or a tool is called."""

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

    def describe(self) -> str:
        if self.says is None:
            return f"the call of {shown_name(self.tool or '')}"
        said = listed([str(sought) for sought in self.says.sought])
        return f"{self.says.subject}saying {said}"


@frozen
class _Event:
    """Where a step was found. `what` is such as `said "refund" at turn 3`."""

    what: str
    turns: tuple[Turn, ...]
    end: WordPosition


class Sequence(Expectation, frozen=True):
    """These things happen in this order; other things may happen in between.

    A step counts from the end of the step before it, also within a turn. Words may be split over consecutive turns of
    one speaker.
    """

    model_config = examples(
        {
            "check": "sequence",
            "steps": [
                {"says": {"any_of": ["this call is recorded", "call may be recorded"]}},
                {"tool": "verify_identity"},
                {"says": {"who": "agent", "matches": "(?i)refund"}},
            ],
        }
    )
    version: ClassVar[int] = 12  # `spoken` reads decades and quarters of years
    looks_at = frozenset({"turns", "tools"})
    caller_can_cause_failure = True

    check: Literal["sequence"] = Field(description="The kind of check.")
    steps: Annotated[
        tuple[Step, ...],
        at_least(2, "needs at least two steps: one alone has no order"),
        Field(json_schema_extra={"minItems": 2}),
    ] = Field(
        description="What happens, in order: {says: …} with the fields of `says`, or {tool: name}.",
        examples=[[{"says": {"any_of": ["may I have your name"]}}, {"tool": "lookup_customer"}]],
    )

    @property
    def named_tools(self) -> Several[str]:
        return [step.tool for step in self.steps if step.tool is not None]

    def lints(self) -> Several[Lint]:
        return [
            replace(lint, route=("steps", index, "says", *lint.route))
            for index, step in enumerate(self.steps)
            if step.says is not None
            for lint in step.says.lints()
        ]

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.turns is None:
            return undecided("the service gave no transcript")
        if not evidence.turns:
            return undecided("the transcript is empty, so it is unknown what happened")
        judgement = _in_order(self.steps, evidence)
        if judgement.outcome is not FindingOutcome.FAILED:
            return judgement
        speakers = {each.role.value for each in utterances_of(evidence.turns)}
        heard = [step for step in self.steps if step.says is None or not speakers.isdisjoint(step.says.speakers)]
        if len(heard) == len(self.steps):
            return judgement
        if heard and _in_order(heard, evidence).outcome is FindingOutcome.FAILED:
            return judgement
        if not speakers:
            return undecided("the transcript has no speech")
        silent = "caller" if "agent" in speakers else "agent"
        return replace(judgement, message=f"{judgement.message}; the {silent} has no turn", is_silence=True)


def _in_order(steps: Several[Step], evidence: Evidence) -> Judgement:
    """Passed if these steps happen in this order."""
    done: list[_Event] = []
    for number, step in enumerate(steps, start=1):
        event = _find(step, evidence, done[-1].end if done else _BEGINNING)
        if isinstance(event, Judgement):
            return event
        if event is None:
            what = f"step {number} of {len(steps)}, {step.describe()}, did not happen"
            return _missing(what, step, done, evidence)
        done.append(event)
    return passed(f"in this order: {', '.join(event.what for event in done)}", quote_of(done[-1].turns))


def _missing(found: str, step: Step, done: Several[_Event], evidence: Evidence) -> Judgement:
    if not done:
        return failed(found)
    found = f"{found} after step {len(done)} ({done[-1].what})"
    earlier = _find(step, evidence, _BEGINNING)
    if isinstance(earlier, _Event):
        return failed(f"{found}, only before: {earlier.what}", quote_of(earlier.turns))
    return failed(found, quote_of(done[-1].turns))


def _find(step: Step, evidence: Evidence, since: WordPosition) -> _Event | Judgement | None:
    """The first time the step happens; an undecided judgement if that is unknown."""
    if step.says is not None:
        return _find_words(step.says, evidence.turns or (), since)
    if evidence.tools is None:
        return undecided("the service gave no record of tool calls")
    calls = [call for call in evidence.tools if call.name == step.tool]
    name = shown_name(step.tool or "")
    turns = {turn.number: turn for turn in evidence.turns or ()}
    for call in calls:
        if call.turn is not None and call.turn >= since[0]:
            return _Event(f"called {name} at turn {call.turn}", (turns[call.turn],), (call.turn + 1, 0))
    if any(call.turn is None for call in calls):
        return undecided(f"the service does not say when {name} was called")
    return None


def _find_words(words: Words, turns: Several[Turn], since: WordPosition) -> _Event | None:
    """The first place of each phrase; the step ends where the last of them does."""
    events: list[_Event] = []
    spoken = [each for each in utterances_of(turns) if words.who in ("any", each.role.value)]
    for sought in words.sought:
        found = (
            occurrence
            for utterance in spoken
            if utterance.turns[-1].number >= since[0]
            for occurrence in utterance.find(sought)
            if occurrence.start >= since
        )
        first = next(found, None)
        if first is None:
            return None
        events.append(_Event(f"{words.subject}said {shown(first.words)} {first.place}", first.turns, first.end))
    last = max(events, key=lambda event: event.end)
    return _Event(" and ".join(event.what for event in events), last.turns, last.end)
