"""Conversations of the script engine: they do what the prompt asks, in time, and never twice quite alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.sandbox import load_world
from planner.sandbox.agents.agent import Agent
from planner.sandbox.conversation import Conversation, Turn
from planner.sandbox.conversations.dialogue import converse
from planner.sandbox.conversations.grading import grade_conversation
from planner.sandbox.draws import Draws, seed_of, shuffled
from planner.sandbox.state.records import Direction

CLINIC, ORDERS, NIGHT = (Agent(load_world("demo").snapshot(number)) for number in (12, 14, 17))
BROKEN = Agent(load_world("regressed").snapshot(14))
SEEDS = range(8)
ANA = "You are Ana Ruiz. Ask how many days you have to return order 12345."


def _hold(agent: Agent, prompt: str, seed: int = 0, direction: Direction = "outbound") -> Conversation:
    return converse(agent, prompt, seed_of(seed, prompt), direction)


def _said(conversation: Conversation, role: str = "agent") -> str:
    return "\n".join(str(turn.content) for turn in conversation.turns if turn.role == role)


def _tools(conversation: Conversation) -> list[tuple[str, Any]]:
    calls: list[tuple[str, Any]] = []
    for turn in conversation.turns:
        if turn.role == "tool_call":
            content: Any = turn.content
            calls.append((content["name"], content["arguments"]))
    return calls


@pytest.mark.parametrize("seed", SEEDS)
def test_the_question_is_answered(seed: int) -> None:
    """Asked for the return window, the agent looks the order up and tells it; the goal counts as answered."""
    conversation = _hold(ORDERS, ANA, seed)
    assert "30 days" in _said(conversation)
    assert "6 days ago" in _said(conversation)
    assert _tools(conversation) == [("lookup_order", {"order_id": "12345"})]
    assert [outcome for _, outcome in conversation.goals] == ["answered"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_broken_revision_says_something_else(seed: int) -> None:
    """The same caller, a worse agent: other words, no lookup."""
    conversation = _hold(BROKEN, ANA, seed)
    assert "14 days" in _said(conversation)
    assert _tools(conversation) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_booking_from_facts(seed: int) -> None:
    """The agent asks for what it needs, the caller answers from its facts and picks what the prompt prefers."""
    prompt = "You are Mei Chen, born 2 March 1985. Book an appointment for a sore throat on Thursday afternoon."
    conversation = _hold(CLINIC, prompt, seed)
    booked = dict(_tools(conversation))["book_appointment"]
    assert (booked["name"], booked["date_of_birth"], booked["slot"]) == (
        "Mei Chen",
        "1985-03-02",
        "Thursday at 2:30 PM",
    )
    assert "sore throat" in booked["reason"]
    assert "Thursday at 2:30 PM" in _said(conversation).rsplit("A", 1)[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_without_free_times(seed: int) -> None:
    """Full days are said to be full, and another time is offered and taken."""
    conversation = _hold(CLINIC, "You are Mei Chen, born 2 March 1985. Book an appointment on Friday.", seed)
    assert "fully booked" in _said(conversation)
    assert dict(_tools(conversation))["book_appointment"]["slot"] in ("Thursday at 2:30 PM", "Saturday at 9:30 AM")


def test_no_preference_takes_any_day() -> None:
    """A caller who does not mind gets the first free time."""
    conversation = _hold(CLINIC, "You are Mei Chen, born 2 March 1985. Book an appointment for a check-up.")
    assert ("find_slots", {"day": "any"}) in _tools(conversation)
    assert dict(_tools(conversation))["book_appointment"]["slot"] == "Tuesday at 10:00 AM"


def test_the_second_of_two_offers() -> None:
    """`take the later one` is understood."""
    prompt = "You are Mei Chen, born 2 March 1985. Book an appointment for a cough. Take the latest time they offer."
    assert dict(_tools(_hold(CLINIC, prompt)))["book_appointment"]["slot"] == "Thursday at 2:30 PM"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_transfer_ends_the_call(seed: int) -> None:
    """An urgent call at night is paged and transferred, and that is an answer."""
    prompt = "You are Omar Haddad. Your phone number is 415 555 0111. Say your son has a high fever."
    conversation = _hold(NIGHT, prompt, seed)
    assert (conversation.end_reason, conversation.transferred_to) == ("transfer", "+14155550142")
    assert _tools(conversation) == [("page_on_call", {"name": "Omar Haddad", "callback": "+14155550111"})]
    assert [outcome for _, outcome in conversation.goals] == ["answered"]


def test_yes_and_no_from_the_prompt() -> None:
    """`It is not urgent.` decides the agent's question."""
    prompt = "You are Carla Diaz. Your phone number is +14155550116. Ask to speak to a nurse. It is {} urgent."
    assert _hold(NIGHT, prompt.format("not")).transferred_to == ""
    assert _hold(NIGHT, prompt.format("very")).transferred_to == "+14155550142"


