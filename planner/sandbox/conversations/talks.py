"""Calls that models talk on: each in a thread of its own, since it takes as long as the models do; a few at once.

What comes of a call is handed over in `finished`, to be written down by whoever owns the state: nothing here touches it. The threads
are daemons: a sandbox that ends leaves its calls unfinished, and the next one with the same state file begins them anew.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack, closing
from queue import SimpleQueue

from planner.sandbox.conversation import Conversation
from planner.sandbox.conversations.endpoint import Endpoint
from planner.sandbox.conversations.model_parties import ModelAgent, ModelCaller, ScriptedAgent, ScriptedCaller, talk
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
            threading.Thread(target=self._hold, args=(run, snapshot), daemon=True).start()

    def finished(self) -> list[tuple[int, Conversation]]:
        """(run id, what was said) of the calls that have ended since the last time."""
        over: list[tuple[int, Conversation]] = []
        while not self._over.empty():
            over.append(self._over.get())
        return over

    def _hold(self, run: Run, snapshot: Snapshot) -> None:
        with self._places:
            self._over.put((run.id, hold(self._world, self._environ, run, snapshot)))


def hold(world: World, environ: Mapping[str, str], run: Run, snapshot: Snapshot) -> Conversation:
    """The call of a run whose agent, bot or both are models. A failure of a model is in its `error`.

    A party that no model plays needs a dialogue: without one this is the generic call, whose transcript says so.
    """
    scripted = converse(snapshot, run.prompt, run.seed)
    agent_model, bot_model = snapshot.model, world.bot.model
    if (agent_model is None or bot_model is None) and find_script(snapshot, run.prompt) is None:
        return scripted
    with ExitStack() as opened:

        def endpoint(name: str) -> Endpoint:
            return opened.enter_context(closing(Endpoint(name, world.models[name], environ, run.seed)))

        agent = (
            ScriptedAgent(scripted)
            if agent_model is None
            else ModelAgent(snapshot, endpoint(agent_model), run.seed, run.direction)
        )
        caller = ScriptedCaller(scripted) if bot_model is None else ModelCaller(run.prompt, endpoint(bot_model))
        limits = [world.models[name].max_turns for name in (agent_model, bot_model) if name is not None]
        return talk(agent, caller, run.seed, run.direction, min(limits))
