"""Prompt differences that can be read in a terminal, however large the prompts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.changes.detail import inputs_detail
from planner.results.model import CaseInputs


def _detail(old: str, new: str) -> str:
    def inputs(prompt: str) -> CaseInputs:
        return CaseInputs(prompt=prompt, target_kind="agent", target_id=12, direction="outbound", mode="bot")

    return inputs_detail(inputs(old), inputs(new))


@pytest.mark.parametrize(
    ("old", "new", "detail"),
    [
        ("one\ntwo\nthree", "one\n2\nthree", "- two\n+ 2"),
        ("one\nthree", "one\ntwo\nthree", "+ two"),
        ("one\ntwo\nthree", "one\nthree", "- two"),
        ("a\nb\nc\nd\ne", "A\nb\nc\nd\nE", "- a\n+ A\n- e\n+ E"),
        ("same\nsame", "same", "- same"),
        ("one\n", "one", "only line ends or a last empty line changed"),
        ("one\r\ntwo", "one\ntwo", "only line ends or a last empty line changed"),
    ],
)
def test_changed_lines_only(old: str, new: str, detail: str) -> None:
    """Only changed lines are shown, old before new."""
    assert _detail(old, new) == detail


def test_a_long_line_is_shown_where_it_differs() -> None:
    """Of a line too long to show, both sides show the part around the difference."""
    before, after = "x" * 300 + " calm " + "y" * 300, "x" * 300 + " furious " + "y" * 300
    shown_x = "x" * 39
    assert _detail(before, after) == (f"- …{shown_x} calm {'y' * 115}…\n+ …{shown_x} furious {'y' * 112}…")


def test_many_lines_are_bounded() -> None:
    """Of many changed lines, the first of each side are shown, and the number of others."""
    old, new = "\n".join(f"old {n}" for n in range(20)), "\n".join(f"new {n}" for n in range(30))
    assert _detail(old, new).splitlines() == [
        *(f"- old {n}" for n in range(4)),
        *(f"+ new {n}" for n in range(4)),
        "… 42 more changed lines",
    ]
    assert _detail("one", "\n".join(f"new {n}" for n in range(8))).splitlines() == [
        "- one",
        *(f"+ new {n}" for n in range(4)),
        "… 4 more changed lines",
    ]


def test_prompts_of_the_largest_size() -> None:
    """They are compared in no time, and of a thousand lines only the changed one is shown."""
    old, new = "\n".join(["x", *"ab" * 4000, "x"]), "\n".join(["y", *"bba" * 3000, "y"])
    assert _detail(old, new).splitlines()[-1].endswith(" more changed lines")
    lines = [f"line {n}" for n in range(1000)]
    assert _detail("\n".join(lines), "\n".join([*lines[:500], "new", *lines[501:]])) == "- line 500\n+ new"


@given(st.text(), st.text())
def test_detail_is_bounded_and_not_empty(old: str, new: str) -> None:
    """For any two prompts, the difference has at most nine lines of at most 164 characters."""
    lines = _detail(old, new).split("\n")
    assert all(lines)
    assert len(lines) <= 9
    assert max(len(line) for line in lines) <= 164
