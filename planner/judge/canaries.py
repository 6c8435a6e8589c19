"""Canaries: fixed transcripts that the model is asked about in every session, to notice that it answers otherwise.

A model may change behind the name under which its endpoint answers. Some answers differ from session to session even if
it did not; how many do is learned from earlier sessions. More differences than that explain are a change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from math import exp, lgamma
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from planner.values import frozen

LEVEL: Final = 0.01
"""Highest probability of so many different answers by chance at which the model counts as changed."""
_DIFFERENT: Final = 1.0
_EQUAL: Final = 19.0
"""What is assumed before anything was compared: 1 of 20 answers differs (a beta distribution)."""

LoadRecord = Callable[[str, int], "bytes | None"]


class CanaryRecord(BaseModel):
    """The answers to canaries of one session, and of the earlier ones by the same model. Stored like a vote."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    schema_version: str = Field(default="1.0", pattern=r"^[0-9]{1,6}(\.[0-9]+)*$")
    key: str = Field(pattern="^[0-9a-f]{64}$")
    number: int = Field(ge=1)
    edition: str = Field(description="The model that gave the answers.")
    answers: dict[str, dict[str, int]] = Field(description="How often each answer was given, by canary.")
    compared: int = Field(default=0, ge=0, description="Answers compared with earlier ones of this model.")
    different: int = Field(default=0, ge=0, description="Those of them that differed.")


@frozen
class CanaryComparison:
    """Answers of this session compared with earlier ones. `compared` is 0 if there are none by this model."""

    asked: int
    compared: int
    different: int
    p_value: float

    @property
    def has_drifted(self) -> bool:
        return self.compared > 0 and self.p_value <= LEVEL


def records_key(endpoint: str, model: str) -> str:
    return sha256(to_json(["canaries", endpoint, model])).hexdigest()


def newest_record(load: LoadRecord, key: str) -> CanaryRecord | None:
    """The newest record; None if there is none. There is one for each session, so it reads only some of them."""
    number, step, newest, is_growing = 0, 1, None, True
    while step:
        data = load(key, number + step)
        if data is None:
            is_growing = False
        else:
            number, newest = number + step, data
        step = step * 2 if is_growing else step // 2
    return None if newest is None else _read(newest, key, number)


def _read(data: bytes, key: str, number: int) -> CanaryRecord:
    """One of no model if it cannot be read: then there is nothing to compare with."""
    try:
        return CanaryRecord.model_validate_json(data)
    except ValidationError:
        return CanaryRecord(key=key, number=number, edition="\0unreadable", answers={})


def compare(before: CanaryRecord | None, answers: Mapping[str, str], edition: str) -> CanaryComparison:
    """Compare answers, by canary, with the most frequent ones of earlier sessions by the same model."""
    if before is None or before.edition != edition:
        return CanaryComparison(len(answers), 0, 0, 1.0)
    known = {name: _usual(before.answers[name]) for name in answers if before.answers.get(name)}
    different = sum(answers[name] != usual for name, usual in known.items())
    equal = before.compared - before.different
    p_value = _chance_of(different, len(known), before.different + _DIFFERENT, equal + _EQUAL)
    return CanaryComparison(len(answers), len(known), different, p_value)


def next_record(
    key: str, before: CanaryRecord | None, answers: Mapping[str, str], edition: str, found: CanaryComparison
) -> CanaryRecord:
    """The record of this session. A model that is new, or has changed, gets a new record."""
    number = 1 if before is None else before.number + 1
    given = {name: {answer: 1} for name, answer in answers.items()}
    if before is None or before.edition != edition:
        return CanaryRecord(key=key, number=number, edition=edition, answers=given)
    for name, counts in before.answers.items():
        mine = given.setdefault(name, {})
        for answer, times in counts.items():
            mine[answer] = mine.get(answer, 0) + times
    return CanaryRecord(
        key=key,
        number=number,
        edition=edition,
        answers=given,
        compared=before.compared + found.compared,
        different=before.different + found.different,
    )


def _usual(counts: Mapping[str, int]) -> str:
    """The most frequent answer; of equally frequent ones, the first by name."""
    return min(counts, key=lambda answer: (-counts[answer], answer))


def _chance_of(least: int, total: int, different: float, equal: float) -> float:
    """The probability of at least so many of `total` different answers, if their rate has this beta distribution."""
    return min(1.0, sum(_chance(number, total, different, equal) for number in range(least, total + 1)))


def _chance(number: int, total: int, different: float, equal: float) -> float:
    """Beta-binomial."""
    ways = lgamma(total + 1) - lgamma(number + 1) - lgamma(total - number + 1)
    return exp(ways + _log_beta(number + different, total - number + equal) - _log_beta(different, equal))


def _log_beta(one: float, other: float) -> float:
    return lgamma(one) + lgamma(other) - lgamma(one + other)
