"""Standard output and standard error that accept any text, strip control characters, and survive a closed terminal."""

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


class _Printable:
    """A text stream that passes all text through `printable`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if not text.replace("\n", "").isprintable():
            from planner.reports.neutral import printable

            text = printable(text, terminal=self._stream.isatty())
        return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def lenient(stream: TextIO) -> TextIO:
    """The stream with unencodable characters escaped and control characters removed, on a terminal that may be
    closed."""
    if isinstance(stream, _WithoutKeys):
        stream = stream.stream
    if isinstance(stream, _Printable):
        return stream
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    if isinstance(stream, io.TextIOWrapper) and stream.isatty():
        terminal = io.BufferedWriter(_ClosableTerminal(stream.fileno(), "w", closefd=False))
        stream = io.TextIOWrapper(terminal, encoding=stream.encoding, errors=stream.errors, line_buffering=True)
    return cast("TextIO", _Printable(cast("TextIO", stream)))


class _WithoutKeys:
    """A stream that replaces API keys in everything written to it, including tracebacks."""

    def __init__(self, stream: TextIO, keys: KeyRedactor) -> None:
        self.stream = stream
        self._keys = keys

    def write(self, text: str) -> int:
        self.stream.write(self._keys.text(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def without_keys(stream: TextIO, keys: KeyRedactor) -> TextIO:
    """The stream with keys replaced; the same stream if there are no keys."""
    return cast("TextIO", _WithoutKeys(stream, keys)) if keys else stream
