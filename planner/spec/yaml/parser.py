"""The one pass over the YAML parser's events that builds a `Document`, within bounds.

Bounds: 16 MiB a file, 10,000 anchors, 1,000,000 nodes and 64 levels with aliases expanded. After a syntax error there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import intern
from typing import Any, Final, NoReturn

from yaml import CBaseLoader, YAMLError, events

from planner.spec.document import Document, Items, Mapping
from planner.spec.faults.reporting import Reporter
from planner.spec.faults.wording import describe, shorten
from planner.spec.source import Source
from planner.spec.yaml.aliases import merge, no_anchor
from planner.spec.yaml.duplicates import Duplicates
from planner.spec.yaml.scalars import NOT_TEXT_STARTS, NumberError, resolve
from planner.spec.yaml.syntax import (
    MAX_DEPTH,
    NOT_IN_YAML,
    STANDARD_TAG,
    TAGGED_TYPES,
    TOO_DEEP,
    control_escape,
    keys_indented_oddly,
    not_a_key,
    report_syntax,
    tag_name,
    unquoted_template,
)

MAX_NODES = 1_000_000
MAX_ANCHORS = 10_000


def parse(source: Source, reporter: Reporter) -> Document | None:
    """The document; None, and faults, where there is none or its structure is unknown."""
    builder = _Builder(source, reporter)
    try:
        return builder.build()
    except _Stop:
        return None
    except YAMLError as error:
        report_syntax(error, source, reporter)
        return None
    finally:
        builder.duplicates.report()


class _Stop(Exception):  # noqa: N818 - it ends the pass, after a fault was reported
    pass


class _Unusable:
    """Stands for a key that cannot be used, and for an anchored container that is not complete yet."""


_UNUSABLE: Final = _Unusable()
_MERGE: Final = _Unusable()
"""The key `<<`."""
_SPECIAL_KEYS = frozenset({"", "<<"})
"""Unquoted, these are no keys."""

_SHORT = 10
_NO_MARKS: list[int] = []  # of all empty sequences

_Event = Any
"""An event of libyaml, through PyYAML. Its marks are offsets in characters."""


class _Builder:
    """Reads the parser's events by recursive descent.

    `mapping` and `items` are where the time goes: both take the usual scalar apart by themselves. The rest is for `_READERS`.
    """

    def __init__(self, source: Source, reporter: Reporter) -> None:
        self.source = source
        self.reporter = reporter
        self.next_event: Callable[[], _Event] = CBaseLoader(source.text.encode()).get_event
        self.room = MAX_NODES
        """How many nodes there may still be."""
        self.levels = 0
        """Containers that are open."""
        self.anchors: dict[str, Any] = {}
        self.anchored = 0
        self.duplicates = Duplicates(source, reporter)
        self.sizes: dict[int, tuple[Any, int, int]] = {}
        """Nodes and levels of anchored containers, by identity; the container is kept so that its identity is."""

    def build(self) -> Document | None:
        documents = 0
        root: Any = None
        mark = (0, 0)
        for event in iter(self.next_event, None):
            kind = event.__class__
            if kind is events.DocumentStartEvent:
                documents += 1
                self._document(event, documents)
            elif kind in _READERS:
                root, *mark = _READERS[kind](self, event)
        if documents == 0:
            self.reporter.error(
                "empty-file", "there is nothing in this file; write a plan, or delete it", self.source.whole()
            )
            return None
        start, end = mark
        if not isinstance(root, Mapping):
            self._fault(
                "wrong-type", f"a file is a mapping of keys to values, but this is {describe(root)}", start, end
            )
            return None
        return (
            None if keys_indented_oddly(self.source, root, self.reporter) else Document(self.source, root, (start, end))
        )

    def _document(self, event: _Event, number: int) -> None:
        if number > 1:
            start: int = event.start_mark.index
            self._fault(
                "several-documents", "a second document starts here; put it into a file of its own", start, start + 3
            )
            raise _Stop
        if event.version is not None and tuple(event.version) != (1, 2):
            start = max(0, self.source.text.find("%YAML"))
            self._fault("yaml-version", "remove this line: plans are YAML 1.2", start, start + len("%YAML 1.1"))

    # Containers

    def mapping(self, opening: _Event) -> tuple[Any, int, int]:  # noqa: PLR0915 - calls would take longer
        """The mapping that begins with this event, and its marks."""
        start = end = opening.start_mark.index
        self.levels += 1
        if self.levels > MAX_DEPTH or opening.tag is not None or opening.anchor is not None:
            self._open(opening, "map", start)
        next_event, scalar, readers = self.next_event, events.ScalarEvent, _READERS
        container = Mapping.__new__(Mapping)  # not through `__init__`: there are many
        spots = container.spots = []
        container.asked = None
        merged: list[tuple[Any, int, int]] = []
        room = self.room
        while (event := next_event()).__class__ is not events.MappingEndEvent:
            key: Any
            if event.__class__ is scalar and event.anchor is None:
                key = event.value if len(container) > 1_000 else intern(event.value)  # most come again and again
                key_start: int = event.start_mark.index
                key_end: int = event.end_mark.index
                if key in _SPECIAL_KEYS and event.implicit[0]:
                    key = self._special_key(key, key_start)
            else:
                self.room = room
                key, key_start, key_end = self._odd_key(event)
                room = self.room
            if key in container:
                self.duplicates.add(container, key, key_start, key_end)
                key = _UNUSABLE
            event = next_event()
            value: Any
            if event.__class__ is scalar and event.tag is None and event.anchor is None:
                value = event.value
                value_start: int = event.start_mark.index
                end: int = event.end_mark.index
                if not event.implicit[0]:
                    if end - value_start > len(value) + 2:  # something is written as an escape, or folded
                        self._check_escapes(event)
                elif not value:
                    key, value = self._without_value(key, key_start, key_end)
                    if key in container:
                        key = _UNUSABLE  # it was told that no space follows the colon
                elif value[0] in NOT_TEXT_STARTS:
                    number = len(value) < _SHORT and value.isascii() and value.isdigit()
                    value = int(value) if number else self._resolved(value, value_start, end)
            else:
                self.room = room
                value, value_start, end = readers[event.__class__](self, event)
                room = self.room
            room -= 2
            if room < 0:
                self._too_many(value_start)
            if key.__class__ is str:
                container[key] = value
                spots += (key_start, key_end, value_start, end)
            elif key is _MERGE:
                merged.append((value, value_start, end))
        self.room = room
        if merged:
            self.duplicates.merged([place for _, *place in merged])
            merge(container, merged, self.anchors, self.source, self.reporter)
        self.levels -= 1
        if opening.anchor is not None:
            self.anchors[opening.anchor] = container
        close: int = event.end_mark.index  # a block ends where its last value does, not before the next token
        if not container and (template := unquoted_template(self.source.text[start:close])):
            return template, start, close
        return container, start, end if event.start_mark.index == close else close

    def items(self, opening: _Event) -> tuple[Items, int, int]:
        """The sequence that begins with this event, and its marks."""
        start = end = opening.start_mark.index
        self.levels += 1
        if self.levels > MAX_DEPTH or opening.tag is not None or opening.anchor is not None:
            self._open(opening, "seq", start)
        next_event, scalar, readers = self.next_event, events.ScalarEvent, _READERS
        container = Items.__new__(Items)
        marks = container.marks = []
        room = self.room
        while (event := next_event()).__class__ is not events.SequenceEndEvent:
            value: Any
            if event.__class__ is scalar and event.tag is None and event.anchor is None:
                value = event.value
                value_start: int = event.start_mark.index
                end: int = event.end_mark.index
                if not event.implicit[0]:
                    if end - value_start > len(value) + 2:  # something is written as an escape, or folded
                        self._check_escapes(event)
                elif not value or value[0] in NOT_TEXT_STARTS:
                    number = len(value) < _SHORT and value.isascii() and value.isdigit()
                    value = int(value) if number else self._resolved(value, value_start, end)
            else:
                self.room = room
                value, value_start, end = readers[event.__class__](self, event)
                room = self.room
            room -= 1
            if room < 0:
                self._too_many(value_start)
            container.append(value)
            marks += (value_start, end)
        self.room = room
        if not container:
            container.marks = _NO_MARKS
        self.levels -= 1
        if opening.anchor is not None:
            self.anchors[opening.anchor] = container
        close: int = event.end_mark.index
        return container, start, end if event.start_mark.index == close else close

    def _open(self, event: _Event, tag: str, start: int) -> None:
        """A container begins that is not a usual one."""
        if self.levels > MAX_DEPTH:
            self._fault("too-much-nesting", TOO_DEEP, start, start + 1)
            raise _Stop
        if event.tag is not None and event.tag not in {"!", STANDARD_TAG + tag}:
            self._fault("unknown-tag", f"{tag_name(event.tag)} is not known here; remove it", start, start + 1)
        if event.anchor is not None:
            self._anchor(event.anchor, _UNUSABLE, start)

    def leaf(self, event: _Event) -> tuple[Any, int, int]:
        """A value that is no container, and its marks."""
        start: int = event.start_mark.index
        end: int = event.end_mark.index
        if event.__class__ is events.AliasEvent:
            return self._aliased(event.anchor, start, end), start, end
        value: Any = event.value
        if event.tag is not None:
            value = self._tagged(event.tag, value, start, end)
        elif event.implicit[0]:
            value = self._resolved(value, start, end)
        else:
            self._check_escapes(event)
        if event.anchor is not None:
            self._anchor(event.anchor, value, start)
        return value, start, end

    def _odd_key(self, event: _Event) -> tuple[str | _Unusable, int, int]:
        """A key that is anchored, an alias or no scalar, and its marks."""
        start: int = event.start_mark.index
        end: int = event.end_mark.index
        if event.__class__ is events.ScalarEvent:
            self._anchor(event.anchor, event.value, start)
            if event.value in _SPECIAL_KEYS and event.implicit[0]:
                return self._special_key(event.value, start), start, end
            return event.value, start, end
        value, start, end = _READERS[event.__class__](self, event)
        if isinstance(value, str) and event.__class__ is events.AliasEvent:
            return value, start, end
        return self._not_a_key(start, end), start, end

    def _special_key(self, key: str, start: int) -> _Unusable:
        if key == "<<":
            return _MERGE
        self._fault("key-not-text", "a key is missing before this colon", start, start + 1)
        return _UNUSABLE

    def _without_value(self, key: Any, start: int, end: int) -> tuple[Any, Any]:
        """A key and no value: what was meant where a colon in the key has no space after it, as in {check:says}."""
        if not isinstance(key, str) or self.source.text[start : start + 1] in {'"', "'"}:
            return key, None
        name, _, value = key.partition(":")
        if not name or not value:
            return key, None
        detail = f"write `{shorten(name)}: {shorten(value)}`: without the space, all of it is a key"
        self._fault("colon-without-space", detail, start, end)
        return name, self._resolved(value, start, end)

    def _resolved(self, text: str, start: int, end: int) -> Any:
        try:
            return resolve(text)
        except NumberError as error:
            self._fault("bad-number", str(error), start, end)
            return 0

    def _tagged(self, tag: str, text: str, start: int, end: int) -> Any:
        name = tag.removeprefix(STANDARD_TAG)
        if tag == "!" or name == "str":
            return text
        wanted = TAGGED_TYPES.get(name) if name != tag else None
        if wanted is None:
            self._fault("unknown-tag", f"{tag_name(tag)} is not known here; remove it", start, end)
            return text
        value = self._resolved(text, start, end)
        if not isinstance(value, wanted) or (isinstance(value, bool) and name != "bool"):
            self._fault("unknown-tag", f"this is not what !!{name} says it is", start, end)
        return float(value) if name == "float" and isinstance(value, int) else value

    def _check_escapes(self, event: _Event) -> None:
        """What is written as it is was seen by the parser."""
        if event.style == '"' and NOT_IN_YAML.search(event.value):
            start, end = event.start_mark.index, event.end_mark.index
            self._fault("control-character", control_escape(self.source.text[start:end]), start, end)

    # Aliases

    def _anchor(self, name: str, value: Any, start: int) -> None:
        self.anchors[name] = value
        self.anchored += 1
        if self.anchored > MAX_ANCHORS:
            detail = f"a file may have {MAX_ANCHORS:,} anchors; write values out, or split it"
            self._fault("too-many-nodes", detail, start, start + 1)
            raise _Stop

    def _aliased(self, name: str, start: int, end: int) -> Any:
        if name not in self.anchors:
            meant = self.reporter.searches.nearest(name, self.anchors)  # read as it is meant
            detail, below = no_anchor(self.source, name, end, meant)
            self.reporter.error("bad-alias", detail, self.source.span(start, end), *below)
            if meant is None or self.anchors[meant] is _UNUSABLE:
                return None
            name = meant
        value = self.anchors[name]
        if value is _UNUSABLE:
            self._fault("bad-alias", f"*{shorten(name)} would contain itself", start, end)
            return None
        nodes, levels = self._measured(value)
        self.room -= nodes - 1
        if self.levels + levels > MAX_DEPTH:
            self._fault("too-much-nesting", f"{TOO_DEEP}: this alias stands for some of them", start, end)
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

    # Faults

    def _fault(self, code: str, detail: str, start: int, end: int) -> None:
        self.reporter.error(code, detail, self.source.span(start, end))

    def _too_many(self, start: int) -> NoReturn:
        detail = f"a file may hold {MAX_NODES:,} values, each alias counted as what it stands for; split it"
        self._fault("too-many-nodes", detail, start, start + 1)
        raise _Stop

    def _not_a_key(self, start: int, end: int) -> _Unusable:
        self._fault("key-not-text", *not_a_key(self.source.text, start, end))
        return _UNUSABLE


_READERS: dict[type[_Event], Callable[[_Builder, _Event], tuple[Any, int, int]]] = {
    events.MappingStartEvent: _Builder.mapping,
    events.SequenceStartEvent: _Builder.items,
    events.ScalarEvent: _Builder.leaf,
    events.AliasEvent: _Builder.leaf,
}
"""What reads a value, and tells its marks, by the event that it begins with."""
