"""Digests of stored documents that this machine wrote, or verified against their evidence.

They are stored outside the repository, so that the tree under test cannot add one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from planner.session.shell import Shell


@dataclass(slots=True)
class VerifiedDocuments:
    """With `path` None, nothing is stored. If the file cannot be read or written, documents are verified again, which
    is slower."""

    path: Path | None
    _known: set[str] | None = field(default=None, init=False)

    def contains(self, data: bytes) -> bool:
        if self._known is None:
            self._known = set()
            with suppress(OSError):
                if self.path is not None:
                    self._known.update(self.path.read_text(encoding="ascii", errors="replace").splitlines())
        return sha256(data).hexdigest() in self._known

    def add(self, documents: Iterable[bytes]) -> None:
        """Append in one write, so that lines of several processes do not mix."""
        new = {sha256(data).hexdigest() for data in documents if not self.contains(data)}
        self._known = (self._known or set()) | new
        if self.path is None or not new:
            return
        with suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(file, "".join(f"{digest}\n" for digest in sorted(new)).encode())
            finally:
                os.close(file)


def verified_documents(shell: Shell, root: Path) -> VerifiedDocuments:
    """The digests in the user's cache folder. A cache folder inside the repository is not used, since it may come with
    the tree under test."""
    environ = shell.environ
    named = environ.get("XDG_CACHE_HOME") or environ.get("LOCALAPPDATA") or ""
    folder = Path(named) if named else Path(environ.get("HOME", "")) / ".cache"
    top = next((parent for parent in (root, *root.parents) if os.path.lexists(parent / ".git")), root).resolve()
    if not folder.is_absolute() or folder.resolve().is_relative_to(top):
        return VerifiedDocuments(None)
    return VerifiedDocuments(folder / "planner" / "verified")
