"""What a plan or a project sets for the verdict, the hour and the eyes of others, end to end against a sandbox on a socket."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from planner.cli import system
from planner.commands.run import run
from planner.session.run_session import RunOptions
from planner.session.selection import Selection
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
    shell = system.shell(system.Invocation())
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


def test_a_quarantine_that_has_passed_counts_again_and_is_warned_of(project: Project, service: Served) -> None:
    """The day after, a failure is a failure, and the plan file is pointed at."""
    _quarantine(project, datetime.now(UTC).date() - timedelta(days=1))
    ran = project.planner("run", CONSENT)
    assert ran.code == 1
    assert "warning: quarantine has ended [quarantine-passed]" in ran.err
    assert "quarantined" not in ran.out


def test_quarantine_is_lifted_without_a_call(project: Project, service: Served) -> None:
    """Taking it away judges what is stored again: the failure counts, and nobody is phoned for it."""
    _quarantine(project, datetime.now(UTC).date() + timedelta(days=3))
    assert project.planner("run", CONSENT).code == 0
    before = service.ledger()
    text = (project.root / "plans/hours.yaml").read_text()
    lines = [line for line in text.splitlines() if "quarantine" not in line]
    project.write("plans/hours.yaml", "\n".join(lines) + "\n")
    assert project.planner("run").code == 1
    assert service.ledger() == before


def test_no_call_is_made_in_quiet_hours(project: Project, service: Served) -> None:
    """It says when, and nothing is spent; the sandbox, which phones nobody, has no such hours."""
    now = datetime.now(UTC)
    start, end = now - timedelta(hours=1), now + timedelta(hours=2)
    project.write(
        "planner.yaml", f'policy: {{quiet_hours: {{start: "{start:%H:%M}", end: "{end:%H:%M}", time_zone: UTC}}}}\n'
    )
    ran = project.planner("run", CONSENT)
    assert ran.code == 3
    assert f"no calls are made during policy.quiet_hours, {start:%H:%M}–{end:%H:%M} UTC" in ran.err
    assert service.ledger()["runs"] == []
    assert project.planner("run", CONSENT, "--sandbox").code == 0


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
    assert {action for action, _, _ in project.actions().values()} == {"keep"}
    for path in (project.root / ".planner").rglob("*.json"):
        text = path.read_text()
        path.write_text(text.replace('"completed_at":"20', '"completed_at":"19'))
    reasons = {case_id: reason for case_id, (_, reason, _) in project.actions().items()}
    assert reasons == {
        "hours/saturday[name=Ana]@clinic": "expired",
        "hours/saturday[name=Bob]@clinic": "expired",
        "hours/cancel@clinic": "passed",
    }
