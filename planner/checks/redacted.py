"""Judge incomplete evidence: a shared store redacted parts of it, or the service sent parts that planner cannot read.

A check that reads an incomplete part of the evidence (`Expectation.reads`) is undecided, unless its outcome is certain
anyway (`Expectation.is_certain`), such as words that were said. Parts of `all_of`, `any_of` and `not` are judged one by
one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from planner.checks.base import Expectation, Missed, PartsRead
from planner.checks.combinators import Combinator
from planner.checks.judgement import FindingOutcome, Judgement, undecided
from planner.checks.opinions import Ask
from planner.evidence import Evidence, RedactedPart, UnreadPart

_WORDS: Final[Mapping[RedactedPart, str]] = {
    "turns": "the transcript",
    "tools": "the tool calls",
    "transferred_to": "where the call was transferred to",
    "document": "the call object",
    "grade": "the grade's words",
    "error_message": "the error message",
}
_UNREAD: Final = "a speaker, words or a tool call of a kind that planner does not know"
_UNANSWERED: Final = "which tool call a result answers"


def judge_redacted(expectation: Expectation, evidence: Evidence, ask: Ask) -> Judgement:
    """Judge one run whose evidence may be incomplete."""
    missed = _missed(expectation, evidence)
    if missed and expectation.parts:
        assert isinstance(expectation, Combinator)
        return expectation.judge_by(lambda part: judge_redacted(part, evidence, ask))
    judgement = expectation.judge_with(evidence, ask)
    if all(expectation.is_certain(judgement.outcome, how) for how in missed):
        return judgement
    if masked := missed.get(Missed.MASKED):
        return undecided(
            f"cannot be decided: in {_named(masked)} the shared store left out phone numbers, or what `redact` lists;"
            " a session with the API key reads the call again, free"
        )
    if judgement.outcome is FindingOutcome.UNDECIDED:
        return judgement
    unread = missed[Missed.UNREAD]
    if unread == frozenset[RedactedPart | UnreadPart]({"results"}):
        return undecided(f"cannot be decided: the service does not report {_UNANSWERED}")
    return undecided(
        f"cannot be decided: in {_named(unread)} the service sent something that cannot be read: {_UNREAD}"
    )


def _named(parts: PartsRead) -> str:
    return " and ".join(words for part, words in _WORDS.items() if part in parts)


def left_out(expectation: Expectation, evidence: Evidence) -> PartsRead:
    """The parts that it needs and that are redacted or unreadable."""
    return frozenset[RedactedPart | UnreadPart]().union(*_missed(expectation, evidence).values())


def _missed(expectation: Expectation, evidence: Evidence) -> dict[Missed, PartsRead]:
    parts = {Missed.MASKED: evidence.redacted, Missed.UNREAD: evidence.unread}
    needed = {how: expectation.reads(evidence, how).intersection(parts[how]) for how in Missed if parts[how]}
    return {how: missing for how, missing in needed.items() if missing}
