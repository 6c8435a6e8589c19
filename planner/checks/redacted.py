"""Judging evidence in which a shared store left something out, or the service told what we cannot read: what needs it is
`errored`, and says so.

A check that reads a part of the evidence (`Expectation.reads`) with something left out is undecided, but where what it found
stands whatever else there was (`Expectation.stands`): words that were said, tools that were called. Parts of `all_of`, `any_of`
and `not` are judged so one by one: the whole is decided where those that can be told decide it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from planner.checks.base import Expectation, Missed, PartsRead
from planner.checks.judgement import FindingOutcome, Judgement, errored
from planner.checks.opinions import Ask
from planner.evidence import Evidence, RedactedPart

_WORDS: Final[Mapping[RedactedPart, str]] = {
    "turns": "the transcript",
    "tools": "the tool calls",
    "transferred_to": "where the call was transferred to",
    "document": "the call object",
    "grade": "the grade's words",
    "error_message": "the error message",
}
_RESULTS: Final[PartsRead] = frozenset({"results"})
_NOTHING: Final[PartsRead] = frozenset()

_UNREAD: Final = "a speaker, words or a tool call that planner does not know how to take"
_UNANSWERED: Final = "which tool call a result answers"


def judge_redacted(expectation: Expectation, evidence: Evidence, ask: Ask) -> Judgement:
    """Judge one run, of which a shared store may keep only what others may see; as ever where nothing that decides was left out."""
    missed, masked = left_out(expectation, evidence), _masked(expectation, evidence)
    if not missed:
        return expectation.judge_with(evidence, ask)
    if expectation.parts:
        from planner.checks.combinators import Combinator

        assert isinstance(expectation, Combinator)
        return expectation.judge_by(lambda part: judge_redacted(part, evidence, ask))
    judgement = expectation.judge_with(evidence, ask)
    how = {Missed.MASKED: masked, Missed.UNREAD: _not_read(expectation, evidence)}
    if all(expectation.is_certain(judgement.outcome, kind) for kind, parts in how.items() if parts):
        return judgement
    if judgement.outcome is FindingOutcome.ERRORED and not masked:
        return judgement
    if masked:
        return errored(
            f"cannot be told: in {_named(masked)} the shared store left out phone numbers, or what `redact` lists;"
            " judge it where the call was made, or call again"
        )
    if not missed - _RESULTS:
        return errored(f"cannot be told: the service does not tell {_UNANSWERED}")
    return errored(f"cannot be told: in {_named(missed)} the service tells something that cannot be read: {_UNREAD}")


def _named(parts: PartsRead) -> str:
    return " and ".join(words for part, words in _WORDS.items() if part in parts)


def left_out(expectation: Expectation, evidence: Evidence) -> PartsRead:
    """The parts with something left out, or not read, that may decide it."""
    return _masked(expectation, evidence) | _not_read(expectation, evidence)


def _masked(expectation: Expectation, evidence: Evidence) -> PartsRead:
    if not evidence.redacted:
        return _NOTHING
    return expectation.reads(evidence, Missed.MASKED).intersection(evidence.redacted)


def _not_read(expectation: Expectation, evidence: Evidence) -> PartsRead:
    if not evidence.unread:
        return _NOTHING
    return expectation.reads(evidence, Missed.UNREAD).intersection(evidence.unread)
