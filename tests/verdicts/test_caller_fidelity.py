"""Who is blamed for calls of broken and of honest callers (`callers.yaml`)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML
from transcripts import evidence_of

from planner.checks import CHECKS
from planner.checks.opinions import Ask, Question, Verdict, Vote, Votes, no_judge
from planner.results.model import RunVerdict
from planner.results.outcomes import Cause, RunOutcome
from planner.sandbox.conversation import EMPTY, Turn
from planner.verdicts.runs import judge_run

CALLS: Final[dict[str, dict[str, Any]]] = YAML(typ="safe").load(Path(__file__).with_name("callers.yaml"))
BLAMED: Final = {
    "wrong-order-number": "said 48219 instead of 48213",
    "wrong-booking-code": "said QX7T9M instead of QX7T4M",
    "swaps-two-digits": "said 7720143 instead of 7720413",
    "swaps-two-digits-of-the-policy-number": "said 77305412 instead of 77305142",
    "a-loop": "3 times, whatever the agent answered",
    "the-same-sentence-for-ever": "3 times, whatever the agent answered",
    "silence": "never spoke in 12 s",
}
"""The broken callers that are found, and a part of the reason. A request that the caller was not given needs a judge."""
NEEDS_JUDGE: Final = CALLS["broken"]["a-request-it-was-not-given"]
_ROLES: Final = {"agent": "agent", "caller": "user"}


def judged(
    call: dict[str, Any],
    *others: dict[str, Any],
    ask: Ask = no_judge,
) -> RunVerdict:
    spoken = [(_ROLES[role], text) for turn in call["turns"] for role, text in turn.items()]
    turns = tuple(
        Turn(role, text, at * 4000, at * 4000 + 3000)  # pyright: ignore[reportArgumentType]
        for at, (role, text) in enumerate(spoken)
    )
    conversation = replace(EMPTY, turns=turns, duration_ms=4000 * len(turns), end_reason=call["end"])
    expectations: list[dict[str, Any]] = [{"check": "says", "any_of": [call["expect"]]}, *others]
    return judge_run(
        [CHECKS[each["check"]].model_validate(each) for each in expectations],
        evidence_of(conversation),
        ask,
        prompt=call["prompt"],
    )


def answered(call: dict[str, Any]) -> dict[str, Any]:
    """The same call, but the agent says what it must say."""
    return {**call, "turns": [*call["turns"], {"agent": f"By the way: {call['expect']}."}]}


@pytest.mark.parametrize("name", BLAMED)
def test_a_broken_caller_is_not_blamed_on_the_agent(name: str) -> None:
    verdict = judged(CALLS["broken"][name])
    assert (verdict.outcome, verdict.cause) == (RunOutcome.UNDECIDED, Cause.CALLER)
    assert BLAMED[name] in verdict.reason
    assert (verdict.cause_quote is None) == (name == "silence")


@pytest.mark.parametrize("name", CALLS["honest"])
def test_an_honest_caller_is_not_blamed(name: str) -> None:
    verdict = judged(CALLS["honest"][name])
    assert (verdict.outcome, verdict.cause) == (RunOutcome.FAILED, Cause.AGENT)


def saying(verdict: Verdict, quote: str | None = None) -> Ask:
    """A judge that says this of every caller."""

    def ask(question: Question) -> Votes:
        assert question.is_about_caller
        turn = question.turns[1]
        return Votes((Vote(verdict, turn.number, quote or turn.text, "It asked for\nanother thing."),))

    return ask


@pytest.mark.parametrize("call", [NEEDS_JUDGE, answered(NEEDS_JUDGE)], ids=["failing", "passing"])
def test_a_judge_finds_what_no_rule_does(call: dict[str, Any]) -> None:
    """The run counts for nothing, and quotes the caller; also if every expectation holds."""
    assert judged(call).cause is not Cause.CALLER
    verdict = judged(call, ask=saying(Verdict.DOES_NOT_HOLD))
    assert (verdict.outcome, verdict.cause) == (RunOutcome.UNDECIDED, Cause.CALLER)
    assert verdict.reason.endswith("says the judge: It asked for another thing")
    assert verdict.cause_quote is not None
    assert verdict.cause_quote.text == call["turns"][1]["caller"]


@pytest.mark.parametrize(
    ("verdict", "quote"),
    [(Verdict.HOLDS, None), (Verdict.CANNOT_TELL, None), (Verdict.DOES_NOT_HOLD, "words that nobody said")],
)
def test_a_judge_that_does_not_blame_the_caller_changes_nothing(verdict: Verdict, quote: str | None) -> None:
    assert judged(NEEDS_JUDGE, ask=saying(verdict, quote)).cause is Cause.AGENT


def test_a_judge_excuses_nothing_that_the_agent_did_on_its_own() -> None:
    forbidden = {"check": "never_says", "any_of": ["memberships"]}
    assert judged(NEEDS_JUDGE, forbidden, ask=saying(Verdict.DOES_NOT_HOLD)).cause is Cause.AGENT


@pytest.mark.parametrize("name", ["a-loop", "wrong-booking-code"])
def test_a_call_of_a_broken_caller_never_passes(name: str) -> None:
    """The agent may even say what the caller never asked."""
    verdict = judged(answered(CALLS["broken"][name]))
    assert (verdict.findings[0].outcome, verdict.outcome, verdict.cause) == ("passed", "undecided", Cause.CALLER)


def test_what_the_agent_did_on_its_own_is_its_failure() -> None:
    """A forbidden word counts whoever called; what the caller could prevent does not, even if it is critical."""
    call = CALLS["broken"]["a-loop"]
    forbidden = {"check": "never_says", "any_of": ["address"]}
    assert judged(call, forbidden).cause == Cause.AGENT
    critical = {"check": "says", "id": "told", "any_of": ["neighbour"], "severity": "critical"}
    verdict = judged(call, critical)
    assert verdict.cause == Cause.CALLER
    assert [(finding.outcome, finding.message[:39]) for finding in verdict.findings] == [
        ("undecided", "not counted, because the caller repeate")
    ] * 2


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("Ask nothing. Just say hello and hang up.", "Hello. Bye."),
        ("", "Hello. Bye."),
        ("Ask about order 48213 or order 48219.", "Where is my order 48219?"),
        ("Ask about order 48213.", "It is order 48213. Not 48219, that one came."),
        ("Ask about order 48213. It cost 48 dollars.", "Where is my order? I paid 48 dollars on the 21st."),
    ],
)
def test_unclear_callers_are_not_blamed(prompt: str, words: str) -> None:
    turns = [{"agent": "Hello, this is Acme."}, {"caller": words}, {"agent": "Goodbye."}]
    verdict = judged({"prompt": prompt, "expect": "xylophone", "end": "agent_end", "turns": turns})
    assert verdict.cause == Cause.AGENT


def test_a_caller_without_time_to_speak_is_not_blamed() -> None:
    """The agent hung up after its greeting."""
    call = {**CALLS["broken"]["silence"], "turns": [{"agent": "Goodbye."}]}
    assert judged(call).cause == Cause.AGENT


def test_a_number_that_the_agent_gave_is_not_the_callers() -> None:
    call = CALLS["broken"]["wrong-order-number"]
    first = {"agent": "Is it about your order 48219?"}
    assert judged({**call, "turns": [first, *call["turns"]]}).cause == Cause.AGENT
