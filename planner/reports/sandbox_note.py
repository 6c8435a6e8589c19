"""The note on sandbox results that every report shows."""

from __future__ import annotations

from planner.results.model import RunResult

SANDBOX_NOTE = "These are simulated calls on the sandbox: nobody was phoned, and nothing was charged."
_SANDBOX_NOTE_WITH_JUDGE = (
    "These are simulated calls on the sandbox: nobody was phoned. Only the judge was real: its answers are charged."
)


def sandbox_note(result: RunResult) -> str:
    """Empty for real calls."""
    if not result.sandbox:
        return ""
    judge = result.cost.judge
    return _SANDBOX_NOTE_WITH_JUDGE if judge and (judge.actual_cents or judge.ambiguous_cents) else SANDBOX_NOTE
