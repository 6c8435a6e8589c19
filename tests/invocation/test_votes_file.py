"""The file of votes that is taken along to where no model is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.errors import UsageError
from planner.invocation.votes_file import read_votes_file, write_votes_file


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "judge.recorded: "),
        (b"\n{}\n", "votes.jsonl:2: no vote of a model: key: Field required"),
        (b"[1]\n", "votes.jsonl:1: no vote of a model: Input should be an object"),
    ],
)
def test_a_file_that_is_missing_or_damaged_is_named(tmp_path: Path, content: bytes | None, told: str) -> None:
    """With the line, and with the command that writes a new one."""
    path = tmp_path / "votes.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_votes_file(path, "votes.jsonl")
    assert str(caught.value).startswith(told)
    assert "planner recheck --record-votes FILE" in caught.value.hint


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Where the path is a folder, for one."""
    with pytest.raises(UsageError, match="votes cannot be written: Is a directory"):
        write_votes_file(tmp_path, "votes", [])
