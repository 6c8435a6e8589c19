"""Copies a read-only journal into memory."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory


def copy_of(path: Path) -> sqlite3.Connection:
    """Includes the write-ahead log of a killed writer, which SQLite ignores if it cannot write."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    with TemporaryDirectory() as folder:
        for end in ("", "-wal"):
            if (original := path.with_name(path.name + end)).exists():
                shutil.copyfile(original, Path(folder) / f"journal{end}")
        with closing(sqlite3.connect(Path(folder) / "journal")) as whole:
            whole.backup(copy)
    return copy
