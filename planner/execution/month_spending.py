"""What was spent and reserved in one month, under all consents: of this journal, and of all machines of a shared store.

A launch counts in the month (UTC) in which it was sent, a session's judge calls in that of the last one. A shared store
has one document for each consent (`consent_sharing.py`), in the namespace of its job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import ValidationError

from planner.changes.model import whole_cents
from planner.errors import StoreError
from planner.execution.consent_sharing import PREFIX as CONSENTS
from planner.execution.consent_sharing import SharedConsent
from planner.execution.consents import Amount
from planner.execution.intent_documents import PREFIX as INTENTS
from planner.execution.intent_documents import launch_id_of
from planner.execution.journal_state import JournalState
from planner.execution.launches import LIVE
from planner.execution.ledger import Ceiling
from planner.execution.spending import amounts_of, month_of
from planner.planfile.model import Policy
from planner.quantities import money
from planner.stores.store import BRANCHES, Store
from planner.values import frozen

ENDED: Final = "spent/"
"""Consents of pull requests whose other documents were removed."""
MONTHLY: Final = "policy.max_cost_cents_per_month"


def next_month(moment: datetime) -> str:
    return month_of(moment.astimezone(UTC).replace(day=1) + timedelta(days=31))


@frozen
class MonthSpending:
    """`launches` in cents, by launch id. `judging` in microcents, by session id."""

    month: str
    launches: Mapping[str, Amount] = field(default_factory=dict[str, Amount])
    judging: Mapping[str, Amount] = field(default_factory=dict[str, Amount])

    @property
    def spent_cents(self) -> int:
        """Billed, and judge calls that were or may have been charged."""
        judged = sum(amount.committed for amount in self.judging.values())
        return sum(amount.spent for amount in self.launches.values()) + whole_cents(judged)

    @property
    def reserved_cents(self) -> int:
        """Of calls without a bill."""
        return sum(amount.reserved for amount in self.launches.values())

    @property
    def committed_cents(self) -> int:
        return self.spent_cents + self.reserved_cents


def spent_here(journal: JournalState | None, month: str) -> MonthSpending:
    """What this journal knows."""
    if journal is None:
        return MonthSpending(month)
    launches = {
        launch.launch_id: sum(amounts_of(journal.slots_of(launch.launch_id)).values(), Amount())
        for launch in journal.launches(LIVE)
        if month_of(launch.sent_at) == month
    }
    return MonthSpending(month, launches, journal.consents.judging_in(month))


def together(journal: JournalState | None, here: MonthSpending, shared: MonthSpending) -> MonthSpending:
    """Each launch and each session's judge calls once. A launch that this journal knows counts as the journal has it,
    unless another machine knows its bill."""

    def counts(launch_id: str, amount: Amount) -> bool:
        mine = here.launches.get(launch_id)
        is_unknown = journal is None or journal.launch(launch_id) is None
        return is_unknown if mine is None else amount.reserved < mine.reserved

    theirs = {launch_id: amount for launch_id, amount in shared.launches.items() if counts(launch_id, amount)}
    return MonthSpending(here.month, {**here.launches, **theirs}, {**shared.judging, **here.judging})


class StoreSpending:
    """Reads what all consents of a shared store cost. `store` is the whole store, with the namespaces of all jobs;
    `namespace` is that of this job."""

    def __init__(self, store: Store, namespace: str = "") -> None:
        self._store = store
        self._namespace = namespace
        self._known: dict[str, tuple[str, SharedConsent]] = {}
        """By key, with the version of the document."""

    def in_month(self, month: str, instead: SharedConsent | None = None) -> MonthSpending:
        """`instead` replaces the document of its consent in this job's namespace.

        Raises `StoreError`: a document cannot be read, so the ceiling may be reached.
        """
        own_key = None if instead is None else f"{self._namespace}{CONSENTS}{instead.consent.consent_id}.json"
        launches: dict[str, Amount] = {}
        judging: dict[str, Amount] = {}
        parts = [document.spending for key, document in self._documents() if key != own_key]
        for spending in [*parts, *([] if instead is None else [instead.spending])]:
            launches |= _of_month(spending.launches, spending.months, month)
            judging |= _of_month(spending.judging, spending.months, month)
        return MonthSpending(month, launches, judging)

    def consents(self) -> list[SharedConsent]:
        """The documents of all namespaces. Raises `StoreError`: one cannot be read."""
        return [document for _, document in self._documents()]

    def _documents(self) -> Iterator[tuple[str, SharedConsent]]:
        """By key, without reservations of launches that are not open any more."""
        versions = {
            **self._store.versions(CONSENTS),
            **self._store.versions(ENDED),
            **{key: version for key, version in self._store.versions(BRANCHES).items() if f"/{CONSENTS}" in key},
        }
        self._store.prepare([key for key in versions if key not in self._known])
        opened: dict[str, frozenset[str]] = {}
        for key, version in sorted(versions.items()):
            known = self._known.get(key)
            if known is None or known[0] != version:
                known = (version, self._read(key))
                self._known[key] = known
            place = key.rpartition(CONSENTS)[0]
            if place not in opened:
                opened[place] = frozenset(
                    launch_id_of(each.removeprefix(place)) for each in self._store.keys(place + INTENTS)
                )
            spending = known[1].spending.without_ended(opened[place].__contains__)
            yield key, known[1].model_copy(update={"spending": spending})

    def _read(self, key: str) -> SharedConsent:
        try:
            return SharedConsent.model_validate_json(self._store.get(key) or b"")
        except ValidationError as error:
            raise StoreError(
                f"the shared consent {key} cannot be read: {error.errors(include_url=False)[0]['msg']}",
                f"Check {self._store.locate(key)}. No call is made while it cannot be read: the month's ceiling "
                "may be reached. If none of your jobs wrote it, remove it from the store.",
            ) from error


def _of_month(parts: Mapping[str, dict[str, Amount]], months: Mapping[str, str], month: str) -> dict[str, Amount]:
    return {key: sum(by_plan.values(), Amount()) for key, by_plan in parts.items() if months.get(key) == month}


def months_of(
    policy: Policy, now: datetime, journal: JournalState | None, store: StoreSpending | None
) -> tuple[MonthSpending, ...]:
    """What was spent in this month, and in the next one, which may begin during the session; () without a ceiling.
    Raises `StoreError`."""
    if policy.max_cost_cents_per_month is None:
        return ()
    found: list[MonthSpending] = []
    for month in (month_of(now), next_month(now)):
        here = spent_here(journal, month)
        found.append(here if store is None else together(journal, here, store.in_month(month)))
    return tuple(found)


def month_ceilings(policy: Policy, months: tuple[MonthSpending, ...]) -> list[Ceiling]:
    if policy.max_cost_cents_per_month is None:
        return []
    return [
        Ceiling(
            f"{MONTHLY} ({each.month})",
            policy.max_cost_cents_per_month,
            committed_cents=each.committed_cents,
            pending_cents=each.reserved_cents,
            month=each.month,
        )
        for each in months
    ]


def month_line(policy: Policy, spent: MonthSpending) -> str:
    """For people, with a ceiling."""
    return (
        f"{MONTHLY} allows {money(policy.max_cost_cents_per_month or 0)} in {spent.month}: {money(spent.spent_cents)} "
        f"spent, {money(spent.reserved_cents)} reserved"
    )
