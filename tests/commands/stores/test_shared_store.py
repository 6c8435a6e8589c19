"""A store that machines share, as users have it: clones of one repository, each with nothing of its own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import HOURS, Served  # pyright: ignore[reportMissingImports]
from tests.commands.stores.conftest import PROJECT, git  # pyright: ignore[reportMissingImports]


def shared_blobs(remote: Path) -> bytes:
    """Everything that was ever written to the shared ref, and every name."""
    listed = git(remote, "rev-list", "--objects", "refs/planner/results").splitlines()
    return b"\n".join(
        line.encode()
        + subprocess.run(
            ["git", "-C", str(remote), "cat-file", "-p", line.split()[0]], check=True, capture_output=True
        ).stdout
        for line in listed
    )


def test_jobs_share_results(fresh_clone: Callable[[str], Any], remote: Path, service: Any) -> None:
    """What one job called the next keeps, on another machine; nothing shared holds a number, a listed text, a key or a prompt's
    number, in any blob of the history."""
    first = fresh_clone("one").planner("run", "--consent-to-charge")
    assert first.code == 0, first.err
    assert len(service.own_runs()) == 5
    second = fresh_clone("two")
    assert {action for action, _, _ in second.actions().values()} == {"reuse"}
    assert git(second.root, "status", "--porcelain") == ""
    ran = second.planner("run", "--consent-to-charge")
    assert ran.code == 0, ran.err
    assert len(service.own_runs()) == 5
    assert git(second.root, "status", "--porcelain") == ""
    second.edit("plans/hours.yaml", "555 0199", "555 0299")
    second.edit("plans/hours.yaml", "max_seconds: 600", "max_seconds: 601")
    assert second.actions() == {
        "hours/saturday[name=Ana]@clinic": ("call", "caller_prompt_changed", 2),
        "hours/saturday[name=Bob]@clinic": ("call", "caller_prompt_changed", 2),
        "hours/cancel@clinic": ("recheck", "expectations_changed", 0),
    }
    blobs = shared_blobs(remote)
    assert len(re.findall(rb"(?m)^[0-9a-f]{40} evidence/../[^/]*/.*json", blobs)) == 5
    assert "+• ••• ••• ••99, [redacted].".encode() in blobs
    for secret in (b"5550199", b"555 0199", b"M-77", b"sk_test_commands", b"Signature=", b"X-Amz", b"recording_url"):
        assert secret not in blobs, secret


def test_the_cost_is_reported_if_results_cannot_be_shared(
    fresh_clone: Callable[[str], Any], remote: Path, service: Any
) -> None:
    """The remote takes the launches and not the results: the bill is this session's all the same, on the terminal and in the
    reports, and the next run shares what waits and calls nobody."""
    project, hook = fresh_clone("one"), remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\nread old new ref\n! git ls-tree -r --name-only $new | grep -q ^runs/\n")
    hook.chmod(0o755)
    ran = project.planner("run", "--consent-to-charge")
    paid = service.ledger()["total_cents"]
    assert (ran.code, len(service.own_runs())) == (4, 5)
    assert "the results are stored locally, but could not be shared" in ran.out
    assert f"Cost     ${paid / 100:.2f} (estimate" in ran.out
    assert "earlier sessions" not in ran.out
    cost = project.results()["cost"]
    assert (cost["actual_cents"], cost["this_session_cents"]) == (paid, paid)
    hook.unlink()
    assert project.planner("run").code == 0
    assert {action for action, _, _ in fresh_clone("two").actions().values()} == {"reuse"}
    assert len(service.own_runs()) == 5


def test_a_killed_job_is_resumed_elsewhere(fresh_clone: Callable[[str], Any], remote: Path, service: Any) -> None:
    """Kill -9 with calls under way: a machine with an empty journal adopts them from the shared store, and pays for none twice."""
    service.control({"faults": [{"kind": "slow", "seconds": 1000, "route": route} for route in ("list", "batch")]})
    project = fresh_clone("one")
    project.killed("run", "--consent-to-charge", when=service.own_runs)
    service.release()
    made = len(service.own_runs())
    assert made
    assert "refs/planner/results-log/_/log" in git(remote, "for-each-ref", "refs/planner")
    spend = ("history", "--spend", "--format", "json")
    (lost,) = fresh_clone("money").planner(*spend).json["consents"]
    assert (lost["sessions"], lost["is_open"], lost["cents"], lost["launches"] > 0) == ([], True, 0, True)
    assert lost["reserved_cents"] > 0
    ran = fresh_clone("two").planner("run", "--consent-to-charge")
    assert ran.code == 0, ran.err
    assert len(service.own_runs()) == 5
    assert "before anything is sent again" in ran.err
    adopted = [run["adopted"] for case in project.results()["cases"] for run in case["runs"]]
    assert adopted.count(True) == made
    (ended,) = fresh_clone("three").planner(*spend).json["consents"]
    assert (ended["consent_id"], len(ended["sessions"]), ended["is_open"]) == (lost["consent_id"], 1, False)
    assert (ended["cents"], ended["reserved_cents"]) == (service.ledger()["total_cents"], 0)


def test_a_plan_knows_launches_of_other_machines(
    fresh_clone: Callable[[str], Any], service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on a machine that has a journal of its own: what is under way is not priced again."""
    one = fresh_clone("here")
    assert one.planner("run").code == 3
    here = one.root
    assert list((here / ".planner").rglob("log.db"))
    service.control({"faults": [{"kind": "slow", "seconds": 1000, "route": route} for route in ("list", "batch")]})
    fresh_clone("there").killed("run", "--consent-to-charge", when=service.own_runs)
    service.release()
    one.root = here
    monkeypatch.chdir(here)
    planned = one.planner("plan").out
    assert "unconfirmed calls, looked up at the service before anything is sent again" in planned
    assert "expected" not in planned


