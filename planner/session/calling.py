"""Makes the calls of a consented change set through the log, and judges each run when it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from planner.agents.copies import Copies
from planner.calls.budget import BALANCE
from planner.calls.collecting import later_part
from planner.calls.concurrency import ConcurrencyLimit
from planner.calls.driver import Driver, Reaction
from planner.calls.model import Limit, Outcomes, Stop, StopReason, Waiting, WaitPolicy, WaitReason, Want
from planner.calls.month import read_month
from planner.calls.open_launches import OpenLaunches
from planner.calls.reading import collect, read_list
from planner.calls.slots import (
    Slot,
    launches_of_session,
    slot_of_call,
    slots_by_run,
    slots_of,
    slots_of_consent,
    unfinished_slots,
)
from planner.changes.consented_calls import key_of_calls
from planner.changes.model import Change, ChangeSet
from planner.errors import FULL_DISK, IncompleteError, PlannerError
from planner.evidence import Evidence
from planner.log.facts import Call, Consent, Intent
from planner.log.fold import State
from planner.planfile.model import Case
from planner.providers.base import Line
from planner.reports.progress import ProgressState
from planner.results.model import JudgedRun
from planner.results.outcomes import Cause, RunOutcome
from planner.session.called_agents import ReachedAgents
from planner.session.preparing import Preparation
from planner.session.run_session import ConnectedSession
from planner.verdicts.outcome import Outcome
from planner.verdicts.runs import EndedRun, judge_record, judge_stored
from planner.workspace.progress import ProgressDisplay

UNKNOWN_PRICE_CENTS: Final = 100
"""What a listed call of the month counts whose price nobody knows."""


@dataclass(slots=True)
class EndedRuns:
    """The runs that the engine has reported. `overdue` had not ended when it stopped waiting."""

    judged: dict[str, list[JudgedRun]] = field(default_factory=dict[str, list[JudgedRun]])
    """By case id, in the order of their ends."""
    records: list[EndedRun] = field(default_factory=list[EndedRun])
    overdue: list[EndedRun] = field(default_factory=list[EndedRun])
    launched_now: int = 0
    """Runs that this session launched."""
    ran_another: set[int] = field(default_factory=set[int])
    """Runs whose calls ran another configuration of the agent than planned."""
    _added: set[int] = field(default_factory=set[int])

    def add(self, record: EndedRun, judged: Mapping[str, JudgedRun]) -> None:
        """Add a run with its verdict for each case that shares it. One whose evidence was read again, since parts of
        it came late, replaces what was known of it."""
        if record.run_id in self._added:
            for case_id, run in judged.items():
                self.judged[case_id] = [run if each.run_id == run.run_id else each for each in self.judged[case_id]]
            return
        self._added.add(record.run_id)
        self.records.append(replace(record, evidence=None))  # evidence of ten thousand runs would fill the memory
        self.overdue += [record] if record.evidence is None else []
        self.launched_now += not record.resumed
        for case_id, run in judged.items():
            self.judged.setdefault(case_id, []).append(run)


@dataclass(slots=True)
class _Calling:
    """The calls of one session."""

    session: ConnectedSession
    prepared: Preparation
    payers: Mapping[str, Change]
    """Who makes the calls of each key, and of those of resumed calls: an equal configuration may have come from another
    file."""
    runs: EndedRuns
    reached: ReachedAgents
    progress: ProgressDisplay
    consent: Consent | None
    known_before: frozenset[str]
    """Launches that the log had when the session began to call."""
    confirms: bool = False
    """Whether these calls were not planned, but are to confirm regressions."""
    _waiting: WaitReason | None = None

    @property
    def session_id(self) -> str:
        return self.session.reports.session_id

    def on_call(self, call: Call, evidence: Evidence) -> Reaction:
        """A call was read for the first time."""
        slot = slot_of_call(self.session.log.state, call)
        if slot is None or call.key not in self.payers or not self.counts(slot):
            return Reaction()
        return self.on_run(self.ended(slot, evidence))

    def ended(self, slot: Slot, evidence: Evidence | None, unread: str = "") -> EndedRun:
        slot = replace(slot, case_id=self.payers[slot.call_key].case_id)
        return EndedRun(slot, slot.intent.session_id != self.session_id, evidence, unread)

    def counts(self, slot: Slot) -> bool:
        """Whether a run counts as one that this session made: of its own launches, of those that it resumes, unless the
        run is stored already, and of those that another session makes meanwhile under the same consent."""
        session_id, consent_id = slot.intent.session_id, slot.intent.consent_id
        if slot.launch_id not in self.known_before:
            return session_id == self.session_id or consent_id == self.prepared.consent_id
        records = self.prepared.records
        if records is not None and (session_id, slot.run_id) in records.ids(slot.call_fingerprint):
            return False
        if self.confirms:
            return consent_id == self.prepared.consent_id
        return any(each.launch_id == slot.launch_id for slots in self.prepared.resumable.values() for each in slots)

    def on_run(self, record: EndedRun) -> Reaction:
        change_set, runs = self.prepared.change_set, self.runs
        payer = next(change for change in change_set.payers if change.case_id == record.slot.case_id)
        cases = [change.case for change in change_set.sharing(payer) if change.case is not None]
        judged = {case.case_id: judge_record(case, record, self.prepared.judging.cache) for case in cases}
        runs.add(record, judged)
        self.reached.note(record.slot, record.evidence)
        failed = [case for case in cases if judged[case.case_id].outcome is RunOutcome.FAILED]
        platform_failed = judged[record.slot.case_id].cause is Cause.PLATFORM
        return Reaction(
            platform_failed=record.evidence is not None and platform_failed,
            stop=self.session.options.fail_fast and any(map(self._decides, failed)),
        )

    def _decides(self, case: Case) -> bool:
        return case.quarantine is None or self.session.reports.started_at.date() > case.quarantine.until

    def on_wait(self, step: Waiting) -> None:
        if step.reason is not self._waiting and step.reason is not WaitReason.NOTHING and self.session.shell.verbosity:
            self.progress.note(f"launching waits: {step.reason}")
        self._waiting = step.reason
        session = self.session
        tallies, consent_id = session.log.state.tallies, self.prepared.consent_id
        launched = sum(map(self._launched, self.payers))
        wanted = 0 if self.confirms else sum(max(0, change.calls) for change in self.prepared.change_set.payers)
        total, done = max(wanted, launched), len(self.runs.records)
        in_flight = max(0, launched - done)
        seconds = session.shell.clock.monotonic() - session.reports.started
        is_known = self.runs.launched_now and in_flight
        self.progress.update(
            ProgressState(
                done,
                total,
                in_flight,
                sum(cents for (by, _), cents in tallies.spent.items() if by == consent_id),
                sum(cents for (by, _), cents in tallies.reserved.items() if by == consent_id),
                session.ceiling_cents(self.prepared),
                seconds,
                seconds / self.runs.launched_now * (total - done) if is_known else None,
                "" if step.reason is WaitReason.NOTHING else str(step.reason),
            )
        )

    def _launched(self, key: str) -> int:
        """The calls of a key that this session resumes or that were launched since it began."""
        if self.confirms:
            return confirmations_made(self.session.log.state, self.prepared.consent_id)[key]
        live = self.session.log.state.tallies.live[key] - self.prepared.live_calls.get(key, 0)
        return live + sum(slot.call_key == key for slots in self.prepared.resumable.values() for slot in slots)


async def make_calls(
    session: ConnectedSession, prepared: Preparation, *, may_call: bool
) -> tuple[Outcome, EndedRuns, OpenLaunches]:
    """Resume the calls of earlier sessions, and with `may_call` launch the others."""
    runs = EndedRuns()
    by_case = {change.case_id: change for change in prepared.change_set.payers if change.case is not None}
    resumed = [slot for slots in prepared.resumable.values() for slot in slots]
    payers = {slot.call_key: by_case[slot.case_id] for slot in resumed if slot.case_id in by_case}
    payers |= {key_of_calls(change): change for change in by_case.values()}
    before = prepared.open_launches
    if not payers and not (before.unsettled or before.unbilled):
        return Outcome(interrupted=session.interrupted.is_set()), runs, before
    consent = session.log.state.consents.get(prepared.consent_id) if may_call else None
    calling = _calling(session, prepared, payers, runs, consent)
    if not may_call and session.shell.verbosity:
        calling.progress.note("nothing is launched without consent to charge; calls under way are resumed")
    wants = tuple(want for _, want in wants_of(prepared.change_set, prepared.copies, shown_names(session)))
    outcome, outcomes = await _call(calling, wants, frozenset(slot.launch_id for slot in resumed))
    return outcome, runs, _left_open(session, prepared, outcomes, payers)


async def make_confirmations(
    session: ConnectedSession,
    prepared: Preparation,
    payers: Mapping[str, Change],
    consent: Consent,
    runs: EndedRuns,
) -> Outcome:
    """Call cases again to confirm that they regressed. `payers` has the key of these calls; `consent` their goals."""
    calling = _calling(session, prepared, payers, runs, consent)
    calling.confirms = True
    names = shown_names(session)
    planned = {change.case_id: want for change, want in wants_of(prepared.change_set, prepared.copies, names)}
    wants = tuple(replace(planned[change.case_id], key=key) for key, change in payers.items())
    outcome, _ = await _call(calling, wants, frozenset())
    return outcome


def confirmations_made(state: State, consent_id: str) -> Counter[str]:
    """How many calls under a consent were made, or may have been, to confirm regressions, by key."""
    return Counter(slot.call_key for slot in slots_of_consent(state, consent_id) if slot.confirms)


def shown_names(session: ConnectedSession) -> Callable[[str], str]:
    return str if session.place.shared is None else session.place.shared.redaction.name


def _calling(
    session: ConnectedSession,
    prepared: Preparation,
    payers: Mapping[str, Change],
    runs: EndedRuns,
    consent: Consent | None,
) -> _Calling:
    return _Calling(
        session,
        prepared,
        payers,
        runs,
        ReachedAgents(session, prepared, runs.ran_another),
        ProgressDisplay(session.shell),
        consent,
        frozenset(session.log.state.launches),
    )


async def _call(calling: _Calling, wants: tuple[Want, ...], resumed: frozenset[str]) -> tuple[Outcome, Outcomes]:
    """Make the calls that are missing, wait for them, and judge them."""
    session, prepared, progress = calling.session, calling.prepared, calling.progress
    shell = session.shell
    session.request_log.note = progress.note  # do not write over the live display
    log = progress.note if shell.verbosity else _ignore
    driver = Driver(
        session.transactions.client,
        session.log,
        replace(session.previews.tools, on_call=calling.on_call, on_wait=calling.on_wait, log=log, warn=progress.note),
        replace(session.previews.terms, consent=calling.consent, wants=wants, resumed=resumed),
        Limit(ConcurrencyLimit(ceiling=session.loaded.project.policy.max_concurrent_runs)),
    )
    if calling.consent is not None:
        await _set_limits(session, prepared, driver)
    try:
        await _judge_stored(calling)
        outcomes = await driver.run(session.interrupted)
        await _judge_stored(calling)
        outcome = _outcome_of(calling, outcomes)
        if not (outcome.interrupted or outcome.bug):
            _take_bills(session, prepared, calling.runs)
            _note_overdue(calling, outcomes, outcome)
        return outcome, outcomes
    finally:
        session.request_log.note = shell.log
        progress.close()


def _ignore(line: str) -> None:
    del line


def wants_of(change_set: ChangeSet, copies: Copies, show: Callable[[str], str]) -> Iterator[tuple[Change, Want]]:
    """The calls that each payer may make. `copies` are the previews that are called instead of agents; `show` redacts
    the name of a case."""
    for change in change_set.payers:
        if change.case is not None:
            yield change, _want_of(change, change.case, change_set, copies, show(change.case_id)[:500])


def _want_of(change: Change, case: Case, change_set: ChangeSet, copies: Copies, name: str) -> Want:
    cases = [each.case for each in change_set.sharing(change) if each.case is not None]
    price, inputs, target = change_set.prices.get(change.case_id), change.inputs, case.target
    copy_id = copies.get((target.id, target.config)) if target.config is not None else None
    called_id = target.id if copy_id is None else copy_id
    return Want(
        key=key_of_calls(change),
        prompt=case.prompt,
        line=Line(target.kind, called_id, case.direction, case.mode, case.target_number),
        reserve_cents=price.high_cents if price else None,
        expected_seconds=price.expected_seconds if price else None,
        timeout_seconds=case.timeout_seconds,
        await_grade=any(each.wants_grade for each in cases),
        configuration=inputs.configuration if inputs else None,
        revision=inputs.agent_revision if inputs else None,
        case=name,
    )


async def _set_limits(session: ConnectedSession, prepared: Preparation, driver: Driver) -> None:
    """The month's ceiling and the balance. Raises `IncompleteError` if the month cannot be read."""
    limit, state, policy = driver.limit, session.log.state, session.loaded.project.policy
    if prepared.balance is not None:
        limit.available_cents = prepared.balance.cents
        limit.spent_before_cents = state.tallies.spent.total()
    if policy.max_cost_cents_per_month is not None:
        prices = [price.high_cents for price in prepared.change_set.prices.values() if price.high_cents is not None]
        dearest = max(prices, default=UNKNOWN_PRICE_CENTS)
        limit.month = await read_month(driver.provider, state, policy.max_cost_cents_per_month, dearest, driver.now())


