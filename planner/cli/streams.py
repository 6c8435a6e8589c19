"""Standard output and standard error that take any text, and outlive their terminal."""

from __future__ import annotations

import errno
import io
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_GONE = (errno.EIO, errno.ENXIO)


class _Terminal(io.FileIO):
    """What is written when the terminal has gone (its window closed, its connection lost) is read by nobody, and is no trouble
    either: reports and exit code tell how it ended."""

    def write(self, data: ReadableBuffer, /) -> int | None:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            return memoryview(data).nbytes


def made_fit(stream: TextIO) -> TextIO:
    """Whatever its encoding lacks is written as escapes; what is written to a terminal that has gone is swallowed."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    if not isinstance(stream, io.TextIOWrapper) or not stream.isatty():
        return cast("TextIO", stream)
    terminal = io.BufferedWriter(_Terminal(stream.fileno(), "w", closefd=False))
    return io.TextIOWrapper(terminal, encoding=stream.encoding, errors=stream.errors, line_buffering=True)
