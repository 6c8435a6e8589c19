"""Reading world files: built-in or by path, `extends` another, `based_on` another revision; faults name file:line:column.

Mappings are merged key by key (null takes a key away), anything else is replaced. How the text is parsed, and where in it a
fault is, is in `text.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from planner.sandbox.worlds.world import World

_BUILTIN = Path(__file__).parent
_MAX_EXTENDS = 8

Document = dict[Any, Any]
"""A YAML mapping as parsed, before validation."""
Route = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class WorldFault:
    """One thing that is wrong, at its place: lines and columns count from 1, the end is exclusive."""

    path: Path
    line: int
    column: int
    end_column: int
    message: str
    """In one line, with the dotted way to it."""
    error: ErrorDetails | None = None
    """Where a value did not fit the grammar (`World`): how, for those who say it in their own words."""
    kind: Literal["value", "syntax", "duplicate", "unreadable"] = "value"

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


class WorldError(ValueError):
    """A world that cannot be used: in one line the first thing that is wrong, in `faults` all of them (none without a file)."""

    def __init__(self, message: str, faults: Sequence[WorldFault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


def world_error(*faults: WorldFault) -> WorldError:
    """Faults of the asked file first, each file's in the order of its lines."""
    files = list(dict.fromkeys(fault.path for fault in faults))
    ordered = sorted(faults, key=lambda fault: (files.index(fault.path), fault.line, fault.column))
    return WorldError(str(ordered[0]), ordered)


def builtin_worlds() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in _BUILTIN.glob("*.yaml")))


def load_world(name_or_path: str | Path, *, within: Path | None = None) -> World:
    """A built-in world by its name, or a YAML file by its path. `within` is a folder that it must not lead out of, also by
    `extends` or a link. Raises `WorldError`."""
    path = _locate(name_or_path)
    if path.parent == _BUILTIN:
        return _builtin(path)
    return _load(path, within)


@lru_cache(maxsize=16)
def _builtin(path: Path) -> World:
    return _load(path)


def _locate(name_or_path: str | Path, beside: Path | None = None) -> Path:
    text = str(name_or_path)
    if text in builtin_worlds():
        return _BUILTIN / f"{text}.yaml"
    path = Path(text) if beside is None else beside / text
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    raise WorldError(
        f"no world is called {text!r}: built in are {', '.join(builtin_worlds())}; or give the path of a YAML file"
    )


def _load(path: Path, within: Path | None = None) -> World:
    files: list[Path] = []
    lost: list[WorldFault] = []
    document = _merged(path, files, lost, within)
    try:
        _resolve_revisions(document)
        world = World.model_validate(document)
    except ValidationError as error:
        # What is missing may be in a world that could not be read.
        raise world_error(
            *lost, *(fault for fault in _misfits(files, error) if not (lost and _is_missing(fault)))
        ) from error
    except _RevisionError as error:
        raise world_error(*(lost or [_fault(files, error.route, str(error))])) from error
    if lost:
        raise world_error(*lost)
    wrong = world.faults_in()
    if wrong:
        raise world_error(*(_fault(files, route, f"{_dotted(route)}: {message}") for route, message in wrong))
    return world


def _misfits(files: list[Path], error: ValidationError) -> list[WorldFault]:
    """Each value that does not fit the grammar, at the value; what is missing or unknown, at the key."""
    found: list[WorldFault] = []
    errors = error.errors(include_url=False)
    for each in errors:
        place = each["loc"]
        if any(len(other["loc"]) > len(place) and other["loc"][: len(place)] == place for other in errors):
            continue  # a list is called too short when what is in it does not fit
        message = each["msg"].removeprefix("Value error, ")
        at_key = each["type"] in ("missing", "extra_forbidden")
        found.append(_fault(files, each["loc"], f"{_dotted(each['loc'])}: {message}", each, at_key=at_key))
    return found


