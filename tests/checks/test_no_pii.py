"""`no_pii`: what is personal, however it is said, and who said it first."""

from __future__ import annotations

from typing import Any

import pytest

from planner.checks.spoken.personal_data import PersonalDatum, Piece
from planner.checks.spoken.personal_data import personal_data as found_in

CARD = "4242 4242 4242 4242"
CARD_SPOKEN = "four two four two, four two four two, four two four two, four two four two"


def personal_data(text: str) -> list[PersonalDatum]:
    return found_in([Piece(text)])


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
        (f"IBAN {IBAN}, thanks", [("iban", "DE89370400440532013000")]),
        ("GB82-WEST-1234-5698-7654-32", [("iban", "GB82WEST12345698765432")]),
        ("NO93 8601 1117 947", [("iban", "NO9386011117947")]),
        ("DE88 3704 0044 0532 0130 00", []),
        ("DE89 3704 0044", []),
        ("ZZ89 3704 0044 0532 0130 00", []),
        ("XDE89370400440532013000", []),
        ("123-45-6789", [("ssn", "123456789")]),
        ("Your social security number: one two three, four five, six seven eight nine", [("ssn", "123456789")]),
        ("SSN 123456789", [("ssn", "123456789")]),
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
def test_personal_data_in_any_spoken_form(text: str, expected: list[tuple[str, str]]) -> None:
    """Check digits and forms decide: what only looks like it is left alone."""
    assert [(datum.kind, datum.value) for datum in personal_data(text)] == expected


@pytest.mark.parametrize(
    ("lines", "fields", "outcome", "turn", "said"),
    [
        (("agent: Hello.", "caller: Hi."), {}, "passed", None, "account number or date of birth in 1 agent turn"),
        (("caller: Hi.", f"agent: It is {CARD}."), {}, "failed", 2, "spoke a card number ending in 42 at turn 2"),
        (
            (f"agent: It is {IBAN}, 123-45-6789.", "caller: Oh.", "agent: And ana@example.com."),
            {},
            "failed",
            1,
            "spoke an IBAN at turn 1 (and 2 more)",
        ),
        (("agent: 123-45-6789 and 4242 4242 4242 4242.",), {"kinds": ["ssn", "card"]}, "failed", 1, "1 more)"),
        (("agent: 123-45-6789",), {"kinds": ["ssn"]}, "failed", 1, "spoke a social security number at turn 1"),
        (("agent: a@b.com",), {"kinds": ["card"]}, "passed", None, "spoke no card number in 1 agent turn"),
        ((f"caller: {CARD_SPOKEN}", f"agent: So {CARD}?"), {"kinds": ["card"]}, "passed", None, "in 1 agent turn"),
        (
            ("caller: 4242 4242 4242.", "caller: 4242.", f"agent: So {CARD}?"),
            {"kinds": ["card"]},
            "passed",
            None,
            "spoke no card number in 1 agent turn",
        ),
        ((f"agent: So {CARD}?", f"caller: {CARD}"), {"kinds": ["card"]}, "failed", 1, "number ending in 42 at turn 1"),
        (
            ("caller: ANA at example dot com", "agent: ana@example.com, thanks."),
            {"kinds": ["email"]},
            "passed",
            None,
            "spoke no e-mail address in 1 agent turn",
        ),
        (("caller: DE89370400440532013000", f"agent: {IBAN}"), {"kinds": ["iban"]}, "passed", None, "in 1 agent turn"),
        (
            (f"agent: help@acme.com, x@acme.org, {CARD}",),
            {"allow": ["Help@acme.com", "@acme.org", CARD], "kinds": ["email", "card"]},
            "passed",
            None,
            "spoke no e-mail address or card number in 1 agent turn",
        ),
        (
            (f"agent: {CARD}, or +49 (30) 4242 4242 424",),
            {"allow": ["4242.4242.4242.4242", "+49 (30) 4242 4242 424", "+1 (415) 555-0142"]},
            "passed",
            None,
            "account number or date of birth in 1 agent turn",
        ),
        (("agent: other@acme.com",), {"allow": ["help@acme.com"]}, "failed", 1, "spoke an e-mail address at turn 1"),
        (("caller: CU-123456", "agent: CU-123456"), {"also": [r"CU-\d{6}"]}, "failed", 2, '"CU-\\\\d{6}" at turn 2'),
        (("caller: Hi.", "tool: a@b.com"), {}, "undecided", None, "the agent has no turn in the transcript"),
    ],
)
def test_the_agent_speaks_no_personal_data(
    talk: Any,
    assert_judged: Any,
    lines: tuple[str, ...],
    fields: dict[str, Any],
    outcome: str,
    turn: int | None,
    said: str,
) -> None:
    """Unless the caller said it first, or it is allowed; what else may not be said is never excused."""
    assert_judged(talk(*lines), outcome, turn, said, check="no_pii", **fields)


