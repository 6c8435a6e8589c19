"""Journals as other programs, or attackers, may leave them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

Events = list[tuple[str, dict[str, Any]]]
"""Kind and content of each event, in order."""


def edit_journal(path: Path, change: Callable[[Events], Events | None]) -> None:
    """Rewrite the events of a closed journal. `change` edits them in place, or returns others."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT kind, event FROM events ORDER BY number").fetchall()
        events = [(kind, json.loads(text)) for kind, text in rows]
        events = change(events) or events
        db.execute("DELETE FROM events")
        numbered = [(number, kind, json.dumps(event)) for number, (kind, event) in enumerate(events, start=1)]
        db.executemany("INSERT INTO events VALUES (?, ?, ?)", numbered)
        db.commit()


def edit_launches(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Edit every launch as it was intended."""

    def edit(events: Events) -> None:
        for kind, event in events:
            if kind == "intended":
                change(event["intent"])

    edit_journal(path, edit)
