"""Conversations at hand: computed when first asked for, forgotten when many others have been since."""

from __future__ import annotations

from collections import OrderedDict

from planner.sandbox.agents.agent import Agent
from planner.sandbox.conversation import Conversation
from planner.sandbox.conversations.dialogue import converse
from planner.sandbox.state.records import Direction
from planner.sandbox.worlds.script import Snapshot

_KEPT = 2048
"""A few kilobytes each; computing one again costs less than a millisecond."""

_Key = tuple[str, str, int, Direction, str]


class Conversations:
    def __init__(self) -> None:
        self._agents: dict[str, Agent] = {}
        self._kept: OrderedDict[_Key, Conversation] = OrderedDict()

    def of(
        self, digest: str, snapshot: Snapshot, prompt: str, seed: int, direction: Direction, caller_number: str
    ) -> Conversation:
        """What is said when this agent (`digest` names the snapshot) meets this prompt; the same for the same arguments."""
        key = (digest, prompt, seed, direction, caller_number)
        kept = self._kept.get(key)
        if kept is None:
            if digest not in self._agents:
                self._agents[digest] = Agent(snapshot)
            kept = self._kept[key] = converse(self._agents[digest], prompt, seed, direction, caller_number)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return kept
