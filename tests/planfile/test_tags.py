"""Where the tags of a text are."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from planner.planfile.templates.tags import tags_of

SIMPLY = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
"""The same, in time that grows with the square of the text where nothing closes what is opened."""


@given(st.lists(st.sampled_from(["{", "}", "{{", "}}", "{%", "%}", "%", "a", "\n", "'"]), max_size=30).map("".join))
def test_tags_are_those_that_are_closed(text: str) -> None:
    """As the plain expression finds them, whatever is opened and not closed, or the other way round."""
    assert [tag.span() for tag in tags_of(text)] == [tag.span() for tag in SIMPLY.finditer(text)]
