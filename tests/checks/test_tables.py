"""Tests of every kind of check on one call, in both dialects of the service, with complete and missing data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
from inline_snapshot import external_file
from pydantic_core import to_json

from planner.checks import CHECKS
from planner.checks.judgement import FindingOutcome
from planner.checks.opinions import Question, Verdict, Vote, Votes
from planner.checks.redacted import judge_redacted, left_out
from planner.evidence import Evidence, RedactedPart, RunStatus
from planner.providers.base import CallId, Run, RunId
from planner.providers.thunderphone.evidence import evidence_from_wire
from planner.providers.thunderphone.wire import WireCall, WireGrade, WireTurn

WORDS = [
    ("agent", "Thanks for calling Acme, this call may be recorded. May I have your name?", 0, 4000, 420),
    ("user", "Ana Ruiz. I want to return order A-17, it cost me twelve fifty.", 4300, 8000, None),
    ("tool_call", {"name": "verify_identity", "arguments": {"name": "Ana Ruiz"}}, 8100, 8100, None),
    ("tool_response", {"verified": True}, 8400, 8400, None),
    ("tool_call", {"name": "lookup_order", "arguments": {"order_id": "A-17"}}, 8500, 8500, None),
    ("tool_response", {"status": "delivered", "total": 12.5}, 8900, 8900, None),
    ("agent", "I see it, Ana. You have thirty days, until the third of May, half past nine in the morning.", 9000, 15000, 1000),
    ("user", "My card is 4242 4242 4242 4242, mail ana@example.com.", 14000, 19000, None),
    ("agent", "I refund twelve dollars and fifty cents to the card 4242 4242 4242 4242. Goodbye!", 22000, 27000, 3000),
]  # fmt: skip

COMMON = {
    "status": "completed",
    "duration_seconds": 54.0,
    "product": "spark",
    "billing_total_cents": 16,
    "locale": "en-US",
    "collected_values": {"order_id": "A-17", "items": [{"name": "cup", "quantity": 2}, {"name": "pot", "quantity": 1}]},
}


def page() -> Evidence:
    """In the dialect of the reference page."""
    document = {**COMMON, "call_id": 9, "end_reason": "agent_end", "grade_status": "completed"}
    return _evidence(
        document, WORDS, WireGrade(status="completed", score=0.9, call_outcome="success", detected_issues=[])
    )


def client() -> Evidence:
    """In the dialect of the official client: other names, scales and fields."""
    document = {
        **COMMON,
        "id": 9,
        "end_reason": "ai_hangup",
        "grade_status": "completed",
        "grade_score": 90,
        "call_outcome": "success",
        "issue_count": 0,
        "critical_issue_count": 0,
    }
    words = [("assistant" if role == "agent" else role, *rest) for role, *rest in WORDS]
    return _evidence(document, words, None)


def untimed(words: list[Any]) -> list[Any]:
    return [(role, content, None, None, None) for role, content, *_ in words if isinstance(content, str)]


def page_in_part() -> Evidence:
    """Words only; no length, bill or end reason, and a pending grade."""
    return _evidence({"call_id": 9, "status": "completed"}, untimed(WORDS), WireGrade(status="pending"))


def client_in_part() -> Evidence:
    """The same in the other dialect."""
    words = [("assistant" if role == "agent" else role, *rest) for role, *rest in untimed(WORDS)]
    return _evidence({"id": 9, "status": "completed", "grade_status": "pending"}, words, None)


def page_missing() -> Evidence:
    """A completed call without any other data."""
    return _missing({"call_id": 9, "status": "completed"})


def client_missing() -> Evidence:
    """The same in the other dialect."""
    return _missing({"id": 9, "status": "completed"})


def _missing(call: dict[str, Any]) -> Evidence:
    run = Run(id=RunId(1), status=RunStatus.COMPLETED, call_id=CallId(9))
    return evidence_from_wire(run, (WireCall.model_validate(call), call), None, None, None)


def _evidence(document: dict[str, Any], words: list[Any], grade: WireGrade | None) -> Evidence:
    turns = [
        WireTurn(role=role, content=content, start_ms=start, end_ms=end, ttfa_ms=first)
        for role, content, start, end, first in words
    ]
    run = Run(id=RunId(1), status=RunStatus.COMPLETED, call_id=CallId(9))
    return evidence_from_wire(run, (WireCall.model_validate(document), document), turns, None, grade)


SAYS_WINDOW = {"check": "says", "any_of": ["thirty days"]}
SAYS_SORRY = {"check": "says", "any_of": ["sorry"]}

EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "says": [
        {"any_of": ["30 days", "thirty days"]},
        {"any_of": ["30 days"]},
        {"any_of": ["30 days"], "spoken": True},
        {"all_of": ["$12.50", "May 3", "9:30 AM"], "spoken": True},
        {"all_of": ["$12.50", "June 3"], "spoken": True},
        {"who": "caller", "any_of": ["order A-17"], "in": {"first": 1}},
        {"matches": "(?i)good-?bye", "in": "last"},
    ],
    "never_says": [
        {"any_of": ["guarantee", "promise"]},
        {"any_of": ["thirty days"]},
        {"any_of": ["30 days"], "spoken": True},
        {"matches": r"\d{4} \d{4}"},
    ],
    "sequence": [
        {"steps": [{"says": {"any_of": ["recorded"]}}, {"says": {"any_of": ["your name"]}}]},
        {"steps": [{"says": {"any_of": ["your name"]}}, {"says": {"any_of": ["recorded"]}}]},
        {"steps": [{"tool": "verify_identity"}, {"tool": "lookup_order"}, {"says": {"matches": "refund"}}]},
        {"steps": [{"tool": "lookup_order"}, {"tool": "verify_identity"}]},
        {"steps": [{"says": {"who": "caller", "any_of": ["A-17"]}}, {"tool": "issue_refund"}]},
        {"steps": [{"says": {"all_of": ["30 days", "May 3"], "spoken": True}}, {"says": {"any_of": ["goodbye"]}}]},
        {"steps": [{"says": {"any_of": ["sorry"]}}, {"says": {"any_of": ["goodbye"]}}]},
    ],
    "no_pii": [{}, {"also": ["(?i)acme"]}],
    "language": [{"is": "en"}, {"is": "es"}],
    "call": [
        {"status": "completed", "end_reason": "agent_end", "min_turns": 5},
        {"max_turns": 4},
        {"transferred_to": "+14155550142"},
    ],
    "duration": [{"max_seconds": 60}, {"max_seconds": 50}],
    "cost": [{"max_cents": 16}, {"max_cents": 15}],
    "latency": [{"p50_ms": 1000, "max_ms": 3000}, {"p95_ms": 2000}],
    "pacing": [
        {"max_silence_ms": 3000, "max_agent_overlaps": 0},
        {"max_silence_ms": 2000},
        {"talk_ratio": {"min": 0.5, "max": 0.7}},
        {"talk_ratio": {"max": 0.5}},
    ],
    "tool_called": [
        {"name": "lookup_order", "arguments": {"order_id": "A-17"}, "after": "verify_identity"},
        {"name": "lookup_order", "result": {"status": "lost"}},
        {"name": "issue_refund"},
    ],
    "tool_not_called": [{"name": "issue_refund"}, {"name": "lookup_order"}],
    "grade": [{"min_score": 0.9, "outcome": "success", "max_issues": 0}, {"min_score": 0.95}],
    "expression": [
        {"cel": "call.duration_seconds < 60.0 && grade.score >= 0.9 && call.end_reason == 'agent_end'"},
        {"cel": "call.duration_seconds < 50.0"},
        {"cel": "turns.exists(t, t.role == 'agent' && t.text.contains('thirty'))"},
        {"cel": "tools.all(t, t.name != 'lookup_order')"},
        {"cel": "call.document.collected_values.order_id == 'A-17'"},
    ],
    "judge": [
        {"rubric": "It states the window."},
        {"rubric": "It apologises.", "votes": 3},
        {"rubric": "It states the window.", "votes": 3, "threshold": 1.0},
        {"rubric": "It invents words."},
    ],
    "all_of": [{"of": [SAYS_WINDOW, {"check": "grade", "min_score": 0.8}]}, {"of": [SAYS_WINDOW, SAYS_SORRY]}],
    "any_of": [{"of": [SAYS_SORRY, SAYS_WINDOW]}, {"of": [SAYS_SORRY, {"check": "duration", "max_seconds": 9}]}],
    "not": [{"of": SAYS_SORRY}, {"of": SAYS_WINDOW}],
}

_SAYS_SO = Vote(Verdict.HOLDS, 7, "You have thirty days", "It says how many days there are.")
_ANSWERS = {
    "It states the window.": (_SAYS_SO,),
    "It apologises.": (
        Vote(Verdict.DOES_NOT_HOLD, 9, "goodbye", "It refunds and takes its leave."),
        Vote(Verdict.DOES_NOT_HOLD, 9, "I refund twelve dollars", "No apology."),
        Vote(Verdict.DOES_NOT_HOLD, 1, "thanks for calling", "Only thanks."),
    ),
    "It invents words.": (Vote(Verdict.HOLDS, 7, "You have forty days", "It does."),),
}


def redacted(part: RedactedPart) -> Evidence:
    """The call, with something redacted in this part."""
    return page().model_copy(update={"redacted": (part,)})


def asked(question: Question) -> Votes:
    votes = _ANSWERS[question.rubric]
    return Votes(votes, "" if len(votes) >= question.votes else "the endpoint was gone")


DIALECTS = {"page": page, "client": client}
IN_PART = {"page, in part": page_in_part, "client, in part": client_in_part}
MISSING = {"page, missing": page_missing, "client, missing": client_missing}


@pytest.mark.parametrize("name", EXAMPLES)
def test_findings_on_complete_partial_and_missing_data(read: Any, name: str) -> None:
    """The dialects agree; with less data a finding is the same or undecided."""
    lines: list[str] = []
    outcomes: dict[str, list[str]] = {dialect: [] for dialect in (*DIALECTS, *IN_PART, *MISSING)}
    for fields in EXAMPLES[name]:
        lines.append(to_json(fields).decode())
        expectation = read(check=name, **fields)
        for dialect, evidence in {**DIALECTS, **IN_PART, **MISSING}.items():
            judgement = expectation.judge_with(evidence(), asked)
            outcomes[dialect].append(judgement.outcome.value)
            quote = f"turn {judgement.quote.turn}" if judgement.quote else ""
            lines.append(f"  {dialect:<15} {judgement.outcome.value:<8} {quote:<7} {judgement.message}")
        affected = [part for part in get_args(RedactedPart) if left_out(expectation, redacted(part))]
        lines += [f"  affected by redaction of: {', '.join(affected) or 'nothing'}", ""]
    assert "\n".join(lines) == external_file(f"tables/{name}.txt")
    for one, other in (DIALECTS, IN_PART, MISSING):
        assert outcomes[one] == outcomes[other]
    assert {"passed", "failed"} <= set(outcomes["page"])
    assert "undecided" in outcomes["page, missing"]
    for whole, part, missing in zip(
        outcomes["page"], outcomes["page, in part"], outcomes["page, missing"], strict=True
    ):
        assert part in (whole, "undecided")
        assert missing == "undecided"


def test_every_kind_has_examples() -> None:
    """A new check needs a line in `EXAMPLES`: fields that the call satisfies, and fields that it does not."""
    assert CHECKS.keys() - EXAMPLES.keys() == set()
    assert EXAMPLES.keys() - CHECKS.keys() == set()


def recorded(words: list[Any] = WORDS, history: list[dict[str, Any]] | None = None, **call: Any) -> Evidence:
    """The call with these turns and fields, in the page's dialect."""
    document = {**COMMON, "call_id": 9, "end_reason": "agent_end", "grade_status": "completed", **call}
    turns = [
        WireTurn.model_validate({"role": role, "content": content, "start_ms": start, "end_ms": end, "ttfa_ms": first})
        for role, content, start, end, first in words
    ]
    grade = WireGrade(status="completed", score=0.9, call_outcome="success", detected_issues=[])
    run = Run(id=RunId(1), status=RunStatus.COMPLETED, call_id=CallId(9))
    return evidence_from_wire(run, (WireCall.model_validate(document), document), turns, history, grade)


