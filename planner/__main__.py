"""`python -m planner`, and the console script."""

from __future__ import annotations

import sys


def main() -> int:
    """Answers `--version` before anything is imported: it is what people wait for most often.

    An interruption is one from the first moment on, also while the rest is being imported: where there are reports to write it
    waits until the first of them stands.
    """
    if sys.argv[1:] == ["--version"]:
        from planner import __version__

        sys.stdout.write(f"planner {__version__}\n")
        return 0
    import gc
    import os
    import signal

    gc.disable()  # until `outside.shell`: what is imported stays, and searching it for garbage takes a tenth of the start
    # Plugins of other packages have no business with what is validated here, and looking for some reads every package there is.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # noqa: TID251 - it is asked nowhere else

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    hang_up_signal = getattr(signal, "SIGHUP", None)  # Windows has none
    if (
        hang_up_signal and signal.getsignal(hang_up_signal) is not signal.SIG_IGN
    ):  # as `nohup` leaves it: it is to outlive its terminal

        def hang_up(number: int, frame: object) -> None:
            """Once: the terminal's shell sends one, and the system another."""
            del frame
            signal.signal(number, signal.SIG_IGN)
            raise KeyboardInterrupt

        signal.signal(hang_up_signal, hang_up)
    try:
        if next((word for word in sys.argv[1:] if not word.startswith("-")), "") in ("run", "recheck"):
            from planner.session.deferred_signals import defer

            defer()
        from planner.cli import main as run

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        try:
            sys.stderr.write("Interrupted before anything was done: run the same command again.\n")
        except OSError:  # the terminal has gone
            sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - Python would fail once more at exit
        return 130


if __name__ == "__main__":
    sys.exit(main())
