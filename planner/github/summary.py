"""The job summary: Markdown appended to a file, within GitHub's limit of 1 MiB per step.

GitHub drops a larger summary completely, so long text is cut in the middle: the headline is at the top, the next steps
at the end. Source:
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from planner.reports.neutral import printable

SUMMARY_LIMIT_BYTES = 1024 * 1024
_SMALLEST_BYTES = 512
"""With less room, a cut text would be useless."""


def append_summary(path: Path, markdown: str, *, limit_bytes: int = SUMMARY_LIMIT_BYTES) -> bool:
    """Append, cut to the remaining room of this step. Returns False if there is none. Raises `OSError`."""
    used_bytes = path.stat().st_size if path.exists() else 0
    text = printable(markdown).rstrip("\n") + "\n\n"
    room_bytes = limit_bytes - used_bytes
    if _size(text) > room_bytes and room_bytes < _SMALLEST_BYTES:
        return False
    with path.open("a", encoding="utf-8", errors="replace", newline="\n") as file:
        file.write(cut_in_the_middle(text, limit_bytes=room_bytes))
    return True


def cut_in_the_middle(markdown: str, *, limit_bytes: int) -> str:
    """The text if it fits, otherwise its beginning and last sections with a note between.

    Open blocks (code fences, `<details>`) are closed at the cut. `limit_bytes` (of UTF-8) is at least 512.
    """
    if _size(markdown) <= limit_bytes:
        return markdown
    lines = markdown.splitlines(keepends=True)
    bytes_before = list(accumulate((_size(line) for line in lines), initial=0))
    states = _states(lines)
    tail_start = min(
        (
            index
            for index, line in enumerate(lines)
            if bytes_before[-1] - bytes_before[index] <= limit_bytes // 4
            and states[index].safe
            and re.match(r"#{1,6} ", line)
        ),
        default=len(lines),
    )
    tail = "".join(lines[tail_start:])
    # reserve room for the longest possible note
    room_bytes = limit_bytes - _size(tail) - _size(_note(len(lines), limit_bytes))
    head_end = max(
        index for index in range(tail_start + 1) if bytes_before[index] + _size(states[index].closing()) <= room_bytes
    )
    head = "".join(lines[:head_end]) + states[head_end].closing()
    if head_end == 0:  # a single huge line: keep its beginning
        head = lines[0].encode("utf-8", "replace")[: room_bytes - 1].decode("utf-8", "ignore") + "\n"
    return head + _note(tail_start - head_end, limit_bytes) + tail


@dataclass(frozen=True, slots=True)
class _State:
    """Open blocks before a line. `fence` is the line that closes the code fence, or "".

    `html`: between a `<details>` tag and the next blank line, Markdown is not interpreted.
    """

    fence: str = ""
    details: int = 0
    html: bool = False

    @property
    def safe(self) -> bool:
        return not self.fence and not self.html and self.details == 0

    def closing(self) -> str:
        return (f"{self.fence}\n" if self.fence else "") + "\n</details>\n" * self.details

    def after(self, line: str) -> _State:
        bare = line.strip()
        if self.fence:
            closes = bare.startswith(self.fence) and not bare.strip(self.fence[0])
            return _State("" if closes else self.fence, self.details)
        opening = re.match(r" {0,3}(`{3,}|~{3,})", line)
        if opening and not self.html and not (opening[1][0] == "`" and "`" in bare.lstrip("`")):
            return _State(opening[1], self.details)
        html = bool(bare) and (self.html or re.match(r" {0,3}</?details\b", line) is not None)
        return _State("", max(self.details + line.count("<details") - line.count("</details>"), 0), html)


def _states(lines: list[str]) -> list[_State]:
    """The state before each line, and after the last."""
    states = [_State()]
    for line in lines:
        states.append(states[-1].after(line))
    return states


def _note(lines_left_out: int, limit_bytes: int) -> str:
    size = f"{limit_bytes / 1024:,.0f} KiB" if limit_bytes >= 1024 else f"{limit_bytes} bytes"
    lines = "1 line" if lines_left_out == 1 else f"{lines_left_out:,} lines"
    return f"\n> ✂ {lines} omitted: the limit is {size}. The report files are complete.\n\n"


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
