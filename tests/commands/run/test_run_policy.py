"""What a plan or a project sets for the verdict, the hour and the eyes of others, end to end against a sandbox on a socket."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from planner.cli import system
from planner.commands.run import run
from planner.session.run_session import RunOptions
from planner.workspace.selection import Selection
from tests.commands.conftest import Project, Ran, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"
FAILING = "{check: duration, max_seconds: 1}"
PASSING = "{check: duration, max_seconds: 600}"


def _quarantine(project: Project, until: date) -> None:
    project.edit("plans/hours.yaml", PASSING, FAILING)
    project.edit(
        "plans/hours.yaml", "  cancel:\n", f"  cancel:\n    quarantine: {{until: {until}, reason: ticket VOX-41}}\n"
    )


def at_noon(project: Project, now: datetime) -> Ran:
    """`planner run` by a clock on which that day does not end while it runs."""
    shell = system.shell(system.GlobalOptions())
    ahead = now.replace(hour=12) - now
    clock = replace(shell.clock, now=lambda: shell.clock.now() + ahead)
    code = run(replace(shell, clock=clock), RunOptions(Selection(), consent_to_charge=True))
    message = project.capsys.readouterr()
    return Ran(code, message.out, message.err)


def test_a_quarantined_failure_is_reported_and_not_counted(project: Project, service: Served) -> None:
    """Through its last day the exit code is 0, and every report shows the case apart, with the reason."""
    now = datetime.now(UTC)
    _quarantine(project, now.date())
    ran = at_noon(project, now)
    assert ran.code == 0, ran.err
    assert "1 quarantined" in ran.out
    assert "(ticket VOX-41); failed" in ran.out
    assert "## Quarantined (1)" in (project.root / "reports/report.md").read_text()
    assert "<skipped message" in (project.root / "reports/junit.xml").read_text()
    case = next(case for case in project.results()["cases"] if case["case_id"] == "hours/cancel@clinic")
    assert (case["outcome"], case["quarantine"]["reason"]) == ("failed", "ticket VOX-41")


def test_a_case_that_cannot_fail_says_so_beside_its_mark(project: Project, service: Served) -> None:
    """In the summary, both reports, and not for a case of which one expectation counts."""
    project.edit("plans/hours.yaml", PASSING, f"{FAILING[:-1]}, severity: warning}}")
    ran = project.planner("run", CONSENT)
    counts = Counter(case["outcome"] for case in project.results()["cases"])
    assert (ran.code, f"{counts['passed']} passed (1 cannot fail)" in ran.out) == (0, True)
    report = (project.root / "reports/report.md").read_text()
    assert (report.count("| ✅ passed, cannot fail |"), report.count("| ✅ passed |")) == (1, counts["passed"] - 1)
    assert "cannot fail" in (project.root / "reports/report.html").read_text()


def test_redacted_text_is_shown_nowhere(project: Project, service: Served) -> None:
    """Reports, terminal and plan leave it out; the local store keeps what judging needs."""
    project.write("planner.yaml", "redact: ['D[a-z]+ Diaz']\n")
    planned = project.planner("plan")
    ran = project.planner("run", CONSENT)
    project.edit("plans/hours.yaml", "polite", "very polite")
    changed = project.planner("plan")
    assert "You are [redacted], very polite" in changed.out
    shown = [planned.out, ran.out, ran.err, changed.out, project.planner("plan", "--format", "json").out]
    shown += [path.read_text() for path in (project.root / "reports").iterdir()]
    assert not [text for text in shown if "Diaz" in text]
    assert any("Dora Diaz" in path.read_text() for path in (project.root / ".planner").rglob("*.json"))


def test_a_result_older_than_max_age_is_called_again(project: Project, service: Served) -> None:
    """A young one is kept."""
    project.edit("plans/hours.yaml", "    runs: 2\n", "    runs: 2\n    max_age: 1h\n")
    assert project.planner("run", CONSENT).code == 0
    assert {action for action, _, _ in project.actions().values()} == {"reuse"}
    for head in (project.root / ".planner/sessions").iterdir():
        head.unlink()  # it has the digests of what its session wrote
    for path in (project.root / ".planner/calls").rglob("*.jsonl"):
        text = path.read_text()
        path.write_text(text.replace('"completed_at":"20', '"completed_at":"19'))
    reasons = {case_id: reason for case_id, (_, reason, _) in project.actions().items()}
    assert reasons == {
        "hours/saturday[name=Ana]@clinic": "expired",
        "hours/saturday[name=Bob]@clinic": "expired",
        "hours/cancel@clinic": "passed",
    }


def test_a_run_that_the_platform_failed_is_called_again(project: Project, service: Served) -> None:
    """The case passes by the second call; the first is reported as the platform's fault and does not count."""
    project.edit("plans/hours.yaml", "  cancel:\n", "  cancel:\n    retries: 1\n")
    service.control({"faults": [{"kind": "fail_run", "times": 1}]})
    ran = project.planner("run", CONSENT, "--select", "*cancel*")
    assert ran.code == 0, ran.out + ran.err
    (case,) = project.results()["cases"]
    assert (case["outcome"], case["runs_total"]) == ("passed", 2)
    assert sorted(str(run["cause"]) for run in case["runs"]) == ["None", "platform"]
    assert len(service.own_runs()) == 2


