"""The coordinator against a sandbox in virtual time: many consents, crashes, takeovers, refusals and failures."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from mortality import Life, effects
from organisations import PERSON, SERVICE, Organisation, WithMethods
from sqlalchemy import update
from virtual_time import EPOCH, VirtualLoop

from planner.errors import UnreachableError
from planner.execution.consents import ConsentAdded
from planner.execution.engine import BALANCE, ConsentedJobs, EngineSettings, Job, SessionTerms
from planner.execution.events import Moved
from planner.execution.journal import Journal
from planner.execution.launches import LaunchState
from planner.execution.ledger import Ledger
from planner.execution.observer import Observer, RunResponse
from planner.execution.previews import Preview
from planner.organisation.client import OrganisationClient
from planner.organisation.coordinator import coordinate
from planner.organisation.documents import SubmittedCeiling, submission_of
from planner.organisation.policy import MONTHLY, WorkerPolicy
from planner.organisation.pruned import PRUNED
from planner.organisation.states import ConsentState
from planner.organisation.tables import CONSENTS, EVENTS, KEPT_SECONDS, FencedError
from planner.providers.base import LaunchRequest
from tests.execution.conftest import Service  # pyright: ignore[reportMissingImports]

pytestmark = pytest.mark.anyio
Make = Callable[..., Organisation]
MakeJob = Callable[..., Any]


async def test_consents_of_several_repositories_share_one_limit(make_organisation: Make, job: MakeJob) -> None:
    """Each ends by itself, and is asked for once."""
    organisation = make_organisation(concurrency_limit=4)
    ids = [organisation.submit(n, job(f"caller{n}", runs=3), repository=f"r{n % 3}") for n in range(1, 7)]
    assert not await organisation.work()
    assert [organisation.state(each) for each in ids] == [ConsentState.ENDED] * 6
    assert all(organisation.outcome(each).finished for each in ids)
    await organisation.check_exact()


async def test_a_consent_that_arrives_later_is_served_at_once(make_organisation: Make, job: MakeJob) -> None:
    """While another one is at work. A higher priority is launched first."""
    organisation = make_organisation(concurrency_limit=1)
    first = organisation.submit(1, job("ana", runs=6))

    async def later() -> None:
        await anyio.sleep(5.0)
        organisation.submit(2, job("bob"), priority=1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(later)
        await organisation.work(until=lambda: len(organisation.tables.consents(ConsentState.ENDED)) == 2)
    ended = [row["consent_id"] for row in organisation.tables.consents(ConsentState.ENDED)]
    assert ended[1] == first
    await organisation.check_exact()


async def test_one_coordinator_is_as_fast_and_polite_as_one_session(
    make_organisation: Make, job: MakeJob, tmp_path: Path
) -> None:
    """Five repositories, beside one local session of the same calls."""
    groups = [[job(f"r{number}c{case}", runs=4) for case in range(5)] for number in range(5)]
    alone = await Service(tmp_path, "page", (), {"concurrency_limit": 10}).invoke(
        [each for group in groups for each in group]
    )
    organisation = make_organisation(concurrency_limit=10)
    for number, group in enumerate(groups, 1):
        organisation.submit(number, *group, repository=f"r{number}")
    began = anyio.current_time()
    await organisation.work()
    seconds = anyio.current_time() - began
    await organisation.check_exact()
    requests = [(method, path) for method, path in organisation.service.requests if "_sandbox" not in path]
    assert seconds < 1.1 * alone.seconds
    assert len(requests) < 6 * 100
    assert sum("429" in line for line in organisation.log) <= 1.5 * sum("429" in line for line in alone.narration)


FAULTS = [
    {"kind": "lost_answer", "times": 1},
    {"kind": "throttle", "times": 2, "after": 1},
    {"kind": "error_after", "times": 1, "after": 3},
    {"kind": "garbage", "times": 1, "after": 4},
]


@pytest.mark.parametrize("part", range(6))
async def test_a_coordinator_that_dies_anywhere_pays_nothing_twice(
    make_organisation: Make, job: MakeJob, part: int
) -> None:
    """Right after each durable effect of three consents with lost answers and refusals; the next one goes on."""

    def begin() -> Organisation:
        organisation = make_organisation(*FAULTS, concurrency_limit=3)
        for number, name in enumerate(("ana", "bob", "cleo"), 1):
            organisation.submit(number, job(name, runs=2), repository=f"r{number}")
        return organisation

    alive = Life()
    organisation = begin()
    await organisation.work(alive)
    await organisation.check_exact()
    boundaries = effects(alive.crossed)
    assert len(boundaries) > 24
    for boundary in boundaries[part::12]:
        organisation = begin()
        assert await organisation.work(Life(dies_at=boundary)), alive.crossed[boundary - 1]
        assert not await organisation.work()
        await organisation.check_exact()


async def test_a_coordinator_that_wakes_after_a_takeover_sends_nothing(make_organisation: Make, job: MakeJob) -> None:
    """It stands still between its intent and its first byte, for longer than its lease and for less than a launch may
    be old. The next one has made the calls by then."""
    organisation = make_organisation()
    organisation.submit(1, job("ana", runs=2))
    stops = anyio.Event()
    await organisation.begin()

    async def frozen() -> None:
        worker, epoch = organisation.worker(Life()), organisation.tables.take("frozen", "0")
        launch = worker.provider.launch
        assert epoch is not None

        async def late(*arguments: Any, **more: Any) -> Any:
            stops.set()
            await anyio.sleep(45.0)
            return await launch(*arguments, **more)

        object.__setattr__(worker, "provider", WithMethods(worker.provider, launch=late))
        try:
            await coordinate(worker, epoch, anyio.Event())
        except FencedError:
            organisation.log.append("fenced")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(frozen)
        await stops.wait()
        await organisation.work()
        await anyio.sleep(60.0)
        tasks.cancel_scope.cancel()
    assert "fenced" in organisation.log
    await organisation.check_exact()


async def test_a_clock_that_is_wrong_by_an_hour_changes_nothing(make_organisation: Make, job: MakeJob) -> None:
    """Leases are by the database's clock, launches by the service's."""
    organisation = make_organisation({"kind": "lost_answer", "times": 1})
    organisation.clock_error_seconds = -3600.0
    organisation.submit(1, job("ana", runs=2))
    assert await organisation.work(Life(dies_at="after event moved"))
    organisation.clock_error_seconds = 3600.0
    await organisation.work()
    await organisation.check_exact()


async def test_one_consent_that_fails_again_and_again_is_dead(make_organisation: Make, job: MakeJob) -> None:
    """Its reason is kept, and all others are served."""
    organisation = make_organisation()
    bad = organisation.submit(1, job("ana"))
    good = organisation.submit(2, job("bob", runs=2))

    def amend(method: str, path: str, answer: Any) -> Any:
        del method
        if "/calls/" in path and organisation.service.sandbox is not None:
            prompts = {run["call_id"]: run["prompt"] for run in known}
            call_id = int(path.split("/calls/")[1].split("/", maxsplit=1)[0])
            if "ana" in prompts.get(call_id, ""):
                raise ValueError("nobody expected this")
        return answer

    known: list[Any] = []

    async def look() -> None:
        while True:
            known[:] = await organisation.service.own_runs()
            await anyio.sleep(0.2)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        await organisation.work(amend=amend)
        tasks.cancel_scope.cancel()
    assert (organisation.state(bad), organisation.state(good)) == (ConsentState.DEAD, ConsentState.ENDED)
    assert (
        "failed 3 times, and is not tried again: ValueError: nobody expected this" in organisation.outcome(bad).trouble
    )
    assert organisation.outcome(good).finished
    assert len(await organisation.service.own_runs()) == 3


CEILINGS = [
    ("--max-cost", {"max_cost_cents": 60}, {}, 2),
    ("the plan", {"ceilings": (SubmittedCeiling("the plan", 40, "p"),)}, {}, 1),
    (f"{MONTHLY} (2026-11)", {}, {"max_cost_cents_per_month": 60}, 2),
    ("--repository shop of the workers (2026-11)", {}, {"repositories": {"shop": 60, "clinic": 0}}, 2),
]


@pytest.mark.parametrize(("label", "submission", "policy", "calls"), CEILINGS, ids=[row[0] for row in CEILINGS])
async def test_no_ceiling_is_exceeded(
    make_organisation: Make, job: MakeJob, label: str, submission: Any, policy: Any, calls: int
) -> None:
    """Whoever reaches it is refused the rest, also when it is submitted again; with a higher one, it goes on."""
    organisation = make_organisation(rates={"spark": 24, "bolt": 24})
    organisation.policy = replace(organisation.policy, **policy)
    consent_id = organisation.submit(1, job("ana", runs=5), **submission)
    await organisation.work()
    outcome = organisation.outcome(consent_id)
    assert label in outcome.ceiling.split(", ")
    assert (sum(outcome.left.values()), len(await organisation.service.own_runs())) == (5 - calls, calls)
    organisation.submit(1, job("ana", runs=5), **submission)
    await organisation.work()
    assert len(await organisation.service.own_runs()) == calls
    organisation.policy = WorkerPolicy(frozenset({PERSON}))
    organisation.submit(1, job("ana", runs=5))
    await organisation.work()
    assert organisation.outcome(consent_id).finished
    await organisation.check_exact()


async def test_the_balance_is_shared_and_never_overdrawn(make_organisation: Make, job: MakeJob) -> None:
    """A consent is not refused while another one's reservation may still free its money."""
    organisation = make_organisation(balance_cents=200)
    ids = [organisation.submit(n, job(f"caller{n}", runs=3), repository=f"r{n}") for n in range(1, 6)]
    await organisation.work()
    spent = (await organisation.service.ledger())["total_cents"]
    assert 200 - 24 < spent <= 200
    left = sum(sum(organisation.outcome(each).left.values()) for each in ids)
    assert left == 15 - len(await organisation.service.own_runs())
    assert any(organisation.outcome(each).ceiling == BALANCE for each in ids)


