"""The grammar of an agent's behaviour: what it hears, what it says, which tools it calls, what it remembers, when it ends.

A script is data (part of the world file, kept with every run that used it). `planner/sandbox/agents/agent.py` plays it. In short::

    greeting: ["Larkfield Supplies, this is Maya. How can I help?"]
    slots:                                  # what the agent can understand and remember
      order_id: {kind: digits, length: 5, ask: ["What's the order number?"]}
    rules:                                  # the first rule that hears itself wins
      status:
        hears: ["where is .*order", "track"]       # regular expressions, searched in what the caller said, case ignored
        needs: [order_id]                          # asked for, if not heard already
        do:
          - {tool: lookup_order, with: {order_id: "{order_id}"}}
          - {when: {lookup_order.found: true}, say: ["Order {order_id} is {lookup_order.status}."]}
          - {unless: {lookup_order.found: true}, say: ["I can't find order {order_id}."]}

Texts may name slots, tool results (`tool.field`, list items by number) and `{code}`, five digits that stay the same within a call.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from planner.sandbox.worlds.meant import meant

Lines = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
"""Ways of saying the same thing; one is picked by the call's seed."""

Route = tuple[str | int, ...]
Misnomer = tuple[Route, str]
"""Where in the script something is named that is not there, and what is wrong."""
PLACEHOLDER = re.compile(r"\{([a-z_][\w.]*)\}")

Condition = dict[str, JsonValue]
"""What must hold: a slot, tool result or `{code}` path → the value, a list of allowed values, or null for "not known".
Values are compared as text, case ignored; they may name other slots: `{lookup_order.name: "{name}"}`."""


class Part(BaseModel):
    """Part of a world file: unknown keys are errors, nothing is coerced, nothing changes after loading."""

    # Strings become tuples' items and datetimes come from YAML as such, hence no blanket `strict`.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


def checked_pattern(pattern: str) -> str:
    try:
        re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, Field(min_length=1)]


class Slot(Part):
    """Something the agent can understand. Heard whenever it is said plainly; asked for when a rule needs it."""

    kind: Literal["digits", "name", "date", "phone", "email", "weekday", "daytime", "choice", "yes_no", "text"]
    length: Annotated[int, Field(ge=1, le=20)] | None = None
    """`digits`: exactly so many."""
    near: tuple[Pattern, ...] = ()
    """`digits`: unasked, a number counts only after one of these words (regular expressions)."""
    options: dict[str, tuple[Pattern, ...]] = {}
    """`choice`: what is remembered → regular expressions that mean it."""
    options_from: str | None = None
    """`choice`: a path to a list of texts to choose from (a tool result), picked by the words that the caller repeats."""
    ask: Lines
    again: Lines = ("Sorry, I didn't catch that.",)
    """Said before asking again."""
    attempts: Annotated[int, Field(ge=1, le=5)] = 2
    """How often it is asked for before the agent goes on without."""
    default: str | None = None
    """What is taken when the caller cannot tell or does not mind; the rule then goes on."""
    without: Lines = ("I'm afraid I can't go on without that.",)
    """Without a default: said when the caller cannot tell; the rule ends there."""

    @field_validator("near")
    @classmethod
    def _near(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_pattern(pattern) for pattern in value)

    @field_validator("options")
    @classmethod
    def _options(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for patterns in value.values():
            for pattern in patterns:
                checked_pattern(pattern)
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.kind == "choice") != bool(self.options or self.options_from):
            raise ValueError("a choice, and only a choice, has options or options_from")
        return self


class Step(Part):
    """One thing the agent does; exactly one of `say`, `tool`, `need`, `set`, `transfer` and `end`."""

    when: Condition = {}
    unless: Condition = {}
    say: Lines | None = None
    tool: str | None = None
    with_: Annotated[dict[str, JsonValue], Field(alias="with")] = {}
    """`tool`: its arguments; one that names an unknown slot is left out."""
    need: str | None = None
    """A slot to ask for, if not known, before going on."""
    set_: Annotated[dict[str, str | None] | None, Field(alias="set")] = None
    """Slots to remember, or (null) to forget."""
    transfer: str | None = None
    """The number the call is handed to, which ends it here."""
    end: Literal[True] | None = None
    """Hang up."""

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        actions = (self.say, self.tool, self.need, self.set_, self.transfer, self.end)
        if sum(action is not None for action in actions) != 1:
            raise ValueError("a step does exactly one of say, tool, need, set, transfer, end")
        if self.with_ and self.tool is None:
            raise ValueError("`with` belongs to `tool`")
        return self

    def faults(self, slots: frozenset[str], tools: frozenset[str], known: frozenset[str]) -> list[str]:
        """What this step names that is not there."""
        found: list[str] = []
        if self.tool is not None and self.tool not in tools:
            found.append(f"no tool is called {self.tool!r}{meant(self.tool, tools)}")
        if self.need is not None and self.need not in slots:
            found.append(f"no slot is called {self.need!r}{meant(self.need, slots)}")
        named = (
            _paths(self.when) | _paths(self.unless) | _heads((*(self.say or ()), *self.with_.values(), self.transfer))
        )
        return found + [f"nothing is called {head!r}{meant(head, known)}" for head in sorted(named - known)]


