"""Judge incomplete evidence: a shared store redacted parts of it, or the service sent parts that planner cannot read.

A check that reads an incomplete part of the evidence (`Expectation.reads`) is undecided, unless its outcome is certain anyway
(`Expectation.is_certain`), such as words that were said. Parts of `all_of`, `any_of` and `not` are judged one by one.
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

_UNREAD: Final = "a speaker, words or a tool call of a kind that planner does not know"
_UNANSWERED: Final = "which tool call a result answers"


def judge_redacted(expectation: Expectation, evidence: Evidence, ask: Ask) -> Judgement:
    """Judge one run whose evidence may be incomplete."""
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
            f"cannot be decided: in {_named(masked)} the shared store left out phone numbers, or what `redact` lists;"
            " judge it where the call was made, or call again"
        )
    if not missed - _RESULTS:
        return errored(f"cannot be decided: the service does not report {_UNANSWERED}")
    return errored(f"cannot be decided: in {_named(missed)} the service sent something that cannot be read: {_UNREAD}")


def _named(parts: PartsRead) -> str:
    return " and ".join(words for part, words in _WORDS.items() if part in parts)


def left_out(expectation: Expectation, evidence: Evidence) -> PartsRead:
    """The parts that it needs and that are redacted or unreadable."""
    return _masked(expectation, evidence) | _not_read(expectation, evidence)


def _masked(expectation: Expectation, evidence: Evidence) -> PartsRead:
    if not evidence.redacted:
        return _NOTHING
    return expectation.reads(evidence, Missed.MASKED).intersection(evidence.redacted)


def _not_read(expectation: Expectation, evidence: Evidence) -> PartsRead:
    if not evidence.unread:
        return _NOTHING
    return expectation.reads(evidence, Missed.UNREAD).intersection(evidence.unread)
