"""`python -m planner`, and the console script."""

from __future__ import annotations

import sys


def main() -> int:
    """Answer `--version` without importing anything else; otherwise run the command line.

    Interruptions are handled from the start, even during imports. Commands that write reports defer them until the first
    report is written.
    """
    if sys.argv[1:] == ["--version"]:
        from planner import __version__

        sys.stdout.write(f"planner {__version__}\n")
        return 0
    import gc
    import os
    import signal

    gc.disable()  # until `session.shell`: imported modules stay, and collecting takes a tenth of the start
    # Looking for pydantic plugins reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # noqa: TID251 - nowhere else

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    hang_up_signal = getattr(signal, "SIGHUP", None)  # Windows has none
    if (
        hang_up_signal and signal.getsignal(hang_up_signal) is not signal.SIG_IGN
    ):  # ignored by `nohup`: keep running without the terminal

        def hang_up(number: int, frame: object) -> None:
            """Only once: the shell sends one signal and the system another."""
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
            sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - else Python fails again at exit
        return 130


if __name__ == "__main__":
    sys.exit(main())
