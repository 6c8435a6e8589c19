"""However a session ends, its reports say what was agreed to, made and paid: never less than the journal shows."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
from hours import HOURS
from whole_runs import Organization

from planner.workspace.report_files import REPORT_FILES

WANTED = {"Ana": 2, "Bob": 2, "Dora": 1}


@pytest.fixture
def organization(tmp_path: Path) -> Organization:
    service = Organization(tmp_path)
    service.write("plans/hours.yaml", HOURS)
    return service


def made(service: Organization) -> dict[str, int]:
    return {name: sum(each for prompt, each in service.made().items() if name in prompt) for name in WANTED}


def check_true(service: Organization, results: Any) -> None:
    """What the reports say is what the service charged, or is reserved for what it may charge."""
    charged, cost = service.charged(), results["cost"]
    billed = {run_id: cents for run_id, cents in service.noted().items() if cents is not None}
    assert charged, "nothing was called, so nothing is tested"
    assert cost["actual_cents"] == cost["this_session_cents"] == sum(billed.values())
    assert all(charged[run_id] == cents for run_id, cents in billed.items())
    assert (cost["unconfirmed_cents"] > 0) == (len(billed) < len(charged))
    assert results["consent"]["given"]
    assert results["stats"]["launches"] + len(results["open_launches"]) > 0
    assert not any("nothing called" in path.read_text() for path in (service.root / "reports").iterdir())


def check_resumed(service: Organization) -> None:
    """A later session without the fault pays for nothing that was paid."""
    for _ in range(3):
        service.seconds += 660
        if service.run().code == 0:
            break
    assert made(service) == WANTED


ALL: Final = 10**9


class Breaks:
    """Raises KeyError at some calls, and does what it replaces at the calls before and after."""

    def __init__(self, real: Callable[..., Any], begin: int, end: int) -> None:
        self.real, self.wrong = real, range(begin, end)
        self.calls = 0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls - 1 in self.wrong:
            raise KeyError("what nobody expected")
        return self.real(*arguments, **options)


@contextmanager
def broken(place: str, begin: int = 0, end: int = ALL) -> Generator[None]:
    """`place` is a module and a name in it; the calls from `begin` to `end` raise."""
    module, _, name = place.rpartition(".")
    class_name = module.rpartition(".")[2]
    is_class = class_name[0].isupper()
    owner = getattr(import_module(module.rpartition(".")[0]), class_name) if is_class else import_module(module)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, Breaks(getattr(owner, name), begin, end))
        yield


ENGINE: dict[str, tuple[str, int, int]] = {
    "when a run is judged": ("planner.session.calling.judge_record", 1, ALL),
    "in an answer to a launch": ("planner.calls.driver.meaning_of", 0, ALL),
    "in a list": ("planner.calls.driver.bind", 3, ALL),
    "when evidence is stored": ("planner.calls.driver.call_of", 1, ALL),
    "when evidence is merged": ("planner.calls.driver.collect", 2, ALL),
    "in a decision": ("planner.calls.driver.decide", 12, ALL),
    "in the progress display": ("planner.session.calling.ProgressState", 9, ALL),
}
LATER: dict[str, tuple[str, int, int]] = {
    "after the calls": ("planner.session.executing.preview_documents", 0, ALL),
    "when results are made": ("planner.session.finishing.assemble_cases", 0, ALL),
    "when results are stored": ("planner.session.finishing.end_session", 0, ALL),
    "when reports are redacted": ("planner.workspace.report_files.redact", 1, 2),
}
PLACES = ENGINE | LATER
"""In tasks of the engine, and after them."""


@pytest.mark.parametrize("place", PLACES)
def test_a_bug_hides_no_paid_call(organization: Organization, place: str) -> None:
    """A task of the session raises an exception when calls were paid. Before: all reports said that nothing was
    called. Now: exit code 5, the reports have the calls and their bills, and the details are on standard error."""
    with broken(*PLACES[place]):
        ran = organization.run()
    assert ran.code == 5, ran.err
    results = organization.results()
    assert (results["exit_code"], results["finished"]) == (5, False)
    check_true(organization, results)
    assert len(results["cases"]) == (3 if place in ENGINE else 0)
    assert "KeyError: 'what nobody expected'" in ran.err
    assert any("a bug in planner" in line for line in results["problems"])
    check_resumed(organization)


def test_a_bug_with_an_unconfirmed_launch_says_when_it_may_be_sent_again(tmp_path: Path) -> None:
    """After the time in which the service must show it."""
    service = Organization(tmp_path, faults=({"kind": "lost_answer", "route": "launch"},), lag_seconds=10**6)
    service.write("plans/hours.yaml", HOURS)
    service.write("planner.yaml", "version: 1\nexecution: {settle_seconds: 120, linger_seconds: 1}\n")
    began = service.now()
    with broken("planner.session.finishing.assemble_cases"):
        assert service.run().code == 5
    launches = service.results()["open_launches"]
    assert launches
    for launch in launches:
        again_at = datetime.fromisoformat(launch["again_at"])
        assert began + timedelta(seconds=119) <= again_at <= service.now() + timedelta(seconds=120)


@pytest.mark.parametrize("name", REPORT_FILES)
def test_a_broken_format_costs_only_itself(organization: Organization, name: str) -> None:
    """One format of the report cannot be written. Before: the others were replaced by empty ones. Now: they are
    written and name it; no older file of it remains."""
    places = {
        "report.md": "planner.reports.markdown.render",
        "results.json": "planner.reports.json_document",
        "junit.xml": "planner.reports.junit.render",
        "report.html": "planner.reports.html.pieces",
    }
    with broken(places[name], begin=1):  # the first report is written before the first call
        ran = organization.run()
    assert ran.code == 5, ran.err
    files = {path.name for path in (organization.root / "reports").iterdir()}
    assert files & {*REPORT_FILES} == {*REPORT_FILES} - {name}
    if name != "results.json":
        results = organization.results()
        check_true(organization, results)
        assert len(results["cases"]) == 3
        assert [problem for problem in results["problems"] if name in problem and "a bug in planner" in problem]
    else:
        assert name in (organization.root / "reports/junit.xml").read_text()
    assert organization.run().code == 0
    assert made(organization) == WANTED


def test_a_check_that_raises_costs_nothing_more(organization: Organization) -> None:
    """Its cases are unknown; nobody is told to pay for other calls, and without the bug the stored ones pass."""
    with broken("planner.checks.call.CallCheck.judge"):
        ran = organization.run()
        again = organization.run()
    assert (ran.code, again.code) == (4, 4)
    results = organization.results()
    assert not any("charged)" in line for line in results["problems"])
    assert not any(step["charged"] for step in results["next_steps"])
    assert [line for line in results["problems"] if "the check call raised KeyError at test_true_reports.py:" in line]
    findings = [finding for case in results["cases"] for run in case["runs"] for finding in run["findings"]]
    assert {finding["check"]: finding["is_bug"] for finding in findings} == {"call": True, "duration": False}
    assert "Traceback" not in ran.err + ran.out
    assert organization.run().code == 0
    assert made(organization) == WANTED


def test_details_of_a_bug_are_redacted(organization: Organization) -> None:
    """An exception may quote what was said."""
    organization.write("planner.yaml", "version: 1\nredact: ['nobody ']\n")
    with broken("planner.session.calling.judge_record"):
        ran = organization.run()
    assert "KeyError" in ran.err
    assert "nobody expected" not in ran.err


@pytest.mark.parametrize("kind", ["a launch", "a list", "evidence"])
def test_a_second_interruption_hides_no_paid_call(organization: Organization, kind: str) -> None:
    """Somebody presses Ctrl-C a second time while an answer is awaited. Before: the reports denied calls that were
    paid. Now: exit code 130, and the reports show what was agreed to and what may be charged."""
    paths = {
        "a launch": ("POST", "/v1/test-call"),
        "a list": ("GET", "/v1/test-calls"),
        "evidence": ("GET", "/v1/calls/"),
    }
    method, path = paths[kind]
    real = organization.sandbox.app
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await real(scope, receive, send)
        if scope["method"] == method and scope["path"].startswith(path) and not sent:
            sent += 1
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            await anyio.sleep_forever()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(organization.sandbox, "app", app)
        assert organization.run().code == 130
    results = organization.results()
    assert (results["exit_code"], results["outcome"]) == (130, "interrupted")
    check_true(organization, results)
    check_resumed(organization)
