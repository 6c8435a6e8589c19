"""`-vv`: every request of a session, for whoever has to find out."""

from __future__ import annotations

import re

import pytest

from tests.commands.conftest import Project, Ran, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"
_LINE = re.compile(r"^(GET|POST) (/v1/\S*) → (.+) in \d+\.\d\d s", re.MULTILINE)


def requests_of(ran: Ran) -> list[tuple[str, str, str]]:
    """(method, path, status or error)."""
    return _LINE.findall(ran.err)


def test_every_request_is_logged(project: Project, service: Served) -> None:
    """One line each, as many as the results count; no key, prompt or number."""
    project.edit("plans/hours.yaml", "You are Dora Diaz", "You are Dora Diaz, phone +14155550123")
    service.control(
        {"faults": [{"kind": "lost_answer", "route": "launch", "times": 1}, {"kind": "throttle", "times": 1}]}
    )
    ran = project.planner("run", CONSENT, "-vv")
    assert ran.code == 0, ran.err
    stats, lines = project.results()["stats"], requests_of(ran)
    assert len(lines) == stats["requests"]
    assert [answer for _, _, answer in lines].count("429") == stats["refused"] == 1
    posts = [answer for method, _, answer in lines if method == "POST"]
    assert posts.count("201") + 1 == stats["launches"]
    for secret in ("sk_test_commands", "Dora", "4155550123", "Bearer"):
        assert not any(secret in line for line in ran.err.splitlines() if _LINE.match(line))


def test_test_calls_have_a_second_path(project: Project, service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Launches, lists and batches use it, and another value is refused. A launch on the other path counts as one with
    another key: it may not be listed."""
    monkeypatch.setenv("THUNDERPHONE_TEST_CALLS_PATH", "/v1/simulations/")
    ran = project.planner("run", CONSENT, "-vv")
    assert ran.code == 0, ran.err
    posts = {path for method, path, _ in requests_of(ran) if method == "POST"}
    assert posts
    assert posts <= {"/v1/simulations", "/v1/simulations/batches"}
    assert not any("test-call" in path for _, path, _ in requests_of(ran))
    monkeypatch.setenv("THUNDERPHONE_TEST_CALLS_PATH", "/v2/calls")
    assert project.planner("run", CONSENT).code == 2
