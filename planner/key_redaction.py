r"""Replaces keys in everything that planner prints or writes.

Finds a key in upper or lower case, one that is split over lines or by a table, with characters written as `%5F`,
`\u005f` or `&#95;`, in hexadecimal, and its base64 and base32 forms, also inside a longer such text (`Authorization:
Basic …`).
"""

from __future__ import annotations

import re
from base64 import b32encode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

REPLACEMENT: Final = "[redacted]"
SHORTEST_KEY: Final = 8
"""Shorter values are not redacted: they may be words."""
_LONGEST_PIECE: Final = 64
_MOST_PIECES: Final = 8
"""A long key is searched for in pieces."""

_ANCHOR: Final = 12
_TOKEN: Final = re.compile(r"[\w.~+/=-]{20,64}")
"""A token that was cut short is found by its first or last characters."""

_NAMES: Final = re.compile(r"THUNDERPHONE_API_KEY|INPUT_GITHUB[-_]TOKEN")
_PREFIXES: Final = (
    *("ACTIONS_", "AWS_", "AZURE_", "BUILDKITE_", "CI_", "GCP_", "GH_", "GITHUB_", "GOOGLE_", "PLANNER_"),
)
_SECRET: Final = re.compile(r"(?:^|_)(?:\w*KEY|SECRET|TOKEN|PASSWORD|SAS|CREDENTIALS?|JWT)(?:_|$)")
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")

_BETWEEN: Final = (
    r"(?:[\s│|\\\u00AD\u034F\u200B-\u200F\u2060]|=\r?\n|</?[a-zA-Z]\w{0,10}>|\\[nrt]"
    r"|\\u(?:00[aA][dD]|000[9aAdD]|200[b-fB-F]|2060|2502)|%(?:0[9aAdD]|20)"
    r"|&#(?:10|13|32);|<br ?/?>|(?:\x1b|\\u001[bB])\[[0-9;]*m)*"
)
"""What may be between two characters: line ends, tables, colours, escapes."""
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}

_NAMED: Final = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}
_ESCAPED_GAPS: Final = (b"\\n", b"\\r", b"\\t")
_GAPS: Final = b" \t\r\n\x0b\x0c|\\"
_WIDE_GAP: Final = re.compile(
    rb"=\r?\n|</?[a-zA-Z]\w{0,10}>|\xe2\x94\x82|\xc2\xad|\xcd\x8f|\xe2\x80[\x8b-\x8f]|\xe2\x81\xa0"
    rb"|<br ?/?>|\x1b\[[0-9;]*m"  # those of _BETWEEN, as UTF-8
)
_ESCAPE: Final = re.compile(
    rb"\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})|&#[xX]0*([0-9A-Fa-f]{1,6});|&#0*([0-9]{1,7});"
    rb"|%([0-9A-Fa-f]{2})|&(amp|lt|gt|quot|apos);"
)


class KeyRedactor:
    """Replaces keys in strings. Searches a plain form of each text first, since few strings contain a key."""

    def __init__(self, keys: Iterable[str]) -> None:
        pieces = dict.fromkeys(piece for key in keys for piece in _pieces(key.strip()))
        self._wanted = [
            (form.lower().encode(), _BETWEEN.join(map(_character if form == piece else _encoded_character, form)))
            for piece in pieces
            for form in (piece, *_encoded(piece.encode()))
        ]
        """What to find in the plain form of a string, and the expression for it in the text itself."""
        self._wanted += [part for piece in pieces if _TOKEN.fullmatch(piece) for part in _cut_short(piece)]

    def __bool__(self) -> bool:
        """Whether there is any key."""
        return bool(self._wanted)

    def text(self, text: str) -> str:
        return self.sub(REPLACEMENT, text)

    def data(self, data: bytes) -> bytes:
        """Redact bytes, which may be invalid UTF-8."""
        if not self._found(data):
            return data
        return self.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def sub(self, repl: str, string: str, /) -> str:
        """Like `re.Pattern.sub`, so that it can be used as a pattern."""
        if not self._wanted or not (found := self._found(string.encode("utf-8", "surrogatepass"))):
            return string
        for expression in found:
            # With the backslash of an escape, or the rest would be invalid JSON.
            string = re.compile(r"\\*" + expression, re.ASCII | re.IGNORECASE).sub(lambda _: repl, string)
        # The key is there, but in an unknown form: return no text rather than a key.
        return repl if self._found(string.encode("utf-8", "surrogatepass")) else string

    def _found(self, data: bytes) -> list[str]:
        """The expressions for the keys in it."""
        if not self._wanted:
            return []
        plain = _plain(data).lower()
        return [expression for wanted, expression in self._wanted if wanted in plain]