def test_refusals_are_pressed_then_taken() -> None:
    """Who is told to insist insists, the agent stays, and the fallback of the prompt comes last."""
    prompt = "You are Tom Berg. Ask for a discount. Insist on it. If they refuse, ask to speak to a manager."
    conversation = _hold(ORDERS, prompt)
    assert _said(conversation).lower().count("discount") >= 3
    assert conversation.end_reason == "transfer"
    assert [outcome for _, outcome in conversation.goals] == ["refused", "answered"]


def test_what_the_caller_does_not_know() -> None:
    """Facts that are to stay unknown are not told, and the agent goes on without or stops."""
    conversation = _hold(ORDERS, "You do not remember your order number. Ask when your order will arrive.")
    assert _tools(conversation) == []
    assert "confirmation email" in _said(conversation)


def test_a_number_that_is_none() -> None:
    """A number of the wrong length is asked for again, then given up on; the caller does not go on forever."""
    conversation = _hold(ORDERS, "Your order number is 123. Ask where your order is.")
    assert "five digits" in _said(conversation)
    assert conversation.misunderstandings >= 2
    assert _tools(conversation) == []


def test_several_goals_in_order() -> None:
    """Goals are pursued one after the other, each until it is answered."""
    prompt = "Ask when the clinic is open on Sunday and whether they accept Kaiser, then ask where you can park."
    conversation = _hold(CLINIC, prompt)
    text = _said(conversation)
    assert text.index("closed") < text.index("Kaiser") < text.index("Alder Street")
    assert len(conversation.goals) == 3


def test_asking_again() -> None:
    """A confused caller asks to hear it again, and hears the same."""
    prompt = "You are confused. Ask what a visit costs without insurance."
    repeated = [
        conversation for seed in range(20) if _said(conversation := _hold(CLINIC, prompt, seed)).count("140") > 1
    ]
    assert repeated
    assert all(
        "again" in _said(conversation, "user") or "repeat" in _said(conversation, "user") for conversation in repeated
    )


def test_another_language() -> None:
    """A caller of another language asks for it first, then goes on in English."""
    conversation = _hold(ORDERS, "You are Luis Ortega and speak only French. " + ANA)
    first, second, *_ = [turn.content for turn in conversation.turns if turn.role == "user"]
    assert "parlez" in str(first)
    assert "English" in str(second)
    assert "30 days" in _said(conversation)
    assert len(conversation.goals) == 1


def test_the_agent_calls() -> None:
    """Inbound: the bot picks up, the agent says who it is."""
    conversation = _hold(ORDERS, "Ask where your order 61777 is.", direction="inbound")
    assert [turn.role for turn in conversation.turns[:2]] == ["user", "agent"]
    assert "Friday" in _said(conversation)


def test_moods_change_words_and_pace() -> None:
    """A furious caller speaks faster and otherwise than a confused one."""

    def pace(conversation: Conversation) -> float:
        turns = [turn for turn in conversation.turns if turn.role == "user"]
        words = sum(len(str(turn.content).split()) for turn in turns)
        return words / sum(turn.end_ms - turn.start_ms for turn in turns)

    prompt = "You are {}. Ask how many days you have to return order 12345."
    furious, confused = (_hold(ORDERS, prompt.format(mood)) for mood in ("furious", "confused"))
    assert pace(furious) > 1.2 * pace(confused)
    assert furious.end_reason == "caller_hangup"
    assert _said(furious, "user") != _said(confused, "user")


@pytest.mark.parametrize(
    "prompt",
    ["", "   ", "?!", "hello", "x" * 5000, "🦞" * 50, "Ask", "You are", 'Say ""', "if if if", "{{ x }}", "\x00"],
)
@pytest.mark.parametrize("agent", [CLINIC, ORDERS, NIGHT])
def test_any_prompt_makes_a_sane_call(agent: Agent, prompt: str) -> None:
    """Whatever the prompt, both speak, and the call ends by itself within its limit."""
    _check_shape(_hold(agent, prompt))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400), st.integers(0, 2**40), st.sampled_from(["outbound", "inbound"]))
