"""Secrets in an agent's fields: which values are secret, and what is stored and shown instead of them.

A secret is the value of a field whose name looks like one, of a header, or credentials in an address. So is a part of
an address that looks like a token, as those of webhooks; the rest stays, because it says where calls go. A secret is
replaced where it enters: by a `Secret`, which reads, compares and is stored as a short digest. Only a request to the
service gets the value.

The digest must be the same on every machine that compares agents, also on one without a key. So it cannot be keyed by
an API key (laptops and CI have different ones, and a new key would look like an edit of every agent) or by a number in
the store (whoever reads the digest there reads that, too). Instead, one guess is made expensive (PBKDF2), and a digest
is so short that it says nothing certain about a long secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import lru_cache
from hashlib import pbkdf2_hmac
from typing import Any, Final, NamedTuple, Self, cast

_MASK: Final = "[secret]"
_REPLACEMENT: Final = re.compile(r"\[secret(?::x[0-9a-f]+)?\]")
"""What stands for a secret already, in stored fields."""
_ITERATIONS: Final = 50_000
_SALT: Final = b"planner: a secret of an agent"
_SHOWN_DIGITS: Final = 8
_MOST_DIGESTS: Final = 100
"""Of one agent. More secrets than this share the last digest, so that nobody can make planner compute for minutes."""

_SECRET: Final = re.compile(
    r"(?:^|_)(?:secrets?|passwords?|passwd|passphrase|passcode|credentials?|authorization|bearer|jwt|cookies?"
    r"|(?:api|access|auth|private|signing|secret|encryption|license|subscription)_?(?:key|token)|apikey)(?:_|$)"
    r"|(?:^|_)token$"
)
"""The name of a field in snake case."""
_SIGNATURE: Final = re.compile(r"(?:^|_)(?:sig|signature|hmac|key|auth)$")
"""The name of a parameter of an address that is secret, too."""
_SHORT: Final = re.compile(r"(?:^|_)(?:sig|signature|hmac|auth)(?:_?key)?$")
"""The name of a string that is secret, too, unless it names a way to authenticate."""
_WAYS: Final = frozenset({"none", "basic", "bearer", "header", "query", "api_key", "oauth", "oauth2", "jwt", "hmac"})
_HARMLESS_HEADERS: Final = frozenset({"accept", "accept_language", "content_type", "user_agent"})
_LABELS: Final = ("name", "key", "header", "field")
"""Keys that name the value beside them: `{name: Authorization, value: …}`."""
_LABELLED: Final = frozenset({"value", "values", "default"})
_SCHEMA_TYPES: Final = ("string", "number", "integer", "boolean", "object", "array", "null")
_SCHEMA_VALUES: Final = frozenset({"default", "const", "enum", "example", "examples"})
"""What a JSON schema of a secret says about its value."""

_USER: Final = re.compile(r"(?<=://)[^\s/?#\"'<>]+(?=@)")
"""What is before the host of an address."""
_PARAMETER: Final = re.compile(r"(?<=[?&#;])([\w.~-]+)=([^\s&#;\"'<>]+)")
_PATH: Final = re.compile(r"(?<=://)([^\s/?#\"'<>]+)(/[^\s?#\"'<>)`|\\]+)")
"""The host and the path of an address."""
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_RUN: Final = re.compile(r"[A-Za-z0-9]+")
_CHANGE: Final = re.compile(r"(?<=[0-9])(?=[A-Za-z])|(?<=[A-Za-z])(?=[0-9])")
_VERSION: Final = re.compile(r"v[0-9]+(?:(?:alpha|beta|rc)[0-9]*)?", re.IGNORECASE)
_TOKEN: Final = 16, 3
"""The characters of a token, at least, and how often letters and digits change in it: unlike in words and versions."""
_WEBHOOK_TOKEN: Final = 6, 2
"""The same behind a part of an address that names a webhook."""
_COMMIT: Final = frozenset({"commit", "commits", "tree", "blob", "raw", "compare"})
"""A part of a path that the id of a commit follows, which is no secret."""
_AUTHORIZATION: Final = re.compile(
    r"(\bauthorization\s*[:=]\s*[\"']?(?:bearer|basic|token)\s+)([^\s\"'{<$\[][^\s\"']*)", re.IGNORECASE
)
"""A header written in a string. A placeholder such as `{{token}}` is no secret."""
_QUOTED: Final = re.compile(r"([\"'])([\w.~-]+)\1(\s*:\s*)([\"'])([^\"'{<$\[][^\"']*)\4")
"""A field of JSON written in a string."""


class Secret(str):
    """The digest of a secret; `value` is the secret."""

    __slots__ = ("value",)
    value: Any

    def __new__(cls, shown: str, value: Any) -> Self:
        secret = super().__new__(cls, shown)
        secret.value = value
        return secret


class Kind(Enum):
    NAMED = "named"
    """The field, header or parameter has the name of a secret."""
    HEADER = "header"
    """Any other header."""
    ADDRESS = "address"
    """The text has an address with credentials."""
    OPAQUE = "opaque"
    """The text is an address with a part that looks like a token, or has the address of a webhook. It may be harmless:
    it is hidden, but no error."""


class Found(NamedTuple):
    route: tuple[str | int, ...]
    """Keys and indices to the value."""
    kind: Kind


def looks_secret(name: str) -> bool:
    """Whether a field of this name holds a secret."""
    return _SECRET.search(_snake(name)) is not None


def find_secrets(fields: Mapping[str, Any]) -> Iterator[Found]:
    """Each text and number that is secret."""
    yield from _in_value(fields, (), None)


def hide_secrets(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with a `Secret` for each secret."""
    pieces: dict[str, None] = {}
    _replace(fields, lambda piece: pieces.setdefault(piece) or "")
    return _replace(fields, _digests([*pieces]).__getitem__) if pieces else dict(fields)


