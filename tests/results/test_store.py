"""Keys of a results store, and names as parts of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.results.store import segment_for, segments


@pytest.mark.parametrize(
    "key", ["runs/a.json", "latest/_/refunds.json", "intents/20261124T120000Z-1", "a", "a/b/c/%2Ed+=@_"]
)
def test_keys(key: str) -> None:
    """Plain names with slashes between them are keys."""
    assert "/".join(segments(key)) == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/etc/passwd",
        "a//b",
        "a/",
        "..",
        "a/../b",
        "./a",
        ".lock",
        "runs/.hidden",
        "a\\b",
        "a\0b",
        "a b",
        "a\nb",
        "é",
        "C:x",
    ],
)
def test_impossible_keys(key: str) -> None:
    """A key can neither lead out of the store, nor name the store's own files, nor what some store could not take."""
    with pytest.raises(ValueError, match="not a key of a results store"):
        segments(key)


@pytest.mark.parametrize(
    ("name", "segment"),
    [
        ("staging", "staging"),
        ("eu-1", "eu-1"),
        ("", "_"),
        ("_", "%5F"),
        ("..", "%2E%2E"),
        ("EU/x", "%45%55%2Fx"),
        ("é", "%C3%A9"),
    ],
)
def test_names_as_segments(name: str, segment: str) -> None:
    """A name that is not plain is escaped, and no name at all has a segment of its own."""
    assert segment_for(name) == segment


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    st.text(alphabet=st.characters(exclude_categories=["Cs"])),
)
def test_different_names_never_share_a_segment(one: str, other: str) -> None:
    """Two environments never mix, also where a file system ignores case; and every name makes a possible key."""
    assert (segment_for(one).casefold() == segment_for(other).casefold()) == (one == other)
    assert segments(f"latest/{segment_for(one)}/x")[1] == segment_for(one)
