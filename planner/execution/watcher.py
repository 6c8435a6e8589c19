"""Watches runs: one poll of the run list serves all runs under way and all unconfirmed launches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import anyio.to_thread
from anyio.abc import TaskGroup

from planner.errors import IncompleteError, PlannerError, StoreError
from planner.evidence import Evidence, merged
from planner.execution.collecting import WaitPolicy, collect
from planner.execution.context import Context
from planner.execution.journal_state import evidence_stored
from planner.execution.launches import LaunchState, Slot, run_record
from planner.execution.listing import Listed, read_list
from planner.execution.run_matching import bind, is_foreign_run, searchable, settle_unconfirmed
from planner.execution.watched import Search, Watched
from planner.execution.wording import dollars
from planner.providers.base import PAGE_LIMIT, Batch, CallId, Run

POLLS_A_RUN = 0.27
"""List requests per run while further runs wait for capacity."""
LONGEST_POLL_SHARE = 0.16
"""Longest poll interval, as a share of a run's duration."""
TAIL_POLL_SHARE = 0.04
"""The same for the last run, when nothing waits for capacity; multiplied by the number of runs."""
ROW_MARGIN = 1.2
"""Rows to request, as a multiple of those needed last time plus new launches, since other clients launch too."""
MAX_UNCERTAIN_POLL_SECONDS = 5.0
"""Longest poll interval while something is unresolved or no run has ended yet."""
FIRST_POLL_SHARE = 0.15
"""Poll interval until a run has ended, as a share of the time waited."""


@dataclass(frozen=True, slots=True)
class _Read:
    """An ended run with its evidence."""

    run: Run
    watched: Watched
    evidence: Evidence
    is_charge_late: bool


