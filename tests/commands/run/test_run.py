"""The main job, end to end, against a sandbox on a socket."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta

import pytest
from patience import PATIENCE_SECONDS, wait_for

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"


def test_without_consent_no_call_is_made(project: Project, service: Served) -> None:
    """The refusal says what it would have cost and what to type, and the reports say that it was refused."""
    ran = project.planner("run")
    assert ran.code == 3
    assert "5 calls, expected $1.60" in ran.err
    command = re.search(r"planner (run --consent-to-charge --max-cost \S+ --digest sha256:[0-9a-f]{64})", ran.err)
    assert service.ledger()["runs"] == []
    results = project.results()
    assert results["outcome"] == "refused"
    assert results["consent"]["given"] is False
    assert [case["runs_total"] for case in results["cases"]] == [0, 0, 0]
    assert command
    assert project.planner(*command[1].split()).code == 0, "the suggested command makes exactly those calls"
    assert len(service.own_runs()) == 5


def test_the_first_run_makes_all_calls_and_the_second_none(project: Project, service: Served) -> None:
    """Unchanged passing cases are kept; results and bill agree with the service's ledger to the cent."""
    first = project.planner("run", CONSENT)
    assert first.code == 0, first.err + first.out
    ledger = service.ledger()
    results = project.results()
    assert results["cost"]["actual_cents"] == results["cost"]["this_session_cents"] == ledger["total_cents"]
    assert results["stats"]["launches"] == len(ledger["launches"])
    assert sorted(run["run_id"] for case in results["cases"] for run in case["runs"]) == [
        run["run_id"] for run in ledger["runs"]
    ]
    assert {case["action"] for case in results["cases"]} == {"call"}

    assert project.planner("run").code == 0, "nothing to call, nothing to consent to"
    assert service.ledger() == ledger
    again = project.results()
    assert {(case["action"], case["reason"], case["carried_from"]) for case in again["cases"]} == {
        ("reuse", "passed", results["session_id"])
    }
    assert again["cost"]["this_session_cents"] == again["cost"]["actual_cents"] == 0
    assert [case["runs"] for case in again["cases"]] == [case["runs"] for case in results["cases"]]


def test_editing_an_expectation_rechecks_for_free(project: Project, service: Served) -> None:
    """Stored evidence is judged by today's expectations, and can fail by them."""
    project.planner("run", CONSENT)
    before = service.ledger()
    project.edit("plans/hours.yaml", "max_seconds: 600", "max_seconds: 601")
    assert project.actions()["hours/cancel@clinic"] == ("recheck", "expectations_changed", 0)
    ran = project.planner("run")
    assert (ran.code, "3 unchanged, expectations changed in 1 case" in ran.out) == (0, True)
    assert "3 unchanged, expectations changed in 1 case" in (project.root / "reports/report.md").read_text()
    ran = project.planner("run")
    assert (ran.code, "expectations changed" in ran.out) == (0, False)
    project.edit("plans/hours.yaml", "max_seconds: 601", "max_seconds: 1")
    ran = project.planner("run")
    assert ran.code == 1
    assert service.ledger() == before
    case = next(case for case in project.results()["cases"] if case["case_id"] == "hours/cancel@clinic")
    assert (case["action"], case["outcome"], case["compared"]) == ("recheck", "failed", "not_comparable")
    assert (case["not_comparable"], case["changed"]) == ("expectations", "now_failing")
    assert "1 now failing (1/1 → 0/1), 2 unchanged" in " ".join(ran.out.split())
    assert "The agent failed" not in " ".join(ran.out.split())
    assert case["runs"][0]["findings"][0]["outcome"] == "failed"


@pytest.mark.parametrize("options", [(), (CONSENT, "--max-cost", "0.01")])
def test_what_is_free_is_done_although_calls_are_refused(
    project: Project, service: Served, options: tuple[str, ...]
) -> None:
    """The recheck of another case is stored: the next plan has nothing to recheck."""
    project.planner("run", CONSENT)
    project.edit("plans/hours.yaml", "{check: call, status: completed}", "{check: duration, max_seconds: 1}")
    project.edit("plans/hours.yaml", "of Monday", "of Friday")
    ran = project.planner("run", *options)
    assert ran.code == 3
    assert len(service.own_runs()) == 5
    actions = project.actions()
    assert actions.pop("hours/cancel@clinic") == ("call", "caller_prompt_changed", 1)
    assert set(actions.values()) == {("reuse", "failed", 0)}
    project.edit("plans/hours.yaml", "of Friday", "of Monday")
    planned = project.planner("plan").out
    assert "2 failing, unchanged: `planner run --rerun failed` calls them again (4 calls, $0.64)" in planned
    assert "Nothing to do." not in planned


