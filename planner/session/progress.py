"""Shows progress on standard error while calls are made.

On a terminal: one live line with runs, money and time left. Otherwise, as in CI: a plain line when something changed,
at most every few seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TextIO

from planner.reports.neutral import for_terminal
from planner.reports.quantities import duration, money

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from planner.execution.jobs import Snapshot
    from planner.session.shell import Shell

PLAIN_INTERVAL_SECONDS: Final = 5.0
_BAR_CELLS: Final = 24
_REDRAWS_PER_SECOND: Final = 8


@dataclass(frozen=True, slots=True)
class ProgressState:
    """The progress of a session: money billed (`spent`) and reserved for runs in flight. `left_seconds` is None if
    unknown."""

    runs_done: int
    runs_total: int
    in_flight: int
    spent_cents: int
    reserved_cents: int
    ceiling_cents: int | None
    elapsed_seconds: float
    left_seconds: float | None
    waiting: str = ""
    """Why a launch waits, such as `concurrency limit 20 (learned)`."""


def state_of(
    snapshot: Snapshot, *, runs_fresh: int, ceiling_cents: int | None, elapsed_seconds: float
) -> ProgressState:
    """`runs_fresh` ended in this session; the time left is estimated from them while calls are under way."""
    done, total = snapshot.runs_done, snapshot.runs_total
    return ProgressState(
        runs_done=done,
        runs_total=total,
        in_flight=snapshot.in_flight,
        spent_cents=snapshot.spent_cents,
        reserved_cents=snapshot.reserved_cents,
        ceiling_cents=ceiling_cents,
        elapsed_seconds=elapsed_seconds,
        left_seconds=elapsed_seconds / runs_fresh * (total - done) if runs_fresh and snapshot.in_flight else None,
        waiting=snapshot.waiting,
    )


class Progress(Protocol):
    """A display. `update` is cheap; after `close` nothing is written."""

    def update(self, state: ProgressState) -> None: ...

    def note(self, message: str) -> None:
        """Print a permanent message: a retry, an adopted run, a reached ceiling."""
        ...

    def close(self) -> None: ...


def open_progress(shell: Shell) -> Progress:
    """Live on an interactive terminal outside CI, otherwise plain."""
    if shell.err_is_live:
        return LiveProgress(shell.err, shell.environ, color=shell.err_color)
    return PlainProgress(shell.err, shell.clock.monotonic)


class PlainProgress:
    """Prints the first state, changes at most every `PLAIN_INTERVAL_SECONDS`, and the last state on `close`."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._written_at: float | None = None
        self._written: tuple[object, ...] | None = None
        self._state: ProgressState | None = None

    def update(self, state: ProgressState) -> None:
        self._state = state
        now = self._clock()
        if self._written_at is None or now - self._written_at >= PLAIN_INTERVAL_SECONDS:
            self._write_state(now)

    def note(self, message: str) -> None:
        self._write(for_terminal(message))

    def close(self) -> None:
        self._write_state(self._clock())
        self._state = None

    def _write_state(self, now: float) -> None:
        """Write the state if something other than the time changed."""
        state = self._state
        if state is None or (news := _news(state)) == self._written:
            return
        self._written, self._written_at = news, now
        self._write(line(state))

    def _write(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


class LiveProgress:
    """A live line at the bottom of the terminal; notes scroll above it."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str], *, color: bool) -> None:
        self._stream = stream
        self._environ = environ
        self._color = color
        self._live: Live | None = None

    def update(self, state: ProgressState) -> None:
        is_first = self._live is None
        self._started().update(_drawn(state), refresh=is_first)

    def note(self, message: str) -> None:
        from rich.text import Text

        self._started().console.print(Text(for_terminal(message)), soft_wrap=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _started(self) -> Live:
        """Imports rich when there is something to show."""
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            console = Console(
                file=self._stream,
                force_terminal=True,
                no_color=not self._color,
                highlight=False,
                markup=False,
                emoji=False,
                _environ=self._environ,
            )
            self._live = Live(
                console=console, refresh_per_second=_REDRAWS_PER_SECOND, redirect_stdout=False, redirect_stderr=False
            )
            self._live.start()
        return self._live


def line(state: ProgressState) -> str:
    """`34 of 72 runs · $5.44 of $9.00 · about 2 min left · 12 in flight · 1 min 20 s elapsed · concurrency limit 20
    (learned)`."""
    return " · ".join([*_progress(state), *_circumstances(state)])


def _progress(state: ProgressState) -> list[str]:
    parts = [f"{state.runs_done:,} of {state.runs_total:,} runs"]
    ceiling = "" if state.ceiling_cents is None else f" of {money(state.ceiling_cents)}"
    parts.append(f"{money(state.spent_cents)}{ceiling}")
    if state.left_seconds is not None and state.runs_done < state.runs_total:
        parts.append(f"about {duration(max(1, round(state.left_seconds)))} left")
    return parts


def _circumstances(state: ProgressState) -> list[str]:
    parts = [f"{state.in_flight:,} in flight"] if state.in_flight else []
    if state.reserved_cents:
        parts.append(f"{money(state.reserved_cents)} reserved")
    parts.append(f"{duration(int(state.elapsed_seconds))} elapsed")
    if state.waiting:
        parts.append(for_terminal(state.waiting))
    return parts


def _news(state: ProgressState) -> tuple[object, ...]:
    return (state.runs_done, state.runs_total, state.in_flight, state.spent_cents, state.ceiling_cents, state.waiting)


def _drawn(state: ProgressState) -> RenderableType:
    """A bar with the progress, and a second line with details, cut if the terminal is narrow."""
    from rich.text import Text

    share = min(1.0, state.runs_done / state.runs_total) if state.runs_total else 0.0
    done = int(share * _BAR_CELLS)
    return Text.assemble(
        ("━" * done, "green"),
        ("━" * (_BAR_CELLS - done), "dim"),
        (" " + " · ".join(_progress(state)) + "\n", "bold"),
        (" · ".join(_circumstances(state)), "dim"),
        no_wrap=True,
        overflow="ellipsis",
    )
