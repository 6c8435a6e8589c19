"""Puts the recording of a call into a file of this machine, where only its user can hear it.

Recordings have voices, and everything that is masked elsewhere. So they are never in a store, in a job of CI, whose
files are shared, or where a commit can take them.
"""

from __future__ import annotations

from pathlib import Path

import anyio

from planner.ci.git import Git
from planner.errors import NotFoundError, StoreError, UsageError
from planner.providers.base import CallId
from planner.shell import Shell
from planner.workspace.project_names import repository_of
from planner.workspace.selection import Selection
from planner.workspace.service import open_client
from planner.workspace.stores import OpenedStore


def save_recording(shell: Shell, place: OpenedStore, selection: Selection, call_id: int, file: Path) -> None:
    """Raises `UsageError` for a file that exists or that others would get, `NotFoundError` if the service has no
    recording, `StoreError` if the file cannot be written, and the errors of requests."""
    path = shell.cwd / file
    if shell.environ.get("CI", "").lower() in ("1", "true"):
        raise UsageError("--audio is refused in CI, where files are shared", "Run it on your own machine.")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", "Name a file in a folder that exists, such as reports/.")
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError as error:
        raise UsageError(f"{file} exists", "Delete it, or name another file.") from error
    except OSError as error:
        raise _unwritable(file, error) from error
    try:
        _check_ignored(shell, file)
        path.write_bytes(anyio.run(_recording, shell, place, selection, call_id))
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _unwritable(file, error) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _unwritable(file: Path, error: OSError) -> StoreError:
    return StoreError(f"{file} cannot be written: {error.strerror}", "Fix the disk or name another file.")


def _check_ignored(shell: Shell, file: Path) -> None:
    """Raises `UsageError` if a commit could take this file, which exists."""
    path = (shell.cwd / file).resolve()
    repository = repository_of(path.parent)
    if repository is None:
        return
    listed = Git(repository, shell.environ)("ls-files", "--others", "--exclude-standard", "--", str(path))
    if listed.out.strip() or listed.code != 0:
        raise UsageError(
            f"git does not ignore {file}, so the recording could be committed",
            "Name a file in reports/, which git ignores, or outside of the repository.",
        )


async def _recording(shell: Shell, place: OpenedStore, selection: Selection, call_id: int) -> bytes:
    async with open_client(shell, place, selection) as client:
        try:
            return await client.recording(CallId(call_id))
        except NotFoundError as error:
            raise NotFoundError(
                f"call {call_id} has no recording: {error}", error.hint or "It may have been deleted, or not recorded."
            ) from error