# What became of the calls


def _outcome_of(calling: _Calling, outcomes: Outcomes) -> Outcome:
    session, payers = calling.session, calling.payers
    mine = launches_of_session(session.log.state, session.reports.session_id)
    outcome = Outcome(
        launches=sum(launch.batch_id is not None for launch in mine),
        interrupted=session.interrupted.is_set(),
        left=_left(calling, outcomes),
        anomalies=outcomes.anomalies,
        unsettled=tuple(each for each in outcomes.unsettled if _is_needed(session, each.intent, payers)),
    )
    if outcomes.stop is not None:
        _note_stop(outcome, outcomes.stop)
    return outcome


def _left(calling: _Calling, outcomes: Outcomes) -> dict[str, int]:
    """The calls that are missing, by case id; without consent, those that turned out never to have been made."""
    payers, prepared = calling.payers, calling.prepared
    if calling.consent is not None:
        return {payers[key].case_id: calls for key, calls in outcomes.left.items() if key in payers}
    live = calling.session.log.state.tallies.live
    found: dict[str, int] = {}
    for change in prepared.change_set.payers:
        key = key_of_calls(change)
        others = prepared.live_calls.get(key, 0) - len(prepared.resumable.get(change.case_id, ()))
        found[change.case_id] = max(0, change.calls - (live[key] - others))
    return {case_id: calls for case_id, calls in found.items() if calls}


