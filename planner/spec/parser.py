"""The one pass over the YAML parser's events that builds a `Document`, within bounds.

Bounds: 16 MiB a file, 1,000,000 nodes and 64 levels with aliases expanded. All faults that leave the structure known are
collected; after a syntax error there is no document.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from ruamel.yaml import events
from ruamel.yaml.error import YAMLError

from planner.diagnostics import Related
from planner.spec.document import Container, Document, Items, Mapping
from planner.spec.reporting import Reporter
from planner.spec.scalars import NOT_TEXT_STARTS, NumberError, resolve
from planner.spec.source import Source
from planner.spec.syntax import NOT_IN_YAML, report_syntax
from planner.spec.wording import describe, shorten

MAX_BYTES = 16 * 1024 * 1024
MAX_NODES = 1_000_000
MAX_DEPTH = 64

_STANDARD_TAG = "tag:yaml.org,2002:"
_TAGGED_TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "float": (int, float),
    "bool": bool,
    "null": type(None),
}


def decode(data: bytes, file: str, reporter: Reporter) -> Source | None:
    """Bytes to text, a byte order mark removed. None, and a fault, where that is not possible."""
    if len(data) > MAX_BYTES:
        reporter.file_fault(file, "file-too-large", f"a file may have {MAX_BYTES:,} bytes; split this one")
        return None
    try:
        return Source(file, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        guess = ", it looks like UTF-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else ""
        detail = f"byte 0x{data[error.start]:02x} here is not UTF-8{guess}; save the file as UTF-8"
        reporter.error("not-utf8", detail, Source(file, before + "\ufffd").span(len(before), len(before) + 1))
        return None


def parse(source: Source, reporter: Reporter) -> Document | None:
    """The document; None, and faults, where there is none or its structure is unknown."""
    try:
        return _Builder(source, reporter).build()
    except _Stop:
        return None
    except YAMLError as error:
        report_syntax(error, source, reporter)
        return None


class _Stop(Exception):  # noqa: N818 - it ends the pass, after a fault was reported
    pass


class _Unusable:
    """Stands for a key that cannot be used, and for an anchored container that is not complete yet."""


_UNUSABLE: Final = _Unusable()
_MERGE: Final = _Unusable()
"""The key `<<`."""


class _Frame:
    """An open container, and its key that waits for a value. `start` and `anchor` are the container's own."""

    __slots__ = ("anchor", "container", "key", "key_end", "key_start", "merged", "start")

    def __init__(self, container: Container | None, start: int, anchor: str | None) -> None:
        self.container = container
        self.start = start
        self.anchor = anchor
        self.key: str | _Unusable | None = None
        self.key_start = 0
        self.key_end = 0
        self.merged: list[tuple[Any, int, int]] | None = None
        """What `<<` names, with its marks."""


