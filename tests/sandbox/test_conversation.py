"""Dialogues: which one is played for a prompt, what fills its placeholders, and where the seed decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner.sandbox import World, WorldError, load_world
from planner.sandbox.conversation import NO_DIALOGUE, Conversation, converse

PIZZA = """\
version: 1
world: pizza
tables:
  size: {small: {price: 9 dollars}, large: {price: 14 dollars}}
tools:
  place_order:
    parameters: {pizza: its name}
    answers:
      - {when: {pizza: [Margherita, marinara]}, result: {order: "P{code}", minutes: 30}}
      - {result: {order: null}}
agents:
  1:
    name: Luigi's
    tools: [place_order]
    revisions: {1: {updated_at: 2026-01-01T00:00:00Z, prompt: You take orders. Never deliver after 10 PM.}}
    dialogues:
      order:
        prompt: 'order a (?P<size>\\w+) (?P<pizza>\\w+)'
        turns:
          - agent: ["Luigi's, good evening.", "Pizza Luigi, hello."]
          - {caller: "A {size} {pizza}, please.", after_ms: -200}
          - {tool: place_order, with: {pizza: "{pizza}"}, takes_ms: 700}
          - {agent: "That is {size.price}, in {place_order.minutes} minutes. Your number is {place_order.order}."}
          - choose:
              - {probability: 0.25, turns: [{caller: "That long?"}, {end: caller_hangup, grade: {score: 0.3, goal: missed}}]}
              - {turns: [{caller: Great.}]}
          - {end: agent_end}
      late:
        prompt: deliver at midnight
        turns: [{agent: "Of course."}, {caller: "Great, bye."}]
      late-refused:
        prompt: deliver at midnight
        agent_prompt: never deliver after 10
        turns: [{agent: "We close at ten."}, {caller: "Pity."}, {end: transfer, to: "+14155550100"}]
phone_numbers: {}
"""


def pizza(tmp_path: Path, old: str = "", new: str = "") -> World:
    assert old in PIZZA
    path = tmp_path / "pizza.yaml"
    path.write_text(PIZZA.replace(old, new) if old else PIZZA, encoding="utf-8")
    return load_world(path)


def played(world: World, prompt: str, seed: int = 1) -> Conversation:
    return converse(world.snapshot(1), prompt, seed)


def said(conversation: Conversation) -> list[Any]:
    return [turn.content for turn in conversation.turns]


def test_placeholders_are_filled(tmp_path: Path) -> None:
    """By groups of the pattern, by a table of the group's name, and by what a tool answered."""
    conversation = played(pizza(tmp_path), "You are hungry.\nOrder a  Large Marinara.")
    call, result = conversation.turns[2].content, conversation.turns[3].content
    assert isinstance(result, dict)
    assert call == {"name": "place_order", "arguments": {"pizza": "Marinara"}}
    assert said(conversation)[1] == "A Large Marinara, please."
    assert said(conversation)[4] == f"That is 14 dollars, in 30 minutes. Your number is {result['order']}."


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{result: {order: null}}", "{result: {other: 1}}"),  # this tool answers something else
        ("large: {price: 14", "large: {cost: 14"),  # another row has the column
        ('"P{code}", minutes: 30', '"P{code}", minutes: "{minutes}"'),  # an argument that was not given
    ],
)
def test_a_placeholder_without_a_value(tmp_path: Path, old: str, new: str) -> None:
    """It is never an empty word: the call says what is missing, and counts as one without a dialogue."""
    prompt = "Order a large calzone." if "other" in new else "Order a large marinara."
    conversation = played(pizza(tmp_path, old, new), prompt)
    assert conversation.grade.outcome == "unknown"
    assert str(said(conversation)[1]).startswith(
        "This is the sandbox: no scripted dialogue matches this prompt; one does, but `{"
    )


def test_times_are_as_written_or_natural(tmp_path: Path) -> None:
    turns = played(pizza(tmp_path), "Order a small margherita.").turns
    assert turns[1].start_ms - turns[0].end_ms == -200
    assert turns[3].start_ms - turns[2].start_ms == 700
    assert 420 <= (turns[4].ttfa_ms or 0) <= 1400
    assert all(turn.end_ms >= turn.start_ms for turn in turns)


