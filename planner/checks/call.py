"""`call`: how the call went and how it ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from planner.checks.base import Doubt, Expectation, Judgement, Missed, PartsRead, errored, failed, passed
from planner.checks.combining import all_hold
from planner.checks.fields import Count, Name, Names, Positive, given, one_message
from planner.checks.wording import counted, listed, shown
from planner.evidence import Call, Evidence, Role

_OLDER_WORDS = {"ai_hangup": "agent_end", "user_hangup": "caller_hangup"}
_DIALLED = re.compile(r"\+?\d+")


KNOWN_REASONS = ("agent_end", "caller_hangup", "transfer", "timeout", "error")
"""What the service has been seen to say. It may say others, so that only what is nearly one of these is doubted."""
_MIXED = {
    "agent_hangup": "agent_end",
    "caller_end": "caller_hangup",
    "user_end": "caller_hangup",
    "ai_end": "agent_end",
    "hangup": "caller_hangup",
}
"""What the service's words, and its older ones, are mixed up to."""
_ALIKE = 0.8
_LONGEST = 40


def end_reason_of(call: Call) -> str | None:
    """The reason in today's words, whichever of the service's vocabularies it came in."""
    return None if call.end_reason is None else _today(call.end_reason)


def status_of(call: Call) -> str | None:
    return None if call.status == "unknown" else call.status


def _today(end_reason: str) -> str:
    return _OLDER_WORDS.get(end_reason, end_reason)


class CallCheck(Expectation, frozen=True):
    """How the call went: all that is written must hold."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"check": "call", "status": "completed", "min_turns": 4},
                {"check": "call", "end_reason": ["agent_end", "caller_hangup"]},
                {"check": "call", "transferred_to": "+14155550142"},
            ]
        }
    )

    version: ClassVar[int] = 2  # a status that was not told
    opposes = ("call",)

    check: Literal["call"] = Field(description="The kind of check.")
    status: Literal["completed"] | None = Field(
        default=None,
        description="How the service says the call ended. A call that `failed` is the platform's fault and is not judged.",
    )
    end_reason: Annotated[Name | Names, one_message("must be a word or a list of words")] | None = Field(
        default=None,
        description="Why the call ended: one of the service's words, or a list of those that are welcome.",
        examples=["agent_end", ["agent_end", "caller_hangup"]],
    )
    min_turns: Count | None = Field(
        default=None, description="Turns of agent and caller together, at least; tool calls are not turns."
    )
    max_turns: Positive | None = Field(default=None, description="Turns of agent and caller together, at most.")
    transferred_to: Name | None = Field(
        default=None,
        description="Where the call was transferred. A phone number may be written with or without spaces and dashes.",
        examples=["+14155550142"],
    )

    @field_validator("status", mode="before")
    @classmethod
    def _judged_at_all(cls, status: Any) -> Any:
        if status == "failed":
            raise ValueError(
                "a call that failed is the platform's fault and is not judged, so that this holds for no call; "
                "`platform_failures: fail` in the scenario lets such calls count against it"
            )
        return status

    @model_validator(mode="after")
    def _something_to_check(self) -> Self:
        if not given(self.status, self.end_reason, self.min_turns, self.max_turns, self.transferred_to):
            raise ValueError("needs at least one of `status`, `end_reason`, `min_turns`, `max_turns`, `transferred_to`")
        if self.min_turns == 0 and not given(self.status, self.end_reason, self.max_turns, self.transferred_to):
            raise ValueError("`min_turns: 0` alone always holds, so it checks nothing")
        if self.min_turns is not None and self.max_turns is not None and self.max_turns < self.min_turns:
            raise ValueError(f"`max_turns` ({self.max_turns}) is less than `min_turns` ({self.min_turns})")
        return self

    @property
    def is_foregone(self) -> bool:
        """Whether it asks for nothing but what is so of every call that is judged."""
        return self.status is not None and not given(
            self.end_reason, self.min_turns, self.max_turns, self.transferred_to
        )

    def doubts(self) -> Sequence[Doubt]:
        words = (self.end_reason,) if isinstance(self.end_reason, str) else self.end_reason or ()
        found: list[Doubt] = []
        for index, word in enumerate(words):
            if (meant := _nearly(word)) is not None:
                route = ("end_reason",) if isinstance(self.end_reason, str) else ("end_reason", index)
                why = f"no call is known to have ended with {shown(word)}; did you mean `{meant}`?"
                found.append(Doubt(route, why, "near-miss"))
        return found

    def contradicts(self, other: Expectation) -> str:
        if not isinstance(other, CallCheck):
            return ""
        mine, others = _welcome(self.end_reason), _welcome(other.end_reason)
        if mine and others and not mine & others:
            return "no reason to end is welcome to both"
        if self.max_turns is not None and other.min_turns is not None and self.max_turns < other.min_turns:
            return f"no call has at most {counted(self.max_turns, 'turn')} and at least {other.min_turns}"
        here, there = self.transferred_to, other.transferred_to
        if here is not None and there is not None and _address(here) != _address(there):
            return f"no call is transferred to both {shown(here)} and {shown(there)}"
        return ""

    def reads(self, evidence: Evidence, missed: Missed) -> PartsRead:
        del evidence
        # Turns are counted, whatever words of theirs were left out; some may not have been read.
        counts = missed is Missed.UNREAD and given(self.min_turns, self.max_turns)
        return frozenset({"transferred_to", "turns"} if counts else {"transferred_to"})

    def judge(self, evidence: Evidence) -> Judgement:
        call = evidence.call
        if call is None:
            return errored("no call was made")
        conditions: list[Judgement] = []
        if self.status is not None:
            conditions.append(_judge_status(call, self.status))
        if self.end_reason is not None:
            conditions.append(_judge_end(call, self.end_reason))
        if self.min_turns is not None or self.max_turns is not None:
            conditions.append(self._judge_turns(evidence))
        if self.transferred_to is not None:
            conditions.append(_judge_transfer(call, self.transferred_to))
        return all_hold(conditions)

    def _judge_turns(self, evidence: Evidence) -> Judgement:
        if evidence.turns is None:
            return errored("the service gave no transcript to count turns in")
        count = sum(turn.role is not Role.TOOL for turn in evidence.turns)
        if not count:
            return errored("the transcript is empty: how many turns there were cannot be told")
        found = f"had {counted(count, 'turn')}"
        if self.min_turns is not None and count < self.min_turns:
            return failed(f"{found}, expected at least {self.min_turns}")
        if self.max_turns is not None and count > self.max_turns:
            return failed(f"{found}, expected at most {self.max_turns}")
        return passed(found)


def known_reason(end_reason: str) -> str | None:
    """Today's word for what the service once said, or for what is nearly one of its words; None of any other."""
    return _OLDER_WORDS.get(end_reason) or _nearly(end_reason)


