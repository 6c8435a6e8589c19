"""Prepares a priced change set from plans and earlier results: `plan` prints it, `run` executes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import field, replace
from datetime import datetime, timedelta
from functools import partial

from planner.agents.copies import Copies, new_products
from planner.agents.live_tools import AgentTools, LiveTools, UnknownTool, checked, live_tools, unknown_tools
from planner.agents.recorded import (
    EffectiveTarget,
    agent_warnings,
    agents_of,
    agents_seen,
    calls_of,
    without_outdated,
)
from planner.calls.budget import Account, Budget
from planner.calls.consents import max_cost_of
from planner.calls.model import LATEST_CREATION_SECONDS
from planner.calls.open_launches import OpenLaunches, open_launches_of
from planner.calls.slots import Slot
from planner.calls.spending import account_of_month, month_of, spent_on_calls, spent_on_judging
from planner.changes.configuration import Agents, Configurations
from planner.changes.consent import EarlierSpending, ceiling_cents
from planner.changes.consented_calls import ConsentedCalls, key_of_calls, of_sandbox
from planner.changes.detail import left_out_warnings
from planner.changes.diff import Request, diff
from planner.changes.estimate import AT_ONCE, build_change_set, with_confirmations
from planner.changes.model import Change, ChangeSet, Estimate, calls_left
from planner.changes.request import StoredResults
from planner.changes.sharing import with_shared_calls
from planner.ci.agreement import actor_of
from planner.judging.project_judge import Judging, judging_of
from planner.log.facts import Consent
from planner.log.fold import State
from planner.planfile.grammar import ExecutionFields
from planner.planfile.model import DEFAULT_RATES, AgentFile
from planner.providers.base import Balance, Target, TargetState
from planner.records.facts import StoredCall
from planner.records.log import Records
from planner.results.model import CaseResult, StartOverDocument, SuiteDocument
from planner.results.outcomes import Action
from planner.results.repository import ResultsRepository
from planner.session.resumable import (
    StoredRuns,
    interrupted_cases,
    not_estimated,
    open_launches_of_calls,
    resumable_runs,
)
from planner.values import frozen
from planner.verdicts.case_documents import MissingRuns, assemble_cases
from planner.verdicts.cases import sample_of
from planner.verdicts.ending import open_runs_of_stored
from planner.verdicts.gate import CheckedCase, must_call
from planner.verdicts.history import cases_to_confirm, compare_with_history
from planner.workspace.agreed_calls import agreed_set
from planner.workspace.consents import known_consent_id, not_yet_made
from planner.workspace.earlier_results import earlier_results, newest_runs, records_of
from planner.workspace.merge_base import leave_to_base
from planner.workspace.service import draft_warnings, unscripted_warnings
from planner.workspace.stores import Workspace, log_to_read, warn_of_ignored


@frozen
class Preparation:
    """`change_set` and its estimate are of the calls that remain; `resumable` are unconsumed runs of earlier sessions
    by case id, which replace others. `whole_estimate` covers everything that this change set pays for, without calls
    launched by other change sets; `paid_before_cents` of it was already billed."""

    change_set: ChangeSet
    whole_estimate: Estimate
    paid_before_cents: int
    resumable: Mapping[str, tuple[Slot, ...]]
    progress: EarlierSpending
    """What earlier sessions did, and spent under this consent."""
    unconfirmed_runs: Mapping[str, int]
    """Number of `resumable` runs in unconfirmed launches, by case id."""
    judging: Judging
    """The judge of `check: judge`, with its stored answers."""
    open_launches: OpenLaunches = OpenLaunches()
    """Unconfirmed or unbilled launches of earlier sessions that this change set does not need."""
    warnings: tuple[str, ...] = ()
    """Warnings about the agents that are called."""
    start_over: StartOverDocument | None = None
    """Set if earlier runs of the called cases are ignored (`--start-over`)."""
    outside_consent: tuple[str, ...] = ()
    """What is not in the stored set with the digest of `--digest`, one line per case."""
    newer_push: tuple[str, str] | None = None
    """The commit whose calls were agreed to, and the head of the pull request, if that superseded it."""
    agents: tuple[EffectiveTarget, ...] = ()
    """The agents with a file."""
    configurations: Configurations = field(default_factory=Configurations)
    targets: Mapping[Target, TargetState] = field(default_factory=dict[Target, TargetState])
    """What was read of the targets."""
    live_tools: LiveTools = LiveTools()
    """The tools that calls may reach."""
    tools: AgentTools = AgentTools((), {})
    """What is known of the agents' tools."""
    unknown_tools: tuple[UnknownTool, ...] = ()
    """Those that expectations name, and that nobody knows."""
    copies: Copies = field(default_factory=dict[tuple[int, AgentFile], int])
    """The previews that calls reach instead of their agents, once they are made."""
    base: Mapping[str, CaseResult] = field(default_factory=dict[str, CaseResult])
    """In a job of a pull request: the base branch's cases, by id."""
    month: Account | None = None
    """What the log knows to count against the ceiling of this month; None without one."""
    unconfirmed_until: datetime | None = None
    """From when on all `unconfirmed_runs` may be launched again, if the service does not show them."""
    of_target: frozenset[str] = frozenset()
    """Those that the branch stored which the pull request targets: only their failures are known."""
    balance: Balance | None = None
    """What the organization can spend; None if the service was not asked or does not say."""
    consent_id: str = ""
    """The consent that is resumed; "" if none is known."""
    consent: Consent | None = None
    """It, if somebody has given it."""
    agreed_calls: ConsentedCalls | None = None
    """The stored set with the digest of `--digest`, if all calls are in it."""
    records: Records | None = None
    """The stored calls; None in tests of values."""
    live_calls: Mapping[str, int] = field(default_factory=dict[str, int])
    """By the key of the cases that are called: how many calls the log has, resumable ones among them."""
    interrupted: frozenset[str] = frozenset()
    """The keys that are called once more only because a killed session began to."""

    def with_history(self, cases: Sequence[CaseResult]) -> tuple[list[CaseResult], SuiteDocument | None]:
        """The cases and the suite as a whole, compared with earlier sessions."""
        return compare_with_history(cases, self.records.of_newest_sessions if self.records else _no_calls)

    def to_confirm(self, cases: Sequence[CaseResult]) -> list[str]:
        """The ids of cases that further calls would decide, most suspicious first."""
        return cases_to_confirm(cases, self.records.of_newest_sessions if self.records else _no_calls)

    def max_cost_cents(self, asked_cents: int | None) -> int | None:
        """`--max-cost`, or else the ceiling of the consent that is resumed, or else the one that `planner plan` prints;
        None if the price is unknown."""
        if asked_cents is not None:
            return asked_cents
        agreed_cents = max_cost_of(self.consent)
        return ceiling_cents(self.change_set, self.progress) if agreed_cents is None else agreed_cents

    @property
    def all_warnings(self) -> list[str]:
        return [*self.warnings, *(each.warning for each in self.unknown_tools), *self.judging.warnings]

    @property
    def all_reserved_cents(self) -> int:
        """What earlier calls without a bill may cost, open launches included."""
        return sum(self.progress.reserved_cents.values()) + self.open_launches.reserved_cents

    @property
    def calls_to_make(self) -> int:
        return sum(calls_left(self.change_set.changes, self.progress.runs_made).values())


