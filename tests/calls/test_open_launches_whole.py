"""A case stays unknown while an unconfirmed launch, or a run under way, could change its outcome."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mortality import Life
from whole_runs import Organization

import planner.commands.offline
from planner.workspace.selection import Selection

PLAN = """\
version: 1
plan: hours
targets: {clinic: {agent: 12}}
scenarios:
  hours:
    prompt: "You are Ana. Ask when you are open on Saturday."
    runs: 2
    min_pass_rate: 0.5
    retries: 1
    timeout_seconds: 600
    expect: [{check: call, status: completed}]
"""
FAILING = PLAN.replace("{check: call, status: completed}", "{check: says, any_of: [zzz]}")
STRICT = FAILING.replace("min_pass_rate: 0.5", "min_pass_rate: 1.0")
DAY = 86_400.0
UNANSWERED = {"kind": "error_before", "after": 1, "times": 1}
"""The second launch is answered with 503: whether it was carried out is unknown."""
Make = Callable[..., Organization]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def organization(*faults: dict[str, Any], plan: str = PLAN) -> Organization:
        service = Organization(tmp_path, faults=faults)
        service.write("plans/hours.yaml", plan)
        return service

    return organization


def run(service: Organization) -> tuple[int | None, dict[str, Any]]:
    """One launch at a time. Returns the exit code and the only case."""
    ran = service.run(at_once=1)
    (case,) = service.results()["cases"]
    return ran.code, case


def test_an_unconfirmed_launch_keeps_a_case_unknown(make: Make) -> None:
    """A resumed case, too, until the launch is known to be absent; then it is sent again."""
    service = make(UNANSWERED)
    code, case = run(service)
    assert (code, case["outcome"], case["runs_passed"], case["runs_under_way"]) == (4, "unknown", 1, 1)
    assert service.results()["outcome"] == "unknown"
    code, case = run(service)  # resumed while nobody knows more
    assert (code, case["outcome"], case["runs_passed"], case["runs_under_way"]) == (4, "unknown", 1, 1)
    service.seconds += 600
    code, case = run(service)
    assert (code, case["outcome"], case["runs_total"], case["runs_under_way"]) == (0, "passed", 2, 0)
    assert len(service.charged()) == 2


@pytest.mark.parametrize(("plan", "outcome", "code"), [(FAILING, "unknown", 4), (STRICT, "failed", 1)])
def test_a_failure_that_no_open_run_can_change_is_final(make: Make, plan: str, outcome: str, code: int) -> None:
    """Half of two runs may still pass; all of two runs no longer can."""
    found, case = run(make(UNANSWERED, plan=plan))
    assert (found, case["outcome"], case["runs_under_way"]) == (code, outcome, 1)


def test_a_failure_elsewhere_decides_the_exit_code(make: Make) -> None:
    """Exit code 1 comes before 4: an unknown case does not hide a failure."""
    service = make(UNANSWERED | {"after": 2}, plan=PLAN)
    failing = STRICT.replace("plan: hours", "plan: failing").replace("Ana", "Bob").replace("runs: 2", "runs: 1")
    service.write("plans/failing.yaml", failing)
    assert service.run(at_once=1).code == 1
    assert sorted(case["outcome"] for case in service.results()["cases"]) == ["failed", "unknown"]


def test_a_run_under_way_keeps_a_case_unknown_for_a_day(make: Make) -> None:
    """Then the session stops waiting for the run, and the other run decides."""
    service = make({"kind": "hang", "after": 1, "times": 1})
    for _ in range(2):
        code, case = run(service)
        assert (code, case["outcome"], case["runs_passed"]) == (4, "unknown", 1)
    service.seconds += DAY
    code, case = run(service)
    assert (code, case["outcome"], case["runs_passed"], case["runs_countable"]) == (0, "passed", 1, 1)


def test_an_unconfirmed_retry_keeps_a_case_unknown(make: Make) -> None:
    """The platform failed the first run: of three launches, the third has no answer."""
    code, case = run(make({"kind": "fail_run", "times": 1}, UNANSWERED | {"after": 2}))
    assert (case["runs_total"], case["runs_passed"]) == (2, 1)
    assert (code, case["outcome"], case["runs_under_way"]) == (4, "unknown", 1)


def test_recheck_and_report_leave_an_open_case_unknown(make: Make) -> None:
    """Stored runs of the old prompt passed; the launch with the new prompt is unconfirmed."""
    service = make(UNANSWERED | {"after": 3})
    assert run(service)[0] == 0
    service.write("plans/hours.yaml", PLAN.replace("Saturday", "Sunday"))
    code, case = run(service)
    assert (code, case["outcome"], case["runs_under_way"]) == (4, "unknown", 1)
    assert recheck(service) == (4, "unknown")
    service.seconds += 600
    assert run(service)[0] == 0
    assert recheck(service) == (0, "passed")


def recheck(service: Organization) -> tuple[int, str]:
    shell = service.shell()
    code = planner.commands.offline.judge_offline(shell, Selection(sandbox=True), report_dir=Path("again"))
    (case,) = json.loads((service.root / "again" / "results.json").read_text("utf-8"))["cases"]
    return code, case["outcome"]


FAILING_LISTS = {"kind": "error_before", "route": "list", "times": 1000}


@pytest.mark.parametrize(("faults", "is_awaited"), [((), True), ((FAILING_LISTS,), False)])
def test_a_refused_session_awaits_the_calls_under_way(
    make: Make, faults: tuple[dict[str, Any], ...], is_awaited: bool
) -> None:
    """It was killed while calls were made, and now more calls are wanted, without consent. Where the service fails
    meanwhile, the session is refused all the same, and says what is open."""
    service = make(*faults)
    assert service.run(life=Life("after POST /v1/test-call-batches")).code is None
    service.write("plans/other.yaml", PLAN.replace("plan: hours", "plan: other").replace("Ana", "Bob"))
    ran = service.run(consent_to_charge=False)
    assert ran.code == 3
    charged = service.charged()
    assert len(charged) == 2
    assert service.noted() == (charged if is_awaited else {})
    results = service.results()
    assert (results["exit_code"], results["consent"]["given"]) == (3, False)
    assert len(results["open_launches"]) == (not is_awaited)
    assert service.reported() == (charged if is_awaited else {})
