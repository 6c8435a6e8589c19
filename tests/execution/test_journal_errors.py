"""Messages about an unusable journal, as reports show them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from planner.execution.journal_file import journal_error


def test_two_services_in_one_store_are_not_reported_as_a_full_disk() -> None:
    """A run number that the journal has given to another launch already: what is most likely, and what to do about it."""
    with closing(sqlite3.connect(":memory:")) as journal:
        journal.execute("CREATE TABLE claims (run_id INTEGER UNIQUE)")
        journal.execute("INSERT INTO claims VALUES (7110)")
        with pytest.raises(sqlite3.IntegrityError) as refused:
            journal.execute("INSERT INTO claims VALUES (7110)")
    trouble = journal_error(Path("journal.sqlite"), "written", refused.value)
    assert str(trouble) == (
        "the journal journal.sqlite already has a run with the same id: UNIQUE constraint failed: claims.run_id"
    )
    assert trouble.hint is not None
    assert "choose a separate --store" in trouble.hint
    assert "disk" not in trouble.hint
