"""The job summary: Markdown appended to a file, within GitHub's limit of 1 MiB a step.

GitHub drops a summary over the limit whole, and says so only in the log; so what is too long is cut in the middle: the
headline is at the top and how to go on is at the end.
Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from planner.reports.neutral import printable

SUMMARY_LIMIT_BYTES = 1024 * 1024
_SMALLEST_BYTES = 512
"""With less room than this a cut text would say nothing."""


def append_summary(path: Path, markdown: str, *, limit_bytes: int = SUMMARY_LIMIT_BYTES) -> bool:
    """Append, cut to the room an earlier command of the same step has left. False: there was none. Raises `OSError`."""
    used_bytes = path.stat().st_size if path.exists() else 0
    text = printable(markdown).rstrip("\n") + "\n\n"
    room_bytes = limit_bytes - used_bytes
    if _size(text) > room_bytes and room_bytes < _SMALLEST_BYTES:
        return False
    with path.open("a", encoding="utf-8", errors="replace", newline="\n") as file:
        file.write(cut_in_the_middle(text, limit_bytes=room_bytes))
    return True


def cut_in_the_middle(markdown: str, *, limit_bytes: int) -> str:
    """The text itself if it fits, else its beginning and its last sections with a note between.

    Blocks that the cut leaves open (code fences, `<details>`) are closed, so that what follows renders as it should.
    `limit_bytes` (of UTF-8) is at least 512.
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
    # With the note at its longest; below it says what was really left out.
    room_bytes = limit_bytes - _size(tail) - _size(_note(len(lines), limit_bytes))
    head_end = max(
        index for index in range(tail_start + 1) if bytes_before[index] + _size(states[index].closing()) <= room_bytes
    )
    head = "".join(lines[:head_end]) + states[head_end].closing()
    if head_end == 0:  # one enormous line: its beginning is all there is
        head = lines[0].encode("utf-8", "replace")[: room_bytes - 1].decode("utf-8", "ignore") + "\n"
    return head + _note(tail_start - head_end, limit_bytes) + tail


@dataclass(frozen=True, slots=True)
class _State:
    """What is open before a line. `fence` is the line that would close the code fence, or empty.

    `html`: from a line that starts with a tag of a fold to the next blank line Markdown means nothing, fences included.
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
    return f"\n> ✂ {lines_left_out:,} lines are left out: no more than {size} fit here. The report files have them all.\n\n"


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