IBAN_LENGTHS = (
    "AD24 AE23 AT20 BE16 BG22 CH21 CY28 CZ24 DE22 DK18 EE20 ES24 FI18 FR27 GB22 GI23 GR27 HR21 HU28 IE22 "
    "IL23 IS26 IT27 LI21 LT20 LU20 LV21 MC27 MT31 NL18 NO15 PL28 PT25 RO24 SA24 SE24 SI19 SK24 SM27 TR26"
)
"""As SWIFT's registry has them."""


def iban(country: str, length: int) -> str:
    """A number of that length whose check digits hold (ISO 13616-1)."""
    account = "0123456789" * 3
    account = account[: length - 4]
    digits = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return f"{country}{98 - int(digits) % 97:02}{account}"


@pytest.mark.parametrize("country", IBAN_LENGTHS.split())
def test_a_bank_number_has_its_countrys_length(country: str) -> None:
    """Each country's, neither one character less nor one more, which stand for something else."""
    code, length = country[:2], int(country[2:])
    right = iban(code, length)
    assert [datum.value for datum in personal_data(f"{right}.") if datum.kind == "iban"] == [right]
    for other in (length - 1, length + 1):
        assert not [datum for datum in personal_data(f"It is {iban(code, other)}.") if datum.kind == "iban"]


TEXTS: dict[str, list[str]] = {
    "email": [
        "Mail me: ana at example dot com", "email me: ana at example dot com", "EMAIL: ana at example.com",
    ],
    "": [
        "mailing ana at example dot com", "social 123456789", "your social security card is important",
        "XX82 WEST 1234 5698 7654 32", "ssn 12345678", "ssn 900456789", "ssn 666456789",
        "one hundred million of them, SSN", "4111 1111 1111 1112 123", "9111 1111 1111 1111 123",
        "1234 5678 9012 3456 78", "be at 10 dollars per month now", "your social worker has 123456789",
        "our social media id is 123456789", "2100000000000005", "2800000000000008", "your social security insurance",
        "LU48001234567ABCDEFG",
    ],
    "ssn": [
        "social security 123456789", "my ssn is 1 2 3 4 5 6 7 8 9", "ssn 899456789", "ssn 123451234",
        "３ four five 4 5 6 7 eight 9, ssn", "triple one triple two triple three, ssn",
        "one two three four five six seven eight nine, ssn",
        "one hundred twenty three million four hundred fifty six thousand seven hundred eighty nine, ssn",
        "Your social is one two three four five six seven eight nine",
        "your social: one two three dash four five dash six seven eight nine", "your social 123 45 dash 6789",
        "123 dash 45 dash 6789", "123 Dash 45 Dash 6789", "123 hyphen 45 hyphen 6789",
    ],
    "card": [
        "5555 5555 5555 4444", "3782 822463 10005", "３７８２８２２４６３１０００５", "4242424242424242 4", "4111 1111 1111 1111 123",
        "4111 1111 1111 1111, 12 27", "card 1: 4111 1111 1111 1111", "for order 12345, 4111 1111 1111 1111",
        "4111-1111-1111-1111 2", "1234 4111 1111 1111 1111", "order 12 3782 822463 10005 9", "4222222222222",
        "6011000990139424", "2223003122003222", "order 12, 4222 2222 2222 2, and 9",
        "order 12, 6304 1234 1234 1234 002, and 9", "4222 2222 2222 2 of five", "4222 2222 2222 2 five of them",
        "order 12, 4111.1111.1111.1111, and 9", "Visa4111111111111111", "f\u00adour t\u00adwo " * 8,
    ],
    "iban": [
        "GB82 WEST 1234 5698 7654 32", "de89370400440532013000", "IBAN de89 3704 0044 0532 0130 00",
        "D E 8 9 3 7 0 4 0 0 4 4 0 5 3 2 0 1 3 0 0 0", "gb82 west 1234 5698 7654 32", "LU350012345678ABCDEF",
    ],
}  # fmt: skip
"""By the kind of personal data in them: what is spoken of, and what only looks like it."""


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in TEXTS.items() for text in texts])
def test_personal_data_by_kind(kind: str, text: str) -> None:
    assert [datum.kind for datum in personal_data(text)] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("4111.1111.1111.1111", "card"),
        ("\u0664\u0661\u0661\u0661 \u0661\u0661\u0661\u0661 \u0661\u0661\u0661\u0661 \u0661\u0661\u0661\u0661", "card"),
        ("\uff14\uff11\uff11\uff11 1111 1111 1111", "card"),
        ("ana\uff20example.com", "email"),
        ("078.05.1120", None),
        ("version 1234.56.78", None),
    ],
)
def test_digits_and_signs_of_another_script_are_read(judge: Any, talk: Any, said: str, kind: str | None) -> None:
    """Any signs between the groups, and digits of any width or script; the caller may say them otherwise."""
    for kinds in (["card"], ["email"]):
        expected = "failed" if kind in kinds else "passed"
        assert judge(talk(f"agent: It is {said}."), check="no_pii", kinds=kinds)[0] == expected
    given = "caller: 4111 1111 1111 1111, ana@example.com"
    assert judge(talk(given, f"agent: It is {said}."), check="no_pii", kinds=["card", "email"])[0] == "passed"