def _is_needed(session: ConnectedSession, intent: Intent, payers: Mapping[str, Change]) -> bool:
    is_ours = intent.session_id == session.reports.session_id
    return is_ours or any(asked.key in payers for asked in intent.asked)


def _note_stop(outcome: Outcome, stop: Stop) -> None:
    match stop.reason:
        case StopReason.CEILING:
            labels = tuple(sorted({need.label for need in stop.needed}))
            outcome.ceilings = labels or ("the ceiling, until unconfirmed launches are settled",)
            outcome.ceiling_detail = stop.detail
            outcome.ceiling_by_service = labels == (BALANCE,)
        case StopReason.EXPIRED | StopReason.REFUSED:
            outcome.refusal = stop.detail
        case StopReason.NEWER | StopReason.REJECTED:
            outcome.usage = stop.detail
        case StopReason.INTERRUPTED:
            outcome.interrupted = True
        case StopReason.ASKED:
            outcome.fail_fast = True
        case StopReason.FAILED if isinstance(stop.error, OSError) and stop.error.errno in FULL_DISK:
            outcome.trouble = "the disk is full"
        case StopReason.FAILED if not isinstance(stop.error, PlannerError):
            outcome.bug = stop.error or RuntimeError(stop.detail)
        case _:
            outcome.trouble = stop.detail


