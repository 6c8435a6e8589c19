"""What JSONPath is taken of all there is: see `json_paths`. Imports the library, which takes long."""

from __future__ import annotations

from collections.abc import Iterator

from jsonpath import CompoundJSONPath, JSONPath, JSONPathEnvironment
from jsonpath.exceptions import JSONPathError
from jsonpath.filter import BaseExpression, FilterExpression, FilterQuery, RelativeFilterQuery
from jsonpath.segments import JSONPathRecursiveDescentSegment
from jsonpath.selectors import Filter

from planner.checks.json_path_faults import fault_of


class _Environment(JSONPathEnvironment):
    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        for name in ("match", "search"):
            del self.function_extensions[name]


def compile_bounded(path: str) -> JSONPath:
    """Raises `ValueError` with a sentence for the author, mostly a `PathError`."""
    try:
        compiled = _ENVIRONMENT.compile(path)
    except JSONPathError as error:
        token = error.token
        place = (token.index, token.value) if token is not None else (0, path)
        raise fault_of(path, str(error.message), *place) from error
    assert not isinstance(compiled, CompoundJSONPath)  # strict JSONPath has no unions of paths
    _bound(compiled)
    return compiled


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
