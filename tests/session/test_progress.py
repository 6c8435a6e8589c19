"""What a person sees while calls are being made: on a real terminal, and in a log."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import TextIO

import anyio
import pytest

from planner.clock import Clock
from planner.session.progress import LiveProgress, PlainProgress, ProgressState, line, open_progress
from planner.session.shell import Shell

START = ProgressState(0, 72, 12, 0, 384, 900, 0.2, None)
MIDDLE = ProgressState(34, 72, 12, 544, 384, 900, 80.7, 119.6, "concurrency limit 20 (learned)")
END = ProgressState(72, 72, 0, 1152, 0, None, 200.0, 0.0)


@dataclass
class Time:
    """A clock that a test moves."""

    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Terminal:
    """A real pseudo-terminal: what is written to `stream` is what it shows."""

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


@pytest.fixture
def shell() -> Callable[[TextIO, Mapping[str, str]], Shell]:
    def build(stream: TextIO, environ: Mapping[str, str]) -> Shell:
        clock = Clock(lambda: datetime(2026, 11, 24, tzinfo=UTC), Time().monotonic, anyio.sleep)
        return Shell(Path(), {"TERM": "xterm", **environ}, StringIO(), stream, clock, lambda: "id", 80)

    return build


def _log() -> tuple[PlainProgress, StringIO, Time]:
    stream, time = StringIO(), Time()
    return PlainProgress(stream, time.monotonic), stream, time


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
    """Runs done of all, money of the ceiling, time left, and why a launch waits; nothing that is not known."""
    assert line(state) == (text or line(replace(state, waiting="")) + " · �: :x")


def test_a_log_tells_what_changed() -> None:
    """Lines come at once, then at most every five seconds, and only where something but the time changed."""
    progress, stream, time = _log()
    progress.update(START)
    for second in range(1, 15):
        time.seconds = float(second)
        progress.update(replace(MIDDLE, runs_done=min(second, 8), waiting=""))
    assert [text.split(" · ")[0] for text in stream.getvalue().splitlines()] == [
        "0 of 72 runs",
        "5 of 72 runs",
        "8 of 72 runs",
    ]


def test_a_log_ends_with_the_last_state() -> None:
    """Closing prints the result once, and nothing after it."""
    progress, stream, _ = _log()
    progress.update(START)
    progress.update(END)
    progress.close()
    progress.close()
    assert stream.getvalue().splitlines() == [line(START), line(END)]


def test_a_log_without_news_is_empty() -> None:
    """What never started leaves no line."""
    progress, stream, _ = _log()
    progress.close()
    assert stream.getvalue() == ""


def test_a_note_in_a_log() -> None:
    """A note is one harmless line, at once."""
    progress, stream, _ = _log()
    progress.note("429 of\nthe \x1b[31mservice")
    assert stream.getvalue() == "429 of the �service\n"


def test_a_terminal_is_redrawn(terminal: Terminal, shell: Callable[..., Shell]) -> None:
    """On a terminal the lines are redrawn in place, in colour, and the cursor is given back."""
    progress = open_progress(shell(terminal.stream, {}))
    progress.update(START)
    progress.note("a note makes it draw at once")
    progress.update(MIDDLE)
    progress.close()
    progress.close()
    shown = terminal.shown()
    assert shown.startswith("\x1b[?25l")
    assert shown.rstrip().endswith("\x1b[?25h")
    assert "\x1b[1A\x1b[2K" in shown
    assert (
        "\x1b[32m━━━━━━━━━━━\x1b[0m\x1b[2m━━━━━━━━━━━━━\x1b[0m\x1b[1m 34 of 72 runs · $5.44 of $9.00 · about 2 min left"
        in shown
    )


def test_notes_scroll_by_above(terminal: Terminal, shell: Callable[..., Shell]) -> None:
    """A note stays above the live lines and is neither markup nor an escape sequence."""
    progress = open_progress(shell(terminal.stream, {}))
    progress.update(MIDDLE)
    progress.note("the limit is [bold]20[/bold] now \x1b[31m:smile:")
    progress.close()
    assert "the limit is [bold]20[/bold] now �:smile:\r\n" in terminal.shown()


def test_without_colour(terminal: Terminal, shell: Callable[..., Shell]) -> None:
    """`NO_COLOR` leaves no colour, the live lines stay."""
    progress = open_progress(shell(terminal.stream, {"NO_COLOR": "1"}))
    progress.update(MIDDLE)
    progress.close()
    shown = terminal.shown()
    assert "34 of 72 runs" in shown
    assert not re.search(r"\x1b\[(3\d|9\d)", shown)


def test_nothing_to_count(terminal: Terminal, shell: Callable[..., Shell]) -> None:
    """Before the number of runs is known the bar is empty."""
    progress = open_progress(shell(terminal.stream, {}))
    progress.update(replace(START, runs_total=0, in_flight=0))
    progress.close()
    assert "\x1b[2m" + "━" * 24 + "\x1b[0m\x1b[1m 0 of 0 runs" in terminal.shown()


def test_a_display_that_was_never_used_writes_nothing(terminal: Terminal, shell: Callable[..., Shell]) -> None:
    """Opening and closing alone does not touch the terminal."""
    open_progress(shell(terminal.stream, {})).close()
    assert terminal.shown() == ""


@pytest.mark.parametrize("environ", [{"CI": "true"}, {"TERM": "dumb"}], ids=["ci", "dumb"])
def test_plain_where_live_would_be_noise(
    terminal: Terminal, shell: Callable[..., Shell], environ: dict[str, str]
) -> None:
    """A CI's log and a dumb terminal get lines, even if they say that they are terminals."""
    progress = open_progress(shell(terminal.stream, environ))
    progress.update(MIDDLE)
    assert isinstance(progress, PlainProgress)
    assert terminal.shown() == line(MIDDLE) + "\r\n"


def test_plain_when_piped(shell: Callable[..., Shell]) -> None:
    """What is no terminal gets lines; what is one gets the live display."""
    assert isinstance(open_progress(shell(StringIO(), {})), PlainProgress)


def test_live_on_a_terminal(terminal: Terminal, shell: Callable[..., Shell]) -> None:
    """A terminal gets the live display."""
    assert isinstance(open_progress(shell(terminal.stream, {})), LiveProgress)