def _plain(data: bytes) -> bytes:
    """The text without what may be between characters, and with decoded escapes."""
    if b"\\u" in data or b"\\x" in data or b"%" in data or b"&" in data:
        data = _ESCAPE.sub(_meant, data)
    if b"\x1b" in data or b"<" in data or b"=" in data or not data.isascii():
        data = _WIDE_GAP.sub(b"", data)
    if b"\\" in data:
        for gap in _ESCAPED_GAPS:
            data = data.replace(gap, b"")
    return data.translate(None, _GAPS)


def _meant(found: re.Match[bytes]) -> bytes:
    if found[6] is not None:
        return _NAMED[found[6]]
    code = int(found[4]) if found[4] is not None else int(found[1] or found[2] or found[3] or found[5], 16)
    return chr(code).encode("utf-8", "surrogatepass") if code < 0x110000 else b""


NO_KEYS: Final = KeyRedactor(())


def keys_of(environ: Mapping[str, str]) -> KeyRedactor:
    """The keys of the service, the judge, GitHub and the stores in the environment."""
    return KeyRedactor(_values(environ))


def _values(environ: Mapping[str, str]) -> Iterator[str]:
    for name, value in environ.items():
        upper = name.upper()
        if _NAMES.fullmatch(upper) or (upper.startswith(_PREFIXES) and _SECRET.search(upper)):
            yield value
        elif upper in _PROXIES and "@" in value:
            try:
                yield urlsplit(value).password or ""
            except ValueError:
                continue


def _pieces(key: str) -> Iterator[str]:
    """The lines of a key, and the parts of long lines."""
    if len(key) < SHORTEST_KEY or "/" in key[:1]:  # the path of a file with keys is not a key
        return
    for line in key.splitlines():
        if line.startswith("-----") or len(line) < SHORTEST_KEY:
            continue
        if len(line) <= 2 * _LONGEST_PIECE:
            yield line
            continue
        starts = range(0, len(line), _LONGEST_PIECE)
        found = [line[start : start + _LONGEST_PIECE] for start in starts]
        yield from [piece for piece in found if len(piece) >= SHORTEST_KEY][:_MOST_PIECES]


def _cut_short(token: str) -> Iterator[tuple[bytes, str]]:
    """The first and the last characters of a token, each with as much of the rest as there is."""
    first, last = token[:_ANCHOR], token[-_ANCHOR:]
    rest = "".join(f"(?:{_BETWEEN}{_character(character)}" for character in token[_ANCHOR:])
    yield first.lower().encode(), _BETWEEN.join(map(_character, first)) + rest + ")?" * (len(token) - _ANCHOR)
    start = "".join(f"{_character(character)}{_BETWEEN})?" for character in token[:-_ANCHOR])
    yield last.lower().encode(), "(?:" * (len(token) - _ANCHOR) + start + _BETWEEN.join(map(_character, last))


def _character(character: str) -> str:
    """The character in every way that a server or a report may write it."""
    code = ord(character)
    percent = "".join(f"%{byte:02x}" for byte in character.encode())
    escapes = rf"(?i:\\u{code:04x}|\\x{code:02x}|&#0*{code};|&#x0*{code:x};|{percent})"
    entity = f"|{_ENTITIES[character]}" if character in _ENTITIES else ""
    return f"(?:{re.escape(character)}|{escapes}{entity})"


def _encoded_character(character: str) -> str:
    return {"+": r"(?:\+|(?i:%2b))", "/": "(?:/|(?i:%2f))"}.get(character, re.escape(character))


def _encoded(key: bytes) -> Iterator[str]:
    """The key as it is inside longer strings in base64, base32 and hexadecimal."""
    for form in _inner_parts(key, b64encode, (3, 6)):
        yield from dict.fromkeys((form, form.replace("+", "-").replace("/", "_")))
    yield from _inner_parts(key, b32encode, (5, 5))
    yield from (key.hex(separator) for separator in ":-")
    yield key.hex()


def _inner_parts(key: bytes, encode: Callable[[bytes], bytes], sizes: tuple[int, int]) -> Iterator[str]:
    """The part of the encoding that depends on the key alone, for each position in a group of bytes. `sizes`: bytes of
    a group, bits of a character."""
    group, bits = sizes
    for before in range(group):
        written = encode(b"\0" * before + key).decode().rstrip("=")
        first = -(-before * 8 // bits)  # earlier characters depend on what is before the key
        last = (before + len(key)) * 8 // bits
        found = written[first:last]
        if len(found) >= SHORTEST_KEY:
            yield found