class Rule(Part):
    hears: Annotated[tuple[Pattern, ...], Field(min_length=1)]
    when: Condition = {}
    """The rule is deaf unless this holds."""
    needs: tuple[str, ...] = ()
    do: Annotated[tuple[Step, ...], Field(min_length=1)]
    opener: bool = True
    """Whether one of the script's openers may come first: not before bad news."""
    follow_up: bool = True
    """Whether the agent asks what else it can do once it is through."""

    @field_validator("hears")
    @classmethod
    def _hears(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_pattern(pattern) for pattern in value)


Probability = Annotated[float, Field(ge=0, le=1)]


class Blurt(Part):
    """Something the agent says where it should not have."""

    probability: Probability
    say: Lines


class Flaws(Part):
    """How a good script goes wrong now and then, as a model does: probabilities an occasion, by the call's seed."""

    mishears: Probability = 0
    """A number said in answer is taken down with two digits swapped."""
    misses: Probability = 0
    """A turn is not understood, as if no rule had heard it."""
    slow: Probability = 0
    """An answer takes `slow_ms` longer."""
    slow_ms: tuple[int, int] = (1800, 4500)
    skips_tools: Probability = 0
    """A tool is not called; the agent talks as if it had."""
    blurts: tuple[Blurt, ...] = ()


class Script(Part):
    greeting: Lines
    outbound_greeting: Lines | None = None
    """When the agent places the call (`direction: inbound`: the bot answers); default: the greeting."""
    openers: tuple[str, ...] = ()
    """Said before an answer, sometimes: "Of course.", "Sure."."""
    follow_up: Lines = ("Is there anything else I can help you with?", "Anything else I can do for you today?")
    goodbye: Lines = ("Thanks for calling. Goodbye!", "Thank you for calling, have a good day. Goodbye!")
    otherwise: Lines = ("I'm sorry, that's not something I can help with.",)
    """Said when no rule hears itself."""
    misses: Annotated[int, Field(ge=1, le=20)] = 4
    """How many turns in a row may go unheard before the agent gives up."""
    give_up: tuple[Step, ...] = (Step(say=("I'm sorry I couldn't help you today. Goodbye.",)), Step(end=True))
    repeat: Lines = ("Of course. {last}", "Sure, once more: {last}")
    """Said when the caller asks to hear it again; `{last}` is what the agent last told."""
    silence: Lines = ("Hello? Are you still there?", "I can't hear you. Are you there?")
    """Said after `silence_seconds` without a word from the caller, at most `silences` times; then `nobody`, and it hangs up."""
    silence_seconds: Annotated[float, Field(ge=1, le=60)] = 7
    silences: Annotated[int, Field(ge=0, le=10)] = 2
    nobody: Lines = ("I can't hear anybody, so I'll end the call here. Please call again. Goodbye.",)
    voicemail: Lines | None = None
    """Left after the tone when a voicemail answers; null: the agent talks to it as to a person."""
    flaws: Flaws = Flaws()
    slots: dict[str, Slot] = {}
    rules: dict[str, Rule] = {}

    def faults(self, tools: frozenset[str]) -> list[Misnomer]:
        """What names a slot or a tool that is not there."""
        known = frozenset(self.slots) | tools | {"code"}
        found: list[Misnomer] = []
        for name, slot in self.slots.items():
            texts = (*slot.ask, *slot.again, *slot.without, f"{{{slot.options_from or 'code'}}}")
            found += [
                (("slots", name), f"nothing is called {head!r}{meant(head, known)}") for head in _heads(texts) - known
            ]
        for name, rule in self.rules.items():
            found += [
                (("rules", name, "needs", index), f"no slot is called {slot!r}{meant(slot, self.slots)}")
                for index, slot in enumerate(rule.needs)
                if slot not in self.slots
            ]
            found += [
                (("rules", name, "when"), f"nothing is called {head!r}{meant(head, known)}")
                for head in _paths(rule.when) - known
            ]
        places: list[tuple[Route, tuple[Step, ...]]] = [
            (("rules", name, "do"), rule.do) for name, rule in self.rules.items()
        ]
        for route, steps in [*places, (("give_up",), self.give_up)]:
            for index, step in enumerate(steps):
                found += [((*route, index), what) for what in step.faults(frozenset(self.slots), tools, known)]
        return found


def _heads(texts: Iterable[JsonValue]) -> frozenset[str]:
    """The slots and tools that texts name."""
    return frozenset(
        match[1].split(".")[0] for text in texts if isinstance(text, str) for match in PLACEHOLDER.finditer(text)
    )


def _paths(condition: Condition) -> frozenset[str]:
    return frozenset(path.split(".")[0] for path in condition) | _heads(condition.values())


class Answer(Part):
    """What a tool answers to some arguments. `result` may name the arguments and `{code}`."""

    when: dict[str, JsonValue] = {}
    """Arguments as called; a list allows any of its items; compared as text, case ignored."""
    result: JsonValue


class Tool(Part):
    description: str = ""
    parameters: dict[str, str] = {}
    """Argument → what it is, as the agent's tool definition tells it."""
    filler: tuple[str, ...] = ()
    """Said while the caller waits."""
    latency_ms: tuple[int, int] = (250, 900)
    answers: Annotated[tuple[Answer, ...], Field(min_length=1)]
    """The first that fits; the last should fit everything."""


class Snapshot(Part):
    """All that decides how an agent behaves on a call. Kept with the runs, so that a later edit does not rewrite them."""

    agent_id: int
    name: str
    revision: int
    product: str
    model: str | None = None
    """Who plays it, by the name of the world's endpoint; None: the script."""
    voice: str
    primary_language: str
    prompt: str
    updated_at: float
    """Seconds since the epoch."""
    script: Script
    tools: dict[str, Tool]
