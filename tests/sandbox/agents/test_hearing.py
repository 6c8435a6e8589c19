"""What the agent makes of what it hears."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from planner.sandbox.agents.actions import Action, HangUp, Say, Transfer, UseTool
from planner.sandbox.agents.agent import Agent, AgentOnCall
from planner.sandbox.agents.hearing import understand
from planner.sandbox.draws import Draws
from planner.sandbox.worlds.script import Slot, Snapshot, Step

SCRIPT: dict[str, Any] = {
    "greeting": ["Hello."],
    "openers": ["Sure."],
    "follow_up": ["Anything else?"],
    "goodbye": ["Bye."],
    "otherwise": ["Not my subject."],
    "misses": 2,
    "slots": {
        "order": {"kind": "digits", "length": 3, "near": ["order"], "ask": ["Which order?"], "again": ["Three digits."], "without": ["No number, no order."]},
        "day": {"kind": "weekday", "ask": ["Which day?"], "default": "any", "attempts": 1},
        "pick": {"kind": "choice", "options_from": "look.list", "ask": ["{look.list.0} or {look.list.1}?"]},
    },
    "rules": {
        "buy": {
            "hears": ["buy"],
            "needs": ["order", "day"],
            "do": [
                {"tool": "look", "with": {"order": "{order}", "day": "{day}", "note": "for {day}", "nobody": "{pick}", "count": 2}},
                {"need": "pick"},
                {"set": {"done": "{pick}!", "pick": None}},
                {"say": ["{done} {look.price} {look.nothing.at.all} {code}"]},
            ],
        },
        "leave": {"hears": ["leave"], "do": [{"say": ["Off you go."]}, {"end": True}], "opener": False},
        "boss": {"hears": ["boss"], "when": {"done": None}, "do": [{"transfer": "+1415555{code}"}]},
    },
}  # fmt: skip
TOOLS: dict[str, Any] = {
    "look": {
        "filler": ["Wait."],
        "answers": [
            {
                "when": {"order": ["123", "124"]},
                "result": {"list": ["Red {order}", "Blue"], "price": 2.5, "id": "{code}"},
            },
            {"when": {"order": None}, "result": None},
        ],
    }
}


def _agent() -> AgentOnCall:
    fields = {
        "agent_id": 1,
        "name": "A",
        "revision": 1,
        "product": "spark",
        "voice": "v",
        "primary_language": "en",
        "prompt": "",
        "updated_at": 0,
    }
    snapshot = Snapshot.model_validate({**fields, "script": {**SCRIPT, "slots": {**SCRIPT["slots"]}}, "tools": TOOLS})
    return AgentOnCall(Agent(snapshot), Draws(3), Draws(4))


def _texts(actions: list[Action]) -> str:
    return " ".join(action.text for action in actions if isinstance(action, Say))


def test_a_rule_from_question_to_answer() -> None:
    """The agent asks for what it needs, calls its tool with what it knows, offers, remembers and tells."""
    agent = _agent()
    assert _texts(agent.hear("I want to buy something")).endswith("Which order?")
    assert _texts(agent.hear("number 12")) == "Three digits. Which order?"
    assert _texts(agent.hear("it's 123")) == "Which day?"
    actions = agent.hear("I don't mind")
    (use,) = [action for action in actions if isinstance(action, UseTool)]
    assert use.arguments == {"order": "123", "day": "any", "note": "for any", "count": 2}
    assert isinstance(use.result, dict)
    assert use.result["list"] == ["Red 123", "Blue"]
    assert _texts(actions).endswith("Red 123 or Blue?")
    told = _texts(agent.hear("the blue one"))
    assert told == f"Blue! 2.5  {use.result['id']} Anything else?"
    assert agent.slots == {"order": "123", "day": "any", "done": "Blue!"}


def test_giving_up_on_a_slot() -> None:
    """Who does not know, or is not understood twice, ends the rule, not the call."""
    agent = _agent()
    agent.hear("buy")
    assert _texts(agent.hear("I don't know")) == "No number, no order. Anything else?"
    agent.hear("buy")
    agent.hear("hm")
    assert _texts(agent.hear("hm")) == "No number, no order. Anything else?"
    assert agent.misunderstandings == 2


def test_asking_back_while_something_is_asked() -> None:
    """A repeat of the question, another wish, or a goodbye in the middle of a question."""
    agent = _agent()
    agent.hear("buy")
    assert _texts(agent.hear("Sorry, could you repeat that?")) == "Which order?"
    assert [type(action) for action in agent.hear("get me the boss")][-1] is Transfer
    agent.hear("buy")
    actions = agent.hear("Goodbye.")
    assert _texts(actions) == "Bye."
    assert isinstance(actions[-1], HangUp)


def test_small_talk() -> None:
    """Greetings, thanks and being done are understood without rules."""
    agent = _agent()
    assert _texts(agent.hear("Hello there!"))[-1] == "?"
    assert _texts(agent.hear("Okay, thanks.")).endswith("Anything else?")
    assert _texts(agent.hear("I need some help, please."))[-1] == "?"
    assert isinstance(agent.hear("That's all.")[-1], HangUp)


def test_patience_of_the_agent() -> None:
    """After so many turns that no rule hears the agent gives up; repeating what it told is no miss."""
    agent = _agent()
    assert _texts(agent.hear("The weather!")) == "Not my subject."
    assert "Not my subject." in _texts(agent.hear("Could you say that again?"))
    actions = agent.hear("The weather!!")
    assert isinstance(actions[-1], HangUp)
    assert agent.misunderstandings == 2


def test_conditions_look_at_what_is_known() -> None:
    """`done: null` holds only while nothing is done."""
    agent = _agent()
    for said in ("buy order 124", "Monday", "Red"):
        agent.hear(said)
    assert agent.slots["done"] == "Red 124!"
    assert _texts(agent.hear("the boss!")) == "Not my subject."


def test_an_ending_rule() -> None:
    """A rule may end the call."""
    actions = _agent().hear("I leave")
    assert [type(action) for action in actions] == [Say, HangUp]


def test_a_tool_without_a_fitting_answer() -> None:
    """A tool that has no answer for the arguments answers null."""
    agent = _agent()
    for said in ("buy order 999", "Monday"):
        actions = agent.hear(said)
    (use,) = [action for action in actions if isinstance(action, UseTool)]  # pyright: ignore[reportPossiblyUnboundVariable]
    assert use.result is None


@pytest.mark.parametrize(
    ("kind", "text", "asked", "value"),
    [
        ("digits", "order 12345", False, None),
        ("digits", "It's #12345.", True, "12345"),
        ("digits", "at 10:30 on 4/5", True, None),
        ("name", "Hi, this is Ana de la Cruz, calling", False, "Ana de la Cruz"),
        ("name", "Ana", False, None),
        ("name", "Sure, Ana Ruiz.", True, "Ana Ruiz"),
        ("name", "yes", True, None),
        ("date", "born March 4th, 1985", False, "1985-03-04"),
        ("date", "the 4th of March 1985", False, "1985-03-04"),
        ("date", "03/04/1985", False, "1985-03-04"),
        ("date", "1985-03-04", False, "1985-03-04"),
        ("date", "next March", True, None),
        ("phone", "+1 (415) 555-0199", False, "+14155550199"),
        ("phone", "415 555 0199", False, "+14155550199"),
        ("phone", "14155550199", False, "+14155550199"),
        ("phone", "555 0199", True, None),
        ("email", "A.b@Example.com!", False, "a.b@example.com"),
        ("email", "none", True, None),
        ("weekday", "from Monday to Friday", False, "Friday"),
        ("weekday", "any day", True, None),
        ("daytime", "in the morning", False, "morning"),
        ("daytime", "at noon", False, "afternoon"),
        ("daytime", "at 9 am", False, "morning"),
        ("daytime", "at 12:30 pm", False, "afternoon"),
        ("daytime", "at 6 p.m", False, "evening"),
        ("daytime", "whenever", True, None),
        ("yes_no", "Yes, please.", True, "yes"),
        ("yes_no", "No, I'd rather not.", True, "no"),
        ("yes_no", "Yes, but not today.", True, "yes"),
        ("yes_no", "No, that's right.", True, "no"),
        ("yes_no", "Hm.", True, None),
        ("yes_no", "Yes.", False, None),
        ("text", "Um, my back hurts.", True, "my back hurts."),
        ("text", "Um,", True, None),
        ("text", "my back hurts", False, None),
    ],
)  # fmt: skip
def test_slots(kind: Any, text: str, asked: bool, value: str | None) -> None:
    """Each kind of slot, heard in passing and as an answer."""
    assert understand(Slot(kind=kind, ask=("?",)), text, asked=asked) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Tuesday at 3:30 works", "Tuesday at 3:30 PM"),
        ("the first one", "Tuesday at 10:00 AM"),
        ("the later one, please", "Tuesday at 3:30 PM"),
        ("either is fine", "Tuesday at 10:00 AM"),
        ("Tuesday", None),
    ],
)
def test_choices(text: str, value: str | None) -> None:
    """A choice between offers goes by what tells them apart, or by first and second."""
    slot = Slot(kind="choice", options_from="x", ask=("?",))
    options = ["Tuesday at 10:00 AM", "Tuesday at 3:30 PM"]
    assert understand(slot, text, asked=True, options=options) == value
    assert understand(slot, text, asked=False, options=options) is None


def test_one_offer_and_none() -> None:
    """A single offer may be taken by a yes; without offers there is nothing to take."""
    slot = Slot(kind="choice", options_from="x", ask=("?",))
    assert understand(slot, "Yes.", asked=True, options=["Monday"]) == "Monday"
    assert understand(slot, "Hm.", asked=True, options=["Monday"]) is None
    assert understand(slot, "Yes.", asked=True) is None


def test_a_step_does_one_thing() -> None:
    """A step that does nothing, or two things, is none."""
    with pytest.raises(ValidationError):
        Step()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("It's 20471. No, wait, it's 20417.", "20417"),
        ("20471, I mean 20417", "20417"),
        ("20417. No, sorry.", "20417"),
    ],
)
def test_of_two_values_the_corrected_one_counts(text: str, value: str) -> None:
    """Said wrong and put right in the same breath; a correction without a value changes nothing."""
    slot = Slot(kind="digits", length=5, ask=("?",))
    assert understand(slot, text, asked=True) == value
