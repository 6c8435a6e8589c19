"""A bucket as the store that machines share, as users have it: over a socket, from projects with nothing of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from buckets import BucketServer, bucket_server

PROJECT = "store: s3://results/planner\nredact: ['Dora Diaz']\n"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketServer]:
    with bucket_server() as server:
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secretexample",
            "AWS_DEFAULT_REGION": "eu-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def fresh(project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """`planner` on a machine that has the plans, and nothing else."""
    plans = (project.root / "plans/hours.yaml").read_text()

    def make(name: str) -> Any:
        project.root = tmp_path / name
        project.write("plans/hours.yaml", plans)
        project.write("planner.yaml", PROJECT)
        (project.root / ".git").mkdir()
        monkeypatch.chdir(project.root)
        return project

    return make


def test_jobs_share_a_bucket(fresh: Callable[[str], Any], bucket: BucketServer, service: Any) -> None:
    """What one machine called the next keeps; the log was there before the calls; what `redact` lists, keys and
    credentials are in no object that was ever written."""
    ran = fresh("one").planner("run", "--consent-to-charge")
    assert ran.code == 0, ran.out + ran.err
    assert len(service.own_runs()) == 5
    kinds = [path.split("/")[3] for path in bucket.writes]
    assert kinds[0] == "_"  # the log
    assert kinds.index("evidence") < kinds.index("calls") < kinds.index("sessions") < kinds.index("runs")
    folders = {"_", "configurations", "evidence", "runs", "calls", "sessions"}
    assert {path.split("/")[3] for path in bucket.objects} == folders
    assert {action for action, _, _ in fresh("two").actions().values()} == {"reuse"}
    text = b"".join(bucket.objects.values())
    assert b"[redacted]" in text
    for secret in (b"Dora Diaz", b"sk_test_commands", b"AKIAEXAMPLE", b"secretexample"):
        assert secret not in text


def test_words_are_erased_from_a_bucket(fresh: Callable[[str], Any], bucket: BucketServer, service: Any) -> None:
    """By a machine that has only the bucket, where the first one shared what was said."""
    project = fresh("one")
    assert project.planner("run", "--consent-to-charge").code == 0
    case = next(case for case in project.results()["cases"] if case["case_id"] == "hours/cancel@clinic")
    evidence = [path for path in bucket.objects if any(run["evidence"] in path for run in case["runs"])]
    ids = [str(run["run_id"]) for run in case["runs"]]
    ran = fresh("two").planner("forget", *ids, "--yes")
    assert (ran.code, "old versions, if the bucket keeps them" in ran.out) == (0, True), ran.out + ran.err
    assert evidence
    assert not set(evidence) & set(bucket.objects)
    assert {action for action, _, _ in fresh("three").actions().values()} == {"reuse"}


def test_a_bucket_that_is_closed(fresh: Callable[[str], Any], bucket: BucketServer, service: Any) -> None:
    """If the store may not be read: no calls, exit 2, and a message that says what is needed without showing credentials."""
    bucket.closed = True
    ran = fresh("one").planner("run", "--consent-to-charge")
    assert ran.code == 2, ran.out + ran.err
    assert "the log at s3://results/planner/_/log cannot be read" in ran.err
    assert "the credentials in the environment must permit to read, write, delete and list there" in ran.err
    assert "secretexample" not in ran.out + ran.err
    assert service.own_runs() == []


@pytest.mark.parametrize("folder", ["calls", "sessions"])
def test_a_bucket_that_refuses_one_object(
    fresh: Callable[[str], Any], bucket: BucketServer, service: Any, folder: str
) -> None:
    """Only the cases of a file of calls are unknown, and nothing is called again. The calls of a session without its
    head count."""
    assert fresh("one").planner("run", "--consent-to-charge").code == 0
    calls, project = len(service.own_runs()), fresh("two")
    assert {action for action, _, _ in project.actions().values()} == {"reuse"}
    bucket.refused.add(min(path for path in bucket.objects if path.startswith(f"/results/planner/{folder}/")))
    found = [(action, reason) for action, reason, _ in project.actions().values()]
    assert found.count(("reuse", "unreadable")) == (folder == "calls")
    assert {action for action, _ in found} <= {"reuse", "recheck"}
    ran = project.planner("run", "--consent-to-charge")
    assert (ran.code, len(service.own_runs())) == (4 if folder == "calls" else 0, calls), ran.out + ran.err
    assert "need permission to read" in ran.err
