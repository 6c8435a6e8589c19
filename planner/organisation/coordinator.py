"""The coordinator of an organisation: one `State` with the consents of all repositories, over the local engine.

It knows no host: something keeps it alive and gives it an epoch. Whatever goes wrong ends its `State`, and a new one is
made from the tables. So there is one way to resume, and it is used often.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread
from sqlalchemy import RowMapping

from planner.errors import CredentialError, IncompleteError, PlannerError, StoreError, leading_error
from planner.evidence import Evidence, evidence_digest
from planner.execution.engine import ConsentedJobs, EngineSettings, SessionTerms
from planner.execution.local import LocalEngine
from planner.execution.observer import EndedRun, Observer, RunResponse
from planner.execution.reading import Transactions
from planner.execution.state import State
from planner.organisation.documents import Submission, submission_of
from planner.organisation.journal import TablesJournal
from planner.organisation.policy import ledger_of
from planner.organisation.serving import CoordinatorSession
from planner.organisation.tables import FencedError, Tables
from planner.organisation.worker import Worker
from planner.results.outcomes import Cause
from planner.verdicts.runs import judge_run

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

_FOREVER_SECONDS: Final = 1e9


async def coordinate(worker: Worker, epoch: int, stop: anyio.Event) -> None:
    """Make the calls of all consents until `stop`. Raises `FencedError` when another coordinator took over, and
    `CredentialError` if the service rejects the key: another worker may have a better one."""
    generation, trouble = 0, ""
    pause_seconds = 1.0
    while not stop.is_set():
        generation += 1
        try:
            session = await anyio.to_thread.run_sync(begin_session, worker, epoch, generation)
            await session.begin()
            trouble = await _report(worker, epoch, trouble, "")
            await session.serve(stop)
            pause_seconds = 1.0
        except Exception as errors:
            error = leading_error(errors)
            if isinstance(error, FencedError) or not isinstance(error, Exception):
                raise error from errors
            if isinstance(error, CredentialError):
                with suppress(IncompleteError):
                    await worker.check_key()
            if not isinstance(error, PlannerError):
                _log.exception("the coordinator failed")
            worker.log(f"the coordinator starts again in {pause_seconds:.0f} s: {error}")
            trouble = await _report(worker, epoch, trouble, str(error))
            with anyio.move_on_after(pause_seconds):
                await stop.wait()
            pause_seconds = min(2 * pause_seconds, 60.0)


async def _report(worker: Worker, epoch: int, known: str, trouble: str) -> str:
    """What clients know of a trouble from now on."""
    if trouble == known:
        return known
    try:
        await anyio.to_thread.run_sync(worker.tables.report, epoch, trouble)
    except FencedError:
        raise
    except StoreError:  # they see by themselves that the database is away
        return known
    return trouble


def begin_session(
    worker: Worker, epoch: int, generation: int, kind: type[CoordinatorSession] = CoordinatorSession
) -> CoordinatorSession:
    """Read the tables, and settle what the coordinator before left. Raises `FencedError`, `StoreError`."""
    if pruned := worker.tables.prune(epoch):
        worker.log(f"removed {pruned} consents that were closed long ago")
    journal = TablesJournal(worker.tables, epoch)
    if suspects := journal.mark_interrupted():
        worker.log(f"searching for {suspects} launches whose answer is unknown")
    rows = {row["consent_id"]: row for row in worker.tables.consents()}
    unreadable = [_unreadable(worker, rows.get(each), trouble) for each, trouble in journal.unreadable.items()]
    repositories = {consent_id: row["repository"] for consent_id, row in rows.items()}
    transactions = Transactions(worker.provider, worker.log)
    terms = SessionTerms(
        session_id=f"organisation-{epoch}-{generation}",
        credential=worker.provider.credential,
        ledger=ledger_of(journal, repositories),
        settings=worker.settings,
    )
    engine = LocalEngine(
        provider=worker.provider,
        transactions=transactions,
        journal=journal,
        save_evidences=partial(_save_evidences, worker.tables, epoch, journal),
        load_evidence=partial(_load_evidence, worker.tables),
        clock=worker.clock,
        new_id=lambda: f"{epoch}-{worker.new_id()}",
    )
    observer = Observer(_responded, lambda _: None, worker.log, worker.log)
    # As with a shared store, another coordinator searches for a launch from its intent on.
    state = State(terms, journal, transactions.charges, is_shared=True)
    nothing = ConsentedJobs(consent_id="", jobs={})
    return kind(engine, state, nothing, observer, worker=worker, epoch=epoch, known=repositories, unreadable=unreadable)


def _unreadable(worker: Worker, row: RowMapping | None, trouble: StoreError) -> Submission:
    """What a consent allowed whose events cannot be read. Raises `StoreError` if that is unknown, too: then nobody
    knows what was spent."""
    if row is None:
        raise trouble
    submission = submission_of(row["submission"], row["consent_id"])
    if submission.consent.max_cost_cents is None:
        raise trouble
    worker.log(trouble.with_hint)
    return submission


def _save_evidences(tables: Tables, epoch: int, journal: TablesJournal, evidences: Sequence[Evidence]) -> Sequence[str]:
    """Evidence waits in the tables until the client of its consent has stored its results."""
    rows: list[dict[str, Any]] = []
    for evidence in evidences:
        slot = journal.slot_of_run(evidence.run_id)
        launch = None if slot is None else journal.launch(slot.launch_id)
        data = evidence.to_bytes()
        consent_id = "" if launch is None else launch.consent_id
        rows.append({"digest": evidence_digest(data), "consent_id": consent_id, "data": data})
    tables.save_evidence(epoch, rows)
    return [row["digest"] for row in rows]


def _load_evidence(tables: Tables, digest: str) -> Evidence | None:
    data = tables.evidence(digest)
    return None if data is None else Evidence.model_validate_json(data)


def _responded(record: EndedRun) -> RunResponse:
    """A failure of the platform shows in the evidence alone, so it may be retried without the expectations."""
    is_platform = record.evidence is not None and judge_run((), record.evidence).cause is Cause.PLATFORM
    return RunResponse(platform_failed=is_platform)


def engine_settings(*, settle_seconds: float, max_concurrent: int | None) -> EngineSettings:
    """A coordinator does not end while a launch can still be settled."""
    return EngineSettings(settle_seconds, _FOREVER_SECONDS, max_concurrent_runs=max_concurrent)
