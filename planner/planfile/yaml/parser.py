"""Events of a YAML parser to a `Document`, in one pass, within bounds."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from typing import Any, Final, NoReturn

from ruamel.yaml import YAMLError, events

from planner.diagnostics import Related
from planner.planfile.text import Searches, describe, shorten
from planner.planfile.yaml.document import Document, Items, Mapping, Problem
from planner.planfile.yaml.scalars import NOT_TEXT_STARTS, STANDARD_TAG, TAGGED_TYPES, NumberError, resolve, tag_name
from planner.planfile.yaml.source import Source
from planner.planfile.yaml.syntax import NOT_IN_YAML, ODD_SPACES, control_escape, odd_indentation

MAX_NODES = 1_000_000
MAX_DEPTH = 64
MAX_ANCHORS = 10_000


class _StopError(Exception):
    """Ends the pass, after a problem was added."""


class _Unusable:
    """Stands for a key that cannot be used, and for an anchored container that is not complete yet."""


_UNUSABLE: Final = _Unusable()
_TEMPLATE = re.compile(r"\{\{[^{}\n]*[A-Za-z_][^{}\n]*\}\}")
_MERGE: Final = _Unusable()
"""The key `<<`."""
_FEW_DIGITS = 10
_SPECIAL_KEYS = frozenset({"", "<<"})
_MANY = 1_000
"""No more problems than these are shown of a file."""
_NODES = frozenset({events.MappingStartEvent, events.SequenceStartEvent, events.ScalarEvent, events.AliasEvent})
_Event = Any
_Read = tuple[Any, int, int]
"""A value, and the offsets of its start and end."""


class Parser:
    """Reads events by recursive descent. Containers are what takes time: they read plain scalars without a call."""

    def __init__(self, source: Source, next_event: Callable[[], _Event], *, pure: bool = False) -> None:
        self.source = source
        self.next_event = next_event
        self.pure = pure
        self.ascii = source.text.isascii()
        self.sound = True
        self.problems: list[Problem] = []
        self.unreadable: list[tuple[int, int]] = []
        self.duplicates: list[tuple[Mapping, int]] = []
        self.incomplete: set[int] = set()
        self.found: Document | None = None
        self.repeated: list[tuple[Mapping, tuple[int, int], list[_Read]]] = []
        """Mappings with duplicate keys: where the first one is written first, and all that are written again."""
        self.room = MAX_NODES
        self.levels = 0
        self.anchors: dict[str, Any] = {}
        self.anchored = 0
        self.searches = Searches()
        self.sizes: dict[int, tuple[Any, int, int]] = {}
        """Nodes and levels of anchored containers, by identity; the container is kept so that its identity is."""

    def run(self) -> Exception | None:
        """Read the file into `found`. What the parser says if this is no YAML."""
        try:
            self.found = self._document()
        except _StopError:
            return None
        except (YAMLError, AssertionError, ValueError) as error:  # the slow parser has assertions
            return error
        finally:
            for container, first, repeated in self.repeated[:_MANY]:
                self._duplicates(container, first, repeated)
        return None

    def _document(self) -> Document | None:
        found: list[_Read] = []
        for event in iter(self.next_event, None):
            kind = event.__class__
            if kind is events.DocumentStartEvent:
                start: int = event.start_mark.index
                if found:
                    message = "a second document starts here; put it into its own file"
                    self._add("several-documents", message, start, start + 3)
                    raise _StopError
                if event.version is not None and tuple(event.version) != (1, 2):
                    start = max(0, self.source.text.find("%YAML"))
                    self._add("yaml-version", "remove this line: plans are YAML 1.2", start, start + len("%YAML 1.1"))
            elif kind in _NODES:
                found.append(self._value(event))
        if not found:
            message = "there is nothing in this file; write a plan, or delete it"
            self.problems.append(Problem("empty-file", message, self.source.whole()))
            return None
        root, start, end = found[0]
        if not self.sound:
            return None
        if not isinstance(root, Mapping):
            self._add("wrong-type", f"a file is a mapping of keys to values, but this is {describe(root)}", start, end)
            return None
        return Document(self.source, root, (start, end), self.unreadable, self.duplicates, self.incomplete)

    def _value(self, event: _Event) -> _Read:
        kind = event.__class__
        if kind is events.MappingStartEvent:
            return self._mapping(event)
        if kind is events.SequenceStartEvent:
            return self._items(event)
        start: int = event.start_mark.index
        end: int = event.end_mark.index
        if kind is events.AliasEvent:
            return self._aliased(event.anchor, start, end), start, end
        value: Any = event.value
        if event.ctag is not None:
            value = self._tagged(str(event.ctag), value, start, end)
        elif event.implicit[0]:
            value = self._resolved(value, start, end)
        else:
            self._check_escapes(event)
        if event.anchor is not None:
            self._anchor(event.anchor, value, start)
        return value, start, end

    def _mapping(self, opening: _Event) -> _Read:
        start = end = self._open(opening, "map")
        next_event, scalar, ascii_only = self.next_event, events.ScalarEvent, self.ascii
        container = Mapping()
        spots: list[int] = []
        merged: list[_Read] = []
        repeated: list[_Read] = []
        while (event := next_event()).__class__ is not events.MappingEndEvent:
            key: Any
            if event.__class__ is scalar and event.anchor is None and event.value not in _SPECIAL_KEYS and ascii_only:
                key, key_start, key_end = event.value, event.start_mark.index, event.end_mark.index
            else:
                key, key_start, key_end = self._key(event)
            if key in container:
                if not repeated:
                    first = 4 * list(container).index(key)
                    self.repeated.append((container, (spots[first], spots[first + 1]), repeated))
                if len(repeated) < _MANY:
                    repeated.append((key, key_start, key_end))
                key = _UNUSABLE
            event = next_event()
            if (
                event.__class__ is scalar
                and event.implicit[0]
                and event.ctag is None
                and event.anchor is None
                and event.value
            ):
                value: Any = event.value
                value_start: int = event.start_mark.index
                end = event.end_mark.index
                if value[0] in NOT_TEXT_STARTS:
                    value = self._resolved(value, value_start, end)
                elif self.pure:
                    self._check_colon(value, end)
            else:
                value, value_start, end = self._value(event)
                if value is None and key.__class__ is str and ":" in key:
                    key, value = self._glued(key, key_start, key_end)
                    if key in container:
                        key = _UNUSABLE
            self.room -= 2
            if self.room < 0:
                self._too_many(value_start)
            if key.__class__ is str:
                container[key] = value
                spots += (key_start, key_end, value_start, end)
            elif key is _MERGE:
                merged.append((value, value_start, end))
        container.spots = array("I", spots)
        if merged:
            self._merge(container, merged)
        read = self._close(opening, event, container, start, end)
        if not container and _TEMPLATE.fullmatch(self.source.text[start : read[2]]):
            return self.source.text[start : read[2]], start, read[2]  # a template without quotes, as was reported
        return read

    def _items(self, opening: _Event) -> _Read:
        start = end = self._open(opening, "seq")
        next_event, scalar = self.next_event, events.ScalarEvent
        container = Items()
        spots: list[int] = []
        while (event := next_event()).__class__ is not events.SequenceEndEvent:
            if (
                event.__class__ is scalar
                and event.implicit[0]
                and event.ctag is None
                and event.anchor is None
                and event.value
            ):
                value: Any = event.value
                value_start: int = event.start_mark.index
                end = event.end_mark.index
                if value[0] in NOT_TEXT_STARTS:
                    value = self._resolved(value, value_start, end)
                elif self.pure:
                    self._check_colon(value, end)
            else:
                value, value_start, end = self._value(event)
            self.room -= 1
            if self.room < 0:
                self._too_many(value_start)
            container.append(value)
            spots += (value_start, end)
        container.spots = array("I", spots)
        return self._close(opening, event, container, start, end)

    def _open(self, event: _Event, kind: str) -> int:
        start: int = event.start_mark.index
        self.levels += 1
        if self.levels > MAX_DEPTH:
            self._add("too-much-nesting", f"a file may have {MAX_DEPTH} levels; close a bracket before", start)
            raise _StopError
        if event.ctag is not None and str(event.ctag) not in {"!", STANDARD_TAG + kind}:
            self._unreadable("unknown-tag", f"{tag_name(str(event.ctag))} is not known here; remove it", start)
        if event.anchor is not None:
            self._anchor(event.anchor, _UNUSABLE, start)
        return start

    def _close(self, opening: _Event, closing: _Event, container: Mapping | Items, start: int, end: int) -> _Read:
        self.levels -= 1
        if opening.anchor is not None:
            self.anchors[opening.anchor] = container
        close: int = closing.end_mark.index  # a block ends with its last value, not at the next token
        return container, start, end if closing.start_mark.index == close else close

    def _key(self, event: _Event) -> tuple[str | _Unusable, int, int]:
        start: int = event.start_mark.index
        end: int = event.end_mark.index
        if event.__class__ is events.ScalarEvent:
            key: str = event.value
            if event.anchor is not None:
                self._anchor(event.anchor, key, start)
            if key == "<<" and event.implicit[0]:
                return _MERGE, start, end
            if not key and event.implicit[0]:
                self._unreadable("key-not-text", "a key is missing before this colon", start)
                return _UNUSABLE, start, end
            if not self.ascii and key and key[0] in ODD_SPACES and self.source.text[start] == key[0]:
                self._add("yaml-syntax", odd_indentation(key[0]), start)
                self.sound = False
            return key, start, end
        value, start, end = self._value(event)
        if isinstance(value, str):
            return value, start, end
        message = "a key is one text, not a mapping, a list or an alias of one"
        text = self.source.text
        if text[start : start + 1] == "*":
            message = f"to take over the keys of an anchor, write <<: {shorten(text[start:end], 40)}"
        if text.startswith("{{", start):
            start, end = start + 1, end - 1
        if text[start - 1 : start + 1] == "{{":
            start, end = start - 1, min(end + 1, len(text))
            message = f'YAML reads this as a mapping; quote the template: "{shorten(text[start:end])}"'
        self._unreadable("key-not-text", message, start, end)
        return _UNUSABLE, start, end

    def _glued(self, key: str, start: int, end: int) -> tuple[str, Any]:
        """A key without a value that has a colon in it, as in {check:says}: reported, and read as it is meant."""
        name, _, value = key.partition(":")
        if not name or not value or self.source.text[start : start + 1] in {'"', "'"}:
            return key, None
        self._add("colon-without-space", f"write `{shorten(name)}: {shorten(value)}`, with a space", start, end)
        return name, self._resolved(value, start, end)

    def _resolved(self, text: str, start: int, end: int) -> Any:
        if len(text) < _FEW_DIGITS and text.isascii() and text.isdigit():
            return int(text)
        try:
            return resolve(text)
        except NumberError as error:
            self._unreadable("bad-number", str(error), start, end)
            return 0

    def _tagged(self, tag: str, text: str, start: int, end: int) -> Any:
        name = tag.removeprefix(STANDARD_TAG)
        if tag == "!" or name == "str":
            return text
        wanted = TAGGED_TYPES.get(name) if name != tag else None
        if wanted is None:
            self._unreadable("unknown-tag", f"{tag_name(tag)} is not known here; remove it", start, end)
            return text
        value = self._resolved(text, start, end)
        if not isinstance(value, wanted) or (isinstance(value, bool) and name != "bool"):
            self._unreadable("unknown-tag", f"this is not what !!{name} says it is", start, end)
        return float(value) if name == "float" and isinstance(value, int) else value

    def _check_escapes(self, event: _Event) -> None:
        if event.style == '"' and NOT_IN_YAML.search(event.value):
            start, end = event.start_mark.index, event.end_mark.index
            self._add("control-character", control_escape(self.source.text[start:end]), start, end)

    def _check_colon(self, value: str, end: int) -> None:
        """A text between brackets that ends with a colon is a mistake, which only the C parser refuses."""
        if value.endswith(":"):
            self._add("yaml-syntax", "a space and a value follow a colon; or quote the text", end - 1)
            self.sound = False

    def _anchor(self, name: str, value: Any, start: int) -> None:
        self.anchors[name] = value
        self.anchored += 1
        if self.anchored > MAX_ANCHORS:
            self._add(
                "too-many-nodes", f"a file may have {MAX_ANCHORS:,} anchors; write values out, or split it", start
            )
            raise _StopError

    def _aliased(self, name: str, start: int, end: int) -> Any:
        if name not in self.anchors:
            meant = self.searches.nearest(name, self.anchors)
            hint = f"; did you mean *{meant}?" if meant else "; write it first, or quote this text"
            self._unreadable("bad-alias", f"there is no anchor &{shorten(name)} above{hint}", start, end)
            if meant is None or self.anchors[meant] is _UNUSABLE:
                return None
            name = meant
        value = self.anchors[name]
        if value is _UNUSABLE:
            self._unreadable("bad-alias", f"*{shorten(name)} would contain itself", start, end)
            return None
        nodes, levels = self._measured(value)
        self.room -= nodes - 1
        if self.levels + levels > MAX_DEPTH:
            message = f"a file may be nested {MAX_DEPTH} levels deep; this alias stands for some of them"
            self._add("too-much-nesting", message, start, end)
            raise _StopError
        return value

    def _measured(self, value: Any) -> tuple[int, int]:
        """Nodes and levels of a value with aliases expanded; each container is measured once."""
        if not isinstance(value, (Mapping, Items)):
            return 1, 0
        known = self.sizes.get(id(value))
        if known is None:
            below = [self._measured(item) for item in (value.values() if isinstance(value, Mapping) else value)]
            nodes = 1 + sum(size for size, _ in below) + (len(value) if isinstance(value, Mapping) else 0)
            known = self.sizes[id(value)] = (value, nodes, 1 + max((levels for _, levels in below), default=0))
        return known[1], known[2]

    def _merge(self, container: Mapping, merged: list[_Read]) -> None:
        """`<<`: keys that the container lacks come from the merged mappings; the first that has a key wins."""
        if len(merged) > 1:
            message = "`<<` is written twice in this mapping; write one, with a list, such as <<: [*one, *other]"
            first = Related("the first one", self.source.span(*merged[0][1:]))
            self.problems.append(Problem("duplicate-key", message, self.source.span(*merged[1][1:]), (first,)))
        entries: dict[str, tuple[Any, tuple[int, int, int, int]]] = {}
        for value, start, end in merged:
            for mapping in value if isinstance(value, Items) else [value]:
                if isinstance(mapping, Mapping):
                    for key in mapping:
                        entries.setdefault(key, (mapping[key], mapping.mark(key)))
                    continue
                self.incomplete.add(id(container))
                if (start, end) not in self.unreadable:  # an alias that stands for nothing was reported
                    message = (
                        f"<< takes a mapping, or a list of mappings, but it is {describe(mapping)}; write <<: *NAME"
                    )
                    self._unreadable("bad-alias", message, start, end)
        entries |= {key: (value, container.mark(key)) for key, value in container.items()}
        container.refill(entries)

    def _duplicates(self, container: Mapping, first: tuple[int, int], repeated: list[_Read]) -> None:
        """One problem per mapping: if several keys are repeated, what starts a second mapping is missing."""
        key, start, end = repeated[0]
        keys = list(dict.fromkeys(name for name, *_ in repeated))
        if len(keys) > 1:
            names = ", ".join(f"`{shorten(name, 40)}`" for name in keys[:3])
            message = f"{names} are written twice in this mapping; look for a name or a `- ` that is missing above"
        else:
            message = f"`{shorten(key)}` is written twice in this mapping; keep one"
        self.duplicates.append((container, start))
        related = Related("the first one", self.source.span(*first))
        self.problems.append(Problem("duplicate-key", message, self.source.span(start, end), (related,)))

    def _add(self, code: str, message: str, start: int, end: int | None = None) -> None:
        place = self.source.span(start, start + 1 if end is None else end)
        self.problems.append(Problem(code, message, place))
        if len(self.problems) == _MANY:
            raise _StopError

    def _unreadable(self, code: str, message: str, start: int, end: int | None = None) -> None:
        place = (start, start + 1 if end is None else end)
        if self.unreadable[-1:] != [place]:  # each brace of {{ x }} begins a mapping
            self.unreadable.append(place)
            self._add(code, message, *place)

    def _too_many(self, start: int) -> NoReturn:
        message = f"a file may hold {MAX_NODES:,} values, each alias counted as what it stands for; split it"
        self._add("too-many-nodes", message, start)
        raise _StopError
