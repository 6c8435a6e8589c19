"""`planner run` and `planner worker` with one organisation: real processes, a served sandbox, SQLite."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import databases
import forked
import pytest
from databases import Postgres
from forked import Forked
from patience import wait_for
from worker_trials import says

from planner.organisation.opening import open_tables
from planner.organisation.states import ConsentState
from planner.organisation.tables import Tables
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = ("--consent-to-charge", "--max-cost", "9.00")
USER = "ana"
Workers = Callable[..., Forked]


@pytest.fixture
def shared(project: Project, service: Served, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project's planner.yaml names an organisation, whose tables are in the same folder."""
    del service
    monkeypatch.setenv("USER", USER)
    project.write("planner.yaml", f"organisation: sqlite:///{project.root}/organisation.sqlite\n")
    return project


@pytest.fixture
def workers(shared: Project) -> Iterator[Workers]:
    started: list[Forked] = []

    def start(*options: str) -> Forked:
        arguments = ("worker", "--person", USER, "--settle-seconds", "20", *options)
        worker = forked.planner(*arguments, cwd=shared.root)
        started.append(worker)
        first = worker.output.readline()
        assert "waiting for consents" in first, first
        return worker

    yield start
    for worker in started:
        worker.kill()


def tables_of(project: Project) -> Tables:
    return open_tables(f"sqlite:///{project.root}/organisation.sqlite", project.root, {})


def states(project: Project) -> list[str]:
    return [row["state"] for row in tables_of(project).consents()]


def code_of(client: Forked) -> int | None:
    """When it has ended."""
    client.output.read()
    client.process.join()
    client.kill()
    return client.process.exitcode


DIFFERENT = {
    r"(session_id|started_at|ended_at)": "each session has its own",
    r"cases\.\d+\.runs\.\d+\.(session_id|completed_at)": "the same, of each call",
    r"cases\.\d+\.runs\.\d+\.evidence": "the digest of a call, whose ids and times are its own",
    r"(consent|consents\.\d+)\.(id|at)": "each command is agreed to by itself",
    r"stats\.requests": "the workers' requests are not the client's",
    r"stats\.wall_seconds": "time",
}
"""Fields of results that may differ, and why. All others are the same, with workers and without."""
OWN = re.compile(
    r"\d{8}T\d{9}-[0-9a-f]{8}|[0-9a-f]{64}|[0-9a-f]{16}-[0-9a-f]{16}"  # ids of sessions, evidence and consents
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?|\d+(\.\d+)? (s|requests?)\b|time=\"[\d.]+\""
)
"""The same, as reports show it."""


