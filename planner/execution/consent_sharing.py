"""Shares consents with all machines of a store, so that a ceiling holds for what all of them spend under one consent.

`consents/<id>.json` has the agreement, and what each launch and each session's judge calls cost or may cost. A launch
or judge call is reserved there before it is sent: one document has the whole sum, so of two machines the later writer
sees what the earlier one reserved, in any store. Calls that would pass a ceiling are not written, and not made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

import anyio
import anyio.to_thread
from pydantic import BaseModel, ConfigDict, ValidationError

from planner.bounds import SERVER_CLOCK_SKEW, is_possible
from planner.changes.model import whole_cents
from planner.errors import StoreError
from planner.execution.consents import Amount, Consent, ConsentImported, Spending, id_prefix
from planner.execution.journal import Journal
from planner.execution.ledger import Ceiling, OverCeilingError
from planner.execution.spending import spending_of
from planner.stores.store import Reader, Store
from planner.values import frozen

if TYPE_CHECKING:
    from planner.execution.month_spending import StoreSpending

PREFIX: Final = "consents/"


class SharedConsent(BaseModel):
    """Plans and persons are redacted."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, str_max_length=1000)

    schema_version: str = "1.0"
    consent: Consent
    ended: tuple[int, ...] = ()
    spending: Spending


@frozen
class ConsentWrite:
    """What this machine knows of a consent. `launches` are the ids of all its launches here, in any state."""

    consent: Consent
    ended: frozenset[int]
    launches: frozenset[str]
    spending: Spending
    ceilings: Sequence[Ceiling] = ()
    """Those to keep; empty if nothing new is reserved."""


class AnswerSharing(Protocol):
    """The answers of judge calls, as documents of the shared store."""

    def unshared_votes(self) -> dict[str, bytes]: ...

    def votes_shared(self, keys: Iterable[str]) -> None:
        """These documents are in the store."""


