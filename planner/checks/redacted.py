"""Judging evidence in which a shared store left something out, or the service told what we cannot read: what needs it is
`errored`, and says so.

Which parts of the evidence a kind of check reads stands here in one table. A check that reads a part with something left out is
undecided, but where what it found stands whatever else there was (`Expectation.stands`): words that were said, tools that were
called; and where the values of `field` were not left out. Parts of `all_of`, `any_of` and `not` are judged so one by one: the
whole is decided where those that can be told decide it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, get_args

import pydantic_core

from planner.checks.base import Expectation, FindingOutcome, Judgement, Missed, errored
from planner.checks.call import CallCheck
from planner.checks.expression import Expression
from planner.checks.field import FieldCheck
from planner.checks.json_paths import TooManyValuesError, find_values
from planner.checks.latency import Latency
from planner.checks.not_ import Not
from planner.checks.opinions import Ask
from planner.checks.parts import OfSeveral, named
from planner.checks.tools import ToolCheck
from planner.evidence import LEFT_OUT, MASK, Evidence, RedactedPart, UnreadPart

_WORDS: Final[Mapping[RedactedPart, str]] = {
    "turns": "the transcript",
    "tools": "the tool calls",
    "transferred_to": "where the call was transferred to",
    "document": "the call object",
    "grade": "the grade's words",
    "error_message": "the error message",
}
_ALL: Final[frozenset[RedactedPart]] = frozenset(get_args(RedactedPart))
_TURNS: Final[frozenset[RedactedPart | UnreadPart]] = frozenset({"turns"})
_RESULTS: Final[frozenset[RedactedPart | UnreadPart]] = frozenset({"results"})
_NOTHING: Final[frozenset[RedactedPart | UnreadPart]] = frozenset()

READS: Final[Mapping[str, frozenset[RedactedPart]]] = MappingProxyType(
    {
        "says": frozenset({"turns"}),
        "never_says": frozenset({"turns"}),
        "sequence": frozenset({"turns", "tools"}),
        "no_pii": frozenset({"turns"}),
        "language": frozenset({"turns"}),
        "call": frozenset({"transferred_to"}),
        "duration": frozenset(),
        "cost": frozenset(),
        "latency": frozenset(),
        "pacing": frozenset({"turns"}),
        "tool_called": frozenset({"tools"}),
        "tool_not_called": frozenset({"tools"}),
        "grade": frozenset(),
        "field": frozenset({"document"}),
        "expression": _ALL,
        "similar": frozenset({"turns"}),
        "judge": frozenset({"turns", "tools"}),
    }
)
"""By kind of check, the parts that may decide it. A kind that is not here may read anything."""

_UNREAD: Final = "a speaker, words or a tool call that planner does not know how to take"
_UNANSWERED: Final = "which tool call a result answers"
_WHOLE: Final = re.compile(r"\b(call|run|grade)\b(?!\.)")
"""In an expression: an object that is not asked for one of its fields by name."""


def judge_redacted(expectation: Expectation, evidence: Evidence, ask: Ask) -> Judgement:
    """Judge one run, of which a shared store may keep only what others may see; as ever where nothing that decides was left out."""
    missed, masked = left_out(expectation, evidence), _masked(expectation, evidence)
    if not missed:
        return expectation.judge_with(evidence, ask)
    if isinstance(expectation, OfSeveral | Not):
        return expectation.combined([named(part, judge_redacted(part, evidence, ask)) for part in _parts(expectation)])
    judgement = expectation.judge_with(evidence, ask)
    how = {Missed.MASKED: masked, Missed.UNREAD: _not_read(expectation, evidence)}
    if all(expectation.stands(judgement.outcome, kind) for kind, parts in how.items() if parts):
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


def _named(parts: frozenset[RedactedPart | UnreadPart]) -> str:
    return " and ".join(words for part, words in _WORDS.items() if part in parts)


def left_out(expectation: Expectation, evidence: Evidence) -> frozenset[RedactedPart | UnreadPart]:
    """The parts with something left out, or not read, that may decide it."""
    return _masked(expectation, evidence) | _not_read(expectation, evidence)


def _masked(expectation: Expectation, evidence: Evidence) -> frozenset[RedactedPart | UnreadPart]:
    if not evidence.redacted:
        return _NOTHING
    if isinstance(expectation, OfSeveral | Not):
        return frozenset(missed for part in _parts(expectation) for missed in _masked(part, evidence))
    if isinstance(expectation, FieldCheck) and not _finds_masks(expectation, evidence):
        return _NOTHING
    return _reads(expectation).intersection(evidence.redacted)


def _not_read(expectation: Expectation, evidence: Evidence) -> frozenset[RedactedPart | UnreadPart]:
    if not evidence.unread:
        return _NOTHING
    if isinstance(expectation, OfSeveral | Not):
        return frozenset(missed for part in _parts(expectation) for missed in _not_read(part, evidence))
    reads: frozenset[RedactedPart | UnreadPart] = _reads(expectation)
    if isinstance(expectation, Latency) or (isinstance(expectation, CallCheck) and expectation.counts_turns):
        reads = _TURNS  # who spoke when is left out nowhere, but may not have been read
    if "tools" in reads and _asks_for_results(expectation):
        reads |= _RESULTS
    return reads.intersection(evidence.unread)


def _asks_for_results(expectation: Expectation) -> bool:
    if isinstance(expectation, ToolCheck):
        return expectation.result is not None
    return expectation.check != "sequence"


def _reads(expectation: Expectation) -> frozenset[RedactedPart]:
    if isinstance(expectation, Expression):
        return _of_expression(expectation.cel)
    return READS.get(expectation.check, _ALL)


def _of_expression(cel: str) -> frozenset[RedactedPart]:
    """By the names that stand in it: nothing can be reached without its name, but through a whole object."""
    names: Mapping[RedactedPart, str] = {"grade": "summary"}
    whole = _WHOLE.search(cel) is not None
    return frozenset(part for part in _ALL if whole or names.get(part, str(part)) in cel)


def _parts(whole: OfSeveral | Not) -> Iterable[Expectation]:
    return whole.of if isinstance(whole, OfSeveral) else (whole.of,)


def _finds_masks(field: FieldCheck, evidence: Evidence) -> bool:
    """Whether what its path leads to, or leads by, was left out."""
    if evidence.call is None or "?" in field.path:
        return True
    try:
        found = find_values(field.path, evidence.call.document)
    except TooManyValuesError:
        return True
    text = pydantic_core.to_json(list(found)).decode()
    return MASK in text or LEFT_OUT in text