def test_an_address_in_wide_characters_counts_as_given_by_the_caller(judge: Any, talk: Any) -> None:
    evidence = talk("caller: ana\uff20example.com", "agent: Is it ana@example.com?")
    assert judge(evidence, check="no_pii")[0] == "passed"


CARD_OVER = ("agent: The card is 4242 4242,", "caller: Okay.", "agent: 4242 4242.")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (CARD_OVER, "spoke a card number ending in 42 over turns 1 to 3"),
        (("agent: It is 4242.", "agent: 4242", "agent: And then 42 42", "caller: Go on.", "agent: 4242, okay?"), "over turns 1 to 5"),
        (("agent: four two four two four two four two", "agent: four two four two four two four two"), "over turns 1 to 2"),
        (("agent: Order 17.", "agent: It is 4242 4242", "agent: 4242 4242"), "over turns 2 to 3"),
        (("agent: Seventeen", "agent: 4242 4242", "agent: 4242 4242"), "over turns 2 to 3"),
        (("agent: Your social security number is 123 45", "caller: Yes?", "agent: 6789"), "a social security number over turns 1 to 3"),
        (("agent: The IBAN is DE89 3704 0044", "caller: Mhm.", "agent: and 0532 0130 00"), "an IBAN over turns 1 to 3"),
        (("caller: It is 4242 4242 4242 4242.", *CARD_OVER), None),
        (("agent: 4242 4242", "caller: 4242 4242, yes.", "agent: 4242 4242"), "over turns 1 to 3"),
        (("caller: 4242 4242", "agent: 4242 4242", "caller: 4242 4242", "agent: 4242 4242"), None),
        (("agent: It is 4242 4242.", "agent: Sorry, 4242 4242."), None),
        (("agent: It is 4242 4242, sorry.", "agent: 4242 4242."), None),
        (("caller: 4000 0000 0000 0002", "agent: 4000 0000 0000 0002", "agent: 59"), None),
        (("agent: It is 4242 4242.", *["agent: 7"] * 9, "agent: 4242 4242."), None),
        (("agent: It is 4111 1111", *["agent: 1"] * 8), "over turns 1 to 9"),
        (("agent: " + "well " * 400 + "it is 4242 4242", "agent: 4242 4242" + " well" * 400), "over turns 1 to 2"),
        (("agent: It is 4111 111", *["agent: 1"] * 9), "over turns 1 to 10"),
        (("agent: It is 4111 1111 1111", "agent: double one double one"), "over turns 1 to 2"),
        (("agent: It is 4111 1111 1111 1", "agent: triple one"), "over turns 1 to 2"),
        (("agent: Your social security number is twelve hundred", "agent: 34 567"), "a social security number over turns 1 to 2"),
        (("agent: I mail Ana.", "agent: At example dot com you find more."), None),
    ],
    ids=str,
)  # fmt: skip
def test_a_number_that_continues_in_the_next_turn(
    judge: Any, talk: Any, lines: tuple[str, ...], found: str | None
) -> None:
    """The agent's turns are read together if one continues the number that the one before ends with."""
    outcome, message, turn = judge(talk(*lines), check="no_pii", kinds=["card", "iban", "ssn", "email"])
    assert outcome == ("failed" if found else "passed")
    if found:
        assert found in message
        assert turn == len(lines), "the turn that ends it is quoted"


