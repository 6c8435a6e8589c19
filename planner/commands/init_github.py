"""`planner init --github`: write the workflows that call those of this repository, and set the repository up with `gh`.

The workflows are pinned to the commit that this program was installed from, so that they install the same program.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final, cast

from planner import __version__
from planner.ci.git import Git, Layout
from planner.errors import UsageError
from planner.planfile.files import display_name
from planner.reports.neutral import for_terminal
from planner.shell import Shell
from planner.values import frozen

WORKFLOWS: Final = Path(".github/workflows")
_STARTER: Final = Path(__file__).with_name("starter")
_NAMES: Final = ("phone-plans.yml", "phone-plans-call.yml", "phone-plans-main.yml")
_BUILT_FROM: Final = Path(__file__).parent.parent / "built_from.json"
"""Repository and commit, in a released wheel: `.ci/release.py` writes it."""
_PLACEHOLDER: Final = re.compile(r"acme/phone-test-planner(/[^@\s]+)@0{40} #.*")
_PIN: Final = re.compile(r"(?P<repository>[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)@(?P<commit>[0-9a-f]{40})")
_GITHUB: Final = re.compile(
    r"(?:https://|git@|ssh://git@)github\.com[/:]([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+?)(?:\.git)?/?"
)
_STORE: Final = "store: git:refs/planner/results"
_KEYS: Final = ("THUNDERPHONE_API_KEY", "PLANNER_JUDGE_API_KEY")
_ENVIRONMENT: Final = "phone-calls"


@frozen
class Pin:
    """The repository and the commit whose workflows are called."""

    repository: str
    commit: str


@frozen
class Step:
    """A command that sets the repository up. `stdin` names the variable whose value it reads, "" for none."""

    what: str
    words: tuple[str, ...]
    stdin: str = ""


@frozen
class Target:
    """The repository to set up, and the project's folder in it. `name` is the project's, "" at the root."""

    root: Path
    pin: Pin
    branch: str
    place: str
    name: str


def target_of(shell: Shell, folder: Path, typed_pin: str | None) -> Target:
    """Raises `UsageError` outside of a repository with a remote, or if the pin is unknown."""
    existing = next(each for each in (folder, *folder.parents) if each.is_dir())
    git = Git(existing, shell.environ)
    layout = git.layout()
    if not isinstance(layout, Layout):
        raise UsageError("workflows need a git repository, and there is none", "Run `git init` first.")
    if git("remote", "get-url", "origin").code != 0:
        raise UsageError("this repository has no remote `origin`", "Create it first: gh repo create")
    place = folder.resolve().relative_to(layout.work_tree.resolve()).as_posix()
    name = "" if place == "." else _name_of(layout.work_tree, place)
    return Target(layout.work_tree, pin_of(shell, typed_pin), default_branch(git), place, name)


_MAX_NAME: Final = 40
"""Characters of a name in a comment's marker."""


def _name_of(root: Path, place: str) -> str:
    """The last part of the folder, all of it, or that with a number: the first whose workflows are this project's or
    missing. Raises `UsageError` if all belong to others."""
    short, long = (re.sub(r"[^A-Za-z0-9_.]+", "-", each).strip("-")[:_MAX_NAME] for each in (Path(place).name, place))
    numbered = (f"{long[: _MAX_NAME - 2]}-{number}" for number in range(2, 10))
    for name in (short, long, *numbered):
        if all(_is_free(root / WORKFLOWS / _file_name(file, name), place) for file in _NAMES):
            return name
    raise UsageError(
        f"the workflows of {short}, {long} and so on in {WORKFLOWS} belong to other projects",
        f"Delete those that are not used any more, or give {place} another folder name.",
    )


def _file_name(file: str, name: str) -> str:
    """The workflow's file name for the project of this name, "" for the one at the root."""
    return file.replace("phone-plans", f"phone-plans-{name}", 1) if name else file


def _is_free(file: Path, place: str) -> bool:
    """Whether there is no such workflow, or it is of the project in this folder."""
    if not os.path.lexists(file):
        return True
    written = "|".join(re.escape(each) for each in (json.dumps(place), place, f"'{place}'"))
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    return re.search(rf"working-directory: *(?:{written})\s*[,}}\n]", text) is not None


def write_workflows(shell: Shell, target: Target) -> None:
    """Write those that are missing, to the root of the repository."""
    for name in _NAMES:
        file = target.root / WORKFLOWS / _file_name(name, target.name)
        shown = for_terminal(display_name(file, shell.cwd))
        if os.path.lexists(file):
            shell.print(f"kept {shown}: it exists")
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_filled((_STARTER / name).read_text(encoding="utf-8"), target), encoding="utf-8")
        shell.print(f"wrote {shown}")


def _filled(text: str, target: Target) -> str:
    """The workflow with pin, default branch and the project's folder."""
    pin, name = target.pin, target.name
    given = f"\n    with: {{working-directory: {json.dumps(target.place)}, name: {name}}}" if name else ""
    called = f"{pin.commit} # planner {__version__}{given}"
    text = _PLACEHOLDER.sub(lambda found: f"{pin.repository}{found[1]}@{called}", text)
    text = text.replace("branches: [main] # <- your default branch", f"branches: [{json.dumps(target.branch)}]")
    return text.replace("name: Phone plans", f"name: Phone plans of {name}", 1) if name else text


def pin_of(shell: Shell, typed: str | None) -> Pin:
    """As typed, as the wheel was built, as pip recorded it, or the commit of this checkout. Raises `UsageError`."""
    if typed is not None:
        found = _PIN.fullmatch(typed)
        if found is None:
            raise UsageError(f"--pin {typed} is none", "Write OWNER/REPOSITORY@ and the 40 digits of a commit.")
        return Pin(found["repository"], found["commit"])
    for known in (_built_from(), _installed_from(), _checked_out(shell)):
        if known is not None:
            return known
    raise UsageError(
        "planner does not know which commit it was installed from",
        "Name your copy, at a commit you have read: --pin OWNER/REPOSITORY@COMMIT",
    )


