"""JSONPath in plans (RFC 9535), bounded: what a path costs grows no faster than the document.

`..` stands at most once and in no filter, a filter looks only at what it filters, and at most one pair of brackets lists
several selectors: each of these, repeated, would multiply the work. The functions `match` and `search` are not there,
because they take regular expressions that are not RE2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from jsonpath import CompoundJSONPath, JSONPath, JSONPathEnvironment
from jsonpath.exceptions import JSONPathError
from jsonpath.filter import BaseExpression, FilterExpression, FilterQuery, RelativeFilterQuery
from jsonpath.segments import JSONPathRecursiveDescentSegment
from jsonpath.selectors import Filter

from planner.checks.wording import shown

_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)

MAX_LENGTH = 300
"""Characters of a path."""
MAX_VALUES = 1_000
"""Values that a path may find in one call."""


class _Environment(JSONPathEnvironment):
    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        for name in ("match", "search"):
            del self.function_extensions[name]


class TooManyValuesError(Exception):
    """The path finds more than `MAX_VALUES` values."""


@lru_cache(maxsize=1024)
def compile_path(path: str) -> JSONPath:
    """Raises `ValueError` with a sentence for the author."""
    if len(path) > MAX_LENGTH:
        raise ValueError(f"a path may have {MAX_LENGTH} characters, this one has {len(path)}")
    if not path.startswith("$"):
        raise ValueError(f"a path begins with `$`, which is the call: write `$.{path.lstrip('.')}`")
    try:
        compiled = _ENVIRONMENT.compile(path)
    except JSONPathError as error:
        raise ValueError(f"not a JSONPath (RFC 9535): {error.message}") from error
    assert not isinstance(compiled, CompoundJSONPath), "strict JSONPath has no unions of paths"
    _bound(compiled)
    return compiled


def find_values(path: str, document: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """(place, value) of all that the path finds. Raises `TooManyValuesError`."""
    matches = compile_path(path).finditer(document)
    found = [(_place(match.parts), match.obj) for match in islice(matches, MAX_VALUES + 1)]
    if len(found) > MAX_VALUES:
        raise TooManyValuesError
    return found


def _place(parts: Sequence[object]) -> str:
    """`$.items[0].quantity`: where a value is, as an author would write it."""
    steps = [f".{part}" if isinstance(part, str) and _PLAIN.fullmatch(part) else f"[{shown(part)}]" for part in parts]
    return f"${''.join(steps)}"


def _bound(path: JSONPath) -> None:
    descents = [segment for segment in path.segments if isinstance(segment, JSONPathRecursiveDescentSegment)]
    several = [segment for segment in path.segments if len(segment.selectors) > 1]
    filters = [selector for segment in path.segments for selector in segment.selectors if isinstance(selector, Filter)]
    if len(descents) > 1:
        raise ValueError("`..` may stand in a path once")
    if len(several) > 1:
        raise ValueError("only one pair of brackets may list several selectors")
    for query in (query for selector in filters for query in _queries(selector.expression)):
        inner = query.path.segments
        plain = not any(isinstance(selector, Filter) for segment in inner for selector in segment.selectors)
        if not isinstance(query, RelativeFilterQuery):
            raise ValueError("a filter may look only at what it filters: write `@`, not `$`")  # noqa: TRY004 - it is the author's
        if not plain or any(
            isinstance(segment, JSONPathRecursiveDescentSegment) or len(segment.selectors) > 1 for segment in inner
        ):
            raise ValueError("a path inside a filter takes names, indices, slices and `*` only")


def _queries(expression: BaseExpression) -> Iterator[FilterQuery]:
    if isinstance(expression, FilterQuery):
        yield expression
        return
    if isinstance(expression, FilterExpression):
        yield from _queries(expression.expression)
        return
    for child in expression.children():
        yield from _queries(child)


_ENVIRONMENT = _Environment(strict=True)
