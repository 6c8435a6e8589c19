"""What `tool_called` and `tool_not_called` share: which calls of a tool are meant."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from pydantic import Field, JsonValue, ValidationInfo, field_validator, model_validator

from planner.checks.base import Expectation, Judgement, Missed, PartsRead, Quote, errored
from planner.checks.fields import Name
from planner.checks.matching import ABSENT, Expected, ExpectedUnlessNull, Fields, Matcher, read_fields, read_matcher
from planner.checks.wording import counted, shown
from planner.evidence import Evidence, ToolCall, Turn

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MOST_NAMES = 8


@dataclass(frozen=True, slots=True)
class Misfit:
    """A call of the tool that is not one of those meant, and why not."""

    call: ToolCall
    why: str


@dataclass(frozen=True, slots=True)
class CallsOfTool:
    """The calls of one tool on one call, sorted by whether they are meant."""

    fitting: Sequence[ToolCall]
    misfits: Sequence[Misfit]
    undecided: Sequence[ToolCall]
    """Meant if what the service does not tell of them, their arguments or their results, is as expected."""
    all_tools: Sequence[ToolCall]
    turns: Sequence[Turn]

    def quote_of(self, call: ToolCall) -> Quote | None:
        return next((Quote.of(turn) for turn in self.turns if turn.number == call.turn), None)

    @property
    def quote_of_misfit(self) -> Quote | None:
        return self.quote_of(self.misfits[-1].call) if self.misfits else None

    def untold(self) -> str:
        """What the service does not tell of those undecided."""
        calls = self.undecided
        what = "results" if all(call.arguments_told for call in calls) else "arguments"
        return f"the service tells no {what}: {counted(len(calls), 'call')} of {shown_name(calls[0].name)} cannot be decided"

    def told_tools(self) -> str:
        """`tools called: create_return, lookup_order` or `no tool was called`."""
        names = list(dict.fromkeys(shown_name(call.name) for call in self.all_tools))
        if not names:
            return "no tool was called"
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        return f"tools called: {', '.join(names[:_MOST_NAMES])}{more}"


def shown_name(name: str) -> str:
    """A tool's name as it is, unless the call put something else in its place."""
    return name if _PLAIN_NAME.fullmatch(name) else shown(name)


class ToolCheck(Expectation, frozen=True):
    """The fields of `tool_called` and `tool_not_called`."""

    name: Name = Field(description="Name of the tool, as the agent calls it.", examples=["lookup_order"])
    arguments: dict[str, Expected] | None = Field(
        default=None,
        description=(
            "Arguments the call is made with: a value, or {matches: …}, {any_of: […]} or {exists: true} in place of one. "
            "Further arguments are welcome unless `exact: true`. An object with one key that looks like a matcher's is refused; "
            "{any_of: [{min: 3}]} says that it is meant."
        ),
        examples=[{"order_id": "A-17", "reason": {"matches": "late|delayed"}, "note": {"exists": False}}],
    )
    exact: bool = Field(
        default=False, description="Whether arguments (and keys within them) not written here are unwelcome."
    )
    result: ExpectedUnlessNull = Field(
        default=None,
        description=(
            "What the tool answers: a value or a matcher, as in `arguments`; {any_of: [null]} for null. Undecided where the service tells neither by id, "
            "nor by name, nor by as many answers as calls whose answer it is."
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
            raise ValueError("must be another tool than `name`")
        return other

    @field_validator("result")
    @classmethod
    def _not_null(cls, result: JsonValue) -> JsonValue:
        if result is None:  # as written: a default is not validated
            raise ValueError("null asks nothing here: for an answer of null write `{any_of: [null]}`")
        return result

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        if self.exact and self.arguments is None:
            raise ValueError("`exact: true` needs `arguments`: write `arguments: {}` to allow none")
        if self.after is not None and self.after == self.before:
            raise ValueError("`after` and `before` name the same tool, so no call can be meant")
        return self

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.tools is None:
            return errored("the service gave no record of tool calls")
        if not evidence.tools and evidence.turns == ():
            return errored("the transcript is empty: whether a tool was called cannot be told")
        return self.judge_calls(self._sort(evidence.tools, evidence.turns or ()))

    @abstractmethod
    def judge_calls(self, calls: CallsOfTool) -> Judgement:
        """Judge the calls of the tool that the evidence knows of."""

    def reads(self, evidence: Evidence, missed: Missed) -> PartsRead:
        del evidence, missed
        return frozenset({"tools"} if self.result is None else {"tools", "results"})

    def found_for_certain(self, missed: Missed) -> bool:
        """Whether calls that fit still do, whatever was missed: of what was not read, arguments may be told as none."""
        told = not self.exact and (not self.arguments or self._arguments.mismatch({}, "") is not None)
        return missed is Missed.UNREAD and told and self.result is None and self.before is None

    @property
    def narrowed(self) -> dict[str, object]:
        """What is asked of a call besides the tool's name."""
        return self.model_dump(include={"arguments", "exact", "result", "after", "before"}, exclude_defaults=True)

    @property
    def shown_name(self) -> str:
        return shown_name(self.name)

    @cached_property
    def _arguments(self) -> Fields:
        return read_fields(self.arguments or {}, exact=self.exact)

    @cached_property
    def _result(self) -> Matcher | None:
        return None if self.result is None else read_matcher(self.result)

    def _sort(self, tools: Sequence[ToolCall], turns: Sequence[Turn]) -> CallsOfTool:
        fitting: list[ToolCall] = []
        misfits: list[Misfit] = []
        undecided: list[ToolCall] = []
        called: set[str] = set()
        # A service that tells the result of one tool call tells them all: one without was not answered.
        untold = self._result is not None and not any(call.has_result for call in tools)
        for call in tools:
            if call.name == self.name:
                if (why := self._misfit(call, called) or (None if untold else self._wrong_result(call))) is not None:
                    misfits.append(Misfit(call, why))
                elif untold or not self._tells_arguments(call):
                    undecided.append(call)
                else:
                    fitting.append(call)
            called.add(call.name)
        return CallsOfTool(fitting, misfits, undecided, tools, turns)

    def _tells_arguments(self, call: ToolCall) -> bool:
        return call.arguments_told or self.arguments is None or (not self.arguments and not self.exact)

    def _misfit(self, call: ToolCall, called: set[str]) -> str | None:
        """Why a call is not meant; `called` are the tools called before it."""
        if self.after is not None and self.after not in called:
            return f"{shown_name(self.after)} had not been called before"
        if self.before is not None and self.before in called:
            return f"{shown_name(self.before)} had already been called"
        return self._arguments.mismatch(call.arguments, "") if self._tells_arguments(call) else None

    def _wrong_result(self, call: ToolCall) -> str | None:
        if self._result is None:
            return None
        return self._result.mismatch(call.result if call.has_result else ABSENT, "the result")