def _refusals(job: MakeJob) -> dict[str, tuple[Any, dict[str, Any], str]]:
    return {
        "a person nobody named": (
            job("ana"),
            {"by": "mallory@example.org"},
            "do not accept a consent of `mallory@example.org`",
        ),
        "nobody": (job("ana"), {"by": ""}, "do not accept a consent of nobody"),
        "another organisation's key": (job("ana"), {"credential": "other"}, "another API key"),
        "another service": (job("ana"), {"service": "https://elsewhere.example"}, "another API key"),
        "a target that is not allowed": (job("ana", target=17), {}, "may not call agent 17"),
        "a case that stops early": (job("ana", may_stop_early=True), {}, "needs verdicts between its calls"),
        "a case in waves": (job("ana", place=0), {}, "needs verdicts between its calls"),
        "no ceiling": (job("ana"), {"max_cost_cents": None}, "no ceiling"),
    }


@pytest.mark.parametrize("name", _refusals(lambda *_, **__: None))
async def test_a_row_that_policy_forbids_is_refused(make_organisation: Make, job: MakeJob, name: str) -> None:
    """Whoever may write the tables could otherwise spend: nothing is sent."""
    work, changes, why = _refusals(job)[name]
    organisation = make_organisation()
    organisation.policy = WorkerPolicy(frozenset({PERSON}), frozenset({("agent", 12)}))
    consent_id = organisation.submit(1, work, **changes)
    await organisation.work()
    assert why in organisation.outcome(consent_id).refusal
    assert any(f"consent {consent_id} ended: " in line and why in line for line in organisation.log)
    assert await organisation.service.own_runs() == []


