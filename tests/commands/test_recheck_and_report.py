"""`planner run --offline` and `planner report`: what is stored, judged again and shown again. Against a sandbox on a socket."""

from __future__ import annotations

import json
from collections import Counter
from html import unescape
from typing import Any

import pytest

from planner.workspace.report_files import REPORT_FILES
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"


@pytest.fixture
def called(project: Project, service: Served) -> Project:
    """Three cases, called once."""
    assert project.planner("run", CONSENT).code == 0
    return project


def _stored(project: Project) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in (project.root / ".planner").rglob("*")
        if path.is_file() and "journal" not in path.name
    }


def test_recheck_judges_stored_evidence(called: Project, service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """By today's expectations, without a key, a call or a trace in the store; the exit code is the verdict's."""
    monkeypatch.delenv("THUNDERPHONE_API_KEY")
    monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", "http://127.0.0.1:9")
    before, ledger = _stored(called), service.ledger()
    assert called.planner("run", "--offline").code == 0
    called.edit("plans/hours.yaml", "max_seconds: 600", "max_seconds: 1")
    ran = called.planner("run", "--offline")
    assert ran.code == 1
    outcomes = {case["case_id"]: (case["outcome"], case["compared"]) for case in called.results()["cases"]}
    assert outcomes["hours/cancel@clinic"] == ("failed", "not_comparable")
    assert Counter(outcomes.values()) == {("failed", "not_comparable"): 1, ("passed", "same"): 2}
    assert called.results()["cost"]["actual_cents"] == 0
    assert _stored(called) == before
    assert service.ledger() == ledger


def test_report_in_every_format(called: Project) -> None:
    """From the file or from the store, to standard output or a file, as `run` wrote it."""
    for name, output_format in REPORT_FILES.items():
        written = (called.root / "reports" / name).read_text()
        ran = called.planner("report", "reports/results.json", "--format", output_format)
        assert (ran.code, ran.out) == (0, written)
        session = called.results()["session_id"]
        ran = called.planner("report", session, "--format", output_format, "--out", f"again/{name}")
        assert (ran.code, ran.out) == (0, "")
        assert (called.root / "again" / name).read_text() == written
    assert '"role":"agent","text":"' in (called.root / "again/report.html").read_text()  # what was said, from the store


def _edited(results: Any, passed: int) -> Any:
    """A later result of the same cases: other runs, so many of each case's passed."""
    for case in results["cases"]:
        runs = [dict(run) for run in case["runs"] for _ in range(6)]
        for index, run in enumerate(runs):
            run["run_id"] += 10_000 * passed + 100 * index
            run["duration_seconds"] += 30
            if index >= passed:
                run["cause"], run["outcome"] = "agent", "failed"
        case["runs"] = runs
        case["outcome"] = "passed" if passed >= len(runs) else "failed"
    return results


def test_two_results_compared(called: Project) -> None:
    """Reports regressions with intervals, and fixes in reverse; few runs show nothing."""
    results = called.results()
    called.write("good.json", json.dumps(_edited(results, 99)))
    called.write("bad.json", json.dumps(_edited(called.results(), 2)))
    ran = called.planner("report", "bad.json", "good.json")
    assert ran.code == 0
    assert ran.out.startswith("# 2 regressed, 1 now failing\n")
    assert "12 of 12 → 2 of 12 runs passed, -83 points (-95 to -46 points, 95 % interval)" in unescape(ran.out)
    assert "3 cases compared: 30 of 30 runs passed before, 6 of 30 now\n" in unescape(ran.out)
    assert called.planner("report", "good.json", "bad.json").out.startswith("# 3 now passing\n")
    document = called.planner("report", "bad.json", "good.json", "--format", "json").json
    assert document["summary"] == {"regressed": 2, "suspected": 1}
    assert (document["suite"]["compared"], document["suite"]["cases"]) == ("not_enough_evidence", 3)
    few = called.planner("report", "bad.json", "reports/results.json", "--format", "json").json
    assert few["summary"] == {"suspected": 2, "same": 1}
    assert (
        called.planner("report", "bad.json", "good.json").out == called.planner("report", "bad.json", "good.json").out
    )


def test_the_same_runs_are_known_not_guessed(called: Project) -> None:
    """A recheck differs by what is expected, never by chance, and never by the agent."""
    called.write("before.json", (called.root / "reports/results.json").read_text())
    called.edit("plans/hours.yaml", "max_seconds: 600", "max_seconds: 1")
    assert called.planner("run", "--offline").code == 1
    ran = called.planner("report", "reports/results.json", "before.json")
    assert ran.out.startswith("# 1 now failing, 2 unchanged\n")
    assert "same runs, expectations changed" in ran.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\n", "not JSON"),
        ("{}", "schema_version is missing"),
        ('{"schema_version": "9.0"}', "was written by a newer planner: schema 9.0"),
        ('{"schema_version": "2.0"}', "is not a results document: tool_version: Field required"),
    ],
)
def test_a_file_that_is_no_result(project: Project, text: str, said: str) -> None:
    """It says what is wrong with it."""
    project.write("results.json", text)
    ran = project.planner("report", "results.json")
    assert (ran.code, said in ran.err) == (2, True), ran.err


def test_a_result_that_is_not_there(called: Project) -> None:
    """The newest stored one is named; a format that a comparison has not is refused; a file that cannot be written too."""
    newest = called.results()["session_id"]
    assert newest in called.planner("report", "reports/nothing.json").err
    ran = called.planner("report", newest, newest, "--format", "junit")
    assert (ran.code, "a comparison cannot be written as junit" in ran.err) == (2, True)
    ran = called.planner("report", newest, "--out", "plans")
    assert (ran.code, "plans cannot be written" in ran.err) == (2, True)
