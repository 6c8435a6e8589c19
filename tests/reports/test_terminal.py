"""Text for terminals: widths in cells, wrapping, and rows whose names are never cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from planner.reports.terminal import NARROWEST, Colour, Row, painter, rows, wrapped

texts = st.lists(st.text(st.sampled_from("ab日本👩é-/"), max_size=30), max_size=12).map(" ".join)
names = st.text(st.sampled_from("ab日/-@[]="), min_size=1, max_size=90)


@given(texts, st.integers(0, 140), st.integers(0, 8), st.integers(0, 8))
def test_wrapping_loses_nothing(text: str, width: int, indent: int, hanging: int) -> None:
    """All words are there in order, no line is too wide, and each starts with its indent."""
    lines = wrapped(text, width, indent=" " * indent, hanging=" " * hanging)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(wcswidth(line) <= max(width, NARROWEST) for line in lines)
    assert lines[0].startswith(" " * indent)
    assert all(line.startswith(" " * hanging) for line in lines[1:])


def _rows(items: list[Row], width: int) -> list[str]:
    return list(rows(items, width, painter(color=False)))


@given(st.lists(st.tuples(names, texts), min_size=1, max_size=8), st.integers(40, 140))
def test_a_name_is_never_cut(items: list[tuple[str, str]], width: int) -> None:
    """Each row shows its name in one piece; only a name makes a line too wide."""
    lines = _rows([Row("+", name, ("5 calls", why), Colour.GREEN) for name, why in items], width)
    heads = [line for line in lines if line.startswith("  + ")]
    assert len(heads) == len(items)
    for head, (name, _) in zip(heads, items, strict=True):
        assert head.startswith(f"  + {name}")
    for line in lines:
        assert wcswidth(line) <= width or line in [f"  + {name}" for name, _ in items]
