"""`tool_not_called`: the agent does not call a tool, or not in this way."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from planner.checks.base import Expectation, FindingOutcome, Judgement, Missed, errored, failed, passed
from planner.checks.tool_called import ToolCalled
from planner.checks.tools import CallsOfTool, ToolCheck
from planner.checks.wording import counted, shown


class ToolNotCalled(ToolCheck, frozen=True):
    """The agent makes no call that fits all that is written; other calls of the tool are welcome."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"check": "tool_not_called", "name": "issue_refund"},
                {"check": "tool_not_called", "name": "issue_refund", "before": "verify_identity"},
            ]
        }
    )

    opposes = ("tool_called",)

    check: Literal["tool_not_called"] = Field(description="The kind of check.")

    def contradicts(self, other: Expectation) -> str:
        if not isinstance(other, ToolCalled) or not other.demands_calls:
            return ""
        if not self.narrowed and other.after == self.name:
            return f"{other.shown_name} is to be called after {self.shown_name}, which is not to be called"
        if other.name != self.name:
            return ""
        if self.narrowed and self.narrowed != other.narrowed:
            return ""
        return f"{self.shown_name} is to be called and not to be called"

    def stands(self, outcome: FindingOutcome, missed: Missed) -> bool:
        return outcome is FindingOutcome.FAILED and self.found_for_certain(missed)

    def judge_calls(self, calls: CallsOfTool) -> Judgement:
        if calls.fitting:
            call = calls.fitting[0]
            place = f" at turn {call.turn}" if call.turn is not None else ""
            return failed(f"called {self.shown_name}{place} with {shown(call.arguments)}", calls.quote_of(call))
        if calls.undecided:
            return errored(calls.untold())
        if calls.misfits:
            return passed(f"called {self.shown_name} {counted(len(calls.misfits), 'time')}, never in this way")
        return passed(f"never called {self.shown_name}; {calls.told_tools()}")
