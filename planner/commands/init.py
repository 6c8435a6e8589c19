"""`planner init`: a first plan, `planner.yaml` and a workflow, to be changed; overwrites nothing, asks nothing."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from planner.errors import UsageError
from planner.invocation.selection import DEFAULT_PATH
from planner.invocation.shell import Shell
from planner.planfile.files import PROJECT_FILE, display_name, plan_files
from planner.reports.neutral import for_terminal

STARTER = Path(__file__).with_name("starter")
"""What is written, as it is written. The workflow is also in the documentation, and the same there."""

PLAN = DEFAULT_PATH / "first.yaml"
WORKFLOW = Path(".github/workflows/phone-plans.yml")
_FILES = {PLAN: "first.yaml", Path(PROJECT_FILE): "planner.yaml", WORKFLOW: "phone-plans.yml"}


def init(shell: Shell, directory: Path) -> int:
    """0, whether or not there was anything left to write.

    Raises:
        UsageError: a file cannot be written; what was written stays.
    """
    folder = shell.cwd / directory
    written: set[Path] = set()
    for target, source in _FILES.items():
        path = folder / target
        name = for_terminal(display_name(path, shell.cwd))
        if target == PLAN and _has_plans(folder / DEFAULT_PATH):
            shell.print(f"kept {for_terminal(display_name(path.parent, shell.cwd))}: there are plans in it")
        elif _wrote(path, (STARTER / source).read_bytes(), name):
            written.add(target)
            shell.print(f"wrote {name}")
        else:
            shell.print(f"kept {name}: it is there")
    shell.print(_next_steps(directory, written))
    return 0


def _has_plans(folder: Path) -> bool:
    try:
        return folder.is_dir() and bool(plan_files([folder]))
    except UsageError:
        return False


def _wrote(path: Path, content: bytes, name: str) -> bool:
    """False where there is something of that name already, a link to nowhere included."""
    if os.path.lexists(path):
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise UsageError(
            f"{name} cannot be written: {error.strerror}", "Mend that, and run the same command again: it goes on."
        ) from error
    return True


def _next_steps(directory: Path, written: set[Path]) -> str:
    steps = [f"cd {shlex.quote(str(directory))}"] if directory != Path() else []
    steps += [
        "planner run --sandbox --consent-to-charge   try it: no key, no phone, no money",
        "planner schema                              then editors complete and explain every key",
        "planner plan --refresh                      what your own agent would be called for, and what it costs (needs a key)",
    ]
    marked = [path for path in (PLAN, WORKFLOW) if path in written]
    yours = f"Lines marked <- in {' and '.join(map(str, marked))} are yours to fill in.\n" if marked else ""
    listed = "\n".join(f"  {step}" for step in steps)
    return f"\n{yours}Next:\n{listed}\nEach run writes reports/ anew; it is yours to list in .gitignore."
