"""Replaces keys in everything that planner prints or writes.

Finds a key as it is, in upper or lower case, split over lines or by a table, as a URL writes it, and its base64 forms,
also inside a longer such text (`Authorization: Basic …`).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import quote, urlsplit

REPLACEMENT: Final = "[redacted]"
SHORTEST_KEY: Final = 8
"""Shorter values are not redacted: they may be words."""
_LONGEST_PIECE: Final = 64
_MOST_PIECES: Final = 8
"""A long key is searched for in pieces."""

_NAMES: Final = re.compile(r"THUNDERPHONE_API_KEY|INPUT_GITHUB[-_]TOKEN")
_PREFIXES: Final = (
    *("ACTIONS_", "AWS_", "AZURE_", "BUILDKITE_", "CI_", "GCP_", "GH_", "GITHUB_", "GOOGLE_", "PLANNER_"),
)
_SECRET: Final = re.compile(r"(?:^|_)(?:\w*KEY|SECRET|TOKEN|PASSWORD|SAS|CREDENTIALS?|JWT)(?:_|$)")
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")

_BETWEEN: Final = r"(?:[\s│|]|\\n)*"
"""What may be between two characters: line ends, also in JSON, and the lines of a table."""


class KeyRedactor:
    """Replaces keys in strings. Searches a plain form of each text first, since few strings contain a key."""

    def __init__(self, keys: Iterable[str]) -> None:
        forms = dict.fromkeys(form for key in keys for piece in _pieces(key.strip()) for form in _forms(piece))
        self._wanted = [
            (form.lower().encode(), re.compile(_BETWEEN.join(map(re.escape, form)), re.IGNORECASE)) for form in forms
        ]
        """What to find in a text without what may be between, and the expression for it in the text itself."""

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
        for expression in self._found(string.encode("utf-8", "surrogatepass")):
            string = expression.sub(lambda _: repl, string)
        return string

    def _found(self, data: bytes) -> list[re.Pattern[str]]:
        """The expressions for the keys in it."""
        if not self._wanted:
            return []
        plain = data.replace("│".encode(), b"").replace(b"\\n", b"").translate(None, b" \t\r\n\x0b\x0c|").lower()
        return [expression for wanted, expression in self._wanted if wanted in plain]


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


def _forms(key: str) -> Iterator[str]:
    """The key as it is, as a URL writes it, and as it is inside longer strings in base64."""
    yield key
    yield quote(key, safe="")
    for before in range(3):
        written = b64encode(b"\0" * before + key.encode()).decode().rstrip("=")
        first = -(-before * 8 // 6)  # earlier characters depend on what is before the key
        form = written[first : (before + len(key.encode())) * 8 // 6]
        if len(form) >= SHORTEST_KEY:
            yield form
            yield form.replace("+", "-").replace("/", "_")
