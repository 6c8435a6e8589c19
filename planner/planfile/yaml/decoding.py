"""The bytes of an authored file as text."""

from __future__ import annotations

from codecs import BOM_UTF8

from planner.planfile.reporter import Reporter
from planner.planfile.yaml.hidden_characters import warn_of_hidden
from planner.planfile.yaml.source import Source

MAX_BYTES = 16 * 1024 * 1024


def decode(data: bytes, file: str, reporter: Reporter) -> Source | None:
    """Bytes to text, a byte order mark removed. None, and a fault, where that is not possible."""
    if len(data) > MAX_BYTES:
        reporter.file_fault(
            file, "file-too-large", f"{file} has more than {MAX_BYTES // 1024:,} KiB; split or shorten it"
        )
        return None
    try:
        data = data.removeprefix(BOM_UTF8)  # the codec that does so is written in Python
        source = Source(file, data.decode())
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        guess = ", it looks like UTF-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else ""
        detail = f"byte 0x{data[error.start]:02x} here is not UTF-8{guess}; save the file as UTF-8"
        reporter.error("not-utf8", detail, Source(file, before + "\ufffd").span(len(before), len(before) + 1))
        return None
    warn_of_hidden(source, reporter)
    return source