async def test_clients_can_read_why_the_coordinator_makes_no_calls(make_organisation: Make, job: MakeJob) -> None:
    """Until it makes them again."""
    organisation = make_organisation()
    organisation.submit(1, job("ana"))
    await organisation.begin()
    worker, seen = organisation.worker(Life()), list[str]()
    balance, stop = worker.provider.balance, anyio.Event()

    def trouble() -> str:
        row = organisation.tables.worker()
        assert row is not None
        return row["trouble"]

    async def failing() -> Any:
        seen.append(trouble())
        if len(seen) == 1:
            raise UnreachableError("the service cannot be reached")
        return await balance()

    worker = replace(worker, provider=WithMethods(worker.provider, balance=failing))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(coordinate, worker, await organisation.take(), stop)
        await anyio.sleep(20.0)
        seen.append(trouble())
        stop.set()
    assert (seen[:2], seen[-1]) == (["", "the service cannot be reached"], "")


@pytest.mark.parametrize("edit", [{"event": "{broken"}, {"event": '{"launch_id": "l1", "state": "sent"}'}])
async def test_an_event_that_was_edited_is_trouble_of_its_consent_alone(
    make_organisation: Make, job: MakeJob, edit: dict[str, str]
) -> None:
    """Others are served, under ceilings that count all that it allowed. Once its row is restored, it goes on."""
    organisation = make_organisation(rates={"spark": 24, "bolt": 24})
    bad = organisation.submit(1, job("ana", runs=3), repository="clinic", max_cost_cents=500)

    def is_launched() -> bool:
        return any(row["kind"] == "moved" for row in organisation.tables.events(consent_id=bad))

    await organisation.work(until=is_launched)
    moved = next(row for row in organisation.tables.events(consent_id=bad) if row["kind"] == "moved")
    edited = update(EVENTS).where(EVENTS.c.number == moved["number"])
    with organisation.tables.engine.begin() as connection:
        connection.execute(edited.values(**edit))
    good = organisation.submit(2, job("bob", runs=2))
    organisation.policy = replace(organisation.policy, max_cost_cents_per_month=530)
    await organisation.work()
    made = len(await organisation.service.own_runs())
    assert (organisation.state(bad), organisation.state(good)) == (ConsentState.DEAD, ConsentState.ENDED)
    assert f"of consent {bad}, is impossible" in organisation.outcome(bad).trouble
    outcome = organisation.outcome(good)
    assert (outcome.ceiling, sum(outcome.left.values())) == (f"{MONTHLY} (2026-11)", 1)
    assert any("restore this row" in line and bad in line for line in organisation.log)
    with organisation.tables.engine.begin() as connection:
        connection.execute(edited.values(event=moved["event"]))
    organisation.policy = WorkerPolicy(frozenset({PERSON}))
    for number, work, repository in ((1, job("ana", runs=3), "clinic"), (2, job("bob", runs=2), "shop")):
        organisation.submit(number, work, repository=repository)
    await organisation.work()
    assert made < 5
    await organisation.check_exact()


