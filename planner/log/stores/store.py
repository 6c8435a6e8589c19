"""The interface of every store of a log: read the new lines, append if nobody else did, and documents beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from planner.errors import StoreError
from planner.stores.store import segment_for

START: Final = ""
"""The position before the first line."""
MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""A consent to 50,000 calls has about this size."""
MAX_EVIDENCE_BYTES: Final = 64 * 1024 * 1024

_PULL_REQUEST: Final = re.compile(r"[1-9][0-9]{0,17}")


class LogWentBackError(StoreError):
    """The log no longer has lines that this machine has read: an older copy was put back, or it was deleted."""

    code = "log_went_back"

    def __init__(self, where: str) -> None:
        super().__init__(
            f"{where} lost facts that this machine has",
            "Append them again",
            command="planner reconcile",
        )


class Store(Protocol):
    """One log and the documents beside it.

    A position is an opaque string that says how far a reader has read; it may be kept and used by later processes.
    Methods raise `StoreError` if the store cannot be used now, `UsageError` if its setup is wrong, and
    `LogWentBackError` if lines were lost. After an error of `append` the lines may be in the log or not: call it again
    with the same arguments, or read. A store may be used by several threads.
    """

    def read(self, after: str = START) -> tuple[list[str], str]:
        """The lines after a position, in the order in which they were appended, and the position after them.

        The fold of lines must not depend on repetition: lines that a checkpoint holds open are read again after it.
        What is not UTF-8 is replaced by U+FFFD, and a line longer than `MAX_LINE_BYTES` is cut.
        """
        ...

    def append(self, lines: Sequence[str], at: str) -> str | None:
        """Append all lines, or none. Returns the position after them, or None if anybody appended since `at`: read,
        and decide again.

        A line has no newline and at most `MAX_LINE_BYTES` bytes as UTF-8 (`ValueError`).
        """
        ...

    def checkpoint(self, at: str, open_lines: Sequence[str] = ()) -> str | None:
        """Replace all entries up to `at` by one segment that holds their lines, so that the log is cheap to read for
        the first time. An append like any other: None if anybody appended since `at`.

        `open_lines` (open launches, consents) are lines of the checkpoint itself, too. A machine that knows the older
        entries goes on where it was. If the process dies, nothing is lost; a later checkpoint removes what is left.
        """
        ...

    def remove(self, at: str) -> bool:
        """Delete the log and its documents. False if anybody appended since `at`: then nothing is deleted. Whoever
        has read it gets a `LogWentBackError`. If the process dies, call it again."""
        ...

    def put(self, document: bytes) -> str:
        """Store a document; returns its SHA-256 digest in hexadecimal. Others see it after the next `append`, at the
        latest. At most `MAX_EVIDENCE_BYTES` (`ValueError`)."""
        ...

    def get(self, digest: str) -> bytes | None:
        """A document, as of the last read; None if it is not here (any more), or is not what its digest says."""
        ...

    def delete(self, digests: Iterable[str]) -> None:
        """Delete documents. Those that are not here are ignored."""
        ...


def log_name(project: str = "", pull_request: str = "") -> str:
    """The name of a log in a store that several projects share: `_/log`, `plans%2Fshop/pr-42/log`.

    `project` is its path in the repository ("" for the top) or its `name:`; `pull_request` is the number of a pull
    request, or the name of a branch, or "" for the default branch.
    """
    folder = segment_for(project)
    if not pull_request:
        return f"{folder}/log"
    is_number = _PULL_REQUEST.fullmatch(pull_request) is not None
    return f"{folder}/{'pr-' if is_number else 'branch-'}{segment_for(pull_request)}/log"
