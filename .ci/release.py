"""Prepares a release, and builds it so that `planner init --github` pins its workflows to the released commit.

Usage: python .ci/release.py prepare VERSION DATE         writes the version and dates the changelog, for you to review
       python .ci/release.py build OWNER/REPOSITORY DIR   builds HEAD into DIR, and tries wheel and sdist elsewhere

It tags and uploads nothing: the last lines it prints say what is left.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
VERSION = re.compile(r"\d+\.\d+\.\d+")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
WORKFLOWS = ("plan", "call", "main")


def prepare(root: Path, version: str, date: str) -> None:
    """Write the version and move what is unreleased under it."""
    if not VERSION.fullmatch(version) or not DATE.fullmatch(date):
        raise SystemExit("usage: prepare 0.2.0 2026-12-01")
    _replace(root / "pyproject.toml", r'(?m)^version = ".*"$', f'version = "{version}"')
    _replace(root / "planner/__init__.py", r'__version__ = ".*"', f'__version__ = "{version}"')
    _replace(root / "docs/editing.md", r"rev: v\d+\.\d+\.\d+", f"rev: v{version}")
    changelog = f"## [Unreleased]\n\n## [{version}] - {date}"
    _replace(root / "CHANGELOG.md", r"(?m)^## \[?Unreleased\]?$", changelog)


def _replace(file: Path, pattern: str, new: str) -> None:
    text, found = re.subn(pattern, lambda _: new, file.read_text(encoding="utf-8"))
    if found != 1:
        raise SystemExit(f"{file}: {pattern} is there {found} times, not once")
    file.write_text(text, encoding="utf-8")


def build(repository: str, target: Path) -> None:
    """Build the commit of HEAD, not the work tree, then try both files in environments and folders of their own."""
    commit = _output("git", "rev-parse", "HEAD")
    if _output("git", "status", "--porcelain", "--untracked-files=no"):
        raise SystemExit("commit or stash your changes first: what is built is HEAD")
    target = target.resolve()
    with TemporaryDirectory() as name:
        scratch = Path(name).resolve()
        source = scratch / "source"
        archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(source, filter="data")
        built_from = {"repository": repository, "commit": commit}
        (source / "planner/built_from.json").write_text(json.dumps(built_from) + "\n", encoding="utf-8")
        _run("uv", "build", "--quiet", "--out-dir", str(target), cwd=source)
        for file in sorted(target.glob("*.whl")) + sorted(target.glob("*.tar.gz")):
            _try(file, f"{repository}/.github/workflows/{{}}.yml@{commit}", scratch / file.name.replace(".", "-"))
            print(f"tried {file.name}")
    version = re.search(r'__version__ = "(.*)"', (ROOT / "planner/__init__.py").read_text(encoding="utf-8"))
    assert version is not None
    print(f"Then: git tag -s v{version[1]} {commit} && git push origin v{version[1]} && uv publish {target}/*")


def _try(file: Path, pin: str, folder: Path) -> None:
    """A first session of a user who has only this file."""
    project = folder / "project"
    project.mkdir(parents=True)
    _run("uv", "venv", "--quiet", str(folder / "user"), cwd=folder)
    _run("uv", "pip", "install", "--quiet", "--python", str(folder / "user"), str(file), cwd=folder)
    _run("git", "init", "--quiet", "--initial-branch=main", cwd=project)
    _run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(folder / "remote.git"), cwd=folder)
    _run("git", "remote", "add", "origin", f"file://{folder / 'remote.git'}", cwd=project)
    planner = str(folder / "user/bin/planner")
    for words in (["--version"], ["init", "--github"], ["validate"], ["run", "--sandbox", "--consent-to-charge"]):
        _run(planner, *words, cwd=project)
    for name in WORKFLOWS:
        written = "".join(each.read_text() for each in (project / ".github/workflows").iterdir())
        if pin.format(name) not in written:
            raise SystemExit(f"{file.name}: the workflows are not pinned to {pin.format(name)}")


def _run(*words: str, cwd: Path) -> None:
    hidden = ("THUNDERPHONE", "GITHUB_", "PYTHONPATH", "VIRTUAL_ENV")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    subprocess.run(words, cwd=cwd, check=True, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _output(*words: str) -> str:
    return subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def main(arguments: list[str]) -> None:
    match arguments:
        case ["prepare", version, date]:
            prepare(ROOT, version, date)
        case ["build", repository, target]:
            build(repository, Path(target))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
