"""`planner run` with an organisation: the calls of its consent are made by the organisation's workers.

The client submits its consent, then follows the events of that consent in the tables into the journal of this machine.
So everything after the calls is as it is without an organisation, and any checkout can follow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Final

import anyio
import anyio.to_thread
from sqlalchemy import RowMapping

from planner.errors import AlreadySubmittedError, IncompleteError, PlannerError, RefusedError, UsageError
from planner.evidence import Evidence
from planner.execution.consents import NO_SPENDING, CallsSubmitted, Consent, ConsentImported
from planner.execution.engine import ConsentedJobs, Job, Outcome, SessionTerms
from planner.execution.events import (
    Collected,
    DuplicateAnswer,
    Event,
    EvidenceStored,
    Intended,
    Moved,
    RunsBound,
    RunsClaimed,
)
from planner.execution.journal import Journal
from planner.execution.launches import TRANSITIONS, LaunchState, Slot, SlotKey
from planner.execution.ledger import Ledger, Purpose
from planner.execution.local import LocalEngine
from planner.execution.observer import Observer
from planner.execution.spending import month_of
from planner.organisation.documents import (
    ENDED,
    SNAPSHOT,
    SUBMISSION,
    Submission,
    SubmittedCeiling,
    parsed,
    submitted,
    written,
)
from planner.organisation.journal import event_to_follow
from planner.organisation.reporting import RunReports
from planner.organisation.states import AT_WORK, CALLING, STORED, THEIRS, ConsentState
from planner.organisation.tables import Tables
from planner.organisation.watching import START_WORKER, Watch
from planner.providers.base import Target

_STORED_WITHIN: Final = timedelta(days=14)
LOOK_SECONDS: Final = 0.5

_SETTLED: Final = MappingProxyType(
    {
        LaunchState.ACKNOWLEDGED: LaunchState.ADOPTED,
        LaunchState.REFUSED: LaunchState.ABSENT,
        LaunchState.REJECTED: LaunchState.ABSENT,
        LaunchState.UNSENT: LaunchState.ABSENT,
    }
)
"""What an answer means to a launch whose answer nobody here expected any more."""


@dataclass(slots=True)
class OrganisationClient:
    """`engine` is this machine's own: it reads calls at the service whose evidence the tables do not have any more."""

    tables: Tables
    journal: Journal
    engine: LocalEngine
    repository: str
    service: str
    credential: str
    address: str
    """Of the tables, however planner.yaml writes it."""
    share_consent: Callable[[], Awaitable[None]] | None = None
    """With a shared store: returns when the consent is durable there."""
    detach: bool = False
    _followed: dict[str, int] = field(default_factory=dict[str, int])
    """The number of the last event that was followed, by consent id."""
    _planned_with: frozenset[str] | None = None
    """The consents that the tables had when calls were planned last; None before."""

    # Before the calls are planned

    def import_consents(self, namespace: str) -> list[Consent]:
        """Learn of consents whose results are not stored yet, and of their calls: any checkout may finish them. Where
        another checkout has, this one needs those that it knows itself. `namespace` is where this job stores results:
        only consents of its own are followed. Returns those whose calls others make: the workers have not ended them,
        or they were submitted since this session planned before. Raises `StoreError`."""
        at_work: list[Consent] = []
        rows, before = self.tables.consents(), self._planned_with
        self._planned_with = frozenset(row["consent_id"] for row in rows)
        for row in rows:
            consent_id, state = row["consent_id"], ConsentState(row["state"])
            is_new = before is not None and consent_id not in before
            is_wanted = is_new or state not in STORED or self.journal.consents.is_open(consent_id)
            if row["repository"] != self.repository or not is_wanted:
                continue
            submission = submitted(row)
            if submission is None:
                continue  # it is submitted again if its calls are still wanted
            consent = submission.consent
            if consent.namespace != namespace or submission.service != self.service:
                continue
            if self.journal.consents.get(consent_id) is None:
                self.journal.record(ConsentImported(consent, (), NO_SPENDING))
            self._follow(consent_id)
            self._note_workers(consent_id, is_calling=state in THEIRS)
            at_work += [consent] if is_new or state in CALLING else []
        return at_work

    def _note_workers(self, consent_id: str, *, is_calling: bool) -> None:
        """Without workers, or with those of another organisation, a session must not make these calls, too."""
        organisation = self.address if is_calling else ""
        if self.journal.consents.organisation_of(consent_id) != organisation:
            self.journal.record(CallsSubmitted(consent_id, organisation))

    # Making the calls

    async def execute(
        self,
        terms: SessionTerms,
        consented: ConsentedJobs,
        resumed: Sequence[Slot],
        *,
        observer: Observer,
        interrupted: anyio.Event,
    ) -> Outcome:
        """As `LocalEngine.execute`. If this process ends, the workers go on. Raises `AlreadySubmittedError`: another
        session was faster."""
        try:
            return await self._submit_and_follow(terms, consented, resumed, observer=observer, interrupted=interrupted)
        except AlreadySubmittedError:
            raise
        except RefusedError as error:
            return Outcome(refusal=error.with_hint, left=_all(consented))
        except UsageError as error:
            return Outcome(usage=error.with_hint, left=_all(consented))
        except PlannerError as error:
            if interrupted.is_set():
                return Outcome(interrupted=True, left=_all(consented))
            return Outcome(trouble=error.with_hint, left=_all(consented))

    async def _submit_and_follow(
        self,
        terms: SessionTerms,
        consented: ConsentedJobs,
        resumed: Sequence[Slot],
        *,
        observer: Observer,
        interrupted: anyio.Event,
    ) -> Outcome:
        consent_id = consented.consent_id
        watch = Watch(self.tables, interrupted, terms.settings.outage_give_up_seconds, observer.warn)
        before = {slot.key for slot in self.journal.slots_of_consent(consent_id)}
        others = [slot for slot in resumed if slot.key not in before]
        if consented.may_launch:
            await watch.patiently(lambda: self._submit(terms, consented, others, observer))
        if self.detach:
            return Outcome(submitted=True, left=_all(consented))
        resumed_keys = {slot.key for slot in resumed}
        runs = RunReports(self.journal, self.engine.load_evidence, consented, resumed_keys, observer)
        runs.report(others)
        while True:
            row = await watch.patiently(lambda: self._look(consent_id))
            runs.ended()
            if row is None or ConsentState(row["state"]) not in CALLING:
                if row is not None:
                    self._note_workers(consent_id, is_calling=ConsentState(row["state"]) in THEIRS)
                self._count(terms.ledger, consent_id, before)
                if row is None or ConsentState(row["state"]) in STORED:
                    gone = self._without_evidence(consented)
                    if row is None and not gone and not runs.reported:
                        return Outcome(left=_all(consented))
                    made = replace(consented, jobs=dict(_only(consented, gone)), may_launch=False)
                    return await self.engine.execute(terms, made, gone, observer=observer, interrupted=interrupted)
                ended = parsed(ENDED, row["outcome"], consent_id)
                runs.ended(dict.fromkeys(ended.unread_slots, "its data could not be read"))
                return ended.outcome()
            if interrupted.is_set():
                return Outcome(interrupted=True, submitted=True, left=_all(consented))
            await watch.patiently(lambda: self._show_progress(consent_id, observer, watch))
            with anyio.move_on_after(LOOK_SECONDS):
                await interrupted.wait()

    async def _submit(
        self, terms: SessionTerms, consented: ConsentedJobs, others: Sequence[Slot], observer: Observer
    ) -> None:
        """Write the consent with its calls, unless it is at work or nothing of it is left. `others` are calls of other
        consents that were not used yet. Raises `IncompleteError` without a worker; `RefusedError`, `StoreError`,
        `UsageError`."""
        consent_id = consented.consent_id
        row = await anyio.to_thread.run_sync(self.tables.consent, consent_id)
        if row is not None and ConsentState(row["state"]) in AT_WORK:
            observer.log("following the calls that were submitted before")
            return
        if row is not None and row["outcome"] and _is_done(row):
            return
        if any(slot.evidence is None for slot in others):
            raise UsageError(
                "some of these calls were begun under another consent and have not ended",
                "Finish them first: leave `organisation` out of planner.yaml for one session.",
            )
        jobs = tuple(_less(consented, others))
        if not jobs:
            return
        if await anyio.to_thread.run_sync(self.tables.worker) is None:
            raise IncompleteError("no worker of the organisation is running, so no call is made", START_WORKER)
        consent = self.journal.consents.get(consent_id)
        assert consent is not None, "it was recorded when somebody agreed"
        submission = Submission(
            consent=replace(consent, first_agreed_at=self._first_agreed_at(consent)),
            jobs=jobs,
            session_id=terms.session_id,
            repository=self.repository,
            service=self.service,
            credential=self.credential,
            ceilings=tuple(self._ceilings(terms.ledger, consent_id)),
            settled=tuple(self._settled(consent_id)),
        )
        text = written(SUBMISSION, submission)
        is_equal = partial(self._is_equal, submission)
        was_submitted = self.journal.consents.organisation_of(consent_id) == self.address
        self._note_workers(consent_id, is_calling=True)  # first: if this process ends now, they may have it
        try:
            if self.share_consent is not None:
                await self.share_consent()
        except PlannerError:
            self._note_workers(consent_id, is_calling=was_submitted)  # they do not have it
            raise
        if not await anyio.to_thread.run_sync(self.tables.submit, consent_id, self.repository, text, is_equal):
            self._note_workers(consent_id, is_calling=was_submitted)
            raise AlreadySubmittedError(
                "another session has just submitted the same calls", "Run the same command again."
            )
        observer.log(f"submitted {len(consented.jobs)} cases to the organisation's workers")

    def _first_agreed_at(self, consent: Consent) -> datetime:
        """To any of these calls that the workers may have made, unless everything starts over. The tables may have
        been lost since."""
        consents, wanted = self.journal.consents, {call.fingerprint for call in consent.calls}
        submitted = [each for each in consents.open() if consents.organisation_of(each.consent_id) == self.address]
        equal = [each for each in submitted if wanted.intersection(call.fingerprint for call in each.calls)]
        return min(each.begun_at for each in [consent, *([] if consent.starts_over else equal)])

    def _is_equal(self, submission: Submission, row: RowMapping) -> bool:
        """Whether a row has the same calls, and this session did not know of it when it planned them."""
        return row["consent_id"] not in (self._planned_with or ()) and submission.is_in(row)

    def _settled(self, consent_id: str) -> Iterator[Moved]:
        """What became of lost launches: workers search for them until they learn it."""
        for launch in self.journal.launches((LaunchState.ADOPTED, LaunchState.ABSENT)):
            if launch.consent_id == consent_id:
                slots = self.journal.slots_of(launch.launch_id)
                bindings = {slot.ordinal: slot.run_id for slot in slots if slot.run_id is not None}
                yield Moved(launch.launch_id, launch.state, launch.detail, launch.batch_id, launch.run_ids, bindings)

    def _ceilings(self, ledger: Ledger, consent_id: str) -> Iterator[SubmittedCeiling]:
        """For the calls alone: without what judge calls and, in a month, other consents have cost."""
        for ceiling in ledger.ceilings:
            if ceiling.by_service:
                continue
            calls_cents = sum(
                slot.committed_cents for slot, purpose in self._spent(consent_id) if ceiling.covers(purpose)
            )
            left_cents = max(0, ceiling.left_cents + calls_cents)
            yield SubmittedCeiling(ceiling.label, left_cents, ceiling.plan, ceiling.month, ceiling.limit_cents)

    def _spent(self, consent_id: str) -> Iterator[tuple[Slot, Purpose]]:
        for slot in self.journal.slots_of_consent(consent_id):
            launch = self.journal.launch(slot.launch_id)
            assert launch is not None
            yield slot, Purpose(slot.plan, consent_id, month=month_of(launch.sent_at))

    def _count(self, ledger: Ledger, consent_id: str, before: set[SlotKey]) -> None:
        """What the workers spent, so that judge calls have the rest."""
        for slot, purpose in self._spent(consent_id):
            if slot.key not in before:
                reserved_cents = slot.reserved_cents if slot.cost_cents is None else 0
                ledger.count(purpose, spent_cents=slot.cost_cents or 0, reserved_cents=reserved_cents)

    # Following

    async def _look(self, consent_id: str) -> RowMapping | None:
        row = await anyio.to_thread.run_sync(self.tables.consent, consent_id)
        self._follow(consent_id)
        return row

    def _follow(self, consent_id: str) -> None:
        """Record what happened since the last look. What this journal has already is left out."""
        for row in self.tables.events(self._followed.get(consent_id, 0), consent_id):
            event = event_to_follow(row, self.tables)
            for known in self._as_here(event, row["session_id"]):
                self.journal.record(known)
            self._followed[consent_id] = row["number"]

    def _as_here(self, event: Event, session_id: str) -> Iterable[Event]:
        match event:
            case Intended(intent):
                if self.journal.launch(intent.launch_id) is None:
                    yield Intended(replace(intent, session_id=session_id))
            case Moved() | DuplicateAnswer():
                yield from self._moved_here(event)
            case RunsClaimed() | RunsBound():
                yield event
            case EvidenceStored(slots):
                yield from (EvidenceStored((found,)) for found in filter(None, map(self._fetched, slots)))
            case _:
                pass  # this machine has its own

    def _moved_here(self, event: Moved | DuplicateAnswer) -> Iterable[Event]:
        """Without a move that is known here. If a session ended here while the workers sent a launch, it is unsent or
        unconfirmed here: then their answer settles it."""
        launch = self.journal.launch(event.launch_id)
        if launch is None:
            return
        allowed = TRANSITIONS.get(launch.state, ())
        if isinstance(event, DuplicateAnswer):
            yield from [event] if LaunchState.UNCONFIRMED in allowed else []
        elif event.state in allowed:
            yield event
        elif (settled := _SETTLED.get(event.state)) in allowed:
            yield event._replace(state=settled)

    def _fetched(self, slot: Collected) -> Collected | None:
        """With the digest that the evidence has here, where it may be redacted. None if it was fetched before."""
        known = self.journal.slots_of(slot.launch_id)[slot.ordinal]
        data = None if slot.evidence is None else self.tables.evidence(slot.evidence)
        if data is None:
            return None if known.evidence is not None else replace(slot, evidence=None)
        (digest,) = self.engine.save_evidences([Evidence.model_validate_json(data)])
        return replace(slot, evidence=digest)

    def _without_evidence(self, consented: ConsentedJobs) -> list[Slot]:
        """Another checkout has stored the results of this consent, so the tables do not have these calls any more."""
        return [
            slot
            for slot in self.journal.slots_of_consent(consented.consent_id)
            if slot.case_id in consented.jobs and slot.consumed_by is slot.evidence is None and slot.run_id is not None
        ]

    async def _show_progress(self, consent_id: str, observer: Observer, watch: Watch) -> None:
        text = await anyio.to_thread.run_sync(self.tables.progress, consent_id)
        if text is not None:
            observer.on_snapshot(parsed(SNAPSHOT, text, consent_id))
        await watch.look_at_worker()

    # After the results are stored

    def close(self, consent_id: str) -> None:
        """The results are stored here: the tables need not keep what belongs to them. Raises `StoreError`."""
        row = self.tables.consent(consent_id)
        if row is None or ConsentState(row["state"]) in AT_WORK:
            return
        self.tables.close(consent_id, row["submission"])


