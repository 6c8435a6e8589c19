"""Standard output and standard error that take any text, pass on no control characters, and outlive their terminal."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO, cast

from planner.key_redaction import KeyRedactor

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


class _Printable:
    """A text stream whose text goes through `printable`, whoever writes it: a command, click, or a traceback."""

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


def made_fit(stream: TextIO) -> TextIO:
    """Whatever its encoding lacks is written as escapes; what is written to a terminal that has gone is swallowed."""
    if isinstance(stream, _WithoutKeys):
        stream = stream.stream
    if isinstance(stream, _Printable):
        return stream
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    if isinstance(stream, io.TextIOWrapper) and stream.isatty():
        terminal = io.BufferedWriter(_Terminal(stream.fileno(), "w", closefd=False))
        stream = io.TextIOWrapper(terminal, encoding=stream.encoding, errors=stream.errors, line_buffering=True)
    return cast("TextIO", _Printable(cast("TextIO", stream)))


class _WithoutKeys:
    """A stream that replaces keys in whatever is written to it, tracebacks of Python included."""

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
    """The same stream where there are none."""
    return cast("TextIO", _WithoutKeys(stream, keys)) if keys else stream
