"""What the test bot reads out of scenario prompts."""

from __future__ import annotations

import pytest

from planner.sandbox.callers.facts import facts_in, look_up, topic, unknown_in
from planner.sandbox.callers.listening import listen
from planner.sandbox.callers.moods import language_of, mood_of
from planner.sandbox.callers.prompt import read_prompt
from planner.sandbox.callers.rephrase import first_person, sentence, spoken


@pytest.mark.parametrize(
    ("directive", "said"),
    [
        (
            "Ask how many days you have to return order 12345.",
            "Can you tell me how many days I have to return order 12345?",
        ),
        ("ask the agent whether they open on Sunday", "Can you tell me whether you open on Sunday?"),
        ("Ask for a refund.", "I'd like a refund, please."),
        ("Ask about refunds.", "I have a question about refunds."),
        ("Ask to speak with a human.", "I'd like to speak with a human."),
        ("Ask them to send your label again", "Could you send my label again?"),
        ("Ask an unrelated trivia question.", "What's the capital of Australia?"),
        ("Ask your balance", "Can you tell me my balance?"),
        ("Complain about a delayed shipment.", "I want to complain about a delayed shipment."),
        ("Demand that they refund you today", "I demand that you refund me today."),
        ("demand a refund", "I demand a refund."),
        ("Insist that they call you back", "I must insist that you call me back."),
        ("Say that your parcel is late", "My parcel is late."),
        ("Tell them about your fall", "I'd like to tell you about my fall."),
        ("tell the agent you want a refund", "I want a refund."),
        ("Report a gas leak", "I'd like to report a gas leak."),
        ("Report that your card was stolen", "My card was stolen."),
        ("want to cancel your order", "I'd like to cancel my order."),
        ("need a new label", "I want a new label."),
        ("Try to convince the agent to waive the fee", "Can't you just waive the fee?"),
        ("Press them for a discount", "I want a discount."),
        ("have a question about your bill", "I have a question about my bill."),
        ("Book an appointment for yourself", "I'd like to book an appointment for myself."),
        ('Say "I want to cancel."', "I want to cancel."),
        ("The weather is fine", ""),
    ],
)
def test_directives_become_speech(directive: str, said: str) -> None:
    """What the prompt tells the bot to do is said in the first person."""
    assert (spoken(directive) or ("",))[0] == said


@pytest.mark.parametrize(
    ("second", "first"),
    [
        ("your order is with you", "my order is with me"),
        ("you are sure they owe you money", "I am sure they owe me money"),
        ("are you entitled to yours", "am I entitled to mine"),
        ("the agent's answer and the agent", "your answer and you"),
        ("they told you you were late", "they told me I was late"),
    ],
)
def test_person_is_swapped(second: str, first: str) -> None:
    """`you` becomes `I` or `me`, the agent becomes `you`."""
    assert first_person(second) == first


def test_sentences_end() -> None:
    """A sentence has a capital and an end, and an empty one stays empty."""
    assert [sentence(text) for text in ("go  on,", "Really?", "")] == ["Go on.", "Really?", ""]


def test_who_is_calling() -> None:
    """Name, mood, language, subject and goal of one sentence."""
    persona = read_prompt("You are an impatient caller named Tom Berg calling about order 20417. Ask when it arrives.")
    assert (persona.name, persona.mood.name, persona.language) == ("Tom Berg", "impatient", None)
    assert persona.intro == "I'm calling about order 20417."
    assert [goal.label for goal in persona.goals] == ["Ask when it arrives"]


def test_only_a_subject() -> None:
    """A call that is only said to be about something is about that."""
    persona = read_prompt("You are calling because your tooth hurts.")
    assert persona.intro is None
    assert persona.goals[0].say == ("I'm calling because my tooth hurts.",)
    assert persona.goals[0].reason == "my tooth hurts"


@pytest.mark.parametrize(
    ("prompt", "goals"),
    [
        ("Roleplay as a customer asking about refunds.", ["ask about refunds"]),
        ("Pretend to be a patient who wants to book a visit.", ["want to book a visit"]),
        ("You are a caller looking for a refund.", ["look for a refund"]),
        ("The caller wants to cancel order 1 because it took too long.", ["cancel order 1 because it took too long"]),
        ("Your goal is to get a refund.", ["get a refund"]),
        ("Your shoes are broken and you want a refund.", ["want a refund"]),
        (
            "Ask if you can return it, then say that you are unhappy and hang up.",
            ["Ask if you can return it", "say that you are unhappy"],
        ),
        ("Ask A and whether B, and ask how C.", ["Ask A", "whether B", "ask how C"]),
        ("You are calling about a refund and then ask for a manager.", ["ask about a refund", "ask for a manager"]),
        ("Thank them. Do not give your name. Wait. When they answer, be rude. Make sure you are brief.", []),
        (
            "Stay calm; ask for help\n- ask for a map\n* ask for Dr. Osei",
            ["ask for help", "ask for a map", "ask for Dr. Osei"],
        ),
    ],
)
def test_goals(prompt: str, goals: list[str]) -> None:
    """What is wanted, in order; stage directions are none."""
    assert [goal.label for goal in read_prompt(prompt).goals] == goals


