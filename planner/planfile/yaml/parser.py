"""Events of a YAML parser to values with places, in one pass, within bounds."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Callable
from typing import Any, Final

from ruamel.yaml import YAMLError, events

from planner.diagnostics import Related, Severity
from planner.planfile.text import Searches, describe, shorten
from planner.planfile.yaml.document import Items, Problem, Source, YamlMapping

MAX_NUMBER_LENGTH = 100
"""Converting longer numbers takes quadratic time."""
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_PREFIXED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = frozenset(f"{sign}.{word}" for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")) | frozenset(
    (".nan", ".NaN", ".NAN")
)
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS = frozenset("-+.0123456789")
NOT_TEXT_STARTS = _NUMBER_STARTS | frozenset("~nNtTfF")
"""An unquoted scalar that starts with another character is text."""


class NumberError(ValueError):
    """The scalar is a number that cannot be used. The message says why."""


def resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar. Raises `NumberError` for infinity, not-a-number and endless digits."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if text in _NOT_FINITE:
        raise NumberError(f"{text} is not a finite number; write an ordinary number, or quote it")
    integer, prefixed = _INTEGER.match(text), _PREFIXED.match(text)
    if not integer and not prefixed and not _FLOAT.match(text):
        return text
    if len(text) > MAX_NUMBER_LENGTH:
        raise NumberError(f"a number of {len(text):,} digits cannot be used; quote it if it is meant as text")
    if integer or prefixed:
        return int(text, 0 if prefixed else 10)
    value = float(text)
    if not math.isfinite(value):
        raise NumberError(f"{text} is too large for a number")
    return value


MAX_NODES = 1_000_000
MAX_DEPTH = 64
MAX_ANCHORS = 10_000
MAX_PROBLEMS = 1_000


NOT_IN_YAML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that YAML forbids (https://yaml.org/spec/1.2.2/#51-character-set)."""
OTHER_SPACES = "\u00a0\u2002\u2003\u2007\u2009\u200b\u202f\u3000\ufeff"


class _StopError(Exception):
    """Ends parsing after a problem was added."""


class _Unusable:
    """Replaces a key that cannot be used, and an anchored container that is not complete yet."""


_UNUSABLE: Final = _Unusable()
_MERGE: Final = _Unusable()
"""The key `<<`."""
_TAG_PREFIX = "tag:yaml.org,2002:"
_TEMPLATE = re.compile(r"\{\{[^{}\n]*[A-Za-z_][^{}\n]*\}\}")
_CUT = re.compile(r" +(#(?=[0-9A-Za-z])([^\n]*))")
_JOINED = re.compile(r"[^\n]*\n( +)- ")
_Event = Any
_Read = tuple[Any, int, int]
"""A value, and the offsets of its start and end."""


