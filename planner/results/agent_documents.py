"""Agents with a file, as the results document and plans in JSON have them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from planner.bounds import ListOf, ServiceId

_CONFIG = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class FieldDocument(BaseModel):
    """A field of an agent that differs; null: it is not set."""

    model_config = _CONFIG

    field: str
    before: Any = None
    after: Any = None


class AgentDocument(BaseModel):
    """An agent with a file. Secrets in its fields are replaced by digests."""

    model_config = _CONFIG

    target: str = Field(description="The author's alias of the agent.")
    agent_id: ServiceId
    config: str = Field(description="The agent's file.")
    state: Literal["unknown", "changed", "same"] = Field(
        description="Whether the file differs from the deployed agent; unknown: the agent was not read."
    )
    changes: ListOf[FieldDocument] = Field(default=[], description="How the file differs from the deployed agent.")
    drift: ListOf[FieldDocument] = Field(default=[], description="What was edited at the service.")
    waits_for_deploy: bool = Field(default=False, description="The newest recorded file is not deployed yet.")
