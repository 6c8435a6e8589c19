"""Reaching the service: the real one with a key from the environment, or the embedded sandbox."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pydantic_core
import rfc8785

from planner import __version__
from planner.api.client import ApiClient
from planner.api.exchange import Exchange
from planner.api.transport import HttpxTransport
from planner.api.wire import WireBilling, WirePhoneNumber
from planner.errors import CredentialError, NotFoundError, PlannerError, StoreError, UsageError
from planner.invocation.address import base_url_of, check_way
from planner.invocation.shell import Shell
from planner.invocation.worlds import NamedWorld
from planner.planfile.model import Case, Target

SANDBOX_KEY = "sk_test_sandbox"

_VOLATILE = ("_at", "_count")
"""Endings of fields that change without anyone editing the agent."""


@dataclass(frozen=True, slots=True)
class TargetState:
    """What the service says of a target: the agent that answers (or places) its calls.

    `revision` is `<updated_at> <digest>`; None where no agent could be read. `drafts` are ids of agents with an undeployed draft.
    """

    revision: str | None
    product: str | None
    drafts: tuple[int, ...] = ()


def check_key(shell: Shell) -> tuple[str, str]:
    """(base URL, key) from the environment.

    Raises:
        CredentialError, UsageError: there is none, or it cannot be one, or it would be sent in clear.
    """
    key = shell.environ.get("THUNDERPHONE_API_KEY", "").strip()
    if not key:
        raise CredentialError(
            "there is no API key",
            "Set THUNDERPHONE_API_KEY in the environment, or try the same with --sandbox, which needs none.",
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise CredentialError("THUNDERPHONE_API_KEY holds characters that no key has", "Copy the key again, whole.")
    base_url = base_url_of(shell.environ)
    check_way(base_url, shell.environ)
    return base_url, key


@asynccontextmanager
async def open_client(
    shell: Shell,
    *,
    sandbox_dir: Path | None,
    world: NamedWorld,
    on_exchange: Callable[[Exchange], None] | None = None,
    on_wait: Callable[[PlannerError, float], None] | None = None,
) -> AsyncGenerator[ApiClient]:
    """The client to call with; `sandbox_dir` is where the embedded sandbox remembers, None for the real service."""
    app: Any = None
    if sandbox_dir is None:
        base_url, key = check_key(shell)
    else:
        base_url, key = "http://sandbox", SANDBOX_KEY
        app = embedded_app(shell, sandbox_dir, world)
    headers = {"Authorization": f"Bearer {key}", "X-ThunderPhone-Client": f"thunderphone-planner/{__version__}"}
    transport = HttpxTransport(base_url, headers, app=app, keys=shell.keys)
    client = ApiClient(
        transport,
        now=shell.clock.now,
        sleep=shell.clock.sleep,
        monotonic=shell.clock.monotonic,
        on_exchange=on_exchange,
        on_wait=on_wait,
        credential=sha256(f"{base_url} {key}".encode()).hexdigest()[:16],
    )
    try:
        yield client
    finally:
        await client.close()


def embedded_app(shell: Shell, sandbox_dir: Path, world: NamedWorld) -> Any:
    """The sandbox as an ASGI app, its state kept in `sandbox_dir` as a service keeps its own."""
    from planner.invocation.worlds import open_world
    from planner.sandbox import Sandbox, StateFileError, WorldError

    loaded = open_world(shell, world)
    state = sandbox_dir / "service.jsonl"
    try:
        sandbox_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = lambda: shell.clock.now().timestamp()  # noqa: E731
        return Sandbox(loaded, now=now, state_path=state, environ=shell.environ).app
    except WorldError as error:
        raise UsageError(f"--world {world.name}: {error}") from error
    except StateFileError as error:
        raise StoreError(f"the sandbox's memory cannot be read: {error}", f"Delete {state} to start afresh.") from error
    except OSError as error:
        raise StoreError(
            f"the sandbox cannot remember in {state}: {error.strerror}", "Mend its permissions."
        ) from error


async def read_targets(client: ApiClient, cases: Iterable[Case]) -> dict[tuple[str, int], TargetState]:
    """By (kind, id): one read a target, and for each agent one of itself and one of its variants.

    Raises:
        NotFoundError: the service does not know a target.
    """
    wanted: dict[tuple[str, int], tuple[Target, set[str]]] = {}
    for case in cases:
        wanted.setdefault((case.target.kind, case.target.id), (case.target, set()))[1].add(case.direction)
    agents: dict[int, dict[str, Any]] = {}
    variants: dict[int, list[dict[str, Any]]] = {}
    states: dict[tuple[str, int], TargetState] = {}
    for key, (target, directions) in wanted.items():
        try:
            ids = (
                [target.id]
                if target.kind == "agent"
                else _agents_behind(await client.phone_number(target.id), directions)
            )
            for agent_id in ids:
                if agent_id not in agents:
                    agents[agent_id] = await client.agent(agent_id)
                    variants[agent_id] = await client.agent_variants(agent_id)
        except NotFoundError as error:
            what = "agent" if target.kind == "agent" else "phone number"
            cure = "Correct its id in the plan (or the environment in planner.yaml), or use the key of the organisation that has it."
            raise NotFoundError(
                f"the service does not know {what} {target.id} (target {target.alias!r} of the plans), or what answers it",
                f"{error.hint} If it is: {cure}" if error.hint else cure,
            ) from error
        states[key] = _state([agents[agent_id] for agent_id in ids], [variants[agent_id] for agent_id in ids])
    return states


def _agents_behind(number: WirePhoneNumber, directions: set[str]) -> list[int]:
    """The bot calls (outbound): the number's inbound agent answers. The bot answers (inbound): its outbound agent calls."""
    behind = {"outbound": number.inbound_agent_id, "inbound": number.outbound_agent_id}
    return [agent_id for direction in sorted(directions) if (agent_id := behind.get(direction)) is not None]


