"""A world file's text: its values, and where in it one of them stands. The parser takes long to import."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from planner.sandbox.worlds.files import Document, Route, WorldError, WorldFault, world_error


def read(path: Path) -> Document:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise WorldError(f"{path}: {error.strerror or error}") from error
    try:
        document: object = _parser(pure=True).load(text)  # the C parser refuses times between brackets
    except MarkedYAMLError as error:
        marked = cast(Any, error)
        mark = marked.problem_mark or marked.context_mark
        line, column = (int(mark.line) + 1, int(mark.column) + 1) if mark is not None else (1, 1)
        what = str(marked.problem or marked.context)
        kind = "duplicate" if "duplicate key" in what else "syntax"
        what = what.splitlines()[0]
        raise world_error(WorldFault(path, line, column, column + 1, what, kind=kind)) from error
    except RecursionError as error:
        raise world_error(WorldFault(path, 1, 1, 1, "this is nested too deeply", kind="unreadable")) from error
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        raise world_error(WorldFault(path, 1, 1, 1, " ".join(str(error).split()), kind="unreadable")) from error
    if not isinstance(document, dict):
        raise world_error(WorldFault(path, 1, 1, 1, "a world is a mapping"))
    return cast(Document, document)


def _parser(*, pure: bool) -> Any:
    """ruamel.yaml's parser has no usable types; nothing but its values leaves this module."""
    return cast(Any, YAML(typ="safe", pure=pure))


@lru_cache(maxsize=8)
def _composed(path: Path, _changed_ns: int) -> Node | None:
    return cast("Node | None", _parser(pure=True).compose(path.read_text(encoding="utf-8")))


def _compose(path: Path) -> Node | None:
    return _composed(path, path.stat().st_mtime_ns)


def find(path: Path, route: Route, *, at_key: bool) -> tuple[int, int, int, int]:
    """(How many steps of the route were found, line, column, end column); a mapping or a list is told by its key."""
    node = _compose(path)
    depth, found = 0, (1, 1, 1)
    for step in route:
        if isinstance(node, MappingNode):
            entries = cast("list[tuple[Node, Node]]", node.value)
            hit = next(((key, value) for key, value in entries if str(cast(Any, key).value) == str(step)), None)
            if hit is None:
                break
            key, node = hit
            found = _stretch(node if isinstance(node, ScalarNode) and not at_key else key)
        elif isinstance(node, SequenceNode) and isinstance(step, int):
            items = cast("list[Node]", cast(Any, node).value)
            if step >= len(items):
                break
            node = items[step]
            found = _stretch(node)
        else:
            break
        depth += 1
    return depth, *found


def _stretch(node: Node) -> tuple[int, int, int]:
    """Line, column and end column of the node's first line."""
    start, end = cast(Any, node).start_mark, cast(Any, node).end_mark
    column = int(start.column) + 1
    return int(start.line) + 1, column, int(end.column) + 1 if end.line == start.line else column + 1