PREVIEWS = [("of an allowed agent", 12, True), ("of another one", 14, False), ("of none", None, False)]


@pytest.mark.parametrize(("source", "is_allowed"), [row[1:] for row in PREVIEWS], ids=[row[0] for row in PREVIEWS])
async def test_a_preview_counts_as_the_agent_that_it_copies(
    make_organisation: Make, job: MakeJob, source: int | None, is_allowed: bool
) -> None:
    """By its name at the service, which only holders of the key can give."""
    organisation = make_organisation()
    organisation.policy = WorkerPolicy(frozenset({PERSON}), frozenset({("agent", 12)}))
    await organisation.begin()
    name = "a copy" if source is None else Preview("p1", source, "sha256:01", "i1", "key", EPOCH).name
    copy_id = await organisation.client(Life()).duplicate_agent(12, name, on_sending=lambda: None)
    consent_id = organisation.submit(1, job("ana", target=copy_id))
    await organisation.work()
    outcome = organisation.outcome(consent_id)
    assert (outcome.finished, len(await organisation.service.own_runs())) == (is_allowed, int(is_allowed))
    if source == 14:
        assert f"may not call agent {copy_id}, a preview of agent 14. Start" in outcome.refusal


EDITS = [
    ("more calls than were agreed to", '"runs":1,"timeout', '"runs":9,"timeout', "more calls are asked for"),
    ("another consent's calls", '"digest":"sha256:0', '"digest":"sha256:1', "has the calls of another one"),
    ("no number", '"reserve_cents":24', '"reserve_cents":"24"', "cannot be read: jobs.0.reserve_cents"),
    ("another version", '"priority":0', '"urgency":0,"priority":"x"', "cannot be read"),
    ("no JSON", '{"consent"', "consent", "cannot be read"),
]