class _Builder:
    def __init__(self, source: Source, reporter: Reporter) -> None:
        self.source = source
        self.reporter = reporter
        self.outer: list[_Frame] = []
        self.frame = _Frame(None, 0, None)
        self.nodes = 0
        self.documents = 0
        self.last_end = 0
        """Where the last value ended: a block ends there, not before the next token."""
        self.root: Any = None
        self.root_mark = (0, 0)
        self.anchors: dict[str, Any] = {}
        self.sizes: dict[int, tuple[Any, int, int]] = {}
        """Nodes and levels of anchored containers, by identity; the container is kept so that its identity is."""

    def build(self) -> Document | None:
        from _ruamel_yaml import CParser  # pyright: ignore[reportUnknownVariableType, reportMissingTypeStubs] - compiled, untyped

        next_event = cast("Callable[[], Any]", CParser(self.source.text.encode()).get_event)  # pyright: ignore[reportUnknownMemberType]
        handler_of: Callable[[Any], Callable[[Any], None] | None] = {
            events.ScalarEvent: self._scalar,
            events.MappingStartEvent: self._start,
            events.SequenceStartEvent: self._start,
            events.MappingEndEvent: self._end,
            events.SequenceEndEvent: self._end,
            events.AliasEvent: self._alias,
            events.DocumentStartEvent: self._document,
        }.get
        event = next_event()
        while event is not None:
            handler = handler_of(event.__class__)
            if handler is not None:
                handler(event)
            event = next_event()
        if self.documents == 0:
            self.reporter.error("empty-file", "there is nothing in this file", self.source.whole())
            return None
        if not isinstance(self.root, Mapping):
            self._fault(
                "wrong-type",
                f"a file is a mapping of keys to values, but this is {describe(self.root)}",
                *self.root_mark,
            )
            return None
        return Document(self.source, self.root, self.root_mark)

    # Events

    def _scalar(self, event: Any) -> None:
        value: Any = event.value
        start: int = event.start_mark.index
        end: int = event.end_mark.index
        plain: bool = event.implicit[0]
        self.last_end = end
        self.nodes += 1
        frame = self.frame
        if frame.key is None and type(frame.container) is Mapping:
            frame.key_start = start
            frame.key_end = end
            if value in frame.container:
                self._duplicate(frame.container, value)
                frame.key = _UNUSABLE
            elif plain and value == "<<":
                frame.key = _MERGE
            elif plain and not value:
                self._fault("key-not-text", "a key is missing before this colon", start, start + 1)
                frame.key = _UNUSABLE
            else:
                frame.key = value
        else:
            if plain and event.tag is None:
                if not value or value[0] in NOT_TEXT_STARTS:
                    value = self._resolved(value, start, end)
            elif event.tag is not None:
                value = self._tagged(event.tag, value, start, end)
            elif event.style == '"' and NOT_IN_YAML.search(value):
                self._fault(
                    "control-character",
                    "this text holds a control character, written as an escape; remove it",
                    start,
                    end,
                )
            self._add(value, start, end)
        if event.anchor is not None:
            self.anchors[event.anchor] = value

    def _start(self, event: Any) -> None:
        start: int = event.start_mark.index
        mapping = type(event) is events.MappingStartEvent
        self.nodes += 1
        self.outer.append(self.frame)
        if len(self.outer) > MAX_DEPTH:
            self._fault("too-much-nesting", f"more than {MAX_DEPTH} levels", start, start + 1)
            raise _Stop
        if event.tag is not None and event.tag not in {"!", _STANDARD_TAG + ("map" if mapping else "seq")}:
            self._fault("unknown-tag", f"{_tag_name(event.tag)} is not known here; remove it", start, start + 1)
        if event.anchor is not None:
            self.anchors[event.anchor] = _UNUSABLE
        self.frame = _Frame(Mapping() if mapping else Items(), start, event.anchor)

    def _end(self, event: Any) -> None:
        closed = self.frame
        self.frame = self.outer.pop()
        end: int = event.end_mark.index
        if event.start_mark.index == end:  # a block: nothing closes it
            end = max(self.last_end, closed.start)
        self.last_end = end
        if closed.merged is not None:
            self._merge(closed.container, closed.merged)
        if closed.anchor is not None:
            self.anchors[closed.anchor] = closed.container
        if self.frame.key is None and type(self.frame.container) is Mapping:
            self._not_a_key(closed.start, end)
        else:
            self._add(closed.container, closed.start, end)

    def _alias(self, event: Any) -> None:
        start: int = event.start_mark.index
        end: int = event.end_mark.index
        self.last_end = end
        value = self._aliased(event.anchor, start, end)
        frame = self.frame
        if frame.key is not None or type(frame.container) is not Mapping:
            self._add(value, start, end)
        elif not isinstance(value, str):
            self._not_a_key(start, end)
        else:
            frame.key_start = start
            frame.key_end = end
            frame.key = value
            if value in frame.container:
                self._duplicate(frame.container, value)
                frame.key = _UNUSABLE

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            start: int = event.start_mark.index
            self._fault(
                "several-documents", "a second document starts here; put it into a file of its own", start, start + 3
            )
            raise _Stop
        if event.version is not None and tuple(event.version) != (1, 2):
            start = max(0, self.source.text.find("%YAML"))
            self._fault("yaml-version", "remove this line: plans are YAML 1.2", start, start + len("%YAML 1.1"))

    # Values

    def _add(self, value: Any, start: int, end: int) -> None:
        """The value takes its place in the open container."""
        if self.nodes > MAX_NODES:
            self._fault("too-many-nodes", f"more than {MAX_NODES:,} values, aliases expanded", start, start + 1)
            raise _Stop
        frame = self.frame
        container = frame.container
        if type(container) is Mapping:
            key = frame.key
            frame.key = None
            if type(key) is str:
                container[key] = value
                container.marks[key] = (frame.key_start, frame.key_end, start, end)
            elif key is _MERGE:
                frame.merged = [*(frame.merged or []), (value, start, end)]
        elif type(container) is Items:
            container.append(value)
            container.marks.append((start, end))
        else:
            self.root = value
            self.root_mark = (start, end)

    def _resolved(self, text: str, start: int, end: int) -> Any:
        try:
            return resolve(text)
        except NumberError as error:
            self._fault("bad-number", str(error), start, end)
            return 0

    def _tagged(self, tag: str, text: str, start: int, end: int) -> Any:
        name = tag.removeprefix(_STANDARD_TAG)
        if tag == "!" or name == "str":
            return text
        wanted = _TAGGED_TYPES.get(name) if name != tag else None
        if wanted is None:
            self._fault("unknown-tag", f"{_tag_name(tag)} is not known here; remove it", start, end)
            return text
        value = self._resolved(text, start, end)
        if not isinstance(value, wanted) or (isinstance(value, bool) and name != "bool"):
            self._fault("unknown-tag", f"this is not what !!{name} says it is", start, end)
        return float(value) if name == "float" and isinstance(value, int) else value

    def _aliased(self, name: str, start: int, end: int) -> Any:
        if name not in self.anchors:
            self._fault("bad-alias", f"there is no anchor &{shorten(name)} above", start, end)
            return None
        value = self.anchors[name]
        if value is _UNUSABLE:
            self._fault("bad-alias", f"*{shorten(name)} would contain itself", start, end)
            return None
        nodes, levels = self._measured(value)
        self.nodes += nodes
        if len(self.outer) + levels > MAX_DEPTH:
            self._fault("too-much-nesting", f"more than {MAX_DEPTH} levels with this alias expanded", start, end)
            raise _Stop
        return value

    def _measured(self, value: Any) -> tuple[int, int]:
        """Nodes and levels of a value with aliases expanded; each container is looked at once."""
        if not isinstance(value, (Mapping, Items)):
            return 1, 0
        known = self.sizes.get(id(value))
        if known is None:
            below = [self._measured(item) for item in (value.values() if isinstance(value, Mapping) else value)]
            nodes = 1 + sum(size for size, _ in below) + (len(value) if isinstance(value, Mapping) else 0)
            known = self.sizes[id(value)] = (value, nodes, 1 + max((levels for _, levels in below), default=0))
        return known[1], known[2]

    def _merge(self, container: Any, merged: list[tuple[Any, int, int]]) -> None:
        """`<<`: keys that are not written here come from the merged mappings; of two that have a key, the first."""
        entries: dict[str, tuple[Any, Any]] = {}
        for value, start, end in merged:
            for mapping in value if isinstance(value, Items) else [value]:
                if not isinstance(mapping, Mapping):
                    self._fault("bad-alias", "<< takes a mapping, or a list of mappings", start, end)
                    break
                for key in mapping:
                    entries.setdefault(key, (mapping[key], mapping.marks[key]))
        entries.update({key: (container[key], container.marks[key]) for key in container})
        container.clear()
        for key, (value, mark) in entries.items():
            container[key] = value
            container.marks[key] = mark

    # Faults

    def _fault(self, code: str, detail: str, start: int, end: int) -> None:
        self.reporter.error(code, detail, self.source.span(start, end))

    def _duplicate(self, container: Mapping, key: str) -> None:
        first = container.marks[key]
        self.reporter.error(
            "duplicate-key",
            f"`{shorten(key)}` is written twice in this mapping; keep one",
            self.source.span(self.frame.key_start, self.frame.key_end),
            Related("the first one", self.source.span(first[0], first[1])),
        )

    def _not_a_key(self, start: int, end: int) -> None:
        self.frame.key = _UNUSABLE
        text = self.source.text
        if text[start : start + 2] == "{{":
            start, end = start + 1, end - 1
        if text[start - 1 : start + 1] == "{{":
            template = shorten(text[start - 1 : end + 1])
            self._fault(
                "key-not-text", f'YAML reads this as a mapping; quote the template: "{template}"', start - 1, end + 1
            )
        else:
            self._fault("key-not-text", "a key is one text, not a mapping, a list or an alias of one", start, end)


def _tag_name(tag: str) -> str:
    return shorten(f"!!{tag.removeprefix(_STANDARD_TAG)}" if tag.startswith(_STANDARD_TAG) else tag)
