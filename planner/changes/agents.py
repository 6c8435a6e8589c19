"""Compares the agent that stored calls reached with today's agent, by configuration or by revision."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Final, NamedTuple, TypeAlias

from planner.changes.configuration import Configuration, configuration_digest, differences, is_same, overlay
from planner.changes.detail import agent_edit, revision_digest
from planner.changes.fingerprint import case_inputs
from planner.changes.model import Reason
from planner.planfile.model import Case, Target
from planner.results.model import CaseInputs, CaseResult
from planner.values import frozen

UNKNOWN_CONFIGURATION: Final = f"sha256:{'0' * 64}"
"""The configuration of calls whose agent was edited meanwhile: it equals no other, so the calls are made again."""
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

    def inputs(self, case: Case) -> CaseInputs:
        """The inputs of a call of this case."""
        target = case.target
        now = self.configurations.called.get(target)
        digest = None if now is None else configuration_digest(now)
        return case_inputs(case, self.revisions.get((target.kind, target.id)), digest)

    def edit(self, prior: CaseInputs, case: Case) -> AgentEdit | None:
        """How the agent differs from the one that was called; None if it does not, or if that is unknown. A file that was
        never compared with what is deployed counts as changed."""
        target = case.target
        today = self.revisions.get((target.kind, target.id))
        same = self.has_same_configuration(prior, target)
        if same:
            return None
        by_revision = agent_edit(prior.agent_revision, today)
        if same is None and prior.has_agent_file and target.config is None:
            return AgentEdit(Reason.AGENT_FILE_CHANGED, "the target has no file any more")
        if same is None and target.config is not None and not self._is_deployed(target):
            return AgentEdit(Reason.AGENT_FILE_CHANGED, f"{target.config.file} was not tested")
        if same is None or (by_revision and target.config is None):
            return AgentEdit(Reason.AGENT_EDITED, by_revision) if by_revision else None
        names = self._changed_fields(prior, target)
        by_fields = f"{', '.join(names)} changed" if names else "its configuration changed"
        in_file = target.config is not None and set(names) <= set(target.config.fields)
        # A field that was removed from the file: the service still has the same agent.
        had_file = target.config is not None or prior.has_agent_file
        is_unedited = prior.agent_revision is not None and today is not None and by_revision is None
        is_file = in_file or (had_file and is_unedited)
        return AgentEdit(Reason.AGENT_FILE_CHANGED if is_file else Reason.AGENT_EDITED, by_fields)

    def _is_deployed(self, target: Target) -> bool:
        """Whether the deployed agent is known to match the file."""
        return target in self.configurations.called and target not in self.configurations.previews

    def is_same(self, prior: CaseInputs, case: Case) -> bool | None:
        """Whether the agent is the one that was called; None if that is unknown."""
        target = case.target
        same = self.has_same_configuration(prior, target)
        if same is not None:
            return same
        if prior.has_agent_file if target.config is None else not self._is_deployed(target):
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
        if prior.configuration == UNKNOWN_CONFIGURATION:
            return False
        now = self._today(prior, target)
        if prior.configuration is None or now is None:
            return None
        if prior.configuration == configuration_digest(now):
            return True
        older = self.configurations.stored(prior.configuration)
        return older is not None and is_same(older, now, target.config.fields if target.config else ())

    def _changed_fields(self, prior: CaseInputs, target: Target) -> list[str]:
        older, now = self.configurations.stored(prior.configuration or ""), self._today(prior, target)
        return [change.name for change in differences(older, now)] if older is not None and now is not None else []

    def _today(self, prior: CaseInputs, target: Target) -> Configuration | None:
        """The configuration called today. If the service was not asked, assume that only the file's fields changed."""
        known = self.configurations.called.get(target)
        if known is not None or target.config is None or prior.configuration is None:
            return known
        older = self.configurations.stored(prior.configuration)
        return None if older is None else overlay(older, target.config.fields)


class Revisions:
    """The agent revisions in the baseline, by target."""

    def __init__(self, baseline: Iterable[CaseResult]) -> None:
        self._known: dict[tuple[str, int], set[str]] = defaultdict(set)
        for case in baseline:
            if case.inputs.agent_revision is not None:
                key = (case.inputs.target_kind, case.inputs.target_id)
                self._known[key].add(revision_digest(case.inputs.agent_revision))

    def same_agent(self, stored: CaseInputs, today: CaseInputs) -> bool:
        """Whether the agent is the same as when the stored call was made; False if unknown."""
        if stored.agent_revision is None:
            return False
        then = revision_digest(stored.agent_revision)
        if today.agent_revision is not None:
            return then == revision_digest(today.agent_revision)
        return self._known.get((stored.target_kind, stored.target_id)) == {then}
