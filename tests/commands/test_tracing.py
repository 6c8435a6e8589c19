"""`--trace` and `-v`: what a session did, for whoever has to find out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"


def test_a_trace_includes_every_request(project: Project, service: Served) -> None:
    """One line each, as many as the results count, with the outcome of each; no key, prompt or number."""
    project.edit("plans/hours.yaml", "You are Dora Diaz", "You are Dora Diaz, phone +14155550123")
    service.control(
        {"faults": [{"kind": "lost_answer", "route": "launch", "times": 1}, {"kind": "throttle", "times": 1}]}
    )
    ran = project.planner("run", CONSENT, "--trace", "trace.jsonl")
    assert ran.code == 0, ran.err
    text = (project.root / "trace.jsonl").read_text()
    head, *lines = map(json.loads, text.splitlines())
    results = project.results()
    assert head == {
        "schema_version": "2.0",
        "tool_version": results["tool_version"],
        "session_id": results["session_id"],
        "started_at": head["started_at"],
    }
    assert len(lines) == results["stats"]["requests"]
    assert list(lines[0]) == [
        "offset_ms",
        "method",
        "path",
        "status",
        "duration_ms",
        "sent_bytes",
        "received_bytes",
        "outcome",
        "attempt",
        "repeated",
        "error",
        "request_id",
        "unreadable_rows",
    ]
    posts = [line for line in lines if line["method"] == "POST"]
    assert [(line["status"], line["error"]) for line in posts if line["outcome"] == "unconfirmed"] == [
        (None, "LostAnswerError")
    ]
    assert [line["error"] for line in lines if line["outcome"] == "refused"] == ["ThrottledError"]
    assert sum(line["outcome"] == "answered" for line in posts) + 1 == results["stats"]["launches"]
    assert not any(line["repeated"] for line in posts)
    assert all(line["duration_ms"] > 0 and line["offset_ms"] > 0 for line in lines)
    for secret in ("sk_test_commands", "Dora", "4155550123", "Bearer"):
        assert secret not in text


def test_test_calls_have_a_second_path(project: Project, service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Launches, lists and batches use it, and another value is refused. A launch on the other path counts as one with
    another key: it may not be listed."""
    monkeypatch.setenv("THUNDERPHONE_TEST_CALLS_PATH", "/v1/simulations/")
    ran = project.planner("run", CONSENT, "--trace", "trace.jsonl")
    assert ran.code == 0, ran.err
    _, *lines = map(json.loads, (project.root / "trace.jsonl").read_text().splitlines())
    posts = {line["path"] for line in lines if line["method"] == "POST"}
    assert posts
    assert posts <= {"/v1/simulations", "/v1/simulations/batches"}
    assert not any("test-call" in line["path"] for line in lines)
    monkeypatch.setenv("THUNDERPHONE_TEST_CALLS_PATH", "/v2/calls")
    assert project.planner("run", CONSENT).code == 2


def test_a_trace_that_cannot_be_written(project: Project, service: Served) -> None:
    """Found before anything is done; a disk that fills up on the way costs the trace, and nothing else."""
    ran = project.planner("run", CONSENT, "--trace", "nowhere/trace.jsonl")
    assert ran.code == 2
    assert ran.err == (
        "planner: --trace nowhere/trace.jsonl cannot be written: No such file or directory\n"
        "  Name a file in an existing folder.\n"
    )
    assert not (project.root / "reports").exists()
    assert Path("/dev/full").exists()
    ran = project.planner("run", CONSENT, "--trace", "/dev/full")
    assert ran.code == 0
    assert ran.err.count("the trace /dev/full can no longer be written: No space left on device; calls continue") == 1
