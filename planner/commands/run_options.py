"""What was typed after `planner run`, a saved plan taken for all that it says."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from planner.changes.saved import SavedPlan
from planner.commands.saving import saved_plan_at, selection_of
from planner.commands.selection import Selection
from planner.commands.shell import Shell


@dataclass(frozen=True, slots=True)
class RunOptions:
    """`max_cost_cents` is `--max-cost` in cents."""

    selection: Selection
    consent_to_charge: bool = False
    max_cost_cents: int | None = None
    plan_digest: str | None = None
    report_dir: Path = Path("reports")
    max_concurrent: int | None = None
    fail_fast: bool = False
    trace: Path | None = None
    """Where every request is written down, as JSON lines."""
    saved: SavedPlan | None = None
    """What `planner plan --out` wrote, if that is what is to be run, and the file it was in."""
    saved_path: Path = Path()

    def command(self) -> str:
        if self.saved is not None:
            return shlex.join(["planner", "run", str(self.saved_path)])
        return shlex.join(["planner", "run", *self.selection.words()])

    def again(self) -> str:
        """What goes on with this invocation, where it was not done."""
        return self._with_consent(self.command())

    def afterwards(self) -> str:
        """What looks after what is left open by one that was done; `--rerun` again would pay for its calls again."""
        return self._with_consent(shlex.join(["planner", "run", *replace(self.selection, rerun="changed").words()]))

    def _with_consent(self, command: str) -> str:
        ceiling = [] if self.max_cost_cents is None else ["--max-cost", f"{self.max_cost_cents / 100:.2f}"]
        return " ".join([command, "--consent-to-charge", *ceiling])


def with_saved(shell: Shell, options: RunOptions) -> RunOptions:
    """Where a saved plan is named: what it selects, its digest, and its high estimate as a ceiling."""
    saved = saved_plan_at(shell, options.selection.paths)
    if saved is None:
        return options
    (path,) = options.selection.paths
    limits = [cents for cents in (options.max_cost_cents, saved.max_cost_cents) if cents is not None]
    return replace(
        options,
        selection=selection_of(shell, saved, path, options.selection),
        max_cost_cents=min(limits, default=None),
        saved=saved,
        saved_path=path,
    )


def actor_of(environ: Mapping[str, str]) -> str:
    """Who agrees: whoever started (or started again) the CI job, or this shell's user."""
    names = ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR", "USER", "LOGNAME")
    return next((environ[name] for name in names if environ.get(name)), "unknown")