def mask_secrets(value: Any) -> Any:
    """The value with a mask for each secret, which shows nothing of it."""
    return _replace({"": value}, lambda _: _MASK, ignored=Kind.OPAQUE)[""]


def reveal_secrets(value: Any) -> Any:
    """The value as the service gets it."""
    if isinstance(value, Secret):
        return value.value
    if isinstance(value, Mapping):
        return {key: reveal_secrets(item) for key, item in cast("Mapping[str, Any]", value).items()}
    return [reveal_secrets(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def without_credentials(text: str, shown: Callable[[str], str] = lambda _: _MASK) -> str:
    """The text with another one for the credentials in addresses, headers and JSON that are written in it, and for the
    tokens in addresses of webhooks."""
    return _without_tokens(_without_named(text, shown), shown)


def _without_named(text: str, shown: Callable[[str], str] = lambda _: _MASK) -> str:
    """Without those whose name or place says that they are credentials."""

    def parameter(found: re.Match[str]) -> str:
        return f"{found[1]}={_hidden(found[2], shown)}" if _is_parameter(found[1]) else found[0]

    def quoted(found: re.Match[str]) -> str:
        quote, name, colon, mark, value = found.groups()
        if not looks_secret(name):
            return found[0]
        return f"{quote}{name}{quote}{colon}{mark}{_hidden(value, shown)}{mark}"

    text = _AUTHORIZATION.sub(lambda found: found[1] + _hidden(found[2], shown), text)
    text = _QUOTED.sub(quoted, text) if ":" in text else text
    if "://" in text:
        text = _USER.sub(lambda found: _hidden(found[0], shown), text)
    return _PARAMETER.sub(parameter, text) if "=" in text else text


def _without_tokens(text: str, shown: Callable[[str], str] = lambda _: _MASK) -> str:
    """Without what looks like a token: in the addresses of webhooks, or anywhere in a text that is one address."""
    if "://" not in text:
        return text
    is_address = _ADDRESS.fullmatch(text.strip()) is not None

    def path(found: re.Match[str]) -> str:
        before, least = found[1], _TOKEN if is_address else None
        parts: list[str] = []
        for part in found[2].split("/"):
            least = _WEBHOOK_TOKEN if "hook" in before.lower() else least
            is_secret = least is not None and before not in _COMMIT and _is_token(part, *least)
            parts.append(_hidden(part, shown) if is_secret else part)
            before = part
        return found[1] + "/".join(parts)

    def parameter(found: re.Match[str]) -> str:
        return f"{found[1]}={_hidden(found[2], shown)}" if _is_token(found[2], *_TOKEN) else found[0]

    text = _PATH.sub(path, text)
    return _PARAMETER.sub(parameter, text) if is_address else text


def _hidden(secret: str, shown: Callable[[str], str]) -> str:
    return secret if _REPLACEMENT.fullmatch(secret) else shown(secret)


def _is_token(part: str, length: int, changes: int) -> bool:
    """Whether part of an address looks like a random token."""
    runs = (run for run in _RUN.findall(part) if len(run) >= length and not _VERSION.fullmatch(run))
    return any(len(_CHANGE.findall(run)) >= changes for run in runs)


def _in_value(value: Any, route: tuple[str | int, ...], kind: Kind | None) -> Iterator[Found]:
    """`kind` of everything in the value; None: it is not secret by the name of its field."""
    if isinstance(value, Mapping):
        yield from _in_mapping(cast("Mapping[str, Any]", value), route, kind)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _in_value(item, (*route, index), kind)
    elif kind is not None:
        if value not in (None, "") and not isinstance(value, bool):
            yield Found(route, kind)
    elif isinstance(value, Secret) or (isinstance(value, str) and _without_named(value) != value):
        yield Found(route, Kind.ADDRESS)
    elif isinstance(value, str) and _without_tokens(value) != value:
        yield Found(route, Kind.OPAQUE)


def _in_mapping(fields: Mapping[str, Any], route: tuple[str | int, ...], kind: Kind | None) -> Iterator[Found]:
    """`kind`: as in `_in_value`."""
    label = next((text for key in _LABELS if isinstance(text := fields.get(key), str)), None)
    is_labelled = label is not None and not _LABELLED.isdisjoint(fields)
    is_schema = kind is Kind.NAMED and fields.get("type") in _SCHEMA_TYPES
    for key, item in fields.items():
        if is_labelled:
            inside = _kind_of(label or "", kind) if key in _LABELLED else _kind_of(key, None)
        elif is_schema and key not in _SCHEMA_VALUES:
            inside = _kind_of(key, None)
        else:
            inside = _kind_of(key, kind)
        if inside is None and _holds_headers(key, item):
            inside = Kind.HEADER
        elif inside is None and isinstance(item, str) and _SHORT.search(_snake(key)) and item.lower() not in _WAYS:
            inside = Kind.NAMED
        yield from _in_value(item, (*route, key), inside)


def _kind_of(name: str, around: Kind | None) -> Kind | None:
    """The kind of a field or header of this name. `around`: the kind of the mapping it is in."""
    if looks_secret(name):
        return Kind.NAMED
    return None if around is Kind.HEADER and _snake(name) in _HARMLESS_HEADERS else around


def _holds_headers(name: str, value: Any) -> bool:
    return _snake(name).endswith("headers") or (_snake(name).endswith("header") and isinstance(value, Mapping | list))


def _replace(fields: Mapping[str, Any], shown: Callable[[str], str], ignored: Kind | None = None) -> dict[str, Any]:
    """The fields with what is `shown` for each secret."""
    found = {each.route: each.kind for each in find_secrets(fields) if each.kind is not ignored}

    def replaced(value: Any, route: tuple[str | int, ...]) -> Any:
        if route in found:
            return _secret(value, found[route], shown)
        if isinstance(value, Mapping):
            return {key: replaced(item, (*route, key)) for key, item in cast("Mapping[str, Any]", value).items()}
        if isinstance(value, list):
            return [replaced(item, (*route, index)) for index, item in enumerate(cast("list[Any]", value))]
        return value

    return {name: replaced(value, (name,)) for name, value in fields.items()} if found else dict(fields)


def _secret(value: Any, kind: Kind, shown: Callable[[str], str]) -> str:
    if isinstance(value, Secret) or (isinstance(value, str) and _REPLACEMENT.fullmatch(value)):
        return value
    if kind in (Kind.ADDRESS, Kind.OPAQUE):
        return Secret(without_credentials(value, shown), value)
    return Secret(shown(str(value).replace("\r\n", "\n").strip()), value)


def _is_parameter(name: str) -> bool:
    return looks_secret(name) or _SIGNATURE.search(_snake(name)) is not None


def _digests(secrets: list[str]) -> dict[str, str]:
    """What is shown for each secret."""
    shown = {secret: _digest(secret) for secret in secrets[: _MOST_DIGESTS - 1]}
    others = secrets[_MOST_DIGESTS - 1 :]
    return shown | (dict.fromkeys(others, _digest("\0".join(others))) if others else {})


@lru_cache(maxsize=1_000)
def _digest(secret: str) -> str:
    """`x` so that nobody takes the digits for a phone number."""
    key = pbkdf2_hmac("sha256", secret.encode(errors="surrogatepass"), _SALT, _ITERATIONS)
    return f"[secret:x{key.hex()[:_SHOWN_DIGITS]}]"


def _snake(name: str) -> str:
    """`X-Api-Key` and `apiKey` as `x_api_key` and `api_key`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", name).lower()
