"""Diagnostics are sorted by their place in the file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from planner.diagnostics import Diagnostic, Diagnostics, Related, Severity, Span


def span(line: int, column: int = 1, file: str = "plans/a.yaml") -> Span:
    return Span(file, line, column, line, column + 3)


def test_errors_and_warnings_are_kept_apart() -> None:
    """A file with warnings only may be called with."""
    found = Diagnostics()
    assert not found.has_errors
    found.warning("unused-variable", "a variable is not used", "take it out", span(3))
    assert not found.has_errors
    found.error("unknown-key", "a key is unknown", "did you mean `runs`?", span(2), Related("first here", span(1)))
    assert found.has_errors
    assert len(found) == 2
    assert list(found) == [
        Diagnostic(
            Severity.ERROR,
            "unknown-key",
            "a key is unknown",
            "did you mean `runs`?",
            span(2),
            (Related("first here", span(1)),),
        ),
        Diagnostic(Severity.WARNING, "unused-variable", "a variable is not used", "take it out", span(3)),
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from(["a.yaml", "b.yaml"]), st.integers(1, 12), st.integers(1, 12), st.sampled_from("xy")),
        max_size=8,
    ).flatmap(lambda places: st.tuples(st.just(places), st.permutations(places)))
)
def test_order_does_not_depend_on_who_was_first(orders: tuple[list[tuple[str, int, int, str]], ...]) -> None:
    """By file, then line, then column as numbers, then code; nothing is dropped."""
    sorted_orders: list[list[Diagnostic]] = []
    for order in orders:
        found = Diagnostics()
        for file, line, column, code in order:
            found.error(code, "summary", "detail", span(line, column, file))
        sorted_orders.append(found.in_order())
    assert sorted_orders[0] == sorted_orders[1]
    places = [(item.span.file, item.span.line, item.span.column, item.code) for item in sorted_orders[0]]
    assert places == sorted(orders[0])
