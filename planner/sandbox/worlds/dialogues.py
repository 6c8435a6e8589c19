r"""The grammar of dialogues: scripted conversations, and the prompts that they answer.

A dialogue::

    where-is-my-order:
      prompt: 'where (is )?your order (?P<order>\d{5})'     # searched in the scenario prompt, case ignored
      turns:
        - agent: [Larkfield Supplies. How can I help?, "Hello, this is Larkfield Supplies."]
        - caller: "Where is my order {order}?"
        - {tool: lookup_order, with: {order_id: "{order}"}}
        - agent: "It is {lookup_order.status}."
        - caller: Thanks, bye.

In a string, `{group}` is a named group of the pattern, `{group.column}` a column of the world's table with that name,
in the row that the group selects, `{tool.field}` a field in the result of an earlier tool call, and `{code}` five
digits that differ per call.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any, Literal, Self, cast

import re2  # pyright: ignore[reportMissingTypeStubs]
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

Route = tuple[str | int, ...]
"""From the root of a world file to a value."""
PlacedError = tuple[Route, str]
"""The place of an error and its message."""
Object = dict[str, JsonValue]
Table = dict[str, Object]
"""Row name → column → value. Row names are compared without case."""
CODE = "code"
_USUAL_ENDS = ("caller_hangup", "agent_end", "transfer", "timeout")
_END_REASONS = frozenset({*_USUAL_ENDS, "error", "ai_hangup", "user_hangup"})
"""Known ones; the service may use others, so only a name close to one of these is an error."""
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)((?:\.\w+)*)\}")
_MAX_LISTED = 8


class Part(BaseModel):
    """Part of a world file: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


