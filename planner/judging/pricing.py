"""Prices of judge calls in millionths of a cent, as integers, since one costs less than a cent."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

from planner.changes.votes import MICROCENTS
from planner.judging.endpoint import Completion
from planner.planfile.model import JudgePrice

INSTRUCTION_BYTES: Final = 2_700
"""Approximate size of a prompt without rubric and transcript."""

_BYTES_A_TOKEN: Final = 4
_FRAME_TOKENS: Final = 300
"""Tokens that an endpoint may add, including the schema of the answer."""
_TYPICAL_ANSWER_TOKENS: Final = 250


@dataclass(frozen=True, slots=True)
class Pricing:
    price: JudgePrice
    max_output_tokens: int

    def reserve(self, size_bytes: int) -> int:
        """The highest possible cost of a request with a prompt of this size: a token has at least one byte."""
        return self._cost(size_bytes + _FRAME_TOKENS, self.max_output_tokens)

    def expected(self, size_bytes: int) -> int:
        return self._cost(
            size_bytes // _BYTES_A_TOKEN + _FRAME_TOKENS, min(_TYPICAL_ANSWER_TOKENS, self.max_output_tokens)
        )

    def billed(self, completion: Completion) -> int | None:
        """The cost of an answer; None if it depends on tokens that were not reported."""
        price = self.price
        if price.per_million_read or price.per_million_written:
            if completion.read_tokens is None or completion.written_tokens is None:
                return None
            return self._cost(completion.read_tokens, completion.written_tokens)
        return self._cost(0, 0)

    def _cost(self, read_tokens: int, written_tokens: int) -> int:
        price = self.price
        # Cents per million tokens are millionths of a cent per token.
        by_length = price.per_million_read * read_tokens + price.per_million_written * written_tokens
        return ceil(price.per_vote * MICROCENTS + by_length)
