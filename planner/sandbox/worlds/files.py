"""Reading world files: by name or by path, with the world that they extend.

Mappings are merged key by key (null removes a key); everything else is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from planner.diagnostics import Span
from planner.planfile.yaml.reader import Document, read
from planner.sandbox.worlds.dialogues import Route
from planner.sandbox.worlds.world import World

_SHIPPED = Path(__file__).parent
_MAX_EXTENDS = 8


@dataclass(frozen=True, slots=True)
class WorldFault:
    """One error of a world file. `code` is that of the same error in a plan."""

    path: Path
    span: Span
    message: str
    code: str = "bad-value"
    error: ErrorDetails | None = None
    """Set if a value does not fit the grammar (`World`)."""

    def __str__(self) -> str:
        return f"{self.path}:{self.span.line}:{self.span.column}: {self.message}"


class WorldError(ValueError):
    """A world that cannot be used. The text is the first error; `faults` has all of them, none if there is no file."""

    def __init__(self, message: str, faults: Sequence[WorldFault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


def builtin_worlds() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in _SHIPPED.glob("*.yaml")))


def load_world(name_or_path: str | Path, *, within: Path | None = None) -> World:
    """A shipped world by its name, or a YAML file by its path.

    `within` is a folder that must contain the file and all that it extends, also after links. Raises `WorldError`.
    """
    path = _locate(str(name_or_path), Path())
    return _shipped(path) if path.parent == _SHIPPED else _load(path, within)


@lru_cache(maxsize=16)
def _shipped(path: Path) -> World:
    return _load(path, None)


def _locate(name: str, beside: Path) -> Path:
    if name in builtin_worlds():
        return _SHIPPED / f"{name}.yaml"
    path = beside / name
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    raise WorldError(
        f"no world is called {name!r}: the worlds are {', '.join(builtin_worlds())}; or give the path of a YAML file"
    )


@dataclass(slots=True)
class _Files:
    """The files of a world, the requested one first, and what is wrong with them."""

    documents: dict[Path, Document]
    faults: list[WorldFault]
    within: Path | None

    def add(self, route: Route, message: str, error: ErrorDetails | None = None) -> None:
        """A fault at the end of the route: in the file that has most of it."""
        path, document = max(self.documents.items(), key=lambda each: _depth(each[1].root, route))
        at_key = error is not None and error["type"] in ("missing", "extra_forbidden")
        found = document.follow(route)
        if found is None:
            span = document.source.whole()
        elif at_key and isinstance(found[1], str):
            span = document.key(cast(Any, found[0]), found[1])
        else:
            span = _first_line(document.value(*found))
        dotted = ".".join(map(str, route))
        self.faults.append(WorldFault(path, span, f"{dotted}: {message}" if dotted else message, error=error))

    def error(self) -> WorldError:
        order = list(self.documents)
        ordered = sorted(
            self.faults,
            key=lambda fault: (
                order.index(fault.path) if fault.path in order else 0,
                fault.span.line,
                fault.span.column,
            ),
        )
        return WorldError(str(ordered[0]), ordered)


def _first_line(span: Span) -> Span:
    return span if span.line == span.end_line else Span(span.file, span.line, span.column, span.line, span.column + 1)


def _depth(value: Any, route: Route) -> int:
    depth = 0
    for step in route:
        if isinstance(value, dict) and str(step) in value:
            value = cast("dict[str, Any]", value)[str(step)]
        elif isinstance(value, list) and isinstance(step, int) and step < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[step]
        else:
            return depth
        depth += 1
    return depth


def _load(path: Path, within: Path | None) -> World:
    files = _Files({}, [], within)
    written = _merged(path, files)
    if files.faults:
        raise files.error()
    try:
        world = World.model_validate(written)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        for each in errors:
            place = each["loc"]
            if not any(len(other["loc"]) > len(place) and other["loc"][: len(place)] == place for other in errors):
                files.add(place, each["msg"].removeprefix("Value error, "), each)
        raise files.error() from error
    for route, message in world.unknown_names():
        files.add(route, message)
    if files.faults:
        raise files.error()
    return world


def _merged(path: Path, files: _Files) -> dict[str, Any]:
    """The file over what it extends."""
    within = files.within
    if within is not None and path.parent != _SHIPPED and not path.resolve().is_relative_to(within.resolve()):
        raise WorldError(f"{path.name} leads out of the repository")
    try:
        document, problems = read(path.read_bytes(), path.as_posix())
    except OSError as error:
        raise WorldError(f"{path}: {error.strerror or error}") from error
    files.faults += [
        WorldFault(path, _first_line(problem.span), problem.message, problem.code)
        for problem in problems
        if problem.severity.value == "error"
    ]
    if document is None:
        return {}
    files.documents[path] = document
    base: object = document.root.get("extends")
    own = {key: value for key, value in document.root.items() if key != "extends"}
    if base is None:
        return own
    if not isinstance(base, str):
        files.add(("extends",), "`extends` names a world or a file")
        return own
    try:
        below = _locate(base, path.parent)
        if below in files.documents or len(files.documents) >= _MAX_EXTENDS:
            files.add(("extends",), "`extends` goes round in a circle")
            return own
        return _overlay(_merged(below, files), own)
    except WorldError as error:
        files.add(("extends",), str(error))
        return own


def _overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _overlay(merged[key], cast("dict[str, Any]", value))
        else:
            merged[key] = value
    return merged
