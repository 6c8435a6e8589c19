"""A session of `planner run`: its options, what it works with, and how it is opened and connected to the service."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import anyio
import anyio.to_thread

from planner import __version__
from planner.agents.recorded import record_agents, recorded_world, world_key
from planner.calls.balance import check_balance, short_of
from planner.calls.consents import consent_id_of
from planner.calls.driver import Terms, Tools
from planner.calls.model import Settings
from planner.calls.previews import Previews
from planner.calls.reading import Transactions
from planner.changes.consent import ConsentRequest, Limits, check_consent, consent_command
from planner.ci.agreement import who_agrees
from planner.errors import IncompleteError, InterruptedRunError, PlannerError, RefusedError
from planner.evidence import Evidence
from planner.interruption import interruptible
from planner.judge.judge_call_records import settle_answered
from planner.log.facts import Session
from planner.log.fold import Launch, State
from planner.log.local import LocalLog
from planner.planfile.model import Project
from planner.providers.base import Balance, Target, TargetState
from planner.providers.requests import Exchange, RequestHooks
from planner.quantities import count
from planner.results.documents import document_bytes
from planner.results.money_documents import ConsentDocument
from planner.session.called_agents import agents_refusal
from planner.session.consents import agree, already_called, repeated_refusal, superseded
from planner.session.late_data import correct_bills
from planner.session.preparing import Preparation, prepare
from planner.session.unfinished import known_facts
from planner.shell import Shell
from planner.values import frozen
from planner.verdicts.next_steps import NextCommands
from planner.workspace.agreed_calls import share_agreed
from planner.workspace.report_session import ReportSession, report_session
from planner.workspace.selection import Loaded, Selection
from planner.workspace.service import open_client, read_targets, service_of
from planner.workspace.stores import OpenedStore, Workspace, locked, opened_log

_LOGGED_WAIT_SECONDS: Final = 5.0
MAX_PREPARATIONS: Final = 5
"""Give up if other sessions change the results this often while this one reads them."""


@frozen
class RunOptions:
    """`max_cost_cents` is `--max-cost` in cents."""

    selection: Selection
    consent_to_charge: bool = False
    max_cost_cents: int | None = None
    report_dir: Path = Path("reports")
    fail_fast: bool = False
    output_format: Literal["text", "json"] = "text"
    consent_by: str | None = None
    """Who agreed, as another CI system than GitHub names them (`planner ci run --consent-by`)."""
    newest_digest: str | None = None
    """Of the calls that the pull request's comment offers, if a comment agreed; "" if it offers none."""

    def command(self) -> str:
        return self.selection.command("run")


def next_commands(options: RunOptions, *, consenting: bool) -> NextCommands:
    """`consenting` repeats --consent-to-charge."""
    selection = options.selection
    # Repeating `--rerun` after a finished session would pay for its calls again.
    afterwards = replace(options, selection=replace(selection, rerun="needed", start_over=None))

    def suggested(command: str, consenting: bool) -> str:
        ceiling = [] if options.max_cost_cents is None else [f"--max-cost {options.max_cost_cents / 100:.2f}"]
        return " ".join([command, *(["--consent-to-charge"] if consenting else []), *ceiling])

    again, rest = options.command(), afterwards.command()
    return NextCommands(
        resume=suggested(again, consenting),
        resume_free=suggested(again, consenting=False),
        rerun=suggested(rest, consenting),
        rerun_free=suggested(rest, consenting=False),
        failed=replace(afterwards, selection=replace(afterwards.selection, rerun="failed")).command(),
        everything=replace(afterwards, selection=replace(afterwards.selection, rerun="all")).command(),
        transcript=selection.transcript_command(),
        reconcile=selection.reconcile_command(),
    )


class RequestLog:
    """Prints requests with `-vv`. `note` prints messages; it changes with the progress display."""

    def __init__(self, shell: Shell) -> None:
        self.note: Callable[[str], None] = shell.log
        self._verbosity = shell.verbosity

    def log(self, text: str) -> None:
        self.note(text)

    def exchange(self, exchange: Exchange) -> None:
        if self._verbosity > 1:
            answer = exchange.status if exchange.status is not None else exchange.error or "cancelled"
            request_id = f", request id {exchange.request_id}" if exchange.request_id else ""
            self.note(f"{exchange.method} {exchange.path} → {answer} in {exchange.seconds:.2f} s{request_id}")

    def wait(self, error: PlannerError, seconds: float) -> None:
        """Explain a wait before a repeated read. A long one is shown without `-v` too."""
        if self._verbosity or seconds >= _LOGGED_WAIT_SECONDS:
            self.note(f"{error}; retrying in {seconds:.1f} s")


