"""What was typed after `planner run`, a saved plan taken for all that it says."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from planner.changes.saved import SavedPlan
from planner.invocation.saving import check_service, saved_plan_at, selection_of
from planner.invocation.selection import Selection
from planner.invocation.shell import Shell
from planner.verdicts.ending import WaysOn
from planner.verdicts.gate import EVERYTHING, FailOn, fail_on_words


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
    fail_on: frozenset[FailOn] = EVERYTHING
    trace: Path | None = None
    """Where every request is written down, as JSON lines."""
    saved: SavedPlan | None = None
    """What `planner plan --out` wrote, if that is what is to be run, and the file it was in."""
    saved_path: Path = Path()

    def command(self) -> str:
        if self.saved is not None:
            fresh = [] if self.selection.fresh is None else ["--fresh", self.selection.fresh]
            return shlex.join(["planner", "run", str(self.saved_path), *fresh, *fail_on_words(self.fail_on)])
        return shlex.join(["planner", "run", *self.selection.words(), *fail_on_words(self.fail_on)])

    def again(self, *, consenting: bool) -> str:
        """What goes on with this invocation, where it was not done: `consenting` to charge where that was given, or is called for."""
        return self._with_terms(self.command(), consenting)

    def afterwards(self, *, consenting: bool) -> str:
        """What looks after what is left open by one that was done; `--rerun` again would pay for its calls again."""
        selection = replace(self.selection, rerun="changed", fresh=None)
        command = shlex.join(["planner", "run", *selection.words(), *fail_on_words(self.fail_on)])
        return self._with_terms(command, consenting)

    def _with_terms(self, command: str, consenting: bool) -> str:
        consent = ["--consent-to-charge"] if consenting else []
        typed = consenting or self.saved is None  # a saved plan's ceiling is in the plan
        ceiling = [f"--max-cost {self.max_cost_cents / 100:.2f}"] if typed and self.max_cost_cents is not None else []
        return " ".join([command, *consent, *ceiling])


def with_saved(shell: Shell, options: RunOptions) -> RunOptions:
    """Where a saved plan is named: what it selects, its digest, and its high estimate as a ceiling.

    Raises `UsageError` and `RefusedError` for one that cannot be run here.
    """
    saved = saved_plan_at(shell, options.selection.paths)
    if saved is None:
        return options
    check_service(shell, saved)
    (path,) = options.selection.paths
    limits = [cents for cents in (options.max_cost_cents, saved.max_cost_cents) if cents is not None]
    return replace(
        options,
        selection=replace(selection_of(shell, saved, path, options.selection), fresh=options.selection.fresh),
        max_cost_cents=min(limits, default=None),
        saved=saved,
        saved_path=path,
    )


def ways_on(options: RunOptions, *, consenting: bool, overtaken: bool = False) -> WaysOn:
    """`overtaken`: another invocation makes the same calls, and may use a saved plan up."""
    go_on = options.afterwards if overtaken and options.saved is not None else options.again
    return WaysOn(
        again=go_on(consenting=consenting),
        free=options.again(consenting=False),
        afterwards=options.afterwards(consenting=consenting),
        afterwards_free=options.afterwards(consenting=False),
        reconcile=options.selection.reconcile_command(),
    )