def test_the_seed_decides_between_alternatives(tmp_path: Path) -> None:
    world = pizza(tmp_path)
    calls = [played(world, "Order a small margherita.", seed) for seed in range(400)]
    short = [call for call in calls if call.end_reason == "caller_hangup"]
    assert 60 <= len(short) <= 140
    assert {call.grade.goal for call in short} == {"missed"}
    assert {said(call)[0] for call in calls} == {"Luigi's, good evening.", "Pizza Luigi, hello."}
    assert played(world, "Order a small margherita.", 7) == played(world, "Order a small margherita.", 7)


def test_who_speaks_last_hangs_up(tmp_path: Path) -> None:
    """Without an `end`."""
    for end, reason in (("{agent: Goodbye.}", "agent_end"), ("{caller: Goodbye.}", "caller_hangup")):
        world = pizza(tmp_path, "{end: agent_end}", end)
        calls = [played(world, "Order a small margherita.", seed) for seed in range(9)]
        assert {call.end_reason for call in calls if said(call)[-1] == "Goodbye."} == {reason}


def test_the_agents_prompt_decides_too(tmp_path: Path) -> None:
    """A dialogue that matches it comes first; without a match it is not played."""
    world = pizza(tmp_path)
    refused = played(world, "Ask them to deliver at midnight.")
    assert (refused.end_reason, refused.transferred_to) == ("transfer", "+14155550100")
    edited = world.snapshot(1).model_copy(update={"prompt": "You take orders."})
    assert said(converse(edited, "Ask them to deliver at midnight.", 1))[0] == "Of course."


@pytest.mark.parametrize("prompt", ["Ask for the weather.", "", "Order a huge margherita."])
def test_a_prompt_that_no_dialogue_matches_says_so(tmp_path: Path, prompt: str) -> None:
    """Also where a table has no row for what was found."""
    conversation = played(pizza(tmp_path), prompt)
    (caller,) = (str(turn.content) for turn in conversation.turns if turn.role == "user")
    assert NO_DIALOGUE in caller
    assert ("table `size` has no row `huge`" in caller) is ("huge" in prompt)
    assert conversation.grade.score is None


@pytest.mark.parametrize(
    ("old", "new", "place", "what"),
    [
        ("(?P<pizza>\\w+)", "(?P<pizza>\\w+", "18:", "not a regular expression"),
        ("{size} {pizza}", "{size} {piza}", "21:", "did you mean 'pizza'"),
        ("{size.price}", "{size.prize}", "23:", "did you mean 'price'"),
        ("tool: place_order", "tool: place_oder", "22:", "did you mean 'place_order'"),
        ("probability: 0.25", "probability: 1.5", "25:", "less than or equal to 1"),
        ('{agent: "Of course."}', '{agent: "Of course.", caller: Hi}', "30:", "exactly one of"),
        ("{end: agent_end}", "{end: agent_end, takes: 1}", "27:", "takes"),
        ("{end: agent_end}", "{end: agentend}", "27:", "usual are caller_hangup, agent_end, transfer, timeout"),
        ("{end: agent_end}", "{end: agent_end}\n          - {agent: Bye.}", "28:", "never played"),
        ("{caller: Great.}", "{end: agent_end}, {caller: Great.}", "26:", "never played"),
        ("{end: agent_end}", "{end: agent_end, to: '+14155550100'}", "27:", "end: transfer"),
        ('with: {pizza: "{pizza}"}', 'with: {piza: "{pizza}"}', "22:", "did you mean 'pizza'"),
        ("A {size} {pizza}, please.", "{place_order.order}", "21:", "calls 'place_order'"),
        ('with: {pizza: "{pizza}"}', 'with: {pizza: "{place_order.order}"}', "22:", "calls 'place_order'"),
        ("    parameters: {pizza: its name}", "    latency_ms: 700", "7:", "two numbers"),
        ("    parameters: {pizza: its name}", "    latency_ms: [700]", "7:", "two numbers"),
    ],
)
def test_errors_of_dialogues_and_their_places(tmp_path: Path, old: str, new: str, place: str, what: str) -> None:
    with pytest.raises(WorldError) as caught:
        pizza(tmp_path, old, new)
    fault = caught.value.problems[0]
    assert f"{fault.span.line}:" == place
    assert what in fault.message


def test_a_pattern_takes_linear_time(tmp_path: Path) -> None:
    """Python's own engine would need years for this prompt."""
    conversation = played(pizza(tmp_path, "(?P<pizza>\\w+)", "(?:\\w+\\s?)+(?P<pizza>#)"), "word " * 500)
    assert any(NO_DIALOGUE in str(turn.content) for turn in conversation.turns)