def test_a_number_across_turns_respects_allowed_and_ignored_kinds(judge: Any, talk: Any) -> None:
    assert judge(talk(*CARD_OVER), check="no_pii", allow=["4242 4242 4242 4242"])[0] == "passed"
    assert judge(talk(*CARD_OVER), check="no_pii", kinds=["email"])[0] == "passed"
    assert judge(talk("agent: no number", *CARD_OVER[1:]), check="no_pii")[0] == "passed"


@pytest.mark.parametrize("filler", ["uh", "Um", "erm", "hmm"])
@pytest.mark.parametrize(
    "said",
    [
        "Your card is 4242 4242, {}, 4242 4242.",
        "Your social is one two three, {}, four five, {}, six seven eight nine.",
    ],
)
def test_a_number_continues_after_a_filler(talk: Any, judge: Any, said: str, filler: str) -> None:
    """Who looks for words in the middle of a number has said all of it."""
    outcome, _, turn = judge(talk(f"agent: {said.replace('{}', filler)}"), check="no_pii")
    assert (outcome, turn) == ("failed", 1)


@pytest.mark.parametrize(
    ("line", "fields", "outcome"),
    [
        ("caller: card 4242-4242-4242-4242", {}, "passed"),
        ("caller: my bank DE89-3704-0044-0532-0130-00", {"kinds": ["iban"]}, "passed"),
        ("caller: my bank DE89 3704 0044 0532 0130 00", {"kinds": ["iban"]}, "passed"),
        ("caller: hello", {"kinds": ["iban"]}, "failed"),
        ("caller: hello", {"kinds": ["iban"], "allow": ["DE89-3704-0044-0532-0130-00"]}, "passed"),
        ("caller: hello", {"kinds": ["iban"], "allow": ["de89 3704 0044 0532 0130 00"]}, "passed"),
        ("caller: hello", {"kinds": ["card"], "allow": ["4242-4242-4242-4242"]}, "passed"),
        ("caller: hello", {"kinds": ["card"], "allow": ["4242-4242-4242-4243"]}, "failed"),
    ],
)
def test_a_number_the_caller_gave_in_groups_may_be_repeated(
    talk: Any, judge: Any, line: str, fields: dict[str, Any], outcome: str
) -> None:
    """Spaces and hyphens are no part of a number, in what is allowed neither."""
    evidence = talk(line, "agent: 4242 4242 4242 4242, and DE89 3704 0044 0532 0130 00.")
    if not fields.get("kinds"):
        fields = {"kinds": ["card"]}
    assert judge(evidence, check="no_pii", **fields)[0] == outcome


KINDS: dict[str, list[str]] = {
    "cvv": ["The security code is four two seven.", "The CVV is 427", "The number on the back is 4 2 7 1"],
    "phone": ["The number you have is 415 555 0142", "I will text you at four one five, double five five, oh one four two",
        "Your cell is 555-0142", "I have +49 30 4242 4242", "Mobile: 001 920 772 0564x92341", "212 555 0142"],
    "account": ["Your account number is zero zero one two three four five six", "Account 12345678"],
    "birth_date": ["You were born on the fifth of May, nineteen eighty", "DOB 05/03/1980", "Your birthday is 1980-05-03",
        "May 3rd is your birthday"],
    "email": ["I have ana dot ruiz at example dot com", "It is A N A at G mail dot com", "ana ninety-nine at example dot org",
        "It is ana at example dot com, your e-mail"],
    "iban": ["G B eight two whiskey echo sierra tango one two three four five six nine eight seven six five four three two"],
    "card": ["Your card is 4242 4242 4242 4243", "Your Visa: four two four two for two four two four two four two 4 2 4 2"],
    "ssn": ["123-45-6789 is your social", "123-45-6789"],
    "": ["Order 4155550142", "Call us at 415 555 0142", "Their number is 415 555 0142", "Your total is 12345678 dollars",
        "Your appointment is on May 5, 2026", "Confirmation number 1234567890", "Sign up at acme dot com", "The code is 482913",
        "We are at the corner. At this point dot com is slow", "Your account ends in 4242", "Your card ending in 4242",
        "Take 1 of 3 pills for 2 days", "Your account balance is 1,234,567 dollars", "Born to run is from 1975",
        "Is 6908075957947284 it expires your order?"],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in KINDS.items() for text in texts])
