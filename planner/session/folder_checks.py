"""Refuses report and store folders that came with the checkout.

A pull request could commit a `.planner/` with chosen results, or a link in its place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from planner.errors import UsageError
from planner.session.shell import Shell

STORE_NAMES: Final = (
    *("branches", "change-sets", "evidence", "intents", "latest", "originals", "runs", "saved", "sandbox", "shared"),
    *("unshared", "votes", "world", "journal.sqlite", "votes.sqlite"),
)
_MANY_FILES: Final = frozenset({"evidence", "originals", "runs", "votes"})
"""Folders with very many files; the store itself refuses links in them."""


def check_folder(shell: Shell, folder: Path, option: str, names: Sequence[str]) -> None:
    """Check a folder. `option` chooses another one. `names` are planner's files in it, which are all that matters if it
    is the whole repository.

    Raises `UsageError` if git tracks the folder, or it or something in it links outside the repository.
    """
    if not os.path.lexists(folder):
        return
    repository = _repository(folder)
    if repository is None:
        return
    shown = os.path.relpath(folder, shell.cwd)
    whole = repository.is_relative_to(folder)
    for path in (folder, *_links(folder)) if not whole else (folder / name for name in names):
        if path.is_symlink() and not path.resolve().is_relative_to(repository):
            raise UsageError(
                f"{os.path.relpath(path, shell.cwd)} is a link to {path.resolve()}, outside the repository",
                f"Remove the link. To keep files elsewhere, use {option}.",
            )
    places = [folder / name for name in names] if whole else [folder, folder.resolve()]
    if tracked := _tracked(shell, repository, places):
        raise UsageError(
            f"git tracks {tracked}, so a commit can change {shown}, and planner does not trust it",
            f"Remove it from git (git rm -r --cached {tracked.partition('/')[0] if whole else shown}) and add it to .gitignore, or"
            f" choose another folder with {option}.",
        )


def _repository(folder: Path) -> Path | None:
    """The work tree that contains the folder, found by `.git`, which no commit can contain; None if there is none."""
    at = folder.parent.resolve() / folder.name
    return next((parent for parent in (at, *at.parents) if os.path.lexists(parent / ".git")), None)


def _links(folder: Path) -> Iterator[Path]:
    """All links in the folder, except in folders with very many files."""
    for at, folders, files in os.walk(folder):
        yield from (path for name in (*folders, *files) if (path := Path(at, name)).is_symlink())
        folders[:] = [name for name in folders if name not in _MANY_FILES]


def _tracked(shell: Shell, repository: Path, places: Sequence[Path]) -> str:
    """The first file in these places that git tracks, or "". Names are compared case-insensitively, as some file
    systems do."""
    wanted: dict[str, None] = {}
    for place in places:
        wanted[os.fspath(place)] = None
        if place.parent.is_dir():
            same = (entry for entry in place.parent.iterdir() if entry.name.casefold() == place.name.casefold())
            wanted.update(dict.fromkeys(os.fspath(entry) for entry in same))
    inside = [path for path in wanted if Path(path).parent.resolve().is_relative_to(repository)]
    if not inside:
        return ""
    from planner.session.git import Git

    listed = Git(repository, shell.environ)("ls-files", "-z", "--", *inside)
    if listed.code != 0:
        if "not a git repository" in listed.said:  # an invalid `.git`, which tracks nothing
            return ""
        raise UsageError(
            f"git cannot list the tracked files in {inside[0]}: {(listed.said or 'git gave no reason').splitlines()[-1]}",
            "Check the repository, then run the same command again.",
        )
    return listed.out.partition(b"\0")[0].decode("utf-8", "replace")
