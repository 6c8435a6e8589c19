"""`python -m planner`, and the console script."""

from __future__ import annotations

import sys

_INTERRUPTED = """\
{
  "schema_version": "2.0",
  "exit_code": 130,
  "error": {
    "code": "interrupted",
    "message": "interrupted",
    "hint": "Run the same command to resume."
  },
  "diagnostics": []
}
"""
"""The document of an interruption before there is anything that could write one."""


def main() -> int:
    """Run the command line. Answers `--version` before anything is imported, and handles interruptions from the
    start."""
    if sys.argv[1:] == ["--version"]:
        from planner import __version__

        sys.stdout.write(f"planner {__version__}\n")
        return 0
    import gc
    import os

    gc.disable()  # until `system.shell`: imported objects stay, and collecting takes a tenth of the start
    # Plugins of other packages must not change validation; looking for them also reads every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # noqa: TID251 - not read anywhere else

    from planner.interruption import asks_for_json, raise_on_signals

    raise_on_signals()
    may_have_printed = False
    try:
        from planner.cli import main as run

        may_have_printed = True
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        try:
            sys.stderr.write("Interrupted before anything was done: run the same command again.\n")
            if asks_for_json(sys.argv[1:]) and not may_have_printed:
                sys.stdout.write(_INTERRUPTED)
        except OSError:  # the terminal has gone
            sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for Python at exit
        return 130
    gc.freeze()  # or Python collects everything once more at its end: a sixth of the time of `planner plan`
    return code


if __name__ == "__main__":
    sys.exit(main())
