"""`planner init`: write a first plan, `planner.yaml` and the workflows for pull requests. Overwrites nothing."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from planner.errors import UsageError
from planner.planfile.files import PROJECT_FILE, display_name, plan_files
from planner.reports.neutral import for_terminal
from planner.session.selection import DEFAULT_PATH
from planner.session.shell import Shell

STARTER = Path(__file__).with_name("starter")
"""Templates of the files. The workflows are also in the documentation."""

PLAN = DEFAULT_PATH / "first.yaml"
WORKFLOWS = Path(".github/workflows")
_NAMES = ("phone-plans.yml", "phone-plans-call.yml", "phone-plans-main.yml")
_FILES = {PLAN: "first.yaml", Path(PROJECT_FILE): "planner.yaml"} | {WORKFLOWS / name: name for name in _NAMES}


def init(shell: Shell, directory: Path) -> int:
    """Write the missing files; return 0."""
    folder = shell.cwd / directory
    written: set[Path] = set()
    for target, source in _FILES.items():
        path = folder / target
        name = for_terminal(display_name(path, shell.cwd))
        if target == PLAN and _has_plans(folder / DEFAULT_PATH):
            shell.print(f"kept {for_terminal(display_name(path.parent, shell.cwd))}: it contains plans")
        elif _wrote(path, (STARTER / source).read_bytes(), name):
            written.add(target)
            shell.print(f"wrote {name}")
        else:
            shell.print(f"kept {name}: it exists")
    shell.print(_next_steps(directory, written))
    return 0


def _has_plans(folder: Path) -> bool:
    try:
        return folder.is_dir() and bool(plan_files([folder]))
    except UsageError:
        return False


def _wrote(path: Path, content: bytes, name: str) -> bool:
    """Write the file; False if something of that name exists, even a broken link."""
    if os.path.lexists(path):
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise UsageError(
            f"{name} cannot be written: {error.strerror}", "Fix this, then run the same command again."
        ) from error
    return True


def _next_steps(directory: Path, written: set[Path]) -> str:
    steps = [f"cd {shlex.quote(str(directory))}"] if directory != Path() else []
    steps += [
        "planner run --sandbox --consent-to-charge   try it: no key, no phone, no money",
        "planner schema                              lets editors complete and explain keys",
        "planner plan --refresh                      calls to your own agent and their cost (needs a key)",
    ]
    written_workflows = [path for path in written if path.parent == WORKFLOWS]
    marked = [str(path) for path in (PLAN, Path(PROJECT_FILE)) if path in written]
    marked += [f"{WORKFLOWS}/phone-plans*.yml"] if written_workflows else []
    yours = f"Fill in the lines marked <- in {', '.join(marked)}.\n" if marked else ""
    if written_workflows:
        yours += (
            "Store the API key in the environment phone-calls of the repository, for its default branch only. Private\n"
            "repositories without a paid plan have no environments: there everyone with write access can use the key.\n"
        )
    listed = "\n".join(f"  {step}" for step in steps)
    return f"\n{yours}Next:\n{listed}\nEach run overwrites reports/; consider adding it to .gitignore."