def test_any_text_makes_a_sane_call(prompt: str, seed: int, direction: Direction) -> None:
    """The same, for any text there is."""
    conversation = converse(ORDERS, prompt, seed, direction)
    _check_shape(conversation)
    assert converse(ORDERS, prompt, seed, direction) == conversation


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "You are Ana Ruiz, furious.",
                "You are a chatty caller.",
                "Your order number is 20417.",
                "Ask about refunds.",
                "Return order 12345.",
                "Cancel your order and ask for a discount.",
                "Keep pushing.",
                "Do not give your name.",
                "Speak German.",
                "Ask to speak to a human.",
                "Decline everything they offer.",
                "It is not urgent.",
                "Ask how much aspirin you should take.",
            ]
        ),
        max_size=8,
    ),
    st.sampled_from([CLINIC, ORDERS, NIGHT]),
    st.integers(0, 1000),
)
def test_any_mixture_makes_a_sane_call(sentences: Sequence[str], agent: Agent, seed: int) -> None:
    """Prompts put together from usual sentences, contradictory ones included, end by themselves."""
    conversation = _hold(agent, " ".join(sentences), seed)
    _check_shape(conversation)
    assert conversation.end_reason != "timeout"


def _check_shape(conversation: Conversation) -> None:
    turns = conversation.turns
    assert {turn.role for turn in turns} >= {"agent", "user"}
    assert conversation.end_reason in ("agent_end", "caller_hangup", "transfer", "timeout")
    assert turns[-1].end_ms <= conversation.duration_ms <= 660_000
    assert all(isinstance(turn.content, str) and turn.content for turn in turns if turn.role in ("agent", "user"))
    for before, after in pairwise(turns):
        _check_times(before, after)
    json.dumps([turn.content for turn in turns])
    assert grade_conversation(conversation).score is not None


def _check_times(before: Turn, after: Turn) -> None:
    assert 0 <= before.start_ms <= before.end_ms
    assert before.start_ms <= after.start_ms
    assert before.end_ms <= after.end_ms
    if after.role == "agent":
        assert after.ttfa_ms is not None
        assert 400 <= after.ttfa_ms <= 1500
        assert after.start_ms - before.end_ms == after.ttfa_ms
    if after.role == "user" and after.start_ms < before.end_ms:
        assert before.end_ms - after.start_ms <= 700  # an interruption: the two overlap a little


def test_repeated_runs_differ_in_words_and_times() -> None:
    """Twenty runs of one case: many wordings, many durations, some interruptions, one answer."""
    conversations = [_hold(ORDERS, "You are furious. " + ANA, seed) for seed in range(20)]
    assert len({_said(conversation, "user") for conversation in conversations}) > 10
    assert len({conversation.duration_ms for conversation in conversations}) > 15
    assert all("30 days" in _said(conversation) for conversation in conversations)
    overlaps = [
        after
        for conversation in conversations
        for before, after in pairwise(conversation.turns)
        if after.start_ms < before.end_ms
    ]
    assert overlaps


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Spelled out, so that another Python, or another machine, can be held to it."""
    conversation = converse(ORDERS, ANA, 7, "outbound")
    assert [(turn.role, turn.start_ms, turn.end_ms) for turn in conversation.turns[:3]] == [
        ("agent", 2023, 6942),
        ("user", 7332, 12713),
        ("agent", 13211, 13769),
    ]
    assert conversation.turns[1].content == "Hello. Could you tell me how many days I have to return order 12345?"
    draws = Draws(7)
    assert "".join(draws.pick("abcdef") for _ in range(8)) == "badadcad"
    assert shuffled(range(6), 1) == [0, 3, 5, 4, 2, 1]
    assert seed_of("a", 1) == 4665976284724862560


def test_long_calls_are_cut() -> None:
    """Two parties that never come to an end are cut off: end reason timeout, and the grade says so."""
    prompt = " Then ".join(f"ask where order {10000 + number} is." for number in range(120))
    conversation = _hold(ORDERS, prompt)
    grade = grade_conversation(conversation)
    assert conversation.end_reason == "timeout"
    assert grade.critical_issues == 1
    assert grade.goal == "missed"