def test_background() -> None:
    """What is neither wanted nor known is what the caller tells, when there is nothing else."""
    assert read_prompt("My order never came!").goals[0].say == ("My order never came!",)
    persona = read_prompt("Your shower chair arrived broken. Return it.")
    assert persona.intro == "My shower chair arrived broken."
    assert read_prompt(f"You bought {'very ' * 30}old shoes. Return them.").intro is None


def test_behaviour() -> None:
    """Pushing, declining, fallbacks, preferences and assertions."""
    persona = read_prompt(
        "Politely ask for a refund. Keep pushing. If they refuse, ask for a manager. Decline any voucher. It is not urgent. "
        "Take the earliest time on Tuesday at 3:30 pm."
    )
    assert (persona.mood.name, persona.push_backs, persona.accepts) == ("polite", 2, False)
    assert [goal.label for goal in persona.when_refused] == ["ask for a manager"]
    assert persona.assertions == ((topic("not urgent"), False),)
    assert {"earliest", "tuesday"} <= persona.preferences


def test_facts() -> None:
    """Facts are found wherever they stand, and asked for in any words."""
    prompt = (
        "Your name is Ana de la Cruz, born on 4th of March 1985. Order #W2378156 came late. Call her on (415) 555-0199 or a.b@example.com. "
        "You are insured with Blue Cross. Your zip code is 19122. Your member number is M-77. If asked for your pet, say it is a cat."
    )
    facts = facts_in(prompt)
    for question, value in {
        "What's your full name?": "Ana de la Cruz",
        "your date of birth": "4th of March 1985",
        "the order number": "W2378156",
        "a phone number we can reach you at": "(415) 555-0199",
        "your e-mail address": "a.b@example.com",
        "which insurance do you have": "Blue Cross",
        "your zip code": "19122",
        "and the member number?": "M-77",
        "do you have a pet": "it is a cat",
        "your shoe size": None,
    }.items():
        assert look_up(facts, (), question) == value, question


def test_what_is_not_known() -> None:
    """Topics that the caller is not to have an answer to have none, even where the prompt states it."""
    prompt = "You are Ana Ruiz. You do not remember your order number. Refuse to give your date of birth. Order 12345."
    unknown = unknown_in(prompt)
    assert look_up(facts_in(prompt), unknown, "What's the order number?") is None
    assert look_up(facts_in(prompt), unknown, "your date of birth?") is None
    assert look_up(facts_in(prompt), unknown, "your name?") == "Ana Ruiz"


@pytest.mark.parametrize(
    ("text", "mood"),
    [
        ("You are Ana, furious.", "furious"),
        ("not angry", "calm"),
        ("in a hurry", "impatient"),
        ("what kind of", "calm"),
        ("shy", "terse"),
        ("chatty", "chatty"),
        ("worried", "anxious"),
    ],
)
def test_moods(text: str, mood: str) -> None:
    """A mood by any of its usual names."""
    assert mood_of(text).name == mood


def test_languages() -> None:
    """A language is spoken when the prompt says so."""
    assert language_of("You speak only Spanish.") == "spanish"
    assert language_of("You like Spanish food.") is None


def test_listening() -> None:
    """What a caller makes of an agent's turn."""
    heard = listen(
        "I'm sorry, Friday is full. I have Thursday at 2:30 PM or Saturday at 9:30 AM. Which would you prefer?"
    )
    assert heard.told == ("I'm sorry, Friday is full", "I have Thursday at 2:30 PM or Saturday at 9:30 AM")
    assert (heard.question, heard.kind) == ("Which would you prefer", None)
    assert heard.offers == ("Thursday at 2:30 PM", "Saturday at 9:30 AM")
    assert listen("Certainly. Anything else?").question is None
    assert listen("Certainly. Anything else?").told == ()
    assert listen("Please tell me your date of birth.").kind == "birth"
    assert listen("Would you like me to take a message?").wants_yes_or_no
    assert listen("Would you like me to take a message?").kind is None
    assert listen("I can't do that").refuses
    assert listen("Sorry, I didn't catch that.").missed_it
