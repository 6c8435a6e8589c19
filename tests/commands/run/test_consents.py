"""A ceiling is for one consent: for all sessions that make its calls, however they divide them."""

from __future__ import annotations

import pytest

from tests.commands.conftest import HOURS, Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = ("--consent-to-charge", "--max-cost", "9.00")
RATES = "rates: {spark: 4}\n"
"""So that a call is expected to cost its bill, 16 cents."""
_NAMED_CLOSING = HOURS.replace("plan: hours", "plan: closing").replace("saturday", "sunday")
CLOSING = _NAMED_CLOSING.replace("Saturday", "Sunday").replace("polite", "calm")
A_PART_CENTS = 5 * 16
"""What the calls of one plan cost."""


@pytest.fixture
def two(project: Project) -> str:
    """Two plans of the same price, and the digest of their calls."""
    project.write("planner.yaml", RATES)
    project.write("plans/closing.yaml", CLOSING)
    return project.planner("plan", "--format", "json").json["digest"]


def part(project: Project, digest: str, *options: str) -> int:
    return project.planner("run", "--consent-to-charge", "--digest", digest, *options).code


def cents(project: Project, name: str) -> int:
    return project.results()["cost"][name]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["plans/hours.yaml"], ["plans/closing.yaml"]),
        (["--select", "hours/*"], ["--select", "closing/*"]),
    ],
)
@pytest.mark.parametrize("is_repeated", [True, False])
def test_parts_of_one_digest_share_a_ceiling(
    project: Project, service: Served, two: str, first: list[str], second: list[str], is_repeated: bool
) -> None:
    """One digest is run in parts, by path or by `--select`.

    Before: each part had the whole ceiling: 160 cents were spent under 120, with exit code 0 each time.
    Now: all parts share one ceiling, also where a later command does not repeat it.
    """
    assert part(project, two, *first, "--max-cost", "1.20") == 0
    consent = project.results()["consent"]
    assert (consent["spent_cents"], consent["max_cost_cents"]) == (A_PART_CENTS, 120)
    assert part(project, two, *second, *(["--max-cost", "1.20"] if is_repeated else [])) == 3
    assert service.ledger()["total_cents"] == A_PART_CENTS
    assert part(project, two, *second, "--max-cost", "2.50") == 0
    assert service.ledger()["total_cents"] == 2 * A_PART_CENTS
    again = project.results()["consent"]
    assert (again["id"], again["spent_cents"]) == (consent["id"], 2 * A_PART_CENTS)
    assert (cents(project, "actual_cents"), cents(project, "this_session_cents")) == (2 * A_PART_CENTS, A_PART_CENTS)


def test_a_consent_ends_with_its_last_call(project: Project, service: Served) -> None:
    """The same digest later is another consent, with its own ceiling."""
    project.write("planner.yaml", RATES)
    again = ("run", "--consent-to-charge", "--rerun", "all", "--max-cost", "1.20")
    ids: set[str] = set()
    for _ in range(2):
        assert project.planner(*again).code == 0
        consent = project.results()["consent"]
        assert consent["spent_cents"] == A_PART_CENTS
        ids.add(consent["id"])
    assert len(ids) == 2
    assert service.ledger()["total_cents"] == 2 * A_PART_CENTS


