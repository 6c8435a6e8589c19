"""A change set saved and run later: exactly that, once, or nothing with what moved. Against a sandbox on a socket."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from planner import __version__
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"
RUN = ("run", "agreed.json", CONSENT)


@pytest.fixture
def saved(project: Project, service: Served) -> Project:
    """Three cases, five calls, agreed to."""
    project.edit("plans/hours.yaml", "agent: 12", "agent: 14")
    ran = project.planner("plan", "--refresh", "--out", "agreed.json")
    assert ran.code == 0
    assert "planner run agreed.json --consent-to-charge" in ran.out
    return project


def test_a_saved_plan_is_run_as_it_is_once(saved: Project, service: Served) -> None:
    """It brings its own ceiling; carried out, it is good for nothing more."""
    assert saved.planner("run", "agreed.json").code == 3
    assert service.ledger()["runs"] == []
    ran = saved.planner(*RUN)
    assert ran.code == 0, ran.err
    results = saved.results()
    document = json.loads((saved.root / "agreed.json").read_text())
    assert results["change_set_digest"] == document["calls"]["digest"]
    assert results["cost"]["ceiling_cents"] == document["max_cost_cents"]
    before = service.ledger()
    again = saved.planner(*RUN)
    assert again.code == 3
    assert f"already used by session {results['invocation_id']}" in again.err
    assert service.ledger() == before


def test_a_fresh_plan_that_is_equal_is_accepted(saved: Project, service: Served) -> None:
    """A comment, another order of keys and another folder for the file move nothing."""
    saved.edit("plans/hours.yaml", "scenarios:", "# for reviewers\ndescription: Hours.\nscenarios:")
    saved.write("elsewhere/agreed.json", (saved.root / "agreed.json").read_text())
    assert saved.planner("run", "elsewhere/agreed.json", CONSENT).code == 0
    assert len(service.own_runs()) == 5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Cancel your appointment", "Move your appointment", "hours/cancel@clinic: a different call ("),
        ("max_seconds: 600", "max_seconds: 500", "hours/cancel@clinic: expectations changed"),
        ("name: [Ana, Bob]", "name: [Ana, Bob, Eva]", "hours/saturday[name=Eva]@clinic: not agreed to (new)"),
        ("name: [Ana, Bob]", "name: [Ana]", "fewer calls are needed"),
        ("runs: 2", "runs: 3", "hours/saturday[name=Ana]@clinic: 3 calls instead of 2"),
        ("agent: 14", "agent: 12", "hours/cancel@clinic: a different call ("),
        ("", "agent edited", "hours/cancel@clinic: its agent was edited since"),
        ("", "already run", "fewer calls are needed"),
    ],
)
def test_every_changed_input_is_rejected_and_named(
    saved: Project, service: Served, old: str, new: str, said: str
) -> None:
    """Nobody is called for what nobody agreed to."""
    match new:
        case "agent edited":
            service.control({"deploy": {"agent_id": 14, "revision": 2}})
        case "already run":
            assert saved.planner("run", CONSENT).code == 0
        case _:
            saved.edit("plans/hours.yaml", old, new)
    before = service.ledger()["runs"]
    ran = saved.planner(*RUN)
    assert ran.code == 3
    assert "the saved plan differs from what would be done now" in ran.err
    assert said in ran.err
    assert service.ledger()["runs"] == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"max_cost_cents": ', '"max_cost_cents": 9', "was edited"),
        ('"policy_from": null', '"policy_from": "HEAD"', "was edited"),
        ('"seal": "sha256:', '"seal": "sha256:0', "was edited"),
    ],
)
def test_a_saved_plan_that_was_edited(saved: Project, service: Served, old: str, new: str, said: str) -> None:
    """Its ceiling, its calls and what it selects are what was agreed to, to the letter: nobody is called by another file."""
    if "policy_from" in new:
        for words in (
            ("init", "-q"),
            ("add", "."),
            ("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "a"),
        ):
            subprocess.run(["git", *words], cwd=saved.root, check=True)
    saved.edit("agreed.json", old, new)
    ran = saved.planner(*RUN)
    assert (ran.code, said in ran.err) == (3, True), ran.err
    assert service.ledger()["runs"] == []


def test_a_saved_plan_of_another_version(saved: Project, service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another planner would have judged is not what was agreed to."""
    monkeypatch.setattr("planner.session.consent.__version__", "9.9.9")  # the one thing a test cannot install
    ran = saved.planner(*RUN)
    assert (ran.code, f"saved by planner {__version__}, this is 9.9.9" in ran.err) == (3, True), ran.err
    assert service.ledger()["runs"] == []


