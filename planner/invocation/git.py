"""Runs git; no other module does. A repository may come from a stranger, so git starts no program that a repository names.

Git itself finds the repository, from the folder upwards. A folder that only looks like a bare repository is never one: anybody
can commit such a folder. `GIT_DIR` and `GIT_WORK_TREE` of the caller are honoured, since they come from outside the tree.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from planner.errors import StoreError, UsageError

TIMEOUT_SECONDS = 120.0

_ONLINE: Final = frozenset({"fetch", "push"})
"""The commands that reach a remote."""
_PROTOCOLS: Final = "file:git:http:https:ssh"
"""No `ext::` and no remote helpers: those are programs."""
_SAFE: Final = (
    *("--no-pager", "--no-optional-locks", "--no-replace-objects", "--literal-pathspecs"),
    *("-c", "safe.bareRepository=explicit", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"),
    *("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "fetch.writeCommitGraph=false"),
    *("-c", "core.fsync=all", "-c", "core.quotePath=false", "-c", "advice.fetchShowForcedUpdates=false"),
)
_SET: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",  # an object that a partial clone lacks is fetched by nobody
    "LC_ALL": "C",
}
_PASSED: Final = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TMP", "TEMP", "LD_LIBRARY_PATH", "XDG_CONFIG_HOME", "SUDO_UID"),
    *("SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA"),
    *("LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES"),
    # Where the user's own configuration is (`safe.directory`, credential helpers), and how far up a repository may be.
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT"),
    *("GIT_CONFIG_KEY_*", "GIT_CONFIG_VALUE_*", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM"),
    "GIT_TEST_ASSUME_DIFFERENT_OWNER",
)
"""All of the caller's environment that git gets. It holds no key; a `*` stands for any ending."""
_PASSED_ONLINE: Final = (
    *("GIT_SSH", "GIT_SSH_*", "GIT_ASKPASS", "GIT_SSL_*", "GIT_PROXY_SSL_*", "GIT_HTTP_*", "SSH_*", "DISPLAY"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"),
    *("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "GCM_*", "GH_*", "GITHUB_TOKEN", "CI_JOB_TOKEN"),
)
"""What logging in at a remote may also need: agents, proxies, and the tokens that credential helpers read."""
_WORKSPACES: Final = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR", "BUILDKITE_BUILD_CHECKOUT_PATH")
"""The checkout of a CI job: no repository above it is the job's."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command left: its exit code, standard output, and standard error."""

    code: int
    out: bytes
    said: str

    @property
    def path(self) -> Path:
        """The one path that was printed."""
        return Path(os.fsdecode(self.out.removesuffix(b"\n").removesuffix(b"\r")))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a repository is. `work_tree` is None for a bare one."""

    git_dir: Path
    work_tree: Path | None


@dataclass(slots=True)
class Git:
    """Runs git in the repository that `folder` is in."""

    folder: Path
    environ: Mapping[str, str]
    _layout: Layout | None = field(default=None, init=False)

    def __call__(self, *arguments: str, stdin: bytes = b"", extra: Mapping[str, str] | None = None) -> Answer:
        """The answer to a command; where there is no repository, what git says of that.

        Raises `UsageError` where there is no git, `StoreError` where it does not answer.
        """
        found = self.layout()
        if isinstance(found, Answer):
            return found
        return self._run([*_where(found.git_dir, found.work_tree), *arguments], arguments[0], stdin, extra)

    def layout(self) -> Layout | Answer:
        """The repository, or what git says where there is none that may be used. Raises as a command does."""
        if self._layout is None:
            found = self._find()
            if isinstance(found, Answer):
                return found
            self._layout = found
        return self._layout

    def _find(self) -> Layout | Answer:
        named, tree = self.environ.get("GIT_DIR"), self.environ.get("GIT_WORK_TREE")
        where = _where(self.folder / named, self.folder / tree if tree else None) if named else ()
        asked = self._run([*where, "rev-parse", "--absolute-git-dir"], "rev-parse")
        if asked.code != 0:
            return asked
        top = self._run([*where, "rev-parse", "--show-toplevel"], "rev-parse")
        if named:
            return Layout(asked.path, top.path if top.code == 0 else None)
        if top.code != 0 or not _leads_to(top.path, asked.path):  # an old git takes any folder that looks like one
            return Answer(128, b"", f"fatal: cannot use bare repository {asked.path}")
        return Layout(asked.path, top.path)

    def _run(
        self, arguments: Sequence[str], command: str, stdin: bytes = b"", extra: Mapping[str, str] | None = None
    ) -> Answer:
        import subprocess

        try:
            ran = subprocess.run(  # noqa: S603 - the arguments are ours, and refs are verified
                [_program(self.environ), *_SAFE, *arguments],
                input=stdin,
                capture_output=True,
                cwd=self.folder,
                env={**_environment(self.environ, self.folder, online=command in _ONLINE), **(extra or {})},
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise StoreError(
                f"git did not answer for {TIMEOUT_SECONDS:g} s",
                "Look at the repository and its remote, then run the same command again.",
            ) from error
        return Answer(ran.returncode, ran.stdout, ran.stderr.decode("utf-8", "replace").strip())


def _program(environ: Mapping[str, str]) -> str:
    """The git of the caller's `PATH`. A relative folder there would be one of the tree under test, and is left out."""
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    found = (shutil.which(str(Path(folder, "git"))) for folder in folders if Path(folder).is_absolute())
    program = next(filter(None, found), None)
    if program is None:
        raise UsageError("git is needed for this, and is not installed", "Install git.")
    return program


def _where(git_dir: Path, work_tree: Path | None) -> tuple[str, ...]:
    return (f"--git-dir={git_dir}", *([f"--work-tree={work_tree}"] if work_tree is not None else []))


def _leads_to(work_tree: Path, git_dir: Path) -> bool:
    """Whether the work tree's own `.git`, a folder or a file with a path, is this one. No commit can hold a `.git`."""
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
    """Where results are shared: the remote that was named (`none`: nowhere), `origin`, or the only one; None where there is none.

    Raises `UsageError` where that is not clear.
    """
    listed = git("remote")
    if listed.code != 0:
        raise without_repository(git, listed, "Run it inside of one, or choose another --store.")
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


def without_repository(git: Git, answer: Answer, hint: str) -> UsageError:
    """Why git finds no repository. In a container a checkout often belongs to another user, which git refuses to read."""
    if "cannot use bare repository" in answer.said:
        return UsageError(
            f"{git.folder} looks like a bare git repository, and is not used as one: a commit can hold such a folder",
            "Remove HEAD, objects/ and refs/ there. To use a bare repository, name it: GIT_DIR=REPOSITORY.",
        )
    if "dubious ownership" not in answer.said:
        return UsageError(f"{git.folder} is in no git repository", hint)
    trusted = next((line for line in map(str.strip, answer.said.splitlines()) if line.startswith("git config")), "")
    return UsageError(
        f"git does not read the repository of {git.folder}: it belongs to another user",
        f"If you trust it, say so: {trusted or 'git config --global --add safe.directory FOLDER'}",
    )
