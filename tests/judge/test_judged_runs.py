"""Tests of `check: judge` with `planner run` and `planner run --offline`, a served sandbox and a model on a socket."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from planner.changes.model import NOTHING_JUDGED
from planner.cli import system
from planner.commands.run import run
from planner.judge.judge_call_records import JudgeCallRecords
from planner.judge.votes import JudgeCallsResult
from planner.judging.judge_calls import JudgeCalls
from planner.log.journal import IN_MEMORY
from planner.log.local import LocalLog
from planner.session.preparing import prepare
from planner.session.run_session import RunOptions
from planner.workspace.selection import Selection, load
from planner.workspace.stores import Workspace, place_of
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.stores.conftest import git  # pyright: ignore[reportMissingImports]
from tests.judge.conftest import Asked, Model, Reply, completion, honest  # pyright: ignore[reportMissingImports]

PLAN = """\
version: 1
plan: manners
targets: {clinic: {agent: 12}}
scenarios:
  hours:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    runs: 2
    expect:
      - {check: call, status: completed}
      - {check: judge, id: polite, rubric: The agent stays polite.}
"""


def config(model: Model, price: str = "cents_per_vote: 2", **more: Any) -> str:
    more = {"check_callers": "false"} | more
    return f"judge: {{base_url: {json.dumps(model.url)}, model: scripted-1, {price}{''.join(f', {key}: {value}' for key, value in more.items())}}}\n"


@pytest.fixture
def manners(project: Project, model: Model, monkeypatch: pytest.MonkeyPatch) -> Project:
    project.root.joinpath("plans/hours.yaml").unlink()
    project.write("plans/manners.yaml", PLAN)
    project.write("planner.yaml", config(model))
    monkeypatch.setenv("PLANNER_JUDGE_API_KEY", "sk_judge_secret")
    return project


def test_another_edition_of_the_model_is_no_regression(manners: Project, service: Served, model: Model) -> None:
    """The results are not comparable."""
    manners.edit("plans/manners.yaml", "runs: 2", "runs: 5\n    min_pass_rate: 0.2")

    def session(edition: str, verdict: str) -> Any:
        model.script = lambda asked: Reply(completion(honest(asked, verdict), model=edition))
        assert manners.planner("run", "--consent-to-charge", "--rerun", "all").code in (0, 1)
        (case,) = manners.results()["cases"]
        assert {run["judge_model"] for run in case["runs"]} == {edition}
        return case

    assert session("scripted-1-2026-08-01", "holds")["runs_passed"] == 5
    fallen = session("scripted-1-2026-11-01", "does_not_hold")
    assert (fallen["runs_passed"], fallen["compared"], fallen["not_comparable"]) == (0, "not_comparable", "judge")
    assert session("scripted-1-2026-11-01", "holds")["compared"] == "same"


def test_a_model_is_asked_once(manners: Project, service: Served, model: Model) -> None:
    """Priced, with consent; reused by a second run and a recheck."""
    planned = manners.planner("plan", "--format", "json")
    assert planned.json["estimate"]["judge"] == {
        "model": "scripted-1", "votes": 2, "calls": 2, "stored_votes": 0, "expected_cents": 4, "high_cents": 8,
    }  # fmt: skip
    refused = manners.planner("run")
    assert refused.code == 3
    assert "plus 2 judge calls (scripted-1), expected $0.04 (at most $0.08): consent" in refused.err
    assert not model.asked
    assert not service.own_runs()

    ran = manners.planner("run", "--consent-to-charge")
    assert (ran.code, len(model.asked)) == (0, 2)
    assert "plus $0.04 (as estimated) for 2 judge calls (scripted-1)" in " ".join(ran.out.split())
    result = manners.results()
    assert result["cost"]["judge"] == {
        "model": "scripted-1", "votes": 2, "calls": 2, "stored_votes": 0, "estimated_cents": 4, "actual_cents": 4,
        "this_session_cents": 4, "unconfirmed_cents": 0,
    }  # fmt: skip
    finding = result["cases"][0]["runs"][0]["findings"][1]
    assert (finding["outcome"], finding["message"]) == ("passed", "the rubric holds: So it is.")
    assert finding["quote"]["turn"] == 1

    assert manners.planner("run").code == 0
    assert manners.planner("run", "--offline").code == 0
    assert len(model.asked) == 2
    assert "sk_judge_secret" not in ran.out + ran.err + json.dumps(result)
    assert {asked.headers["authorization"] for asked in model.asked} == {"Bearer sk_judge_secret"}


@pytest.mark.parametrize(
    ("more", "votes"),
    [
        ("", 6),
        ("      - {check: judge, id: brief, rubric: The agent is brief.}\n", 8),
    ],
)
def test_questions_about_a_shared_call_are_priced_once(
    manners: Project, service: Served, model: Model, more: str, votes: int
) -> None:
    """Two plans make the same call and ask the same: only what the second asks besides adds judge calls."""
    plan = PLAN.replace("polite, ", "polite, votes: 3, ")
    manners.write("plans/manners.yaml", plan)
    manners.write("plans/other.yaml", plan.replace("plan: manners", "plan: other") + more)
    planned = manners.planner("plan", "--format", "json").json["estimate"]
    assert (planned["calls"], planned["judge"]["votes"], planned["judge"]["calls"]) == (2, votes, votes)
    assert manners.planner("run", "--consent-to-charge").code == 0
    assert (len(service.own_runs()), len(model.asked)) == (2, votes)


def test_an_answer_of_an_unlisted_model_is_reported(manners: Project, service: Served, model: Model) -> None:
    """It is undecided and requested again once the name is listed; no phone call is repeated."""
    model.script = lambda asked: Reply(completion(honest(asked), model="tiny-other"))
    manners.write("planner.yaml", config(model, max_concurrent=1, answers_as="[scripted-one]"))
    ran = manners.planner("run", "--consent-to-charge")
    assert (ran.code, len(model.asked)) == (2, 1)
    name = 'answered as "tiny-other" instead of "scripted-1": the answer does not count, and judge calls stopped'
    assert name in " ".join((ran.out + ran.err).split())
    (case,) = manners.results()["cases"]
    assert {run["outcome"] for run in case["runs"]} == {"undecided"}
    manners.write("planner.yaml", config(model, answers_as="[tiny-other]"))
    assert manners.planner("run", "--consent-to-charge").code == 0
    assert (len(model.asked), len(service.own_runs())) == (3, 2)


def test_another_model_requires_new_judge_calls(manners: Project, service: Served, model: Model) -> None:
    """Priced and consented; no phone call."""
    assert manners.planner("run", "--consent-to-charge").code == 0
    manners.write("planner.yaml", config(model).replace("scripted-1", "scripted-2"))
    model.script = lambda asked: honest(asked, "does_not_hold")
    planned = manners.planner("plan", "--format", "json").json
    (change,) = planned["changes"]
    assert (change["action"], change["reason"], change["detail"]) == (
        "recheck",
        "judge_changed",
        "2 stored runs · judged by scripted-1 (prompt 2), now scripted-2 (prompt 2) · 2 judge calls needed",
    )
    assert (planned["estimate"]["judge"]["votes"], planned["estimate"]["judge"]["expected_cents"]) == (2, 4)
    assert manners.planner("run").code == 3
    assert len(model.asked) == 2
    assert manners.actions()["manners/hours@clinic"] == ("recheck", "judge_changed", 0)  # its old verdict stands
    assert manners.planner("run", "--consent-to-charge").code == 1
    assert [asked.body["model"] for asked in model.asked] == ["scripted-1"] * 2 + ["scripted-2"] * 2
    assert len(service.own_runs()) == 2
    assert manners.results()["cases"][0]["judged_by"] == "scripted-2 (prompt 2)"

    manners.write("planner.yaml", "")
    assert manners.planner("plan", "--format", "json").json["changes"][0]["reason"] != "judge_changed"
    manners.write("planner.yaml", config(model))
    (change,) = manners.planner("plan", "--format", "json").json["changes"]
    assert (change["action"], change["reason"]) == ("reuse", "passed"), "its verdicts are stored"


def test_another_rubric_requires_consent(manners: Project, service: Served, model: Model) -> None:
    """The phone calls are kept. `recheck` never asks the model."""
    manners.planner("run", "--consent-to-charge")
    manners.edit("plans/manners.yaml", "stays polite", "stays calm")
    calls = len(service.own_runs())
    assert manners.planner("run", "--offline").code == 4
    assert "only `planner run` asks the judge" in json.dumps(manners.results())
    refused = manners.planner("run")
    assert refused.code == 3
    assert "2 judge calls (scripted-1), expected $0.04 (at most $0.08): consent" in refused.err
    assert "planner run --consent-to-charge --max-cost 0.08" in refused.err
    assert "recheck   expectations changed · 2 stored runs · 2 judge calls needed" in manners.planner("plan").out
    assert manners.planner("run", "--consent-to-charge").code == 0
    assert manners.results()["cost"]["judge"]["this_session_cents"] == 4
    assert manners.planner("run").code == 0
    assert len(model.asked) == 4
    assert len(service.own_runs()) == calls


def test_late_transcripts_need_consent(manners: Project, service: Served, model: Model) -> None:
    """Their votes had no price before."""
    manners.planner("run", "--consent-to-charge")
    manners.edit("plans/manners.yaml", "stays polite", "stays calm")
    shell = system.shell(system.GlobalOptions())
    loaded = load(shell, Selection())
    place = place_of(shell, loaded.root, Selection(), loaded.project)
    prepared = prepare(Workspace(shell, Selection(), loaded, place), {}, None)
    log = LocalLog(IN_MEMORY, "a", shell.clock.now)
    records = JudgeCallRecords(log, "a", "", "session", shell.clock)
    judge = JudgeCalls(shell, prepared.judging, prepared.change_set, False, shell.log, records)

    async def ask() -> JudgeCallsResult:
        return await judge.make({}, [], NOTHING_JUDGED, anyio.Event())

    asked = len(model.asked)
    assert anyio.run(ask) == JudgeCallsResult()
    assert (len(model.asked), prepared.judging.cache.missing) == (asked, "consent to charge for it was not given")


@pytest.mark.parametrize(
    ("script", "code", "name"),
    [
        (lambda _: Reply({"error": {"message": "no such model"}}, 404), 2, "has no model 'scripted-1'"),
        (lambda _: Reply({"error": {"message": "insufficient credit"}}, 402), 3, "requires payment"),
        (
            lambda _: Reply(b"", 302, {"Location": "http://127.0.0.1:1/"}),
            2,
            "redirects (302); redirects are not followed",
        ),
        (
            lambda asked: honest(asked, "holds", 1, "these words were never said"),
            4,
            "its quote is not in the turn it names",
        ),
    ],
)
def test_without_answers_the_case_is_unknown(
    manners: Project, service: Served, model: Model, script: Callable[[Asked], Reply | str], code: int, name: str
) -> None:
    """It is judged once the endpoint works, without new phone calls."""
    model.script = script
    ran = manners.planner("run", "--consent-to-charge")
    assert ran.code == code
    document = json.dumps(manners.results())
    assert name in document
    assert manners.results()["cases"][0]["outcome"] == "unknown"
    calls = len(service.own_runs())
    assert calls == 2
    if code != 4:  # a void vote was charged and not repeated
        model.script = honest
        assert manners.planner("run", "--consent-to-charge").code == 0
        assert len(service.own_runs()) == calls


def test_a_rejected_key_stops_before_any_call(manners: Project, service: Served, model: Model) -> None:
    """By one free request."""
    model.refuses_key = True
    ran = manners.planner("run", "--consent-to-charge")
    assert ran.code == 2
    assert "the judge's endpoint rejects the key (401: bad key)" in ran.err
    assert not service.own_runs()


def test_without_a_model_no_call_is_made(manners: Project, service: Served) -> None:
    """`validate` warns; in the sandbox the check is undecided."""
    manners.root.joinpath("planner.yaml").unlink()
    ran = manners.planner("validate")
    assert (ran.code, "[judge-not-configured]" in ran.err) == (0, True)
    ran = manners.planner("run", "--consent-to-charge")
    assert (ran.code, "names none, so no call is made" in ran.err) == (2, True)
    planned = manners.planner("plan", "--format", "json")
    assert (planned.code, planned.json["error"]["code"]) == (2, "usage")
    assert "To run exactly this" not in manners.planner("plan").out
    assert not service.own_runs()
    ran = manners.planner("run", "--sandbox", "--consent-to-charge")
    assert (ran.code, manners.results()["cases"][0]["outcome"]) == (4, "unknown")


def test_a_kill_repeats_only_the_request_in_flight(manners: Project, service: Served, model: Model) -> None:
    """No phone call is repeated."""
    manners.write("planner.yaml", config(model, max_concurrent=1))
    arrived = threading.Event()

    def script(asked: Asked) -> Reply | str:
        if len(model.asked) == 1:
            return honest(asked)
        arrived.set()
        return Reply(completion(honest(asked)), seconds=1000)

    model.script = script
    manners.killed("run", "--consent-to-charge", when=arrived.is_set)
    calls = len(service.own_runs())
    assert (calls, len(list(manners.root.glob(".planner/votes/*/*/*.json")))) == (2, 1)

    model.script = honest
    planned = manners.planner("plan", "--format", "json").json["estimate"]["judge"]
    assert (planned["votes"], planned["stored_votes"]) == (1, 1)
    ran = manners.planner("run", "--consent-to-charge")
    assert (ran.code, len(model.asked), len(service.own_runs())) == (0, 3, calls)
    judge = manners.results()["cost"]["judge"]
    # The answer in flight was lost, but it may have been charged.
    assert (judge["this_session_cents"], judge["actual_cents"], judge["unconfirmed_cents"]) == (2, 4, 2)


def test_a_lost_machine_repeats_only_the_request_in_flight(
    manners: Project, service: Served, model: Model, tmp_path: Path
) -> None:
    """Its answers are in the shared store with what they cost. Before, they were shared at the end of the session."""
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", str(remote))
    git(manners.root, "init", "-q", "-b", "main")
    git(manners.root, "remote", "add", "origin", str(remote))
    git(manners.root, "commit", "-q", "--allow-empty", "-m", "empty")
    manners.write("planner.yaml", f"store: git:refs/planner/results\n{config(model, max_concurrent=1)}")
    manners.edit("plans/manners.yaml", "runs: 2", "runs: 4")
    arrived = threading.Event()

    def script(asked: Asked) -> Reply | str:
        if len(model.asked) < 4:
            return honest(asked)
        arrived.set()
        return Reply(completion(honest(asked)), seconds=1000)

    model.script = script
    manners.killed("run", "--consent-to-charge", when=arrived.is_set)
    assert len(model.asked) == 4
    shutil.rmtree(manners.root / ".planner")
    git(manners.root, "update-ref", "-d", "refs/planner/results")
    model.script = honest
    ran = manners.planner("run", "--consent-to-charge")
    assert (ran.code, len(model.asked), len(service.own_runs())) == (0, 5, 4), ran.err


def test_every_caller_is_checked_against_its_prompt(manners: Project, service: Served, model: Model) -> None:
    """Also of cases that ask no judge; a call of a broken caller is repeated with consent."""
    manners.write("planner.yaml", config(model, check_callers="true"))
    manners.write(
        "plans/manners.yaml",
        PLAN
        + "  plain:\n    prompt: You are Ben. Ask for the address.\n    expect: [{check: call, status: completed}]\n",
    )
    planned = manners.planner("plan", "--format", "json").json["estimate"]["judge"]
    assert (planned["calls"], planned["votes"]) == (5, 5)
    broken = iter([True])

    def script(asked: Asked) -> str:
        (rubric,) = asked.rubrics.values()
        about_plain = rubric.startswith("The caller followed") and "You are Ben. Ask for the address." in rubric
        return honest(asked, "does_not_hold" if about_plain and next(broken, False) else "holds")

    model.script = script
    ran = manners.planner("run", "--consent-to-charge")
    assert (ran.code, len(model.asked)) == (4, 5)
    cases = {case["scenario"]: case for case in manners.results()["cases"]}
    assert (cases["hours"]["outcome"], cases["plain"]["outcome"]) == ("passed", "unknown")
    (run,) = cases["plain"]["runs"]
    assert (run["outcome"], run["cause"], run["votes_missing"]) == ("undecided", "caller", 0)
    assert "did not follow its prompt, says the judge: So it is" in run["reason"]
    assert run["cause_quote"]["turn"] == 1

    assert any(step["charged"] for step in manners.results()["next_steps"]), "a repeat is offered"
    assert manners.actions()["manners/plain@clinic"] == ("call", "inconclusive", 1)
    calls = len(service.own_runs())
    assert manners.planner("run", "--consent-to-charge").code == 0
    assert (len(service.own_runs()), len(model.asked)) == (calls + 1, 6)
    assert manners.planner("run").code == 0, "nothing is asked about stored calls"


def test_a_recheck_asks_about_no_caller(manners: Project, service: Served, model: Model) -> None:
    """It stays free, although the model was not asked about these callers when they called."""
    manners.write(
        "plans/manners.yaml", PLAN.replace("      - {check: judge, id: polite, rubric: The agent stays polite.}\n", "")
    )
    assert manners.planner("run", "--consent-to-charge").code == 0
    manners.write("planner.yaml", config(model, check_callers="true"))
    assert manners.actions()["manners/hours@clinic"][0] == "reuse"
    manners.edit("plans/manners.yaml", "status: completed", "max_turns: 50")
    assert manners.actions()["manners/hours@clinic"][0] == "recheck"
    assert (manners.planner("run").code, len(model.asked)) == (0, 0)


FOUR_CALLS = PLAN.replace("runs: 2", "runs: 4")


def test_an_interruption_waits_for_answers_in_flight(manners: Project, service: Served, model: Model) -> None:
    """They are stored and not requested again."""
    manners.write("plans/manners.yaml", FOUR_CALLS)

    signals = iter([signal.SIGINT])  # one, with the first vote: a second would end everything at once

    def script(asked: Asked) -> Reply:
        for sent in signals:
            os.kill(os.getpid(), sent)  # this process's: planner runs in its main thread
        return Reply(completion(honest(asked)), seconds=0.3)

    async def long_sleep(seconds: float) -> None:
        await anyio.sleep(seconds * 100)

    model.script = script
    shell = system.shell(system.GlobalOptions())
    manners.limit_calls(1)
    patient = replace(shell, clock=replace(shell.clock, sleep=long_sleep))
    assert run(patient, RunOptions(Selection(), consent_to_charge=True)) == 130
    asked = len(model.asked)
    assert len(list(manners.root.glob(".planner/votes/*/*/*.json"))) == asked
    model.script = honest
    assert manners.planner("run", "--consent-to-charge").code == 0
    assert (len(service.own_runs()), len(model.asked)) == (4, 4)


def test_an_error_of_judge_calls_abandons_no_phone_call(
    manners: Project, service: Served, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reported at the end."""

    async def broken(self: object, **_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("planner.judge.judge_calls.JudgeCaller.ask", broken)  # a bug, which no input makes
    ran = manners.planner("run", "--consent-to-charge")
    assert ran.code not in (0, 1)
    monkeypatch.undo()
    monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", service.url)
    monkeypatch.setenv("THUNDERPHONE_API_KEY", "sk_test_judging")
    monkeypatch.chdir(manners.root)
    assert len(service.own_runs()) == 2
    assert (manners.planner("run", "--consent-to-charge").code, len(service.own_runs()), len(model.asked)) == (0, 2, 2)


ENOUGH = re.compile(r"Raise the ceiling \((.*) \$([0-9.]+) is enough\)")


@pytest.mark.parametrize("budget", [False, True])
def test_a_ceiling_includes_judge_calls_of_earlier_sessions(
    manners: Project, service: Served, model: Model, budget: bool
) -> None:
    """Of the command or a plan. What the report calls enough is enough."""
    manners.write("planner.yaml", config(model, "cents_per_vote: 100"))
    plan = PLAN.replace("runs: 2", "runs: 4")

    def session(cents: int) -> int:
        limit = f"budget: {{max_cost_cents: {cents}}}\n" if budget else ""
        manners.write("plans/manners.yaml", plan.replace("scenarios:", f"{limit}scenarios:"))
        return manners.planner("run", "--consent-to-charge", *([] if budget else ["--max-cost", f"{cents / 100}"])).code

    model.script = lambda asked: "void" if len(model.asked) <= 4 else honest(asked)
    assert session(600) == 3
    first = manners.results()
    spent = first["cost"]["actual_cents"] + 100 * len(model.asked)
    assert 500 < spent <= 600
    (step,) = (step for step in first["next_steps"] if step["code"] == "raise_ceiling")
    found = ENOUGH.match(step["text"])
    assert found

    asked = len(model.asked)
    assert session(600) == 3
    assert len(model.asked) == asked
    assert session(round(100 * float(found[2]))) == 0
    judge = manners.results()["cost"]["judge"]
    assert judge["actual_cents"] == 100 * len(model.asked)
    assert judge["this_session_cents"] == 100 * (len(model.asked) - asked)
    assert len(service.own_runs()) == 4


def test_judge_calls_stop_at_a_ceiling_that_earlier_ones_used(manners: Project, service: Served, model: Model) -> None:
    """Here all that is left is expected to fit, until answers are void and are requested again."""
    manners.write("planner.yaml", config(model, "cents_per_vote: 100", max_concurrent=1))
    manners.edit("plans/manners.yaml", "runs: 2", "runs: 4")
    run = ("run", "--consent-to-charge", "--max-cost", "5.50")
    model.script = lambda asked: honest(asked) if len(model.asked) == 1 else Reply({}, 402)
    assert manners.planner(*run).code == 3
    spent = manners.results()["cost"]["actual_cents"] + 100
    charged = len(model.asked)
    model.script = lambda _: "void"
    assert manners.planner(*run).code == 3
    voids = len(model.asked) - charged
    assert 550 - 100 < spent + 100 * voids <= 550


def test_an_advised_ceiling_includes_judge_calls(manners: Project, service: Served, model: Model) -> None:
    """Bills above their estimates stop the calls."""
    manners.write("planner.yaml", config(model, "cents_per_vote: 5") + "rates: {spark: 1}\n")
    manners.edit("plans/manners.yaml", "runs: 2", "runs: 4")
    manners.limit_calls(1)
    run = ("run", "--consent-to-charge", "--max-cost")
    assert manners.planner(*run, "0.40").code == 3
    assert 0 < len(service.own_runs()) < 4
    found = ENOUGH.match(manners.results()["next_steps"][0]["text"])
    assert found
    assert manners.planner(*run, found[2]).code == 0
    assert len(service.own_runs()) == len(model.asked) == 4
