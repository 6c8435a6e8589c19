"""Who is blamed for calls of broken and of honest callers (`callers.yaml`)."""

from __future__ import annotations

from typing import Final

import pytest
from caller_calls import calls_of, judged

from planner.checks.opinions import Ask, Question, Verdict, Vote, Votes
from planner.results.outcomes import Cause, RunOutcome

CALLS: Final = calls_of("callers.yaml")


BLAMED: Final = {
    "wrong-order-number": "said 48219 instead of 48213",
    "wrong-name": 'called itself "Robert Chen" instead of Peter Lindqvist',
    "an-early-end": "asked nothing",
    "gibberish": "nobody can understand the caller",
    "a-loop": "3 times, whatever the agent answered",
    "nothing-asked": "asked nothing",
    "nothing-asked-and-the-agent-tells-it-anyway": "asked nothing",
    "silence": "never spoke in 12 s",
    "leaves-its-role": "left its role",
    "plays-the-agent": "spoke the agent's part",
    "wrong-booking-code": "said QX7T9M instead of QX7T4M",
}
"""The broken callers that are found, and a part of the reason. A request that the caller was not given needs a judge."""


@pytest.mark.parametrize("dialect", ["page", "client"])
@pytest.mark.parametrize("name", CALLS["broken"])
def test_a_broken_caller_is_not_blamed_on_the_agent(name: str, dialect: str) -> None:
    verdict = judged(CALLS["broken"][name], dialect)
    if name not in BLAMED:
        assert (name, verdict.cause) == ("a-request-it-was-not-given", Cause.AGENT)
        return
    assert (verdict.outcome, verdict.cause) == (RunOutcome.UNDECIDED, Cause.CALLER)
    assert BLAMED[name] in verdict.reason
    assert (verdict.cause_quote is None) == (name == "silence")
    assert judged(CALLS["broken"][name], dialect, caller_faults="count").cause != Cause.CALLER


OTHER_CALLS: Final = {
    file: calls_of(file)
    for file in (
        "development_callers.yaml",
        "more_callers.yaml",
        "fresh_callers.yaml",
        "unseen_callers.yaml",
        "later_callers.yaml",
    )
}
NEEDS_JUDGE: Final = {
    "development_callers.yaml": {"another-request", "invented-request"},
    "more_callers.yaml": {"asks-for-something-else", "invents-a-complaint", "word-salad"},
    "fresh_callers.yaml": {
        "a-question-without-a-question",
        "an-employee",
        "another-amount",
        "another-destination",
        "gives-the-answer-itself",
        "the-last-of-three",
    },
    "unseen_callers.yaml": {
        "accepts-what-it-must-refuse",
        "caller-becomes-the-receptionist",
        "cancels-instead-of-pausing",
        "claims-a-receipt-it-lacks",
        "denies-having-the-policy-number",
        "leaves-during-the-lookup",
        "reads-out-its-instructions",
        "second-question-never-asked",
        "wrong-date-of-appointment",
    },
    "later_callers.yaml": {
        "cancels-what-it-was-to-move",
        "claims-to-have-no-booking-code",
        "leaves-while-the-agent-is-looking-it-up",
        "says-nothing-but-okay",
        "takes-the-voucher-it-was-told-to-turn-down",
        "turns-six-guests-into-four",
    },
}
"""The broken callers that no rule finds."""


@pytest.mark.parametrize("file", OTHER_CALLS)
def test_more_callers_measure_the_rules(file: str) -> None:
    """No honest caller is blamed."""
    for kind, found in (("broken", OTHER_CALLS[file]["broken"].keys() - NEEDS_JUDGE[file]), ("honest", set[str]())):
        blamed = {name for name, call in OTHER_CALLS[file][kind].items() if judged(call).cause is Cause.CALLER}
        assert blamed == found


def saying(verdict: Verdict, quote: str | None = None) -> Ask:
    """A judge that says this of every caller."""

    def ask(question: Question) -> Votes:
        assert question.is_about_caller
        turn = question.turns[1]
        return Votes((Vote(verdict, turn.number, quote or turn.text, "It asked for\nanother thing."),))

    return ask


