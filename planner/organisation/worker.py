"""What a coordinator works with, and its tasks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from anyio.abc import TaskGroup

from planner.clock import Clock
from planner.errors import StoreError
from planner.execution.engine import EngineSettings
from planner.execution.journal_state import TakenError
from planner.organisation.policy import WorkerPolicy
from planner.organisation.tables import Tables
from planner.providers.base import AgentProvider
from planner.values import frozen


@frozen
class Worker:
    """What a worker works with, in every epoch."""

    tables: Tables
    provider: AgentProvider
    service: str
    policy: WorkerPolicy
    settings: EngineSettings
    clock: Clock
    new_id: Callable[[], str]
    log: Callable[[str], None]

    async def check_key(self) -> None:
        """One request, which is free. Raises `CredentialError`, `IncompleteError`."""
        await self.provider.runs(limit=1)


@dataclass(slots=True)
class GuardedTasks:
    """Tasks whose exceptions concern one consent."""

    tasks: TaskGroup
    failed: Callable[[object, Exception], None]

    def start_soon(self, task: Callable[..., Awaitable[object]], *arguments: object) -> None:
        self.tasks.start_soon(self._guarded, task, *arguments)

    async def _guarded(self, task: Callable[..., Awaitable[object]], *arguments: object) -> None:
        try:
            await task(*arguments)
        except TakenError as error:
            self.failed(arguments[0] if arguments else None, error)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - it becomes trouble of one consent
            self.failed(arguments[0] if arguments else None, error)
