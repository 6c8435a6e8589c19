"""Tests of `judge` without a model: questions, counting, validation."""

from __future__ import annotations

from typing import Any

import pytest

from planner.checks.opinions import Question, Verdict, Vote, Votes, checked
from planner.evidence import Role, Turn

RUBRIC = "The agent stays polite."
TALK = ("caller: Where is my parcel?", "agent: It comes on Friday. Sorry.", "agent: Goodbye")
YES = Vote(Verdict.HOLDS, 2, "It comes on Friday", "It says sorry.")
NO = Vote(Verdict.DOES_NOT_HOLD, 1, "Where is my parcel", "Nobody says please.")
UNSURE = Vote(Verdict.CANNOT_TELL)


@pytest.mark.parametrize(
    ("votes", "threshold", "given", "outcome"),
    [
        (1, None, [YES], "passed"),
        (1, None, [NO], "failed"),
        (1, None, [UNSURE], "undecided"),
        (2, None, [YES, NO], "undecided"),
        (3, None, [YES, YES], "passed"),
        (3, None, [NO, NO], "failed"),
        (3, None, [YES, NO], "undecided"),
        (3, None, [NO, NO, YES, YES, YES], "failed"),
        (3, 0.3, [YES], "passed"),
        (3, 0.3, [NO, NO, NO], "failed"),
        (3, 0.3, [NO, NO], "undecided"),
        (3, 1.0, [YES, YES], "undecided"),
        (3, 1.0, [YES, YES, YES], "passed"),
        (3, 1.0, [NO], "failed"),
        (10, 0.7, [YES] * 7, "passed"),
        (10, 0.7, [YES] * 6, "undecided"),
        (10, 0.7, [NO] * 4, "failed"),
        (10, 0.7, [NO] * 3, "undecided"),
    ],
)
def test_votes_are_counted(
    talk: Any, read: Any, votes: int, threshold: float | None, given: list[Vote], outcome: str
) -> None:
    """Undecided while missing votes could change the result."""
    fields = {"votes": votes} | ({"threshold": threshold} if threshold else {})
    expectation = read(check="judge", rubric=RUBRIC, **fields)
    assert expectation.judge_with(talk(*TALK), lambda _: Votes(tuple(given), "gone")).outcome.value == outcome


@pytest.mark.parametrize(
    ("given", "message", "turn"),
    [
        ([YES], "the rubric holds: It says sorry.", 2),
        ([NO], "the rubric does not hold: Nobody says please.", 1),
        ([Vote(Verdict.HOLDS, 2, "It comes on Friday", " ")], "the rubric holds", 2),
        ([Vote(Verdict.HOLDS, 2, "It comes on Friday", "a " * 120)], "the rubric holds: " + ("a " * 120).strip(), 2),
        ([Vote(Verdict.HOLDS, 2, "It comes on Friday", "b" * 241)], f"the rubric holds: {'b' * 239}…", 2),
        ([UNSURE], "undecided: the judge could not decide", None),
        ([Vote(Verdict.CANNOT_TELL, reason="It is in Greek.")], "undecided: the judge could not decide: It is in Greek.", None),
        ([Vote(Verdict.HOLDS)], "undecided: the vote is invalid, for it quotes a turn that does not exist", None),
        ([], "not judged: the endpoint was gone", None),
    ],
)  # fmt: skip
def test_one_vote_is_reported_with_its_reason(
    talk: Any, read: Any, given: list[Vote], message: str, turn: int | None
) -> None:
    judgement = read(check="judge", rubric=RUBRIC).judge_with(
        talk(*TALK), lambda _: Votes(tuple(given), "the endpoint was gone")
    )
    assert judgement.message == message
    assert (judgement.quote.turn if judgement.quote else None) == turn


def test_stored_names_of_verdicts() -> None:
    assert [verdict.value for verdict in Verdict] == ["holds", "does_not_hold", "cannot_tell"]


