"""Roles of Postgres, as docs/organisation.md has them: a job may submit and close consents, and nothing more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from databases import Postgres
from sqlalchemy import text

from planner.errors import StoreError
from planner.organisation.opening import check, open_tables, prepare
from planner.organisation.tables import Tables

EVENT: dict[str, Any] = {"number": 1, "consent_id": "c", "session_id": "s", "kind": "requester_learned", "event": "{}"}
PAGE = (Path(__file__).parents[2] / "docs" / "organisation.md").read_text(encoding="utf-8")
CREATION, *GRANTS = re.findall(r"^(?:CREATE ROLE|GRANT) .*;$", PAGE, re.MULTILINE)


@pytest.fixture
def tables(postgres: Postgres, tmp_path: Path) -> Iterator[Tables]:
    """As the workers' role opens them: the owner."""
    opened = open_tables(postgres.new(), tmp_path, {})
    prepare(opened, upgrade=False)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def as_role(tables: Tables, tmp_path: Path) -> Iterator[Callable[..., Tables]]:
    """The same tables, as a role with these grants opens them."""
    opened: list[Tables] = []

    def open_as(*grants: str) -> Tables:
        with tables.engine.begin() as connection:
            for statement in (CREATION, *grants):
                connection.execute(text(statement))
        opened.append(open_tables(tables.shown.replace("planner@", "job@"), tmp_path, {}))
        return opened[-1]

    yield open_as
    for each in opened:
        each.engine.dispose()
    with tables.engine.begin() as connection:
        connection.execute(text("DROP OWNED BY job"))
        connection.execute(text("DROP ROLE job"))


WRITES: dict[str, Callable[[Tables], Any]] = {
    "take": lambda tables: tables.take("mallory", "1"),
    "heartbeat": lambda tables: tables.heartbeat(1),
    "event": lambda tables: tables.add_event(1, EVENT),
    "progress": lambda tables: tables.show_progress(1, {"c": "{}"}),
    "evidence": lambda tables: tables.save_evidence(1, [{"digest": "e", "consent_id": "c", "data": b""}]),
}


def test_a_job_has_what_it_needs_and_no_more(tables: Tables, as_role: Callable[..., Tables]) -> None:
    job = as_role(*GRANTS)
    check(job)
    assert tables.take("worker", "1") == 1
    job.submit("c", "shop", "{}")
    tables.show_progress(1, {"c": "{}"})
    tables.save_evidence(1, [{"digest": "d", "consent_id": "c", "data": b"words"}])
    assert (job.worker() is not None, job.progress("c"), job.evidence("d")) == (True, "{}", b"words")
    assert job.events() == []
    for write in WRITES.values():
        with pytest.raises(StoreError, match="permission denied"):
            write(job)
    job.close("c", "")
    assert [row["state"] for row in tables.consents()] == ["closing"]
    assert (tables.evidence("d"), tables.events()) == (None, [])


def test_tables_that_may_not_be_read_are_named(as_role: Callable[..., Tables]) -> None:
    with pytest.raises(StoreError, match="permission denied for table alembic_version"):
        check(as_role())