def _deciding(document: dict[str, Any]) -> dict[str, Any]:
    """The fields that can change a call: not drafts, labels, counters, times or signed addresses."""
    return {
        name: value
        for name, value in document.items()
        if not name.startswith("draft_")
        and name not in ("has_draft", "name", "label")
        and "url" not in name
        and not name.endswith(_VOLATILE)
    }


def _state(agents: list[dict[str, Any]], variants: list[list[dict[str, Any]]]) -> TargetState:
    """The revision covers every field of the agents and of their variants that can change a call."""
    if not agents:
        return TargetState(None, None)
    deciding: list[Any] = [_deciding(agent) for agent in agents]
    if any(variants):  # else the revision stays what it was before variants were part of it
        deciding.append([sorted(map(_canonical, own)) for own in variants])
    digest = sha256(rfc8785.dumps(pydantic_core.to_jsonable_python(deciding))).hexdigest()[:12]
    edited = max(str(agent.get("updated_at") or "unknown") for agent in agents)
    products = {agent.get("product") for agent in agents}
    product = products.pop() if len(products) == 1 else None
    drafts = tuple(
        agent["id"] for agent in agents if agent.get("has_draft") is True and isinstance(agent.get("id"), int)
    )
    return TargetState(f"{edited} {digest}", product if isinstance(product, str) else None, drafts)


def _canonical(variant: dict[str, Any]) -> str:
    return rfc8785.dumps(pydantic_core.to_jsonable_python(_deciding(variant))).decode()


def draft_warnings(cases: Iterable[Case], targets: Mapping[tuple[str, int], TargetState]) -> list[str]:
    """One sentence a target whose agent has an undeployed draft: calls do not reach the draft."""
    aliases = {(case.target.alias, (case.target.kind, case.target.id)): None for case in cases}
    return [
        f"target `{alias}`: agent {agent_id} has an undeployed draft; calls reach the deployed version, not the draft"
        for alias, key in aliases
        if key in targets
        for agent_id in targets[key].drafts
    ]


async def read_billing(client: ApiClient) -> WireBilling | None:
    """The organisation's money, or None where this key may not see it or the service does not tell."""
    try:
        return await client.billing()
    except (NotFoundError, CredentialError):  # the targets could be read, so the key is good for what matters
        return None