def prepare(
    work: Workspace,
    targets: Mapping[Target, TargetState],
    known: State | None,
    *,
    to_call: bool = False,
    records: Records | None = None,
) -> Preparation:
    """Prepare the change set. `targets` is empty if the service was not asked; `known` is what the log says, None if
    there is none yet. `to_call`: this session makes the calls; otherwise it shows those of a later one. `records`:
    those of an earlier preparation, which are not read again."""
    shell, selection, loaded, place = work.shell, work.selection, work.loaded, work.place
    now, repository, state = shell.clock.now(), place.repository, State() if known is None else known
    judging = judging_of(work)
    start_over = None
    if selection.start_over is not None:
        start_over = StartOverDocument(reason=selection.start_over, by=actor_of(shell), at=now)
    records = records or records_of(work)
    targets = without_outdated(targets, agents_seen(records, loaded.cases))
    revisions = {key: state.revision for key, state in targets.items()}
    agents, configurations = agents_of(place, loaded.cases, targets)
    earlier = earlier_results(work, records, Agents(revisions, configurations), judging.cache, judging.name)
    request = Request(now, selection.rerun, revisions, judging.name, start_over, configurations)
    stored = StoredRuns(records, Agents(revisions, configurations))
    changes, interrupted = _with_interrupted(work, earlier.stored, request, state, stored)
    agreed = agreed_set(work)
    past = newest_runs(work, changes)
    judged = {change.case_id for change in judging.asking(changes)}

    def build(already_made: Mapping[str, int]) -> ChangeSet:
        priced = build_change_set(
            changes,
            products={key: state.product for key, state in targets.items()},
            rates=dict(loaded.project.rates),
            history=past,
            already_made=already_made,
            at_once=loaded.project.policy.max_concurrent_runs or AT_ONCE,
            new_products=new_products(agents, loaded.cases, {**DEFAULT_RATES, **dict(loaded.project.rates)}),
        )
        change_set = with_confirmations(priced, loaded.project.policy, judged)
        return agreed.named(of_sandbox(change_set) if selection.sandbox else change_set)

    whole = change_set = build({})
    _check_evidence(whole, repository)
    resumable, not_resumed = dict[str, tuple[Slot, ...]](), OpenLaunches()
    unconfirmed, unconfirmed_until = Counter[str](), None
    consent_id = ""
    if known is not None:
        whole = change_set = not_yet_made(work, whole, state, to_call=to_call)
        starts_over = selection.start_over is not None
        consent_id = known_consent_id(state, whole.digest, shell.environ, starts_over=starts_over)
        resumable = resumable_runs(state, whole, consent_id, selection, stored)
        slots = [slot for mine in resumable.values() for slot in mine]
        if slots:  # runs already made are not priced again
            rest = build({case_id: len(mine) for case_id, mine in resumable.items()})
            change_set = replace(whole, changes=rest.changes, estimate=rest.estimate, prices=rest.prices)
        others = not_estimated(state, whole, consent_id, slots)
        if others.total():
            whole = replace(whole, estimate=build(others).estimate)
        waiting = [slot for slot in slots if slot.launch.is_open]
        unconfirmed = Counter(slot.case_id for slot in waiting)
        unconfirmed_until = _settled_at(waiting, loaded.project.execution)
        searched = {slot.launch_id for slot in slots} | open_launches_of_calls(state, whole)
        not_resumed = open_launches_of(state, searched, shared=place.shared is not None, now=now)
    limit_cents = loaded.project.policy.max_cost_cents_per_month
    month = None if limit_cents is None else account_of_month(state, month_of(now), limit_cents)
    by_plan = spent_on_calls(state, consent_id)
    paid_cents = sum(amount.spent for amount in by_plan.values())
    tools = AgentTools(agents, targets, partial(calls_of, records, loaded.cases, repository))
    unknown = checked(unknown_tools(loaded.cases, tools))
    live = LiveTools() if selection.sandbox else live_tools(change_set.called_cases, tools, loaded.project.policy)
    return Preparation(
        judging.with_votes(change_set, resumable),
        _with_paid(paid_cents, whole.estimate),
        paid_cents,
        resumable,
        EarlierSpending(
            {case_id: len(mine) for case_id, mine in resumable.items()},
            {plan: amount.committed for plan, amount in by_plan.items()},
            {plan: amount.reserved for plan, amount in by_plan.items()},
            spent_on_judging(state, consent_id),
            _reservations(change_set, state),
            0 if month is None else month.spent,
        ),
        unconfirmed,
        judging,
        not_resumed,
        (
            *draft_warnings(loaded.cases, targets),
            *agent_warnings(agents),
            *left_out_warnings(change_set.changes),
            *live.warnings,
            *unscripted_warnings(shell, selection, place, change_set.called_cases),
        ),
        start_over,
        agreed.outside(change_set),
        agreed.newer_push(change_set),
        agents,
        configurations,
        targets,
        live_tools=live,
        tools=tools,
        unknown_tools=unknown,
        base=earlier.base,
        consent_id=consent_id,
        consent=state.consents.get(consent_id),
        agreed_calls=agreed.stored if agreed.stored is not None and not agreed.outside(change_set) else None,
        records=records,
        month=month,
        unconfirmed_until=unconfirmed_until,
        of_target=frozenset(earlier.stored.base),
        live_calls=_live_calls(state, change_set),
        interrupted=frozenset(change.call_fingerprint for change in changes if change.case_id in interrupted),
    )