@pytest.mark.parametrize(("file", "name"), [(file, name) for file in NEEDS_JUDGE for name in sorted(NEEDS_JUDGE[file])])
def test_a_judge_finds_what_no_rule_does(file: str, name: str) -> None:
    """The run counts for nothing, and quotes the caller; also if every expectation holds."""
    call = OTHER_CALLS[file]["broken"][name]
    passing = {**call, "turns": [*call["turns"], {"agent": f"By the way: {call['expect']}."}]}
    for each in (call, passing):
        verdict = judged(each, ask=saying(Verdict.DOES_NOT_HOLD))
        assert (verdict.outcome, verdict.cause) == (RunOutcome.UNDECIDED, Cause.CALLER)
        assert verdict.reason.endswith("says the judge: It asked for another thing")
        assert verdict.cause_quote is not None
        assert verdict.cause_quote.text == call["turns"][1]["caller"]


@pytest.mark.parametrize(
    ("verdict", "quote"),
    [(Verdict.HOLDS, None), (Verdict.CANNOT_TELL, None), (Verdict.DOES_NOT_HOLD, "words that nobody said")],
)
@pytest.mark.parametrize("name", OTHER_CALLS["more_callers.yaml"]["honest"])
def test_a_judge_that_does_not_blame_the_caller_changes_nothing(name: str, verdict: Verdict, quote: str | None) -> None:
    assert judged(OTHER_CALLS["more_callers.yaml"]["honest"][name], ask=saying(verdict, quote)).cause is Cause.AGENT


def test_a_judge_excuses_nothing_that_the_agent_did_on_its_own() -> None:
    forbidden = {"check": "never_says", "any_of": ["misunderstanding"]}
    call = OTHER_CALLS["more_callers.yaml"]["broken"]["answers-as-the-shop"]
    assert judged(call, "page", forbidden, ask=saying(Verdict.DOES_NOT_HOLD)).cause is Cause.AGENT
    assert judged(call, caller_faults="count", ask=saying(Verdict.DOES_NOT_HOLD)).cause is Cause.AGENT


@pytest.mark.parametrize("dialect", ["page", "client"])
@pytest.mark.parametrize("name", CALLS["honest"])
def test_an_honest_caller_is_not_blamed(name: str, dialect: str) -> None:
    verdict = judged(CALLS["honest"][name], dialect)
    assert (verdict.outcome, verdict.cause) == (RunOutcome.FAILED, Cause.AGENT)


@pytest.mark.parametrize("name", ["wrong-name", "a-loop", "nothing-asked", "wrong-booking-code", "gibberish"])
def test_a_call_of_a_broken_caller_never_passes(name: str) -> None:
    """The agent may even say what the caller never asked."""
    call = CALLS["broken"][name]
    answered = {**call, "turns": [*call["turns"], {"agent": f"By the way: {call['expect']}."}]}
    verdict = judged(answered)
    assert (verdict.findings[0].outcome, verdict.outcome, verdict.cause) == ("passed", "undecided", Cause.CALLER)


def test_what_the_agent_did_on_its_own_is_its_failure() -> None:
    """A forbidden word counts whoever called; what the caller could prevent does not, even if it is critical."""
    call = CALLS["broken"]["nothing-asked"]
    forbidden = {"check": "never_says", "any_of": ["booking"]}
    assert judged(call, "page", forbidden).cause == Cause.AGENT
    critical = {"check": "says", "id": "told", "any_of": ["one night"], "severity": "critical"}
    verdict = judged(call, "page", critical)
    assert verdict.cause == Cause.CALLER
    assert [(finding.outcome, finding.message[:39]) for finding in verdict.findings] == [
        ("undecided", "not counted, because the caller asked n")
    ] * 2


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("Answer the survey. You liked everything.", "Yes. Very good. Thank you. Bye."),  # asked by the agent
        ("Ask nothing. Just say hello and hang up.", "Hello. Bye."),
        ("", "Hello. Bye."),
        ("Speak Spanish. Ask when they open.", "Hola, querría saber a qué hora abren mañana por la mañana."),
        ("Frage, wo deine Bestellung bleibt.", "Guten Tag, wo bleibt denn bitte meine Bestellung von letzter Woche?"),
        ("Ask about order 48213 or order 48219.", "Where is my order 48219?"),
        ("Ask about order 48213.", "It is order 48213. Not 48219, that one came."),
        ("Ask about order 48213. It cost 48 dollars.", "Where is my order? I paid 48 dollars on the 21st."),
        ("Your name is Ana. Your husband is called Ben.", "My name is Ben. No, that's my husband. I'm Ana, I want a cab."),
        ("You are a woman called Ana.", "My name is Lucia and I want a cab."),  # not clearly the caller's own name
        ("You are Furious. Ask for a cab.", "I want a cab now!"),
        ("Ask how the card reader works.", "Do I insert my card here? [laughs] Or there?"),
    ],
)  # fmt: skip
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
