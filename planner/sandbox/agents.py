"""Agents as configuration: what the world declares, and what was created, drafted, deployed and deleted since."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256

from planner.sandbox.state.records import AgentChange, AgentEvent
from planner.sandbox.state.state import AgentRecord, State
from planner.sandbox.worlds.dialogues import Snapshot, Variant
from planner.sandbox.worlds.world import World

FIELDS = ("name", "prompt", "voice", "product", "primary_language", "thinking_level")
"""What a draft may change."""


def digest_of(snapshot: Snapshot) -> str:
    return sha256(json.dumps(snapshot.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


class Agents:
    """`append` makes events durable. Methods raise KeyError for an agent that does not exist."""

    def __init__(self, world: World, state: State, append: Callable[..., None]) -> None:
        self._world = world
        self._state = state
        self._append = append
        self._declared = cache(self._read_declared)

    @property
    def ids(self) -> list[int]:
        records = self._state.agents
        deleted = {agent_id for agent_id, record in records.items() if record.is_deleted}
        return sorted({*self._world.agents, *records} - deleted)

    def record(self, agent_id: int) -> AgentRecord:
        if agent_id not in self.ids:
            raise KeyError(agent_id)
        if agent_id in self._state.agents:
            return self._state.agents[agent_id]
        declared = self._world.agents[agent_id]
        record = AgentRecord(agent_id)
        if declared.draft_prompt is not None:
            record.draft, record.draft_at = {"prompt": declared.draft_prompt}, self._declared(agent_id)[0].updated_at
        return record

    def snapshot(self, agent_id: int) -> tuple[Snapshot, str]:
        """The agent as it answers now, and the digest that runs remember it by. A newer revision of the world file counts."""
        record = self.record(agent_id)
        declared, digest = self._declared(record.copy_of)
        is_own = record.copy_of == agent_id
        if not record.deployments or (is_own and record.deployments[-1] <= declared.updated_at):
            return declared, digest
        update: dict[str, object] = {
            **record.fields,
            "agent_id": agent_id,
            "revision": (declared.revision if is_own else 0) + len(record.deployments),
            "updated_at": record.deployments[-1],
        }
        snapshot = declared.model_copy(update=update)
        return snapshot, digest_of(snapshot)

    def created_at(self, agent_id: int) -> float:
        if agent_id in self._world.agents:
            return self._world.snapshot(agent_id, min(self._world.agents[agent_id].revisions)).updated_at
        return self.record(agent_id).deployments[0]

    def variants(self, agent_id: int) -> Mapping[int, Variant]:
        declared = self._world.agents.get(self.record(agent_id).copy_of or 0)
        return declared.variants if declared else {}

    def split(self, agent_id: int) -> tuple[tuple[int, Snapshot, str], ...]:
        """(weight, snapshot, digest) of each variant that answers calls."""
        base = self.snapshot(agent_id)[0]
        found: list[tuple[int, Snapshot, str]] = []
        for number, variant in self.variants(agent_id).items():
            changes = variant.model_dump(include={"prompt", "voice"}, exclude_none=True)
            snapshot = base.model_copy(update={**changes, "variant_id": number, "variant_label": variant.label})
            found.append((variant.weight, snapshot, digest_of(snapshot)))
        return tuple(found)

    def _read_declared(self, agent_id: int | None) -> tuple[Snapshot, str]:
        """As the world file has it; None: an agent that is no copy, whose prompts any dialogue of the world may match."""
        if agent_id is not None:
            snapshot = self._world.snapshot(agent_id)
        else:
            every = tuple(dialogue for agent in self._world.agents.values() for dialogue in agent.dialogues.values())
            update = {"tools": self._world.tools, "dialogues": every, "model": None}
            snapshot = self._world.snapshot(next(iter(self._world.agents))).model_copy(update=update)
        return snapshot, digest_of(snapshot)

    # Changes

    def deploy_revision(self, agent_id: int, revision: int | None, at: float) -> None:
        """Deploy the prompt of a revision of the world file, or (None) the current one once more."""
        prompt = (
            self.snapshot(agent_id)[0].prompt if revision is None else self._world.snapshot(agent_id, revision).prompt
        )
        self._change(agent_id, "deploy", {**self.record(agent_id).fields, "prompt": prompt}, at)

    def create(self, fields: Mapping[str, str], at: float, copy_of: int | None = None) -> int:
        """The new agent's id. A copy has the dialogues and tools of the world's agent that it comes from."""
        agent_id = max({*self._world.agents, *self._state.agents}) + 1
        self._append(AgentEvent(at, agent_id, "create", dict(fields), copy_of))
        return agent_id

    def duplicate(self, agent_id: int, name: str, at: float) -> int:
        snapshot = self.snapshot(agent_id)[0]
        fields = {field: str(getattr(snapshot, field)) for field in FIELDS}
        return self.create({**fields, "name": name or f"{snapshot.name} (copy)"}, at, self.record(agent_id).copy_of)

    def draft(self, agent_id: int, fields: Mapping[str, str], at: float) -> None:
        self._change(agent_id, "draft", {**(self.record(agent_id).draft or {}), **fields}, at)

    def discard(self, agent_id: int, at: float) -> None:
        self._change(agent_id, "discard", {}, at)

    def deploy(self, agent_id: int, at: float) -> None:
        """The draft becomes the configuration that calls use."""
        record = self.record(agent_id)
        self._change(agent_id, "deploy", {**record.fields, **(record.draft or {})}, at)

    def delete(self, agent_id: int, at: float) -> None:
        self._change(agent_id, "delete", {}, at)

    def _change(self, agent_id: int, change: AgentChange, fields: Mapping[str, str], at: float) -> None:
        self._append(AgentEvent(at, agent_id, change, dict(fields), self.record(agent_id).copy_of))
