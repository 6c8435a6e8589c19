"""What a comparison of cases with stored results needs to know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Literal, TypeAlias

from planner.changes.configuration import Configurations
from planner.planfile.model import Case
from planner.results.model import CaseResult, JudgedRun, StartOverDocument
from planner.values import frozen

Rerun = Literal["needed", "failed", "all"]
CalledBefore: TypeAlias = Callable[[str, str], Iterable[CaseResult]]
"""(case id, call fingerprint) → stored cases of earlier complete sessions, newest first."""
CouldPass: TypeAlias = Callable[[Case, Sequence[JudgedRun], int], bool]
"""(case, stored runs, number of passing runs to add) → whether the case would not fail with all of them."""


@frozen
class StoredResults:
    """What earlier sessions stored, by case id, and functions that evaluate it.

    Args: baseline: every stored case of the loaded plans. deleted: the stored cases of plans that no longer exist: a
        new case may be one of them, renamed. partial_results: cases that failed or were undecided in partial sessions
        since the baseline. on_branch: cases that sessions of the same pull request called; None outside of a pull
        request. of_target: the ids of the baseline's cases that the branch which the pull request targets stored. What
        already fails there is not called. called_before: finds older calls that equal today's. has_evidence: whether
        the evidence of a digest is stored; None: always. still_settled: whether, by today's expectations, a stored case
        still does not need the runs it skipped; None: never. could_pass: None: always.
    """

    baseline: Mapping[str, CaseResult]
    deleted: Mapping[str, CaseResult] = field(default_factory=dict[str, CaseResult])
    partial_results: Mapping[str, CaseResult] = field(default_factory=dict[str, CaseResult])
    on_branch: Mapping[str, CaseResult] | None = None
    of_target: frozenset[str] = frozenset()
    called_before: CalledBefore | None = None
    has_evidence: Callable[[str], bool] | None = None
    still_settled: Callable[[Case, CaseResult], bool] | None = None
    could_pass: CouldPass | None = None


@frozen
class Request:
    """What was asked for, and what is known now.

    Args: revisions: `<time of the last edit> <digest>` of the agent behind (kind, id), as the service reports it; None
        or absent if unknown. partial: only some cases were selected, so none is dropped. judge: the language model for
        `check: judge`, and how it is asked; None if none is configured, which changes nothing. configurations: those of
        the agents that are called. start_over: why earlier runs of the called cases are discarded; None if they count.
    """

    now: datetime
    rerun: Rerun = "needed"
    revisions: Mapping[tuple[str, int], str | None] = field(default_factory=dict[tuple[str, int], str | None])
    partial: bool = False
    judge: str | None = None
    start_over: StartOverDocument | None = None
    configurations: Configurations = field(default_factory=Configurations)
