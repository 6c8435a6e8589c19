"""docs/sandbox-conversations.md: ten conversations, byte for byte, on every Python and with every hash seed.

After a change that is meant to change them: `python tests/sandbox/conversations/test_ten_conversations.py`, and read what it wrote.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from planner.sandbox import load_world
from planner.sandbox.agents.agent import Agent
from planner.sandbox.conversation import Turn
from planner.sandbox.conversations.dialogue import converse
from planner.sandbox.state.records import Direction

DOCUMENT = Path(__file__).parents[3] / "docs" / "sandbox-conversations.md"
INTRODUCTION = """\
# Ten conversations of the sandbox

What the `script` engine makes of ten prompts against the agents of the `demo` world (the last: `flaky`). Times are seconds of conversation.
The same seed gives the same bytes on every Python; `tests/sandbox/conversations/test_ten_conversations.py` holds this page to it.
"""
_NUMBER = "+14155550199"
CONVERSATIONS: tuple[tuple[str, str, int, int, Direction, str], ...] = (
    ("Clarifying questions, and a choice", "demo", 12, 3, "outbound", "You are Mei Chen, born 2 March 1985. Book an appointment for a sore throat, best on Thursday afternoon."),
    ("A correction", "demo", 14, 3, "outbound", "You are Bob Lee. Your order number is 20417, but misremember it at first. Ask to return the shower chair because it wobbles."),
    ("Asked to repeat", "demo", 14, 11, "outbound", "You are Mei Chen, hard of hearing. Ask when order 30988 arrives. Ask the agent to repeat the answer."),
    ("A refusal, argued with", "demo", 14, 5, "outbound", "You are Tom Berg, furious. Ask whether you can return order 41556. Keep arguing that the agent should make an exception. If they refuse, ask for a supervisor."),
    ("Off topic", "demo", 12, 2, "outbound", "You are chatty. Ask an unrelated trivia question, then ask where you can park."),
    ("Interruptions", "demo", 14, 6, "outbound", "You are impatient. Ask how many days you have to return order 12345. Interrupt the agent."),
    ("A silence", "demo", 14, 8, "outbound", "You are Grace Okafor, confused. Stay silent for ten seconds before you answer the first question. Cancel order 52003."),
    ("A voicemail", "demo", 14, 1, "inbound", "You are Ana Ruiz. Let the call go to voicemail."),
    ("A transfer, with a number entered on the keypad", "demo", 17, 4, "outbound", "You are Omar Haddad, worried. Your phone number is 415 555 0111. Enter it on the keypad. Say that your son has a fever of 40 degrees."),
    ("A slip of the agent", "flaky", 14, 11, "outbound", "You are Ana Ruiz. Your order number is 12345. Ask where your order is and how long refunds take."),
)  # fmt: skip


def rendered() -> str:
    parts = [INTRODUCTION]
    for title, world, agent_id, seed, direction, prompt in CONVERSATIONS:
        agent = Agent(load_world(world).snapshot(agent_id))
        conversation = converse(agent, prompt, seed, direction, _NUMBER)
        lines = [f"## {title}", "", f"> {prompt}", "", "```text", *map(_line, conversation.turns)]
        lines.append(f"{conversation.duration_ms / 1000:6.1f}  end: {conversation.end_reason}")
        parts.append("\n".join([*lines, "```", ""]))
    return "\n".join(parts)


def _line(turn: Turn) -> str:
    who = {"user": "caller", "tool_call": "tool", "tool_response": "→"}.get(turn.role, turn.role)
    return f"{turn.start_ms / 1000:6.1f}  {who + ':':8}{turn.content}"


def test_the_document_is_what_is_said_today() -> None:
    """Whoever changes what is said reads the ten again."""
    assert DOCUMENT.read_text(encoding="utf-8") == rendered()


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_no_hash_decides_what_is_said(hash_seed: str) -> None:
    """Another process, with sets and dicts in another order, says the same."""
    program = f"import sys, runpy; sys.stdout.write(runpy.run_path({str(Path(__file__))!r})['rendered']())"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env=environment, cwd=DOCUMENT.parent.parent
    )
    assert done.stdout.decode() == rendered()


if __name__ == "__main__":
    DOCUMENT.write_text(rendered(), encoding="utf-8")
