"""`tool_called`: the agent calls a tool, so often, with such arguments."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from planner.checks.base import Expectation, FindingOutcome, Judgement, Missed, errored, failed, passed
from planner.checks.fields import Count, Positive
from planner.checks.tools import CallsOfTool, ToolCheck
from planner.checks.wording import counted


class Times(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    min: Count = Field(default=1, description="How often at least, by default once.")
    max: Positive | None = Field(default=None, description="How often at most.")

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        if self.max is not None and self.max < self.min:
            raise ValueError(f"`max` ({self.max}) is less than `min` ({self.min})")
        if self.max is None and self.min == 0:
            raise ValueError("`min: 0` without `max` always holds, so it checks nothing")
        return self


def _read_times(value: Any, parse: ValidatorFunctionWrapHandler) -> Any:
    """One sentence for the author, not a complaint from each way to write it."""
    if isinstance(value, dict):
        return Times.model_validate(value)
    if isinstance(value, int) and not isinstance(value, bool) and value == 0:
        raise ValueError("must be 1 or more: for no call at all use the check `tool_not_called`")
    try:
        return parse(value)
    except ValidationError as error:
        raise ValueError("must be a whole number of 1 or more, or {min: N, max: M}") from error


class ToolCalled(ToolCheck, frozen=True):
    """The agent calls a tool, at least once unless `times` says otherwise."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"check": "tool_called", "name": "lookup_order", "arguments": {"order_id": "A-17"}},
                {"check": "tool_called", "name": "issue_refund", "times": 1, "after": "verify_identity"},
            ]
        }
    )

    opposes = ("tool_called",)

    check: Literal["tool_called"] = Field(description="The kind of check.")
    times: Annotated[Positive | Times, WrapValidator(_read_times)] = Field(
        default=Times(),
        description="How often: exactly N, or {min: N, max: M}; by default at least once.",
        examples=[1, {"min": 1, "max": 3}],
    )

    @property
    def demands_calls(self) -> bool:
        """Whether it fails when the tool is not called."""
        return self.times.min > 0 if isinstance(self.times, Times) else True

    @property
    def bounds(self) -> tuple[int, int | None]:
        """How often at least, and at most."""
        return (self.times, self.times) if isinstance(self.times, int) else (self.times.min, self.times.max)

    def contradicts(self, other: Expectation) -> str:
        if not isinstance(other, ToolCalled):
            return ""
        if other.name != self.name:
            return self._each_before(other)
        most, least = self.bounds[1], other.bounds[0]
        if most is None or most >= least:
            return ""
        if self.narrowed and self.narrowed != other.narrowed:
            return ""  # where it is not narrowed, the calls that the other one counts are among its own
        return (
            f"{self.shown_name} is to be called at most {counted(most, 'time')} and at least {counted(least, 'time')}"
        )

    def _each_before(self, other: ToolCalled) -> str:
        """The first call of the two comes after none of the other's, and the other's first then comes too late."""
        if not self.demands_calls or not other.demands_calls or (self.before, other.before) != (other.name, self.name):
            return ""
        return f"{self.shown_name} is to be called before {other.shown_name}, and {other.shown_name} before {self.shown_name}"

    def stands(self, outcome: FindingOutcome, missed: Missed) -> bool:
        return outcome is FindingOutcome.PASSED and self.bounds[1] is None and self.found_for_certain(missed)

    def judge_calls(self, calls: CallsOfTool) -> Judgement:
        least, most = self.bounds
        certain, possible = len(calls.fitting), len(calls.fitting) + len(calls.undecided)
        quote = calls.quote_of(calls.fitting[-1]) if calls.fitting else None
        if possible < least:
            why = calls.misfits[-1].why if calls.misfits else calls.told_tools()
            return failed(
                f"{self._found(calls)}, expected {_range(least, most)}; {why}", calls.quote_of_misfit or quote
            )
        if most is not None and certain > most:
            return failed(f"{self._found(calls)}, expected {_range(least, most)}", quote)
        if certain < least or (most is not None and possible > most):
            return errored(calls.untold())
        return passed(self._found(calls), quote)

    def _found(self, calls: CallsOfTool) -> str:
        made = len(calls.fitting) + len(calls.misfits) + len(calls.undecided)
        found = f"called {self.shown_name} {counted(made, 'time')}"
        return found if made == len(calls.fitting) else f"{found}, {len(calls.fitting)} of them as described"


def _range(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {least}"
    return f"exactly {least}" if least == most else f"{least} to {most}"