def _built_from() -> Pin | None:
    try:
        found = json.loads(_BUILT_FROM.read_bytes())
    except OSError:
        return None
    return Pin(found["repository"], found["commit"])


def _installed_from() -> Pin | None:
    """As pip and uv record it after `pip install git+https://github.com/…` (PEP 610)."""
    try:
        recorded = json.loads(distribution("thunderphone-planner").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return None
    commit: Any = cast("dict[str, Any]", recorded.get("vcs_info") or {}).get("commit_id")
    address = _GITHUB.fullmatch(str(recorded.get("url", "")))
    return Pin(address[1], commit) if address is not None and isinstance(commit, str) else None


def _checked_out(shell: Shell) -> Pin | None:
    here = Path(__file__).parent.parent.parent
    if not (here / ".git").exists():
        return None
    git = Git(here, shell.environ)
    address = _GITHUB.fullmatch(git("remote", "get-url", "origin").out.decode().strip())
    commit = git("rev-parse", "HEAD").out.decode().strip()
    return Pin(address[1], commit) if address is not None and commit else None


def default_branch(git: Git) -> str:
    """As the remote says, otherwise the current branch."""
    for words in (("symbolic-ref", "--short", "refs/remotes/origin/HEAD"), ("symbolic-ref", "--short", "HEAD")):
        found = git(*words)
        if found.code == 0:
            return found.out.decode().strip().removeprefix("origin/")
    return "main"


def turn_store_on(shell: Shell, file: Path) -> None:
    """Without a shared store, no job sees what another one did."""
    text = file.read_text(encoding="utf-8")
    if re.search(r"^store\s*:", text, re.MULTILINE):
        return
    if f"\n# {_STORE}" in text:
        text = text.replace(" (`planner init --github` turns this on)", "").replace(f"\n# {_STORE}", f"\n{_STORE}")
        file.write_text(text, encoding="utf-8")
        return
    separator = "" if text.endswith("\n") or not text else "\n"
    file.write_text(f"{text}{separator}{_STORE} # where jobs share results; or a bucket: docs/stores.md\n", "utf-8")
    shell.print(f"added the store to {for_terminal(display_name(file, shell.cwd))}")


# The repository's settings


def steps(environ: Mapping[str, str], branch: str) -> list[Step]:
    """What `gh` can do before the workflows are merged. Keys are those of the environment."""
    environment = f"repos/{{owner}}/{{repo}}/environments/{_ENVIRONMENT}"
    only = ("-F", "deployment_branch_policy[protected_branches]=false")
    custom = ("-F", "deployment_branch_policy[custom_branch_policies]=true")
    found = [
        Step("environment for the key", ("gh", "api", "-X", "PUT", environment, *only, *custom)),
        Step(
            f"only {branch} may use it",
            ("gh", "api", "-X", "POST", f"{environment}/deployment-branch-policies", "-f", f"name={branch}"),
        ),
    ]
    for key in _KEYS:
        if environ.get(key) or key == _KEYS[0]:
            stdin = key if environ.get(key) else ""
            found.append(Step(f"secret {key}", ("gh", "secret", "set", key, "--env", _ENVIRONMENT), stdin))
    return found


def later_steps(name: str) -> tuple[str, str]:
    """Commands for after the merge: record prices, and require the status, which then exists."""
    context = f"phone-plans/{name}" if name else "phone-plans"
    rule = {
        "name": context,
        "target": "branch",
        "enforcement": "active",
        "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}},
        "rules": [
            {
                "type": "required_status_checks",
                "parameters": {
                    "strict_required_status_checks_policy": False,
                    "required_status_checks": [{"context": context}],
                },
            }
        ],
    }
    return (
        f"gh workflow run phone-plans-{f'{name}-' if name else ''}main.yml",
        f"gh api -X POST 'repos/{{owner}}/{{repo}}/rulesets' --input - <<< {shlex.quote(json.dumps(rule))}",
    )


def run_steps(shell: Shell, root: Path, wanted: Sequence[Step], confirm: Callable[[str], bool] | None) -> int:
    """Run the commands if `gh` is installed and the person agrees, otherwise print them. Returns 4 if one failed."""
    program = shutil.which("gh", path=shell.environ.get("PATH", ""))
    runnable = [step for step in wanted if step.stdin or "secret" not in step.words]
    for step in wanted:
        shell.print(f"  # {step.what}\n  {shlex.join(step.words)}")
    if program is None or confirm is None or not confirm("Run these commands now?"):
        return 0
    failed = [step for step in runnable if not _ran(shell, program, root, step)]
    if failed:
        shell.log(
            f"{len(failed)} of {len(runnable)} commands failed. Private repositories without a paid plan have no"
            f" environments: store the key with `gh secret set {_KEYS[0]}` instead; everybody who can push can use it."
        )
    return 4 if failed else 0


def _ran(shell: Shell, program: str, root: Path, step: Step) -> bool:
    environ = {name: value for name, value in shell.environ.items() if name not in _KEYS}
    ran = subprocess.run(  # noqa: S603 - the words are ours
        [program, *step.words[1:]],
        cwd=root,
        env=environ,
        input=shell.environ.get(step.stdin, "") if step.stdin else "",
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode == 0:
        shell.print(f"done: {step.what}")
        return True
    shell.log(f"failed: {step.what}: {for_terminal(ran.stderr.strip())}")
    return False