class Parser:
    """Reads events by recursive descent."""

    def __init__(self, source: Source, next_event: Callable[[], _Event], *, pure: bool = False) -> None:
        self.source = source
        self.text = source.text
        self.next_event = next_event
        self.pure = pure
        self.sound = True
        self.problems: list[Problem] = []
        self.found: YamlMapping | None = None
        self.room = MAX_NODES
        self.levels = 0
        self.anchors: dict[str, Any] = {}
        self.anchored = 0
        self.searches = Searches()
        self.sizes: dict[int, tuple[Any, int, int]] = {}
        """Nodes and levels of anchored containers, by identity; the container is kept so that its identity is."""

    def run(self) -> Exception | None:
        """Read the file into `found`. Returns the parser's error if this is no YAML."""
        try:
            self.found = self._document()
        except _StopError:
            return None
        except (YAMLError, AssertionError, ValueError) as error:  # the slow parser has assertions
            return error
        return None

    def _document(self) -> YamlMapping | None:
        found: list[_Read] = []
        for event in iter(self.next_event, None):
            kind = event.__class__
            if kind is events.DocumentStartEvent:
                start: int = event.start_mark.index
                if found:
                    self._add(
                        "several-documents", "a second document starts here; put it into its own file", start, start + 3
                    )
                    raise _StopError
                if event.version is not None and tuple(event.version) != (1, 2):
                    start = max(0, self.text.find("%YAML"))
                    self._add("yaml-version", "remove this line: plans are YAML 1.2", start, start + len("%YAML 1.1"))
            elif kind in {events.MappingStartEvent, events.SequenceStartEvent, events.ScalarEvent, events.AliasEvent}:
                found.append(self._value(event))
        if not found:
            message = "there is nothing in this file; write a plan, or delete it"
            self.problems.append(Problem("empty-file", message, self.source.whole()))
            return None
        root, start, end = found[0]
        if not self.sound:
            return None
        if not isinstance(root, YamlMapping):
            self._add("wrong-type", f"a file is a mapping of keys to values, but this is {describe(root)}", start, end)
            return None
        self.source.top = start, end
        return root

    def _value(self, event: _Event) -> _Read:
        kind = event.__class__
        start: int = event.start_mark.index
        end: int = event.end_mark.index
        if kind is events.ScalarEvent:
            return self._scalar(event, start, end), start, end
        if kind is events.MappingStartEvent:
            return self._mapping(event)
        if kind is events.SequenceStartEvent:
            return self._items(event)
        return self._aliased(event.anchor, start, end), start, end

    def _scalar(self, event: _Event, start: int, end: int) -> Any:
        value: Any = event.value
        if event.ctag is not None:
            self._check_tag(str(event.ctag), "str", start, end)
        elif event.implicit[0]:
            if not value or value[0] in NOT_TEXT_STARTS:
                value = self._resolved(value, start, end)
            if value.__class__ is str:
                self._check_plain(value, start, end)
        elif event.style == '"' and NOT_IN_YAML.search(value):
            message = "this text has a control character, written as an escape; if it is a pattern, use single quotes"
            self._add("control-character", message, start, end)
        if event.anchor is not None:
            self._anchor(event.anchor, value, start)
        return value

    def _resolved(self, text: str, start: int, end: int) -> Any:
        try:
            return resolve(text)
        except NumberError as error:
            self._add("bad-number", str(error), start, end)
            return 0

    def _check_plain(self, value: str, start: int, end: int) -> None:
        """Report unquoted strings that YAML reads in another way than they look."""
        if self.pure and value.endswith(":"):  # only the C parser refuses it
            self._add("yaml-syntax", "write a space and a value after a colon; or quote the text", end - 1)
            self.sound = False
        cut = _CUT.match(self.text, end)
        if cut is not None and "\n" not in self.text[start:end] and (cut[2][:1].isdigit() or " " in value):
            quoted = shorten(self.text[start : cut.end()], 40)
            message = f'the text ends before the #: quote all of it, "{quoted}"; or write a space after the #'
            self._warn(message, *cut.span(1))
        joined = _JOINED.match(self.text, start, end)
        if joined is not None and not self.text.startswith(joined[1], self.text.rfind("\n", 0, start) + 1):
            message = (
                f'this is one string, "{shorten(value, 40)}": align the items, or quote a string that contains " - "'
            )
            self._warn(message, joined.end() - 2, joined.end() - 1)

    def _mapping(self, opening: _Event) -> _Read:
        start = end = self._open(opening, "map")
        container = YamlMapping(self.source)
        spots: list[int] = []
        merged: list[_Read] = []
        while (event := self.next_event()).__class__ is not events.MappingEndEvent:
            key, key_start, key_end = self._key(event)
            key = self._unique(container, spots, key, (key_start, key_end))
            value, value_start, end = self._value(self.next_event())
            if value is None and key.__class__ is str and ":" in key:
                key, value = self._split_at_colon(key, key_start, key_end)
                key = self._unique(container, spots, key, (key_start, key_end))
            self._count(2, value_start)
            if isinstance(key, str):
                container[key] = value
                spots += (key_start, key_end, value_start, end)
            elif key is _MERGE:
                merged.append((value, value_start, end))
        container.spots = array("I", spots)
        if merged:
            self._merge(container, merged)
        read = self._close(opening, event, container, start, end)
        if not container and _TEMPLATE.fullmatch(self.text[start : read[2]]):
            return self.text[start : read[2]], start, read[2]  # a template without quotes, which was reported
        return read

    def _items(self, opening: _Event) -> _Read:
        start = end = self._open(opening, "seq")
        container = Items(self.source)
        spots: list[int] = []
        while (event := self.next_event()).__class__ is not events.SequenceEndEvent:
            value, value_start, end = self._value(event)
            self._count(1, value_start)
            container.append(value)
            spots += (value_start, end)
        container.spots = array("I", spots)
        return self._close(opening, event, container, start, end)

    def _open(self, event: _Event, kind: str) -> int:
        start: int = event.start_mark.index
        self.levels += 1
        if self.levels > MAX_DEPTH:
            message = f"this is more than {MAX_DEPTH} levels deep; look for a bracket that is not closed"
            self._add("too-much-nesting", message, start)
            raise _StopError
        if event.ctag is not None:
            self._check_tag(str(event.ctag), kind, start, start + 1)
        if event.anchor is not None:
            self._anchor(event.anchor, _UNUSABLE, start)
        return start

    def _close(self, opening: _Event, closing: _Event, container: YamlMapping | Items, start: int, end: int) -> _Read:
        self.levels -= 1
        if opening.anchor is not None:
            self.anchors[opening.anchor] = container
        close: int = closing.end_mark.index  # a block ends with its last value, not at the next token
        return container, start, end if closing.start_mark.index == close else close

    def _check_tag(self, tag: str, expected: str, start: int, end: int) -> None:
        if tag not in {"!", _TAG_PREFIX + expected}:
            shown = f"!!{tag.removeprefix(_TAG_PREFIX)}" if tag.startswith(_TAG_PREFIX) else tag
            self._add("unknown-tag", f"{shorten(shown)} is not an allowed tag; remove it, or quote this", start, end)

    def _key(self, event: _Event) -> tuple[Any, int, int]:
        start: int = event.start_mark.index
        end: int = event.end_mark.index
        if event.__class__ is events.ScalarEvent:
            key: str = event.value
            if event.anchor is not None:
                self._anchor(event.anchor, key, start)
            if key == "<<" and event.implicit[0]:
                return _MERGE, start, end
            if not key and event.implicit[0]:
                self._add("key-not-string", "a key is missing before this colon", start)
                return _UNUSABLE, start, end
            if key[:1] in OTHER_SPACES and key and self.text[start] == key[0]:
                self._add("yaml-syntax", bad_indentation(key), start)
                self.sound = False
            return key, start, end
        value, start, end = self._value(event)
        if isinstance(value, str):
            return value, start, end
        message = (
            "a key must be a string, not a mapping, a list or an alias; to merge an anchor's keys, write <<: *NAME"
        )
        if self.text.startswith("{{", start):
            start, end = start + 1, end - 1
        if self.text[start - 1 : start + 1] == "{{":
            start, end = start - 1, min(end + 1, len(self.text))
            message = f'YAML reads this as a mapping; quote the template: "{shorten(self.text[start:end])}"'
        self._add("key-not-string", message, start, end)
        return _UNUSABLE, start, end

    def _split_at_colon(self, key: str, start: int, end: int) -> tuple[str, Any]:
        """A key without a value that has a colon in it, as in {check:says}: reported, and read as it is meant."""
        name, _, value = key.partition(":")
        if not name or not value or self.text[start : start + 1] in {'"', "'"}:
            return key, None
        self._add("colon-without-space", f"write `{shorten(name)}: {shorten(value)}`, with a space", start, end)
        return name, self._resolved(value, start, end)

    def _anchor(self, name: str, value: Any, start: int) -> None:
        self.anchors[name] = value
        self.anchored += 1
        if self.anchored > MAX_ANCHORS:
            message = f"a file may have {MAX_ANCHORS:,} anchors; write values out, or split it"
            self._add("too-many-nodes", message, start)
            raise _StopError

    def _aliased(self, name: str, start: int, end: int) -> Any:
        if name not in self.anchors:
            meant = self.searches.nearest(name, self.anchors)
            hint = f"did you mean *{meant}?" if meant else "write it first, or quote this text"
            self._add("bad-alias", f"there is no anchor &{shorten(name)} above; {hint}", start, end)
            return None
        value = self.anchors[name]
        if value is _UNUSABLE:
            self._add("bad-alias", f"*{shorten(name)} would contain itself", start, end)
            return None
        nodes, levels = self._measured(value)
        self.room -= nodes - 1
        if self.levels + levels > MAX_DEPTH:
            message = f"a file may be nested {MAX_DEPTH} levels deep; this alias adds some of them"
            self._add("too-much-nesting", message, start, end)
            raise _StopError
        return value

    def _measured(self, value: Any) -> tuple[int, int]:
        """Nodes and levels of a value with aliases expanded; each container is measured once."""
        if not isinstance(value, (YamlMapping, Items)):
            return 1, 0
        known = self.sizes.get(id(value))
        if known is None:
            below = [self._measured(item) for item in (value.values() if isinstance(value, YamlMapping) else value)]
            nodes = 1 + sum(size for size, _ in below) + (len(value) if isinstance(value, YamlMapping) else 0)
            known = self.sizes[id(value)] = (value, nodes, 1 + max((levels for _, levels in below), default=0))
        return known[1], known[2]

    def _merge(self, container: YamlMapping, merged: list[_Read]) -> None:
        """`<<`: keys that the container lacks come from the merged mappings; the first that has a key wins."""
        if len(merged) > 1:
            message = "`<<` is written twice in this mapping; write one, with a list, such as <<: [*one, *other]"
            first = Related("the first one", self.source.span(*merged[0][1:]))
            self._add("duplicate-key", message, *merged[1][1:], related=(first,))
        entries: dict[str, tuple[Any, tuple[int, int, int, int]]] = {}
        for value, start, end in merged:
            for mapping in value if isinstance(value, Items) else [value]:
                if isinstance(mapping, YamlMapping):
                    for key in mapping:
                        entries.setdefault(key, (mapping[key], mapping.mark(key)))
                    continue
                container.incomplete = True
                message = f"<< takes a mapping, or a list of mappings, but it is {describe(mapping)}; write <<: *NAME"
                self._add("bad-alias", message, start, end)
        entries |= {key: (value, container.mark(key)) for key, value in container.items()}
        container.clear()
        for key, (value, mark) in entries.items():
            container.put(key, value, mark)

    def _unique(self, container: YamlMapping, spots: list[int], key: Any, place: tuple[int, int]) -> Any:
        """The key if it is not a duplicate. Only the first one is reported: many mean that a mapping's start is
        missing."""
        if key not in container:
            return key
        if not container.incomplete:
            container.incomplete = True
            first = 4 * list(container).index(key)
            related = Related("the first one", self.source.span(spots[first], spots[first + 1]))
            message = (
                f"`{shorten(key)}` is written twice in this mapping; keep one, or add the missing name or `- ` above"
            )
            self._add("duplicate-key", message, *place, related=(related,))
        return _UNUSABLE

    def _count(self, nodes: int, start: int) -> None:
        self.room -= nodes
        if self.room < 0:
            message = f"a file may hold {MAX_NODES:,} values, each alias counted as what it refers to; split it"
            self._add("too-many-nodes", message, start)
            raise _StopError

    def _warn(self, message: str, start: int, end: int) -> None:
        self.problems.append(Problem("not-as-it-looks", message, self.source.span(start, end), (), Severity.WARNING))

    def _add(
        self, code: str, message: str, start: int, end: int | None = None, *, related: tuple[Related, ...] = ()
    ) -> None:
        place = self.source.span(start, start + 1 if end is None else end)
        if self.problems and (self.problems[-1].code, self.problems[-1].span) == (code, place):
            return  # each brace of {{ x }} begins a mapping
        self.problems.append(Problem(code, message, place, related))
        if len(self.problems) > MAX_PROBLEMS:
            raise _StopError


def bad_indentation(space: str) -> str:
    """The fix for a line that is indented with a character that YAML does not count as a space."""
    return f"this line is indented with U+{ord(space[0]):04X}; use ordinary spaces"
