"""What a comparison of cases with stored results needs to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Literal

from planner.changes.configuration import Configurations
from planner.changes.model import Reason
from planner.results.model import CaseResult, StartOverDocument
from planner.values import frozen

Rerun = Literal["needed", "failed", "all"]


@frozen
class Earlier:
    """What earlier calls show of one case.

    `prior` are the calls that count for today's case; if there are none, the newest calls of the case, which were other
    calls. `reuse` says why calls count that the newest session did not make or keep; `compared_with` is what that had.
    `problem`: its calls cannot be read.
    """

    prior: CaseResult | None = None
    compared_with: CaseResult | None = None
    reuse: Literal[Reason.CALLED_BEFORE, Reason.RENAMED, Reason.SHARED] | None = None
    problem: str = ""


@frozen
class StoredResults:
    """What earlier calls show, by case id, and functions that evaluate it.

    Args: base: the cases as the branch stored them that the pull request targets: what already fails there is not
        called. gone: stored cases that no plan has any more. has_evidence: whether the evidence of a digest is stored;
        None: always.
    """

    cases: Mapping[str, Earlier]
    base: Mapping[str, CaseResult] = field(default_factory=dict[str, CaseResult])
    gone: Sequence[CaseResult] = ()
    has_evidence: Callable[[str], bool] | None = None


@frozen
class Request:
    """What was asked for, and what is known now.

    Args: revisions: `<time of the last edit> <digest>` of the agent behind (kind, id), as the service reports it; None
        or absent if unknown. judge: the language model for
        `check: judge`, and how it is asked; None if none is configured, which changes nothing. configurations: those of
        the agents that are called. start_over: why earlier runs of the called cases are discarded; None if they count.
        interrupted: the cases that a killed session began to call again.
    """

    now: datetime
    rerun: Rerun = "needed"
    revisions: Mapping[tuple[str, int], str | None] = field(default_factory=dict[tuple[str, int], str | None])
    judge: str | None = None
    start_over: StartOverDocument | None = None
    configurations: Configurations = field(default_factory=Configurations)
    interrupted: frozenset[str] = frozenset()
