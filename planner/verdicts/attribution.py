"""Detect runs that failed because of the test bot, by the rules of docs/callers.md.

In unclear cases the rules blame the agent: a reader can check the quote, whereas blaming the caller wrongly hides a
bug. So the caller is never the cause of what its prompt asks for, of what the agent did on its own (a forbidden word, a
late answer), or of a critical failure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from planner.checks.base import CheckSeverity, Expectation
from planner.checks.call import end_reason_of
from planner.checks.judgement import Quote, shown
from planner.checks.phrases import searchable
from planner.evidence import Evidence, Role, Turn
from planner.results.outcomes import Cause
from planner.values import frozen


@frozen
class CallerCause:
    """What the test bot did wrong, as one clause, and the turn."""

    reason: str
    quote: Quote | None


HANGUP_SECONDS = 10
"""A caller that ends the call earlier than this, before any answer, hung up at once."""
WORDLESS_SECONDS = 5
"""The same limit for a caller that never spoke: later it may have hung up because of what the agent said."""
LONG_SILENCE_MS = 5000
"""After this silence the agent had enough time to answer."""
NO_TIME_TO_ANSWER_MS = 2000
"""A caller that ends the call this soon after its own words left no time to answer."""

_OPENING = (
    r"(?:^|[.!?]\s+)(?:(?:well|sorry|i'm sorry|i apologize|oh|no|yes|actually|unfortunately)[,.]?\s+(?:but\s+)?)?"
)
_MACHINE = (
    r"(?:(?:ai|a\.i\.|artificial intelligence)(?: (?:model|assistant|system|program|bot|chat ?bot|agent|caller))?"
    r"|(?:large |ai )?language model|chat ?bot|test ?bot|simulated caller|simulation)"
)
_AND_NO_MORE = (
    # Excludes "an AI engineer", "an AI-driven shop" and "a simulation game".
    r"(?=[,.;:!?…—)\"]|$|\s+(?:[-–—(]|(?:and|but|so|or|not|without|with|by|from|for|of|in|on|at|here|who|which|that"
    r"|because|designed|created|made|built|trained|developed|meant|programmed|playing|role-?playing|simulating"
    r"|pretending|acting|calling|i|my)\b))"
)
_LEFT_ROLE = re.compile(
    rf"{_OPENING}(?:i'm|i am|as)\s+(?:just |only |actually )?an?\s+{_MACHINE}{_AND_NO_MORE}[^.!?]*(?:[.!]|$)"
    r"|\bmy (?:system )?prompt (?:says|tells|asks)\b(?= (?:me )?(?:(?:not )?to\b|(?:that )?i(?:'m| am| should)\b))"
    r"|\bi (?:can't|cannot|won't) (?:role-?play|play (?:this|that|the) role)\b"
    r"|\bi(?:'m| am) (?:only |just )?(?:simulating a caller|role-?playing)\b",
    re.IGNORECASE,
)
_AGENTS_PART = re.compile(
    # Only as a question that ends the turn. Excludes "you always say how may I help you" and questions about
    # the caller's own things.
    rf"{_OPENING}(?:is there anything else (?:that )?(?:i|we) can (?:help|assist)(?: you)?"
    r"|(?:so,? |and |now,? )?how (?:else )?(?:can|may) (?:i|we) (?:help|assist) you"
    r"|what (?:else )?can (?:i|we) do for you)\b"
    r"(?![^.!?]*\b(?:i|i'm|me|my|mine|us|our)\b)(?=[^.!?]*[.!?]*\s*$)",
    re.IGNORECASE,
)
_THANKS = re.compile(
    rf"{_OPENING}thank(?:s| you) for (?:calling|contacting) "
    r"(?!(?:me|us|him|her|them|it|this|that|someone|somebody|back|again|so|to|in|at|on|about|when|if|a|an|the"
    r"|my|your|our|dr|mr|mrs|ms|doctor)\b)(?P<name>[\w&'-]+)(?P<more>[^.!?]*[.!?]*)(?P<after>.*)",
    re.IGNORECASE | re.DOTALL,
)
_EDGES = re.compile(r"^[\s.!?,]+|[\s.!?,]+$")
_GREETING = re.compile(
    r"\b(?:this is|my name is|you've reached|you have reached|how (?:can|may) (?:i|we)|support|customer|services?)\b",
    re.IGNORECASE,
)


UNSCRIPTED: Final = "no scripted dialogue matches this prompt"
"""What the caller says in the sandbox if no dialogue matches."""


def unscripted_call(evidence: Evidence) -> tuple[Cause, CallerCause] | None:
    """Set for a call of the sandbox whose prompt no dialogue matches. It says nothing about the agent, so it never
    passes or fails. A value that the world does not have is the plan's: a repeat would not have it either."""
    for turn in evidence.turns or ():
        if turn.role is Role.CALLER and UNSCRIPTED in turn.text:
            detail = turn.text.partition(UNSCRIPTED)[2].strip(" ;.")
            hint = detail or "write a dialogue for it in a world (docs/sandbox.md)"
            return Cause.PLAN if detail else Cause.CALLER, CallerCause(f"{UNSCRIPTED}: {hint}", Quote.of(turn))
    return None


