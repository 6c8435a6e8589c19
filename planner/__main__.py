"""`python -m planner`, and the console script."""

from __future__ import annotations

import sys


def main() -> int:
    """Answers `--version` before anything is imported: it is what people wait for most often."""
    if sys.argv[1:] == ["--version"]:
        from planner import __version__

        sys.stdout.write(f"planner {__version__}\n")
        return 0
    from planner.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
