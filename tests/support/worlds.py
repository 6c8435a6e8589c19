"""Worlds whose agents have a dialogue for any prompt."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from planner.sandbox import World, load_world

ANY_PROMPT = Path(__file__).with_name("any_prompt.yaml")


@cache
def any_prompt() -> World:
    """Read once: reading it takes longer than many a test that uses it."""
    return load_world(ANY_PROMPT)


@cache
def world_of(name: str) -> World:
    """The world of a file beside this one."""
    return load_world(ANY_PROMPT.with_name(f"{name}.yaml"))