def test_a_ref_that_is_protected(fresh_clone: Callable[[str], Any], remote: Path, service: Any) -> None:
    """Where the store takes nothing, nobody is called: what to allow is said, nothing is charged."""
    hook = remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    ran = fresh_clone("one").planner("run", "--consent-to-charge")
    assert ran.code == 2, ran.out + ran.err
    assert "pre-receive hook declined" in ran.out
    assert service.own_runs() == []


def test_the_sandboxs_results_are_apart(fresh_clone: Callable[[str], Any], remote: Path, service: Any) -> None:
    """Simulated calls need no network and no ceiling of planner.yaml, and reach no shared store. A pasted command that
    lost `--sandbox` calls nobody."""
    project = fresh_clone("one")
    real = project.planner("plan", "--format", "json").json["digest"]
    project.write("planner.yaml", f"{PROJECT}policy: {{max_calls: 1, max_cost_cents: 1}}\n")
    away = remote.rename(remote.with_name("away.git"))
    planned = project.planner("plan", "--sandbox", "--format", "json").json["digest"]
    assert planned != real
    assert project.planner("run", "--sandbox", "--consent-to-charge", "--digest", planned).code == 0
    away.rename(remote)
    assert git(remote, "for-each-ref", "refs/planner") == ""
    git(project.root, "checkout", "-q", "planner.yaml")
    assert {action for action, _, _ in project.actions().values()} == {"call"}
    ran = project.planner("run", "--consent-to-charge", "--digest", planned)
    assert (ran.code, "these calls were planned with --sandbox" in ran.err) == (3, True), ran.out + ran.err
    assert service.own_runs() == []


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("git:refs/heads/main", "is a ref such as refs/planner/results, not a branch or tag"),
        ("git:refs/planner/results?remote=nowhere", "this repository has no remote 'nowhere'"),
        ("git:refs/planner/results?kept=3", "unknown option kept"),
        ("s3://", "is not the address of a store"),
        ("ftp://example.org/results", "write s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER"),
        ("s3://AKIA:secret@bucket", "keys belong in the environment"),
        ("s3://bucket/results?keep=3", "unknown option keep"),
        ("git:refs/planner/results?keep=3", "unknown option keep: the options after ? are remote"),
        ("refs/planner/results", "--store: for a git ref write git:refs/planner/results"),
        ("s3:bucket/results", "--store: this is not the address of a store: write s3://BUCKET/FOLDER"),
        ("zip:results.zip", "--store: this is not the address of a store: write s3://BUCKET/FOLDER"),
        ("zip://results.zip", "--store: this is not the address of a store: write s3://BUCKET/FOLDER"),
    ],
)
def test_stores_that_cannot_be(fresh_clone: Callable[[str], Any], store: str, said: str) -> None:
    """A mistyped store is exit 2; the message says what is valid and where it was written."""
    project = fresh_clone("one")
    ran = project.planner("plan", "--store", store)
    assert ran.code == 2
    assert said in ran.err
    project.write("planner.yaml", f"store: {store}\n")
    written = project.planner("plan")
    if "no remote" in said:
        assert (written.code, written.err) == (2, ran.err.replace("--store: ", "`store` in planner.yaml: ", 1))
    else:
        assert (written.code, written.err.partition(" [")[0]) == (2, "planner.yaml:1:8: error: value cannot be used")