def _nearly(end_reason: str) -> str | None:
    """The known word that a reason to end is nearly, or means; None of one that is known, or far from all of them."""
    known = (*KNOWN_REASONS, *_OLDER_WORDS)
    word = re.sub(r"[\W_]+", "_", end_reason.strip().lower())
    if end_reason in known or len(word) > _LONGEST:
        return None
    return _MIXED.get(word) or next(iter(get_close_matches(word, known, 1, _ALIKE)), None)


def _welcome(end_reason: str | tuple[str, ...] | None) -> frozenset[str]:
    return frozenset(map(_today, (end_reason,) if isinstance(end_reason, str) else end_reason or ()))


def _is(found: str, holds: bool, expected: str) -> Judgement:
    return passed(found) if holds else failed(f"{found}, expected {expected}")


def _judge_status(call: Call, expected: str) -> Judgement:
    if status_of(call) in (None, "in_progress"):
        return errored("the service did not say how the call ended")
    return _is(f"the call {call.status}", call.status == expected, expected)


def _judge_end(call: Call, expected: str | tuple[str, ...]) -> Judgement:
    welcome = (expected,) if isinstance(expected, str) else expected
    reason = end_reason_of(call)
    if reason is None:
        return errored("the service did not say why the call ended")
    return _is(f"ended with {shown(reason)}", reason in map(_today, welcome), listed(list(map(shown, welcome)), "or"))


def _judge_transfer(call: Call, expected: str) -> Judgement:
    if call.transferred_to is not None:
        same = _address(call.transferred_to) == _address(expected)
        return _is(f"was transferred to {shown(call.transferred_to)}", same, shown(expected))
    reason = end_reason_of(call)
    if reason is None or reason == "transfer":
        return errored("the service did not say where the call was transferred")
    return failed(f"was not transferred: it ended with {shown(reason)}, expected a transfer to {shown(expected)}")


def _address(text: str) -> str:
    """Phone numbers without what people write between digits; anything else whatever its case."""
    dialled = re.sub(r"[\s().-]", "", text.removeprefix("tel:"))
    return dialled if _DIALLED.fullmatch(dialled) else text.casefold()