class ConsentSharing:
    """Connects the consents of a journal to a shared store. `show_name` redacts a plan or person."""

    def __init__(
        self, store: Store, journal: Journal, *, show_name: Callable[[str], str], now: datetime | None = None
    ) -> None:
        """Consents much later than `now` are refused."""
        self._store = store
        self._journal = journal
        self._show_name = show_name
        self._now = now
        self._consent_id = ""
        self._ceilings: Sequence[Ceiling] = ()
        self._whole: StoreSpending | None = None
        self._answers: AnswerSharing | None = None
        self._turn = anyio.Lock()
        self._asked = self._written = 0

    def begin(
        self,
        consent_id: str,
        ceilings: Iterable[Ceiling],
        whole: StoreSpending | None = None,
        answers: AnswerSharing | None = None,
    ) -> None:
        """From now on, launches and judge calls are made under this consent and its ceilings. `whole` reads what all
        consents of a month cost; it is needed if a ceiling is of a month. `answers` are those of judge calls."""
        self._consent_id = consent_id
        self._whole = whole
        self._answers = answers
        self._ceilings = [ceiling for ceiling in ceilings if not ceiling.by_service]

    # What others spent

    def import_consents(self, digest: str, plans: Iterable[str]) -> None:
        """Import the consents to this set of calls. Raises `StoreError`: a document cannot be read."""
        names = {self._show_name(plan): plan for plan in plans}
        for key in self._store.keys(f"{PREFIX}{id_prefix(digest)}"):
            if (data := self._store.get(key)) is None:
                continue
            shared = self._read(key, data)
            spending = _renamed(_without_ended(shared.spending, self._store), names)
            records, consent_id = self._journal.consents, shared.consent.consent_id
            is_known = records.ended_of(consent_id).issuperset(shared.ended)
            if records.elsewhere(consent_id) != spending or not is_known:
                self._journal.record(ConsentImported(shared.consent, shared.ended, spending))

    # What we spend

    async def share_judge_calls(self) -> None:
        """Return when all reserved judge calls are durable in the store. Concurrent ones are written together, with the
        answers so far: another machine does not pay for these again.

        Raises:
            OverCeilingError, StoreError, UsageError: the judge call must not be made.
        """
        self._asked += 1
        mine = self._asked
        async with self._turn:
            if self._written >= mine:
                return
            written, write = self._asked, self.prepare()
            votes = {} if self._answers is None else self._answers.unshared_votes()
            if write is not None:
                await anyio.to_thread.run_sync(self._put, write, votes)
            if write is not None and self._answers is not None:
                self._answers.votes_shared(votes)
            self._written = written

    def _put(self, write: ConsentWrite, votes: Mapping[str, bytes]) -> None:
        def change(now: Reader) -> dict[str, bytes | None]:
            return {**{key: data for key, data in votes.items() if not now.has(key)}, **self.reserved(now, write)}

        self._store.update(change)
        self.check_months(write)

    def prepare(self) -> ConsentWrite | None:
        """What is reserved and spent now; None without a consent."""
        known = self._known(self._consent_id)
        return None if known is None else replace(known, ceilings=self._ceilings)

    def reserved(self, now: Reader, write: ConsentWrite) -> dict[str, bytes | None]:
        """The documents with this. May run in another thread. Raises `OverCeilingError`."""
        shared = self._merged(now, write)
        self.check_months(write, shared)
        for ceiling in write.ceilings:
            if ceiling.month is not None:
                continue
            plan = None if ceiling.plan is None else self._show_name(ceiling.plan)
            judged = whole_cents(shared.spending.of_judge_calls(plan).committed)
            committed_cents = shared.spending.of_calls(plan).committed + judged
            if committed_cents > ceiling.limit_cents:
                raise OverCeilingError(ceiling.label, ceiling.limit_cents, committed_cents)
        return _document(shared)

    def check_months(self, write: ConsentWrite, shared: SharedConsent | None = None) -> None:
        """Check what all consents of the store reserved, `shared` instead of what it has of this one. Where a store is
        written key by key, both of two machines check once more after they have written, and neither may send.

        Raises `OverCeilingError`; `StoreError`: a consent cannot be read.
        """
        for ceiling in write.ceilings:
            if ceiling.month is None or self._whole is None:
                continue
            committed_cents = self._whole.in_month(ceiling.month, shared).committed_cents
            if committed_cents > ceiling.limit_cents:
                raise OverCeilingError(ceiling.label, ceiling.limit_cents, committed_cents)

    def outcome(self, now: Reader, launch_ids: Iterable[str]) -> dict[str, bytes | None]:
        """The current documents of this session's consent, of open ones, and of those of these launches."""
        launches = [launch for each in launch_ids if (launch := self._journal.launch(each)) is not None]
        wanted = {self._consent_id, *(launch.consent_id for launch in launches)}
        wanted |= {consent.consent_id for consent in self._journal.consents.open()}
        writes: dict[str, bytes | None] = {}
        for known in filter(None, map(self._known, sorted(wanted))):
            key = _key(known.consent)
            if known.spending.plans or now.has(key):
                writes |= _document(self._merged(now, known))
        return writes

    def _known(self, consent_id: str) -> ConsentWrite | None:
        records = self._journal.consents
        consent = records.get(consent_id)
        if consent is None:
            return None
        launches = frozenset(self._journal.launch_ids_of(consent_id))
        whole = spending_of(self._journal, consent_id)
        spending = Spending(
            {launch_id: by_plan for launch_id, by_plan in whole.launches.items() if launch_id in launches},
            records.judging_of(consent_id),
            months=whole.months,
        )
        shown = replace(consent, by=self._show_name(consent.by))
        shown_spending = _renamed(spending, {plan: self._show_name(plan) for plan in spending.plans})
        return ConsentWrite(shown, records.ended_of(consent_id), launches, shown_spending)

    def _merged(self, now: Reader, write: ConsentWrite) -> SharedConsent:
        """The union by identity: our launches and sessions as we know them, the others as they are stored."""
        key = _key(write.consent)
        data = now.get(key)
        if data is None:
            ended = tuple(sorted(write.ended))
            return SharedConsent(consent=write.consent, ended=ended, spending=write.spending)
        stored = self._read(key, data)
        elsewhere = _without_ended(stored.spending, now).launches
        others = {key: amounts for key, amounts in elsewhere.items() if key not in write.launches}
        spending = Spending(
            {**others, **write.spending.launches},
            {**stored.spending.judging, **write.spending.judging},
            months={**stored.spending.months, **write.spending.months},
        )
        ended = tuple(sorted(write.ended.union(stored.ended)))
        return SharedConsent(consent=write.consent, ended=ended, spending=spending)

    # Documents

    def _read(self, key: str, data: bytes) -> SharedConsent:
        try:
            shared = SharedConsent.model_validate_json(data)
        except ValidationError as error:
            raise self._impossible(key, error.errors(include_url=False)[0]["msg"]) from error
        if _key(shared.consent) != key or not key.startswith(f"{PREFIX}{id_prefix(shared.consent.digest)}"):
            raise self._impossible(key, f"it is of consent {shared.consent.consent_id[:80]!r}")
        if not is_possible(shared.consent.agreed_at, self._now, SERVER_CLOCK_SKEW):
            raise self._impossible(key, f"{shared.consent.agreed_at.isoformat()} is not a valid time of a consent")
        return shared

    def _impossible(self, key: str, why: str) -> StoreError:
        return StoreError(
            f"the shared consent {key} cannot be read: {why}",
            f"Check {self._store.locate(key)}. No call is made while it cannot be read, since a ceiling may be "
            "reached. If none of your jobs wrote it, remove it from the store.",
        )


def _document(shared: SharedConsent) -> dict[str, bytes | None]:
    return {_key(shared.consent): shared.model_dump_json().encode()}


def _without_ended(spending: Spending, now: Reader) -> Spending:
    return spending.without_ended(lambda launch_id: now.has(f"intents/{launch_id}.json"))


def _renamed(spending: Spending, names: Mapping[str, str]) -> Spending:
    def renamed(by_plan: Mapping[str, Amount]) -> dict[str, Amount]:
        amounts: dict[str, Amount] = {}
        for plan, amount in by_plan.items():
            name = names.get(plan, plan)
            amounts[name] = amounts.get(name, Amount()) + amount
        return amounts

    launches = {launch_id: renamed(by_plan) for launch_id, by_plan in spending.launches.items()}
    judging = {session: renamed(by_plan) for session, by_plan in spending.judging.items()}
    return Spending(launches, judging, months=spending.months)


def _key(consent: Consent) -> str:
    return f"{PREFIX}{consent.consent_id}.json"
