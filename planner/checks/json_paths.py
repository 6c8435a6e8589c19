"""JSONPath in plans (RFC 9535), restricted so that its work grows no faster than the document.

`..` may occur once and in no filter, a filter may use only `@`, and one pair of brackets may list several selectors: each of
these, repeated, multiplies the work. The functions `match` and `search` are removed, since their patterns are not RE2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from planner.checks.judgement import shown

if TYPE_CHECKING:
    from jsonpath import JSONPath, JSONPathEnvironment
    from jsonpath.filter import BaseExpression, FilterQuery

MAX_LENGTH: Final = 300
"""Characters of a path."""
MAX_VALUES: Final = 1_000
"""Values that a path may find in one call."""


class PathError(ValueError):
    """An invalid path. `start` and `end` are the offsets of the error."""

    def __init__(self, why: str, start: int, end: int) -> None:
        super().__init__(why)
        self.start = start
        self.end = end


@lru_cache(maxsize=1024)
def compile_path(path: str) -> JSONPath:
    """Raises `ValueError`, mostly a `PathError`, with a message for the author."""
    if len(path) > MAX_LENGTH:
        raise ValueError(f"a path may have {MAX_LENGTH} characters, this one has {len(path)}")
    if not path.startswith("$"):
        raise ValueError("a path begins with `$`, which is the call, as in $.locale")
    from jsonpath import JSONPath
    from jsonpath.exceptions import JSONPathError

    try:
        compiled = _environment().compile(path)
    except JSONPathError as error:
        index, value = (error.token.index, error.token.value) if error.token is not None else (0, path)
        is_end = not 0 <= index < len(path)
        start = len(path) - 1 if is_end else index
        end = max(start + 1, min(start + len(value), len(path)))
        why = "it ends too early" if is_end else str(error.message)
        raise PathError(f"not a JSONPath (RFC 9535): {why}", start, end) from error
    assert isinstance(compiled, JSONPath)  # strict JSONPath has no unions of paths
    _check_bounds(compiled)
    return compiled


@cache
def _environment() -> JSONPathEnvironment:
    from jsonpath import JSONPathEnvironment  # its import takes long

    environment = JSONPathEnvironment(strict=True)
    for name in ("match", "search"):
        del environment.function_extensions[name]
    return environment


def _check_bounds(path: JSONPath) -> None:
    from jsonpath.filter import RelativeFilterQuery
    from jsonpath.segments import JSONPathRecursiveDescentSegment
    from jsonpath.selectors import Filter

    def is_descent(segment: object) -> bool:
        return isinstance(segment, JSONPathRecursiveDescentSegment)

    filters = [selector for segment in path.segments for selector in segment.selectors if isinstance(selector, Filter)]
    if sum(map(is_descent, path.segments)) > 1:
        raise ValueError("`..` may occur in a path once")
    if sum(len(segment.selectors) > 1 for segment in path.segments) > 1:
        raise ValueError("only one pair of brackets may list several selectors")
    for query in (query for each in filters for query in _queries(each.expression)):
        if not isinstance(query, RelativeFilterQuery):
            raise ValueError("a filter may use only `@`, not `$`")  # noqa: TRY004 - pydantic reports ValueError only
        for segment in query.path.segments:
            several = len(segment.selectors) > 1
            if several or is_descent(segment) or any(isinstance(each, Filter) for each in segment.selectors):
                raise ValueError("a path inside a filter may have names, indices, slices and `*` only")


def _queries(expression: BaseExpression) -> Iterator[FilterQuery]:
    from jsonpath.filter import FilterExpression, FilterQuery

    if isinstance(expression, FilterQuery):
        yield expression
    elif isinstance(expression, FilterExpression):
        yield from _queries(expression.expression)
    else:
        for child in expression.children():
            yield from _queries(child)


def find_values(path: str, document: Mapping[str, Any]) -> list[tuple[str, Any]] | None:
    """(place, value) of everything the path finds; None for more than `MAX_VALUES`, or nested too deeply."""
    from jsonpath.exceptions import JSONPathError

    try:
        matches = [*islice(compile_path(path).finditer(document), MAX_VALUES + 1)]
    except JSONPathError:
        return None
    return None if len(matches) > MAX_VALUES else [(_place(match.parts), match.obj) for match in matches]


def _place(parts: Sequence[object]) -> str:
    """`$.items[0].quantity`: the place of a value, as an author would write it."""

    def is_plain(part: object) -> bool:
        return isinstance(part, str) and re.fullmatch(r"(?a:[A-Za-z_]\w*)", part) is not None

    return "$" + "".join(f".{part}" if is_plain(part) else f"[{shown(part)}]" for part in parts)
