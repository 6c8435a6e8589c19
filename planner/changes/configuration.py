"""Digests of JSON values, and configurations of agents: overlay a file on a deployed one, list differences, compare two.

A configuration is a mapping of an agent's fields to JSON values. Line ends and white space around a text do not count:
services and editors change them. In shared stores, a field that has something to redact is a `redacted` value, which is
compared by its digest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final, TypeAlias, cast

import rfc8785

from planner.planfile.model import AgentFile
from planner.providers.base import AgentState
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


# RFC 8785 writes numbers as IEEE doubles, but ids of the service are 64-bit.
_LARGEST_EXACT: Final = 2**53 - 1


def digest_of(document: Any) -> str:
    """`sha256:` and 64 hex digits over a JSON value in canonical form (RFC 8785)."""
    return f"sha256:{sha256(rfc8785.dumps(_canonical(document))).hexdigest()}"


def _canonical(value: Any) -> Any:
    """The value, with replacements for what RFC 8785 cannot write: large integers, NaN, infinities and lone surrogates."""
    match value:
        case bool() | None:
            return value
        case str():
            return value if value.isascii() else value.encode(errors="backslashreplace").decode()
        case int():
            return value if -_LARGEST_EXACT <= value <= _LARGEST_EXACT else {"integer": str(value)}
        case float():
            return value if abs(value) < float("inf") else {"float": str(value)}
        case Mapping():
            return {_canonical(str(key)): _canonical(item) for key, item in cast("Mapping[Any, Any]", value).items()}
        case Sequence():
            return [_canonical(item) for item in cast("Sequence[Any]", value)]
        case _:
            raise TypeError(f"not a JSON value: {value!r}")


@frozen
class EffectiveTarget:
    """An agent with a file. `configuration` and `digest` are those to call: the deployed fields, replaced by the
    file's. They are None, as `deployed`, if the agent was not read and no record of it is stored."""

    alias: str
    """The first one, if several targets are this agent with this file."""
    agent_id: int
    """The source agent."""
    file: AgentFile
    deployed: AgentState | None = None
    configuration: Mapping[str, Any] | None = None
    digest: str | None = None
    changes: tuple[FieldChange, ...] = ()
    """The fields of the file that differ from the deployed ones."""
    drift: tuple[FieldChange, ...] = ()
    """What was edited at the service: how the deployed fields differ from the last recorded version of the file."""
    waits_for_deploy: bool = False
    """The newest recorded version of the file is not deployed yet."""

    @property
    def needs_preview(self) -> bool:
        """Whether calls reach a copy with the file's fields instead of the deployed agent."""
        return bool(self.changes)

    @property
    def preview_fields(self) -> dict[str, Any]:
        """The fields to write to a copy of the deployed agent so that it matches the file."""
        return {change.name: self.file.fields[change.name] for change in self.changes}

    @property
    def unshown(self) -> tuple[str, ...]:
        """The fields of the file that the service's answer does not have: it may not know them."""
        shown = self.deployed.configuration if self.deployed is not None else self.file.fields
        return tuple(name for name in self.file.fields if name not in shown)


def effective_target(alias: str, agent_id: int, file: AgentFile, deployed: AgentState | None) -> EffectiveTarget:
    if deployed is None:
        return EffectiveTarget(alias, agent_id, file)
    configuration = overlay(deployed.configuration, file.fields)
    changes = differences(_shown(deployed, file.fields), file.fields)
    digest = configuration_digest(configuration)
    return EffectiveTarget(alias, agent_id, file, deployed, configuration, digest, changes)


@frozen
class Version:
    """Fields of a file that were recorded. `was_deployed`: a later session saw them deployed."""

    fields: Configuration
    was_deployed: bool = False


def with_versions(target: EffectiveTarget, versions: Sequence[Version]) -> EffectiveTarget:
    """The target, compared with the recorded versions of its file, oldest first."""
    if target.deployed is None or not versions or not target.changes:
        return target
    matching = [
        number for number, version in enumerate(versions) if has_fields(target.deployed.configuration, version.fields)
    ]
    if not matching and (seen := [version.fields for version in versions if version.was_deployed]):
        return replace(target, drift=differences(seen[-1], _shown(target.deployed, seen[-1])))
    is_older = not matching or matching[-1] < len(versions) - 1
    is_recorded = not differences(versions[-1].fields, target.file.fields)
    return replace(target, waits_for_deploy=is_older and (bool(matching) or is_recorded))


def has_fields(configuration: Configuration, fields: Configuration) -> bool:
    """Whether the configuration has all of these values."""
    return all(agree(configuration.get(name), value) for name, value in fields.items())


def _shown(deployed: AgentState, fields: Configuration) -> dict[str, Any]:
    return {name: value for name, value in deployed.configuration.items() if name in fields}
