"""A few hundred of the random mutations of `tests/benchmarks/stored_documents.py`, which runs 100,000."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from damaged_documents import Fuzzed, Violation


def test_no_mutation_lifts_a_ceiling_passes_wrongly_or_ends_in_a_traceback(tmp_path: Path) -> None:
    """Most mutations are refused; those that are accepted change nothing that matters."""
    fuzzed = Fuzzed(tmp_path / "project")
    found = [fuzzed.check(seed) for seed in range(400)]
    assert [each for each in found if isinstance(each, Violation)] == []
    counted = Counter(map(str, found))
    assert counted["refused"] > 100
    assert counted["accepted"] > 50
