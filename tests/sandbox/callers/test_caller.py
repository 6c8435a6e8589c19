"""The test bot alone, facing agents that the demo world does not have."""

from __future__ import annotations

from itertools import pairwise

import pytest

from planner.sandbox.callers.caller import Caller
from planner.sandbox.callers.prompt import read_prompt
from planner.sandbox.draws import Draws

NUMBER = "+14155550199"


def _caller(prompt: str, seed: int = 1) -> Caller:
    return Caller(read_prompt(prompt), Draws(seed), Draws(seed + 1), NUMBER)


def test_an_agent_that_asks_the_same_again_and_again() -> None:
    """After three times the caller hangs up."""
    caller = _caller("You are Ana Ruiz. Return order 12345.")
    caller.hear("How can I help?")
    replies = [caller.hear("What's your order number?") for _ in range(4)]
    assert ["12345" in reply.text for reply in replies] == [True, True, True, False]
    assert replies[-1].hangs_up
    assert caller.goals == (("Return order 12345", "open"),)


def test_an_agent_that_understands_nothing() -> None:
    """The goal is said again in other words, until patience ends; a furious caller has less of it."""

    def turns(prompt: str, answer: str) -> int:
        caller = _caller(prompt)
        caller.hear("How can I help?")
        said: list[str] = []
        for _ in range(20):
            reply = caller.hear(answer)
            if reply.hangs_up:
                break
            said.append(reply.text)
        assert all(before != after for before, after in pairwise(said))
        return len(said)

    calm, furious = (
        turns(f"You are {mood}. Ask for a refund.", "Sorry, I didn't catch that.") for mood in ("calm", "furious")
    )
    assert calm > furious > 0
    assert turns("Ask for a refund.", "One moment, please.") == calm


def test_an_agent_that_hangs_up_on_a_question() -> None:
    """A goal that nothing was said about stays open."""
    caller = _caller("Ask for a refund.")
    caller.hear("How can I help?")
    caller.left("Goodbye.", transferred=False)
    assert caller.goals[0][1] == "open"
    caller.left("I can't do that. Goodbye.", transferred=False)
    assert caller.goals[0][1] == "open"
    caller.left("A refund is on its way. Goodbye.", transferred=False)
    assert caller.goals[0][1] == "answered"


def test_an_agent_that_hangs_up_at_once() -> None:
    """Before anything was asked nothing is answered, even by a transfer."""
    caller = _caller("Ask for a refund.")
    caller.left("I'm putting you through.", transferred=True)
    assert caller.goals[0][1] == "open"


@pytest.mark.parametrize(
    ("prompt", "question", "answer"),
    [
        (
            "You are Ana. Your pet is called Rex. Book a visit for a cough.",
            "What is the reason for the visit?",
            "A cough.",
        ),
        ("Your knee hurts a lot. Book a visit.", "What seems to be the problem?", "My knee hurts a lot."),
        ("You are calling because you fell. Book a visit.", "What happened?", "I'm calling because I fell."),
        ("Book a visit.", "What is it for?", "book a visit."),
        ("Return order 12345.", "May I ask what the reason for the return is?", "expected|changed my mind|rather not"),
        ("Book a visit.", "What's the best number to call you back?", NUMBER),
        ("Do not give your phone number. Book a visit.", "What's your phone number?", "know|have that"),
        ("Book a visit.", "May I have your full name?", "Morgan|Novak|Keller|Hayes|Larsen|Bennett|Moreau"),
        ("Refuse to give your name. Book a visit.", "May I have your full name?", "know|have that"),
        ("Book a visit.", "And your date of birth?", "19"),
        ("Book a visit.", "Can you come fifteen minutes early?", "Yes, I can|okay"),
        ("Book a visit on Monday morning.", "What day would you like to come?", "Monday morning"),
        ("Book a visit.", "Which day would you like?", "Any day|Whatever"),
        ("Book a visit.", "Do you have a referral?", "Yes|Sure"),
        ("Book a visit. Decline any offer.", "Would you like a reminder?", "No"),
        ("Book a visit. It is not your first visit.", "Is it your first visit?", "No"),
        ("Book a visit. It is your first visit.", "Is it your first visit?", "Yes"),
        ("Book a visit.", "What's your shoe size?", "know|have that"),
        (
            "You do not know your date of birth. You were born on March 4, 1985. Book a visit.",
            "Your date of birth?",
            "know|have that",
        ),
        ("Book a visit.", "I have Monday at 9:00 AM or Friday at 2:00 PM. Which one?", "Monday at 9:00 AM"),
        ("Book a visit at 2:00 PM.", "I have Monday at 9:00 AM or Friday at 2:00 PM. Which one?", "Friday at 2:00 PM"),
        (
            "Book a visit in the afternoon.",
            "I have Monday at 9:00 AM or Friday at 2:00 PM. Which one?",
            "Friday at 2:00 PM",
        ),
        (
            "Book a visit in the morning.",
            "I have Friday at 2:00 PM or Monday at 9:00 AM. Which one?",
            "Monday at 9:00 AM",
        ),
    ],
)
def test_answers(prompt: str, question: str, answer: str) -> None:
    """Questions are answered from what the prompt says, or with not knowing."""
    for seed in range(5):
        caller = _caller(prompt, seed)
        caller.hear("How can I help?")
        said = caller.hear(question).text
        assert any(part.lower() in said.lower() for part in answer.split("|")), said


def test_a_caller_without_a_prompt_gives_up_politely() -> None:
    """Asked what it wants, a caller that wants nothing ends the call."""
    caller = _caller("")
    caller.hear("How can I help?")
    assert caller.hear("Of course, what is it about?").hangs_up
