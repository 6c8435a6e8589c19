"""Token ids of BERT's uncased vocabulary, as the model's own tokenizer gives them (Hugging Face `tokenizers` 0.23)."""

from __future__ import annotations

import pytest

from planner.checks.similar import token_ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("You will get a replacement.", [2017, 2097, 2131, 1037, 6110, 1012]),
        ("Café naïve — $12.50, isn't it?", [7668, 15743, 1517, 1002, 2260, 1012, 2753, 1010, 3475, 1005, 1056, 2009, 1029]),
        ("東京に行く", [1879, 1755, 1668, 1945, 1653]),
        ("", []),
        ("supercalifragilistic", [3565, 9289, 10128, 29181, 24411, 4588]),
        ("x" * 101, [100]),
        ("ΟΔΟΣ İstanbul ﬁne", [1169, 29722, 29730, 29733, 9960, 1984, 2638]),
        ("zero\u200bwidth\x07bell\ufffd", [5717, 9148, 11927, 2232, 17327]),
        ("🙂 👍🏽", [100, 100]),
        ("a_b-c/d\\e", [1037, 1035, 1038, 1011, 1039, 1013, 1040, 1032, 1041]),
    ],
)  # fmt: skip
def test_the_tokens_of_a_text(text: str, ids: list[int]) -> None:
    """Case, accents, ideographs, punctuation, characters that are dropped, and words that are in no vocabulary."""
    assert token_ids(text, 256) == [101, *ids, 102]


def test_a_long_text_is_cut() -> None:
    """Both ends are marked all the same."""
    ids = token_ids("word " * 1000, 256)
    assert (len(ids), ids[0], ids[-1]) == (256, 101, 102)
