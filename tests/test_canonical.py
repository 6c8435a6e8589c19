"""Digests are over the canonical form of RFC 8785, whatever writes it."""

from __future__ import annotations

import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from planner.canonical import canonical_json

NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.floats(-20, 20)
TEXTS = st.text() | st.text(st.characters(max_codepoint=127)) | st.sampled_from(["\uffff", "\U00010000", "\u2028"])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@given(VALUES)
@example({"\uffff": 1, "\U00010000": 2})
@example(1e-5)
@example(1e16)
@example(1e21)
@example([1e-4, 123456.5, -0.0, 1.0])
def test_what_rfc_8785_can_write_is_written_so(value: object) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


def test_what_it_cannot_write_is_replaced() -> None:
    document = {"é": [2**60, float("inf"), 1e300, -0.0, "\ud800"]}
    assert (
        canonical_json(document)
        == '{"é":[{"integer":"1152921504606846976"},{"float":"inf"},1e+300,0,"\\\\ud800"]}'.encode()
    )
