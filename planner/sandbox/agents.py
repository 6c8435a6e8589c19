"""Agents as configuration: what the world declares, and what was created, drafted, deployed and deleted since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from pydantic import JsonValue

from planner.sandbox.conversation import EMPTY
from planner.sandbox.launching import NO_AGENT
from planner.sandbox.state import AgentRecord, Event, ServiceState
from planner.sandbox.worlds.world import Snapshot, Variant, World


class Agents:
    """Methods raise KeyError for an agent that does not exist."""

    FIELDS = ("name", "prompt", "voice", "product", "primary_language", "thinking_level")
    """What a draft may change and a scripted call shows; other fields are only kept (`Snapshot.fields`)."""

    def __init__(self, world: World, state: ServiceState) -> None:
        self._world = world
        self._state = state

    @property
    def ids(self) -> list[int]:
        records = self._state.agents
        gone = {agent_id for agent_id, record in records.items() if record.is_deleted or not self._is_of_world(record)}
        return sorted({*self._world.agents, *records} - gone)

    def _is_of_world(self, record: AgentRecord) -> bool:
        """The state file may have been written with another world, whose agents do not exist in this one."""
        return record.copy_of is None or record.copy_of in self._world.agents

    def record(self, agent_id: int) -> AgentRecord:
        record = self._state.agents.get(agent_id)
        if record is not None and not record.is_deleted and self._is_of_world(record):
            return record
        declared = self._world.agents[agent_id] if record is None else None
        if declared is None:
            raise KeyError(agent_id)
        if declared.draft_prompt is None:
            return AgentRecord(agent_id)
        draft_at = self._world.snapshot(agent_id).updated_at
        return AgentRecord(agent_id, draft={"prompt": declared.draft_prompt}, draft_at=draft_at)

    def snapshot(self, agent_id: int) -> Snapshot:
        """The agent as it answers now. A newer revision of the world file overrides earlier deployments."""
        record = self.record(agent_id)
        declared = self._declared(record.copy_of)
        is_own = record.copy_of == agent_id
        if not record.deployments or (is_own and record.deployments[-1] <= declared.updated_at):
            return declared
        other = {name: value for name, value in record.fields.items() if name not in self.FIELDS}
        update: dict[str, Any] = {
            **{name: value for name, value in record.fields.items() if name in self.FIELDS},
            "fields": {**declared.fields, **other},
            "agent_id": agent_id,
            "revision": (declared.revision if is_own else 0) + len(record.deployments),
            "updated_at": record.deployments[-1],
        }
        return declared.model_copy(update=update)

    def _declared(self, agent_id: int | None) -> Snapshot:
        """As in the world file; None: an agent that is no copy, whose prompts any dialogue of the world may match."""
        if agent_id is not None:
            return self._world.snapshot(agent_id)
        every = tuple(dialogue for agent in self._world.agents.values() for dialogue in agent.dialogues.values())
        update = {"tools": self._world.tools, "dialogues": every}
        return self._world.snapshot(next(iter(self._world.agents))).model_copy(update=update)

    def configuration_digest(self, agent_id: int) -> str:
        """Changes with everything that can change a call and no other field shows: the world, dialogues and tools. So a
        copy has the digest of its original, and an edited prompt does not change it."""
        same: dict[str, Any] = dict.fromkeys(self.FIELDS, "") | {"fields": {}}
        same |= dict.fromkeys(("agent_id", "updated_at", "revision"), 0)
        behaviour = self.snapshot(agent_id).model_copy(update=same)
        return sha256(f"{self._world.digest} {behaviour!r}".encode()).hexdigest()

    def created_at(self, agent_id: int) -> float:
        if agent_id in self._world.agents:
            return self._world.snapshot(agent_id, min(self._world.agents[agent_id].revisions)).updated_at
        return self.record(agent_id).deployments[0]

    def variants(self, agent_id: int) -> Mapping[int, Variant]:
        declared = self._world.agents.get(self.record(agent_id).copy_of or 0)
        return declared.variants if declared else {}

    def split(self, agent_id: int) -> tuple[tuple[int, Snapshot], ...]:
        """(weight, snapshot) of each variant that answers calls."""
        base = self.snapshot(agent_id)
        return tuple(
            (
                variant.weight,
                base.model_copy(update={**variant.own, "variant_id": number, "variant_label": variant.label}),
            )
            for number, variant in self.variants(agent_id).items()
        )

    # Changes

    @property
    def is_full(self) -> bool:
        """Whether the organization may have no more agents."""
        limit = self._world.agent_limit
        return limit is not None and len(self.ids) >= limit

    def create(self, fields: Mapping[str, JsonValue], at: float) -> int:
        """Deploy a new agent and return its id."""
        return self._add(AgentRecord(None, dict(fields), (at,)), at)

    def _add(self, record: AgentRecord, at: float) -> int:
        agent_id = max({*self._world.agents, *self._state.agents}) + 1
        self._state.record(Event(at, agents={agent_id: record}))
        return agent_id

    def duplicate(self, agent_id: int, name: str | None, at: float) -> int:
        """A copy has the dialogues and tools of the world's agent that it comes from."""
        snapshot, record = self.snapshot(agent_id), self.record(agent_id)
        fields: dict[str, JsonValue] = {field: getattr(snapshot, field) for field in self.FIELDS}
        left_out = dict.fromkeys(self._world.duplicates_leave_out)
        fields |= {**snapshot.fields, **left_out, "name": name or f"{snapshot.name} (copy)"}
        draft = record.draft if self._world.duplicates_copy_drafts else None
        return self._add(AgentRecord(record.copy_of, fields, (at,), draft, at if draft else None), at)

    def draft(self, agent_id: int, fields: Mapping[str, JsonValue], at: float) -> None:
        self._change(agent_id, at, draft={**(self.record(agent_id).draft or {}), **fields}, draft_at=at)

    def discard(self, agent_id: int, at: float) -> None:
        self._change(agent_id, at, draft=None, draft_at=None)

    def deploy(self, agent_id: int, fields: Mapping[str, JsonValue], at: float) -> None:
        """Calls use these fields from now on; the draft is discarded."""
        record = self.record(agent_id)
        deployments = (*record.deployments, at)
        fields = {**record.fields, **fields}
        self._change(agent_id, at, fields=fields, deployments=deployments, draft=None, draft_at=None)

    def delete(self, agent_id: int, at: float) -> None:
        """Its queued runs fail without a call; calls in progress continue."""
        runs = tuple(
            replace(
                run,
                snapshot=None,
                call_id=None,
                sip_call_id=None,
                conversation=EMPTY,
                billable_minutes=0,
                call_cents=0,
                cost_cents=0,
                ends_at=run.starts_at,
                error_message=NO_AGENT,
            )
            for run in self._state.live_runs(at)
            if at < run.starts_at and run.snapshot is not None and run.snapshot.agent_id == agent_id
        )
        record = replace(self.record(agent_id), is_deleted=True)
        self._state.record(Event(at, runs=runs, agents={agent_id: record}))

    def _change(self, agent_id: int, at: float, **changes: Any) -> None:
        self._state.record(Event(at, agents={agent_id: replace(self.record(agent_id), **changes)}))