def test_retries_are_priced_and_part_of_the_digest(project: Project, service: Served) -> None:
    """The high end has room for each, the calls expected are the same; who agreed to none did not agree to them."""
    before = project.planner("plan", "--format", "json").json
    project.edit("plans/hours.yaml", "  cancel:\n", "  cancel:\n    retries: 2\n")
    ran = project.planner("plan", "--format", "json")
    after = ran.json
    assert after["estimate"]["calls"] == before["estimate"]["calls"]
    assert after["estimate"]["expected_cents"] == before["estimate"]["expected_cents"]
    assert after["estimate"]["high_cents"] == before["estimate"]["high_cents"] + 2 * 64
    assert "with room for 2 retries" in after["estimate"]["basis"]
    assert after["digest"] != before["digest"]
    project.write("planner.yaml", "policy: {max_calls: 6}\n")
    ran = project.planner("run", CONSENT)
    assert (ran.code, "7 calls would be made, retries included" in ran.err) == (3, True)
    assert service.ledger()["runs"] == []


SATURDAY = "saturday[name={}]@clinic"


def test_a_plan_with_another_name(project: Any, service: Any) -> None:
    """Under another name, in the same file or another, no case is called again; the plan that is gone does not linger."""
    assert project.planner("run", "--consent-to-charge").code == 0
    project.edit("plans/hours.yaml", "plan: hours", "plan: opening")
    renamed = {f"opening/{case}": ("recheck", "renamed", 0) for case in _cases()}
    assert project.actions() == renamed
    assert project.planner("run").code == 0
    assert project.actions() == {f"opening/{case}": ("reuse", "passed", 0) for case in _cases()}
    (project.root / "plans/hours.yaml").rename(project.root / "plans/opening.yaml")
    project.edit("plans/opening.yaml", "plan: opening", "plan: doors")
    project.edit("plans/opening.yaml", "of Monday", "of Tuesday")
    assert project.actions() == {
        f"doors/{SATURDAY.format('Ana')}": ("recheck", "renamed", 0),
        f"doors/{SATURDAY.format('Bob')}": ("recheck", "renamed", 0),
        "doors/cancel@clinic": ("call", "new", 1),
    }
    assert len(service.own_runs()) == 5


def _cases() -> list[str]:
    return [SATURDAY.format("Ana"), SATURDAY.format("Bob"), "cancel@clinic"]


PLAN = """\
version: 1
plan: greeting
targets: [clinic]
scenarios:
  name:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    runs: 4
    expect:
      - {check: says, who: agent, any_of: [Iris]}
  ends:
    prompt: You are Bob, calm. Ask when the clinic is open on Sunday.
    runs: 2
    expect:
      - {check: duration, max_seconds: 900}
"""


ENVIRONMENTS = "environments:\n  staging: {clinic: {agent: 12}}\n  production: {clinic: {agent: 12}}\n"


def test_staging_and_production(project: Any, serve_here: Callable[..., Any]) -> None:
    """Of two services, each with a store of its own, the results are compared: what staging would make worse."""
    project.write("plans/hours.yaml", PLAN)
    project.write("planner.yaml", ENVIRONMENTS)
    for name, code in (("production", 0), ("staging", 1)):
        served = serve_here()
        if name == "staging":
            served.control({"deploy": {"agent_id": 12, "revision": 1}})
        where = ("--environment", name, "--store", name, "--report-dir", name)
        assert project.planner("run", *where, CONSENT).code == code
        assert len(served.own_runs()) == 6
    both = ("report", "staging/results.json", "production/results.json")
    document = project.planner(*both, "--format", "json").json
    assert [(case["case_id"], case["compared"]) for case in document["cases"]] == [
        ("greeting/name@clinic", "regressed"),
        ("greeting/ends@clinic", "same"),
    ]
    text = project.planner(*both)
    assert text.code == 0, text.err
    lines = re.sub(r"20\d\d-.*UTC", "WHEN", re.sub(r"\d{8}T\d{9}-[0-9a-f]{8}", "ID", text.out)).splitlines()
    assert lines[:6] == [
        "# 1 regressed, 1 unchanged",
        "",
        "- before: `ID`: Passed, WHEN, environment production",
        "- now: `ID`: Failed, WHEN, environment staging",
        "",
        "2 cases compared: 6 of 6 runs passed before, 2 of 6 now",
    ]
    assert "the same runs" not in text.out