def _take_bills(session: ConnectedSession, prepared: Preparation, runs: EndedRuns) -> None:
    """The bills come last: store them with the evidence, and judge what depends on them."""
    repository = session.place.repository
    cases = {change.case_id: change.case for change in prepared.change_set.changes if change.case is not None}
    own = {run.run_id: run.evidence for judged in runs.judged.values() for run in judged}
    slots = slots_by_run(session.log.state)
    stored: dict[int, tuple[Evidence, str]] = {}
    noted: list[Call] = []
    for record in runs.records:
        slot = slots.get(record.run_id)
        call = None if slot is None else slot.call
        if call is None or call.cents is None or call.evidence is None:
            continue
        evidence, own_digest = repository.load_evidence(call.evidence), own.get(record.run_id)
        is_here = evidence is not None
        if evidence is None and own_digest is not None:  # another machine has read the run, too
            evidence = repository.load_evidence(own_digest)
        if evidence is None:
            continue
        if is_here and (evidence.cost_cents, evidence.cost_basis) == (call.cents, call.basis):
            stored[record.run_id] = (evidence, call.evidence)  # another session stored it
            continue
        billed = evidence.model_copy(update={"cost_cents": call.cents, "cost_basis": call.basis})
        digest = repository.save_evidence(billed)
        stored[record.run_id] = (billed, digest)
        if is_here and digest != call.evidence:  # the log keeps naming evidence that is elsewhere
            noted.append(later_part(call, digest, call.cents if call.has_final_bill else None))
    session.log.note(noted)
    for case_id, judged in runs.judged.items():
        for place, run in enumerate(judged):
            if run.run_id in stored:
                billed, digest = stored[run.run_id]
                update = {"evidence": digest, "cost_cents": billed.cost_cents, "cost_basis": billed.cost_basis}
                if all(getattr(run, name) == value for name, value in update.items()):
                    continue
                judged[place] = judge_stored(
                    cases[case_id],
                    run.model_copy(update=update),
                    repository.load_evidence,
                    prepared.judging.cache,
                )


