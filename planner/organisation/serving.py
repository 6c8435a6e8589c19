"""A coordinator's session: the consents of all repositories over one `State`, until something goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, cast

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup
from sqlalchemy import RowMapping

from planner.errors import CredentialError, NotFoundError, PlannerError, RefusedError, StoreError
from planner.execution.consents import ConsentAdded
from planner.execution.core import WaitReason, outcome_of, snapshot
from planner.execution.engine import BALANCE, ConsentedJobs, Outcome, Snapshot
from planner.execution.events import (
    Consumed,
    Event,
    Interrupted,
    JobsEnded,
    Moved,
    RunsBound,
    RunsClaimed,
    SessionEvent,
    Stopped,
)
from planner.execution.journal_state import TakenError
from planner.execution.launches import LONGEST_RUN, UNSETTLED, LaunchIntent, LaunchState
from planner.execution.ledger import Ceiling, Purpose
from planner.execution.local import Session
from planner.execution.month_spending import next_month
from planner.execution.previews import source_of
from planner.execution.reading import read_list
from planner.execution.spending import month_of
from planner.execution.wanted import resumable_slots
from planner.organisation.documents import (
    ENDED,
    SNAPSHOT,
    SUBMISSION,
    EndedConsent,
    Submission,
    ended_consent,
    submission_of,
    written,
)
from planner.organisation.journal import TablesJournal
from planner.organisation.policy import ceilings_of, spent_before, spent_unreadable
from planner.organisation.restored import calls_unknown, unknown_runs
from planner.organisation.states import ConsentState
from planner.organisation.worker import GuardedTasks, Worker
from planner.providers.base import Run
from planner.quantities import count

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

LOOK_SECONDS: Final = 0.5
"""Between two looks for new consents, while there are none."""
LOOK_AT_WORK_SECONDS: Final = 2.0
"""While calls are being made."""
MOST_FAILURES: Final = 3
"""Of one consent: then it is dead."""


@dataclass(slots=True, kw_only=True)
class CoordinatorSession(Session):
    """One `State`. `failure` ended it; the next one goes on."""

    worker: Worker
    epoch: int
    known: dict[str, str]
    """The repository of each consent."""
    unreadable: Sequence[Submission] = ()
    """Of consents whose events cannot be read: what they spent is unknown."""
    failure: Exception | None = None
    _unknown: Sequence[Run] | None = None
    """Runs that belonged to no launch of the tables before the first consent was added."""
    _previews: dict[int, int] = field(default_factory=dict[int, int])
    """The agents that agents are previews of."""
    _submissions: dict[str, Submission] = field(default_factory=dict[str, Submission])
    """Of the consents that were added."""
    _shown: dict[str, Snapshot] = field(default_factory=dict[str, Snapshot])
    """Progress as the tables have it."""

    @property
    def journal(self) -> TablesJournal:
        return cast("TablesJournal", self.engine.journal)

    async def serve(self, stop: anyio.Event) -> None:
        """Until `stop`, a failure, launches that only a person can settle, or, after a day, nothing is left to do: the
        next session begins with tables that were pruned. Raises `CredentialError` if the key is rejected."""
        async with anyio.create_task_group() as tasks:
            await self.make_calls(tasks, stop)
            tasks.cancel_scope.cancel()
        if isinstance(self.failure, CredentialError):
            raise self.failure

    async def begin(self) -> None:
        """Resume the calls of the consents that another coordinator began."""
        await self._read_balance()
        rows = self.worker.tables.consents(ConsentState.OPEN)
        if rows:
            await self._read_unknown()
        for row in rows:
            await self._read_previews(row)
            self._add(row)

    async def make_calls(self, tasks: TaskGroup, stop: anyio.Event) -> None:
        self._tasks = cast("TaskGroup", GuardedTasks(tasks, self._failed))
        tasks.start_soon(self._watch_interruption, stop)
        tasks.start_soon(self._watch_tables)
        is_over, ends_at = False, self.engine.clock.monotonic() + LONGEST_RUN.total_seconds()
        while not is_over:
            await self._carry_out()
            is_over = self._end_all() or self.engine.clock.monotonic() > ends_at
            if not is_over:
                await self._wait(LOOK_SECONDS)

    def _end_all(self) -> bool:
        """Nothing is left to do. Whether this `State` is over: calls are under way, or launches unconfirmed, that no
        consent waits for any more."""
        if self.state.interrupted_at is not None:
            return True
        for consent_id in list(self.state.consents):
            self.happen(JobsEnded(consent_id))
        return bool(self.state.unconfirmed) or self.state.is_under_way()

    async def _read_unknown(self) -> None:
        """Once, before the first consent is added: what this `State` makes later is known."""
        if self._unknown is None:
            since = self.engine.now().server - LONGEST_RUN
            listed = await read_list(self.engine.provider.runs, oldest=since)
            young = [run for run in listed.found.values() if run.created_at is None or run.created_at >= since]
            self._unknown = unknown_runs(young, self.journal, self.engine.provider.credential)

    # Consents

    async def _watch_tables(self) -> None:
        """Take what clients have written, and show them the progress."""
        tables = self.worker.tables
        while True:
            await self.engine.clock.sleep(LOOK_AT_WORK_SECONDS if self.state.consents else LOOK_SECONDS)
            new = await anyio.to_thread.run_sync(tables.consents, ConsentState.SUBMITTED, ConsentState.CLOSING)
            for row in new:
                if ConsentState(row["state"]) is ConsentState.CLOSING:
                    self._close(row["consent_id"])
                elif self.state.interrupted_at is None:
                    if not self.state.in_flight():
                        await self._read_balance()
                    await self._read_unknown()
                    await self._read_previews(row)
                    self._add(row)
            shown = {each: self._snapshot_of(each) for each in self.state.consents}
            changed = {each: written(SNAPSHOT, new) for each, new in shown.items() if self._shown.get(each) != new}
            if changed:
                await anyio.to_thread.run_sync(tables.show_progress, self.epoch, changed)
                self._shown = shown

    async def _read_previews(self, row: RowMapping) -> None:
        """Learn from the service of which agents the called ones are previews: a row could say anything."""
        try:
            submission = submission_of(row["submission"], row["consent_id"])
        except StoreError:
            return  # `_add` refuses it
        for agent_id in self.worker.policy.may_be_previews(submission):
            with suppress(NotFoundError, CredentialError):  # then it is none
                agent = await self.worker.provider.agent(agent_id)
                self._previews[agent_id] = source_of(agent.name) or agent_id

    def _snapshot_of(self, consent_id: str) -> Snapshot:
        return snapshot(self.state, consent_id, self._waiting, self.engine.now())

    def _add(self, row: RowMapping) -> None:
        """Begin or resume the calls of a consent."""
        consent_id = row["consent_id"]
        try:
            submission = submission_of(row["submission"], consent_id)
            if consent_id in self.journal.unreadable:
                left = {job.case_id: job.runs for job in submission.jobs}
                trouble = self.journal.unreadable[consent_id].with_hint
                self._write_end(consent_id, EndedConsent(trouble=trouble, left=left), ConsentState.DEAD)
                return
            credential = self.engine.provider.credential
            self.worker.policy.check(submission, self.worker.service, credential, self._previews)
        except (StoreError, RefusedError) as error:
            self._refuse(consent_id, error)
            return
        if not self._settle(submission):
            return
        self.known[consent_id] = submission.repository
        self.journal.sessions[consent_id] = submission.session_id
        self._add_ceilings(submission)
        self.happen(ConsentAdded(submission.consent))
        if trouble := self._unknown_calls(submission):
            left = {job.case_id: job.runs for job in submission.jobs}
            self._write_end(consent_id, EndedConsent(trouble=trouble, left=left), ConsentState.DEFERRED)
            return
        self._submissions[consent_id] = submission
        jobs = {job.case_id: job for job in submission.jobs}
        most_runs = {case_id: job.runs * (1 + job.retries) for case_id, job in jobs.items()}
        slots = [
            slot
            for slot in self.journal.slots_of_consent(consent_id)
            if slot.consumed_by is None and slot.case_id in jobs
        ]
        open_launches = {launch.launch_id for launch in self.journal.launches(UNSETTLED)}
        resumed = [slot for mine in resumable_slots(slots, most_runs, open_launches).values() for slot in mine]
        self.consented = ConsentedJobs(
            consent_id=consent_id, jobs=jobs, repository=submission.repository, priority=submission.priority
        )
        self._resume(resumed)
        if ConsentState(row["state"]) is ConsentState.SUBMITTED:
            self.worker.tables.change(self.epoch, consent_id, state=ConsentState.OPEN.value)
        self.worker.log(f"consent {consent_id} of {submission.repository}: {count(len(jobs), 'case')}")

    def _settle(self, submission: Submission) -> bool:
        """Take over what a person found out about lost launches of this consent. Refuses what cannot be."""
        for moved in submission.settled:
            launch = self.journal.launch(moved.launch_id)
            is_lost = launch is not None and launch.state is LaunchState.UNCONFIRMED
            if launch is None or not is_lost or launch.consent_id != submission.consent.consent_id:
                continue
            try:
                self.journal.validate(moved)
            except (TakenError, AssertionError) as error:
                impossible = f"what was found out about launch {launch.launch_id} is impossible: {error}"
                self._refuse(launch.consent_id, StoreError(impossible))
                return False
            if moved.launch_id in self.state.unconfirmed:
                self.happen(moved)
                continue
            self.journal.record(moved)
            if moved.state is LaunchState.ABSENT:
                for slot in self.journal.slots_of(launch.launch_id):
                    purpose = Purpose(slot.plan, launch.consent_id, submission.repository, month_of(launch.sent_at))
                    self.state.ledger.release(purpose, slot.reserved_cents)
        return True

    def _unknown_calls(self, submission: Submission) -> str:
        """Why nothing may be called for a consent: its calls may have been made already. Empty if not."""
        if not self._unknown:
            return ""
        consent = self.journal.consents.get(submission.consent.consent_id)
        assert consent is not None, "it was added"
        unknown = unknown_runs(self._unknown, self.journal, self.engine.provider.credential)
        lost = calls_unknown(submission, consent.begun_at, unknown, self.journal)
        if not lost:
            return ""
        return (
            f"the service has {lost} calls like these that the organisation's tables do not know: the database may "
            "have been restored from an older copy. Nothing is called for them for a day: --start-over REASON pays for "
            "them again (docs/organisation.md)"
        )

    def _refuse(self, consent_id: str, error: PlannerError) -> None:
        text, is_refusal = error.with_hint, isinstance(error, RefusedError)
        ended = EndedConsent(refusal=text) if is_refusal else EndedConsent(trouble=text)
        self._write_end(consent_id, ended, ConsentState.ENDED)

    def _add_ceilings(self, submission: Submission) -> None:
        """Those of the consent, and those of this month and the next one if they are not there yet."""
        consent_id, now = submission.consent.consent_id, self.engine.now().server
        ledger = self.state.ledger
        policy, months = self.worker.policy, (month_of(now), next_month(now))
        own = ceilings_of(submission)
        labels = {each.label for each in own if each.month is not None}  # planner.yaml may have others by now
        replaced = [each for each in ledger.ceilings if each.label in labels and each.repository is not None]
        kept = [each for each in ledger.ceilings if each.consent_id != consent_id and each not in replaced]
        known = {each.label for each in kept}
        monthly = [each for month in months for each in policy.ceilings(month) if each.label not in known]
        new = [*own, *monthly]
        for ceiling in new:
            spent_before(ceiling, self.journal, self.known)
            spent_unreadable(ceiling, self.unreadable)
        ledger.ceilings = [*kept, *new]

    async def _read_balance(self) -> None:
        """Once for all. It already excludes past bills."""
        balance = await self.engine.provider.balance()
        ledger = self.state.ledger
        kept = [ceiling for ceiling in ledger.ceilings if ceiling.label != BALANCE]
        if balance is not None and balance.cents is not None:
            reserved = ledger.reserved_cents
            kept.append(Ceiling(BALANCE, balance.cents, None, reserved, reserved, by_service=True))
        ledger.ceilings = kept

    def _close(self, consent_id: str) -> None:
        """Its results are stored: its calls are not resumed any more."""
        keys = [
            slot.key
            for slot in self.journal.slots_of_consent(consent_id)
            if slot.run_id is not None and slot.consumed_by is None
        ]
        if keys:
            self.happen(Consumed(self.state.terms.session_id, tuple(keys)))
        self.worker.tables.change(self.epoch, consent_id, state=ConsentState.CLOSED.value)
        self.worker.tables.empty_log()

    # Ends

    def happen(self, event: Event | SessionEvent) -> None:
        if isinstance(event, Stopped) and event.consent_id is None and event.usage:
            self._tasks.start_soon(self._rejected, event)
            return
        if not isinstance(event, JobsEnded):
            Session.happen(self, event)
            if isinstance(event, Moved | RunsBound | RunsClaimed):
                self._stop_unknown()
            return
        outcome = outcome_of(self.state, event.consent_id)  # before its launches concern nobody
        Session.happen(self, event)
        self._ended(event.consent_id, outcome)

    async def _rejected(self, event: Stopped) -> None:
        """The service rejected a request for all consents. If it is the key, no consent ends: another worker may go
        on."""
        try:
            await self.worker.check_key()
        except CredentialError as error:
            self.failure = error
            self.happen(Interrupted())
        else:
            Session.happen(self, event)

    def _stop_unknown(self) -> None:
        """A launch that could have made unknown runs of the service has others, or none: then an unknown one did."""
        if not self._unknown:
            return
        for consent_id, consent in list(self.state.consents.items()):
            if not consent.stopped and (trouble := self._unknown_calls(self._submissions[consent_id])):
                Session.happen(self, Stopped(consent_id, blocked=trouble))

    def _ended(self, consent_id: str, outcome: Outcome) -> None:
        del self.state.ended[consent_id]
        ceilings = self.state.ledger.ceilings
        self.state.ledger.ceilings = [each for each in ceilings if each.consent_id != consent_id]
        self._write_end(consent_id, ended_consent(outcome), ConsentState.ENDED)

    def _write_end(self, consent_id: str, ended: EndedConsent, state: ConsentState) -> None:
        self.journal.forget_prompts(consent_id)
        row = self.worker.tables.consent(consent_id)
        try:
            submission = submission_of("" if row is None else row["submission"], consent_id)
            text = written(SUBMISSION, submission.without_prompts())
        except StoreError:
            text = ""  # it cannot be read, and may have prompts
        self.worker.tables.change(
            self.epoch, consent_id, state=state.value, outcome=written(ENDED, ended), submission=text
        )
        self.worker.tables.empty_log()
        reasons = (ended.refusal, ended.usage, ended.trouble, ended.blocked, ended.ceiling and f"under {ended.ceiling}")
        why = next((f": {each.splitlines()[0]}" for each in reasons if each), "")
        self.worker.log(f"consent {consent_id} {state.value}{why}")

    def _failed(self, concerned: object, error: Exception) -> None:
        """Something went wrong that nobody expected: a bug, or an answer that cannot be read. The consent that it
        concerns is tried again, but not for ever; answers to launches are awaited, and all others go on."""
        self.failure = error
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        _log.error("a task of the coordinator failed", exc_info=error)
        consent_id = self._concerned(concerned)
        self.worker.log(f"consent {consent_id or '(all)'}: {reason}")
        if consent_id is not None:
            row = self.worker.tables.consent(consent_id)
            failures = 1 + (0 if row is None else row["failures"])
            self.worker.tables.change(self.epoch, consent_id, failures=failures)
            if failures >= MOST_FAILURES:
                left = self.state.consents[consent_id].wanted.left() if consent_id in self.state.consents else {}
                dead = EndedConsent(trouble=f"it failed {failures} times, and is not tried again: {reason}", left=left)
                self._write_end(consent_id, dead, ConsentState.DEAD)
        if self.state.interrupted_at is None:
            self.happen(Interrupted())

    def _concerned(self, concerned: object) -> str | None:
        if isinstance(concerned, LaunchIntent):
            return concerned.consent_id
        if isinstance(concerned, Run) and concerned.id in self.state.reading:
            return self.state.reading[concerned.id][1].consent_id
        return None

    # What a session of one consent shows

    def snapshot(self) -> None:
        """Of all consents: `_watch_tables`."""

    async def _wait(self, seconds: float) -> None:
        """Until an event: nobody sees the time pass."""
        if not self._changed.is_set():
            with anyio.move_on_after(seconds):
                await self._changed.wait()
        self._changed = anyio.Event()

    def _note_waiting(self, reason: WaitReason | None) -> None:
        self._waiting = reason
