r"""The grammar of dialogues: which prompt is answered by which conversation, written out turn by turn.

A dialogue::

    where-is-my-order:
      prompt: 'where (is )?your order (?P<order>\d{5})'     # searched in the scenario prompt, case ignored
      turns:
        - agent: [Larkfield Supplies. How can I help?, "Hello, this is Larkfield Supplies."]
        - caller: "Where is my order {order}?"
        - {tool: lookup_order, with: {order_id: "{order}"}}
        - agent: "It is {lookup_order.status}."
        - caller: Thanks, bye.

In texts, `{group}` is a named group of the pattern, `{group.column}` the column of a table of the world that has the group's name
and a row for its value, `{tool.field}` a result of a tool that was called before, and `{code}` five digits that differ per call.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, field_validator, model_validator

from planner.sandbox.worlds.part import Part, Route, UnknownName, meant


def _one_or_several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Line = Annotated[str, Field(min_length=1)]
Lines = Annotated[
    tuple[Line, ...],
    Field(min_length=1),
    BeforeValidator(_one_or_several, json_schema_input_type=Line | tuple[Line, ...]),
]
"""Ways of saying the same thing; the call's seed picks one."""
Probability = Annotated[float, Field(gt=0, le=1)]
Milliseconds = Annotated[int, Field(ge=-60_000, le=600_000)]
Table = dict[str, dict[str, JsonValue]]
"""Row name → column → value. Row names are compared without case."""
E164 = Annotated[str, Field(pattern=r"^\+[1-9]\d{6,14}$")]
PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)((?:\.\w+)*)\}")
CODE = "code"


class Issue(Part):
    severity: Literal["minor", "major", "critical"] = "major"
    description: str


class Grade(Part):
    """The platform's own grade of a call."""

    score: Annotated[float, Field(ge=0, le=1)] | None = 0.95
    outcome: Literal["success", "failure", "unknown", "no_conversation"] = "success"
    goal: Literal["achieved", "missed", "no_opportunity"] = "achieved"
    issues: tuple[Issue, ...] = ()
    summary: str = "The caller got what they asked for."


class Branch(Part):
    """One of several ways to go on."""

    probability: Probability | None = None
    """Branches without one share what the others leave."""
    turns: tuple[Turn, ...] = ()


class Turn(Part):
    """One step of a dialogue; exactly one of `agent`, `caller`, `tool`, `choose` and `end`."""

    agent: Lines | None = None
    caller: Lines | None = None
    tool: str | None = None
    """A tool of the agent that it calls."""
    with_: dict[str, JsonValue] = Field(alias="with", default={})
    """`tool`: its arguments."""
    result: JsonValue = None
    """`tool`: what it answers; default: what the tool's `answers` say."""
    choose: tuple[Branch, ...] = ()
    end: Annotated[str, Field(min_length=1)] | None = None
    """The call ends here, with this end reason, such as caller_hangup, agent_end, transfer or timeout."""
    to: E164 | None = None
    """`end: transfer`: the number that the call is handed to."""
    grade: Grade | None = None
    """`end`: the grade of the call, instead of the dialogue's."""
    after_ms: Milliseconds | None = None
    """From the end of the turn before; negative: it overlaps. Default: a natural pause, by the seed."""
    takes_ms: Annotated[int, Field(ge=0, le=600_000)] | None = None
    """Default: as long as it takes to say, or a natural response time of a tool."""

    @model_validator(mode="after")
    def _one_step(self) -> Self:
        steps = (self.agent, self.caller, self.tool, self.choose or None, self.end)
        if sum(step is not None for step in steps) != 1:
            raise ValueError("a turn has exactly one of agent, caller, tool, choose, end")
        if self.tool is None and (self.with_ or self.result is not None):
            raise ValueError("`with` and `result` belong to `tool`")
        if self.end is None and (self.to is not None or self.grade is not None):
            raise ValueError("`to` and `grade` belong to `end`")
        if sum(branch.probability or 0 for branch in self.choose) > 1.000001:
            raise ValueError("the probabilities of `choose` add up to more than 1")
        return self

    @property
    def texts(self) -> Iterator[JsonValue]:
        yield from self.agent or ()
        yield from self.caller or ()
        yield from strings(self.with_)
        yield from strings(self.result)


Branch.model_rebuild()


