"""Machines that read stored calls for the first time leave out those that another machine found to be unneeded."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from planner.records.shared_choices import KEY, SharedOlderCalls
from tests.records.test_older_calls import AGENT, CASE, agrees, called_often, empty, files_read
from tests.support.stored_calls import Session, Store, play, runs_after
from tests.support.stored_cases import NOW

UNCHANGED: Mapping[tuple[str, int], str | None] = {AGENT: "2026-11-01 a"}
EDITED: Mapping[tuple[str, int], str | None] = {AGENT: "2026-11-24 b"}


@dataclass(frozen=True)
class Shared:
    """A shared store with at most this one document."""

    document: bytes | None = None

    def get(self, key: str) -> bytes | None:
        return self.document if key == KEY else None

    def versions(self, prefix: str) -> Mapping[str, str]:
        raise AssertionError(f"{prefix} is not listed here")


def chosen(store: Store, session: Session) -> bytes:
    """What a session of the default branch stores."""
    source = SharedOlderCalls(Shared())
    session.earlier(replace(store, older=source))
    document = source.document()
    assert document is not None
    return document


def read_first(store: Store, document: bytes | None, session: Session) -> int:
    """How many files a new machine reads. It finds what it would find without the document."""
    agrees(replace(store, older=SharedOlderCalls(Shared(document))), [session])
    return files_read(replace(store, older=SharedOlderCalls(Shared(document))), session)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return called_often(tmp_path)


def test_a_new_machine_reads_what_is_needed(store: Store) -> None:
    document = chosen(store, Session([CASE]))
    assert read_first(store, None, Session([CASE])) == 12
    assert read_first(store, document, Session([CASE])) == 2
    assert read_first(store, document, Session([replace(CASE, prompt="Ask something else.")])) == 2
    later = play(CASE, store, [None] * 3, rerun="all").store
    assert read_first(later, document, Session([CASE])) == 3


def test_a_job_of_a_pull_request_does_too(tmp_path: Path) -> None:
    """Also if it edits the agent, and after calls of its own."""
    store = replace(empty(tmp_path), older=None)
    for _ in range(8):
        store = play(CASE, store, [None] * 3, rerun="all", revisions=UNCHANGED).store
    unchanged, edited = (Session([CASE], revisions=each) for each in (UNCHANGED, EDITED))
    document, branch = chosen(store, unchanged), store.on_branch()
    assert read_first(branch, None, unchanged) == 8
    assert read_first(branch, document, unchanged) == 2
    assert read_first(branch, document, edited) == 2
    runs = runs_after(branch, None, None, "agent", completed_at=NOW - timedelta(hours=1))
    _, branch = edited.finish(branch, {CASE.case_id: runs})
    assert read_first(branch, document, edited) == 3
    back = play(CASE, store, [None] * 3, rerun="all", revisions=EDITED).store
    document = chosen(back, edited)
    assert read_first(back, document, edited) == 3
    assert read_first(back, document, unchanged) == 9  # calls that are left out count again


def other_number(document: bytes) -> bytes:
    return zlib.compress(zlib.decompress(document).replace(b'"rounds":[0', b'"rounds":[99'))


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"x" + data,
        lambda _: zlib.compress(b"{}"),
        lambda _: zlib.compress(b'{"folders":{"calls/":{}}}'),
        lambda data: zlib.compress(zlib.decompress(data)[:-9]),
        other_number,
    ],
    ids=["empty", "cut", "not packed", "no choices", "no choice", "no JSON", "no such round"],
)
def test_a_damaged_document_is_ignored(store: Store, damage: Callable[[bytes], bytes]) -> None:
    document = damage(chosen(store, Session([CASE])))
    assert read_first(store, document, Session([CASE])) == 12