def changed(change: Callable[..., Any], *roles: str) -> list[Any]:
    """The words, with turns of these roles changed."""
    return [change(*turn) if turn[0] in roles else turn for turn in WORDS]


def spoken() -> list[Any]:
    return [turn for turn in WORDS if isinstance(turn[1], str)]


NOT_READ: dict[str, Evidence] = {
    "an unknown speaker": recorded(changed(lambda _role, *rest: ("robot", *rest), "agent")),
    "no speaker": recorded(changed(lambda _role, *rest: (None, *rest), "user")),
    "one unknown speaker": recorded([*WORDS[:6], ("robot", *WORDS[6][1:]), *WORDS[7:]]),
    "no words": recorded(changed(lambda role, _said, *rest: (role, None, *rest), "agent", "user")),
    "once no words": recorded([*WORDS[:6], ("agent", None, *WORDS[6][2:]), *WORDS[7:]]),
    "empty words": recorded(changed(lambda role, _said, *rest: (role, " ", *rest), "agent", "user")),
    "numbers for words": recorded(changed(lambda role, _said, *rest: (role, 17, *rest), "agent", "user")),
    "an empty transcript": recorded([], history=[]),
    "all at one instant": recorded([(role, said, 0, 0, 0) for role, said, *_ in WORDS]),
    "all from one instant": recorded([(role, said, 0, 5, 6) for role, said, *_ in WORDS]),
    "times before the call": recorded([(role, said, -start, -end, -9) for role, said, start, end, _ in WORDS]),
    "ends before beginnings": recorded([(role, said, end, start, None) for role, said, start, end, _ in WORDS]),
    "tools of no name": recorded(changed(lambda role, _said, *rest: (role, {"arguments": {}}, *rest), "tool_call")),
    "tools that are nothing": recorded(changed(lambda role, _said, *rest: (role, None, *rest), "tool_call")),
    "tools that are no JSON": recorded(changed(lambda role, _said, *rest: (role, "not json {", *rest), "tool_call")),
    "arguments that are none": recorded(
        changed(lambda role, said, *rest: (role, {**said, "arguments": "A-17"}, *rest), "tool_call")
    ),
    "a history of nothing known": recorded(spoken(), history=[{"tool_calls": [1, {"function": {"name": None}}]}]),
    "a history that is none": recorded(spoken(), history=[{"tool_calls": "lookup_order"}]),
    "less than no time": recorded(duration_seconds=-5),
}
"""The same call with something unreadable in it."""

