"""Reading world files: built-in or by path, `extends` another, `based_on` another revision; faults name file:line:column.

Mappings are merged key by key (null takes a key away), anything else is replaced. Values are read with the fast C parser, which
knows no positions; only when something is wrong is the file composed again to find where.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from planner.sandbox.world import World

_BUILTIN = Path(__file__).parent / "worlds"
_MAX_EXTENDS = 8

Document = dict[Any, Any]
"""A YAML mapping as parsed, before validation."""
Route = tuple[str | int, ...]


class WorldError(ValueError):
    """A world that cannot be used; one line, `file:line:column: what`."""


def builtin_worlds() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in _BUILTIN.glob("*.yaml")))


def load_world(name_or_path: str | Path) -> World:
    """A built-in world by its name, or a YAML file by its path. Raises `WorldError`."""
    path = _locate(name_or_path)
    if path.parent == _BUILTIN:
        return _builtin(path)
    return _load(path)


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


def _load(path: Path) -> World:
    files: list[Path] = []
    document = _merged(path, files)
    try:
        _resolve_revisions(document)
        world = World.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        raise _fault(files, first["loc"], f"{_dotted(first['loc'])}: {message}") from error
    except _RevisionError as error:
        raise _fault(files, error.route, str(error)) from error
    wrong = world.faults_in()
    if wrong:
        route, message = wrong[0]
        raise _fault(files, route, f"{_dotted(route)}: {message}")
    return world


def _merged(path: Path, files: list[Path]) -> Document:
    """The document with what it extends under it; `files` collects the files, the asked one first."""
    if path in files or len(files) >= _MAX_EXTENDS:
        raise WorldError(f"{files[-1]}:1:1: `extends` goes round in a circle")
    files.append(path)
    document = _read(path)
    base = document.pop("extends", None)
    if base is None:
        return document
    if not isinstance(base, str):
        raise _fault([path], ("extends",), "`extends` names a built-in world or a file")
    try:
        below = _locate(base, beside=path.parent)
    except WorldError as error:
        raise _fault([path], ("extends",), str(error)) from error
    return _overlay(_merged(below, files), document)


def _read(path: Path) -> Document:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise WorldError(f"{path}: {error.strerror or error}") from error
    try:
        document: object = _parser(pure=False).load(text)
    except MarkedYAMLError as error:
        marked = cast(Any, error)
        mark = marked.problem_mark or marked.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise WorldError(f"{path}{where}: {marked.problem or marked.context}") from error
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        raise WorldError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise WorldError(f"{path}:1:1: a world is a mapping")
    return cast(Document, document)


def _parser(*, pure: bool) -> Any:
    """ruamel.yaml's parser has no usable types; nothing but its values leaves this module."""
    return cast(Any, YAML(typ="safe", pure=pure))


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


def _fault(files: list[Path], route: Route, message: str) -> WorldError:
    """The fault at its place: in the first file that has the whole route, else where the asked file comes nearest."""
    places = [(_find(_compose(path), route), path) for path in files]
    (_, line, column), path = max(places, key=lambda place: place[0][0])
    return WorldError(f"{path}:{line}:{column}: {message}")


def _compose(path: Path) -> Node | None:
    return cast("Node | None", _parser(pure=True).compose(path.read_text(encoding="utf-8")))


def _find(node: Node | None, route: Route) -> tuple[int, int, int]:
    """(How many steps of the route were found, line, column), counting lines and columns from 1."""
    depth, line, column = 0, 1, 1
    for step in route:
        if isinstance(node, MappingNode):
            entries = cast("list[tuple[Node, Node]]", node.value)
            hit = next(((key, value) for key, value in entries if str(cast(Any, key).value) == str(step)), None)
            if hit is None:
                break
            place, node = hit
        elif isinstance(node, SequenceNode) and isinstance(step, int):
            items = cast("list[Node]", cast(Any, node).value)
            if step >= len(items):
                break
            node = place = items[step]
        else:
            break
        mark = cast(Any, place).start_mark
        depth, line, column = depth + 1, int(mark.line) + 1, int(mark.column) + 1
    return depth, line, column


def _dotted(route: Route) -> str:
    return ".".join(str(step) for step in route)