def test_editing_a_prompt_calls_only_its_cases(project: Project, service: Served) -> None:
    """One changed line does not call the suite again."""
    project.planner("run", CONSENT)
    project.edit("plans/hours.yaml", "Cancel your appointment of Monday.", "Please cancel your appointment of Monday.")
    assert Counter(action for action, _, _ in project.actions().values()) == {"reuse": 2, "call": 1}
    assert project.planner("run", CONSENT).code == 0
    assert [run["prompt"].strip() for run in service.own_runs()][5:] == [
        "You are Dora Diaz, polite. Please cancel your appointment of Monday."
    ]


def test_raising_runs_calls_only_the_missing_ones(project: Project, service: Served) -> None:
    """From 2 to 3 runs is one more call per case; all three count as evidence."""
    project.planner("run", CONSENT)
    project.edit("plans/hours.yaml", "runs: 2", "runs: 3")
    assert project.planner("run", CONSENT).code == 0
    assert len(service.own_runs()) == 7
    assert [case["runs_total"] for case in project.results()["cases"]] == [3, 3, 1]


def test_a_broken_ceiling_refuses_up_front(project: Project, service: Served) -> None:
    """Expected above the ceiling: nobody is called. The command's and the plan's own hold alike."""
    ran = project.planner("run", CONSENT, "--max-cost", "0.50")
    assert ran.code == 3
    assert "--max-cost allows $0.50" in ran.err
    project.edit("plans/hours.yaml", "scenarios:", "budget: {max_cost_cents: 50}\nscenarios:")
    ran = project.planner("run", CONSENT)
    assert ran.code == 3
    assert "budget.max_cost_cents of plan hours allows $0.50" in ran.err
    assert service.ledger()["runs"] == []


def test_a_digest_that_does_not_match_makes_no_call(project: Project, service: Served) -> None:
    """Consent is to one change set; after an edit it is another."""
    digest = project.planner("plan", "--format", "json").json["digest"]
    project.edit("plans/hours.yaml", "of Monday", "of Friday")
    ran = project.planner("run", CONSENT, "--digest", digest)
    assert ran.code == 3
    assert "not the one agreed to: hours/cancel@clinic: a different call (new)" in ran.err
    assert service.ledger()["runs"] == []
    assert project.planner("run", CONSENT, "--digest", "sha256:abc").code == 2


def test_selecting_cases(project: Project, service: Served) -> None:
    """The calls of the selected cases count, and are not paid for again."""
    ran = project.planner("run", CONSENT, "--select", "hours/saturday[[]*")
    assert ran.code == 2  # brackets stand for themselves
    assert project.planner("run", CONSENT, "--select", "hours/saturday[name=Ana]@*").code == 0
    assert len(service.own_runs()) == 2
    assert project.results()["partial"] is True
    assert project.actions()["hours/saturday[name=Ana]@clinic"] == ("reuse", "passed", 0)
    assert project.planner("run", CONSENT).code == 0
    assert Counter(run["prompt"] for run in service.own_runs()).most_common()[0][1] == 2
    assert len(service.own_runs()) == 5


FAILING = """\
version: 1
plan: strict
targets: {clinic: {agent: 12}}
scenarios:
  impossible:
    prompt: You are Ana. Ask for the opening hours.
    expect:
      - {check: never_says, any_of: [clinic, hours, open, "the", "you"], id: mute}
"""


def test_a_failing_case(project: Project, service: Served) -> None:
    """Exit 1, the turn quoted in every report; where every call must pass, the next run cannot change that, and calls nobody."""
    project.write("plans/hours.yaml", FAILING)
    ran = project.planner("run", CONSENT)
    assert ran.code == 1, ran.err
    results = project.results()
    case = results["cases"][0]
    assert results["outcome"] == "failed"
    assert (case["outcome"], case["runs"][0]["outcome"], case["runs"][0]["cause"]) == ("failed", "failed", "agent")
    quote = case["runs"][0]["findings"][0]["quote"]
    assert quote["role"] == "agent"
    assert quote["text"].split()[0] in (project.root / "reports/report.md").read_text()
    assert project.actions()["strict/impossible@clinic"] == ("reuse", "failed", 0)
    assert "more `runs`" not in project.planner("plan").out  # every run must pass
    assert project.actions("--rerun", "failed")["strict/impossible@clinic"] == ("call", "failed", 1)


def test_rerun_failed_names_the_cases_that_it_leaves_out(project: Project, service: Served) -> None:
    """A green session of the failed cases says nothing about cases without results: it warns of them."""
    project.write("plans/hours.yaml", FAILING)
    ran = project.planner("run", CONSENT, "--rerun", "failed")
    assert (ran.code, service.own_runs()) == (0, [])
    (warning,) = project.results()["warnings"]
    assert "strict/impossible@clinic (not called: new)" in warning
    assert "others have no results" in ran.out
    assert "All cases" not in ran.out


@pytest.mark.parametrize("fault", ["lost_answer", "error_after", "garbage"])
def test_a_lost_answer_is_not_paid_twice(fault: str, project: Project, service: Served) -> None:
    """The work was done and the answer never came: the runs are found and adopted."""
    service.control({"faults": [{"kind": fault, "route": "launch", "times": 1}]})
    ran = project.planner("run", CONSENT)
    assert ran.code == 0, ran.err + ran.out
    assert Counter(Counter(run["prompt"] for run in service.own_runs()).values()) == {2: 2, 1: 1}
    results = project.results()
    assert any(run["adopted"] for case in results["cases"] for run in case["runs"])
    assert results["cost"]["actual_cents"] == service.ledger()["total_cents"]