def _with_interrupted(
    work: Workspace, earlier: StoredResults, request: Request, state: State, stored: StoredRuns
) -> tuple[tuple[Change, ...], frozenset[str]]:
    """What to do with each case, and the ids of those that a killed session began to call again: they are called."""
    changes = _changes(work, earlier, request)
    if request.rerun != "needed" or request.start_over is not None:
        return changes, frozenset()
    # In a shared store, the session that made a recent call may still be under way.
    latest = request.now - timedelta(seconds=LATEST_CREATION_SECONDS if work.place.shared else 0)
    interrupted = interrupted_cases(state, changes, stored, sent_before=latest)
    return _changes(work, earlier, replace(request, interrupted=interrupted)) if interrupted else changes, interrupted


def _changes(work: Workspace, stored: StoredResults, request: Request) -> tuple[Change, ...]:
    """What to do with each case, and who makes equal calls."""
    return with_shared_calls(leave_to_base(work, diff(work.loaded.cases, stored, request)))


def _live_calls(state: State, change_set: ChangeSet) -> dict[str, int]:
    live = state.tallies.live
    return {key: live[key] for key in map(key_of_calls, change_set.payers)}


def _reservations(change_set: ChangeSet, state: State) -> dict[str, int]:
    """What a call of each case reserves, as `run` prices it."""
    budget = Budget(state, [], {})
    cases = {change.case_id: change.case for change in change_set.changes}
    priced = [(cases.get(case_id), case_id, price.high_cents) for case_id, price in change_set.prices.items()]
    return {
        case_id: budget.price_on((case.target.kind, case.target.id), high_cents) or 0
        for case, case_id, high_cents in priced
        if case is not None and high_cents is not None
    }


