"""`call`: how the call went and how it ended."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from planner.checks.base import (
    Count,
    Expectation,
    Lint,
    Missed,
    Name,
    Names,
    PartsRead,
    Positive,
    check_given,
    check_order,
    examples,
    given,
    one_message,
    within,
)
from planner.checks.judgement import Judgement, all_hold, failed, listed, passed, shown, undecided
from planner.evidence import Call, Evidence, Role
from planner.quantities import count

_RENAMED: Final = {"ai_hangup": "agent_end", "user_hangup": "caller_hangup"}
"""End reasons that the service has renamed."""
_REASONS: Final = ("agent_end", "caller_hangup", "transfer", "timeout", "error", *_RENAMED)
"""The service's known reasons. It may use others, so only near misses are reported."""

NUMBER_NOT_NAMED: Final = "the call was transferred, but the service does not name the number"
"""Why `transferred_to` is undecided: another call would be, too."""


def end_reason_of(call: Call) -> str | None:
    """The reason in the service's current vocabulary."""
    return None if call.end_reason is None else _current(call.end_reason)


def status_of(call: Call) -> str | None:
    return None if call.status == "unknown" else call.status


def _current(end_reason: str) -> str:
    return _RENAMED.get(end_reason, end_reason)


class CallCheck(Expectation, frozen=True):
    """How the call went. All given fields must hold."""

    model_config = examples(
        {"check": "call", "status": "completed", "min_turns": 4},
        {"check": "call", "end_reason": ["agent_end", "caller_hangup"]},
        {"check": "call", "transferred_to": "+14155550142"},
    )
    version: ClassVar[int] = 2  # an unknown status is undecided
    caller_can_cause_failure = True

    check: Literal["call"] = Field(description="The kind of check.")
    status: Literal["completed"] | None = Field(
        default=None,
        description="The status of the call. A call that `failed` is the platform's fault and is not judged.",
    )
    end_reason: Annotated[Name | Names, one_message("must be a word or a list of words")] | None = Field(
        default=None,
        description="Why the call ended: one of the service's words, or a list of accepted ones.",
        examples=["agent_end", ["agent_end", "caller_hangup"]],
    )
    min_turns: Count | None = Field(
        default=None, description="Minimum number of turns, agent and caller together; tool calls are not turns."
    )
    max_turns: Positive | None = Field(default=None, description="Maximum number of turns, agent and caller together.")
    transferred_to: Name | None = Field(
        default=None,
        description=(
            "Where the call was transferred. A phone number may be written with or without spaces and dashes. "
            "Undecided if the service does not name the number, as with `--sandbox`: use `end_reason: transfer` there."
        ),
        examples=["+14155550142"],
    )

    @field_validator("status", mode="before")
    @classmethod
    def _is_judged(cls, status: Any) -> Any:
        if status == "failed":
            raise ValueError("this never holds: a call that failed is the platform's fault and is not judged")
        return status

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        check_given(self, "min_turns", "max_turns", "status", "end_reason", "transferred_to")
        check_order(self, "min_turns", "max_turns")
        return self

    @property
    def is_trivial(self) -> bool:
        return not given(self.end_reason, self.min_turns, self.max_turns, self.transferred_to)

    @property
    def _reasons(self) -> tuple[str, ...]:
        return (self.end_reason,) if isinstance(self.end_reason, str) else self.end_reason or ()

    def lints(self) -> Sequence[Lint]:
        found: list[Lint] = []
        for index, reason in enumerate(self._reasons):
            plain = re.sub(r"[\W_]+", "_", reason.strip().lower())
            if reason not in _REASONS and (near := get_close_matches(plain, _REASONS, cutoff=0.8)):
                route = ("end_reason",) if isinstance(self.end_reason, str) else ("end_reason", index)
                why = f"{shown(reason)} is not a known end reason; did you mean `{near[0]}`?"
                found.append(Lint(route, why, "near-miss"))
        return found

    def reads(self, evidence: Evidence, missed: Missed) -> PartsRead:
        del evidence
        # Redaction does not change the number of turns.
        counts = missed is Missed.UNREAD and given(self.min_turns, self.max_turns)
        return frozenset({"transferred_to", "turns"} if counts else {"transferred_to"})

    def judge(self, evidence: Evidence) -> Judgement:
        call = evidence.call
        if call is None:
            return undecided("no call was made")
        conditions: list[Judgement] = []
        if self.status is not None:
            conditions.append(_judge_status(call, self.status))
        if self.end_reason is not None:
            conditions.append(self._judge_end(call))
        if given(self.min_turns, self.max_turns):
            conditions.append(self._judge_turns(evidence))
        if self.transferred_to is not None:
            conditions.append(_judge_transfer(call, self.transferred_to))
        return all_hold(conditions)

    def _judge_end(self, call: Call) -> Judgement:
        reason = end_reason_of(call)
        if reason is None:
            return undecided("the service did not say why the call ended")
        expected = listed([shown(each) for each in self._reasons], "or")
        return _is(f"ended with {shown(reason)}", reason in map(_current, self._reasons), expected)

    def _judge_turns(self, evidence: Evidence) -> Judgement:
        if evidence.turns is None:
            return undecided("the service gave no transcript to count turns in")
        turns = sum(turn.role is not Role.TOOL for turn in evidence.turns)
        if not turns:
            return undecided("the transcript is empty, so the number of turns is unknown")
        return within(f"had {count(turns, 'turn')}", turns, (self.min_turns, self.max_turns))


def _is(found: str, holds: bool, expected: str) -> Judgement:
    return passed(found) if holds else failed(f"{found}, expected {expected}")


def _judge_status(call: Call, expected: str) -> Judgement:
    if status_of(call) in (None, "in_progress"):
        return undecided("the service did not say how the call ended")
    return _is(f"the call {call.status}", call.status == expected, expected)


def _judge_transfer(call: Call, expected: str) -> Judgement:
    if call.transferred_to is not None:
        same = _address(call.transferred_to) == _address(expected)
        return _is(f"was transferred to {shown(call.transferred_to)}", same, shown(expected))
    reason = end_reason_of(call)
    if reason == "transfer":
        return undecided(NUMBER_NOT_NAMED)
    if reason is None:
        return undecided("the service did not say where the call was transferred")
    return failed(f"was not transferred: it ended with {shown(reason)}, expected a transfer to {shown(expected)}")


def _address(text: str) -> str:
    """A phone number without separators; anything else in lower case."""
    dialled = re.sub(r"[\s().-]", "", text.removeprefix("tel:"))
    return dialled if re.fullmatch(r"\+?\d+", dialled) else text.casefold()