def test_a_launch_that_never_happened_is_not_made_without_consent(project: Project, service: Served) -> None:
    """Its fate unknown, it stands for calls already made; found absent, it may be sent again only with consent."""
    # However slow the machine, the first run ends before the service counts as settled, and the second begins after it.
    project.write("planner.yaml", "execution: {settle_seconds: 3600, linger_seconds: 0.2}\n")
    service.control({"faults": [{"kind": "error_before", "route": "launch", "times": 1}]})
    ran = project.planner("run", CONSENT)
    assert ran.code == 4
    (launch,) = project.results()["open_launches"]
    again_at = datetime.fromisoformat(launch["again_at"])
    results = project.results()
    started_at, ended_at = (datetime.fromisoformat(results[name]) for name in ("started_at", "ended_at"))
    settle, slack = timedelta(seconds=3600), timedelta(seconds=10)  # the service's clock is read by the second
    assert started_at - slack <= again_at - settle <= ended_at + slack
    assert f"{again_at:%Y-%m-%d %H:%M:%S} UTC" in results["problems"][0]
    planned = " ".join(project.planner("plan").out.split())
    assert "5 unconfirmed calls" in planned
    assert "already made" not in planned
    project.write("planner.yaml", "execution: {settle_seconds: 0, linger_seconds: 0.2}\n")
    service.advance(120)
    ran = project.planner("run")
    assert ran.code == 3, ran.out + ran.err
    assert "consent to charge" in ran.out
    assert service.own_runs() == []
    assert project.planner("run", CONSENT).code == 0


def start(project: Project, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "planner", "run", CONSENT, *arguments],
        cwd=project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_interruption_reports_and_the_next_run_resumes(project: Project, service: Served) -> None:
    """Exit 130 with a report; the same command again pays for nothing twice. (Other signals: test_signals.py.)"""
    project.edit("plans/hours.yaml", "runs: 2", "runs: 10")
    service.hold(2, retry_after_seconds=600)
    project.limit_calls(2)
    process = start(project)
    wait_for(project.rests)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, err
    results = project.results()
    assert results["outcome"] == "interrupted"
    assert results["finished"] is False
    assert "To resume" in out
    message = " ".join(case["outcome_reason"] for case in results["cases"])
    ended, under_way, not_made = (
        sum(case["runs_total"] for case in results["cases"]),
        sum(case["runs_under_way"] for case in results["cases"]),
        sum(map(int, re.findall(r"(\d+) of \d+ calls not made: interrupted", message))),
    )
    assert (ended + under_way, not_made) == (made := len(service.own_runs()), 21 - made)
    assert made >= 2
    service.release()
    assert project.planner("run", CONSENT).code == 0
    assert len(service.own_runs()) == 21
    assert project.results()["cost"]["actual_cents"] == service.ledger()["total_cents"]


def test_one_session_at_a_time(project: Project, service: Served) -> None:
    """Two at once would both pay: the second says who holds the store. The lock of one that was killed needs nobody."""
    service.hold(0, retry_after_seconds=600)
    process = start(project)
    lock = project.root / ".planner/lock"
    wait_for(project.rests)
    ran = project.planner("run", CONSENT)
    assert ran.code == 4
    assert re.search(
        rf"is in use by process {process.pid} on \S+ since 2\S+ \S+ UTC: planner run\n  Session \S+\n  Wait until it ends",
        ran.err,
    )
    lock.unlink()  # by somebody who takes it for a leftover
    ran = project.planner("run", CONSENT)
    assert ran.code == 4
    assert re.search(r"is in use by another process\n  Session \S+\n  Wait until it ends", ran.err)
    process.kill()
    process.communicate()
    service.release()
    ran = project.planner("run", CONSENT)
    assert ran.code == 0, ran.err


def test_fail_fast_launches_nothing_more(project: Project, service: Served) -> None:
    """After the first failed run the rest is left, and said to be: it does not wait for a service that takes no more."""
    project.write("plans/hours.yaml", FAILING.replace("prompt: You", "runs: 20\n    prompt: You"))
    service.hold(4)
    project.limit_calls(2)
    ran = project.planner("run", CONSENT, "--fail-fast")
    assert ran.code == 1
    assert 0 < len(service.own_runs()) < 20
    assert "not made" in ran.out


def test_fail_fast_does_not_stop_at_a_quarantined_case(project: Project, service: Served) -> None:
    quarantined = "quarantine: {until: 2099-01-01, reason: known}\n    runs: 3\n    prompt: You"
    project.write("plans/hours.yaml", FAILING.replace("prompt: You", quarantined))
    project.limit_calls(1)
    assert project.planner("run", CONSENT, "--fail-fast").code == 0
    assert len(service.own_runs()) == 3
