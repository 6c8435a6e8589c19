r"""Which parts of a regular expression no text can ever reach: `$5` asks for a 5 after the end of the text.

What anchors and `\b` ask for depends on no more than the character before a place and the one after it, and of those on
no more than their kinds. So a part of a pattern is a relation between the places where it may begin and those where it may
end, and relations are joined as the parts are. Exact but for sets of characters beyond ASCII, which count as of all kinds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

Relation = tuple[int, ...]
"""For each place where a part begins, the places where it may end, a bit each."""

_EDGE, _BREAK, _WORD, _OTHER = range(4)
"""Kinds of what is beside a place: nothing (the edge of the text), a line break, a letter, digit or _ of ASCII, the rest."""
_KINDS = 4
_PLACES: Final = [(before, after) for before in range(_KINDS) for after in range(_KINDS)]

_NOTHING: Final[Relation] = (0,) * len(_PLACES)
_HERE: Final[Relation] = tuple(1 << place for place in range(len(_PLACES)))
_FOLDED_BEYOND_ASCII = frozenset("kKsS\u212a\u017f")
"""Letters that equal one of the other kind where case is ignored."""

_TOKEN = re.compile(
    r"""
      \\Q(?P<quoted>.*?)(?:\\E|\Z)
    | (?P<set>\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|\.|\\[CdDsSwW]|\\[pP](?:\{[^}]*\}|.))
    | (?P<open>\((?:\?(?:P?<[^>]*>|(?P<flags>[a-zA-Z]*(?:-[a-zA-Z]*)?)(?P<scope>[:)])))?)
    | (?P<close>\))
    | (?P<or>\|)
    | (?P<repeat>(?P<sign>[*+?])\??|\{(?P<least>\d+)(?P<range>,(?P<most>\d*))?\}\??)
    | (?P<assertion>[\^$]|\\[AzbB])
    | \\(?P<escaped>x\{[0-9A-Fa-f]+\}|x[0-9A-Fa-f]{2}|[0-7]{1,3}|.)
    | (?P<run>[A-Za-z0-9_]+(?![*+?{]))
    | (?P<character>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r"\^?(?:[^\\^$\[]|\\[^AzbBPQ]|\[(?:\\[^PQ]|[^\\^\[\]])+\])*\$?")
"""Nothing in it can fail to hold: anchors at the outermost ends only. So it is with nearly all patterns."""
_INNER_SIGN = re.compile(r"\(\?[a-zA-Z-]*\)\^?|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(?<=[^(|:])\^|\$(?![)|]|\Z)", re.DOTALL)
"""Signs that are anchors where none belongs, and what is passed over because a sign in it is none."""
_CONTROL = str.maketrans("ntrfva", "\n\t\r\f\v\a")
"""What a letter stands for behind a backslash."""


@dataclass(slots=True)
class _Group:
    """A group that is being read."""

    flags: frozenset[str]
    start: int
    """Where the alternative begins that is being read."""
    others: list[Relation] = field(default_factory=list[Relation])
    before: Relation = _HERE
    last: Relation = _HERE

    def add(self, part: Relation) -> None:
        self.before, self.last = _then(self.before, self.last), part


def unreachable(pattern: str, characters: Callable[[str], str]) -> str | None:
    """The first alternative, or the whole of the pattern, that matches no text at all; None where there is none.

    The pattern is one that RE2 reads; `characters` tells which ones of ASCII a set of it has, with others behind them
    where it may have some beyond.
    """
    return None if _PLAIN.fullmatch(pattern) else _first_dead(pattern, characters)


def with_signs_escaped(pattern: str) -> str:
    """The pattern with those `$` and `^` escaped that stand amid others, where they can hardly mean an edge."""
    return _INNER_SIGN.sub(lambda found: f"\\{found[0]}" if found[0] in {"^", "$"} else found[0], pattern)


def _first_dead(pattern: str, characters: Callable[[str], str]) -> str | None:
    dead: list[tuple[int, int]] = []
    open_groups = [_Group(frozenset(), 0)]
    for token in _TOKEN.finditer(pattern):
        group = open_groups[-1]
        if token["quoted"] is not None:
            for character in token["quoted"]:
                group.add(_character(character, group.flags))
        elif token["set"] is not None:
            flags = "".join(sorted(group.flags & {"i", "s"}))
            found = characters(f"(?{flags}:{token['set']})")
            group.add(_consuming(frozenset(map(_kind, found))))
        elif token["open"] is not None:
            if token["scope"] == ")":
                group.flags = _changed(group.flags, token["flags"])
            else:
                open_groups.append(_Group(_changed(group.flags, token["flags"] or ""), token.end()))
        elif token["close"] is not None or token["or"] is not None:
            group.others.append(_then(group.before, group.last))
            if group.others[-1] == _NOTHING:
                dead.append((group.start, token.start()))
            if token["close"] is not None:
                open_groups.pop()
                open_groups[-1].add(_either(group.others))
            else:
                open_groups[-1] = replace(group, start=token.end(), before=_HERE, last=_HERE)
        elif token["repeat"] is not None:
            group.last = _repeated(group.last, token)
        elif token["assertion"] is not None:
            group.add(_asserting(token["assertion"], "m" in group.flags))
        elif token["escaped"] is not None:
            group.add(_character(_unescaped(token["escaped"]), group.flags))
        else:
            group.add(_character(token["run"] or token["character"], group.flags))
    (whole,) = open_groups
    whole.others.append(_then(whole.before, whole.last))
    if _either(whole.others) == _NOTHING:
        return pattern
    if whole.others[-1] == _NOTHING:
        dead.append((whole.start, len(pattern)))
    return pattern[slice(*dead[0])] if dead else None


def _changed(flags: frozenset[str], written: str) -> frozenset[str]:
    on, _, off = written.partition("-")
    return (flags | set(on)) - set(off)


def _kind(character: str) -> int:
    if character == "\n":
        return _BREAK
    return _WORD if character.isascii() and (character.isalnum() or character == "_") else _OTHER


def _character(text: str, flags: frozenset[str]) -> Relation:
    """Of one character, or of several of one kind, which is the same."""
    kinds = frozenset({_kind(text[0])})
    folds = "i" in flags and not _FOLDED_BEYOND_ASCII.isdisjoint((text[0], text[-1]))
    return _consuming(kinds | {_WORD, _OTHER} if folds else kinds)


def _unescaped(escape: str) -> str:
    if escape[0] == "x":
        return chr(int(escape[1:].strip("{}"), 16))
    if escape[0] in "01234567":
        return chr(int(escape, 8))
    return escape.translate(_CONTROL)


@lru_cache(maxsize=16)
def _consuming(kinds: frozenset[int]) -> Relation:
    """What takes one character of these kinds: whatever was after it, anything may be after the next place."""
    ends = {after: sum(1 << _PLACES.index((after, next_)) for next_ in range(_KINDS)) for after in kinds}
    return tuple(ends.get(after, 0) for _, after in _PLACES)


@lru_cache(maxsize=16)
def _asserting(sign: str, by_line: bool) -> Relation:
    def holds(before: int, after: int) -> bool:
        match sign:
            case "^" if by_line:
                return before in {_EDGE, _BREAK}
            case "$" if by_line:
                return after in {_EDGE, _BREAK}
            case "^" | "\\A":
                return before == _EDGE
            case "$" | "\\z":
                return after == _EDGE
            case _:
                return ((before == _WORD) is not (after == _WORD)) is (sign == "\\b")

    return tuple(1 << place if holds(*_PLACES[place]) else 0 for place in range(len(_PLACES)))


@lru_cache(maxsize=4096)
def _then(one: Relation, other: Relation) -> Relation:
    if one is _HERE:
        return other
    return tuple(_ends(places, other) for places in one)


def _ends(places: int, part: Relation) -> int:
    found = 0
    for place, ends in enumerate(part):
        if places >> place & 1:
            found |= ends
    return found


def _either(parts: list[Relation]) -> Relation:
    found = parts[0]
    for part in parts[1:]:
        found = tuple(a | b for a, b in zip(found, part, strict=True))
    return found


def _repeated(part: Relation, token: re.Match[str]) -> Relation:
    optional = _either([_HERE, part])
    match token["sign"]:
        case "?":
            return optional
        case "*":
            return _power(optional, len(_PLACES))
        case "+":
            return _then(part, _power(optional, len(_PLACES)))
        case _:
            least = int(token["least"])
            more = 0 if token["range"] is None else int(token["most"]) - least if token["most"] else len(_PLACES)
            return _then(_power(part, least), _power(optional, more))


def _power(part: Relation, times: int) -> Relation:
    """As often as that. What may also be left out reaches all it ever does in as many steps as there are places."""
    found = _HERE
    while times:
        if times % 2:
            found = _then(found, part)
        part, times = _then(part, part), times // 2
    return found
