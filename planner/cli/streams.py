"""Standard output and standard error that accept any text, remove keys and control characters, and survive a closed
terminal."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO, cast

from planner.key_redaction import KeyRedactor

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_TERMINAL_CLOSED = (errno.EIO, errno.ENXIO)


class _ClosableTerminal(io.FileIO):
    """Ignores writes to a terminal that was closed. Reports and the exit code still say how the run ended."""

    def write(self, data: ReadableBuffer, /) -> int | None:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _TERMINAL_CLOSED:
                raise
            return memoryview(data).nbytes


class _SafeStream:
    """A text stream that replaces API keys and control characters in everything written to it, tracebacks included."""

    def __init__(self, stream: TextIO, keys: KeyRedactor) -> None:
        self.stream = stream
        self._keys = keys

    def write(self, text: str) -> int:
        text = self._keys.text(text) if self._keys else text
        if not text.replace("\n", "").isprintable():
            from planner.reports.neutral import printable

            text = printable(text, terminal=self.stream.isatty())
        self.stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def safe(stream: TextIO, keys: KeyRedactor) -> TextIO:
    """The stream without keys and control characters, with unencodable characters escaped, on a terminal that may be
    closed."""
    if isinstance(stream, _SafeStream):
        stream = stream.stream
    elif isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
        if stream.isatty():
            terminal = io.BufferedWriter(_ClosableTerminal(stream.fileno(), "w", closefd=False))
            stream = io.TextIOWrapper(terminal, encoding=stream.encoding, errors=stream.errors, line_buffering=True)
    return cast("TextIO", _SafeStream(cast("TextIO", stream), keys))
