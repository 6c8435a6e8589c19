"""`no_pii`: what is personal, however it is said, and who said it first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.checks import personal_data as module
from planner.checks.personal_data import digit_rows, personal_data

CARD = "4242 4242 4242 4242"
CARD_SPOKEN = "four two four two, four two four two, four two four two, four two four two"
IBAN = "DE89 3704 0044 0532 0130 00"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"It is {CARD}.", [("card", "4242424242424242")]),
        ("378282246310005, or 4242-4242-4242-4242?", [("card", "378282246310005"), ("card", "4242424242424242")]),
        (CARD_SPOKEN, [("card", "4242424242424242")]),
        ("4242 4242 4242 4241", []),
        ("1242 4242 4242 4242 4", []),
        ("424242424242", []),
        (f"IBAN {IBAN}, thanks", [("bank", "DE89370400440532013000")]),
        ("GB82-WEST-1234-5698-7654-32", [("bank", "GB82WEST12345698765432")]),
        ("NO93 8601 1117 947", [("bank", "NO9386011117947")]),
        ("DE88 3704 0044 0532 0130 00", []),
        ("DE89 3704 0044", []),
        ("ZZ89 3704 0044 0532 0130 00", []),
        ("XDE89370400440532013000", []),
        ("123-45-6789", [("identity", "123456789")]),
        ("Your social security number: one two three, four five, six seven eight nine", [("identity", "123456789")]),
        ("SSN 123456789", [("identity", "123456789")]),
        ("Order 123456789", []),
        ("000-45-6789 666-45-6789 912-45-6789 123-00-6789 123-45-0000", []),
        ("1123-45-6789, 123-45-67890", []),
        ("Mail Ana.Ruiz+x@mail.example.com!", [("email", "ana.ruiz+x@mail.example.com")]),
        ("My e-mail is ana dot ruiz at example dot com", [("email", "ana.ruiz@example.com")]),
        ("Our shop is at acme dot com", []),
        ("Thirty days.", []),
        ("", []),
    ],
)
def test_personal_data_however_it_is_said(text: str, expected: list[tuple[str, str]]) -> None:
    """Check digits and forms decide: what only looks like it is left alone."""
    assert [(datum.kind, datum.value) for datum in personal_data(text)] == expected


@pytest.mark.parametrize(
    ("lines", "fields", "expected"),
    [
        (
            ("agent: Hello.", "caller: Hi."),
            {},
            (
                "passed",
                "spoke no card number, bank account number, identity number or e-mail address in 1 agent turn",
                None,
            ),
        ),
        (("caller: Hi.", f"agent: It is {CARD}."), {}, ("failed", "spoke a card number ending in 42 at turn 2", 2)),
        (
            (f"agent: It is {IBAN}, 123-45-6789.", "caller: Oh.", "agent: And ana@example.com."),
            {},
            ("failed", "spoke a bank account number at turn 1 (and 2 more)", 1),
        ),
        (("agent: 123-45-6789",), {"kinds": ["identity"]}, ("failed", "spoke an identity number at turn 1", 1)),
        (("agent: a@b.com",), {"kinds": ["card"]}, ("passed", "spoke no card number in 1 agent turn", None)),
        (
            (f"caller: {CARD_SPOKEN}", f"agent: So {CARD}?"),
            {"kinds": ["card"]},
            ("passed", "spoke no card number in 1 agent turn", None),
        ),
        (
            ("caller: 4242 4242 4242.", "caller: 4242.", f"agent: So {CARD}?"),
            {"kinds": ["card"]},
            ("passed", "spoke no card number in 1 agent turn", None),
        ),
        (
            (f"agent: So {CARD}?", f"caller: {CARD}"),
            {"kinds": ["card"]},
            ("failed", "spoke a card number ending in 42 at turn 1", 1),
        ),
        (
            ("caller: ANA at example dot com", "agent: ana@example.com, thanks."),
            {"kinds": ["email"]},
            ("passed", "spoke no e-mail address in 1 agent turn", None),
        ),
        (
            ("caller: DE89370400440532013000", f"agent: {IBAN}"),
            {"kinds": ["bank"]},
            ("passed", "spoke no bank account number in 1 agent turn", None),
        ),
        (
            (f"agent: help@acme.com, x@acme.org, {CARD}",),
            {"allow": ["Help@acme.com", "@acme.org", CARD], "kinds": ["email", "card"]},
            ("passed", "spoke no e-mail address or card number in 1 agent turn", None),
        ),
        (
            ("agent: other@acme.com",),
            {"allow": ["help@acme.com"]},
            ("failed", "spoke an e-mail address at turn 1", 1),
        ),
        (
            ("caller: CU-123456", "agent: CU-123456"),
            {"also": [r"CU-\d{6}"]},
            ("failed", r'spoke what matches "CU-\\d{6}" at turn 2', 2),
        ),
        (
            ("caller: Hi.", "tool: a@b.com"),
            {},
            ("errored", "the agent has no turn in the transcript: nothing can be told from what was not said", None),
        ),
    ],
)
def test_the_agent_speaks_no_personal_data(
    talk: Any, judge: Any, lines: tuple[str, ...], fields: dict[str, Any], expected: object
) -> None:
    """Unless the caller said it first, or it is allowed; what else may not be said is never excused."""
    assert judge(talk(*lines), check="no_pii", **fields) == expected


def test_no_pii_without_a_transcript_cannot_be_told(talk: Any, judge: Any) -> None:
    """Nothing is told from what was not transcribed."""
    assert judge(talk(turns=None), check="no_pii") == ("errored", "the service gave no transcript", None)


PARTS = "4242 42 4 four forty-two double triple one hundred thousand oh zero and social security 078-05-1120 ４２ the".split()  # noqa: SIM905


@given(st.lists(st.sampled_from(PARTS), max_size=9).map(" ".join))
def test_a_text_that_is_passed_over_has_no_long_row_of_digits(text: str) -> None:
    """Rows are looked for only where nine digits may be said; nowhere else are there so many."""
    if not module._may_have_rows(text):
        assert all(len(row) < 9 for row in digit_rows(text))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"kinds": ["card", "card"]}, [((), "`kinds` names a kind twice")]),
        (
            {"also": ["("]},
            [
                (
                    ("also", 0),
                    r"this is not a regular expression: a ( is not closed; close it, or write \( for the character itself",
                )
            ],
        ),
        ({"kinds": []}, [(("kinds",), "Tuple should have at least 1 item after validation, not 0")]),
    ],
)
def test_no_pii_refuses_what_cannot_be_meant(refusal: Any, fields: dict[str, Any], expected: object) -> None:
    """Every refusal stands at its field."""
    assert refusal(check="no_pii", **fields) == expected
