"""Consents and what was spent under them. No I/O.

A consent is one agreement: some calls, who agreed, up to how much. Every launch and every judge call names its consent.
Ceilings are per consent, on all machines. A consent ends when all of its calls are done.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from enum import Enum
from hashlib import sha256
from typing import Self

from pydantic import AwareDatetime

from planner.bounds import Cents, Count, Total
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
    starts_over: bool = False
    """Calls that were made before do not count."""


def consent_id_of(digest: str, occasion: str) -> str:
    """The id of the consent to the set with this digest on one occasion: a workflow run, or a command. Its first half
    finds the consents to a set."""
    return f"{id_prefix(digest)}{sha256(occasion.encode()).hexdigest()[:_ID_DIGITS]}"


def id_prefix(digest: str) -> str:
    return f"{digest.removeprefix('sha256:')[:_ID_DIGITS]}-"


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


@frozen
class Spending:
    """What was spent and reserved under one consent. Judge calls are in microcents."""

    launches: Mapping[str, dict[str, Amount]] = field(default_factory=dict[str, dict[str, Amount]])
    """By launch id and plan."""
    judging: Mapping[str, dict[str, Amount]] = field(default_factory=dict[str, dict[str, Amount]])
    """By session id and plan."""
    largest_bill_cents: Cents = 0
    """Of one call that this journal knows."""

    def of_calls(self, plan: str | None = None) -> Amount:
        """The cents of one plan's phone calls, or of all (None)."""
        return _total(self.launches.values(), plan)

    def of_judge_calls(self, plan: str | None = None) -> Amount:
        """The microcents of one plan's judge calls, or of all (None)."""
        return _total(self.judging.values(), plan)

    @property
    def plans(self) -> set[str]:
        return {plan for by_plan in (*self.launches.values(), *self.judging.values()) for plan in by_plan}


NO_SPENDING = Spending()


def _total(parts: Iterable[ByPlan], plan: str | None) -> Amount:
    amounts = (amount for by_plan in parts for name, amount in by_plan.items() if plan in (None, name))
    return sum(amounts, Amount())
