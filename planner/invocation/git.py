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


def shared_remote(git: Git, named: str | None) -> str | None:
    """Where results are shared: the remote that was named (`none`: nowhere), `origin`, or the only one; None where there is none.

    Raises `UsageError` where that cannot be told.
    """
    listed = git("remote")
    if listed.code != 0:
        raise _without_repository(git, listed, "Run it inside of one, or choose another --store.")
    remotes = listed.out.decode("utf-8", "replace").split()
    if named == "none":
        return None
    if named is not None and named not in remotes:
        raise UsageError(f"this repository has no remote {named!r}", f"It has: {', '.join(remotes) or 'none'}.")
    if named is not None or "origin" in remotes or not remotes:
        return named or ("origin" if remotes else None)
    if len(remotes) > 1:
        raise UsageError(
            f"this repository has the remotes {', '.join(remotes)}, and it is not said which shares the results",
            f"Write it after the ref: git:refs/planner/results?remote={remotes[0]}.",
        )
    return remotes[0]


def _without_repository(git: Git, answer: Answer, mend: str) -> UsageError:
    """Why git finds no repository. In a container a checkout often belongs to another user, which git refuses to read."""
    if "dubious ownership" not in answer.said:
        return UsageError(f"{git.folder} is in no git repository", mend)
    trusted = next((line for line in map(str.strip, answer.said.splitlines()) if line.startswith("git config")), "")
    return UsageError(
        f"git does not read the repository of {git.folder}: it belongs to another user",
        f"If you trust it, say so: {trusted or 'git config --global --add safe.directory FOLDER'}",
    )


def file_at(git: Git, ref: str, name: str) -> bytes | None:
    """A file of the folder as a commit has it; None where the commit does not have it.

    Raises `UsageError` where there is no repository, or no such commit.
    """
    found = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if found.code != 0:
        if (asked := git("rev-parse", "--git-dir")).code != 0:
            raise _without_repository(git, asked, "Run it inside of one.")
        raise UsageError(
            f"this repository has no commit {ref!r}",
            "In CI, fetch it first: git fetch --depth=1 origin BRANCH, then name FETCH_HEAD.",
        )
    commit = found.out.decode().strip()
    content = git("cat-file", "blob", f"{commit}:./{name}")
    return content.out if content.code == 0 else None
