"""YAML text to a `Tree`: the C parser's events, and between them the comments and blank lines that it drops.

Only for text that `planner.spec.yaml.parser.parse` reads without a fault: it has bounded the file and refused what plans cannot
hold, such as a mapping as a key.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from yaml import CBaseLoader, events

from planner.spec.formatting.tree import Alias, Collection, Comment, Entry, Node, Scalar, Tree

BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line, and therefore a comment, for the parser."""
_COMMENT_OR_BREAK = re.compile("#[^\n\r\x85\u2028\u2029]*|\r\n|[\n\r\x85\u2028\u2029]")
_PROPERTY = re.compile(r"&[\w-]+|!<[^>]*>|![\w!:.%/+-]*")
_BLANK = 2
"""Line breaks without anything between them that make a blank line."""


def read_tree(text: str) -> Tree:
    return _Reader(text).read()


class _Open:
    """A collection that is being read. `column` is where its keys or dashes stand; `entry` waits for a value."""

    __slots__ = ("column", "entry", "node")

    def __init__(self, node: Collection, column: int) -> None:
        self.node = node
        self.column = column
        self.entry: Entry | None = None


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.line_starts = [0, *(match.end() for match in BREAK.finditer(text))]
        self.position = 0
        """What is before it has been read."""
        self.open: list[_Open] = []
        self.owner: Entry | None = None
        """To which a comment on the same line belongs."""
        self.waiting: list[Comment] = []
        """Comments on lines of their own, whose entry is not known yet."""
        self.dashed: list[Comment] = []
        """Comments after the dash of an item that has not begun yet."""
        self.blank = False
        self.heading: list[Comment] = []
        self.heading_apart = False
        self.prologue: list[str] = []
        self.root: Collection | None = None
        self.comments: list[str] = []

    def read(self) -> Tree:
        next_event: Callable[[], Any] = CBaseLoader(self.text.encode()).get_event
        handler_of: Callable[[Any], Callable[[Any], None] | None] = {
            events.ScalarEvent: self._scalar,
            events.AliasEvent: self._alias,
            events.MappingStartEvent: self._start,
            events.SequenceStartEvent: self._start,
            events.MappingEndEvent: self._end,
            events.SequenceEndEvent: self._end,
            events.DocumentStartEvent: self._document,
        }.get
        for event in iter(next_event, None):
            handler = handler_of(event.__class__)
            if handler is not None:
                handler(event)
        self._between(len(self.text))
        root = self.root
        assert root is not None  # `parse` has found a mapping
        root.ending += self._taken()
        return Tree(self.prologue, self.heading, self.heading_apart, root, sorted(map(str.rstrip, self.comments)))

    # Events

    def _document(self, event: Any) -> None:
        if event.explicit:
            end: int = event.end_mark.index
            lines = [line.rstrip() for line in BREAK.split(self.text[:end])]
            self.prologue = [line for line in lines if line]
            self.comments += [line[line.index("#") :] for line in self.prologue if "#" in line]
            self.position = end

    def _scalar(self, event: Any) -> None:
        start: int = event.start_mark.index
        end: int = event.end_mark.index
        self._between(start)
        style: str = event.style or ""
        properties = ""
        if event.anchor is not None or event.tag is not None:
            if self._is_value():
                self._begin_value()
            properties, start = self._properties(start, end)
        text = self.text[start:end]
        value: str = event.value
        if style in {"|", ">"}:
            header = BREAK.split(text, 1)[0]
            if "#" in header:
                self.comments.append(header[header.index("#") :])
            if "+" not in header.split("#")[0]:
                end = start + len(text.rstrip())
        self._leaf(Scalar(text, value, style, properties), event, end)

    def _alias(self, event: Any) -> None:
        self._between(event.start_mark.index)
        self._leaf(Alias(self.text[event.start_mark.index : event.end_mark.index]), event)

    def _leaf(self, node: Scalar | Alias, event: Any, end: int | None = None) -> None:
        if self._is_value():
            self._begin_value().value = node
            self._finish_value(node)
        else:
            frame = self.open[-1]
            frame.entry = self.owner = self._entry(frame.node, node, node)
        self.position = event.end_mark.index if end is None else end

    def _start(self, event: Any) -> None:
        start: int = event.start_mark.index
        end: int = event.end_mark.index
        self._between(start)
        mapping = isinstance(event, events.MappingStartEvent)
        flow = bool(event.flow_style)
        node = Collection(mapping, flow)
        if not self.open:
            self.heading = self._taken()
        entry = self._begin_value(flow=flow) if self.open else None
        if event.anchor is not None or event.tag is not None:
            node.properties, start = self._properties(start, end)
            if not self.open:
                self.heading += self._taken()
        self.position = end if flow else start
        if not mapping and not flow and self.text[end : end + 1] != "-":  # the mark is behind the dash, or before it
            end -= 1
        column = end - self._line_start(end)
        if entry is not None:
            entry.value = node
        else:
            self.root = node
        self.open.append(_Open(node, column))

    def _end(self, event: Any) -> None:
        self._between(event.start_mark.index)
        closed = self.open.pop()
        node = closed.node
        if node.flow:
            node.ending = self._taken()
            self.position = event.end_mark.index
        elif self.open:
            outer = self.open[-1].column
            inside = 0
            for comment in self.waiting:
                if comment.column < closed.column or comment.column <= outer:
                    break
                inside += 1
            node.ending = self.waiting[:inside]
            self.waiting = self.waiting[inside:]
        if self.open:
            self._finish_value(node)
            if node.flow:
                self.owner = self.open[-1].node.entries[-1]

    # Entries

    def _is_value(self) -> bool:
        """Whether the next node is a value or an item, not a key."""
        return not self.open or not self.open[-1].node.mapping or self.open[-1].entry is not None

    def _begin_value(self, *, flow: bool = True) -> Entry:
        """The entry whose value begins. A block's comments wait for its own first entry."""
        frame = self.open[-1]
        if not frame.node.mapping and frame.entry is None:
            frame.entry = self._entry(frame.node, None, Scalar("", "", ""))
            frame.entry.beside = self.dashed
            self.dashed = []
        entry = frame.entry
        assert entry is not None
        if flow:
            entry.above += self._taken()
        self.owner = entry
        return entry

    def _entry(self, node: Collection, key: Scalar | Alias | None, value: Node) -> Entry:
        """A new entry of a collection, with the comments and the blank line before it; before the first one none counts."""
        entry = Entry(key, value, self._taken(), blank=self.blank)
        self.blank = False
        if not node.entries:
            if len(self.open) == 1:
                self.heading_apart = entry.blank
            entry.blank = entry.blank and bool(entry.above)
            for comment in entry.above[:1]:
                comment.blank = False
        node.entries.append(entry)
        return entry

    def _finish_value(self, node: Node) -> None:
        frame = self.open[-1]
        frame.entry = None
        if not isinstance(node, Collection):
            self.owner = frame.node.entries[-1]

    def _taken(self) -> list[Comment]:
        taken = self.waiting
        self.waiting = []
        return taken

    # What is between the events

    def _properties(self, start: int, end: int) -> tuple[str, int]:
        """Anchor and tag at `start`, and where what follows them begins."""
        found: list[str] = []
        self.position = start
        while (match := _PROPERTY.match(self.text, self.position, end)) is not None:
            found.append(match.group())
            self.position = match.end()
            following = self._after_space(self.position, end)
            if following >= end or self.text[following] not in "&!":
                break
            self._between(following)
        content = self._after_space(self.position, end)
        self._between(content)
        return " ".join(found), content

    def _after_space(self, position: int, end: int) -> int:
        """Where white space and comments end."""
        while position < end:
            if self.text[position] == "#":
                match = BREAK.search(self.text, position, end)
                position = match.start() if match else end
            elif self.text[position] in " \t\n\r\x85\u2028\u2029":
                position += 1
            else:
                break
        return position

    def _between(self, end: int) -> None:
        """Read the comments and blank lines down to `end`; brackets, commas, dashes and colons are the tree's.

        A blank line before an item is one before its dash.
        """
        if self.position >= end:
            return
        text = self.text
        breaks = 0
        dashed = False
        last = self.position
        for match in _COMMENT_OR_BREAK.finditer(text, self.position, end):
            start = match.start()
            passed = text[last:start].strip(" \t")
            if passed:
                if passed == "-" and not dashed:
                    dashed = True
                    if last > self.position:
                        self.blank = breaks >= _BLANK
                breaks = 0
            last = match.end()
            if text[start] != "#":
                breaks += 1
                continue
            comment = match.group()
            self.comments.append(comment)
            self._comment(comment.rstrip(), start, blank=breaks >= _BLANK)
            breaks = 0
        if last > self.position and not dashed:  # what is on the same line says nothing of blank lines
            self.blank = breaks >= _BLANK and not text[last:end].strip(" \t-")
        self.position = end

    def _comment(self, comment: str, start: int, *, blank: bool) -> None:
        line_start = self._line_start(start)
        before = self.text[line_start:start]
        read = Comment(comment, start - line_start, blank, len(before) - len(before.rstrip(" \t")) or 2)
        if not before.strip(" \t"):
            self.waiting.append(read)
        elif (
            before.rstrip(" \t").endswith("-") and line_start + len(before.rstrip(" \t")) > self.position and self.open
        ):
            self.dashed.append(read)
        elif self.owner is not None:
            self.owner.beside.append(read)
        else:
            self.waiting.append(read)

    def _line_start(self, position: int) -> int:
        return self.line_starts[bisect_right(self.line_starts, position) - 1]
