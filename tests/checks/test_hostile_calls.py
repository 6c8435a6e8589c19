"""Calls that mean harm are judged, or left undecided, within bounds of time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MOST_SECONDS = 4.0
"""For a third of the longest text; several times what they take, for machines that do something else, too."""
MOST_BYTES = 300 * 1000 * 1000
PROGRAM = Path(__file__).parents[1] / "support" / "hostile_calls.py"


def test_hostile_calls_cost_little() -> None:
    """A service answers with more than 25 calls that are at or over a limit: 5,000 turns, 50,000 values, deep
    nesting, text full of digits or number words, the numbers 2^53 + 1 and 10^5000.

    Before: without limits, `no_pii` and expressions took minutes, and some numbers broke a check.
    Now: each takes a few seconds of CPU, and all of them stay within 300 MB. Calls over a limit are undecided.
    """
    child = subprocess.run([sys.executable, str(PROGRAM)], capture_output=True, text=True, check=True)
    judged = [json.loads(line) for line in child.stdout.splitlines()]
    assert len(judged) >= 25
    assert [(name, broken) for name, _, _, broken, _ in judged if broken] == []
    assert [(name, seconds) for name, seconds, _, _, _ in judged if seconds > MOST_SECONDS] == []
    assert max(peak for *_, peak in judged) < MOST_BYTES
    outcomes = {name: outcome for name, _, outcome, _, _ in judged}
    assert {outcome for name, outcome in outcomes.items() if name.startswith("too ")} == {"undecided"}
