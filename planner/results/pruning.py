"""Prunes a shared store: old sessions, and evidence that nothing references.

Kept are the newest sessions, baselines, launches under way, and their evidence. Runs only when there are a fifth more
sessions than kept, since it reads them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from planner.results.store import Reader

_SLACK: Final = 1.2
_DIGEST: Final = re.compile(rb'"evidence":"([0-9a-f]{64})"')


def pruned(now: Reader, writes: Mapping[str, bytes | None], *, keep: int) -> dict[str, None]:
    """The keys to delete after `writes`. `keep` counts sessions."""
    runs = sorted({*now.keys("runs/"), *(key for key in writes if key.startswith("runs/"))}, reverse=True)
    if len(runs) <= keep * _SLACK:
        return {}
    old = runs[keep:]
    kept = [*runs[:keep], *now.keys("latest/"), *now.keys("intents/"), *writes]
    named = {digest for key in dict.fromkeys(kept) for digest in _digests(now, writes, key)}
    unnamed = [key for key in now.keys("evidence/") if key.removeprefix("evidence/").removesuffix(".json") not in named]
    return dict.fromkeys([*old, *unnamed])


def _digests(now: Reader, writes: Mapping[str, bytes | None], key: str) -> Iterator[str]:
    data = writes[key] if key in writes else now.get(key)
    if data is not None:
        yield from (found.decode() for found in _DIGEST.findall(data))
