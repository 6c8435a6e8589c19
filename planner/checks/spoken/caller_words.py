"""What the caller of a call said so far, in the forms in which personal data are compared."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from planner.checks.edits import fewest_edits
from planner.checks.phrases import padded_words, words_in
from planner.checks.spoken.agent_words import dates_in, digit_rows, squeezed
from planner.checks.spoken.personal_data import PersonalDatum, Piece
from planner.evidence import Role, Turn

_SHORT: Final = 4
"""Digits that the caller must have said as one number: they are part of many."""
_LEAST_NEAR: Final = 7
_LATEST: Final = 600
"""Characters among which mistakes are looked for."""
_MOST_COMPARED: Final = 100
"""Data in which mistakes are looked for: it takes time."""
_LONGEST_QUESTION: Final = 300
"""Characters at the end of what the caller said."""


class CallerWords:
    """By turn: `before(turn)` are the caller's words until then."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        caller = [turn for turn in turns if turn.role is Role.CALLER]
        self._numbers = [turn.number for turn in caller]
        self._rows = [digit_rows(turn.text) for turn in caller]
        self._characters = [squeezed(turn.text) for turn in caller]
        self._dates = [dates_in(turn.text) for turn in caller]
        self._before = _last_words(turns)
        self._compared = 0

    def piece(self, turn: Turn) -> Piece:
        """An agent's turn with what the caller said before it."""
        words = self._before.get(turn.number, "")[-_LONGEST_QUESTION:]
        return Piece(turn.text, padded_words(words, fold=True).replace("  ", " ").strip(), words_in(words))

    def has(self, datum: PersonalDatum, turn: Turn) -> bool:
        """Whether the caller said it before that turn, perhaps over several turns. The agent may have misheard a
        little of it, or the caller may have corrected it."""
        said = bisect_left(self._numbers, turn.number)
        if datum.kind == "birth_date":
            return any(
                date.startswith(datum.value) or datum.value.startswith(date)
                for each in self._dates[:said]
                for date in each
            )
        if datum.value.isdigit():
            rows = [row for each in self._rows[:said] for row in each]
            if len(datum.value) <= _SHORT:
                return datum.value in rows
            return self._is_within(datum.value, "".join(rows))
        value = "".join(character for character in datum.value.lower() if character.isalnum())
        return self._is_within(value, "".join(self._characters[:said]))

    def _is_within(self, value: str, text: str) -> bool:
        """Whether a string has this value, or lately one with few differences: one, or one in six characters."""
        if value in text or len(value) < _LEAST_NEAR or self._compared >= _MOST_COMPARED:
            return value in text
        self._compared += 1
        return fewest_edits(value, text[-_LATEST:]) <= max(1, len(value) // 6)


def _last_words(turns: Sequence[Turn]) -> dict[int, str]:
    """By the number of each agent's turn, what the caller said since the agent's turn before."""
    found: dict[int, str] = {}
    words: list[str] = []
    for turn in turns:
        if turn.role is Role.CALLER:
            words.append(turn.text)
        elif turn.role is Role.AGENT and turn.text.strip():
            found[turn.number] = " ".join(words)
            words = []
    return found