@pytest.mark.parametrize(("old", "new", "why"), [row[1:] for row in EDITS], ids=[row[0] for row in EDITS])
async def test_a_row_that_was_edited_is_refused(
    make_organisation: Make, job: MakeJob, old: str, new: str, why: str
) -> None:
    organisation = make_organisation()
    consent_id = organisation.submit(1, job("ana"))
    row = organisation.tables.consent(consent_id)
    assert row is not None
    assert old in row["submission"]
    organisation.tables.change(None, consent_id, submission=row["submission"].replace(old, new))
    await organisation.work()
    outcome = organisation.outcome(consent_id)
    assert why in outcome.refusal + outcome.trouble
    assert await organisation.service.own_runs() == []


async def test_the_tables_keep_no_key_and_no_prompt_of_an_ended_consent(make_organisation: Make, job: MakeJob) -> None:
    organisation = make_organisation()
    ended = organisation.submit(1, job("ana", prompt="You are Ana, an ended secret."))
    await organisation.work()
    with organisation.tables.reading() as connection:
        dump = "\n".join(str(row) for table in (CONSENTS, EVENTS) for row in connection.execute(table.select()))
    assert ended in dump
    assert "ended secret" not in dump
    assert organisation.service.key not in dump


async def test_a_consent_that_was_closed_long_ago_leaves_nothing(make_organisation: Make, job: MakeJob) -> None:
    """The next ones are served as ever."""
    organisation = make_organisation()
    tables = organisation.tables
    old, _ = (organisation.submit(number, job("ana", runs=2)) for number in (1, 2))
    await organisation.work()
    tables.close(old, "")
    await organisation.work()
    with tables.engine.begin() as connection:
        closed = update(CONSENTS).where(CONSENTS.c.consent_id == old)
        connection.execute(closed.values(changed_at=CONSENTS.c.changed_at - KEPT_SECONDS))
    organisation.submit(3, job("bob"))
    await organisation.work()
    assert old not in {each["consent_id"] for each in (*tables.consents(), *tables.events())}
    assert PRUNED in {each["kind"] for each in tables.events()}
    assert len(await organisation.service.own_runs()) == 5
    assert len(organisation.journal().unconsumed_slots()) == 3


async def test_a_closed_consent_is_not_resumed(make_organisation: Make, job: MakeJob) -> None:
    """Its results are stored: if the same workflow run needs more calls, they are made."""
    organisation = make_organisation()
    consent_id = organisation.submit(1, job("ana", runs=2))
    await organisation.work()
    row = organisation.tables.consent(consent_id)
    assert row is not None
    organisation.tables.close(consent_id, row["submission"])
    await organisation.work()
    assert organisation.state(consent_id) is ConsentState.CLOSED
    organisation.submit(1, job("ana", runs=2))
    await organisation.work()
    assert len(await organisation.service.own_runs()) == 4


def copy_tables(organisation: Organisation) -> None:
    path = Path(organisation.tables.shown)
    with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(path.with_name("copy"))) as copy:
        live.backup(copy)


def restore_tables(organisation: Organisation) -> None:
    path = Path(organisation.tables.shown)
    with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(path.with_name("copy"))) as copy:
        copy.backup(live)


@pytest.mark.parametrize("is_submitted", [True, False])
async def test_tables_restored_from_an_older_copy_pay_nothing_again(
    make_organisation: Make, job: MakeJob, is_submitted: bool
) -> None:
    """The service has the calls: what the tables do not know is not made again, also if it is submitted again."""
    organisation = make_organisation()
    consent_id = organisation.submit(1, job("ana", runs=2))
    if not is_submitted:
        assert await organisation.work(Life(dies_at="before event intended"))
    copy_tables(organisation)
    await organisation.work()
    restore_tables(organisation)
    for _ in range(2):
        await organisation.work()
        assert "the service has 2 calls like these" in organisation.outcome(consent_id).trouble
        organisation.submit(1, job("ana", runs=2))
    other = organisation.submit(2, job("bob"))
    await organisation.work()
    assert organisation.outcome(other).finished
    assert len(await organisation.service.own_runs()) == 3


