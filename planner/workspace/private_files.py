"""Files that a plan must not name, because their content may be secret: it would be sent to the service and shown."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from planner.ci.event import namespace_of
from planner.ci.git import Git, Layout
from planner.ci.policy import PolicySource
from planner.errors import UsageError
from planner.planfile.files import display_name
from planner.shell import Shell

_AT_ONCE: Final = 200


def refuse_private(shell: Shell, source: PolicySource, files: Sequence[Path]) -> None:
    """Refuse files that git ignores. In a job of a pull request, refuse all that git does not track: its author could
    change what is ignored, and the job may have written files with keys.

    Without a repository, or without git, nothing is refused here. Raises `UsageError`.
    """
    if not files:
        return
    git = Git(source.root, shell.environ)
    is_stranger = source.base is not None or bool(namespace_of(shell.environ))
    try:
        layout = git.layout()
    except UsageError:  # without git
        return
    if not isinstance(layout, Layout):
        return
    root, work_tree = source.root.resolve(), layout.work_tree.resolve()
    names = [os.path.relpath(path, root) for path in files if path.is_relative_to(work_tree)]
    ignored = ("--others", "--ignored", "--exclude-standard")
    private = [
        name
        for start in range(0, len(names), _AT_ONCE)
        for name in _listed(git, ("--others",) if is_stranger else ignored, names[start : start + _AT_ONCE])
    ]
    if private:
        shown = display_name(source.root / private[0], shell.cwd)
        why = "git does not track it, and this is a job of a pull request" if is_stranger else "git ignores it"
        raise UsageError(
            f"a plan names the file {shown}, which may be private: {why}",
            "Commit the file if everybody may read it. Otherwise remove its name from the plan.",
        )


def _listed(git: Git, which: Sequence[str], names: Sequence[str]) -> list[str]:
    found = git("ls-files", "-z", *which, "--", *names)
    if found.code != 0:
        raise UsageError(f"git does not say which files are private: {found.said}", "Repair the repository.")
    return [os.fsdecode(name) for name in found.out.split(b"\0") if name]
