"""One change set carried out by several machines: which of them does what, and what part of each ceiling is its own.

The cases are dealt out in the order of a digest of their ids: evenly, and the same on every machine that sees the same plans and
the same baseline. The shards' change sets are disjoint, and together the whole one, whose digest each of them carries.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from planner.changes.digest import change_set_digest
from planner.changes.model import Action, Change, Estimate, Share

MOST_SHARDS: Final = 1000
_WRITTEN: Final = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")


@dataclass(frozen=True, slots=True)
class Shard:
    """Number `number`, from 1, of `of`."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def shard_written(text: str) -> Shard:
    """`2/4`. Raises `ValueError` that says what is wrong."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no shard; the second of four is written 2/4")
    shard = Shard(int(found[1]), int(found[2]))
    if not 1 <= shard.number <= shard.of <= MOST_SHARDS:
        raise ValueError(
            f"there is no shard {shard}: shards are numbered from 1, and there are at most {MOST_SHARDS:,}"
        )
    return shard


def dealt(case_ids: Iterable[str], shard: Shard) -> set[str]:
    """The cases of one shard. Whatever the order they are given in, each goes to one shard, and none has two more than another."""
    ranked = sorted(set(case_ids), key=lambda case_id: sha256(case_id.encode(errors="surrogatepass")).digest())
    return set(ranked[shard.number - 1 :: shard.of])


def shared_out(
    changes: Sequence[Change], shard: Shard, price: Callable[[Sequence[Change]], Estimate]
) -> tuple[tuple[Change, ...], Share]:
    """The changes of one shard, and what it has to do with the whole. `price` is asked of the whole."""
    mine = dealt((change.case_id for change in changes), shard)
    kept = tuple(change for change in changes if change.case_id in mine)
    return kept, Share(
        number=shard.number,
        of=shard.of,
        digest=change_set_digest(changes),
        estimate=price(changes),
        positions={change.case_id: position for position, change in enumerate(changes) if change.case_id in mine},
        weights=_weights(kept),
        whole_weights=_weights(changes),
    )


def _weights(changes: Iterable[Change]) -> dict[str, int]:
    """By plan: its calls, and one for each case that is judged again, of which a language model may be asked."""
    counted: Counter[str] = Counter()
    for change in changes:
        if change.case is not None and change.action in (Action.CALL, Action.RECHECK):
            counted[change.case.plan] += change.runs or 1
    return dict(counted)
