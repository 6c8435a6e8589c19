"""The progress of a session: on a real terminal, and in a log."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import TextIO

import anyio
import pytest

from planner.clock import Clock
from planner.reports.progress import ProgressState, line
from planner.shell import Shell
from planner.workspace.progress import ProgressDisplay

START = ProgressState(0, 72, 12, 0, 384, 900, 0.2, None)
MIDDLE = ProgressState(34, 72, 12, 544, 384, 900, 80.7, 119.6, "concurrency limit 20 (learned)")
END = ProgressState(72, 72, 0, 1152, 0, None, 200.0, 0.0)
NO_VARIABLES: Mapping[str, str] = {}


@dataclass
class Time:
    """A clock that tests set."""

    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Terminal:
    """A real pseudo-terminal."""

    stream: TextIO
    master: int

    def shown(self) -> str:
        self.stream.flush()
        os.set_blocking(self.master, False)
        written = b""
        while True:
            try:
                written += os.read(self.master, 65536)
            except BlockingIOError:
                return written.decode()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    if sys.platform == "win32":
        pytest.skip("no pseudo-terminals")
    master, slave = os.openpty()
    with open(slave, "w", encoding="utf-8") as stream:  # noqa: PTH123 -- it is a descriptor
        yield Terminal(stream, master)
    os.close(master)


def progress_on(stream: TextIO, environ: Mapping[str, str] = NO_VARIABLES, time: Time | None = None) -> ProgressDisplay:
    clock = Clock(lambda: datetime(2026, 11, 24, tzinfo=UTC), (time or Time()).monotonic, anyio.sleep)
    return ProgressDisplay(Shell(Path(), {"TERM": "xterm", **environ}, StringIO(), stream, clock, lambda: "id", 80))


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (START, "0 of 72 runs · $0.00 of $9.00 · 12 in flight · $3.84 reserved · 0 s elapsed"),
        (
            MIDDLE,
            "34 of 72 runs · $5.44 of $9.00 · about 2 min left · 12 in flight · $3.84 reserved · 1 min 20 s elapsed · concurrency limit 20 (learned)",
        ),
        (END, "72 of 72 runs · $11.52 · 3 min 20 s elapsed"),
        (replace(MIDDLE, left_seconds=0.1, waiting="\x1b[31m::x"), None),
    ],
    ids=["start", "middle", "end", "hostile"],
)
def test_a_line(state: ProgressState, text: str | None) -> None:
    assert line(state) == (text or line(replace(state, waiting="")) + " · �: :x")


def test_a_log_has_a_line_for_changes() -> None:
    """At once, then at most every five seconds, and only if something other than the time changed."""
    stream, time = StringIO(), Time()
    progress = progress_on(stream, time=time)
    progress.update(START)
    for second in range(1, 15):
        time.seconds = float(second)
        progress.update(replace(MIDDLE, runs_done=min(second, 8), waiting=""))
    assert [text.split(" · ")[0] for text in stream.getvalue().splitlines()] == [
        "0 of 72 runs",
        "5 of 72 runs",
        "8 of 72 runs",
    ]


def test_a_terminal_is_redrawn_in_place(terminal: Terminal) -> None:
    time = Time()
    progress = progress_on(terminal.stream, time=time)
    progress.update(START)
    progress.update(MIDDLE)
    time.seconds = 1.0
    progress.update(MIDDLE)
    progress.close()
    progress.close()
    clear = "\x1b[1G\x1b[2K"
    start, middle = line(START)[:79], line(MIDDLE)[:79]
    assert terminal.shown() == f"{clear}{start}{clear}{middle}{clear}{middle}\r\n"