@frozen
class RunSession:
    """One session of `planner run`."""

    shell: Shell
    options: RunOptions
    loaded: Loaded
    place: OpenedStore
    log: LocalLog
    reports: ReportSession
    request_log: RequestLog

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.shell, self.options.selection, self.loaded, self.place)

    def ceiling_cents(self, prepared: Preparation | None) -> int | None:
        """The lowest ceiling on the whole consent. `prepared` is None if the session ended without it."""
        asked_cents = self.options.max_cost_cents
        asked_cents = asked_cents if prepared is None else prepared.max_cost_cents(asked_cents)
        limits = [asked_cents, self.loaded.project.policy.max_cost_cents]
        return min((cents for cents in limits if cents is not None), default=None)


@frozen
class ConnectedSession(RunSession):
    """A session that is connected to the service."""

    interrupted: anyio.Event
    transactions: Transactions
    previews: Previews


@contextmanager
def open_session(shell: Shell, options: RunOptions) -> Generator[RunSession]:
    """A session with its plans, store and journal. If the body raises an error, the reports say why.

    Raises `PlanInvalidError`, `UsageError`, `RefusedError` for plans or options that cannot be run here, `StoreError`
    if the store cannot be used.
    """
    with report_session(
        shell,
        options.report_dir,
        options.selection,
        again=options.command(),
        is_json=options.output_format == "json",
    ) as reports:
        work = reports.open()
        loaded, place = work.loaded, work.place
        with (
            locked(shell, place, options.command()),
            opened_log(shell, place) as log,
        ):
            session = RunSession(shell, options, loaded, place, log, reports, RequestLog(shell))
            try:
                yield session
            except BaseException:
                reports.facts = known_facts(session)
                raise
            finally:
                end_session(session)


def end_session(session: RunSession, *, done: Sequence[int] = (), finished: Sequence[int] = ()) -> None:
    """Say in the log that the session has ended, once: with the places in its consent of which nothing is left, and the
    runs in its finished results."""
    ended = Session(
        at=session.shell.clock.now(),
        account=session.log.account,
        session_id=session.reports.session_id,
        is_end=True,
        command=session.options.selection.command("run")[:500],
        planner=__version__,
        consent_id=session.reports.consent.id or "",
        done=tuple(done),
        finished=tuple(sorted(set(finished))),
    )
    if ended.identity not in session.log.state.sessions:
        session.log.note([ended])


def _killed_launches(state: State) -> int:
    """How many launches of sessions that did not end are unconfirmed."""
    ended = {session.session_id for session in state.sessions.values() if session.is_end}
    return sum(intent.session_id not in ended for intent in state.open_launches())


def tools_of(shell: Shell, place: OpenedStore) -> Tools:
    async def save(evidence: Sequence[Evidence]) -> Sequence[str]:
        return await anyio.to_thread.run_sync(place.repository.save_evidences, evidence)

    return Tools(shell.clock, shell.new_id, save, log=shell.log)


def terms_of(session_id: str, account: str, project: Project) -> Terms:
    """Without consent."""
    execution = project.execution
    settings = Settings(settle_seconds=execution.settling_seconds, linger_seconds=execution.linger_seconds)
    return Terms(session_id, account, settings, awaits_others=False)


@asynccontextmanager
async def connected(session: RunSession) -> AsyncGenerator[ConnectedSession]:
    """The session, connected to the service and interrupted by signals. Launches of killed sessions become
    unconfirmed."""
    shell, request_log = session.shell, session.request_log
    hooks = RequestHooks(request_log.exchange, request_log.wait)
    async with (
        interruptible() as interrupted,
        open_client(shell, session.place, session.options.selection, hooks) as client,
    ):
        session.reports.requests = client.stats
        if suspects := _killed_launches(session.log.state):
            shell.log(
                f"an earlier session was killed with {count(suspects, 'unconfirmed launch', 'unconfirmed launches')};"
                " searching for them before anything is sent again"
            )
        transactions = Transactions(client, request_log.log)
        terms = terms_of(session.reports.session_id, session.log.account, session.loaded.project)
        previews = Previews(client, session.log, tools_of(shell, session.place), terms)
        yield ConnectedSession(
            shell=shell,
            options=session.options,
            loaded=session.loaded,
            place=session.place,
            log=session.log,
            reports=session.reports,
            request_log=request_log,
            interrupted=interrupted,
            transactions=transactions,
            previews=previews,
        )


async def prepare_calls(session: ConnectedSession) -> Preparation:
    """The change set as the service is now. Raises `InterruptedRunError`, `UsageError` if the judge has no model, and
    the errors of requests."""
    shell, loaded, place, client = session.shell, session.loaded, session.place, session.transactions.client
    targets = await read_targets(client, loaded.cases, place)
    balance = await client.balance()
    _share_world(session, targets, balance)
    await correct_bills(session)
    settle_answered(session.log, place.repository.load_vote)
    if session.interrupted.is_set():
        raise InterruptedRunError("interrupted before any call was made", "Run the same command again.")
    prepared = await _prepared(session, targets)
    prepared.judging.require_model(prepared.change_set)
    for warning in prepared.all_warnings:
        shell.log(f"warning: {warning}")
    consent_id = prepared.consent_id or consent_id_of(prepared.change_set.digest, session.reports.session_id)
    session.reports.expected_cents = prepared.whole_estimate.expected_cents
    return replace(prepared, balance=balance, consent_id=consent_id)


