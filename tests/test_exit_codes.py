"""Every exception becomes an exit code and a message: errors of tasks that ran together, too."""

from __future__ import annotations

import errno
from pathlib import Path

import click
import pytest

from planner.cli import run_guarded
from planner.errors import (
    CredentialError,
    IncompleteError,
    InterruptedRunError,
    LostAnswerError,
    NotFoundError,
    RefusedError,
    leading_error,
)

ENDINGS = [
    (CredentialError("no"), 2),
    (RefusedError("no"), 3),
    (LostAnswerError("gone"), 4),
    (InterruptedRunError("twice"), 130),
    (KeyboardInterrupt(), 130),
    (click.Abort(), 130),
    (KeyError("who knows"), 5),
    (ExceptionGroup("six refusals", [CredentialError(f"no {n}") for n in range(6)]), 2),
    (ExceptionGroup("both", [LostAnswerError("gone"), RefusedError("no")]), 3),
    (ExceptionGroup("all", [LostAnswerError("gone"), RefusedError("no"), NotFoundError("none")]), 2),
    (ExceptionGroup("deep", [ExceptionGroup("deeper", [RefusedError("no")]), IncompleteError("later")]), 3),
    (ExceptionGroup("a bug", [CredentialError("no"), KeyError("who knows")]), 5),
    (BaseExceptionGroup("stopped", [KeyboardInterrupt(), RefusedError("no")]), 130),
    (BaseExceptionGroup("stopped", [KeyboardInterrupt(), KeyboardInterrupt()]), 130),
    (BaseExceptionGroup("a bug", [KeyboardInterrupt(), ValueError("who knows")]), 5),
]


@pytest.fixture(autouse=True)
def in_ci(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))


@pytest.mark.parametrize(("error", "exit_code"), ENDINGS, ids=lambda value: repr(value)[:60])
def test_the_exit_code_of_an_error(
    error: BaseException, exit_code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six requests are refused together with 403, in a group of exceptions. Before: exit code 5 or 1. Now: each error
    has its exit code, and a group that of its gravest one."""

    def command() -> int:
        raise error

    assert run_guarded(command) == exit_code
    shown = capsys.readouterr().err
    assert shown
    assert ("who knows" in shown) == (exit_code == 5)
    if exit_code == 5:
        assert any(line.startswith("::error") and "a bug in planner" in line for line in shown.splitlines())


def test_a_full_disk_is_no_bug() -> None:
    """A single error leads, and one with an exit code of its own comes before a full disk."""
    full, refused = OSError(errno.ENOSPC, "No space left on device"), RefusedError("no")
    assert leading_error(full) is full
    assert leading_error(ExceptionGroup("both", [full, refused])) is refused
    assert leading_error(ExceptionGroup("one", [ExceptionGroup("two", [full])])) is full
