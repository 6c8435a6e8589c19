"""Addresses: of a results store, as `store:` in planner.yaml and `--store` have it, of a language model, and of this
machine.

Anything that could be meant as a git ref or a bucket must not become a folder: its results would be lost with the
machine, and every call would be charged again.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import ip_address
from typing import Any, Final, TypeAlias
from urllib.parse import SplitResult, parse_qsl, urlsplit

from planner.errors import UsageError
from planner.planfile.text import describe, shorten
from planner.values import frozen

BUCKETS: Final = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")
"""Schemes of object stores."""

_REF: Final = re.compile(r"refs/(?!heads/|tags/|remotes/|notes/)[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)+")
_A_REF: Final = "write git:refs/planner/results"
_ANY: Final = (
    "write s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER, git:refs/planner/results, or a folder"
)
_FOLDER: Final = "; write ./ before the name of a folder"
_ADDED: Final = "/chat/completions"


@frozen
class Folder:
    """A folder of one machine."""

    path: str


@frozen
class GitRef:
    """A ref of the repository. `remote` is the one that shares it: `none` for no remote, None for the default."""

    ref: str
    remote: str | None = None


@frozen
class Bucket:
    """A bucket of an object store, or a folder in it."""

    url: str


SharedAddress: TypeAlias = GitRef | Bucket
"""A store that other machines see."""
StoreAddress: TypeAlias = Folder | SharedAddress


def parse_store(written: str) -> StoreAddress:
    """The store of this address.

    Raises:
        UsageError: it is not an address. Says what to write, without the address, which may contain a password.
    """
    if written.startswith("git:") and not written.startswith("git://"):
        return _git_ref(written.removeprefix("git:"))
    if written.startswith("refs/") or written in {"git", "ref", "git-ref"}:
        raise UsageError(f"for a git ref {_A_REF}{_FOLDER}")
    if "://" in written:
        return _bucket(written)
    if re.match(rf"(?i)(?:{'|'.join(BUCKETS)})//(?!/)|[a-z][a-z0-9+.-]+:", written):
        raise UsageError(f"this is not the address of a store: {_ANY}{_FOLDER}")
    if written.startswith(("~", "$")):
        raise UsageError("~ and $ are not expanded here: write an absolute or relative path")
    return Folder(written)


def _git_ref(written: str) -> GitRef:
    ref, _, query = written.partition("?")
    if not _REF.fullmatch(ref):
        raise UsageError(f"a results store is a ref such as refs/planner/results, not a branch or tag: {_A_REF}")
    return GitRef(ref, _options(query, {"remote"}).get("remote"))


def _bucket(written: str) -> Bucket:
    url, _, query = written.partition("?")
    scheme, _, rest = url.partition("://")
    if scheme not in BUCKETS or not rest.strip("/"):
        raise UsageError(f"this is not the address of a store: {_ANY}")
    if "@" in rest:
        raise UsageError("this address contains a key; keys belong in the environment")
    _options(query, ())
    return Bucket(url)


def _options(query: str, known: Collection[str]) -> dict[str, str]:
    """The options after `?`."""
    options = dict(parse_qsl(query, keep_blank_values=True))
    if strange := sorted(set(options) - set(known)):
        may = f"the options after ? are {', '.join(sorted(known))}" if known else "remove ? and what follows"
        raise UsageError(f"unknown option {', '.join(strange)}: {may}")
    return options


def is_this_machine(host: str) -> bool:
    """Whether a host is a loopback address, a name of one, or 0.0.0.0. Private networks do not count: others may be in
    them."""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def problem_with_endpoint(base_url: str) -> str:
    """Why transcripts and a key cannot be sent to this address; empty if they can."""
    if problem := _problem_with_web_address(base_url, "https://host/v1", "put the key into PLANNER_JUDGE_API_KEY"):
        return problem
    parts = urlsplit(base_url)
    if parts.query or parts.fragment:
        return f"`{shorten(base_url)}` has a part after `?` or `#`, where `/chat/completions` could not be added"
    if parts.path.rstrip("/").endswith(_ADDED):
        return f"`{_ADDED}` is added to it: write {shorten(base_url.rstrip('/').removesuffix(_ADDED))}"
    return _problem_with_http(parts, "transcripts and the key")


def problem_with_tool_address(address: str) -> str:
    """Why a tool of a preview cannot have this address; empty if it can."""
    problem = _problem_with_web_address(address, "https://host/path", "remove it")
    return problem or _problem_with_http(urlsplit(address), "what callers say")


def _problem_with_web_address(address: str, example: str, instead: str) -> str:
    """`instead`: what to do with a name or a password in it."""
    shown = f"`{shorten(address)}`"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return f"{shown} is not a web address"
    if parts.scheme not in ("http", "https") or not host or port == 0 or not address.isprintable() or " " in address:
        return f"{shown} is not a web address: write {example}"
    if parts.username is not None or parts.password is not None:
        return f"reports would show a name or a password in the address: {instead}"
    return ""


def _problem_with_http(parts: SplitResult, what: str) -> str:
    if parts.scheme == "http" and not is_this_machine(parts.hostname or ""):
        return f"http would show {what} to everybody on the way: write https"
    return ""


_NUMBERED: Final = re.compile(r"^\(\d+\) ")
"""How phonenumbers begins its messages."""


def problem_with_number(number: Any) -> str:
    """Why this is no phone number in E.164; empty if it is."""
    if isinstance(number, int) and not isinstance(number, bool):
        return f'YAML reads this as the number {number}, without a plus; put it in quotes: "+{number}"'
    if not isinstance(number, str):
        return f'this must be a string such as "+14155550199", but it is {describe(number)}'
    if not number.startswith("+") or not (number[1:].isascii() and number[1:].isdigit()):
        return f'{describe(number)} is not E.164: a plus, the country code and digits only, such as "+14155550199"'
    import phonenumbers  # 45 ms, and few plans have numbers

    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException as error:
        return f"{describe(number)} is not a phone number: {_NUMBERED.sub('', str(error)).lower().removesuffix('.')}"
    if not phonenumbers.is_possible_number(parsed):
        return f"{describe(number)} has too few or too many digits for a number of country code {parsed.country_code}"
    return ""
