"""`retries`: what the platform failed is called again, priced and consented, end to end against a sandbox on a socket."""

from __future__ import annotations

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"


def test_a_run_that_the_platform_failed_is_called_again(project: Project, service: Served) -> None:
    """The case passes by the second call; the first is reported as the platform's fault and does not count."""
    project.edit("plans/hours.yaml", "  cancel:\n", "  cancel:\n    retries: 1\n")
    service.control({"faults": [{"kind": "fail_run", "times": 1}]})
    ran = project.planner("run", CONSENT, "--select", "*cancel*")
    assert ran.code == 0, ran.out + ran.err
    (case,) = project.results()["cases"]
    assert (case["outcome"], case["runs_total"]) == ("passed", 2)
    assert sorted(str(run["fault"]) for run in case["runs"]) == ["None", "platform"]
    assert len(service.own_runs()) == 2


def test_retries_are_priced_and_part_of_the_digest(project: Project, service: Served) -> None:
    """The high end has room for each, the calls expected are the same; who agreed to none did not agree to them."""
    before = project.planner("plan", "--refresh", "--format", "json").json
    project.edit("plans/hours.yaml", "  cancel:\n", "  cancel:\n    retries: 2\n")
    ran = project.planner("plan", "--refresh", "--format", "json")
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