def fields(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list):
        found = value.items() if isinstance(value, dict) else enumerate(value)
        for name, each in cast("Iterable[tuple[Any, Any]]", found):
            yield from fields(each, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def reports(project: Project) -> dict[str, list[str]]:
    """Lines of the reports for people and for CI."""
    names = ("report.md", "report.html", "junit.xml")
    return {name: OWN.sub("…", (project.root / "reports" / name).read_text()).splitlines() for name in names}


def test_a_run_of_workers_and_a_local_one_say_the_same(
    shared: Project, workers: Workers, service: Served, serve_here: Callable[..., Served]
) -> None:
    """Field by field, line by line, and to the cent."""
    workers()
    ran = shared.planner("run", *CONSENT)
    assert ran.code == 0, ran.err
    with_workers, their_reports = dict(fields(shared.results())), reports(shared)
    assert len(service.own_runs()) == 5
    assert with_workers["cost.actual_cents"] == service.ledger()["total_cents"]
    wait_for(lambda: states(shared) == ["closed"])
    assert (
        shared.actions() == dict.fromkeys(shared.actions(), ("reuse", "passed", 0)) or shared.planner("run").code == 0
    )
    serve_here()
    shared.write("planner.yaml", "")
    assert shared.planner("run", *CONSENT, "--store", "local").code == 0
    alone = dict(fields(shared.results()))
    different = {path for path in with_workers.keys() | alone.keys() if with_workers.get(path) != alone.get(path)}
    assert [path for path in different if type(with_workers.get(path)) is not type(alone.get(path))] == []
    assert {path for path in different if not any(re.fullmatch(each, path) for each in DIFFERENT)} == set()
    assert [each for each in DIFFERENT if not any(re.fullmatch(each, path) for path in different)] == []
    assert their_reports == reports(shared)


@pytest.fixture
def postgres(shared: Project, workers: Workers, service: Served) -> Iterator[Postgres]:
    """Has the tables of one worker, which waits after the first launch until `service.release`."""
    if databases.programs() is None:
        pytest.skip(databases.MISSING)
    server = Postgres()
    try:
        shared.write("planner.yaml", f"organisation: {server.new()}\n")
        workers()
        service.hold(1, retry_after_seconds=1)
        yield server
    finally:
        server.remove()


def test_a_database_that_is_lost_for_a_while_costs_nothing(
    shared: Project, postgres: Postgres, service: Served
) -> None:
    """Postgres, stopped in the middle of the calls and started again."""
    shared.planner("run", *CONSENT, "--detach")
    wait_for(lambda: len(service.own_runs()) >= 1)
    postgres.stop()
    service.release()
    ran = shared.planner("run", *CONSENT)
    assert (ran.code, "cannot be read" in ran.err) == (4, True), ran.err
    postgres.start()
    ran = shared.planner("run", *CONSENT)
    assert ran.code == 0, ran.err
    assert len(service.own_runs()) == 5
    assert shared.results()["cost"]["actual_cents"] == service.ledger()["total_cents"]


def test_a_client_waits_for_a_database_that_is_restarted(shared: Project, postgres: Postgres, service: Served) -> None:
    """As long as for the service, and says so."""
    client = forked.planner("run", *CONSENT, cwd=shared.root)
    wait_for(lambda: len(service.own_runs()) >= 1)
    postgres.stop()
    says(client, "trying again for up to 5 min")
    postgres.start()
    service.release()
    assert code_of(client) == 0
    assert len(service.own_runs()) == 5


def test_a_client_says_why_no_calls_are_made(shared: Project, workers: Workers, service: Served) -> None:
    """The coordinator's trouble; and within some seconds that no worker is at work any more."""
    service.hold(0, retry_after_seconds=1)
    worker = workers()
    client = forked.planner("run", *CONSENT, cwd=shared.root)
    wait_for(lambda: states(shared) == ["open"])
    tables = tables_of(shared)
    tables.report(1, "the lists cannot be read")
    says(client, "worker makes no calls at the moment: the lists cannot be read")
    os.kill(worker.process.pid or 0, signal.SIGKILL)
    killed = time.monotonic()
    says(client, "worker was last heard of more than 12 s ago")
    assert time.monotonic() - killed < 16
    service.release()
    workers()
    assert code_of(client) == 0


def test_calls_that_were_submitted_are_followed_from_another_checkout(
    shared: Project, workers: Workers, service: Served, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> None:
    workers()
    ran = shared.planner("run", *CONSENT, "--detach")
    assert (ran.code, shared.results()["outcome"]) == (4, "submitted")
    assert "submitted to the organisation's workers" in ran.out
    wait_for(lambda: states(shared) == ["ended"])
    other = Project(tmp_path_factory.mktemp("checkout") / shared.root.name, shared.capsys)
    for name in ("planner.yaml", "plans/hours.yaml"):
        other.write(name, (shared.root / name).read_text())
    monkeypatch.chdir(other.root)
    ran = other.planner("run", *CONSENT)
    assert ran.code == 0, ran.err
    assert len(service.own_runs()) == 5
    assert other.results()["cost"]["actual_cents"] == service.ledger()["total_cents"]


def test_a_ceiling_of_the_organisation_ends_with_3(shared: Project, workers: Workers, service: Served) -> None:
    """What is left is listed, and the same command goes on under a higher one."""
    low = workers("--max-cost-per-month", "0.70")
    ran = shared.planner("run", *CONSENT)
    assert ran.code == 3, ran.err
    assert "--max-cost-per-month of the workers (" in shared.results()["problems"][0]
    assert 0 < service.ledger()["total_cents"] <= 70
    os.kill(low.process.pid or 0, signal.SIGTERM)
    low.process.join()
    workers()
    assert shared.planner("run", *CONSENT).code == 0
    assert len(service.own_runs()) == 5


def test_workers_make_all_calls_of_a_case(shared: Project, workers: Workers, service: Served) -> None:
    """They do not judge, so no case stops early, and none is called in waves."""
    workers()
    shared.edit("plans/hours.yaml", "    runs: 2\n", "    runs: 6\n    min_pass_rate: 0.3\n    when_settled: stop\n")
    for made in (13, 26, 39):
        ran = shared.planner("run", *CONSENT, "--rerun", "all")
        assert ran.code == 0, ran.err
        assert len(service.own_runs()) == made


def test_bad_input_spends_nothing(shared: Project, workers: Workers, service: Served) -> None:
    """No tables, no worker, and an option that needs verdicts."""
    ran = shared.planner("run", *CONSENT)
    assert (ran.code, "does not exist" in ran.err) == (2, True), ran.err
    assert not (shared.root / "organisation.sqlite").exists()
    worker = workers()
    os.kill(worker.process.pid or 0, signal.SIGTERM)
    worker.process.join()
    assert worker.output.read().endswith("stopped\n")
    ran = shared.planner("run", *CONSENT)
    assert ran.code == 4, ran.err
    assert "no worker of the organisation is running" in shared.results()["problems"][0]
    ran = shared.planner("run", *CONSENT, "--fail-fast")
    assert (ran.code, "--fail-fast needs verdicts" in ran.err) == (2, True), ran.err
    workers()
    shared.edit("planner.yaml", "organisation.sqlite", "nowhere/organisation.sqlite")
    ran = shared.planner("run", *CONSENT)
    assert (ran.code, "does not exist" in ran.err) == (2, True), ran.err
    assert service.own_runs() == []
    assert tables_of(shared).consents(ConsentState.OPEN) == []


WORKER_ERRORS = [
    ([], "nobody may agree to calls"),
    (["--person", "ana", "--target", "clinic"], "is not a target"),
    (["--person", "ana", "--repository", "shop"], "is not a ceiling"),
    (["--person", "ana", "--organisation", "mysql://db/planner"], "write postgresql://<user>@<host>/<database>"),
]


@pytest.mark.parametrize(("options", "why"), WORKER_ERRORS)
def test_a_worker_says_what_is_wrong(shared: Project, options: list[str], why: str) -> None:
    ran = shared.planner("worker", *options)
    assert (ran.code, why in ran.err) == (2, True), ran.err


def test_a_worker_with_a_wrong_key_does_not_start(
    shared: Project, serve_here: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that the service rejects, or that is of another organisation than the tables."""
    serve_here("--api-key", "sk_test_commands")
    monkeypatch.setenv("THUNDERPHONE_API_KEY", "sk_test_wrong")
    ran = shared.planner("worker", "--person", USER)
    assert (ran.code, "the service rejects the key (401" in ran.err) == (2, True), ran.err
    tables = tables_of(shared)
    assert tables.worker() is None
    tables.belong_to(99)
    tables.take("another worker", "0")
    monkeypatch.setenv("THUNDERPHONE_API_KEY", "sk_test_commands")
    ran = shared.planner("worker", "--person", USER)
    assert (ran.code, "has calls of organisation 99" in ran.err) == (2, True), ran.err


def test_the_host_temporal_needs_its_extra(shared: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "planner.organisation.temporal", None)  # importing it fails
    ran = shared.planner("worker", "--person", USER, "--host", "temporal")
    assert (ran.code, "needs the extra `temporal`" in ran.err) == (2, True), ran.err


def test_an_organisation_is_needed(project: Project, service: Served) -> None:
    del service
    ran = project.planner("run", *CONSENT, "--detach")
    assert (ran.code, "--detach needs `organisation`" in ran.err) == (2, True), ran.err
    ran = project.planner("worker", "--person", "ana")
    assert (ran.code, "no organisation is named" in ran.err) == (2, True), ran.err
    project.write("planner.yaml", "organisation: postgresql://ana:secret@db/planner\n")
    ran = project.planner("validate")
    assert (ran.code, "a password does not belong here" in ran.out + ran.err) == (2, True), ran.err