def _settled_at(waiting: Iterable[Slot], execution: ExecutionFields) -> datetime | None:
    """When all of these open launches are settled again, less those that need a person."""
    sent = [slot.intent.at for slot in waiting if slot.launch.outcome is None]
    return max(sent) + timedelta(seconds=execution.settling_seconds) if sent else None


def _no_calls(wanted: Mapping[str, int]) -> dict[str, Sequence[StoredCall]]:
    return dict.fromkeys(wanted, ())


def _check_evidence(change_set: ChangeSet, repository: ResultsRepository) -> None:
    """Verify evidence that will be judged again, before anybody pays. Raises `StoreError`."""
    for change in change_set.changes:
        if change.prior is None or change.action not in (Action.CALL, Action.RECHECK):
            continue
        for run in change.prior.runs:
            counts = change.action is Action.RECHECK or run.run_id in change.kept_run_ids
            if counts and run.evidence is not None:
                repository.has_evidence(run.evidence)


@contextmanager
def stored_state(work: Workspace) -> Generator[State | None]:
    """What the log says, without changing anything; None if there is none. With a shared store, also what other
    machines have appended."""
    log = log_to_read(work.shell, work.place)
    if log is None:
        yield None
        return
    with closing(log):
        warn_of_ignored(work.shell, log.state)
        yield log.state


def _with_paid(paid_cents: int, rest: Estimate) -> Estimate:
    """The estimate of `rest` plus what was already paid."""
    if not paid_cents:
        return rest
    expected, low, high = (
        None if cents is None else cents + paid_cents
        for cents in (rest.expected_cents, rest.low_cents, rest.high_cents)
    )
    return replace(rest, expected_cents=expected, low_cents=low, high_cents=high)


def checked_cases(work: Workspace, prepared: Preparation, *, excuse_known: bool = True) -> list[CheckedCase]:
    """Every case of the plans with its result, judged from stored evidence. `excuse_known`: what the base branch
    already fails is known."""
    now = work.shell.clock.now()
    open_runs = open_runs_of_stored(prepared.change_set.changes, prepared.resumable, now)
    changes = [change for change in prepared.change_set.changes if change.case is not None]
    judged = assemble_cases(
        [_kept(change) for change in changes if change.prior is not None and not must_call(change)],
        {},
        work.place.repository.load_evidence,
        MissingRuns(open_runs=open_runs),
        today=now.date(),
        ask=prepared.judging.cache,
    )
    documents = {document.case_id: document for document in judged}
    cases: list[CheckedCase] = []
    for change in changes:
        made = prepared.progress.runs_made.get(change.payer, 0)
        calls = max(0, change.runs - made) if must_call(change) else 0
        document, base = documents.get(change.case_id), prepared.base.get(change.case_id)
        if document is not None and work.place.namespace:
            document = document.model_copy(update={"before": None if base is None else sample_of(base)})
        is_excusable = excuse_known and change.case_id in prepared.of_target
        cases.append(CheckedCase(change, document, base, calls, made, is_excusable))
    return cases


def failed_cases(work: Workspace, prepared: Preparation) -> set[str]:
    """The cases of `work` that fail, by the stored calls from which `prepared` was made: on the base branch or here."""
    revisions = {key: state.revision for key, state in prepared.targets.items()}
    agents, judging = Agents(revisions, prepared.configurations), prepared.judging
    found = earlier_results(work, prepared.records or records_of(work), agents, judging.cache, judging.name)
    results = {case_id: (each.prior, found.base.get(case_id)) for case_id, each in found.stored.cases.items()}
    return {case_id for case_id, both in results.items() if any(each and each.outcome == "failed" for each in both)}


def _kept(change: Change) -> Change:
    """Keep the results of a failed case, which could be called again."""
    return replace(change, action=Action.REUSE, runs=0) if change.action is Action.CALL else change
