"""When a run that did not pass is the test bot's fault, and by which words. See docs/verdicts.md, which tells the same rules.

Each rule is meant to be wrong in one direction only: an agent blamed for its caller costs a look at the quote, a fault put down
to the caller hides the agent's. So nothing is put down to the caller that its prompt asks of it, nor what the agent did of its
own accord (a forbidden word, a late answer), nor a critical failure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from planner.checks.base import CheckSeverity, Quote
from planner.checks.call import end_reason_of
from planner.checks.phrases import searchable
from planner.checks.wording import shown
from planner.evidence import Evidence, Role, Turn
from planner.outcome.model import Finding

HANGUP_SECONDS = 10
"""A caller who ends the call sooner, before the agent could answer anything, hung up at once."""
WORDLESS_SECONDS = 5
"""The same of a caller who said nothing at all: later than this it may have hung up for what the agent said."""
NO_TIME_TO_ANSWER_MS = 2000
"""A caller who ends the call so soon after its own words left the agent no time for any."""

DONE_BY_THE_AGENT: Final = frozenset(
    {"never_says", "no_pii", "tool_not_called", "language", "latency", "pacing", "cost", "not"}
)
"""Checks that fail for what the agent did, not for what it had no occasion to do."""

_OPENING = (
    r"(?:^|[.!?]\s+)(?:(?:well|sorry|i'm sorry|i apologize|oh|no|yes|actually|unfortunately)[,.]?\s+(?:but\s+)?)?"
)
_MACHINE = (
    r"(?:ai|a\.i\.|artificial intelligence|(?:large |ai )?language model|ai (?:model|assistant)|chat ?bot|"
    r"test ?bot|simulated caller|simulation)"
)
_LEFT_ROLE = re.compile(
    rf"{_OPENING}(?:i'm|i am|as)\s+(?:just |only |actually )?an?\s+{_MACHINE}\b[^.!?]*(?:[.!]|$)"
    r"|\bmy (?:system )?prompt (?:says|tells|asks)\b(?= (?:me )?(?:(?:not )?to\b|(?:that )?i(?:'m| am| should)\b))"
    r"|\bi (?:can't|cannot|won't) (?:role-?play|play (?:this|that|the) role)\b"
    r"|\bi(?:'m| am) (?:only |just )?(?:simulating a caller|role-?playing)\b",
    re.IGNORECASE,
)
_AGENTS_PART = re.compile(
    # Asked, not told of ("you always say how may I help you"), and nothing said of it after.
    rf"{_OPENING}(?:is there anything else (?:that )?(?:i|we) can (?:help|assist)(?: you)?"
    r"|(?:so,? |and |now,? )?how (?:can|may) (?:i|we) (?:help|assist) you)\b(?=[^.!?]*[.!?]*\s*$)"
    rf"|{_OPENING}thank(?:s| you) for (?:calling|contacting)"
    r" (?!(?:me|us|him|her|them|it|this|that|someone|somebody|back|again|so|to|in|at|on|about|when|if|a|an|the|my|your|our)\b)\w",
    re.IGNORECASE,
)


class CallersFault(NamedTuple):
    """What the test bot did, as one clause, and where."""

    reason: str
    quote: Quote | None


def callers_fault(evidence: Evidence, failed: Sequence[Finding], prompt: str) -> CallersFault | None:
    """Why a run that did not pass is the test bot's fault; None where it is not, or not plainly.

    `failed` are the findings that the run failed by (none: it could not be decided); `prompt` is what the bot was told.
    """
    if any(finding.severity is CheckSeverity.CRITICAL or finding.check in DONE_BY_THE_AGENT for finding in failed):
        return None
    hung_up = _hung_up_at_once(evidence)
    if hung_up is not None or not failed:  # what could not be decided may be yet, by what the service tells later
        return hung_up
    return _out_of_role(evidence, searchable(prompt).casefold())


def _hung_up_at_once(evidence: Evidence) -> CallersFault | None:
    """Only where it is plain: the caller ended the call, and the agent had answered nothing it said, nor had the time to."""
    call, turns = evidence.call, evidence.turns
    if call is None or turns is None or call.duration_seconds is None or end_reason_of(call) != "caller_hangup":
        return None
    spoken = [turn for turn in turns if turn.role is not Role.TOOL]
    first = next((index for index, turn in enumerate(spoken) if turn.role is Role.CALLER), None)
    if first is not None and any(turn.role is Role.AGENT for turn in spoken[first:]):
        return None
    last = spoken[-1] if first is not None else None
    wordless = first is None and bool(spoken)
    if call.duration_seconds < (WORDLESS_SECONDS if wordless else HANGUP_SECONDS):
        when = f"after {call.duration_seconds:g} s"
    elif last is not None and _ms_after(last, call.duration_seconds) < NO_TIME_TO_ANSWER_MS:
        when = "with its first words"
    else:
        return None
    return CallersFault(
        f"the caller hung up {when}, before the agent could answer", None if last is None else Quote.of(last)
    )


def _ms_after(turn: Turn, seconds: float) -> float:
    """From the end of a turn to the end of the call; without end where it is not known."""
    return float("inf") if turn.end_ms is None else max(0.0, seconds * 1000 - turn.end_ms)


def _out_of_role(evidence: Evidence, prompt: str) -> CallersFault | None:
    """By the caller's own words. Its first turn may be an answered phone: "How can I help you?" is nobody's part there."""
    for index, turn in enumerate(turn for turn in evidence.turns or () if turn.role is Role.CALLER):
        words = searchable(turn.text)
        for pattern, did in ((_LEFT_ROLE, "left its role"), (_AGENTS_PART, "spoke the agent's part")):
            if pattern is _AGENTS_PART and index == 0:
                continue
            found = pattern.search(words)
            if found is not None and found[0].strip(" .!?,").casefold() not in prompt:
                said = shown(found[0].strip(" .!?,"))
                return CallersFault(f"the caller {did}: it said {said} at turn {turn.number}", Quote.of(turn))
    return None
