"""Several faults of one expectation that are one mistake: told once, with what to write.

Two are: a key that is required and another that is unknown, which is the one misnamed; and the steps of a sequence that are
written as the checks beside it are.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.checks.speech import Words
from planner.checks.wording import listed
from planner.spec.faults.wording import keys_at, mistyped, shorten

_MAX_CURE = 100
_PLAIN = re.compile(r"[A-Za-z_][\w-]*")
_WORDS = frozenset(Words.model_fields)
Loc = tuple[int | str, ...]


def as_one(kind: type[Expectation], written: Mapping[str, Any], errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """The faults that are told; one that stands for several has its cure in its context."""
    if len(errors) > 1:
        errors = _misnamed(kind, written, errors)
    lists = [error["loc"][: error["loc"].index("steps") + 1] for error in errors if "steps" in error["loc"][:-1]]
    for place in dict.fromkeys(lists):
        errors = _as_steps(written, place, errors)
    return errors


def _misnamed(kind: type[Expectation], written: Mapping[str, Any], errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """A required key that is missing, and beside it a key that is unknown and like no other: the one is meant by the other."""
    missing: defaultdict[Loc, list[str]] = defaultdict(list)
    unknown: defaultdict[Loc, list[str]] = defaultdict(list)
    for error in errors:
        if error["type"] in {"missing", "extra_forbidden"}:
            found = missing if error["type"] == "missing" else unknown
            found[error["loc"][:-1]].append(str(error["loc"][-1]))
    cures: dict[Loc, str] = {}
    for place, keys in missing.items():
        for key in keys:
            meant = [other for other in unknown[place] if mistyped(other, [key])]
            if not meant and len(keys) == 1:
                known = [other for other in keys_at(kind, place) if other not in {key, *_at(written, place)}]
                meant = [other for other in unknown[place] if not mistyped(other, known)]
            if len(meant) == 1:
                steps = _at(written, place).get(meant[0]) if key == "steps" else None
                told = mistyped(meant[0], [key]) or f"did you mean `{key}`, which is required?"
                cures[*place, meant[0]] = _cure(steps) or told
                cures[*place, key] = ""
    return [_with(error, cures.get(error["loc"])) for error in errors if cures.get(error["loc"]) != ""]


def _with(error: ErrorDetails, cure: str | None) -> ErrorDetails:
    return error if cure is None else {**error, "ctx": {"cure": cure}}


def _at(written: Any, place: Loc) -> Mapping[str, Any]:
    """The mapping at a place; steps that no container has, such as the tag of a union, are passed over."""
    found: Any = written
    for step in place:
        if isinstance(found, Mapping):
            found = dict(_entries(found)).get(str(step), found)  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(found, list) and isinstance(step, int):
            found = found[step]  # pyright: ignore[reportUnknownVariableType]
    return found if isinstance(found, Mapping) else {}  # pyright: ignore[reportUnknownVariableType]


def _as_steps(written: Mapping[str, Any], place: Loc, errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Of the faults in the steps at this place, the first that is one of a step written as a check; and those of other steps."""
    steps: Any = _at(written, place[:-1]).get("steps")
    faulty = [index for index, step in enumerate(steps) if _of_step(step)]
    told: list[ErrorDetails] = []
    for error in errors:
        index = (
            error["loc"][len(place)] if error["loc"][: len(place)] == place and len(error["loc"]) > len(place) else None
        )
        if index not in faulty:
            told.append(error)
        elif index == faulty[0]:
            key = _kind_key(steps[index])
            if not any(other["loc"] == (*place, index, key) for other in told):
                told.append(_with({**error, "type": "extra_forbidden", "loc": (*place, index, key)}, _cure(steps)))
    return told


def _kind_key(step: Mapping[str, Any]) -> str:
    return "check" if "check" in step else next(iter(step))


def _cure(steps: Any) -> str:
    """What to write for steps of which some are written as checks; empty where none is."""
    items: list[Any] = steps if isinstance(steps, list) else []  # pyright: ignore[reportUnknownVariableType]
    cures = [_of_step(step) for step in items]
    faulty = [cure for cure in cures if cure]
    if not faulty:
        return ""
    other = next((cure for cure in faulty if not cure.startswith("{")), None)
    if other is not None:
        return other
    whole = ", ".join(cure or _flow(step) for cure, step in zip(cures, items, strict=True))
    left = dict.fromkeys(key for step in items if _of_step(step) for key in _left_out(step))
    told = (
        f"; no step takes {listed([f'`{shorten(key, 40)}`' for key in left], 'or')}: ask that beside the sequence"
        if left
        else ""
    )
    if len(whole) <= _MAX_CURE:
        return f"a step has no `check`: write steps: [{whole}]{told}"
    more = f"; and {len(faulty) - 1} more alike" if len(faulty) > 1 else ""
    return f"a step has no `check`: write {shorten(faulty[0], _MAX_CURE)}{more}{told}"


def _left_out(step: Mapping[str, Any]) -> list[str]:
    """What a step written as a check asks that is lost where it is written as a step."""
    key = _kind_key(step)
    name, fields = (step[key], step) if key == "check" else (key, step[key])
    if not isinstance(fields, Mapping):
        return []
    kept = {"name"} if name == "tool_called" else _WORDS
    lost = set(keys_at(CHECKS[name], ())) - set(Expectation.model_fields) - kept - {"check"}
    return [field for field, _ in _entries(fields) if field in lost]  # pyright: ignore[reportUnknownArgumentType]


def _flow(value: Any) -> str:
    """A value as it may stand in braces; names without quotes."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_flow(below)}' for key, below in _entries(value))}}}"  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"  # pyright: ignore[reportUnknownArgumentType]
    plain = isinstance(value, str) and _PLAIN.fullmatch(value) is not None and value not in {"true", "false", "null"}
    return str(value) if plain else json.dumps(value, ensure_ascii=False)


def _entries(value: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return value.items()


def _of_step(step: Any) -> str:
    """How a step is written that is there as a check; empty for one that is not."""
    if not isinstance(step, Mapping) or not step:
        return ""
    written: Mapping[str, Any] = step  # pyright: ignore[reportUnknownVariableType]
    key = _kind_key(written)
    name: Any = written["check"] if key == "check" else key
    fields: Any = written if key == "check" else written[key]
    if not isinstance(name, str) or name not in CHECKS or key == "says":
        return ""
    if name == "tool_called":
        tool = _tool(dict(_entries(fields))) if isinstance(fields, Mapping) else fields  # pyright: ignore[reportUnknownArgumentType]
        return (
            f"{{tool: {_flow(tool)}}}"
            if isinstance(tool, str)
            else "a step that is a tool's call is written {tool: NAME}"
        )
    if name == "says":
        said = {key: below for key, below in _entries(fields) if key in _WORDS}  # pyright: ignore[reportUnknownArgumentType]
        return _flow({"says": said}) if said else "{says: {any_of: […]}}"
    return f"`{name}` is no step, of which there are {{says: …}} and {{tool: NAME}}: write it beside the sequence, as an expectation of its own"


def _tool(fields: Mapping[str, Any]) -> Any:
    """The name of the tool, which a step and a check have under different keys."""
    return fields.get("name", fields.get("tool"))
