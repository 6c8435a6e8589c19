"""Who calls: what a scenario prompt has been understood to say."""

from __future__ import annotations

from dataclasses import dataclass, field

from planner.sandbox.callers.behaviour import Behaviour
from planner.sandbox.callers.facts import Fact
from planner.sandbox.callers.moods import CALM, Mood


@dataclass(frozen=True, slots=True)
class Goal:
    """`label`: as the prompt puts it; `say`: ways of saying it; `reason`: what to add when asked why."""

    label: str
    say: tuple[str, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Persona:
    name: str | None = None
    intro: str | None = None
    """What the call is about, said before the first goal."""
    mood: Mood = CALM
    language: str | None = None
    """Spoken first, when it is not English."""
    goals: tuple[Goal, ...] = ()
    when_refused: tuple[Goal, ...] = ()
    facts: tuple[Fact, ...] = ()
    unknown: tuple[frozenset[str], ...] = ()
    background: tuple[str, ...] = ()
    assertions: tuple[tuple[frozenset[str], bool], ...] = ()
    """What is said to be so, or not so (`It is not urgent.`): decides questions that want yes or no."""
    preferences: frozenset[str] = frozenset()
    """Words that decide between offers: days, times, "earliest"."""
    accepts: bool = True
    """Whether it says yes to what is offered."""
    push_backs: int = 0
    arguments: tuple[str, ...] = ()
    """What to say when pressing a goal."""
    behaviour: Behaviour = field(default_factory=Behaviour)


EMPTY = Persona(
    goals=(Goal("general help", ("I was hoping you could help me with something.", "I need some help, please.")),)
)
"""The caller of an empty prompt."""