async def test_a_consent_that_a_restored_copy_does_not_know_pays_nothing_again(
    make_organisation: Make, job: MakeJob
) -> None:
    """It is submitted again while a coordinator is at work, which has no other consent."""
    organisation = make_organisation()
    copy_tables(organisation)
    consent_id = organisation.submit(1, job("ana", runs=2))
    await organisation.work()
    restore_tables(organisation)
    assert organisation.tables.consents() == []

    async def later() -> None:
        await anyio.sleep(5.0)
        organisation.submit(1, job("ana", runs=2))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(later)
        await organisation.work(until=lambda: len(organisation.tables.consents(ConsentState.DEFERRED)) == 1)
    assert "the service has 2 calls like these" in organisation.outcome(consent_id).trouble
    assert len(await organisation.service.own_runs()) == 2


async def test_a_lost_launch_of_a_restored_copy_stands_for_no_later_one(make_organisation: Make, job: MakeJob) -> None:
    """It never arrived, and the launch that replaced it did, which the copy does not know."""
    organisation = make_organisation({"kind": "error_before", "times": 1}, dialect="client")
    consent_id = organisation.submit(1, job("ana", runs=2))
    await organisation.work(until=lambda: bool(organisation.journal().launches([LaunchState.UNCONFIRMED])))
    copy_tables(organisation)
    await organisation.work()
    assert organisation.outcome(consent_id).finished
    restore_tables(organisation)
    await organisation.work()
    assert len(await organisation.service.own_runs()) == 2


async def test_an_equal_call_of_a_later_consent_is_made(make_organisation: Make, job: MakeJob) -> None:
    """The run of a launch that was found meanwhile is no unknown one."""
    organisation = make_organisation({"kind": "lost_answer", "times": 1})
    organisation.submit(1, job("ana"))
    assert await organisation.work(Life(dies_at="after POST"))

    async def later() -> None:
        await anyio.sleep(60.0)
        organisation.submit(2, job("ana"), repository="clinic")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(later)
        await organisation.work(until=lambda: len(organisation.tables.consents(ConsentState.ENDED)) == 2)
    assert all(organisation.outcome(row["consent_id"]).finished for row in organisation.tables.consents())
    await organisation.check_exact()


async def lost_beside_an_equal_call(organisation: Organisation, work: Job) -> str:
    """A consent whose launch only a person can settle: its answer is lost, and somebody else with the same key makes the
    same call."""
    consent_id = organisation.submit(1, work)

    async def elsewhere() -> None:
        while not organisation.journal().launches([LaunchState.UNCONFIRMED]):  # noqa: ASYNC110 - virtual time
            await anyio.sleep(0.01)
        client = organisation.client(Life())
        await client.launch(LaunchRequest(work.line, (work.prompt,)), on_sending=lambda: None)
        await client.close()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(elsewhere)
        await organisation.work()
    return consent_id


async def test_a_launch_that_only_a_person_can_settle_is_named(make_organisation: Make, job: MakeJob) -> None:
    """Its consent has not finished."""
    organisation = make_organisation({"kind": "lost_answer", "times": 1})
    outcome = organisation.outcome(await lost_beside_an_equal_call(organisation, job("ana")))
    assert not outcome.finished
    assert [each.needs_person for each in outcome.unsettled] == [True]


SETTLED = [(LaunchState.ADOPTED, 2), (LaunchState.ABSENT, 3)]