@dataclass(slots=True)
class Watcher:
    context: Context
    _seconds_seen: list[float] = field(default_factory=list[float])
    """Seconds from launch to end of the latest runs that ended while watched."""
    _swept: float = 0.0
    """When the list was last requested, in monotonic seconds."""
    _rows: int = PAGE_LIMIT
    """The row of the oldest run under way in that list."""
    _read: list[_Read] = field(default_factory=list[_Read])
    """Read and not stored yet."""
    _is_storing: bool = False

    def poll_seconds(self) -> float:
        context = self.context
        if self._seconds_seen and context.under_way():
            usual = sum(self._seconds_seen) / len(self._seconds_seen)
            running = max(1, context.accepted_in_flight())
            if len(context.pending) or len(context.deferred):
                pages = -(-self._rows // PAGE_LIMIT)
                share = pages / (POLLS_A_RUN * running)
            else:
                share = TAIL_POLL_SHARE * running
            wanted = max(usual * min(share, LONGEST_POLL_SHARE), context.seconds_to_retry())
        else:
            now = context.clock.monotonic()
            asked = (context.watched, context.unbound, context.unconfirmed)
            wanted = (
                now - min((item.since for items in asked for item in items.values()), default=now)
            ) * FIRST_POLL_SHARE
        floor, ceiling = context.settings.poll_floor_seconds, context.settings.poll_ceiling_seconds
        if not self._seconds_seen or context.unbound or context.unconfirmed or context.failing_since is not None:
            ceiling = min(ceiling, max(floor, MAX_UNCERTAIN_POLL_SECONDS))
        return min(max(wanted, floor), ceiling)

    async def sweep(self, tasks: TaskGroup) -> None:
        """Poll once. If the service cannot be read, the next poll tries again."""
        context = self.context
        # The lists are as of now, however long the process is suspended meanwhile.
        began = context.clock.monotonic()
        unconfirmed = searchable(context)
        try:
            runs = await self._runs()
            batches = await self._batches(unconfirmed) if unconfirmed else Listed[Batch]()
            for unbound in list(context.unbound.values()):
                await bind(context, unbound, runs.found)
        except StoreError:
            raise
        except IncompleteError as error:
            context.service_failed(str(error))
            return
        except PlannerError as error:  # refused during the session, for example because the key was revoked
            context.outcome.usage = f"{error}. {error.hint}".strip()
            context.give_up(str(error))
            return
        context.service_recovered()
        for run_id in [run_id for run_id in context.watched if run_id in runs.found]:
            self._check_run(runs.found[run_id], tasks)
        settle_unconfirmed(context, unconfirmed, runs, batches, began)
        self._drop_overdue()

    # The lists

    async def _runs(self) -> Listed[Run]:
        """The run list, back to the oldest open launch or run."""
        context = self.context
        asked = [search.unconfirmed.launch for search in context.unconfirmed.values()] + [
            item.launch for item in context.unbound.values()
        ]
        oldest = min(
            (launch.earliest for launch in asked + [watched.launch for watched in context.watched.values()]),
            default=None,
        )
        wanted = None if asked else context.watched.keys()
        if wanted is None:
            return await read_list(context.client.runs, oldest=oldest)
        launched_since = sum(watched.since >= self._swept for watched in context.watched.values())
        self._swept = context.clock.monotonic()
        expected = int((self._rows + launched_since) * ROW_MARGIN)
        listed = await read_list(context.client.runs, oldest=oldest, wanted=wanted, first_page=expected)
        self._rows = max(
            (
                row
                for row, (run_id, run) in enumerate(listed.found.items(), start=1)
                if run_id in wanted and not run.ended
            ),
            default=0,
        )
        return listed

    async def _batches(self, unconfirmed: Sequence[Search]) -> Listed[Batch]:
        oldest = min(search.unconfirmed.launch.earliest for search in unconfirmed)
        return await read_list(self.context.client.batches, oldest=oldest)

    def _check_run(self, run: Run, tasks: TaskGroup) -> None:
        context = self.context
        watched = context.watched[run.id]
        if watched.launch.state is LaunchState.ACKNOWLEDGED:
            context.record_requester(run.requester_id)
        now = context.clock.monotonic()
        if not run.ended or now < watched.retry_at:
            return
        if is_foreign_run(context, watched, run):
            del context.watched[run.id]
            self._stop_waiting_for(watched, f"run {run.id} is not what launch {watched.launch.launch_id} asked for")
            return
        if watched.ended_at is None:
            watched.ended_at = now
            context.unbilled[watched.launch.line.target] += 1
            if run.call_id is not None:
                context.transactions.expect(run.call_id, run.completed_at or watched.launch.earliest)
            # A failed run says nothing about durations.
            if not watched.resumed and run.status == "completed":
                self._seconds_seen = [*self._seconds_seen[-99:], now - watched.since]
            context.wake()
        is_late = now - watched.ended_at < context.settings.evidence_wait_seconds and not watched.slot.evidence
        if run.call_id is None and run.status == "completed" and is_late:
            return  # its call id has not arrived yet
        del context.watched[run.id]
        context.collecting += 1
        tasks.start_soon(self._collect, run, watched, tasks)

    async def _collect(self, run: Run, watched: Watched, tasks: TaskGroup) -> None:
        context = self.context
        stored = watched.slot.evidence
        try:
            wait = WaitPolicy(
                # After the first reading, one more is enough.
                0.0 if stored is not None else context.settings.evidence_wait_seconds,
                watched.job.await_grade,
                context.seconds_since(run.completed_at) if watched.resumed and run.completed_at else 0.0,
                lambda: self._price(run, watched),
            )
            read = await collect(context.client, run, wait, clock=context.clock, transactions=context.transactions)
            evidence = merged(context.load_evidence(stored) if stored is not None else None, read)
        except StoreError:
            raise
        except PlannerError as error:
            context.collecting -= 1
            self._retry_collecting(run.id, watched, str(error))
            context.snapshot()
            context.wake()
            return
        self._read.append(_Read(run, watched, evidence, is_charge_late=self._is_charge_late(evidence)))
        if not self._is_storing:
            self._is_storing = True
            tasks.start_soon(self._store)

    def _is_charge_late(self, evidence: Evidence) -> bool:
        """Whether the bill of the call is used because its transaction did not come in time."""
        transactions = self.context.transactions
        if evidence.call_id is None:
            return False
        call_id = CallId(evidence.call_id)
        is_late = bool(evidence.cost_cents) and transactions.is_awaited(call_id)
        if is_late:
            transactions.miss(call_id)
        else:
            transactions.forget(call_id)
        return is_late

    async def _store(self) -> None:
        """Store everything that was read, in batches: writing many files together takes as long as one. Only durable
        evidence is billed and reported."""
        context = self.context
        while self._read:
            ended, self._read = self._read, []
            digests = await anyio.to_thread.run_sync(context.save_evidences, [item.evidence for item in ended])
            stored = [
                (
                    item,
                    replace(
                        item.watched.slot,
                        evidence=digest,
                        cost_cents=item.evidence.cost_cents,
                        completed_at=item.run.completed_at,
                    ),
                )
                for item, digest in zip(ended, digests, strict=True)
            ]
            context.journal.record(evidence_stored(slot for _, slot in stored))
            for item, slot in stored:
                self._report(item, slot)
            context.snapshot()
            context.wake()
        self._is_storing = False

    def _report(self, item: _Read, slot: Slot) -> None:
        context = self.context
        watched, evidence = item.watched, item.evidence
        if watched.slot.cost_cents is None:  # otherwise it was billed before and only its evidence was missing
            if evidence.cost_cents is None:
                self._price(item.run, watched)
            context.bill(
                watched.slot,
                watched.launch,
                evidence.cost_cents,
                reservation_cents=watched.reservation_cents,
                is_final=not item.is_charge_late or watched.job.reserve_cents is None,
            )
        context.observer.log(f"run {item.run.id} of {slot.case_id} ended, {_billed(evidence.cost_cents)}")
        context.report(run_record(slot, watched.launch, evidence, resumed=watched.resumed))
        context.collecting -= 1
        context.unbilled[watched.launch.line.target] -= 1

    def _price(self, run: Run, watched: Watched) -> None:
        """A call of unknown price ended and its bill is late: replace its reservation, which is everything left, by the
        service's estimate, so that other calls can start. Our own estimates stay."""
        context = self.context
        is_ours = watched.launch.change_set_digest == context.change_set_digest
        unpriced = (
            watched.job.reserve_cents is None and watched.reservation_cents is None and watched.slot.cost_cents is None
        )
        if unpriced and is_ours and run.estimated_cents is not None:
            watched.reservation_cents = run.estimated_cents
            context.ledger.revise(watched.slot.plan, watched.slot.reserved_cents, run.estimated_cents)
            context.wake()

    def _retry_collecting(self, run_id: int, watched: Watched, problem: str) -> None:
        context = self.context
        ended_at = watched.ended_at if watched.ended_at is not None else context.clock.monotonic()
        if (now := context.clock.monotonic()) - ended_at < context.settings.evidence_give_up_seconds:
            # Not a failure of the service: the list shows whether that works.
            watched.back_off(now)
            context.watched[run_id] = watched
            context.observer.log(f"run {run_id} cannot be read, retrying in {watched.pause_seconds:.2g} s: {problem}")
        else:
            self._stop_waiting_for(watched, f"the evidence of run {run_id} cannot be read: {problem}", unread=problem)

    # Runs that do not end

    def _drop_overdue(self) -> None:
        context = self.context
        now = context.clock.monotonic()
        for run_id, watched in list(context.watched.items()):
            if now >= watched.deadline and watched.ended_at is None:
                del context.watched[run_id]
                self._stop_waiting_for(
                    watched, f"run {run_id} has not ended within {watched.job.timeout_seconds:.0f} s"
                )
        for launch_id, unbound in list(context.unbound.items()):
            if now >= unbound.deadline:
                del context.unbound[launch_id]
                context.outcome.overdue += unbound.slots
                if launch_id not in context.outcome.anomalies:
                    context.report_anomaly(
                        launch_id,
                        f"{unbound.slots} runs of launch {launch_id} never appeared in the service's list of runs",
                    )
                context.wake()

    def _stop_waiting_for(self, watched: Watched, reason: str, *, unread: str = "") -> None:
        """Stop waiting for a run; the next session resumes it. Stored evidence stays."""
        context = self.context
        context.unbilled[watched.launch.line.target] -= watched.ended_at is not None
        stored = watched.slot.evidence
        evidence = context.load_evidence(stored) if stored is not None else None
        if evidence is None:
            context.outcome.overdue += 1
            if unread:
                context.outcome.unread.append(unread)
                context.outcome.unread_slots.add(watched.slot.key)
        context.observer.log(f"{reason}; not waiting any longer")
        context.report(run_record(watched.slot, watched.launch, evidence, resumed=watched.resumed, unread=unread))
        context.wake()


def _billed(cents: int | None) -> str:
    return "its bill is late" if cents is None else f"billed {dollars(cents)}"
