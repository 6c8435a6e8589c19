"""Shards: what is dealt out, and what part of each ceiling."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.changes.model import Estimate, Share
from planner.changes.shards import Shard, dealt, shard_written

IDS = st.lists(st.text(min_size=1, max_size=12), unique=True, max_size=40)


@given(IDS, st.integers(1, 12), st.randoms(use_true_random=False))
def test_shards_are_disjoint_complete_and_even(case_ids: list[str], of: int, random: Random) -> None:
    """Every case is in exactly one shard, whatever the order they came in, and no shard has two cases more than another."""
    shuffled = sorted(case_ids, key=lambda _: random.random())
    shards = [dealt(shuffled, Shard(number, of)) for number in range(1, of + 1)]
    assert sorted(case_id for shard in shards for case_id in shard) == sorted(case_ids)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    assert shards == [dealt(case_ids, Shard(number, of)) for number in range(1, of + 1)]


@given(st.integers(0, 10_000), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6))
def test_parts_of_a_ceiling_stay_under_it(cents: int, shards: list[tuple[int, int]]) -> None:
    """All shards together may spend no more than the ceiling, of one plan or of all."""
    whole = {"p": sum(p for p, _ in shards), "q": sum(q for _, q in shards)}
    unknown = Estimate(0, None, None, None, "")
    parts = [Share(n, len(shards), "", unknown, {}, {"p": p, "q": q}, whole) for n, (p, q) in enumerate(shards, 1)]
    if sum(whole.values()):
        assert sum(share.part_of(cents) for share in parts) <= cents
    if whole["p"]:
        assert sum(share.part_of(cents, "p") for share in parts) <= cents
    assert all(share.part_of(cents, "r") == cents for share in parts), "nothing is called there"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2", "'2' is no shard; the second of four is written 2/4"),
        ("a/b", "'a/b' is no shard; the second of four is written 2/4"),
        ("0/3", "there is no shard 0/3: shards are numbered from 1, and there are at most 1,000"),
        ("4/3", "there is no shard 4/3: shards are numbered from 1, and there are at most 1,000"),
        ("1/1001", "there is no shard 1/1001: shards are numbered from 1, and there are at most 1,000"),
    ],
)
def test_shards_mistyped(written: str, said: str) -> None:
    """What is no shard is refused, with what would be one."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its words are compared
        shard_written(written)
    assert str(caught.value) == said
    assert shard_written(" 2/4 ") == Shard(2, 4)