def meant(name: str | int, known: Iterable[str | int]) -> str:
    """The end of a message about an unknown name: the most similar known name, or all of them if they are few."""
    names = sorted(map(str, known))
    near = get_close_matches(str(name), names, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there is {', '.join(names)}" if 0 < len(names) <= _MAX_LISTED else ""


def _one_or_several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _least_and_most(value: object) -> object:
    if not isinstance(value, list | tuple) or len(cast("Sequence[object]", value)) != 2:
        raise ValueError("write two numbers, the least and the most, such as [250, 900]")
    return value  # pyright: ignore[reportUnknownVariableType]


Line = Annotated[str, Field(min_length=1)]
Lines = Annotated[
    tuple[Line, ...],
    Field(min_length=1),
    BeforeValidator(_one_or_several, json_schema_input_type=Line | tuple[Line, ...]),
]
"""Alternatives; the call's seed picks one."""
E164 = Annotated[str, Field(pattern=r"^\+[1-9]\d{6,14}$")]


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
    """One of several continuations."""

    probability: Annotated[float, Field(gt=0, le=1)] | None = None
    """Branches without one share what the others leave."""
    turns: tuple["Turn", ...] = ()


class Turn(Part):
    """One step of a dialogue; exactly one of `agent`, `caller`, `tool`, `choose` and `end`."""

    agent: Lines | None = None
    caller: Lines | None = None
    tool: str | None = None
    """A tool of the agent that it calls."""
    with_: Object = Field(alias="with", default={})
    """`tool`: its arguments."""
    result: JsonValue = None
    """`tool`: its result; default: from the tool's `answers`."""
    choose: tuple[Branch, ...] = ()
    end: Line | None = None
    """The call ends here, with this end reason, such as caller_hangup, agent_end, transfer or timeout."""
    to: E164 | None = None
    """`end: transfer`: the number that the call is transferred to."""
    grade: Grade | None = None
    """`end`: the grade of the call, instead of the dialogue's."""
    after_ms: Annotated[int, Field(ge=-60_000, le=600_000)] | None = None
    """From the end of the previous turn; negative: it overlaps. Default: a natural pause, by the seed."""
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
        if self.to is not None and self.end != "transfer":
            raise ValueError("`to` belongs to `end: transfer`")
        if sum(branch.probability or 0 for branch in self.choose) > 1.000001:
            raise ValueError("the probabilities of `choose` add up to more than 1")
        return self

    def texts(self) -> Iterator[str]:
        """Every text that may have placeholders."""
        left: list[object] = [self.agent, self.caller, self.with_, self.result]
        for value in left:
            if isinstance(value, str):
                yield value
            elif isinstance(value, dict):
                left += value.values()  # pyright: ignore[reportUnknownArgumentType]
            elif isinstance(value, list | tuple):
                left += value  # pyright: ignore[reportUnknownArgumentType]


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """An RE2 pattern, which takes linear time on any prompt. Raises `ValueError` with a message for its author."""
    engine: Any = re2
    options = engine.Options()
    options.log_errors = False
    options.case_sensitive = False
    try:
        return engine.compile(pattern, options)
    except engine.error as error:
        reason: object = error.args[0]
        raise ValueError(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from error


class Dialogue(Part):
    prompt: Line
    """A regular expression (RE2), searched in the scenario prompt, case ignored; white space of the prompt counts as
    one space."""
    agent_prompt: str | None = None
    """A regular expression that the agent's own prompt must match, too. Such a dialogue is preferred to one without."""
    turns: Annotated[tuple[Turn, ...], Field(min_length=1)]
    grade: Grade = Grade.model_construct()

    def errors(self, tools: "Mapping[str, Tool]", tables: Mapping[str, Table]) -> Iterator[PlacedError]:
        """Patterns that are not regular expressions, placeholders and tools that do not exist, turns that are never
        played."""
        for field, pattern in (("prompt", self.prompt), ("agent_prompt", self.agent_prompt)):
            try:
                compiled(pattern or "")
            except ValueError as error:
                yield (field,), f"not a regular expression: {error}"
                return
        groups = frozenset(compiled(self.prompt).groupindex)
        known = groups | tools.keys() | {CODE}
        for here, turn, called in _walked(self.turns, ("turns",), {}, tools):
            if turn is None:
                yield here, "this turn is never played: the call ends at the turn before"
                continue
            if turn.tool is not None and turn.tool not in tools:
                yield (*here, "tool"), f"no tool of the agent is called {turn.tool!r}{meant(turn.tool, tools)}"
            tool = tools.get(turn.tool or "")
            declared = tool.parameters if tool else {}
            for name in turn.with_ if declared else ():
                if name not in declared:
                    yield (*here, "with"), f"{turn.tool!r} has no parameter {name!r}{meant(name, declared)}"
            if turn.end not in {None, *_END_REASONS} and get_close_matches(turn.end or "", _END_REASONS):
                yield (*here, "end"), f"no end reason is called {turn.end!r}; usual are {', '.join(_USUAL_ENDS)}"
            for text in turn.texts():
                for name, path in _PLACEHOLDER.findall(text):
                    columns = {column for row in tables.get(name, {}).values() for column in row}
                    if name not in known:
                        yield here, f"`{{{name}{path}}}`: no group or tool is called {name!r}{meant(name, known)}"
                    elif path and name in groups and path[1:] not in columns:
                        where = f"the table {name!r} has no column" if name in tables else "there is no table for"
                        yield here, f"`{{{name}{path}}}`: {where} {path[1:]!r}{meant(path[1:], columns)}"
                    elif name in tools and name not in groups and name not in called:
                        yield here, f"`{{{name}{path}}}`: no turn before this one calls {name!r}"
                    elif path and name not in groups and (wrong := _unknown_field(path, called.get(name, ()))):
                        yield here, f"`{{{name}{path}}}`: {wrong}"


_Called = dict[str, list[JsonValue]]
"""Tool → what it may have answered."""


def _walked(
    turns: Iterable[Turn], route: Route, called: _Called, tools: "Mapping[str, Tool]"
) -> Iterator[tuple[Route, Turn | None, _Called]]:
    """Each turn with its place and the tools called before, in any branch; None for the first turn after the end.

    Adds the tools of these turns to `called`.
    """
    ended = False
    for index, turn in enumerate(turns):
        here = (*route, index)
        if ended:
            yield here, None, called
            return
        yield here, turn, called
        branches = [{name: [*results] for name, results in called.items()} for _ in turn.choose]
        for number, branch in enumerate(turn.choose):
            yield from _walked(branch.turns, (*here, "choose", number, "turns"), branches[number], tools)
        for branch in branches:
            for name, results in branch.items():
                known = called.setdefault(name, [])
                known += [result for result in results if result not in known]
        if turn.tool is not None and turn.tool in tools:
            answers = [answer.result for answer in tools[turn.tool].answers]
            called.setdefault(turn.tool, []).extend(answers if turn.result is None else [turn.result])
        ended = turn.end is not None


def _unknown_field(path: str, results: Sequence[JsonValue]) -> str:
    """What is wrong with the path `.field.0` into each of these results; "" if one has it."""
    steps = path[1:].split(".")
    known: set[str] = set()
    for result in results:
        found, missing = _followed(result, steps)
        if missing is None:
            return ""
        if isinstance(found, str) and _PLACEHOLDER.fullmatch(found):
            return ""  # only a call shows what it is
        known.update(found if isinstance(found, dict) else ())
    return f"no result has {path[1:]!r}{meant(steps[-1] if len(steps) == 1 else steps[0], known)}"


def _followed(value: JsonValue, steps: Sequence[str]) -> tuple[JsonValue, str | None]:
    """The value at the end of the steps; or the last value on the way, and the step that it does not have."""
    for step in steps:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return value, step
    return value, None


class Answer(Part):
    """What a tool answers to some arguments."""

    when: Object = Field(default={})
    """Arguments as called, compared as text without case; a list allows any of its items."""
    result: JsonValue
    """May name the arguments, and `{code}`."""


class Tool(Part):
    description: str = ""
    parameters: dict[str, str] = Field(default={})
    """Argument → its description for a model."""
    latency_ms: Annotated[tuple[int, int], BeforeValidator(_least_and_most, json_schema_input_type=tuple[int, int])] = (
        250,
        900,
    )
    answers: Annotated[tuple[Answer, ...], Field(min_length=1)] = (Answer.model_construct(result={"ok": True}),)
    """The first one that fits is used."""

    def answer(self, arguments: Mapping[str, JsonValue], code: str) -> JsonValue:
        given = {name: str(value).casefold() for name, value in arguments.items()}
        for answer in self.answers:
            allowed = {name: value if isinstance(value, list) else [value] for name, value in answer.when.items()}
            if all(given.get(name) in [str(each).casefold() for each in values] for name, values in allowed.items()):
                return filled(answer.result, {**arguments, CODE: code})
        return {"error": "no answer is declared for these arguments"}


class NoValueError(LookupError):
    """A placeholder has no value in this call. The text is the placeholder."""


def filled(value: JsonValue, values: Mapping[str, JsonValue]) -> JsonValue:
    """The value with its placeholders replaced; one that is a whole text keeps the type of its value. Raises
    `NoValueError`."""
    if isinstance(value, dict):
        return {key: filled(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, values) for each in value]
    if not isinstance(value, str):
        return value
    whole = _PLACEHOLDER.fullmatch(value)
    if whole:
        return _looked_up(whole, values)
    return _PLACEHOLDER.sub(lambda match: str(_looked_up(match, values)), value)


def _looked_up(match: re.Match[str], values: Mapping[str, JsonValue]) -> JsonValue:
    if match[1] + match[2] in values:
        return values[match[1] + match[2]]
    found, missing = _followed(values.get(match[1]), match[2].split(".")[1:])
    if match[1] not in values or missing is not None:
        raise NoValueError(match[0])
    return found
