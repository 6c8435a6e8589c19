"""The step of GitHub Actions in which planner runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from planner.shell import Shell

if TYPE_CHECKING:
    from planner.ci.publish import Publisher


def publisher_of(shell: Shell) -> Publisher | None:
    """The publisher of this step; None outside of GitHub Actions."""
    if shell.environ.get("GITHUB_ACTIONS") != "true":
        return None
    from planner.ci.publish import publisher  # late: it and what it reports are a tenth of the start of `validate`

    return publisher(
        shell.environ,
        working_directory=shell.cwd,
        write_line=shell.log,
        redact=shell.keys.text,
    )
