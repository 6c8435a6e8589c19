"""The host `temporal`: one heartbeating activity keeps one coordinator alive among any number of workers.

Needs the extra `temporal`. The workflow holds no state: it may be reset, terminated or lost at any time.
"""

from __future__ import annotations

import asyncio
import platform
from datetime import timedelta

import anyio
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner
from temporalio.worker import Worker as TemporalWorker

from planner.errors import CredentialError, PlannerError, leading_error
from planner.organisation.host import Coordinate
from planner.organisation.lease import LeaseHost
from planner.organisation.temporal_client import planner_error
from planner.values import frozen

_WORKFLOW, _ACTIVITY = "planner-organisation", "coordinate"


@workflow.defn(name=_WORKFLOW)
class OrganisationWorkflow:
    @workflow.run
    async def run(self, lease_seconds: float) -> None:
        """For ever. Retries add nothing to the history, and the activity never succeeds."""
        await workflow.execute_activity(
            _ACTIVITY,
            start_to_close_timeout=timedelta(days=365),
            heartbeat_timeout=timedelta(seconds=lease_seconds),
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=1.0),
        )


async def _pass_on(stop: anyio.Event, over: anyio.Event) -> None:
    await stop.wait()
    over.set()


@frozen
class TemporalHost:
    client: Client
    lease: LeaseHost

    @property
    def organisation(self) -> str:
        """Names the workflow. A file is another one on each machine."""
        tables = self.lease.tables
        machine = f" on {platform.node()}" if tables.engine.dialect.name == "sqlite" else ""
        return f"planner {tables.shown}{machine}"

    async def keep_alive(self, coordinate: Coordinate, stop: anyio.Event) -> None:
        rejected: list[BaseException] = []
        over = anyio.Event()

        @activity.defn(name=_ACTIVITY)
        async def hold() -> None:
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._beat)
                    await self._hold(coordinate)
                    tasks.cancel_scope.cancel()
            except* CredentialError as errors:
                rejected.append(leading_error(errors))
                over.set()
            raise ApplicationError("this worker does not coordinate", category=ApplicationErrorCategory.BENIGN)

        async with (
            TemporalWorker(
                self.client,
                task_queue=self.organisation,
                workflows=[OrganisationWorkflow],
                activities=[hold],
                workflow_runner=UnsandboxedWorkflowRunner(),
                max_concurrent_activities=1,
                max_heartbeat_throttle_interval=timedelta(seconds=self.lease.heartbeat_seconds),
                graceful_shutdown_timeout=timedelta(minutes=1),
                identity=self.lease.holder,
                build_id=self.lease.version,
            ),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(_pass_on, stop, over)
            while not over.is_set():
                await self._start_again()
                with anyio.move_on_after(self.lease.tables.lease_seconds):
                    await over.wait()
            tasks.cancel_scope.cancel()
        if rejected:
            raise rejected[0]

    async def _hold(self, coordinate: Coordinate) -> None:
        """Coordinate until this worker ends or the workflow was ended: answers to launches are still awaited then."""
        ending = anyio.Event()
        working = asyncio.ensure_future(self.lease.keep_alive(coordinate, ending))
        ends = asyncio.ensure_future(activity.wait_for_worker_shutdown())
        try:
            await asyncio.wait((working, ends), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ends.cancel()
            ending.set()
            await working

    async def _beat(self) -> None:
        while True:
            activity.heartbeat()
            await self.lease.clock.sleep(self.lease.heartbeat_seconds)

    async def start(self) -> None:
        """Start the workflow unless it runs. Raises `UsageError`, `CredentialError`, `UnreachableError`."""
        try:
            await self.client.start_workflow(
                _WORKFLOW,
                self.lease.tables.lease_seconds,
                id=self.organisation,
                task_queue=self.organisation,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
        except RPCError as error:
            raise planner_error(error, self.client) from error

    async def _start_again(self) -> None:
        """If somebody ended it. A coordinator at work needs no host."""
        try:
            await self.start()
        except PlannerError as error:
            self.lease.log(str(error))