STRICTER: dict[str, list[dict[str, Any]]] = {
    "duration": [{"min_seconds": 60}],
    "call": [{"min_turns": 10}],
    "tool_not_called": [
        {"name": "lookup_order", "after": "verify_identity"},
        {"name": "lookup_order", "arguments": {"order_id": "A-17"}},
    ],
    "expression": [
        {"cel": "turns.all(t, !t.text.contains('thirty'))"},
        {"cel": "!tools.exists(t, t.name == 'lookup_order')"},
        {"cel": "turns.size() < 5"},
    ],
    "not": [
        {"of": {"check": "tool_called", "name": "lookup_order"}},
        {"of": {"check": "call", "min_turns": 5}},
        {"of": {"check": "duration", "min_seconds": 50}},
    ],
    "any_of": [{"of": [{"check": "tool_not_called", "name": "lookup_order"}, SAYS_SORRY]}],
}


@pytest.mark.parametrize("how", NOT_READ)
def test_unreadable_data_never_turns_a_failure_into_a_pass(read: Any, how: str) -> None:
    for name, examples in EXAMPLES.items():
        for fields in (*examples, *STRICTER.get(name, ())):
            expectation = read(check=name, **fields)
            if expectation.judge_with(recorded(), asked).outcome is FindingOutcome.FAILED:
                judgement = judge_redacted(expectation, NOT_READ[how], asked)
                assert judgement.outcome is not FindingOutcome.PASSED, (name, fields, judgement.message)


def test_unreadable_turns_leave_what_was_found() -> None:
    """Words that were said were said."""
    garbled = NOT_READ["one unknown speaker"]
    cannot = (
        "cannot be decided: in the transcript the service sent something that cannot be read: a speaker, words or a tool call"
        " of a kind that planner does not know"
    )

    def found(**fields: Any) -> tuple[str, str]:
        judgement = judge_redacted(CHECKS[fields["check"]].model_validate(fields), garbled, asked)
        return judgement.outcome.value, judgement.message

    assert found(check="says", any_of=["recorded"]) == ("passed", 'said "recorded" at turn 1')
    assert found(check="says", any_of=["thirty days"]) == ("undecided", cannot)
    assert found(check="never_says", any_of=["recorded"]) == ("failed", 'said "recorded" at turn 1')
    assert found(check="never_says", any_of=["thirty days"]) == ("undecided", cannot)
    assert found(check="call", min_turns=2) == ("undecided", cannot)
    assert found(check="call", status="completed") == ("passed", "the call completed")
    assert found(check="tool_called", name="lookup_order")[0] == "passed"
    assert garbled.unread == ("turns", "tools")
