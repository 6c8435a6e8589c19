"""Agents as configuration: what the world declares, and what was created, drafted, deployed and deleted over the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from planner.sandbox.launching import digest_of
from planner.sandbox.state.records import AgentEvent, EditEvent, SnapshotEvent
from planner.sandbox.state.state import AgentRecord, State
from planner.sandbox.worlds.dialogues import Snapshot, Variant
from planner.sandbox.worlds.world import World

FIELDS = ("name", "prompt", "voice", "product", "primary_language", "thinking_level")
"""What a draft may change. Anything else in a request is ignored, as unknown fields are."""


class Agents:
    """`append` makes events durable. Methods raise KeyError for an agent that does not exist."""

    def __init__(self, world: World, state: State, append: Callable[..., None]) -> None:
        self._world = world
        self._state = state
        self._append = append
        self._declared_snapshots: dict[tuple[int, int | None], tuple[Snapshot, str]] = {}

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
        record = AgentRecord(agent_id, declared.created_at.timestamp())
        if declared.draft_prompt is not None:
            record.draft, record.draft_at = {"prompt": declared.draft_prompt}, record.created_at
        return record

    def snapshot(self, agent_id: int) -> tuple[Snapshot, str]:
        """The agent as it answers now, and the digest that runs remember it by."""
        record = self.record(agent_id)
        base = self._base(record.copy_of)
        if not record.deployments:
            return base
        update: dict[str, object] = {
            "agent_id": agent_id,
            "revision": base[0].revision + len(record.deployments)
            if record.copy_of == agent_id
            else len(record.deployments),
            "updated_at": record.deployments[-1],
            **{name: value for name, value in record.fields.items() if name in Snapshot.model_fields},
        }
        snapshot = base[0].model_copy(update=update)
        return snapshot, digest_of(snapshot)

    def thinking_level(self, agent_id: int) -> str:
        record = self.record(agent_id)
        declared = self._world.agents.get(record.copy_of or 0)
        return record.fields.get("thinking_level", declared.thinking_level if declared else "base")

    def variants(self, agent_id: int) -> Mapping[int, Variant]:
        declared = self._world.agents.get(self.record(agent_id).copy_of or 0)
        return declared.variants if declared else {}

    def split(self, agent_id: int) -> tuple[tuple[int, Snapshot, str], ...]:
        """(weight, snapshot, digest) of each variant that answers calls."""
        base = self.snapshot(agent_id)[0]
        found: list[tuple[int, Snapshot, str]] = []
        for number, variant in self.variants(agent_id).items():
            own = {"prompt": variant.prompt, "voice": variant.voice}
            changes = {name: value for name, value in own.items() if value is not None}
            snapshot = base.model_copy(update={**changes, "variant_id": number, "variant_label": variant.label})
            found.append((variant.weight, snapshot, digest_of(snapshot)))
        return tuple(found)

    def _base(self, world_id: int | None) -> tuple[Snapshot, str]:
        if world_id is None:
            return self._scratch()
        declared = self.declared(world_id, None)
        edit = self._state.edits.get(world_id)
        if edit is not None and self._state.snapshots[edit.digest].updated_at > declared[0].updated_at:
            return self._state.snapshots[edit.digest], edit.digest
        return declared

    def declared(self, agent_id: int, revision: int | None) -> tuple[Snapshot, str]:
        """As the world file has it."""
        place = (agent_id, revision)
        if place not in self._declared_snapshots:
            snapshot = self._world.snapshot(agent_id, revision)
            self._declared_snapshots[place] = snapshot, digest_of(snapshot)
        return self._declared_snapshots[place]

    def _scratch(self) -> tuple[Snapshot, str]:
        """An agent that is no copy: any dialogue of the world may match its prompts."""
        first = self.declared(next(iter(self._world.agents)), None)[0]
        every = tuple(dialogue for agent in self._world.agents.values() for dialogue in agent.dialogues.values())
        snapshot = first.model_copy(
            update={"tools": self._world.tools, "dialogues": every, "revision": 0, "model": None}
        )
        return snapshot, digest_of(snapshot)

    # Changes

    def deploy_revision(self, agent_id: int, revision: int | None, at: float) -> None:
        """Deploy a revision of the world file, or (None) the current one once more."""
        base = self.snapshot(agent_id)[0] if revision is None else self.declared(agent_id, revision)[0]
        edited = base.model_copy(update={"updated_at": at})
        digest = digest_of(edited)
        self._append(SnapshotEvent(digest, edited), EditEvent(at, agent_id, digest))

    def create(self, fields: Mapping[str, str], at: float, copy_of: int | None = None) -> int:
        """The new agent's id. A copy has the dialogues and tools of the world's agent that it comes from."""
        agent_id = max({*self._world.agents, *self._state.agents}) + 1
        self._append(AgentEvent(at, agent_id, "create", dict(fields), copy_of))
        return agent_id

    def duplicate(self, agent_id: int, name: str, at: float) -> int:
        snapshot = self.snapshot(agent_id)[0]
        fields = {field: str(getattr(snapshot, field)) for field in FIELDS if field in Snapshot.model_fields}
        fields["thinking_level"] = self.thinking_level(agent_id)
        return self.create({**fields, "name": name or f"{snapshot.name} (copy)"}, at, self.record(agent_id).copy_of)

    def draft(self, agent_id: int, fields: Mapping[str, str], at: float) -> None:
        draft = {**(self.record(agent_id).draft or {}), **fields}
        self._append(AgentEvent(at, agent_id, "draft", draft, self.record(agent_id).copy_of))

    def discard(self, agent_id: int, at: float) -> None:
        self._append(AgentEvent(at, agent_id, "discard", {}, self.record(agent_id).copy_of))

    def deploy(self, agent_id: int, at: float) -> None:
        """The draft becomes the configuration that calls use."""
        record = self.record(agent_id)
        fields = {**record.fields, **(record.draft or {})}
        self._append(AgentEvent(at, agent_id, "deploy", fields, record.copy_of))

    def delete(self, agent_id: int, at: float) -> None:
        self._append(AgentEvent(at, agent_id, "delete", {}, self.record(agent_id).copy_of))
