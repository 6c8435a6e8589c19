"""World files: reading them with the world that they extend, and their JSON Schema.

Mappings are merged key by key (null removes a key); everything else is replaced.
"""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from planner.diagnostics import Span
from planner.planfile.yaml.document import MAX_VALUES, follow, is_too_large
from planner.planfile.yaml.document import YamlMapping as Written
from planner.planfile.yaml.reader import MAX_BYTES, read
from planner.sandbox.worlds.dialogues import Part, Route
from planner.sandbox.worlds.world import World
from planner.values import frozen

_SHIPPED = Path(__file__).parent
_READING = sum(getattr(os, flag, 0) for flag in ("O_RDONLY", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY"))
"""Flags to open a world: do not wait for the writer of a pipe."""
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_EXTENDS = {"type": "string", "description": "A shipped world, or the path of a file beside this one, to start from."}
_MERGED = ("Agent", "Dialogue", "PhoneNumber", "Revision", "Tool", "Variant")
"""Parts that a file may state in part, because the rest comes from the world below."""


@frozen
class WorldProblem:
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
    """A world that cannot be used. The message is the first problem; `problems` has all, none if there is no file."""

    def __init__(self, message: str, problems: Sequence[WorldProblem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


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


class _Files:
    """The files of a world, the requested one first, and their errors."""

    def __init__(self, within: Path | None) -> None:
        self.within = within
        self._documents: dict[Path, Written] = {}
        self._problems: list[WorldProblem] = []

    def merged(self, path: Path) -> dict[str, Any]:
        """The file over the world that it extends."""
        within = self.within
        if within is not None and path.parent != _SHIPPED and not path.resolve().is_relative_to(within.resolve()):
            raise WorldError(f"{path.name} leads out of the repository")
        try:
            document, problems = read(_content(path), path.as_posix())
        except OSError as error:
            raise WorldError(f"{path}: {error.strerror or error}") from error
        errors = [problem for problem in problems if problem.severity.value == "error"]
        self._problems += [WorldProblem(path, _first_line(each.span), each.message, each.code) for each in errors]
        if document is None:
            return {}
        if is_too_large(document):
            raise WorldError(f"{path}: a world may have {MAX_VALUES:,} values, with aliases expanded; shorten it")
        self._documents[path] = document
        own = dict(document)
        base = own.pop("extends", None)
        if base is None:
            return own
        try:
            return _overlay(self.merged(self._extended(base, path.parent)), own)
        except WorldError as error:
            self.add(("extends",), str(error))
            return own

    def _extended(self, base: object, beside: Path) -> Path:
        if not isinstance(base, str):
            raise WorldError("`extends` names a world or a file")
        path = _locate(base, beside)
        if path in self._documents:
            raise WorldError("`extends` goes round in a circle")
        return path

    def add(self, route: Route, message: str, error: ErrorDetails | None = None) -> None:
        """An error at the end of the route, in the file that contains most of it."""
        path, document = max(self._documents.items(), key=lambda each: _depth(each[1], route))
        found = follow(document, route)
        if found is None:
            span = document.source.whole()
        elif error is not None and error["type"] in ("missing", "extra_forbidden") and isinstance(found[1], str):
            span = found[0].key_span(found[1])
        else:
            span = _first_line(found[0].span(found[1]))
        dotted = ".".join(map(str, route))
        self._problems.append(WorldProblem(path, span, f"{dotted}: {message}" if dotted else message, error=error))

    def check(self) -> None:
        """Raises `WorldError` if there are errors."""
        order = {path: index for index, path in enumerate(self._documents)}
        problems = sorted(self._problems, key=lambda each: (order.get(each.path, 0), each.span.line, each.span.column))
        if problems:
            raise WorldError(str(problems[0]), problems)


def _content(path: Path) -> bytes:
    """At most one byte more than may be read. Raises `OSError`, and `WorldError` for what is not a file."""
    descriptor = os.open(path, _READING)
    with os.fdopen(descriptor, "rb") as file:
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise WorldError(f"{path} is not a file")
        return file.read(MAX_BYTES + 1)


def _first_line(span: Span) -> Span:
    return span if span.line == span.end_line else Span(span.file, span.line, span.column, span.line, span.column + 1)


def _depth(value: Any, route: Route) -> int:
    """The number of steps of the route that exist below the value."""
    for depth, step in enumerate(route):
        try:
            value = value[str(step) if isinstance(value, dict) else step]
        except (LookupError, TypeError):
            return depth
    return len(route)


def _load(path: Path, within: Path | None) -> World:
    files = _Files(within)
    written = files.merged(path)
    files.check()
    try:
        world = World.model_validate(written)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        above = {each["loc"][:length] for each in errors for length in range(len(each["loc"]))}
        for each in errors:
            if each["loc"] not in above:
                files.add(each["loc"], each["msg"].removeprefix("Value error, "), each)
        files.check()
        raise
    if path.parent != _SHIPPED:  # a test checks the shipped worlds
        for route, message in world.errors():
            files.add(route, message)
    files.check()
    return world


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


def world_schema() -> dict[str, Any]:
    """For editors: made from the models that read the files."""
    schema = World.model_json_schema()
    defs: dict[str, Any] = schema["$defs"]
    parts = {part.__name__: part for part in Part.__subclasses__()}
    for name, definition in [*defs.items(), ("World", schema)]:
        for field, description in _docstrings(parts[name]).items() if name in parts else ():
            definition["properties"][field].setdefault("description", description)
    for name in _MERGED:
        defs[name].pop("required", None)
    for definition in (schema, defs["Agent"]):
        for field in definition["properties"].values():
            if isinstance(field.get("additionalProperties"), dict):
                field["additionalProperties"] = {"anyOf": [field["additionalProperties"], {"type": "null"}]}
    schema["properties"] = {"extends": _EXTENDS, **schema["properties"]}
    schema["required"] = ["version", "world"]
    return {"$schema": _DIALECT, **schema, "title": "Sandbox world"}


def _docstrings(part: type[Part]) -> dict[str, str]:
    """Field, by the name it has in a file → the text below it in the source."""
    (body,) = ast.parse(inspect.getsource(part)).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(written))),
            ):
                found[part.model_fields[name].alias or name] = inspect.cleandoc(written)
            case _:
                pass
    return found
