"""`planner run`: its options, typed or from a saved plan, and what one session works with."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from planner.changes.saved_plan import SavedPlan
from planner.execution.journal import Journal
from planner.execution.sharing import IntentSharing
from planner.execution.transactions import Transactions
from planner.planfile.model import Policy
from planner.results.outcomes import FailOn
from planner.session.report_session import ReportSession
from planner.session.saved_plans import check_service, saved_plan_at, selection_of
from planner.session.selection import Loaded, Selection
from planner.session.shell import Shell
from planner.session.stores import Place
from planner.session.tracing import RequestLog
from planner.verdicts.ending import NextCommands
from planner.verdicts.gate import EVERYTHING, fail_on_words

if TYPE_CHECKING:
    from planner.session.progress_comment import ProgressComment


@dataclass(frozen=True, slots=True)
class CommentOptions:
    """The pull request whose comment shows the progress, and which of its comments: found by `name` and `author`."""

    number: int
    name: str
    author: str


@dataclass(frozen=True, slots=True)
class RunOptions:
    """`max_cost_cents` is `--max-cost` in cents."""

    selection: Selection
    consent_to_charge: bool = False
    max_cost_cents: int | None = None
    report_dir: Path = Path("reports")
    max_concurrent: int | None = None
    fail_fast: bool = False
    fail_on: frozenset[FailOn] = EVERYTHING
    trace: Path | None = None
    """File for the log of requests, as JSON lines."""
    comment: CommentOptions | None = None
    saved: SavedPlan | None = None
    """The plan from `planner plan --out`, if one is run, and its file."""
    saved_path: Path = Path()

    def command(self) -> str:
        if self.saved is not None:
            fresh = [] if self.selection.fresh is None else ["--fresh", self.selection.fresh]
            return shlex.join(["planner", "run", str(self.saved_path), *fresh, *fail_on_words(self.fail_on)])
        return shlex.join(["planner", "run", *self.selection.words(), *fail_on_words(self.fail_on)])

    def again(self, *, consenting: bool) -> str:
        """The command that resumes this session; `consenting` includes --consent-to-charge."""
        return self._with_terms(self.command(), consenting)

    def afterwards(self, *, consenting: bool) -> str:
        """The command that handles the rest of a finished session. Repeating `--rerun` would pay for its calls
        again."""
        selection = replace(self.selection, rerun="changed", fresh=None)
        command = shlex.join(["planner", "run", *selection.words(), *fail_on_words(self.fail_on)])
        return self._with_terms(command, consenting)

    def _with_terms(self, command: str, consenting: bool) -> str:
        consent = ["--consent-to-charge"] if consenting else []
        typed = consenting or self.saved is None  # a saved plan has its own ceiling
        ceiling = [f"--max-cost {self.max_cost_cents / 100:.2f}"] if typed and self.max_cost_cents is not None else []
        return " ".join([command, *consent, *ceiling])


def with_saved(shell: Shell, options: RunOptions) -> RunOptions:
    """Apply a saved plan: its selection, digest, and high estimate as a ceiling.

    Raises `UsageError` and `RefusedError` for a plan that cannot be run here.
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


def next_commands(options: RunOptions, *, consenting: bool, overtaken: bool = False) -> NextCommands:
    """`overtaken`: another session makes the same calls, and may use up a saved plan."""
    resume = options.afterwards if overtaken and options.saved is not None else options.again
    return NextCommands(
        resume=resume(consenting=consenting),
        resume_free=options.again(consenting=False),
        rerun=options.afterwards(consenting=consenting),
        rerun_free=options.afterwards(consenting=False),
        reconcile=options.selection.reconcile_command(),
    )


@dataclass(slots=True)
class RunSession:
    """One session of `planner run`. `intents` are launches in the shared store, if there is one. `interrupted` and `transactions` are set once it is connected to the service."""

    shell: Shell
    options: RunOptions
    loaded: Loaded
    place: Place
    journal: Journal
    reports: ReportSession
    intents: IntentSharing | None
    request_log: RequestLog
    interrupted: anyio.Event = field(init=False)
    transactions: Transactions = field(init=False)
    comment: ProgressComment | None = field(default=None, init=False)
    """Set while calls are made for a pull request."""

    @property
    def policy(self) -> Policy:
        """The project's policy. Quiet hours do not apply to the sandbox."""
        policy = self.loaded.project.policy
        return replace(policy, quiet_hours=None) if self.options.selection.sandbox else policy

    @property
    def ceiling_cents(self) -> int | None:
        """The lowest ceiling on the whole session."""
        limits = [self.options.max_cost_cents, self.loaded.project.policy.max_cost_cents]
        return min((cents for cents in limits if cents is not None), default=None)