# One ceiling on all machines

PLANS = ("plans/hours.yaml", "plans/closing.yaml")


@pytest.fixture
def planned(fresh_clone: Callable[[str], Any], remote: Path) -> str:
    """The digest of two plans, each of 80 cents, planned on a machine that only planned."""
    project = fresh_clone("planning")
    project.write("planner.yaml", "store: git:refs/planner/results\nrates: {spark: 4}\n")
    project.write(PLANS[0], HOURS)
    others = HOURS.replace("Ana", "Eve").replace("Bob", "Dan").replace("Dora", "Fay")
    project.write(PLANS[1], others.replace("plan: hours", "plan: closing"))
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "two plans")
    git(project.root, "push", "-q", "origin", "HEAD:main")
    return project.planner("plan", "--format", "json").json["digest"]


def plan(project: Any, digest: str) -> None:
    """Store the set of calls on this machine."""
    assert project.planner("plan", "--format", "json").json["digest"] == digest


@pytest.mark.parametrize("is_killed", [False, True])
def test_another_machine_counts_what_the_first_spent(
    fresh_clone: Callable[[str], Any], remote: Path, service: Served, planned: str, is_killed: bool
) -> None:
    """One digest is run in parts on machines that have only the store. The first is lost with its calls under way, or it
    ended, and its launches are no longer in the store.

    Before: 160 cents were spent under a ceiling of 155, with exit code 0 each time.
    Now: the store has what each launch costs, so the ceiling holds on all machines.
    """
    first = fresh_clone("first")
    plan(first, planned)
    run = ["run", "--consent-to-charge", "--digest", planned, "--max-cost", "1.55"]
    if is_killed:
        service.control({"faults": [{"kind": "slow", "seconds": 1000, "route": route} for route in ("list", "batch")]})
        first.killed(*run, PLANS[0], when=service.own_runs)
        service.release()
    else:
        assert first.planner(*run, PLANS[0]).code == 0
    second = fresh_clone("second")
    if is_killed:
        plan(second, planned)
        assert second.planner(*run, PLANS[0]).code == 0
        second = fresh_clone("third")
    # The set is in the store since the first machine agreed to it.
    ran = second.planner(*run, PLANS[1])
    assert (ran.code, service.ledger()["total_cents"]) == (3, 80), ran.err
    ran = second.planner(*run[:-1], "2.50", PLANS[1])
    assert (ran.code, service.ledger()["total_cents"]) == (0, 160), ran.err
    results = second.results()
    assert (results["consent"]["spent_cents"], results["cost"]["actual_cents"]) == (160, 160)
    assert results["cost"]["this_session_cents"] == 80
    # Nothing of the set is left, and the same command says so.
    ran = second.planner(*run, *PLANS)
    assert (ran.code, service.ledger()["total_cents"]) == (0, 160), ran.err
