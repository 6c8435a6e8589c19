"""What users get wrong and services do wrong: one line that says what and what to do, the right exit code, no traceback."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"


@pytest.fixture
def keyed(project: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Project]:
    """The project with a key, pointed at some address."""

    def point(url: str) -> Project:
        monkeypatch.setenv("THUNDERPHONE_API_KEY", "sk_live_of_somebody")
        monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", url)
        return project

    return point


def test_a_rejected_key(keyed: Callable[[str], Project], serve: Callable[..., Served]) -> None:
    """401 is found by a read, before anything is spent, and the key is not printed."""
    served = serve("--api-key", "sk_live_another")
    ran = keyed(served.url).planner("run", CONSENT)
    assert ran.code == 2
    assert "rejects the key (401" in ran.err
    assert "sk_live_of_somebody" not in ran.err
    assert served.ledger()["runs"] == []


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:80", "ftp://host", "http://", "http://host:port", "http://[::1", "http://host?x=1", "http://host/#v1"],
)
def test_a_base_url_that_is_none(url: str, keyed: Callable[[str], Project]) -> None:
    """A slip in the environment is a usage error."""
    ran = keyed(url).planner("run", CONSENT)
    assert ran.code == 2
    assert f"THUNDERPHONE_API_BASE_URL is {url!r}, not a web address".replace("::", ": :") in ran.err


def test_a_prompt_that_the_world_does_not_script(project: Project) -> None:
    """`plan` says that the calls could decide nothing, before anybody makes them; after them, what was said is the first
    next step."""
    project.edit(
        "plans/hours.yaml", "You are Dora Diaz, polite. Cancel your appointment of Monday.", "Book a check-up."
    )
    planned = project.planner("plan", "--sandbox")
    assert "its world demo has none for 1 case, such as hours/cancel@clinic" in " ".join(planned.out.split())
    offline = project.planner("plan", "--sandbox", "--offline", "--world", "regressed")
    assert "has none for" not in " ".join(offline.out.split())
    ran = project.planner("run", "--sandbox", CONSENT)
    (step, *_) = project.results()["next_steps"]
    command = "planner transcript --sandbox hours/cancel@clinic --failed"
    assert (ran.code, step["code"], step["command"]) == (4, "transcript", command)


@pytest.mark.parametrize("option", [CONSENT, "--start-over=CRM repaired"])
def test_offline_makes_no_calls(project: Project, option: str) -> None:
    """Options that lead to calls are refused, before they seem to have changed what counts."""
    ran = project.planner("run", "--sandbox", "--offline", option)
    assert ran.code == 2
    assert "--offline makes no calls" in ran.err


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("runs: 2", "min_pass_rate: 80%", "write 0.8"),
        ("runs: 2", "tags: smoke", "write [smoke]"),
        ("runs: 2", 'tags: "[0-9]+"', "write ['[0-9]+']"),
        ("status: completed", "status: complete", "`complete` is not possible here; write completed"),
        ("name: [Ana, Bob]", "name: callers.csv", "write {file: callers.csv}"),
        ("      axes:\n        name: [", "      name: [", "write it under `axes`: {axes: {name: [...]}}"),
        ("runs: 2", "quarantine: 2027-01-01", "this must be a mapping with `until`, `reason`, but it is the string"),
    ],
)
def test_mistakes_with_an_obvious_fix(old: str, new: str, hint: str, project: Project) -> None:
    project.edit("plans/hours.yaml", old, new)
    ran = project.planner("validate")
    assert (ran.code, hint in " ".join(ran.err.split())) == (2, True), ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nowhere"], "nowhere"),
        (["run", "empty"], "no plan"),
        (["plan", "--select", "hours/satturday*"], "Did you mean hours/saturday[name=Bob]@clinic?"),
        (["plan", "--tag", "smoke"], "--tag smoke: no case has it"),
        (["plan", "--environment", "staging"], "no environment 'staging'"),
        (["run", "--max-cost", "a lot"], "'a lot' is not an amount in dollars"),
        (["run", "--max-cost", "1.234"], "'1.234' is not an amount in dollars"),
        (["run", "--max-cost", "240"], "not cents: 2.40, or 240.00"),
        (["run", "--world", "busy"], "--world needs --sandbox"),
        (["run", "--sandbox", "--world", "nowhere.yaml"], "--world"),
        (["plan", "--store", "git:refs/planner/results"], "is not in a git repository"),
        (["plan", "--store", "ftp://example.org/x"], "is not the address of a store"),
        (["rnu"], "No such command 'rnu'. Did you mean `planner run`?"),
    ],
)
def test_usage(arguments: list[str], said: str, project: Project) -> None:
    """Bad usage is exit 2 and says which word."""
    (project.root / "empty").mkdir()
    ran = project.planner(*arguments)
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_validate_as_json(project: Project) -> None:
    """The documented fields, for programs."""
    project.edit("plans/hours.yaml", "runs: 2", "rnus: 2")
    ran = project.planner("validate", "--format", "json")
    assert ran.code == 2
    (fault,) = ran.json["diagnostics"]
    assert set(fault) >= {"severity", "code", "summary", "detail", "file", "line", "column", "end_line", "end_column"}
    assert (fault["file"], fault["line"], fault["column"]) == ("plans/hours.yaml", 12, 5)


def test_a_store_that_cannot_be_read(project: Project) -> None:
    """Calls that are damaged are never taken for missing ones, which would be paid for again."""
    project.planner("run", "--sandbox", CONSENT)
    part = next((project.root / ".planner/sandbox/calls").rglob("*.jsonl"))
    part.write_text("{")
    ran = project.planner("run", "--sandbox", CONSENT)
    assert ran.code == 4
    assert part.name in ran.err
    assert "--start-over" in ran.err
    actions = sorted(action for action, _, _ in project.actions("--sandbox").values())
    assert actions == ["reuse", "reuse", "reuse"]
    assert project.planner("run", "--sandbox", CONSENT, "--start-over", "a file was lost").code == 0
    assert {found[:2] for found in project.actions("--sandbox").values()} == {("reuse", "passed")}


def test_damaged_evidence_is_found_before_anybody_is_called(project: Project) -> None:
    """`plan` and `run` report the same, and the suggested fix works."""
    project.planner("run", "--sandbox", CONSENT)
    stored = list((project.root / ".planner/sandbox/evidence").rglob("*.json"))
    for evidence in stored:
        evidence.write_bytes(evidence.read_bytes() + b" ")
    for old, new in (("max_seconds: 600", "max_seconds: 601"), ("runs: 2", "runs: 3")):
        project.edit("plans/hours.yaml", old, new)
        for ran in (project.planner("plan", "--sandbox"), project.planner("run", "--sandbox", CONSENT)):
            assert (ran.code, ran.out) == (4, "")
            assert re.search(r"evidence/\w+/\w+.json cannot be read: its content does not match its digest", ran.err)
            assert "or delete it: its case can then be called again" in ran.err
        project.edit("plans/hours.yaml", new, old)
    project.edit("plans/hours.yaml", "max_seconds: 600", "max_seconds: 601")
    for evidence in stored:
        evidence.unlink()
    assert project.actions("--sandbox")["hours/cancel@clinic"] == ("call", "expectations_changed", 1)
    assert project.planner("run", "--sandbox", CONSENT).code == 0


def test_no_balance(
    project: Project, serve_here: Callable[..., Served], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An empty account is found by a read: refused, nobody called."""
    path = tmp_path_factory.mktemp("worlds") / "empty.yaml"
    path.write_text("extends: demo\nversion: 1\nworld: empty\nbalance_cents: 0\n")
    service = serve_here("--world", str(path))
    ran = project.planner("run", CONSENT)
    assert ran.code == 3
    assert "no balance" in ran.err
    assert service.ledger()["runs"] == []


def test_reports_ignore_themselves_in_git(project: Project) -> None:
    """A folder that planner made; one that is there is left alone."""
    assert project.planner("run", "--sandbox", "--consent-to-charge").code == 0
    assert (project.root / "reports/.gitignore").read_text() == "*\n"
    (project.root / "mine").mkdir()
    assert project.planner("run", "--sandbox", "--report-dir", "mine").code == 0
    assert not (project.root / "mine/.gitignore").exists()
