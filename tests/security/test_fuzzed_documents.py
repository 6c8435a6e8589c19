"""Two hundred of the random mutations of `tests/benchmarks/stored_documents.py`, which runs 100,000."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from damaged_documents import Fuzzed, Violation


def test_random_mutations(tmp_path: Path) -> None:
    """The attacker damages stored documents, journals and shared logs at random.

    Before: without bounds, some mutations raise a limit, pass a failed case or cause a traceback.
    Now: none does. Most are refused, and the others change nothing that matters.
    """
    fuzzed = Fuzzed(tmp_path / "project")
    found = [fuzzed.check(seed) for seed in range(200)]
    assert [each for each in found if isinstance(each, Violation)] == []
    counted = Counter(map(str, found))
    assert counted["refused"] > 25
    assert counted["accepted"] > 25
