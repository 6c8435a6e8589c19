"""A `Tree` to text in the one form: keys in order, two columns a level, brackets where a line holds them.

What is meant for few lines of difference: no text is wrapped anew, no quotes are taken away, no list is joined that has a
line an item.
"""

from __future__ import annotations

from collections.abc import Sequence

from planner.spec.formatting.order import Form, form_below, ordered
from planner.spec.formatting.scalars import STEP, inline_text, keeps_blank_lines, key_text, lines
from planner.spec.formatting.tree import Alias, Collection, Comment, Entry, Node, Scalar, Tree

WIDTH = 120
"""Columns that brackets may fill; what is longer has a line an entry."""
_LONGEST_KEY = 1_000
"""YAML wants a `?` before longer ones."""
_SPACED = "scenarios"
"""The root key whose values are set apart by blank lines."""


def write(tree: Tree, form: Form) -> str:
    """The text; a line feed ends each line."""
    writer = _Writer(tree.prologue)
    root = tree.root
    writer.comments(tree.heading, 0, apart=False)
    if root.properties:
        writer.lines.append(root.properties)
    if tree.heading and tree.heading_apart:
        writer.lines.append("")
    writer.block(root, 0, form)
    return "\n".join(writer.lines) + "\n"


class _Writer:
    def __init__(self, prologue: Sequence[str]) -> None:
        self.lines = list(prologue)
        self.prefix: str | None = None
        """Dashes that the next line begins with, in place of its indentation."""
        self.kept = False
        """The last value takes blank lines after it as its own."""

    def block(self, node: Collection, indent: int, form: Form, *, spaced: bool = False) -> None:
        """The entries, a line or more each. `spaced`: blank lines between those of several lines."""
        last_is_line = True
        for index, entry in enumerate(ordered(node, form)):
            below = form_below(form, entry)
            inline = _inline(entry, indent, below)
            is_line = inline is not None or not isinstance(entry.value, Collection)
            apart = spaced and index > 0 and not (is_line and last_is_line)
            last_is_line = is_line
            above, beside = _placed(entry, indent, below)
            first = index == 0
            self.comments(above, indent, apart=apart, first=first)
            if entry.blank or (apart and not above):
                self._blank(wanted=bool(above) or not first)
            end = f"{' ' * beside.gap}{beside.text}" if beside else ""
            self._entry(entry, indent, below, inline, end)
        self.comments(node.ending, indent, apart=False)

    def comments(self, comments: Sequence[Comment], indent: int, *, apart: bool, first: bool = False) -> None:
        """Each on a line of its own. `apart`: a blank line before them, whether written or not; none where they are `first`."""
        for comment in comments:
            self._blank(wanted=(comment.blank or apart) and not first)
            self._line(indent, comment.text)
            first = apart = False

    def _entry(self, entry: Entry, indent: int, form: Form, inline: str | None, end: str) -> None:
        value = entry.value
        start = f"{_head(entry, indent)} {value.properties}".rstrip()
        if isinstance(value, Scalar):
            self._scalar(start, value, indent, end)
        elif isinstance(value, Alias):
            self._line(indent, f"{start} {value.text}{end}")
        elif inline is not None:
            self._line(indent, f"{start} {inline}{end}")
        elif entry.key is None and not value.properties and not end:
            self.prefix = (" " * indent if self.prefix is None else self.prefix) + "- "
            self.block(value, indent + STEP, form)
        else:
            self._line(indent, start + end)
            self.block(value, indent + STEP, form, spaced=indent == 0 and entry.name == _SPACED)

    def _scalar(self, start: str, value: Scalar, indent: int, end: str) -> None:
        first, *others = lines(value, indent)
        self._line(indent, f"{start} {first}" if first else start)
        self.lines += others
        self.lines[-1] += end
        self.kept = keeps_blank_lines(value)

    def _line(self, indent: int, text: str) -> None:
        start = " " * indent if self.prefix is None else self.prefix
        self.prefix = None
        self.lines.append(start + text)
        self.kept = False

    def _blank(self, *, wanted: bool) -> None:
        if wanted and not self.kept and self.lines and self.lines[-1]:
            self.lines.append("")


def _head(entry: Entry, indent: int) -> str:
    """What stands before the value."""
    key = entry.key
    if key is None:
        return "-"
    if isinstance(key, Alias):
        return f"{key.text} :"
    text = f"{key.properties} {key_text(key)}".lstrip()
    return f"{text}:" if len(text) <= _LONGEST_KEY else f"? {text}\n{' ' * indent}:"


def _placed(entry: Entry, indent: int, form: Form) -> tuple[list[Comment], Comment | None]:
    """The comments above an entry, and the one beside it: a line has one end, and that of a `|` is not ours."""
    value = entry.value
    above, beside = list(entry.above), list(entry.beside)
    room = 1
    if isinstance(value, Scalar) and value.style in {"|", ">"}:
        room = 0
    elif isinstance(value, Collection):
        if not value.entries:
            above += value.ending
        elif entry.key is None and _inline(entry, indent, form) is None:
            room = 0 if value.flow else 1
            if not value.properties:
                above += _taken_above_first(value, indent + STEP, form)
    split = max(0, len(beside) - room)
    above += [Comment(comment.text) for comment in beside[:split]]
    return above, beside[-1] if beside[split:] else None


def _taken_above_first(node: Collection, indent: int, form: Form) -> list[Comment]:
    """An item begins on the line of its dash: what stands above its first entry stands above the dash."""
    first = ordered(node, form)[0]
    above, beside = _placed(first, indent, form_below(form, first))
    first.above = []
    first.beside = [beside] if beside else []
    first.blank = False
    return above


def _inline(entry: Entry, indent: int, form: Form) -> str | None:
    """Brackets and all between them where that fits on the entry's line; None where it does not, or is no such thing."""
    value = entry.value
    if not isinstance(value, Collection) or (value.entries and not value.flow):
        return None
    if not value.entries:
        return _brackets(value, [])
    start = f"{_head(entry, indent)} {value.properties}".rstrip()
    return _flow(value, form, WIDTH - indent - len(start) - 1)


def _flow(node: Node, form: Form, room: int) -> str | None:
    """On one line; None where that takes more than `room`, and where there are comments or a text of several lines.

    Looks at no more than may fit: brackets may be nested deeply and hold very much.
    """
    if isinstance(node, Alias):
        text = node.text
    elif isinstance(node, Scalar):
        text = inline_text(node) if len(node.text) <= room else None
    else:
        text = _brackets_within(node, form, room - 2) if not node.ending and len(node.entries) <= room else None
    return text if text is not None and len(text) <= room else None


def _brackets_within(node: Collection, form: Form, room: int) -> str | None:
    parts: list[str] = []
    for entry in ordered(node, form):
        if entry.above or entry.beside:
            return None
        key = entry.key
        start = f"{_head(entry, 0)} " if key is not None else ""
        start += f"{entry.value.properties} ".lstrip()
        text = _flow(entry.value, form_below(form, entry), room - len(start))
        if text is None:
            return None
        parts.append(start + text)
        room -= len(parts[-1]) + len(", ")
    return _brackets(node, parts)


def _brackets(node: Collection, parts: Sequence[str]) -> str:
    return "{" + ", ".join(parts) + "}" if node.mapping else "[" + ", ".join(parts) + "]"