def _is_missing(fault: WorldFault) -> bool:
    return fault.error is not None and fault.error["type"] == "missing"


def _merged(path: Path, files: list[Path], lost: list[WorldFault], within: Path | None) -> Document:
    """The document with what it extends under it; `files` collects the files, the asked one first.

    `lost` collects the faults of an `extends` that names nothing: the document is then without what was to be under it.
    """
    if path in files or len(files) >= _MAX_EXTENDS:
        raise world_error(_fault([files[-1]], ("extends",), "`extends` goes round in a circle"))
    if within is not None and path.parent != _BUILTIN and not path.resolve().is_relative_to(within.resolve()):
        raise WorldError(f"{path.name} leads out of the repository")
    files.append(path)
    document = deepcopy(_builtin_document(path)) if path.parent == _BUILTIN else _read(path)
    base = document.pop("extends", None)
    if base is None:
        return document
    if not isinstance(base, str):
        lost.append(_fault([path], ("extends",), "`extends` names a built-in world or a file"))
        return document
    try:
        return _overlay(_merged(_locate(base, beside=path.parent), files, lost, within), document)
    except WorldError as error:
        if error.faults:
            raise
        del files[files.index(path) + 1 :]
        lost.append(_fault([path], ("extends",), str(error)))
        return document


@lru_cache(maxsize=16)
def _builtin_document(path: Path) -> Document:
    """Parsed once, most worlds extend one; and in C, which makes of these the same as `read` in a tenth of its time."""
    from yaml import CSafeLoader, load  # late, as the other parser

    return cast(Document, load(path.read_bytes(), CSafeLoader))


def _read(path: Path) -> Document:
    from planner.sandbox.worlds.text import (
        read,  # late: its parser takes long to import, and built-in worlds do without
    )

    return read(path)


def _overlay(below: Document, above: Mapping[Any, Any]) -> Document:
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _overlay(cast(Document, merged[key]), cast(Document, value))
        else:
            merged[key] = value
    return merged


class _RevisionError(Exception):
    def __init__(self, route: Route, message: str) -> None:
        super().__init__(message)
        self.route = route


def _resolve_revisions(document: Document) -> None:
    """Put under each revision the one it is `based_on`, itself resolved."""
    agents: object = document.get("agents")
    if not isinstance(agents, dict):
        return
    for agent_id, agent in cast(Document, agents).items():
        revisions: object = cast(Document, agent).get("revisions") if isinstance(agent, dict) else None
        if isinstance(revisions, dict):
            resolved = {
                number: _resolved(cast(Document, revisions), number, ("agents", agent_id, "revisions"), 0)
                for number in cast(Document, revisions)
            }
            agents[agent_id] = {**cast(Document, agent), "revisions": resolved}


def _resolved(revisions: Document, number: int, route: Route, depth: int) -> object:
    revision: object = revisions[number]
    if not isinstance(revision, dict) or "based_on" not in revision:
        return cast(object, revision)
    own = dict(cast(Document, revision))
    base = own.pop("based_on")
    if base not in revisions or depth > len(revisions):
        raise _RevisionError((*route, number, "based_on"), f"based_on: there is no earlier revision {base!r}")
    below = _resolved(revisions, base, route, depth + 1)
    return _overlay(cast(Document, below), own) if isinstance(below, dict) else own


def _fault(
    files: list[Path], route: Route, message: str, error: ErrorDetails | None = None, *, at_key: bool = False
) -> WorldFault:
    """The fault at its place: in the first file that has the whole route, else where the asked file comes nearest."""
    from planner.sandbox.worlds.text import find  # late: only what is wrong is looked for

    places = [(find(path, route, at_key=at_key), path) for path in files]
    (_, line, column, end), path = max(places, key=lambda place: place[0][0])
    return WorldFault(path, line, column, end, message, error)


def _dotted(route: Route) -> str:
    return ".".join(str(step) for step in route)
