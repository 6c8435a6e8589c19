"""A worker whose key the service rejects leaves the calls to another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import pytest
from mortality import Life
from organisations import Organisation, WithMethods

from planner.errors import CredentialError
from planner.organisation.coordinator import coordinate
from planner.organisation.lease import LeaseHost
from planner.organisation.states import ConsentState
from planner.organisation.tables import Tables

pytestmark = pytest.mark.anyio

REJECTED = ["runs", "launch", "runs after a launch"]
"""The first request that is rejected; all later ones are."""


@pytest.mark.parametrize("rejected", REJECTED)
async def test_a_worker_whose_key_is_rejected_gives_the_tables_up(
    make_organisation: Callable[..., Organisation], job: Callable[..., Any], rejected: str
) -> None:
    """No consent ends by it, and the next worker makes the calls."""
    organisation = make_organisation()
    consent_id = organisation.submit(1, job("ana", runs=2))
    await organisation.begin()
    worker = organisation.worker(Life())
    is_rejected = False

    async def ask(name: str, *arguments: Any, **more: Any) -> Any:
        nonlocal is_rejected
        is_rejected = is_rejected or name == rejected
        if is_rejected:
            more.get("on_sending", lambda: None)()
            raise CredentialError("the service rejects the key")
        answer = await getattr(provider, name)(*arguments, **more)
        is_rejected = name == "launch"
        return answer

    provider = worker.provider
    methods = {name: partial(ask, name) for name in ("runs", "launch")}
    worker = replace(worker, provider=WithMethods(provider, **methods))
    host = LeaseHost(organisation.tables, "rejected", "0", organisation.clock(), organisation.log.append)
    with anyio.fail_after(60.0), pytest.raises(CredentialError):
        await host.keep_alive(lambda epoch, stop: coordinate(worker, epoch, stop), anyio.Event())
    assert organisation.tables.worker() is None
    assert organisation.state(consent_id) in (ConsentState.SUBMITTED, ConsentState.OPEN)
    await organisation.work()
    assert organisation.outcome(consent_id).finished
    await organisation.check_exact()


async def test_a_rejected_request_that_is_not_the_keys_fault_ends_its_consents(
    make_organisation: Callable[..., Organisation], job: Callable[..., Any]
) -> None:
    """The key may read lists, but not launch: no other worker would do better."""
    organisation = make_organisation()
    consent_id = organisation.submit(1, job("ana"))

    async def launch(_: Any, *, on_sending: Callable[[], None]) -> Any:
        on_sending()
        raise CredentialError("the key may not launch")

    worker = organisation.worker(Life())
    await organisation.begin()
    provider = WithMethods(worker.provider, launch=launch)
    stop = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(coordinate, replace(worker, provider=provider), await organisation.take(), stop)
        await anyio.sleep(20.0)
        stop.set()
    assert organisation.outcome(consent_id).usage == "the key may not launch"


def test_tables_belong_to_one_organisation(tables: Tables) -> None:
    """From the first call, or while a worker is at work."""
    assert (tables.belong_to(1), tables.belong_to(2)) == (1, 2)
    epoch = tables.take("a", "1")
    assert epoch == 1
    assert tables.belong_to(1) == 2
    event = {"number": 1, "consent_id": "", "session_id": "", "kind": "k", "event": "{}"}
    tables.add_event(epoch, event)
    tables.release(epoch)
    assert (tables.belong_to(1), tables.belong_to(2)) == (2, 2)
