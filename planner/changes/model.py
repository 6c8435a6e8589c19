"""What has to happen to each case and why, what it would cost, and who agreed to exactly that."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from planner.changes.votes import VoteEstimate
from planner.planfile.model import Case
from planner.results.model import CaseDocument, CaseInputs, FreshDocument


class Action(Enum):
    CALL = "call"
    RECHECK = "recheck"
    KEEP = "keep"
    DROP = "drop"


class Reason(Enum):
    """Stable codes; `label` is the phrase for people."""

    NEW = "new"
    PROMPT_CHANGED = "prompt_changed"
    SETTINGS_CHANGED = "settings_changed"
    AGENT_EDITED = "agent_edited"
    FAILED_LAST_TIME = "failed_last_time"
    UNKNOWN_LAST_TIME = "unknown_last_time"
    RUNS_RAISED = "runs_raised"
    EXPIRED = "expired"
    FORCED = "forced"
    EXPECTATIONS_CHANGED = "expectations_changed"
    JUDGE_CHANGED = "judge_changed"
    """Another language model is named, or is asked in other words, than the one that the stored verdict rests on."""
    CALLED_BEFORE = "called_before"
    """What would be called was called before, and passed: a change that was taken back, or made on another branch."""
    RENAMED = "renamed"
    OUT_OF_REACH = "out_of_reach"
    """It failed, and its earlier runs and as many passing ones as would be made could not reach its rate together."""
    PASSED = "passed"
    NOT_SELECTED = "not_selected"
    """`--rerun failed`: it passed, or is new, and only failures were asked for."""
    NO_LONGER_IN_PLAN = "no_longer_in_plan"

    @property
    def label(self) -> str:
        return _LABELS.get(self, self.value.replace("_", " "))


_LABELS = {
    Reason.AGENT_EDITED: "agent edited since",
    Reason.OUT_OF_REACH: "failed, rate out of reach",
    Reason.NOT_SELECTED: "not asked for",
    Reason.NO_LONGER_IN_PLAN: "no longer in the plan",
}


@dataclass(frozen=True, slots=True)
class Change:
    """What has to happen to one case.

    `case` is None exactly for `DROP`; `prior` is the stored case it was compared with (None when new; of another id when renamed). `runs` counts the
    calls to make (0 unless `CALL`); `kept_runs` of the prior runs stand beside them (raised `runs`, or a case left unknown).
    """

    case_id: str
    action: Action
    reason: Reason
    runs: int
    detail: str
    case: Case | None
    prior: CaseDocument | None
    inputs: CaseInputs | None
    call_fingerprint: str
    check_fingerprint: str
    kept_run_ids: tuple[int, ...] = ()
    judge: str | None = None
    """The language model that its `check: judge` rests on today, and how that is asked; None where it asks none, or none is named."""
    compared_with: CaseDocument | None = None
    """What the baseline holds of the case, where `prior` are other calls: older ones that stand again (`CALLED_BEFORE`), or those of a
    partial session that count on a retry."""
    fresh: FreshDocument | None = None
    """Why the earlier runs of a case to call are set aside; None where they count."""

    @property
    def is_retry(self) -> bool:
        """Whether the new runs are another try at a case that failed or was undecided: they count together with the kept ones."""
        if self.action is not Action.CALL or not self.kept_run_ids or self.case is None:
            return False
        if self.reason is Reason.FAILED_LAST_TIME:
            return True
        return self.reason is Reason.UNKNOWN_LAST_TIME and self.runs >= self.case.runs


class Source(Enum):
    """What a price was made of, best first."""

    CASE = "case"
    SCENARIO = "scenario"
    TARGET = "target"
    PRODUCT = "product"
    RATE = "rate"
    """The product's rate and an assumed length."""
    UNKNOWN = "unknown"

    @property
    def is_history(self) -> bool:
        return self not in (Source.RATE, Source.UNKNOWN)

    @property
    def phrase(self) -> str:
        return "the same product" if self is Source.PRODUCT else f"these {self.value}s"


@dataclass(frozen=True, slots=True)
class CasePrice:
    """Per call of one case, in cents; None is unknown, never 0."""

    expected_cents: float | None
    low_cents: float | None
    high_cents: int | None
    expected_seconds: float | None
    basis: str
    source: Source


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of the calls still to be made. Totals are None when any call's price is unknown."""

    calls: int
    expected_cents: int | None
    low_cents: int | None
    high_cents: int | None
    basis: str


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """`digest` is `sha256:` + 64 hex over what would be called and expected, not over agent revisions or prices."""

    digest: str
    changes: tuple[Change, ...]
    estimate: Estimate
    prices: dict[str, CasePrice]
    """By case id, for every case to call."""
    votes: VoteEstimate | None = None
    """Of the language model that judges; None where no expectation asks one, or none was reckoned with."""

    @property
    def coverage(self) -> dict[Source, int]:
        """How many of the cases to call are priced from what."""
        counted = Counter(price.source for price in self.prices.values())
        return {source: counted[source] for source in Source}

    def with_action(self, action: Action) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.action is action)


@dataclass(frozen=True, slots=True)
class Consent:
    """The recorded decision to spend, bound to a digest and a ceiling."""

    given: bool
    by: str
    at: datetime
    digest: str
    max_cost_cents: int | None
