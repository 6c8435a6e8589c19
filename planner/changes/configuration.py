"""Configurations of agents: overlay a file on a deployed one, list differences, compare two.

A configuration is a mapping of an agent's fields to JSON values. Line ends and white space around a text do not count:
services and editors change them. In shared stores, a field that has something to redact is a `redacted` value, which is
compared by its digest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, TypeAlias, cast

from planner.changes.canonical import digest_of
from planner.values import frozen

Configuration: TypeAlias = Mapping[str, Any]

_SHOWN: Final = "$redacted"
_DIGEST: Final = "$digest"


@frozen
class FieldChange:
    """A field that differs; None: it is not set, or not shown."""

    name: str
    before: Any
    after: Any


def overlay(deployed: Configuration, fields: Configuration) -> dict[str, Any]:
    """The effective configuration: the deployed fields, replaced by those of the file that say something else."""
    kept = {name: deployed[name] for name, value in fields.items() if name in deployed and agree(deployed[name], value)}
    return {**deployed, **fields, **kept}


def configuration_digest(configuration: Configuration) -> str:
    """`sha256:` and 64 hex digits. Fields that are not set do not count."""
    return digest_of({name: _digest(value) for name, value in configuration.items() if value is not None})


def differences(older: Configuration, newer: Configuration) -> tuple[FieldChange, ...]:
    """The fields that differ, in the order of `newer`. A field that only one side has counts, unless it is null."""
    names = dict.fromkeys([*newer, *older])
    changes = (FieldChange(name, older.get(name), newer.get(name)) for name in names)
    return tuple(change for change in changes if not agree(change.before, change.after))


def is_same(older: Configuration, newer: Configuration, file_fields: Collection[str] = ()) -> bool:
    """Whether both mean the same for a call. A field that only `newer` has was added to the API; it counts only if the
    file sets it."""
    return all(change.name not in file_fields and change.name not in older for change in differences(older, newer))


def redacted(value: Any, shown: Any) -> Any:
    """What stands for a field in a shared store: the value itself if redaction leaves it as it is."""
    return value if shown == value else {_SHOWN: shown, _DIGEST: _digest(value)}


def shown_value(value: Any) -> Any:
    """The value for people, which may be redacted."""
    return cast("Configuration", value)[_SHOWN] if _is_redacted(value) else value


def agree(one: Any, other: Any) -> bool:
    """Whether two values mean the same. In nested mappings, null is the same as nothing, and the service's ids and times
    do not count."""
    if _is_redacted(one) or _is_redacted(other):
        return _digest(one) == _digest(other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        left, right = cast("Configuration", one), cast("Configuration", other)
        keys = {key for key in left.keys() | right.keys() if not _is_assigned(key)}
        return all(agree(left.get(key), right.get(key)) for key in keys)
    if isinstance(one, list) and isinstance(other, list):
        items, others = cast("list[Any]", one), cast("list[Any]", other)
        return len(items) == len(others) and all(map(agree, items, others))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(_plain(one) == _plain(other))


def _is_assigned(key: str) -> bool:
    """Whether the service sets this nested field."""
    return key == "id" or key.endswith("_at")


def _is_redacted(value: Any) -> bool:
    return isinstance(value, Mapping) and set(cast("Configuration", value)) == {_SHOWN, _DIGEST}


def _digest(value: Any) -> str:
    return str(value[_DIGEST]) if _is_redacted(value) else digest_of(_plain(value))


def _plain(value: Any) -> Any:
    return value.replace("\r\n", "\n").strip() if isinstance(value, str) else value
