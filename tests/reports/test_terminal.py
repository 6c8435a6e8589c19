"""Text for terminals: widths in cells, wrapping, and rows whose names are never cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from planner.reports.terminal import NARROWEST, Colour, Row, painter, rows, wrapped

texts = st.lists(st.text(st.sampled_from("ab日本👩é-/"), max_size=30), max_size=12).map(" ".join)
names = st.text(st.sampled_from("ab日/-@[]="), min_size=1, max_size=90)


@given(texts, st.integers(0, 140), st.integers(0, 8), st.integers(0, 8))
def test_wrapping_loses_nothing(text: str, width: int, indent: int, hanging: int) -> None:
    """All words are there in order, no line is wider than asked, and each starts with its indent."""
    lines = wrapped(text, width, indent=" " * indent, hanging=" " * hanging)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cell_len(line) <= max(width, NARROWEST) for line in lines)
    assert lines[0].startswith(" " * indent)
    assert all(line.startswith(" " * hanging) for line in lines[1:])


def test_wrapping_breaks_at_spaces() -> None:
    """A line takes as many words as fit."""
    assert wrapped("one two three", 40, indent="- ") == ["- one two three"]
    assert wrapped("a" * 30 + " " + "b" * 30 + " c", 40, indent="- ", hanging="  ") == [
        "- " + "a" * 30,
        "  " + "b" * 30 + " c",
    ]
    assert wrapped("", 40, indent="- ") == ["- "]


@given(st.lists(st.tuples(names, texts), min_size=1, max_size=8), st.integers(40, 140))
def test_a_name_is_never_cut(items: list[tuple[str, str]], width: int) -> None:
    """Each row shows its name in one piece, whatever the width; only a name makes a line too wide."""
    lines = rows([Row("+", name, ("5 calls", why)) for name, why in items], width, painter(color=False))
    heads = [line for line in lines if line.startswith("  + ")]
    assert len(heads) == len(items)
    for head, (name, _) in zip(heads, items, strict=True):
        assert head.startswith(f"  + {name}")
    for line in lines:
        assert cell_len(line) <= width or line in [f"  + {name}" for name, _ in items]


def test_rows_are_aligned() -> None:
    """Columns start at the same cell; a name that is too wide has a line of its own; a row may have no columns."""
    items = [
        Row("+", "short", ("5 calls", "new"), below=("      more",)),
        Row("~", "日本", ("12 calls", "prompt changed")),
        Row("?", "x" * 60, ("recheck", "expectations changed")),
        Row("=", "20 cases kept", ("", "passed")),
        Row("!", "alone", ()),
    ]
    assert rows(items, 60, painter(color=False)) == [
        "  + short           5 calls    new",
        "      more",
        "  ~ 日本            12 calls   prompt changed",
        "  ? " + "x" * 60,
        "      recheck    expectations changed",
        "  = 20 cases kept              passed",
        "  ! alone",
    ]


def test_rows_are_all_tall_where_most_names_are_wide() -> None:
    """One shape is easier to read than two."""
    items = [
        Row("+", "a" * 50, ("5 calls", "new")),
        Row("+", "b" * 50, ("5 calls", "new")),
        Row("+", "d" * 50, ("5 calls", "new")),
        Row("+", "c", ("5 calls", "new")),
        Row("=", "2 cases kept", ("", "passed")),
    ]
    assert rows(items, 60, painter(color=False)) == [
        "  + " + "a" * 50,
        "      5 calls   new",
        "  + " + "b" * 50,
        "      5 calls   new",
        "  + " + "d" * 50,
        "      5 calls   new",
        "  + c",
        "      5 calls   new",
        "  = 2 cases kept   passed",
    ]


def test_paint() -> None:
    """Colour is added on demand, and nothing is painted around nothing."""
    assert painter(color=True)("x", Colour.RED) == "\x1b[31mx\x1b[0m"
    assert painter(color=True)("", Colour.RED) == ""
    assert painter(color=False)("x", Colour.RED) == "x"
