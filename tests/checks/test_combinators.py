"""Tests of `all_of`, `any_of` and `not`."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

TALK = ("agent: Hello, this is Acme.", "caller: A refund.", "agent: You have 30 days.")

HOLDS: dict[str, Any] = {"check": "says", "any_of": ["30 days"]}
ALSO_HOLDS: dict[str, Any] = {"check": "duration", "max_seconds": 60}
FAILS: dict[str, Any] = {"check": "says", "any_of": ["goodbye"]}
ALSO_FAILS: dict[str, Any] = {"check": "duration", "max_seconds": 40}
UNDECIDED: dict[str, Any] = {"check": "cost", "max_cents": 16}
PARTS = {"passed": HOLDS, "failed": FAILS, "undecided": UNDECIDED}


@pytest.mark.parametrize(
    ("of", "outcome", "turn", "said"),
    [
        ([HOLDS, ALSO_HOLDS], "passed", 3, 'said "30 days" at turn 3; lasted 54 s'),
        ([ALSO_HOLDS, HOLDS], "passed", 3, 'lasted 54 s; said "30 days" at turn 3'),
        ([HOLDS, FAILS], "failed", None, '1 of 2 parts failed: never said "goodbye" in 2 agent turns'),
        ([FAILS, UNDECIDED, ALSO_FAILS], "failed", None, "lasted 54 s, expected at most 40 s"),
        ([HOLDS, UNDECIDED], "undecided", None, "the service has not billed this run yet"),
        ([{**FAILS, "id": "bye"}, HOLDS], "failed", None, 'bye: never said "goodbye" in 2 agent turns'),
    ],
)
def test_all_of(talk: Any, assert_judged: Any, of: list[Any], outcome: str, turn: int | None, said: str) -> None:
    """A failed part decides, else an undecided one."""
    assert_judged(talk(*TALK), outcome, turn, said, check="all_of", of=of)


@pytest.mark.parametrize(
    ("of", "outcome", "turn", "said"),
    [
        ([FAILS, HOLDS], "passed", 3, 'said "30 days" at turn 3'),
        ([UNDECIDED, HOLDS, ALSO_HOLDS], "passed", 3, 'said "30 days" at turn 3; lasted 54 s'),
        ([FAILS, UNDECIDED], "undecided", None, "the service has not billed this run yet"),
        ([FAILS, ALSO_FAILS], "failed", None, "lasted 54 s, expected at most 40 s"),
    ],
)
def test_any_of(talk: Any, assert_judged: Any, of: list[Any], outcome: str, turn: int | None, said: str) -> None:
    """A part that holds decides, else an undecided one."""
    assert_judged(talk(*TALK), outcome, turn, said, check="any_of", of=of)


@pytest.mark.parametrize(
    ("of", "outcome", "turn", "said"),
    [
        (HOLDS, "failed", 3, 'holds, expected not to: said "30 days" at turn 3'),
        (FAILS, "passed", None, 'does not hold, as expected: never said "goodbye" in 2 agent turns'),
        (UNDECIDED, "undecided", None, "the service has not billed this run yet"),
        ({**UNDECIDED, "id": "cheap"}, "undecided", None, "cheap: the service has not billed this run yet"),
    ],
)
def test_not(talk: Any, assert_judged: Any, of: Any, outcome: str, turn: int | None, said: str) -> None:
    """Passed becomes failed and the other way round; undecided stays."""
    assert_judged(talk(*TALK), outcome, turn, said, check="not", of=of)


SILENT = {"check": "says", "any_of": ["30 days"]}
LONG = {"check": "duration", "min_seconds": 600}
AGENT, CALLER = {"any_of": ["30 days"]}, {"any_of": ["anybody"], "who": "caller"}


@pytest.mark.parametrize(
    ("of", "outcome"),
    [
        (SILENT, "undecided"),
        ({**SILENT, "any_of": ["refund"], "who": "caller"}, "passed"),
        ({"check": "all_of", "of": [SILENT, {**SILENT, "min_count": 2}]}, "undecided"),
        ({"check": "all_of", "of": [SILENT, LONG]}, "passed"),
        ({"check": "any_of", "of": [SILENT, LONG]}, "undecided"),
        ({"check": "any_of", "of": [LONG, {"check": "duration", "min_seconds": 900}]}, "passed"),
        ({"check": "sequence", "steps": [{"says": AGENT}, {"says": CALLER}]}, "undecided"),
        ({"check": "sequence", "steps": [{"says": CALLER}, {"says": AGENT}]}, "undecided"),
        ({"check": "sequence", "steps": [{"says": AGENT}, {"says": {**CALLER, "any_of": ["refund"]}}]}, "passed"),
        ({"check": "sequence", "steps": [{"tool": "lookup"}, {"says": AGENT}]}, "passed"),
        ({"check": "all_of", "of": [SILENT, {"check": "sequence", "steps": [{"says": AGENT}] * 2}]}, "undecided"),
        ({"check": "tool_called", "name": "lookup"}, "passed"),
        ({"check": "language", "is": "en"}, "undecided"),
        ({"check": "pacing", "max_agent_overlaps": 0}, "undecided"),
    ],
)
def test_silence_proves_no_opposite(talk: Any, judge: Any, of: Any, outcome: str) -> None:
    """As with `never_says`: an agent that never spoke may have been cut off."""
    assert judge(talk("caller: Hello? Is anybody there?"), check="not", of=of)[0] == outcome


@pytest.mark.parametrize("outcomes", list(product(PARTS, repeat=3)), ids="-".join)
def test_de_morgans_laws_hold(talk: Any, judge: Any, outcomes: tuple[str, ...]) -> None:
    parts = [PARTS[outcome] for outcome in outcomes]
    negated: list[Any] = [{"check": "not", "of": part} for part in parts]
    evidence = talk(*TALK)

    def outcome(**fields: Any) -> str:
        return judge(evidence, **fields)[0]

    assert outcome(check="all_of", of=parts) == outcome(check="not", of={"check": "any_of", "of": negated})
    assert outcome(check="any_of", of=parts) == outcome(check="not", of={"check": "all_of", "of": negated})
    rank = ["failed", "undecided", "passed"].index
    assert outcome(check="all_of", of=parts) == min(outcomes, key=rank)
    assert outcome(check="any_of", of=parts) == max(outcomes, key=rank)


def test_fingerprint_includes_the_parts(read: Any) -> None:
    """Without their ids and descriptions."""
    for check, of in (("all_of", [HOLDS, FAILS]), ("any_of", [HOLDS, FAILS])):
        plain = read(check=check, of=of).fingerprint_fields()
        assert plain["of"] == [read(**part).fingerprint_fields() for part in of]
        assert (
            read(check=check, of=[{**of[0], "id": "window", "description": "Why."}, of[1]]).fingerprint_fields()
            == plain
        )
        assert read(check=check, of=of[::-1]).fingerprint_fields() != plain
    plain = read(check="not", of=HOLDS).fingerprint_fields()
    assert plain == {"check": "not", "severity": "error", "version": 2, "of": read(**HOLDS).fingerprint_fields()}
    assert read(check="not", of={**HOLDS, "id": "ends"}, id="whole").fingerprint_fields() == plain


POLITE: dict[str, Any] = {"check": "judge", "rubric": "The agent is polite.", "votes": 3}
KIND: dict[str, Any] = {"check": "judge", "rubric": "The agent is kind."}


@pytest.mark.parametrize(
    ("whole", "asked"),
    [
        ({"check": "any_of", "of": [HOLDS, POLITE]}, []),
        ({"check": "any_of", "of": [FAILS, POLITE]}, ["polite"]),
        ({"check": "all_of", "of": [FAILS, POLITE]}, []),
        ({"check": "all_of", "of": [POLITE, HOLDS, KIND]}, ["polite", "kind"]),
        ({"check": "all_of", "of": [UNDECIDED, HOLDS]}, []),
        ({"check": "not", "of": POLITE}, ["polite"]),
        ({"check": "not", "of": {"check": "any_of", "of": [KIND, HOLDS]}}, []),
        ({"check": "any_of", "of": [FAILS, {"check": "all_of", "of": [KIND, HOLDS]}]}, ["kind"]),
    ],
    ids=str,
)
def test_a_model_is_asked_only_if_other_parts_do_not_decide(
    talk: Any, read: Any, whole: dict[str, Any], asked: list[str]
) -> None:
    """The estimate still counts every rubric."""
    expectation = read(**whole)
    questions = expectation.questions(talk(*TALK))
    assert [question.rubric for question in questions] == [f"The agent is {how}." for how in asked]
    rubrics = [rubric for rubric in (POLITE["rubric"], KIND["rubric"]) if rubric in str(whole)]
    assert [rubric for rubric, _ in expectation.rubrics()] == rubrics
    assert expectation.asks_model is bool(rubrics)
    assert len(questions) == 0 or questions[0].votes == (3 if asked[0] == "polite" else 1)
