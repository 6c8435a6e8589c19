"""The only module that runs git, hardened against hostile repositories: git starts no program that a repository names.

Git finds the repository, from the folder upwards. A folder that looks like a bare repository is never used, since
a commit can contain one. `GIT_DIR` and `GIT_WORK_TREE`, which git sets for its hooks, are ignored.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from planner.errors import StoreError, UsageError
from planner.stores.git_objects import GitAnswer
from planner.values import frozen

TIMEOUT_SECONDS = 120.0

_ONLINE: Final = frozenset({"fetch", "push"})
"""Commands that contact a remote."""
_PROTOCOLS: Final = "file:git:http:https:ssh"
"""No `ext::` and no remote helpers, which are programs."""
_SAFE: Final = (
    *("--no-pager", "--no-optional-locks", "--no-replace-objects", "--literal-pathspecs"),
    *("-c", "safe.bareRepository=explicit", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"),
    *("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "fetch.writeCommitGraph=false"),
    *("-c", "core.fsync=all", "-c", "core.quotePath=false", "-c", "advice.fetchShowForcedUpdates=false"),
)
_SET: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",  # do not fetch missing objects of a partial clone
    "LC_ALL": "C",
}
_PASSED: Final = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TMP", "TEMP", "LD_LIBRARY_PATH", "XDG_CONFIG_HOME", "SUDO_UID"),
    *("SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA"),
    *("LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES"),
    # Locations of the user's own configuration (`safe.directory`, credential helpers), and how far up a repository may
    # be.
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT"),
    *("GIT_CONFIG_KEY_*", "GIT_CONFIG_VALUE_*", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM"),
    "GIT_TEST_ASSUME_DIFFERENT_OWNER",
)
"""The caller's variables that git receives; none holds an API key. `*` matches any ending."""
_PASSED_ONLINE: Final = (
    *("GIT_SSH", "GIT_SSH_*", "GIT_ASKPASS", "GIT_SSL_*", "GIT_PROXY_SSL_*", "GIT_HTTP_*", "SSH_*", "DISPLAY"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"),
    *("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "GCM_*", "GH_*", "GITHUB_TOKEN", "CI_JOB_TOKEN"),
)
"""Additional variables for remotes: agents, proxies, and tokens for credential helpers."""
_SERVER: Final = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?")
_WORKSPACES: Final = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR", "BUILDKITE_BUILD_CHECKOUT_PATH")
"""The checkout of a CI job; repositories above it are not the job's."""


def repository_of(folder: Path) -> Path | None:
    """The work tree that contains the folder, found by `.git`, which no commit can contain; None if there is none."""
    at = folder.parent.resolve() / folder.name
    return next((parent for parent in (at, *at.parents) if os.path.lexists(parent / ".git")), None)


@frozen
class Layout:
    """The location of a repository."""

    git_dir: Path
    work_tree: Path


@dataclass(slots=True)
class Git:
    folder: Path
    environ: Mapping[str, str]
    _layout: Layout | GitAnswer | None = field(default=None, init=False)
    _remotes: GitAnswer | None = field(default=None, init=False)

    def __call__(
        self,
        *arguments: str,
        stdin: bytes = b"",
        config: Mapping[str, str] = MappingProxyType({}),
    ) -> GitAnswer:
        """Run a command; without a repository, return git's error. `config` are settings of this command only.

        Raises `UsageError` if git is not installed, `StoreError` if it does not answer.
        """
        found = self.layout()
        if isinstance(found, GitAnswer):
            return found
        settings = (word for name, value in config.items() for word in ("-c", f"{name}={value}"))
        return self._run([*settings, *_at(found), *arguments], arguments[0], stdin)

    def open(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command that answers on its standard output what is asked on its standard input. Raises like a
        command, and `UsageError` without a repository."""
        found = self.layout()
        if isinstance(found, GitAnswer):
            raise without_repository(self, found, "Run the command inside a repository, or choose another --store.")
        return subprocess.Popen(  # noqa: S603 - the arguments are ours
            [_program(self.environ), *_SAFE, *_at(found), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=_environment(self.environ, self.folder, online=False),
        )

    def layout(self) -> Layout | GitAnswer:
        """The repository, or git's error if there is no usable one. Raises like a command."""
        if not isinstance(self._layout, Layout):
            self._layout = self._find()
        return self._layout

    def remotes(self) -> GitAnswer:
        """Their names, as `git remote` lists them."""
        if self._remotes is None:
            self._remotes = self("remote")
        return self._remotes

    def _find(self) -> Layout | GitAnswer:
        asked = self._run(["rev-parse", "--absolute-git-dir", "--show-toplevel"], "rev-parse")
        paths = [Path(os.fsdecode(line.removesuffix(b"\r"))) for line in asked.out.splitlines()]
        if not paths:
            return asked
        # Old versions of git accept any folder that looks like a repository.
        if asked.code != 0 or len(paths) < 2 or not _leads_to(paths[1], paths[0]):
            return GitAnswer(128, b"", f"fatal: cannot use bare repository {paths[0]}")
        return Layout(paths[0], paths[1])

    def _run(self, arguments: Sequence[str], command: str, stdin: bytes = b"") -> GitAnswer:
        try:
            ran = subprocess.run(  # noqa: S603 - the arguments are ours, and refs are verified
                [_program(self.environ), *_SAFE, *_credentials(self.environ, command), *arguments],
                input=stdin,
                capture_output=True,
                cwd=self.folder,
                env=_environment(self.environ, self.folder, online=command in _ONLINE),
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise StoreError(
                f"git timed out after {TIMEOUT_SECONDS:g} s",
                "Check the repository and its remote, then run the same command again.",
            ) from error
        return GitAnswer(ran.returncode, ran.stdout, ran.stderr.decode("utf-8", "replace").strip())


def _at(layout: Layout) -> tuple[str, str]:
    return f"--git-dir={layout.git_dir}", f"--work-tree={layout.work_tree}"


def _credentials(environ: Mapping[str, str], command: str) -> tuple[str, ...]:
    """Lets a remote of this job's GitHub server accept the job's token, so that no checkout has to keep it on disk."""
    server = environ.get("GITHUB_SERVER_URL", "")
    job = environ.get("GITHUB_ACTIONS") == "true" and environ.get("GITHUB_TOKEN")
    if command not in _ONLINE or not job or not _SERVER.fullmatch(server):
        return ()
    answer = '!f() { echo username=x-access-token; echo "password=$GITHUB_TOKEN"; }; f'
    return ("-c", f"credential.{server}.helper={answer}")


def _program(environ: Mapping[str, str]) -> str:
    """The git on the caller's `PATH`. Relative folders are skipped: they could be in the tree under test."""
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    found = (shutil.which(str(Path(folder, "git"))) for folder in folders if Path(folder).is_absolute())
    program = next(filter(None, found), None)
    if program is None:
        raise UsageError("git is not installed", "Install git, in a folder that PATH names by an absolute path.")
    return program


def _leads_to(work_tree: Path, git_dir: Path) -> bool:
    """Whether the work tree's `.git` (a folder, or a file with a path) is this one. No commit can contain a `.git`."""
    entry = work_tree / ".git"
    try:
        if entry.is_dir():
            named = entry
        else:
            named = work_tree / entry.read_text(errors="surrogateescape").removeprefix("gitdir:").strip()
        return named.samefile(git_dir)
    except (OSError, ValueError):
        return False


def _environment(environ: Mapping[str, str], folder: Path, *, online: bool) -> dict[str, str]:
    wanted = _PASSED + _PASSED_ONLINE if online else _PASSED
    exact = {name for name in wanted if not name.endswith("*")}
    starts = tuple(name[:-1] for name in wanted if name.endswith("*"))
    passed = {
        name: value for name, value in environ.items() if name.upper() in exact or name.upper().startswith(starts)
    }
    above = [Path(environ[name]).parent for name in _WORKSPACES if environ.get(name)]
    ceilings = [str(path) for path in above if folder.is_relative_to(path)]
    if ceilings:
        named = passed.get("GIT_CEILING_DIRECTORIES")
        passed["GIT_CEILING_DIRECTORIES"] = os.pathsep.join([*ceilings, *([named] if named else [])])
    return {**passed, **_SET, "GIT_ALLOW_PROTOCOL": _PROTOCOLS if online else "none"}


def shared_remote(git: Git, named: str | None) -> str | None:
    """The remote that shares results: the named one (`none`: no remote), `origin`, or the only one; None if there is
    none.

    Raises `UsageError` if the choice is ambiguous.
    """
    listed = git.remotes()
    if listed.code != 0:
        raise without_repository(git, listed, "Run the command inside a repository, or choose another --store.")
    remotes = listed.out.decode("utf-8", "replace").split()
    if named == "none":
        return None
    if named is not None and named not in remotes:
        raise UsageError(f"this repository has no remote {named!r}", f"Its remotes: {', '.join(remotes) or 'none'}.")
    if named is not None or "origin" in remotes or not remotes:
        return named or ("origin" if remotes else None)
    if len(remotes) > 1:
        raise UsageError(
            f"this repository has several remotes: {', '.join(remotes)}",
            f"Choose one after the ref: git:refs/planner/results?remote={remotes[0]}.",
        )
    return remotes[0]


def without_repository(git: Git, answer: GitAnswer, hint: str) -> UsageError:
    """Why there is no repository. In containers, git often refuses a checkout that belongs to another user."""
    said = " ".join(answer.said.split())
    if "not a git repository" in said:
        return UsageError(f"{git.folder} is not in a git repository", hint)
    return UsageError(f"git refuses the repository of {git.folder}: {said}", f"If git names a fix, apply it. {hint}")
