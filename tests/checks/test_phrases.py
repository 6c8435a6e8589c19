"""When two strings hold the same words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.checks.phrases import (
    PlacedPhrase,
    padded_words,
    phrase_finder,
)
from planner.checks.utterances import Sought


def said(phrases: tuple[str, ...], text: str, *, fold: bool) -> list[str]:
    finder = phrase_finder(phrases, fold=fold)
    return [found.phrase for found in finder.find(padded_words(text, fold=fold))]


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("30 days", "Within 30 days."),
        ("30 days", "a 30-day or 30\u2011DAYS window"),
        ("30 days", "30\n\tdays"),
        ("30 days", "**30 days**"),
        ("don't know", "I don’t know"),
        ("don't know", "I don`t know"),
        ("don't know", "I don´t know"),
        ("don't know", "I don‛t know"),
        ("дон'т", "дон`т"),
        ("thirtyday", "a thirty\N{SOFT HYPHEN}day window"),
        ("fine", "It is ﬁne"),
        ("café", "cafe\u0301 au lait"),
        ("STRASSE", "die Straße"),
        ("ABC 123", "ＡＢＣ　１２３"),
        ("acme", "Acme™ support"),
        ("acme", "Acme\u00ad support"),
        ("e mail", "an e-mail"),
        ("1000 dollars", "1,000 dollars"),
        ("1,234.50", "exactly 1234.50."),
        ("at 9:30", "at 9:30, then"),
        ("3.5", "about 3.5%"),
        ("$30", "it costs $30."),
        ("100%", "I am 100% sure"),
        ("ana@acme.com", "write to Ana@acme.com!"),
        ("dr smith", "Dr. Smith is in"),
        ("返金", "返金は30日以内です"),
        ("コーヒー", "コーヒーを"),
        ("30日", "返金は30日以内です"),
        ("คืนเงิน", "ขอคืนเงินได้"),
        ("धन्यवाद", "आपका धन्यवाद।"),
        ("yes", "yes"),
    ],
)
def test_a_phrase_is_found_despite_typography(phrase: str, text: str) -> None:
    """Case, punctuation, white space, quotes, width and composition do not matter."""
    assert said((phrase,), text, fold=True) == [phrase]


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("30 days", "130 days"),
        ("30 days", "30 daysails"),
        ("30 days", "30 good days"),
        ("3", "about 3.5"),
        ("9", "at 9:30"),
        ("1000", "1,000,000"),
        ("don't", "I do not"),
        ("refund", "refunded"),
        ("ano", "el año"),
        ("$30", "30 euros"),
        ("yes", ""),
    ],
)
def test_a_phrase_is_not_found_inside_other_words(phrase: str, text: str) -> None:
    """Only whole words count, and what joins digits makes one number."""
    assert said((phrase,), text, fold=True) == []


def test_case_matters_only_when_asked() -> None:
    """`fold=False` keeps upper and lower case apart, also beyond ASCII."""
    assert said(("Éclair",), "éclair Éclair", fold=False) == ["Éclair"]
    assert said(("Éclair",), "éclair Éclair", fold=True) == ["Éclair", "Éclair"]


def test_phrases_in_one_text() -> None:
    """Each occurrence counts, the longest of overlapping phrases is reported, and phrases are no patterns."""
    assert said(("yes",), "yes, yes, yes", fold=True) == ["yes"] * 3
    assert said(("yes", "no"), "yes no yes", fold=True) == ["yes", "no", "yes"]
    assert said(("no", "no refunds"), "No refunds, no.", fold=True) == ["no refunds", "no"]
    assert said(("a+b", "$5.00 = 5"), "a+b; aab; $5.00 = 5", fold=True) == ["a+b", "$5.00 = 5"]


@given(st.text())
def test_words_are_a_fixed_point(text: str) -> None:
    """Reading the words again changes nothing, and each is between two spaces of its own."""
    words = padded_words(text, fold=True)
    assert padded_words(words, fold=True) == words
    assert words == "".join(f" {word} " for word in words.split(" ") if word)


@given(st.text(), st.text(), st.text())
def test_a_text_contains_its_own_words(before: str, phrase: str, after: str) -> None:
    """Any phrase with a word in it is found in a string that says it."""
    if padded_words(phrase, fold=True):
        assert said((phrase,), f"{before} \n {phrase} \n {after}", fold=True)


def test_characters_of_scripts_without_spaces_are_words() -> None:
    assert padded_words("我要30天 退款 ok", fold=True) == " 我  要  30  天  退  款  ok "
    assert padded_words("5\N{COMBINING GRAVE ACCENT}", fold=True) == " 5\N{COMBINING GRAVE ACCENT} "


def test_phrases_have_places_among_the_words() -> None:
    """From the first word to before the one after."""
    text = padded_words("We give, as said, thirty days.", fold=True)
    found = phrase_finder(("thirty days", "we"), fold=True).find(text)
    assert found == [PlacedPhrase("we", 0, 1), PlacedPhrase("thirty days", 4, 6)]
    sought = Sought((), "thirty|as", ignore_case=True)
    assert sought.find("We give, as said, Thirty days.") == [PlacedPhrase("as", 2, 3), PlacedPhrase("Thirty", 4, 5)]
    assert sought.find("As said") == [PlacedPhrase("As", 0, 1)]
    assert Sought(("30 days",), None, ignore_case=True, spoken=True).find("We give thirty days") == [
        PlacedPhrase("30 days", 2, 4)
    ]
    assert Sought(("30 days",), None, ignore_case=True).find("We give thirty days") == []
