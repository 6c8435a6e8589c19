"""Step outputs, which later steps use. The names are the outputs of `action.yml`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from planner.reports.neutral import printable

if TYPE_CHECKING:
    from planner.changes.model import ChangeSet
    from planner.results.model import RunResult
    from planner.results.outcomes import RequiredCheck


def change_set_outputs(change_set: ChangeSet) -> dict[str, str]:
    """Outputs of a plan, prices in cents; an unknown price is empty. `rechecks` counts cases evaluated with new
    expectations, `votes` paid judge calls."""
    from planner.results.outcomes import Action

    estimate, votes = change_set.estimate, change_set.votes
    return {
        "digest": change_set.digest,
        "calls": str(estimate.calls),
        "rechecks": str(len(change_set.with_action(Action.RECHECK))),
        "votes": str(votes.votes if votes is not None and votes.charged else 0),
        "expected-cents": _cents(estimate.expected_cents),
        "low-cents": _cents(estimate.low_cents),
        "high-cents": _cents(estimate.high_cents),
    }


def run_outputs(result: RunResult, *, report_dir: str) -> dict[str, str]:
    """Outputs of a run. Costs are of this session alone, so that jobs can be summed."""
    return {
        "outcome": result.outcome,
        "digest": result.change_set_digest,
        "expected-cents": _cents(result.cost.estimated_cents),
        "cost-cents": _cents(result.cost.this_invocation_cents),
        "ambiguous-cents": _cents(result.cost.ambiguous_cents),
        "report-dir": report_dir,
    }


def required_check_outputs(check: RequiredCheck) -> dict[str, str]:
    """`gate` is success, failure or pending; `needs-calls` is true if calls must be made; `open-calls` are in progress."""
    return {
        "gate": check.state.value,
        "description": check.description,
        "digest": check.digest,
        "needs-calls": "true" if check.calls else "false",
        "calls": str(check.calls),
        "open-calls": str(check.open_calls),
    }


def append_outputs(path: Path, outputs: Mapping[str, str], *, new_delimiter: Callable[[], str]) -> None:
    """Append to the file of GITHUB_OUTPUT. Raises `OSError`.

    Values may contain anything: each is a heredoc with an unguessable end, so no value can start another output.
    """
    blocks: list[str] = []
    for name, value in outputs.items():
        delimiter = new_delimiter()
        blocks.append(f"{name}<<{delimiter}\n{value}\n{delimiter}\n")
    with path.open("a", encoding="utf-8", errors="replace", newline="\n") as file:
        file.write(printable("".join(blocks)))


def _cents(cents: int | None) -> str:
    return "" if cents is None else str(cents)