@pytest.mark.parametrize("ceiling", ["1.20", "5.00"], ids=["used up", "not used up"])
def test_attempts_of_one_workflow_run_share_a_consent(
    project: Project, service: Served, monkeypatch: pytest.MonkeyPatch, ceiling: str
) -> None:
    """Even after it has ended: a later attempt pays for nothing twice. Another workflow run has another consent."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_EVENT_NAME", "schedule")
    monkeypatch.setenv("GITHUB_RUN_ID", "7")
    project.write("planner.yaml", RATES)
    again = ("run", "--consent-to-charge", "--rerun", "all", "--max-cost", ceiling)
    codes: list[int] = []
    for run_id, attempt in (("7", "1"), ("7", "2"), ("8", "1")):
        monkeypatch.setenv("GITHUB_RUN_ID", run_id)
        monkeypatch.setenv("GITHUB_RUN_ATTEMPT", attempt)
        codes.append(project.planner(*again).code)
    assert codes == [0, 3, 0]
    assert project.results()["consent"]["how"] == "flag"
    assert service.ledger()["total_cents"] == 2 * A_PART_CENTS


def test_a_digest_pays_for_its_calls_once(project: Project, service: Served) -> None:
    """A second agreement to the same digest calls nobody; the next digest of the same calls does."""
    again = ("--rerun", "all", "plans/hours.yaml")
    digests: list[str] = []
    for times in (1, 2, 3):
        digests.append(project.planner("plan", *again, "--format", "json").json["digest"])
        assert part(project, digests[-1], *again) == 0
        for digest in digests:
            assert part(project, digest, *again) == 3
            assert project.results()["problems"][0].startswith("already called, as ")
        assert service.ledger()["total_cents"] == times * A_PART_CENTS
    assert len(set(digests)) == 3


def test_a_part_of_a_digest_pays_once(project: Project, service: Served, two: str) -> None:
    """What was not called yet, still may be, under the same digest."""
    again = ("--rerun", "all", "--max-cost", "9.00")
    for path, code, parts in (("hours", 0, 1), ("hours", 3, 1), ("closing", 0, 2), ("closing", 3, 2)):
        assert part(project, two, f"plans/{path}.yaml", *again) == code
        assert service.ledger()["total_cents"] == parts * A_PART_CENTS


@pytest.mark.parametrize("cents", [33, 50, 63])
def test_plan_and_run_refuse_the_same_budget(project: Project, service: Served, cents: int) -> None:
    """A plan's budget is above the expected cost of one call, 32 cents, and below the 64 that it reserves. Before:
    `plan` printed a command that `run` refused. Now: both refuse."""
    project.write("plans/hours.yaml", HOURS.replace("scenarios:", f"budget: {{max_cost_cents: {cents}}}\nscenarios:"))
    select = ("--select", "hours/cancel*")
    planned = project.planner("plan", *select, "--format", "json")
    assert (planned.code, planned.json["exit_code"], planned.json["error"]["code"]) == (3, 3, "refused")
    assert project.planner("run", "--consent-to-charge", *select).code == 3
    assert service.own_runs() == []
    project.edit("plans/hours.yaml", f"cents: {cents}", "cents: 64")
    assert project.planner("plan", *select).code == 0
    assert project.planner("run", "--consent-to-charge", *select).code == 0
    assert len(service.own_runs()) == 1


def test_starting_over_does_not_count_calls_of_an_interrupted_session(project: Project, service: Served) -> None:
    """It makes all of them again. If it is interrupted itself, the same command makes only the rest."""
    over = ("--start-over", "the lookup tool was fixed")
    project.limit_calls(1)
    service.hold(1, retry_after_seconds=600)
    project.killed("run", *CONSENT, when=project.rests)
    assert len(service.own_runs()) == 1
    service.release()
    service.hold(2, retry_after_seconds=600)
    project.killed("run", *CONSENT, *over, when=lambda: project.rests() and len(service.own_runs()) == 3)
    service.release()
    assert project.planner("run", *CONSENT, *over).code == 0
    assert len(service.own_runs()) == 1 + 5
    first = min(run["run_id"] for run in service.own_runs())
    used = {run["run_id"] for case in project.results()["cases"] for run in case["runs"]}
    assert (len(used), first in used) == (5, False)


def test_calls_of_a_killed_rerun_are_in_the_next_result(project: Project, service: Served) -> None:
    """Nothing else is called: one case has one call. Before: exit code 0, and the paid call was in no result."""
    assert project.planner("run", *CONSENT).code == 0
    first = {run["run_id"] for run in service.own_runs()}
    project.limit_calls(1)
    service.hold(1, retry_after_seconds=600)
    project.killed("run", *CONSENT, "--rerun", "all", when=project.rests)
    service.release()
    (paid,) = {run["run_id"] for run in service.own_runs()} - first
    again = [action for action in project.actions().values() if action[0] == "call"]
    assert [reason for _, reason, _ in again] == ["rerun"]
    assert project.planner("run", *CONSENT).code == 0
    bills = {run["run_id"]: run["cost_cents"] for case in project.results()["cases"] for run in case["runs"]}
    assert (bills[paid], len(service.own_runs())) == (16, len(first) + 1)
    assert {action for action, _, _ in project.actions().values()} == {"reuse"}
