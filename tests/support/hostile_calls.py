"""Hostile calls: what a service, or a stored document, could make a check look at.

As a program it judges each with every kind of check and prints a line of JSON for each: name, seconds of CPU, outcome, broken checks, and
the peak of memory so far in bytes. Their texts are a third as long as may be: with the argument `all` they are whole, and it also
judges those that cost a second and are like another.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from planner.bounds import MAX_INTEGER
from planner.checks import CHECKS
from planner.evidence import (
    MAX_CHARACTERS,
    MAX_TURN_CHARACTERS,
    MAX_TURNS,
    MAX_VALUES,
    Call,
    Evidence,
    Grade,
    Role,
    RunStatus,
    ToolCall,
    Turn,
)
from planner.verdicts.runs import judge_run

PARTS = {
    "digits with spaces": "1 ",
    "one long number": "7",
    "number words": "twenty ",
    "hundreds": "one hundred thousand and ",
    "spoken addresses": "mail ana at b dot c dot ",
    "an address without an end": "a.",
    "at signs": "@a.b",
    "dashes": "1-2-3",
    "account numbers": "DE89 3704 0044 0532 0130 0",
    "card numbers": "my card 4242424242424243 or 4242424242424242, ",
    "telephone numbers": "call 4155550142, 41555501423, ",
    "spelled letters": "a b alpha ",
    "signs that are said": "at a dot dash ",
    "fractions": "2½ ",
    "dates": "may 3rd may 4th, ",
    "Thai": "ก",
    "invisible characters": "\u00ad a",
}
IN_MANY_TURNS = ("digits with spaces", "telephone numbers", "one long number", "account numbers", "fractions", "dashes")
"""The others are in turns as long as may be."""
LIKE_ANOTHER = {
    "an address without an end",
    "card numbers",
    "different numbers",
    "one long number",
    "invisible characters",
    "dates",
    "digits with spaces",
    "fractions",
    "number words",
    "signs that are said",
    "spoken addresses",
    "telephone numbers",
}
EXPECTATIONS: tuple[dict[str, Any], ...] = (
    {
        "check": "says",
        "any_of": ["30 days", "$12.50", "9:30 am", "May 3", "AB73", "ab@a.com"],
        "spoken": True,
        "min_count": 2,
    },
    {"check": "never_says", "all_of": ["thirty days", "1 1 1 1 1 1 1 2"]},
    {"check": "says", "matches": "(a|b|1)*c$"},
    {
        "check": "sequence",
        "steps": [{"says": {"any_of": ["1", "a", "twenty", "days"]}}, {"says": {"any_of": ["nope"]}}],
    },
    {"check": "no_pii", "also": ["(a|1)+x"]},
    {"check": "tool_called", "name": "lookup", "arguments": {"order": "1"}},
    {"check": "duration", "max_seconds": 60},
    {"check": "cost", "max_cents": 60},
    {"check": "latency", "p95_ms": 900},
    {"check": "pacing", "max_silence_ms": 900, "talk_ratio": {"min": 0.1}},
    {"check": "grade", "min_score": 0.5},
    {"check": "expression", "cel": "turns.all(a, turns.all(b, a.text + b.text != call.document.a))"},
    {"check": "expression", "cel": "call.document.number > 1 && call.duration_seconds < 60.0"},
    {"check": "language", "is": "en"},
)


def calls(length: int) -> Iterator[tuple[str, Evidence]]:
    for name, part in PARTS.items():
        text = (part * (length // len(part) + 1))[:length]
        size = -(-len(text) // MAX_TURNS) if name in IN_MANY_TURNS else MAX_TURN_CHARACTERS
        yield name, call(text, size)
    numbers = "".join(f"card {411155500000000000 + 7919 * number} " for number in range(length // 24))
    yield "different numbers", call(numbers, 500)
    yield "too many turns", call("a" * (MAX_TURNS + 1), 1)
    yield "too long a turn", call("a" * (MAX_TURN_CHARACTERS + 1), MAX_TURN_CHARACTERS + 1)
    yield "too long a transcript", call("a" * (MAX_CHARACTERS + 1), MAX_TURN_CHARACTERS)
    for name, document in {
        "too many values": {"a": [1] * (MAX_VALUES + 1)},
        "many values": {"a": [{"a": "1"}] * (MAX_VALUES // 5)},
        "a very long text": {"a": "1" * 3_000_000},
        "a long text": {"a": "1" * 1_900_000},
        "deep nesting": {"a": nested(150)},
    }.items():
        yield name, call("hello", 5, document)
    numbers = (
        2**53 + 1,
        2**63,
        2**64,
        -(2**70),
        10**300,
        10**5_000,
        1e308,
        float("inf"),
        float("-inf"),
        float("nan"),
        -0.0,
        True,
        "1e400",
    )
    for number in numbers:
        yield (
            f"the number {str(number)[:20] if not isinstance(number, int) or number < 10**300 else hex(number)[:20]}",
            call("hello", 5, {"number": number, "a": number}, number),
        )


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def call(text: str, size: int, document: dict[str, Any] | None = None, number: Any = 1) -> Evidence:
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    as_number = number if isinstance(number, int | float) else 1
    seconds = float(as_number) if abs(as_number) < 10**308 or isinstance(as_number, float) else 1e308
    whole = as_number if isinstance(as_number, int) else 1
    return Evidence(
        run_id=1,
        run_status=RunStatus.COMPLETED,
        call=Call(
            call_id=9, status="completed", end_reason="agent_end", duration_seconds=seconds, document=document or {}
        ),
        turns=tuple(
            Turn(
                number=place,
                role=Role.AGENT if place % 7 else Role.CALLER,
                text=piece,
                start_ms=whole,
                end_ms=whole,
                ttfa_ms=whole,
            )
            for place, piece in enumerate(pieces, start=1)
        ),
        tools=(ToolCall(name="lookup", arguments={"order": number}, result=number, has_result=True, turn=1),),
        grade=Grade(status="completed", score=seconds, issues=whole),
        cost_cents=whole if 0 <= whole <= MAX_INTEGER else None,
    )


def main() -> None:
    expectations = [
        CHECKS[fields["check"]].model_validate_json(json.dumps(fields), strict=True)
        for fields in EXPECTATIONS
        if fields["check"] != "language" or find_spec("py3langid")
    ]
    judge_run(expectations, call("hello", 5))  # loads libraries
    is_all = sys.argv[1:] == ["all"]
    for name, evidence in calls(MAX_CHARACTERS if is_all else MAX_CHARACTERS // 3):
        if name in LIKE_ANOTHER and not is_all:
            continue
        start = time.process_time()
        verdict = judge_run(expectations, evidence)
        seconds = time.process_time() - start
        broken = sorted(
            {f"{one.check}: {one.message[:200]}" for one in verdict.findings if "bug in planner" in one.message}
        )
        sys.stdout.write(json.dumps([name, seconds, verdict.outcome.name.lower(), broken, peak_bytes()]) + "\n")
        sys.stdout.flush()


def peak_bytes() -> int:
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - no path of a user
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