def _note_overdue(calling: _Calling, outcomes: Outcomes, outcome: Outcome) -> None:
    """Report the runs that nobody waits for any longer."""
    reported = {record.run_id for record in calling.runs.records}
    for slot in unfinished_slots(calling.session.log.state):
        if slot.run_id is None or slot.run_id in reported or slot.evidence is not None:
            continue
        if slot.call_key not in calling.payers or not calling.counts(slot):
            continue
        unread = outcomes.unreadable.get(slot.run_id, "")
        calling.on_run(calling.ended(slot, None, unread))
        outcome.overdue += 1
        if unread:
            outcome.unread.append(unread)
            outcome.unread_slots.add(slot.key)


async def _judge_stored(calling: _Calling) -> None:
    """Judge the calls that count and that another session read, or an earlier one. Evidence that is not here is read
    from the service again, free."""
    repository = calling.session.place.repository
    reported = {record.run_id for record in calling.runs.records}
    elsewhere: list[Slot] = []
    for slot in unfinished_slots(calling.session.log.state):
        is_unjudged = slot.run_id is not None and slot.run_id not in reported and slot.evidence is not None
        if is_unjudged and slot.call_key in calling.payers and calling.counts(slot):
            evidence = repository.load_evidence(slot.evidence or "")
            if evidence is None:
                elsewhere.append(slot)
            else:
                calling.on_run(calling.ended(slot, evidence))
    if elsewhere and not calling.session.interrupted.is_set():
        await _read_again(calling, elsewhere)


async def _read_again(calling: _Calling, slots: Sequence[Slot]) -> None:
    session = calling.session
    transactions, clock = session.transactions, session.shell.clock
    provider = transactions.client
    try:
        runs = await read_list(
            provider.runs,
            oldest=min(slot.intent.earliest for slot in slots),
            wanted={slot.run_id for slot in slots if slot.run_id is not None},
        )
        for slot in slots:
            run, call = None if slot.run_id is None else runs.found.get(slot.run_id), slot.call
            if run is None or call is None or not run.ended:
                continue
            payer = calling.payers[slot.call_key]
            sharing = calling.prepared.change_set.sharing(payer)
            wait = WaitPolicy(grade=any(each.case is not None and each.case.wants_grade for each in sharing))
            read = await collect(provider, run, wait, clock=clock, transactions=transactions)
            billed = {} if call.cents is None else {"cost_cents": call.cents, "cost_basis": call.basis}
            evidence = read.model_copy(update=billed)
            again = replace(call, part=call.part + 1, evidence=session.place.repository.save_evidence(evidence))
            session.log.note([again])
            calling.on_run(calling.ended(replace(slot, call=again), evidence))
    except IncompleteError as error:
        session.shell.log(f"earlier calls cannot be read now: {error}")


def _left_open(
    session: ConnectedSession, prepared: Preparation, outcomes: Outcomes, payers: Mapping[str, Change]
) -> OpenLaunches:
    """Launches of earlier sessions that this one does not need, with what it found out about them."""
    state, before = session.log.state, prepared.open_launches
    if not (before.unsettled or before.unbilled):
        return before
    known = {each.intent.launch_id for each in before.unsettled} | {slot.launch_id for slot in before.unbilled}
    unsettled = [
        each
        for each in outcomes.unsettled
        if each.intent.launch_id in known and not _is_needed(session, each.intent, payers)
    ]
    slots = [slot for each in sorted(known) for slot in slots_of(state.launches[each]) if slot.run_id is not None]
    billed = tuple(slot for slot in slots if slot.cost_cents is not None)
    unbilled = tuple(slot for slot in slots if slot.cost_cents is None)
    return OpenLaunches(tuple(unsettled), unbilled, billed)