def test_a_saved_plan_is_for_one_service(
    saved: Project, service: Served, serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Agreed to for one address, it is run at no other: nothing is even read there. The same address written otherwise is the same."""
    other = serve()
    monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", other.url)
    ran = saved.planner(*RUN)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        f"planner: the plan was saved for the service at {service.url}, but the current service is {other.url}\n"
        "  Set THUNDERPHONE_API_BASE_URL to the service of the plan, or create another plan for the current one\n"
    )
    assert saved.results()["problems"] == [ran.err.splitlines()[0].removeprefix("planner: ")]
    assert other.ledger()["runs"] == service.ledger()["runs"] == []
    monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", f"{service.url}/v1/")
    assert saved.planner(*RUN).code == 0


@pytest.mark.parametrize(
    ("project_config", "said"),
    [
        ("policy: {max_cost_cents: 1}\n", "policy.max_cost_cents allows $0.01"),
        ("policy: {max_calls: 4}\n", "5 calls would be made, policy.max_calls allows 4"),
    ],
)
def test_a_policy_that_came_later_holds(saved: Project, service: Served, project_config: str, said: str) -> None:
    """Today's policy applies to a saved plan. A plan that it rejects remains usable once it allows it."""
    saved.write("planner.yaml", project_config)
    ran = saved.planner(*RUN)
    assert (ran.code, said in ran.err) == (3, True), ran.err
    assert service.ledger()["runs"] == []
    (saved.root / "planner.yaml").unlink()
    assert saved.planner(*RUN).code == 0


def test_a_dearer_rate_breaks_the_saved_ceiling(project: Project, service: Served) -> None:
    """What was agreed to is exactly that, up to exactly that: the ceiling is the file's, and a command's may only lower it."""
    project.write("planner.yaml", "rates: {spark: 1}\n")
    assert project.planner("plan", "--refresh", "--out", "agreed.json").code == 0
    project.write("planner.yaml", "rates: {spark: 80}\n")
    for more in ((), ("--max-cost", "99.00")):
        ran = project.planner(*RUN, *more)
        assert ran.code == 3
        assert "--max-cost allows $0.40" in ran.err
    project.write("planner.yaml", "rates: {spark: 1}\n")
    assert "--max-cost allows $0.01" in project.planner(*RUN, "--max-cost", "0.01").err
    assert service.ledger()["runs"] == []


def test_the_ceiling_of_a_saved_plan_includes_what_an_unfinished_session_spent(
    project: Project, service: Served
) -> None:
    """The rest of an interrupted change set can be saved and run."""
    service.control({"faults": [{"kind": "no_balance", "route": "launch", "after": 1, "times": 1}]})
    assert project.planner("run", CONSENT, "--max-concurrent", "2").code == 3
    made = len(service.own_runs())
    assert 0 < made < 5
    suggested = project.planner("plan", "--refresh").out.partition("--max-cost ")[2].split()[0]
    assert project.planner("plan", "--refresh", "--out", "agreed.json").code == 0
    assert json.loads((project.root / "agreed.json").read_text())["max_cost_cents"] == round(100 * float(suggested))
    ran = project.planner(*RUN)
    assert ran.code == 0, ran.err
    assert len(service.own_runs()) == 5


def test_the_selection_of_a_saved_plan_cannot_be_changed(saved: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by an option, nor by another path beside it, nor from another folder."""
    assert "its selection cannot be changed" in saved.planner(*RUN, "--tag", "smoke").err
    assert "is a saved plan and must be the only path" in saved.planner("run", "plans", "agreed.json").err
    saved.write("planner.yaml", "")
    (saved.root / "sub").mkdir()
    monkeypatch.chdir(saved.root / "sub")
    ran = saved.planner("run", "../agreed.json")
    assert (ran.code, "was saved in the folder '.'" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"schema_version": "2.0"', '"schema_version": "3.0"', "this version reads schema 2.0"),
        ('"schema_version": "2.0"', '"schema_version": "x"', "this version reads schema 2.0"),
        ('"calls": {', '"schema_version": "1.1", "changes": {', "this version reads schema 2.0"),
        ('"seal"', "", "not a readable saved plan: Invalid JSON"),
        ('"digest"', '"digger"', "not a readable saved plan: calls.digest: Field required"),
        ('"cases": [', '"cases": [[', "not a readable saved plan"),
    ],
)
def test_a_saved_plan_that_cannot_be_read(saved: Project, old: str, new: str, said: str) -> None:
    saved.edit("agreed.json", old, new)
    ran = saved.planner(*RUN)
    assert (ran.code, said in ran.err) == (2, True), ran.err


def test_saved_texts_are_those_that_others_may_see(project: Project) -> None:
    """The file goes from job to job: prompts and phone numbers are not in it."""
    project.write("planner.yaml", "redact: ['D[a-z]+ Diaz']\n")
    project.edit(
        "plans/hours.yaml",
        "    expect:\n      - {check: duration",
        "    target_number: '+14155550199'\n    expect:\n      - {check: duration",
    )
    assert project.planner("plan", "--out", "agreed.json").code == 0
    text = (project.root / "agreed.json").read_text()
    assert "Diaz" not in text
    assert "5550199" not in text


def test_a_file_that_cannot_be_written(project: Project) -> None:
    """It says so, instead of a plan that nobody can run."""
    Path(project.root / "taken").mkdir()
    ran = project.planner("plan", "--out", "taken")
    assert (ran.code, "taken cannot be written" in ran.err) == (2, True)
