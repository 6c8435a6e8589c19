"""A ceiling holds for what all machines of a shared store spend under one consent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from patience import wait_for

from planner.execution.consent_sharing import ConsentSharing, OverCeilingError
from planner.execution.consents import Amount, Consent, ConsentAdded, ConsentedCall, ConsentWay, JudgeCallReserved
from planner.execution.journal import IN_MEMORY, Journal
from planner.execution.ledger import Ceiling
from planner.execution.spending import spending_of
from planner.results.directory import DirectoryStore
from tests.commands.conftest import HOURS, Served  # pyright: ignore[reportMissingImports]
from tests.commands.stores.test_shared_store import fresh_clone, git, remote  # pyright: ignore[reportMissingImports]

__all__ = ["fresh_clone", "remote"]

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CONSENT = Consent(
    f"{'d' * 16}-{'1' * 16}", f"sha256:{'d' * 64}", "ana", ConsentWay.TERMINAL, NOW, 100, (ConsentedCall("f", 3),)
)
VOTE = "a" * 64
PLANS = ("plans/hours.yaml", "plans/closing.yaml")


@pytest.fixture
def planned(fresh_clone: Callable[[str], Any], remote: Path) -> str:
    """The digest of two plans, each of 80 cents, planned on a machine that only planned."""
    project = fresh_clone("planning")
    project.write("planner.yaml", "store: git:refs/planner/results\nrates: {spark: 4}\n")
    project.write(PLANS[0], HOURS)
    project.write(PLANS[1], HOURS.replace("plan: hours", "plan: closing").replace("Ana", "Eve").replace("Dora", "Dan"))
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
        dying = subprocess.Popen(
            [sys.executable, "-m", "planner", *run, PLANS[0]],
            cwd=first.root,
            env={**os.environ},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(service.own_runs)
        dying.send_signal(signal.SIGKILL)
        dying.wait()
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


def sharing(folder: Path, journal: Journal, limit_cents: int, plan: str | None = None) -> ConsentSharing:
    made = ConsentSharing(DirectoryStore(folder), journal, show_name=str.upper, now=NOW)
    made.begin(CONSENT.consent_id, [Ceiling("--max-cost", limit_cents, plan)])
    return made


def judging(session_id: str, microcents: int) -> Journal:
    """A machine that reserved a judge call."""
    journal = Journal(IN_MEMORY)
    journal.record(ConsentAdded(CONSENT))
    journal.record(
        JudgeCallReserved(f"call-{session_id}", CONSENT.consent_id, session_id, "manners", microcents, VOTE, 1)
    )
    return journal


@pytest.mark.parametrize(("limit_cents", "plan", "fits"), [(5, None, True), (4, None, False), (4, "manners", False)])
@pytest.mark.anyio
async def test_the_later_reservation_is_refused(tmp_path: Path, limit_cents: int, plan: str | None, fits: bool) -> None:
    """Two machines reserve judge calls at once: each sees the other's, rounded up together."""
    one, two = judging("s1", 2_400_000), judging("s2", 2_400_000)
    await sharing(tmp_path, one, limit_cents, plan).share_judge_calls()
    later = sharing(tmp_path, two, limit_cents, plan)
    if not fits:
        with pytest.raises(OverCeilingError):
            await later.share_judge_calls()
    else:
        await later.share_judge_calls()
    third = Journal(IN_MEMORY)
    sharing(tmp_path, third, 0).import_consents(CONSENT.digest, ["manners"])
    amount = spending_of(third, CONSENT.consent_id).of_judge_calls("manners")
    assert amount == Amount(0, 4_800_000 if fits else 2_400_000)
    consent = third.consents.get(CONSENT.consent_id)
    assert consent is not None
    assert (consent.by, third.consents.is_open(CONSENT.consent_id)) == ("ANA", True)
