"""`tool_called` and `tool_not_called`: which tools the agent calls, how often, and with which arguments."""

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from planner.checks.base import Count, Expectation, Missed, Name, PartsRead, Positive, check_order, examples
from planner.checks.judgement import FindingOutcome, Judgement, Quote, failed, passed, shown, undecided
from planner.checks.matching import ABSENT, Expected, ExpectedUnlessNull, Matcher
from planner.evidence import Evidence, ToolCall, Turn
from planner.quantities import count

_MOST_NAMES = 8


@dataclass(slots=True)
class CallsOfTool:
    """The calls of one tool, sorted by whether they match the expectation."""

    all_tools: Sequence[ToolCall]
    turns: Sequence[Turn]
    matching: list[ToolCall] = field(default_factory=list[ToolCall])
    others: list[tuple[ToolCall, str]] = field(default_factory=list[tuple[ToolCall, str]])
    """With the reason why each does not match."""
    undecided: list[ToolCall] = field(default_factory=list[ToolCall])
    """Calls whose arguments or results the service did not provide."""

    def quote_of(self, call: ToolCall) -> Quote | None:
        return Quote.at(call.turn, self.turns)

    def why_undecided(self) -> str:
        calls = self.undecided
        what = "results" if all(call.has_arguments for call in calls) else "arguments"
        name = shown_name(calls[0].name)
        return f"the service gave no {what}: {count(len(calls), 'call')} of {name} cannot be decided"

    def tool_names(self) -> str:
        """`tools called: create_return, lookup_order` or `no tool was called`."""
        names = list(dict.fromkeys(shown_name(call.name) for call in self.all_tools))
        if not names:
            return "no tool was called"
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        return f"tools called: {', '.join(names[:_MOST_NAMES])}{more}"


def shown_name(name: str) -> str:
    """A tool's name, in quotes if it has unusual characters."""
    return name if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name) else shown(name)


class ToolCheck(Expectation, frozen=True):
    """The fields of `tool_called` and `tool_not_called`."""

    name: Name = Field(description="Name of the tool, as the agent calls it.", examples=["lookup_order"])
    arguments: dict[str, Expected] | None = Field(
        default=None,
        description=(
            "Expected arguments. Each is a value, or a matcher: {matches: …}, {any_of: […]} or {exists: true}. Other "
            "arguments are accepted unless `exact: true`. An object whose only key could be a matcher's is an error: "
            "if you mean the object, write {any_of: [{min: 3}]}."
        ),
        examples=[{"order_id": "A-17", "reason": {"matches": "late|delayed"}, "note": {"exists": False}}],
    )
    exact: bool = Field(default=False, description="Reject arguments (and keys within them) that are not listed here.")
    result: ExpectedUnlessNull = Field(
        default=None,
        description=(
            "What the tool answers: a value or a matcher, as in `arguments`; {any_of: [null]} for null. Undecided if "
            "the service does not show, by id, name or number, which call an answer belongs to."
        ),
        examples=[{"matches": "refunded"}, {"status": "ok"}],
    )
    after: Name | None = Field(
        default=None, description="Counts only calls made when this other tool had already been called."
    )
    before: Name | None = Field(
        default=None, description="Counts only calls made when this other tool had not yet been called."
    )

    @field_validator("after", "before")
    @classmethod
    def _another_tool(cls, other: str | None, info: ValidationInfo) -> str | None:
        if other is not None and other == info.data.get("name"):
            raise ValueError("must be a different tool from `name`")
        return other

    @field_validator("result")
    @classmethod
    def _not_null(cls, result: JsonValue) -> JsonValue:
        if result is None:  # written: a default is not validated
            raise ValueError("null has no effect here: to expect null write `{any_of: [null]}`")
        return result

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        if self.exact and self.arguments is None:
            raise ValueError("`exact: true` needs `arguments`: write `arguments: {}` to allow none")
        if self.after is not None and self.after == self.before:
            raise ValueError("`after` and `before` name the same tool, so no call can match")
        return self

    @property
    def named_tools(self) -> Sequence[str]:
        return [name for name in (self.name, self.after, self.before) if name is not None]

    @property
    def named_arguments(self) -> Sequence[tuple[str, str]]:
        wanted = self.arguments or {}
        return [(self.name, name) for name, matcher in wanted.items() if matcher != {"exists": False}]

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.tools is None:
            return undecided("the service gave no record of tool calls")
        if not evidence.tools and evidence.turns == ():
            return undecided("the transcript is empty, so it is unknown which tools were called")
        return self.judge_calls(self._sort(evidence.tools, evidence.turns or ()))

    @abstractmethod
    def judge_calls(self, calls: CallsOfTool) -> Judgement:
        """Judge the recorded calls of the tool."""

    def reads(self, evidence: Evidence, missed: Missed) -> PartsRead:
        del evidence, missed
        return frozenset({"tools"} if self.result is None else {"tools", "results"})

    def match_is_certain(self, missed: Missed) -> bool:
        """Whether matching calls match although the evidence is incomplete. Unread arguments may appear as none."""
        any_result = not self.exact and (not self.arguments or self._arguments.mismatch({}, "") is not None)
        return missed is Missed.UNREAD and any_result and self.result is None and self.before is None

    @property
    def _arguments(self) -> Matcher:
        return Matcher(self.arguments or {}, self.exact, is_object=True)

    def _sort(self, tools: Sequence[ToolCall], turns: Sequence[Turn]) -> CallsOfTool:
        calls = CallsOfTool(tools, turns)
        called: set[str] = set()
        # If the service has the result of one tool call it has them all, so a call without one was not answered.
        no_results = self.result is not None and not any(call.has_result for call in tools)
        for call in tools:
            if call.name == self.name:
                why = self._mismatch(call, called) or (None if no_results else self._wrong_result(call))
                if why is not None:
                    calls.others.append((call, why))
                elif no_results or not self._knows_arguments(call):
                    calls.undecided.append(call)
                else:
                    calls.matching.append(call)
            called.add(call.name)
        return calls

    def _knows_arguments(self, call: ToolCall) -> bool:
        return call.has_arguments or self.arguments is None or (not self.arguments and not self.exact)

    def _mismatch(self, call: ToolCall, called: set[str]) -> str | None:
        """Why a call does not match; `called` are the tools called before it."""
        if self.after is not None and self.after not in called:
            return f"{shown_name(self.after)} had not been called before"
        if self.before is not None and self.before in called:
            return f"{shown_name(self.before)} had already been called"
        return self._arguments.mismatch(call.arguments, "") if self._knows_arguments(call) else None

    def _wrong_result(self, call: ToolCall) -> str | None:
        if self.result is None:
            return None
        return Matcher(self.result).mismatch(call.result if call.has_result else ABSENT, "the result")