@pytest.mark.parametrize(("state", "calls"), SETTLED, ids=[state.value for state, _ in SETTLED])
async def test_what_a_person_found_out_is_taken_over(
    make_organisation: Make, job: MakeJob, tmp_path: Path, state: LaunchState, calls: int
) -> None:
    """With `planner reconcile`, in the journal of the client: an adopted call is not made again, an absent one is. Until
    a day has passed, nothing is called beside the run that nobody knows."""
    organisation = make_organisation({"kind": "lost_answer", "times": 1})
    work = job("ana")
    consent_id = await lost_beside_an_equal_call(organisation, work)
    row, (run, *_) = organisation.tables.consent(consent_id), await organisation.service.own_runs()
    assert row is not None
    journal = Journal(tmp_path / "journal.sqlite")
    consent = submission_of(row["submission"], consent_id).consent
    journal.record(ConsentAdded(consent))
    credential = organisation.client(Life()).credential
    engine: Any = None  # no call is read
    client = OrganisationClient(
        organisation.tables, journal, engine, "shop", SERVICE, credential, "sqlite:///o.sqlite", detach=True
    )
    client.import_consents("")
    (launch,) = journal.launches([LaunchState.UNCONFIRMED])
    runs, bindings = ((run["run_id"],), {0: run["run_id"]}) if state is LaunchState.ADOPTED else ((), {})
    journal.record(Moved(launch.launch_id, state, run_ids=runs, bindings=bindings))

    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.ends_at += 100_000.0
    await anyio.sleep(86_400.0)

    async def again() -> None:
        while organisation.tables.worker() is None:  # noqa: ASYNC110 - virtual time
            await anyio.sleep(0.1)
        terms = SessionTerms(session_id="i2", credential=credential, ledger=Ledger(), settings=EngineSettings())
        observer = Observer(lambda _: RunResponse(), lambda _: None, organisation.log.append, organisation.log.append)
        consented = ConsentedJobs(consent_id=consent_id, jobs={work.case_id: work})
        outcome = await client.execute(terms, consented, (), observer=observer, interrupted=anyio.Event())
        assert outcome.submitted, outcome

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(again)
        await organisation.work(
            until=lambda: organisation.outcome(consent_id).finished if organisation.is_idle() else False
        )
    journal.close()
    assert len(await organisation.service.own_runs()) == calls
    assert organisation.journal().launches([LaunchState.UNCONFIRMED]) == []


async def test_what_nobody_can_have_found_out_is_refused(make_organisation: Make, job: MakeJob) -> None:
    """The row was edited: its launch is not touched, and others are served."""
    organisation = make_organisation({"kind": "lost_answer", "times": 1})
    work = job("ana")
    consent_id = await lost_beside_an_equal_call(organisation, work)
    (launch,) = organisation.journal().launches([LaunchState.UNCONFIRMED])
    organisation.submit(1, work, settled=(Moved(launch.launch_id, LaunchState.ADOPTED, bindings={7: 7110}),))
    other = organisation.submit(2, job("bob"))
    await organisation.work()
    assert "is impossible: launch" in organisation.outcome(consent_id).trouble
    assert organisation.outcome(other).finished
    assert organisation.journal().launches([LaunchState.UNCONFIRMED]) == [launch]


async def test_a_failure_of_the_platform_is_retried(make_organisation: Make, job: MakeJob) -> None:
    """Workers do not judge; that the platform failed shows in the evidence alone."""
    organisation = make_organisation({"kind": "fail_run", "times": 1})
    consent_id = organisation.submit(1, job("ana", runs=2, retries=1))
    await organisation.work()
    assert organisation.outcome(consent_id).finished
    assert len(await organisation.service.own_runs()) == 4  # both runs of the launch failed


async def test_a_service_that_is_away_for_long_fails_no_consent(make_organisation: Make, job: MakeJob) -> None:
    """The consent ends while its calls are under way, and they are found when it is submitted again."""
    organisation = make_organisation()
    consent_id = organisation.submit(1, job("ana", runs=2))

    def away(method: str, path: str, body: Any) -> Any:
        del method, path, body
        return UnreachableError("no network") if 10.0 < anyio.current_time() < 500.0 else None

    async def later() -> None:
        await anyio.sleep(600.0)
        assert "unavailable" in organisation.outcome(consent_id).trouble
        organisation.submit(1, job("ana", runs=2))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(later)
        is_over = lambda: anyio.current_time() > 620.0 and organisation.is_idle()  # noqa: E731 - short
        await organisation.work(until=is_over, intercept=away)
    assert [line for line in organisation.log if "AssertionError" in line] == []
    assert organisation.outcome(consent_id).finished
    await organisation.check_exact()


async def test_equal_calls_of_two_repositories_need_no_person(make_organisation: Make, job: MakeJob) -> None:
    """Both answers are lost: all intents are in one table, so it does not matter which run is whose."""
    organisation = make_organisation({"kind": "lost_answer", "times": 2})
    ids = [organisation.submit(n, job("ana"), repository=f"r{n}") for n in (1, 2)]
    await organisation.work()
    assert all(organisation.outcome(each).finished for each in ids)
    await organisation.check_exact()
