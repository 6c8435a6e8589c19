"""The same plans against staging and production, each a service of its own, and what differs between the two."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

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
CONSENT = "--consent-to-charge"


def test_staging_and_production(project: Any, serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two services, each with a store of its own, the results are compared: what staging would make worse."""
    project.write("plans/hours.yaml", PLAN)
    project.write("planner.yaml", ENVIRONMENTS)
    monkeypatch.setenv("THUNDERPHONE_API_KEY", "sk_test_commands")
    for name, code in (("production", 0), ("staging", 1)):
        served = serve()
        monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", served.url)
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
        "# 1 regressed, 1 same",
        "",
        "- before: `ID`: Passed, WHEN, environment production",
        "- now: `ID`: Failed, WHEN, environment staging",
        "",
        "2 cases compared: 6 of 6 runs passed before, 2 of 6 now: worse (p = 0.029)",
    ]
    assert "the same runs" not in text.out