def may_call(tables: Tables, target: Target, now: datetime) -> bool:
    """Whether a consent has calls to this target that are being made, or whose results nobody has stored yet; for some
    weeks, since somebody may never store them. Raises `StoreError`."""
    return any(
        job.line.target == target
        for row in tables.consents(*(state for state in ConsentState if state not in STORED))
        if row["changed_at"] > (now - _STORED_WITHIN).timestamp() or ConsentState(row["state"]) in CALLING
        if (submission := submitted(row)) is not None
        for job in submission.jobs
    )


def _less(consented: ConsentedJobs, others: Iterable[Slot]) -> Iterator[Job]:
    """The calls that are left to make, without those that count already."""
    made = Counter(slot.case_id for slot in others)
    for job in consented.jobs.values():
        if job.runs > made[job.case_id]:
            yield replace(job, runs=job.runs - made[job.case_id])


def _only(consented: ConsentedJobs, slots: Iterable[Slot]) -> Iterator[tuple[str, Job]]:
    """The jobs of these calls, without any other."""
    for case_id, runs in Counter(slot.case_id for slot in slots).items():
        yield case_id, replace(consented.jobs[case_id], runs=runs)


def _all(consented: ConsentedJobs) -> dict[str, int]:
    return {case_id: job.runs for case_id, job in consented.jobs.items()}


def _is_done(row: RowMapping) -> bool:
    return parsed(ENDED, row["outcome"], row["consent_id"]).outcome().finished