def caller_cause(evidence: Evidence, failed: Sequence[Expectation], prompt: str) -> CallerCause | None:
    """How the test bot caused the failure; None if it did not, or not clearly.

    `failed` are the expectations that failed the run; none if it is undecided.
    """
    if any(each.severity is CheckSeverity.CRITICAL or not each.caller_can_cause_failure for each in failed):
        return None
    hung_up = _hung_up_at_once(evidence)
    if hung_up is not None or not failed:  # an undecided run may still be decided when its evidence is complete
        return hung_up
    return _out_of_role(evidence, searchable(prompt).casefold())


def _hung_up_at_once(evidence: Evidence) -> CallerCause | None:
    """The caller ended the call before the agent answered, or had time to."""
    call, turns = evidence.call, evidence.turns
    if call is None or turns is None or call.duration_seconds is None or end_reason_of(call) != "caller_hangup":
        return None
    spoken = [turn for turn in turns if turn.role is not Role.TOOL and turn.text.strip()]
    first = next((index for index, turn in enumerate(spoken) if turn.role is Role.CALLER), None)
    if first is not None and any(turn.role is Role.AGENT for turn in spoken[first:]):
        return None
    if first is not None and LONG_SILENCE_MS <= _ms_after(spoken[first], call.duration_seconds) < float("inf"):
        return None
    last = spoken[-1] if first is not None else None
    wordless = first is None and bool(spoken)
    if call.duration_seconds < (WORDLESS_SECONDS if wordless else HANGUP_SECONDS):
        when = f"after {call.duration_seconds:g} s"
    elif last is not None and _ms_after(last, call.duration_seconds) < NO_TIME_TO_ANSWER_MS:
        when = "with its first words"
    else:
        return None
    return CallerCause(
        f"the caller hung up {when}, before the agent could answer", None if last is None else Quote.of(last)
    )


def _ms_after(turn: Turn, seconds: float) -> float:
    """From the end of a turn to the end of the call; infinite if unknown."""
    return float("inf") if turn.end_ms is None else max(0.0, seconds * 1000 - turn.end_ms)


def _out_of_role(evidence: Evidence, prompt: str) -> CallerCause | None:
    """The caller's own words show it. In its first turn, "How can I help you?" is allowed: it may be answering the
    phone."""
    turns = evidence.turns or ()
    for index, turn in enumerate(turn for turn in turns if turn.role is Role.CALLER):
        words = searchable(turn.text)
        slips = [("left its role", _LEFT_ROLE.search(words))]
        if index > 0:
            thanks = _THANKS.search(words)
            slips += [
                ("spoke the agent's part", _AGENTS_PART.search(words)),
                ("spoke the agent's part", thanks if thanks and _greets_as_agent(thanks, turns) else None),
            ]
        for did, found in slips:
            if found is None:
                continue
            slip = found[0][: found.start("after") - found.start()] if "after" in found.re.groupindex else found[0]
            slip = _EDGES.sub("", slip)
            if slip.casefold() not in prompt:
                return CallerCause(f"the caller {did}: it said {shown(slip)} at turn {turn.number}", Quote.of(turn))
    return None


def _greets_as_agent(thanks: re.Match[str], turns: Sequence[Turn]) -> bool:
    """Whether "thank you for calling X" is an agent's greeting: X is a name the agent gave, or the rest is a greeting.
    A caller may thank somebody for calling Bob."""
    if re.search(r"\bfor (?:me|us)\b", thanks["more"]):
        return False
    if _GREETING.search(thanks["more"] + thanks["after"]):
        return True
    name = re.compile(rf"(?<!\w){re.escape(thanks['name'])}(?!\w)", re.IGNORECASE)
    return len(thanks["name"]) > 1 and any(
        turn.role is Role.AGENT and name.search(searchable(turn.text)) for turn in turns
    )