async def _prepared(session: ConnectedSession, targets: Mapping[Target, TargetState]) -> Preparation:
    """The change set. Calls that look interrupted may be finished: another session may have stored them after this one
    read the log. So they are repeated only by a log that was read after the stored calls."""
    log, shared = session.log, session.place.shared
    for _ in range(MAX_PREPARATIONS):
        prepared = prepare(session.workspace, targets, log.state, to_call=True)
        if not prepared.interrupted:
            return prepared
        before = _launches_of(log.state, prepared.interrupted)
        await log.refresh()
        if _launches_of(log.state, prepared.interrupted) == before:
            return prepared
        if shared is not None:
            shared.store.refresh()
    raise IncompleteError("other sessions are changing the results", "Run the same command again later.")


def _launches_of(state: State, keys: frozenset[str]) -> dict[str, Launch]:
    """The launches with calls of these keys, by their ids."""
    return {
        launch_id: launch
        for launch_id, launch in state.launches.items()
        if launch.intent is not None and any(asked.key in keys for asked in launch.intent.asked)
    }


def _share_world(session: RunSession, targets: Mapping[Target, TargetState], balance: Balance | None) -> None:
    """Share what was read with the jobs of this pull request that have no key: the price stays known. The default
    branch has `planner ci record`."""
    place, shell = session.place, session.shell
    if place.shared is None or not place.namespace:
        return
    world = recorded_world(targets, balance, service_of(shell.environ), shell.clock.now(), session.loaded.project)
    document = document_bytes(world)
    key = world_key(session.workspace)
    place.shared.repository.share_later(lambda _: {key: document})


def _is_bounded(session: RunSession, prepared: Preparation) -> bool:
    """Whether a ceiling holds for all calls. In the sandbox, none is needed."""
    budgets = {plan.name: plan.max_cost_cents for plan in session.loaded.plans}
    called = {change.case.plan for change in prepared.change_set.payers if change.case is not None}
    has_budgets = all(budgets.get(plan) is not None for plan in called)
    is_free = session.options.selection.sandbox
    return is_free or has_budgets or session.ceiling_cents(prepared) is not None


def consent_to(session: RunSession, prepared: Preparation) -> ConsentDocument:
    """The consent to the calls. Raises `RefusedError` if it is missing, or policy, a ceiling or the balance
    forbids these calls. Only with consent are the versions of the agents' files recorded."""
    shell, options, change_set, balance = session.shell, session.options, prepared.change_set, prepared.balance
    command = consent_command(options.command(), change_set, prepared.progress)
    pays_judge = change_set.votes is not None and change_set.votes.charged  # also in the sandbox
    is_free = not options.consent_to_charge or (options.selection.sandbox and not pays_judge)
    agreement = who_agrees(shell, sandbox=is_free, namespace=session.place.namespace, consent_by=options.consent_by)
    request = ConsentRequest(
        options.consent_to_charge,
        agreement.by,
        command,
        prepared.max_cost_cents(options.max_cost_cents),
        options.selection.digest,
        prepared.outside_consent,
        keeps_ceiling=options.max_cost_cents is None and prepared.consent is not None,
        newer_push=prepared.newer_push,
        no_agreement=agreement.no_agreement,
        named=agreement.named,
    )
    refusal = (
        agents_refusal(session.loaded.project.policy, prepared)
        or already_called(session, prepared)
        or superseded(session, prepared)
        or repeated_refusal(session, prepared)
    )
    if refusal:
        raise refusal
    limits = Limits(session.loaded.plans, session.loaded.project.policy, shell.clock.now())
    consent = check_consent(change_set, limits, request, prepared.progress)
    if consent.given and prepared.calls_to_make and not _is_bounded(session, prepared):
        raise RefusedError(
            "the price of these calls is unknown, so you must say how much they may cost",
            f"Add --max-cost, such as: {options.command()} --consent-to-charge --max-cost 10.00",
        )
    if prepared.calls_to_make and balance is not None:
        check_balance(balance)
        for message in short_of(
            balance, change_set.estimate.expected_cents, reserved_cents=prepared.all_reserved_cents
        ):
            shell.log(message)
    project, configurations = session.loaded.project, prepared.configurations
    record_agents(session.place, project, prepared.agents, configurations, at_once=False)
    if consent.given and options.selection.digest is not None:
        share_agreed(session.workspace, options.selection.digest)
    agreed = session.reports.consent = agree(session, prepared, consent)
    return agreed
