"""Configurations of agents: overlay a file on a deployed one, list differences, and compare the agent that stored calls
reached with today's, by configuration or by revision.

A configuration is a mapping of an agent's fields to JSON values. Line ends and white space around a string do not
count: services and editors change them. In shared stores, a field that has something to redact is a `redacted` value,
which is compared by its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Final, NamedTuple, TypeAlias, cast

from planner.changes.detail import agent_edit, revision_digest
from planner.changes.fingerprint import case_inputs, digest_of
from planner.changes.model import Reason
from planner.planfile.model import AgentFile, Case, Target
from planner.providers.base import AgentState
from planner.results.model import CaseInputs
from planner.values import frozen

Configuration: TypeAlias = Mapping[str, Any]

TEST_TOOLS: Final = "test_tools"
"""In the configuration that calls reach: the addresses that tools have on a preview. No agent has this field."""
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


def called_fields(file: AgentFile) -> dict[str, Any]:
    """What a target sets of the configuration that calls reach: the file's fields, and its test tools."""
    return {**file.fields, **({TEST_TOOLS: dict(file.test_tools)} if file.test_tools else {})}


def _called_configuration(deployed: Configuration, file: AgentFile) -> dict[str, Any]:
    own = {name: value for name, value in deployed.items() if name != TEST_TOOLS}
    return overlay(own, called_fields(file))


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
    """Whether two values mean the same. In nested mappings, null is the same as nothing, and the service's ids and
    times do not count."""
    if _is_redacted(one) or _is_redacted(other):
        return _digest(one) == _digest(other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        left, right = cast("Configuration", one), cast("Configuration", other)
        keys = {key for key in left.keys() | right.keys() if not is_assigned(key)}
        return all(agree(left.get(key), right.get(key)) for key in keys)
    if isinstance(one, list) and isinstance(other, list):
        items, others = cast("list[Any]", one), cast("list[Any]", other)
        return len(items) == len(others) and all(map(agree, items, others))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(_plain(one) == _plain(other))


def is_assigned(key: str) -> bool:
    """Whether the service sets this nested field."""
    return key == "id" or key.endswith("_at")


def _is_redacted(value: Any) -> bool:
    return isinstance(value, Mapping) and set(cast("Configuration", value)) == {_SHOWN, _DIGEST}


def _digest(value: Any) -> str:
    return str(value[_DIGEST]) if _is_redacted(value) else digest_of(_plain(value))


def _plain(value: Any) -> Any:
    return value.replace("\r\n", "\n").strip() if isinstance(value, str) else value


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
    """The fields of the file that differ from the deployed ones, and the test tools."""
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
    def without_test_tools(self) -> EffectiveTarget:
        """What would be deployed."""
        plain = effective_target(self.alias, self.agent_id, replace(self.file, test_tools=()), self.deployed)
        return replace(plain, drift=self.drift, waits_for_deploy=self.waits_for_deploy)

    @property
    def unshown(self) -> tuple[str, ...]:
        """The fields of the file that the service's answer does not have: it may not know them."""
        shown = self.deployed.configuration if self.deployed is not None else self.file.fields
        return tuple(name for name in self.file.fields if name not in shown)


def effective_target(alias: str, agent_id: int, file: AgentFile, deployed: AgentState | None) -> EffectiveTarget:
    if deployed is None:
        return EffectiveTarget(alias, agent_id, file)
    configuration = _called_configuration(deployed.configuration, file)
    changes = differences(_shown(deployed, file.fields), called_fields(file))
    digest = configuration_digest(configuration)
    return EffectiveTarget(alias, agent_id, file, deployed, configuration, digest, changes)


@frozen
class Version:
    """Fields of a file that were recorded."""

    fields: Configuration
    was_deployed: bool = False
    """`planner agent deploy` deployed them, or a session saw them deployed."""
    is_intended: bool = False
    """`planner agent deploy` began to deploy them, and may have been killed."""


def with_versions(target: EffectiveTarget, versions: Sequence[Version]) -> EffectiveTarget:
    """The target, compared with the recorded versions of its file, oldest first."""
    if target.deployed is None or not versions or not target.changes:
        return target
    deployed = target.deployed
    matching = [number for number, version in enumerate(versions) if has_fields(deployed.configuration, version.fields)]
    last = _last_deployed(versions)
    if last and not any(has_fields(deployed.configuration, fields) for fields in last):
        return replace(target, drift=differences(last[0], _shown(deployed, last[0])))
    is_older = not matching or matching[-1] < len(versions) - 1
    is_recorded = not differences(versions[-1].fields, target.file.fields)
    return replace(target, waits_for_deploy=is_older and (bool(matching) or is_recorded))


def _last_deployed(versions: Sequence[Version]) -> list[Configuration]:
    """What is deployed unless somebody edited the agent: the newest version that was deployed, and a newer one whose
    deployment may not have been carried out. Empty if no version is known to have been deployed."""
    done = max((number for number, version in enumerate(versions) if version.was_deployed), default=None)
    if done is None:
        return []
    return [versions[done].fields, *[version.fields for version in versions[done + 1 :] if version.is_intended][-1:]]


def has_fields(configuration: Configuration, fields: Configuration) -> bool:
    """Whether the configuration has all of these values."""
    return all(agree(configuration.get(name), value) for name, value in fields.items())


def _shown(deployed: AgentState, fields: Configuration) -> dict[str, Any]:
    return {name: value for name, value in deployed.configuration.items() if name in fields}


Stored: TypeAlias = Callable[[str], Configuration | None]
"""The stored configuration with this digest; None if it is not stored."""


@frozen
class Configurations:
    """The configurations of agents.

    Args:
        called: the configuration that calls to each target reach: the deployed one, overlaid by the fields of its file.
            Absent if unknown, and for phone numbers.
        previews: targets whose file differs from what is deployed.
        stored: finds the configurations of stored calls.
    """

    called: Mapping[Target, Configuration] = field(default_factory=dict[Target, Configuration])
    previews: frozenset[Target] = frozenset()
    stored: Stored = lambda _: None


class AgentEdit(NamedTuple):
    """How the agent differs from the one that was called."""

    reason: Reason
    detail: str


@frozen
class Agents:
    """What is known of the agents that are called. `revisions` are as in `planner.changes.diff.Request`."""

    revisions: Mapping[tuple[str, int], str | None]
    configurations: Configurations
    _digests: dict[Target, str | None] = field(default_factory=dict["Target", "str | None"], init=False, compare=False)

    def inputs(self, case: Case) -> CaseInputs:
        """The inputs of a call of this case."""
        target = case.target
        if target not in self._digests:
            now = self.configurations.called.get(target)
            self._digests[target] = None if now is None else configuration_digest(now)
        return case_inputs(case, self.revisions.get((target.kind, target.id)), self._digests[target])

    def edit(self, prior: CaseInputs, case: Case) -> AgentEdit | None:
        """How the agent differs from the one that was called; None if it does not, or if that is unknown. A file that
        was never compared with what is deployed counts as changed."""
        target = case.target
        today = self.revisions.get((target.kind, target.id))
        same = self.has_same_configuration(prior, target)
        if same:
            return None
        by_revision = agent_edit(prior.agent_revision, today)
        if same is None and prior.has_agent_file and target.config is None:
            return AgentEdit(Reason.AGENT_FILE_CHANGED, "the target no longer has a file")
        if same is None and target.config is not None and not self.is_deployed(target):
            return AgentEdit(Reason.AGENT_FILE_CHANGED, f"{target.config.file} was not tested")
        if same is None or (by_revision and target.config is None):
            return AgentEdit(Reason.AGENT_EDITED, by_revision) if by_revision else None
        names = self._changed_fields(prior, target)
        what = ", ".join(names) or "configuration"
        in_file = target.config is not None and set(names) <= called_fields(target.config).keys()
        # A field that was removed from the file: the service still has the same agent.
        had_file = target.config is not None or prior.has_agent_file
        is_unedited = prior.agent_revision is not None and today is not None and by_revision is None
        is_file = in_file or (had_file and is_unedited)
        if is_file:
            return AgentEdit(Reason.AGENT_FILE_CHANGED, f"agent {what} changed (file)")
        return AgentEdit(Reason.AGENT_EDITED, f"{what} changed")

    def is_deployed(self, target: Target) -> bool:
        """Whether the deployed agent is known to match the file."""
        return target in self.configurations.called and target not in self.configurations.previews

    def is_same(self, prior: CaseInputs, case: Case) -> bool | None:
        """Whether the agent is the one that was called; None if that is unknown."""
        target = case.target
        same = self.has_same_configuration(prior, target)
        if same is not None:
            return same
        if prior.has_agent_file if target.config is None else not self.is_deployed(target):
            return False
        today = self.revisions.get((target.kind, target.id))
        if prior.agent_revision is None or today is None:
            return None
        return revision_digest(prior.agent_revision) == revision_digest(today)

    def completed(self, prior: CaseInputs, case: Case) -> CaseInputs:
        """The inputs of stored calls. Adds today's configuration if none was stored and the agent is still the same."""
        today = self.inputs(case).configuration
        if prior.configuration is not None or today is None or self.is_same(prior, case) is not True:
            return prior
        return prior.model_copy(update={"configuration": today})

    def has_same_configuration(self, prior: CaseInputs, target: Target) -> bool | None:
        """Whether both configurations mean the same; None if one of them is unknown."""
        now = self._today(prior, target)
        if prior.configuration is None or now is None:
            return None
        if prior.configuration == configuration_digest(now):
            return True
        older = self.configurations.stored(prior.configuration)
        return older is not None and is_same(older, now, called_fields(target.config) if target.config else ())

    def _changed_fields(self, prior: CaseInputs, target: Target) -> list[str]:
        older, now = self.configurations.stored(prior.configuration or ""), self._today(prior, target)
        return [change.name for change in differences(older, now)] if older is not None and now is not None else []

    def _today(self, prior: CaseInputs, target: Target) -> Configuration | None:
        """The configuration called today. If the service was not asked, assume that only the file's fields changed."""
        known = self.configurations.called.get(target)
        if known is not None or target.config is None or prior.configuration is None:
            return known
        older = self.configurations.stored(prior.configuration)
        return None if older is None else _called_configuration(older, target.config)
