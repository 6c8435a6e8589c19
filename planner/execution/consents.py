"""Consents and what was spent under them, as the journal records them. No I/O.

A consent is one agreement: some calls, who agreed, up to how much. Every launch and every judge call names its consent.
Ceilings are per consent, on all machines. A consent ends when all of its calls are done.

Spending counts each launch (by id) and each session's judge calls once. This journal's data takes precedence over those
of the shared store (`Spending`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from enum import Enum
from hashlib import sha256
from typing import Annotated, NamedTuple, Self

from pydantic import AwareDatetime, Field

from planner.bounds import Cents, Count, Total
from planner.execution.launches import Digest
from planner.values import frozen

_ID_DIGITS = 16


class ConsentWay(Enum):
    """How somebody agreed."""

    TERMINAL = "terminal"
    """They typed the command."""
    DISPATCH = "dispatch"
    """They started the CI job by hand."""
    COMMENT = "comment"
    """They wrote `/planner run` on the pull request."""
    FLAG = "flag"
    """The CI job's definition agrees (a nightly job)."""


class CallReason(Enum):
    """Why calls were agreed to."""

    FIRST = "first"
    """No call like this was made."""
    MISSING = "missing"
    """More runs are required than were made."""
    RETRY = "retry"
    """Earlier runs failed or were inconclusive."""
    AGAIN = "again"
    """Earlier runs are good, but expired or wanted again."""
    START_OVER = "start_over"
    """Earlier runs were set aside."""


@frozen
class ConsentedCall:
    """`runs` calls of one fingerprint, retries included. With 0 runs, judge calls only; `fingerprint` is then that of
    the expectations."""

    fingerprint: str
    runs: Count
    reason: CallReason | None = None
    """None if the session that agreed did not need them."""


@frozen
class Consent:
    consent_id: str
    digest: str
    """Of the set of calls."""
    by: str
    how: ConsentWay
    agreed_at: AwareDatetime
    max_cost_cents: Cents | None
    calls: tuple[ConsentedCall, ...]
    """One for each case, in the order of their ids."""
    namespace: str = ""
    """Where its results are stored: `branches/42/` in a job of a pull request."""
    starts_over: bool = False
    """Calls that were made before do not count."""


def consent_id_of(digest: str, occasion: str) -> str:
    """The id of the consent to the set with this digest on one occasion: a workflow run, or a command. Its first half
    finds the consents to a set."""
    return f"{id_prefix(digest)}{sha256(occasion.encode()).hexdigest()[:_ID_DIGITS]}"


def id_prefix(digest: str) -> str:
    return f"{digest.removeprefix('sha256:')[:_ID_DIGITS]}-"


Microcents = Annotated[int, Field(ge=0, le=10**30)]


@frozen
class Amount:
    """Money of one plan: cents of phone calls, or microcents of judge calls."""

    spent: Total = 0
    reserved: Total = 0
    """It may still be charged: no bill, or no answer, is known."""
    made: Total = 0
    """Of what is reserved: for calls that were made."""

    @property
    def committed(self) -> int:
        return self.spent + self.reserved

    def __add__(self, other: Self) -> Self:
        return replace(
            self,
            spent=self.spent + other.spent,
            reserved=self.reserved + other.reserved,
            made=self.made + other.made,
        )


ByPlan = Mapping[str, Amount]
Month = Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]
"""UTC: `2026-11`."""


@frozen
class Spending:
    """What was spent and reserved under one consent. Judge calls are in microcents."""

    launches: Mapping[str, dict[str, Amount]] = field(default_factory=dict[str, dict[str, Amount]])
    """By launch id and plan."""
    judging: Mapping[str, dict[str, Amount]] = field(default_factory=dict[str, dict[str, Amount]])
    """By session id and plan."""
    largest_bill_cents: Cents = 0
    """Of one call that this journal knows."""
    months: Mapping[str, Month] = field(default_factory=dict[str, str])
    """By launch and session id: the month in which it counts."""

    def of_calls(self, plan: str | None = None) -> Amount:
        """The cents of one plan's phone calls, or of all (None)."""
        return _total(self.launches.values(), plan)

    def of_judge_calls(self, plan: str | None = None) -> Amount:
        """The microcents of one plan's judge calls, or of all (None)."""
        return _total(self.judging.values(), plan)

    def without_ended(self, is_open: Callable[[str], bool]) -> Self:
        """Without reservations of launches that are not open any more, but for calls that were made and have no bill.
        A launch is written before it is reserved, and a machine may be lost before it can release what the service
        refused."""
        launches = {
            launch_id: by_plan
            if is_open(launch_id)
            else {plan: replace(amount, reserved=amount.made) for plan, amount in by_plan.items()}
            for launch_id, by_plan in self.launches.items()
        }
        return replace(self, launches=launches)

    @property
    def plans(self) -> set[str]:
        return {plan for by_plan in (*self.launches.values(), *self.judging.values()) for plan in by_plan}


NO_SPENDING = Spending()


def _total(parts: Iterable[ByPlan], plan: str | None) -> Amount:
    amounts = (amount for by_plan in parts for name, amount in by_plan.items() if plan in (None, name))
    return sum(amounts, Amount())


# Events


class ConsentAdded(NamedTuple):
    """Somebody agreed, for the first time or again (to resume, or with another ceiling)."""

    consent: Consent


class ConsentEnded(NamedTuple):
    """Nothing of these calls (by their place) is left to do. The consent ends with the last of its calls."""

    consent_id: str
    calls: tuple[Count, ...]


class ConsentImported(NamedTuple):
    """A consent as the shared store has it, with what other machines spent under it."""

    consent: Consent
    ended: tuple[Count, ...]
    spending: Spending


class JudgeCallReserved(NamedTuple):
    """A judge call is about to be made, for one vote on each of the questions `keys`; at most this much is charged for
    all of them."""

    call_id: str
    consent_id: str
    session_id: str
    plan: str
    microcents: Microcents
    keys: tuple[Digest, ...]
    month: Month
    """In which it counts."""


class JudgeCallSettled(NamedTuple):
    """What was charged for a judge call."""

    call_id: str
    microcents: Microcents


ConsentEvent = ConsentAdded | ConsentEnded | ConsentImported | JudgeCallReserved | JudgeCallSettled