class Dialogue(Part):
    prompt: Annotated[str, Field(min_length=1)]
    """A regular expression, searched in the scenario prompt, case ignored; white space of the prompt counts as one space."""
    agent_prompt: str | None = None
    """A regular expression that the agent's own prompt must match, too. Such a dialogue is preferred to one without."""
    turns: Annotated[tuple[Turn, ...], Field(min_length=1)]
    grade: Grade = Grade()

    @field_validator("prompt", "agent_prompt")
    @classmethod
    def _pattern(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return pattern

    def unknown_names(self, tools: frozenset[str], tables: Mapping[str, Table]) -> list[UnknownName]:
        """Placeholders and tools that do not exist."""
        groups = frozenset(re.compile(self.prompt).groupindex)
        return list(_unknown_names(self.turns, ("turns",), groups, tools, tables))


def _unknown_names(
    turns: tuple[Turn, ...], route: Route, groups: frozenset[str], tools: frozenset[str], tables: Mapping[str, Table]
) -> Iterator[UnknownName]:
    known = groups | tools | {CODE}
    for index, turn in enumerate(turns):
        here = (*route, index)
        if turn.tool is not None and turn.tool not in tools:
            yield (*here, "tool"), f"no tool of the agent is called {turn.tool!r}{meant(turn.tool, tools)}"
        for text in turn.texts:
            for name, path in PLACEHOLDER.findall(str(text)):
                if name not in known:
                    yield here, f"`{{{name}{path}}}`: no group or tool is called {name!r}{meant(name, known)}"
                elif path and name in groups:
                    columns = {column for row in tables.get(name, {}).values() for column in row}
                    if path[1:] not in columns:
                        where = f"the table {name!r} has no column" if name in tables else "there is no table for"
                        yield here, f"`{{{name}{path}}}`: {where} {path[1:]!r}{meant(path[1:], columns)}"
        for number, branch in enumerate(turn.choose):
            yield from _unknown_names(branch.turns, (*here, "choose", number, "turns"), groups, tools, tables)


def strings(value: JsonValue) -> Iterator[str]:
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


class Answer(Part):
    """What a tool answers to some arguments."""

    when: dict[str, JsonValue] = Field(default={})
    """Arguments as called, compared as text without case; a list allows any of its items."""
    result: JsonValue
    """May name the arguments, and `{code}`."""


class Tool(Part):
    description: str = ""
    parameters: dict[str, str] = Field(default={})
    """Argument → its description for a model."""
    latency_ms: tuple[int, int] = (250, 900)
    answers: Annotated[tuple[Answer, ...], Field(min_length=1)] = (Answer(result={"ok": True}),)
    """The first that fits counts."""

    def answer(self, arguments: Mapping[str, JsonValue], code: str) -> JsonValue:
        given = {name: str(value).casefold() for name, value in arguments.items()}
        for answer in self.answers:
            if all(given.get(name) in _allowed(value) for name, value in answer.when.items()):
                return filled(answer.result, {**arguments, CODE: code})
        return {"error": "no answer is declared for these arguments"}


def _allowed(value: JsonValue) -> list[str]:
    return [str(each).casefold() for each in (value if isinstance(value, list) else [value])]


def filled(value: JsonValue, values: Mapping[str, JsonValue]) -> JsonValue:
    """The value with its placeholders replaced; one that is a whole text keeps the type of its value."""
    if isinstance(value, dict):
        return {key: filled(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, values) for each in value]
    if not isinstance(value, str):
        return value
    whole = PLACEHOLDER.fullmatch(value)
    if whole:
        return _looked_up(whole, values)
    return PLACEHOLDER.sub(lambda match: str(_looked_up(match, values)), value)


def _looked_up(match: re.Match[str], values: Mapping[str, JsonValue]) -> JsonValue:
    """Empty for what is unknown at this point of the call."""
    if match[1] + match[2] in values:
        return values[match[1] + match[2]]
    found: JsonValue = values.get(match[1], "")
    for step in match[2].split(".")[1:]:
        if isinstance(found, dict):
            found = found.get(step, "")
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return ""
    return found


class Variant(Part):
    """One of several configurations that calls of an agent are split between."""

    label: str
    weight: Annotated[int, Field(ge=0)] = 1
    prompt: str | None = None
    voice: str | None = None


class Snapshot(Part):
    """Everything that decides how an agent behaves on a call. It is stored with the runs: a later edit changes no earlier run."""

    agent_id: int
    name: str
    revision: int
    product: str
    model: str | None = None
    """The world's model that plays the agent; None: its dialogues do."""
    voice: str
    primary_language: str
    thinking_level: str
    prompt: str
    updated_at: float
    """Seconds since the epoch."""
    tools: dict[str, Tool]
    tables: dict[str, Table]
    dialogues: tuple[Dialogue, ...]
    variant_id: int | None = None
    variant_label: str | None = None