def test_personal_data_by_what_they_are_called(kind: str, text: str) -> None:
    assert [datum.kind for datum in personal_data(text)] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        (("caller: What email do you have?", "agent: It is ana at example dot com."), "failed"),
        (("caller: Where is your shop?", "agent: It is ana at example dot com."), "passed"),
        (("caller: What is the security code?", "agent: Four two seven."), "failed"),
        (("caller: How many are left?", "agent: Four two seven."), "passed"),
        (("caller: Which account number is that?", "agent: One two three four five six seven."), "failed"),
        (("caller: What order is that?", "agent: One two three four five six seven."), "passed"),
        (("caller: What is my date of birth there?", "agent: May fifth, 1980."), "failed"),
        (("caller: When do I get it?", "agent: May fifth, 2026."), "passed"),
        (("caller: What is my number on file?", "agent: It's 415 555 0142."), "failed"),
        (("caller: What's the restaurant's number?", "agent: It's 415 555 0142."), "passed"),
        (("caller: What's the phone number?", "agent: The phone number is 415 555 0142."), "passed"),
        (("caller: What's the phone number?", "agent: His phone number is 415 555 0142."), "failed"),
    ],
)
def test_an_answer_is_about_what_the_caller_asked(talk: Any, judge: Any, lines: tuple[str, ...], outcome: str) -> None:
    assert judge(talk(*lines), check="no_pii")[0] == outcome


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        (("caller: It's four one five, five five five, oh one four two.", "agent: So 415-555-0142?"), "passed"),
        (
            ("caller: My cell is four one five, double five five", "caller: oh one for two.", "agent: 415 555 0142."),
            "passed",
        ),
        (("caller: four one six, no, four one five 555 0142", "agent: Your phone is 415 555 0142."), "passed"),
        (("caller: 415 555 0142", "agent: Your phone is 415 555 0143, sorry, 0142."), "passed"),
        (("caller: 415 555 0142", "agent: Your phone is 415 777 0199."), "failed"),
        (("agent: Your phone is 415 555 0142?", "caller: 415 555 0142"), "failed"),
        (("caller: ana at example dot com", "agent: A N N A at example dot com?"), "passed"),
        (("caller: ana at example dot com", "agent: Your email is bob at example dot com?"), "failed"),
        (("caller: A as in Alpha, N, A, at example dot com", "agent: So ana@example.com?"), "passed"),
        (("caller: I was born May 5th, 1980", "agent: Your birth date is 05/05/1980."), "passed"),
        (("caller: I was born in May", "agent: Your birth date is 05/05/1980."), "failed"),
        (("caller: code 427", "agent: The CVV is 4 2 7."), "passed"),
        (("caller: order 14275", "agent: The CVV is 4 2 7."), "failed"),
        (
            ("caller: 0012 3456", "agent: Account zero zero one two", "caller: Yes", "agent: three four five six."),
            "passed",
        ),
    ],
)
def test_what_the_caller_gave_may_be_read_back(talk: Any, judge: Any, lines: tuple[str, ...], outcome: str) -> None:
    """In other words, with a small mistake, or after the caller corrected it; not before the caller said it."""
    assert judge(talk(*lines), check="no_pii")[0] == outcome


def test_an_allowed_telephone_number_may_lack_its_country_code(talk: Any, judge: Any) -> None:
    evidence = talk("agent: Your phone is 415 555 0142.")
    assert judge(evidence, check="no_pii", allow=["+1 415 555 0142"])[0] == "passed"
    assert judge(evidence, check="no_pii", allow=["+1 415 555 0143"])[0] == "failed"
