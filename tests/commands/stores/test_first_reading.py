"""A machine that reads a shared store for the first time, after several sessions of another machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from planner.records.shared_choices import KEY
from planner.results.repository import StoredFile
from planner.results.shared_store import SharedRepository
from planner.stores.git_ref import GitStore
from tests.commands.stores.conftest import git  # pyright: ignore[reportMissingImports]
from tests.commands.stores.test_keep import store_of

READ: list[str] = []


class Reading:
    """Notes which files of calls are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        read = SharedRepository.file

        def noted(repository: SharedRepository, key: str) -> StoredFile | None:
            if key.startswith("calls/"):
                READ.append(key)
            return read(repository, key)

        monkeypatch.setattr(SharedRepository, "file", noted)


def planned(project: Any, *arguments: str) -> tuple[Any, int]:
    """What `plan` finds, and how many files of calls it reads."""
    READ.clear()
    ran = project.planner("plan", "--format", "json", *arguments)
    assert ran.code == 0, ran.err
    return ran.json, len(set(READ))


def test_it_reads_only_the_calls_that_count(
    fresh_clone: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: Any
) -> None:
    """Three cases, each called by four sessions: the newest two pools of each, and all without the document."""
    Reading(monkeypatch)

    def machine(name: str) -> Any:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"cache-{name}"))
        return fresh_clone(name)

    first = machine("one")
    for _ in range(4):
        assert first.planner("run", "--consent-to-charge", "--rerun", "all").code == 0
    assert len(service.own_runs()) == 20
    found, read = planned(machine("two"))
    assert read == 6
    third = machine("three")
    store_of(third).erase(lambda _: {KEY: None})
    assert planned(third) == (found, 12)


def test_prices_are_learned_only_if_something_is_called(
    fresh_clone: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, service: Any
) -> None:
    sessions_of = SharedRepository.sessions

    def noted(repository: SharedRepository) -> Any:
        READ.append("reports")
        return sessions_of(repository)

    project = fresh_clone("one")
    assert project.planner("run", "--consent-to-charge").code == 0
    assert service.own_runs()
    monkeypatch.setattr(SharedRepository, "sessions", noted)
    assert planned(project)[0]["estimate"]["expected_cents"] == 0
    assert "reports" not in READ
    found, _ = planned(project, "--rerun", "all")
    assert "reports" in READ
    assert found["estimate"]["expected_cents"] > 0


def test_a_session_reads_each_file_once_and_fetches_few_times(
    fresh_clone: Callable[[str], Any], remote: Path, monkeypatch: pytest.MonkeyPatch, service: Any
) -> None:
    """Three cases, called by five sessions, on a machine that has none of these calls."""
    git(remote, "config", "uploadpack.allowFilter", "true")
    git(remote, "config", "uploadpack.allowAnySHA1InWant", "true")
    project = fresh_clone("one")
    for _ in range(5):
        assert project.planner("run", "--consent-to-charge", "--rerun", "all").code == 0
    assert len(service.own_runs()) == 25
    monkeypatch.setenv("XDG_CACHE_HOME", str(remote.parent / "another-cache"))
    project = fresh_clone("two")
    Reading(monkeypatch)
    fetched: list[int] = []
    fetch = GitStore._fetch_blobs

    def noted(store: GitStore, oids: Sequence[str]) -> None:
        fetched.extend([len(oids)] if oids else [])
        fetch(store, oids)

    monkeypatch.setattr(GitStore, "_fetch_blobs", noted)
    READ.clear()
    assert project.planner("run", "--consent-to-charge", "--rerun", "all").code == 0
    assert sorted(READ) == sorted(set(READ))
    assert len(READ) >= 15
    assert len(fetched) < 8