def test_several_votes_are_reported_by_kind(talk: Any, read: Any) -> None:
    votes = (YES, NO, UNSURE, Vote(Verdict.HOLDS, 9), Vote(Verdict.HOLDS, 8))
    judgement = read(check="judge", rubric=RUBRIC, votes=7).judge_with(talk(*TALK), lambda _: Votes(votes, "late"))
    assert judgement.message == (
        "undecided: 1 of 7 votes for, 1 against, 1 undecided,"
        " 2 void (it quotes a turn that does not exist), 2 missing (late)"
    )
    one = read(check="judge", rubric=RUBRIC, votes=2).judge_with(talk(*TALK), lambda _: Votes((YES,), "late"))
    assert one.message == "undecided: 1 of 2 votes for, 1 missing (late)"
    whole = read(check="judge", rubric=RUBRIC, votes=3).judge_with(talk(*TALK), lambda _: Votes((YES, NO, YES), "late"))
    assert whole.message == "the rubric holds: 2 of 3 votes for, 1 against: It says sorry."
    none = read(check="judge", rubric=RUBRIC, votes=2).judge_with(talk(*TALK), lambda _: Votes())
    assert none.message == "not judged: there is no vote"


@pytest.mark.parametrize(
    ("vote", "void"),
    [
        (Vote(Verdict.HOLDS, 2, "it COMES on friday"), ""),
        (Vote(Verdict.HOLDS, 3, "goodbye"), ""),
        (Vote(Verdict.HOLDS, 2, "comes on"), ""),
        (Vote(Verdict.HOLDS, 2, "Friday"), "its quote is too short"),
        (Vote(Verdict.HOLDS, 2, "on Monday"), "its quote is not in the turn it names"),
        (Vote(Verdict.HOLDS, 1, "It comes on Friday"), "its quote is not in the turn it names"),
        (Vote(Verdict.HOLDS, 2, "…"), "it quotes nothing"),
        (Vote(Verdict.HOLDS, 4, "Goodbye"), "it quotes a turn that does not exist"),
        (Vote(Verdict.CANNOT_TELL, 4, "x"), ""),
        (Vote(Verdict.HOLDS, 2, "It comes on Friday", void="it contradicts itself"), "it contradicts itself"),
        (Vote(Verdict.HOLDS, 9, "", void="it contradicts itself"), "it contradicts itself"),
    ],
)
def test_a_vote_must_quote_the_turn_it_names(talk: Any, vote: Vote, void: str) -> None:
    """At least two words, unless the turn has only one."""
    assert checked(vote, talk(*TALK).turns).void == void


def test_questions(talk: Any, read: Any) -> None:
    expectation = read(check="judge", rubric=f"  {RUBRIC} ", votes=3)
    assert read(check="judge", rubric="a" * 4_000, votes=15, threshold=1.0).rubrics() == (("a" * 4_000, 15),)
    evidence = talk(*TALK)
    assert expectation.rubrics() == ((RUBRIC, 3),)
    assert expectation.asks_model
    assert expectation.questions(evidence) == (Question(RUBRIC, evidence.turns, 3),)
    assert expectation.judge(evidence).message == "not judged: no language model was asked"
    for turns in (None, (), (Turn(number=1, role=Role.TOOL, text="{}"), Turn(number=2, role=Role.AGENT, text=" "))):
        assert expectation.questions(talk(turns=turns)) == ()
    assert expectation.judge(talk(turns=None)).message == "the service gave no transcript"
    assert expectation.judge(talk("tool: hello")).message == "the transcript is empty: there is nothing to judge"


@pytest.mark.parametrize(
    ("fields", "places"),
    [
        ({}, []),
        ({"votes": 3}, []),
        ({"votes": 2}, ["votes"]),
        ({"votes": 2, "threshold": 0.51}, []),
        ({"votes": 2, "threshold": 1.0}, []),
        ({"votes": 2, "threshold": 0.5}, ["threshold"]),
    ],
)
def test_suspicious_votes_are_reported(read: Any, fields: Any, places: list[str]) -> None:
    found = read(check="judge", rubric=RUBRIC, **fields).lints()
    assert [(lint.route, lint.code) for lint in found] == [((place,), "doubtful-votes") for place in places]
