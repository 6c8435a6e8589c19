"""Worlds whose agents have a dialogue for any prompt."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from planner.sandbox import World, load_world
from planner.shell import Shell
from planner.workspace import service
from planner.workspace.selection import Selection
from planner.workspace.stores import OpenedStore

ANY_PROMPT = Path(__file__).with_name("any_prompt.yaml")

_of_a_session = service.world_of


def quick_world_of(shell: Shell, selection: Selection, place: OpenedStore) -> World:
    """The world of `--sandbox`, in place of `planner.workspace.service.world_of`: its calls take a tenth of the time."""
    world = _of_a_session(shell, selection, place)
    return world.model_copy(update={"time_scale": 10 * world.time_scale})


@cache
def any_prompt() -> World:
    """Read once: reading it takes longer than many a test that uses it."""
    return load_world(ANY_PROMPT)


@cache
def world_of(name: str) -> World:
    """The world of a file beside this one."""
    return load_world(ANY_PROMPT.with_name(f"{name}.yaml"))
