"""Watching: one sweep over the run list serves every run under way and every launch of unknown fate (`doubts`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import anyio.to_thread
from anyio.abc import TaskGroup

from planner.api.client import PAGE_LIMIT
from planner.api.wire import WireBatch, WireRun
from planner.errors import IncompleteError, PlannerError, StoreError
from planner.evidence import Evidence, merged
from planner.execution.binding import bind, is_anothers
from planner.execution.collecting import Patience, collect
from planner.execution.context import Context
from planner.execution.doubts import settle_doubts, undisputed
from planner.execution.launches import LaunchState, Slot, run_record
from planner.execution.listing import Listed, read_list
from planner.execution.watched import Doubt, Watched
from planner.execution.wording import dollars

POLLS_A_RUN = 0.27
"""Requests, where as many runs are under way as that leaves no place empty for long."""
LONGEST_POLL_SHARE = 0.16
"""Of what a run takes: how long its end may go unseen at most, and a place stay empty."""
TAIL_POLL_SHARE = 0.04
"""The same for the last run, when nothing waits for its place; with more under way, the next look is as good as this one."""
SPARE_ROWS = 1.2
"""Of what the list showed of runs under way last time, with those launched since: others launch, too."""
LONGEST_UNCERTAINTY_SECONDS = 5.0
"""Between two looks, while something is amiss or nothing has been seen to end."""
FIRST_POLL_SHARE = 0.15
"""Of the time waited so far, until a run has been seen to end."""


@dataclass(frozen=True, slots=True)
class _Read:
    """An ended run, all that the service tells of it."""

    run: WireRun
    watched: Watched
    evidence: Evidence
    is_charge_late: bool


@dataclass(slots=True)
class Watcher:
    context: Context
    _seconds_seen: list[float] = field(default_factory=list[float])
    """Wall seconds from launch to end, of the latest runs that ended under our eyes."""
    _swept: float = 0.0
    """When the list was looked at, in monotonic seconds."""
    _rows: int = PAGE_LIMIT
    """How deep in it the oldest run under way was then."""
    _read: list[_Read] = field(default_factory=list[_Read])
    """Not stored yet."""
    _is_storing: bool = False

    def poll_seconds(self) -> float:
        context = self.context
        if self._seconds_seen and context.under_way():
            usual = sum(self._seconds_seen) / len(self._seconds_seen)
            running = max(1, context.accepted_in_flight())
            if len(context.pending) or len(context.holding):
                pages = -(-self._rows // PAGE_LIMIT)
                share = pages / (POLLS_A_RUN * running)
            else:
                share = TAIL_POLL_SHARE * running
            wanted = max(usual * min(share, LONGEST_POLL_SHARE), context.seconds_to_read_again())
        else:
            now = context.clock.monotonic()
            asked = (context.watched, context.unbound, context.doubts)
            wanted = (
                now - min((item.since for items in asked for item in items.values()), default=now)
            ) * FIRST_POLL_SHARE
        floor, ceiling = context.settings.poll_floor_seconds, context.settings.poll_ceiling_seconds
        if not self._seconds_seen or context.unbound or context.doubts or context.failing_since is not None:
            ceiling = min(ceiling, max(floor, LONGEST_UNCERTAINTY_SECONDS))
        return min(max(wanted, floor), ceiling)

    async def sweep(self, tasks: TaskGroup) -> None:
        """Look at everything once. A service that cannot be read is looked at again next time."""
        context = self.context
        # What is read is as new as this, however long this process is stopped meanwhile.
        began = context.clock.monotonic()
        doubts = undisputed(context)
        try:
            runs = await self._runs()
            batches = await self._batches(doubts) if doubts else Listed[WireBatch]()
            for unbound in list(context.unbound.values()):
                await bind(context, unbound, runs.found)
        except StoreError:
            raise
        except IncompleteError as error:
            context.failed(str(error))
            return
        except PlannerError as error:  # refused in the middle: the key was revoked, say
            context.outcome.usage = f"{error}. {error.hint}".strip()
            context.give_up(str(error))
            return
        context.worked()
        for run_id in [run_id for run_id in context.watched if run_id in runs.found]:
            self._look_at(runs.found[run_id], tasks)
        settle_doubts(context, doubts, runs, batches, began)
        self._stop_waiting()

    # The lists

    async def _runs(self) -> Listed[WireRun]:
        """As deep as our oldest open question."""
        context = self.context
        asked = [doubt.lost.launch for doubt in context.doubts.values()] + [
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
        expected = int((self._rows + launched_since) * SPARE_ROWS)
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

    async def _batches(self, doubts: Sequence[Doubt]) -> Listed[WireBatch]:
        oldest = min(doubt.lost.launch.earliest for doubt in doubts)
        return await read_list(self.context.client.batches, oldest=oldest)

    def _look_at(self, run: WireRun, tasks: TaskGroup) -> None:
        context = self.context
        watched = context.watched[run.id]
        if watched.launch.state is LaunchState.ACKNOWLEDGED:
            context.know_requester(run.requested_by_id)
        now = context.clock.monotonic()
        if not run.ended or now < watched.read_again_at:
            return
        if is_anothers(context, watched, run):
            del context.watched[run.id]
            self._leave(watched, f"run {run.id} is not what launch {watched.launch.launch_id} asked for")
            return
        if watched.ended_at is None:
            watched.ended_at = now
            context.unbilled[watched.launch.line.target] += 1
            if run.call_id is not None:
                context.transactions.expect(run.call_id, run.completed_at or watched.launch.earliest)
            # One that failed tells nothing of how long calls take.
            if not watched.resumed and run.status == "completed":
                self._seconds_seen = [*self._seconds_seen[-99:], now - watched.since]
            context.wake()
        is_late = now - watched.ended_at < context.settings.evidence_wait_seconds and not watched.slot.evidence
        if run.call_id is None and run.status == "completed" and is_late:
            return  # its call id is still to come
        del context.watched[run.id]
        context.collecting += 1
        tasks.start_soon(self._collect, run, watched, tasks)

    async def _collect(self, run: WireRun, watched: Watched, tasks: TaskGroup) -> None:
        context = self.context
        stored = watched.slot.evidence
        try:
            patience = Patience(
                # It was awaited when it was read the first time; now one look is enough.
                0.0 if stored is not None else context.settings.evidence_wait_seconds,
                watched.work.await_grade,
                context.seconds_since(run.completed_at) if watched.resumed and run.completed_at else 0.0,
                lambda: self._price(run, watched),
            )
            read = await collect(context.client, run, patience, clock=context.clock, transactions=context.transactions)
            evidence = merged(context.load_evidence(stored) if stored is not None else None, read)
        except StoreError:
            raise
        except PlannerError as error:
            context.collecting -= 1
            self._collect_again(run.id, watched, str(error))
            context.snapshot()
            context.wake()
            return
        self._read.append(_Read(run, watched, evidence, is_charge_late=self._is_charge_late(evidence)))
        if not self._is_storing:
            self._is_storing = True
            tasks.start_soon(self._store)

    def _is_charge_late(self, evidence: Evidence) -> bool:
        """Whether the call's own bill counts only because its transaction has not come in time."""
        transactions, call_id = self.context.transactions, evidence.call_id
        if call_id is None:
            return False
        is_late = bool(evidence.cost_cents) and transactions.is_awaited(call_id)
        if is_late:
            transactions.miss(call_id)
        else:
            transactions.forget(call_id)
        return is_late

    async def _store(self) -> None:
        """Whatever has been read, and what is read meanwhile, each time all of it at once: a disk takes as long for one as for
        many. Only what is durable is billed and told of."""
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
            context.journal.collect(slot for _, slot in stored)
            for item, slot in stored:
                self._tell(item, slot)
            context.snapshot()
            context.wake()
        self._is_storing = False

    def _tell(self, item: _Read, slot: Slot) -> None:
        context = self.context
        watched, evidence = item.watched, item.evidence
        if watched.slot.cost_cents is None:  # else it is billed already: only its evidence was lost
            if evidence.cost_cents is None:
                self._price(item.run, watched)
            context.bill(
                watched.slot,
                watched.launch,
                evidence.cost_cents,
                held_cents=watched.held_cents,
                is_final=not item.is_charge_late or watched.work.reserve_cents is None,
            )
        context.observer.narrate(f"run {item.run.id} of {slot.case_id} ended, {_billed(evidence.cost_cents)}")
        context.report(run_record(slot, watched.launch, evidence, resumed=watched.resumed))
        context.collecting -= 1
        context.unbilled[watched.launch.line.target] -= 1

    def _price(self, run: WireRun, watched: Watched) -> None:
        """A call is over whose bill is late, and since its price was not known, all that was left is reserved for it: what the
        service expected is a better word, and lets others go on. A reservation that was an estimate of ours stays."""
        context = self.context
        is_ours = watched.launch.change_set_digest == context.change_set_digest
        unpriced = watched.work.reserve_cents is None and watched.held_cents is None and watched.slot.cost_cents is None
        if unpriced and is_ours and run.estimated_cost_cents is not None:
            watched.held_cents = run.estimated_cost_cents
            context.ledger.revise(watched.slot.plan, watched.slot.reserved_cents, run.estimated_cost_cents)
            context.wake()

    def _collect_again(self, run_id: int, watched: Watched, problem: str) -> None:
        context = self.context
        ended_at = watched.ended_at if watched.ended_at is not None else context.clock.monotonic()
        if (now := context.clock.monotonic()) - ended_at < context.settings.evidence_give_up_seconds:
            # No word of the service as a whole: that is the list's, which is read all the while.
            watched.read_in_vain(now)
            context.watched[run_id] = watched
            context.observer.narrate(f"run {run_id} cannot be read, again in {watched.pause_seconds:.2g} s: {problem}")
        else:
            self._leave(watched, f"the evidence of run {run_id} cannot be read: {problem}", unread=problem)

    # Runs that do not end

    def _stop_waiting(self) -> None:
        context = self.context
        now = context.clock.monotonic()
        for run_id, watched in list(context.watched.items()):
            if now >= watched.deadline and watched.ended_at is None:
                del context.watched[run_id]
                self._leave(watched, f"run {run_id} has not ended in {watched.work.timeout_seconds:.0f} s")
        for launch_id, unbound in list(context.unbound.items()):
            if now >= unbound.deadline:
                del context.unbound[launch_id]
                context.outcome.overdue += unbound.slots
                if launch_id not in context.outcome.oddities:
                    context.find_odd(
                        launch_id,
                        f"{unbound.slots} runs of launch {launch_id} never showed in the service's list of runs",
                    )
                context.wake()

    def _leave(self, watched: Watched, reason: str, *, unread: str = "") -> None:
        """No longer waited for; the next invocation picks it up, free. What is stored of it stands."""
        context = self.context
        context.unbilled[watched.launch.line.target] -= watched.ended_at is not None
        stored = watched.slot.evidence
        evidence = context.load_evidence(stored) if stored is not None else None
        if evidence is None:
            context.outcome.overdue += 1
            if unread:
                context.outcome.unread.append(unread)
                context.outcome.unread_slots.add(watched.slot.key)
        context.observer.narrate(f"{reason}; no longer waiting for it")
        context.report(run_record(watched.slot, watched.launch, evidence, resumed=watched.resumed, unread=unread))
        context.wake()


def _billed(cents: int | None) -> str:
    return "its bill is late" if cents is None else f"billed {dollars(cents)}"
