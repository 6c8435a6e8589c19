"""Git, asked by its plumbing: never a work tree touched, never a question put to a person."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from planner.errors import StoreError, UsageError

TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command left: its exit code, standard output, and what it said of it."""

    code: int
    out: bytes
    said: str


@dataclass(frozen=True, slots=True)
class Git:
    """Runs git in one folder."""

    folder: Path
    environ: Mapping[str, str]

    def __call__(self, *arguments: str, stdin: bytes = b"", extra: Mapping[str, str] | None = None) -> Answer:
        """Raises `UsageError` where there is no git, `StoreError` where it does not answer."""
        environment = {**self.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **(extra or {})}
        try:
            ran = subprocess.run(  # noqa: S603 - the arguments are ours, and refs are verified
                ["git", "-C", str(self.folder), *arguments],  # noqa: S607 - whichever git the user has
                input=stdin,
                capture_output=True,
                env=environment,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except FileNotFoundError as error:
            raise UsageError("git is needed for this, and is not installed", "Install git.") from error
        except subprocess.TimeoutExpired as error:
            raise StoreError(
                f"git did not answer for {TIMEOUT_SECONDS:g} s",
                "Look at the repository and its remote, then run the same command again.",
            ) from error
        return Answer(ran.returncode, ran.stdout, ran.stderr.decode("utf-8", "replace").strip())


def file_at(git: Git, ref: str, name: str) -> bytes | None:
    """A file of the folder as a commit has it; None where the commit does not have it.

    Raises `UsageError` where there is no repository, or no such commit.
    """
    found = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if found.code != 0:
        if git("rev-parse", "--git-dir").code != 0:
            raise UsageError(f"{git.folder} is in no git repository", "Run it inside of one.")
        raise UsageError(
            f"this repository has no commit {ref!r}",
            "In CI, fetch it first: git fetch --depth=1 origin BRANCH, then name FETCH_HEAD.",
        )
    commit = found.out.decode().strip()
    content = git("cat-file", "blob", f"{commit}:./{name}")
    return content.out if content.code == 0 else None
