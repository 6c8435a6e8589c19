"""Calls that models talk on: each in a thread of its own, since it takes as long as the models do; a few at once.

The owner of the state takes what was said from `finished`: nothing here touches the state. The threads are daemons: a sandbox that ends
leaves its calls unfinished, and the next one with the same state file starts them again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack, closing
from queue import SimpleQueue

from pydantic import JsonValue

from planner.sandbox.conversation import Conversation
from planner.sandbox.conversations import model_parties as parties
from planner.sandbox.conversations.endpoint import Chat, tool_definition
from planner.sandbox.conversations.playing import converse, find_script
from planner.sandbox.state.records import Run
from planner.sandbox.worlds.dialogues import Snapshot
from planner.sandbox.worlds.world import World

_AT_ONCE = 4
"""Local servers answer one or a few requests at a time; more would only wait there, against their time limit."""


class Talks:
    def __init__(self, world: World, environ: Mapping[str, str]) -> None:
        self._world = world
        self._environ = environ
        self._begun: set[int] = set()
        self._places = threading.Semaphore(_AT_ONCE)
        self._over: SimpleQueue[tuple[int, Conversation]] = SimpleQueue()

    def begin(self, run: Run, snapshot: Snapshot) -> None:
        """Start the run's call, unless this process has."""
        if run.id not in self._begun:
            self._begun.add(run.id)
            threading.Thread(target=self._call, args=(run, snapshot), daemon=True).start()

    def finished(self) -> list[tuple[int, Conversation]]:
        """(run id, what was said) of the calls that have ended since the last time."""
        over: list[tuple[int, Conversation]] = []
        while not self._over.empty():
            over.append(self._over.get())
        return over

    def _call(self, run: Run, snapshot: Snapshot) -> None:
        with self._places:
            self._over.put((run.id, self._talk(run, snapshot)))

    def _talk(self, run: Run, snapshot: Snapshot) -> Conversation:
        """A failure of a model is in the conversation's `error`.

        A party that no model plays needs a dialogue: without one this is the generic call, whose transcript says so.
        """
        scripted = converse(snapshot, run.prompt, run.seed)
        played_by = [name for name in (snapshot.model, self._world.bot.model) if name is not None]
        if len(played_by) == 1 and find_script(snapshot, run.prompt) is None:
            return scripted
        with ExitStack() as opened:

            def chat(name: str, system: str, tools: list[JsonValue]) -> Chat:
                model = self._world.models[name]
                key = self._environ.get(model.api_key_env, "") if model.api_key_env else ""
                return opened.enter_context(closing(Chat(model, key, run.seed, f"{system}\n\n{parties.PHONE}", tools)))

            agent: parties.Party = parties.ScriptedAgent(scripted)
            caller: parties.Party = parties.ScriptedCaller(scripted)
            if snapshot.model is not None:
                tools = [
                    tool_definition(name, each.description, each.parameters) for name, each in snapshot.tools.items()
                ]
                offered = [*tools, parties.END_CALL, parties.TRANSFER]
                agent = parties.ModelAgent(
                    snapshot, chat(snapshot.model, snapshot.prompt, offered), run.seed, run.direction
                )
            if self._world.bot.model is not None:
                role = run.prompt.strip() or "Ask what they can do for you."
                caller = parties.ModelCaller(chat(self._world.bot.model, f"{parties.CALLER}{role}", [parties.HANG_UP]))
            limit = min(self._world.models[name].max_turns for name in played_by)
            return parties.talk(agent, caller, run.seed, run.direction, limit)