class Times(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    min: Count = Field(default=1, description="Minimum number of calls; by default 1.")
    max: Positive | None = Field(default=None, description="Maximum number of calls.")

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        check_order(self, "min", "max")
        if self.max is None and self.min == 0:
            raise ValueError("`min: 0` without `max` always holds, so it checks nothing")
        return self


def _read_times(value: Any, parse: ValidatorFunctionWrapHandler) -> Any:
    """One message instead of one for each way to write it."""
    if isinstance(value, dict):
        return Times.model_validate(value)
    if isinstance(value, int) and not isinstance(value, bool) and value == 0:
        raise ValueError("must be 1 or more: for no call at all use the check `tool_not_called`")
    try:
        return parse(value)
    except ValidationError as error:
        raise ValueError("must be an integer of 1 or more, or {min: N, max: M}") from error


class ToolCalled(ToolCheck, frozen=True):
    """The agent calls a tool, at least once unless `times` says otherwise."""

    model_config = examples(
        {"check": "tool_called", "name": "lookup_order", "arguments": {"order_id": "A-17"}},
        {"check": "tool_called", "name": "issue_refund", "times": 1, "after": "verify_identity"},
    )
    caller_can_cause_failure = True

    check: Literal["tool_called"] = Field(description="The kind of check.")
    times: Annotated[Positive | Times, WrapValidator(_read_times)] = Field(
        default=Times(),
        description="How often: exactly N, or {min: N, max: M}; by default at least once.",
        examples=[1, {"min": 1, "max": 3}],
    )

    @property
    def bounds(self) -> tuple[int, int | None]:
        """How often at least, and at most."""
        return (self.times, self.times) if isinstance(self.times, int) else (self.times.min, self.times.max)

    def is_certain(self, outcome: FindingOutcome, missed: Missed) -> bool:
        return outcome is FindingOutcome.PASSED and self.bounds[1] is None and self.match_is_certain(missed)

    def judge_calls(self, calls: CallsOfTool) -> Judgement:
        least, most = self.bounds
        certain, possible = len(calls.matching), len(calls.matching) + len(calls.undecided)
        made = possible + len(calls.others)
        found = f"called {shown_name(self.name)} {count(made, 'time')}"
        if made > certain:
            found = f"{found}, {certain} of them as described"
        quote = calls.quote_of(calls.matching[-1]) if calls.matching else None
        if possible < least:
            call, why = calls.others[-1] if calls.others else (None, calls.tool_names())
            return failed(f"{found}, expected {_range(least, most)}; {why}", (call and calls.quote_of(call)) or quote)
        if most is not None and certain > most:
            return failed(f"{found}, expected {_range(least, most)}", quote)
        if certain < least or (most is not None and possible > most):
            return undecided(calls.why_undecided())
        return passed(found, quote)


def _range(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {least}"
    return f"exactly {least}" if least == most else f"{least} to {most}"


class ToolNotCalled(ToolCheck, frozen=True):
    """The agent makes no call that matches all given fields; other calls of the tool are accepted."""

    model_config = examples(
        {"check": "tool_not_called", "name": "issue_refund"},
        {"check": "tool_not_called", "name": "issue_refund", "before": "verify_identity"},
    )
    caller_can_cause_failure = False

    check: Literal["tool_not_called"] = Field(description="The kind of check.")

    def is_certain(self, outcome: FindingOutcome, missed: Missed) -> bool:
        return outcome is FindingOutcome.FAILED and self.match_is_certain(missed)

    def judge_calls(self, calls: CallsOfTool) -> Judgement:
        name = shown_name(self.name)
        if calls.matching:
            call = calls.matching[0]
            place = f" at turn {call.turn}" if call.turn is not None else ""
            return failed(f"called {name}{place} with {shown(call.arguments)}", calls.quote_of(call))
        if calls.undecided:
            return undecided(calls.why_undecided())
        if calls.others:
            return passed(f"called {name} {count(len(calls.others), 'time')}, never in this way")
        return passed(f"never called {name}; {calls.tool_names()}")
