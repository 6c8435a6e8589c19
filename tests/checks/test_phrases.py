"""When two texts hold the same words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.checks import phrases
from planner.checks.phrases import (
    PlacedPhrase,
    normalized,
    overlap,
    padded_words,
    phrase_finder,
    searchable,
    words_with_places,
)


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


def test_repeated_words_count_each_time() -> None:
    """Neighbouring occurrences share no boundary, so none is swallowed."""
    assert said(("yes",), "yes, yes, yes", fold=True) == ["yes"] * 3
    assert said(("yes", "no"), "yes no yes", fold=True) == ["yes", "no", "yes"]


def test_the_longer_of_two_overlapping_phrases_is_reported() -> None:
    """The message names what was said as fully as the plan does."""
    assert said(("no", "no refunds"), "No refunds, no.", fold=True) == ["no refunds", "no"]


def test_a_phrase_with_regular_expression_characters_is_literal() -> None:
    """Phrases are no patterns, however they are spelled."""
    assert said(("a+b", "$5.00 = 5"), "a+b; aab; $5.00 = 5", fold=True) == ["a+b", "$5.00 = 5"]


def test_the_place_of_a_phrase() -> None:
    """By words, from its first to before the one behind its last."""
    found = phrase_finder(("you go", "then"), fold=True).find(padded_words("There you go, then.", fold=True))
    assert found == [PlacedPhrase("you go", 1, 3), PlacedPhrase("then", 3, 4)]


@given(st.text())
def test_words_are_a_fixed_point(text: str) -> None:
    """Reading the words again changes nothing, and each is between two spaces of its own."""
    words = padded_words(text, fold=True)
    assert padded_words(words, fold=True) == words
    assert words == "".join(f" {word} " for word in words.split(" ") if word)


@given(st.text(), st.text(), st.text())
def test_a_text_contains_its_own_words(before: str, phrase: str, after: str) -> None:
    """Any phrase with a word in it is found in a text that says it."""
    if padded_words(phrase, fold=True):
        assert said((phrase,), f"{before} \n {phrase} \n {after}", fold=True)


def test_latin_words_are_the_same_with_either_engine() -> None:
    """The faster engine reads each character that it may meet as the other one does."""
    for character in map(chr, range(0x300)):
        text = normalized(f"a{character}1", fold=False)
        words = [found.group() for found in phrases._any_word().finditer(text)]
        assert [word for word, _, _ in words_with_places(text)] == words, ascii(character)


def test_overlap_is_the_share_of_the_phrases_words() -> None:
    """One of two words is half, in any order."""
    assert overlap("thirty days", "fourteen Days") == 0.5
    assert overlap("days thirty", "thirty days") == 1.0
    assert overlap("refund", "no") == 0.0


def test_regular_expressions_see_plain_quotes_and_single_spaces() -> None:
    """What people type in a pattern is what they see in a transcript."""
    assert searchable(" I don’t\n “know”  cafe\u0301 ") == 'I don\'t "know" café'
