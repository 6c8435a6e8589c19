"""Connects to the service: the real one with a key from the environment, or the embedded sandbox."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pydantic_core
import rfc8785

from planner import __version__
from planner.api.client import NO_HOOKS, ApiClient, RequestHooks
from planner.api.transport import HttpxTransport
from planner.api.wire import WireBilling, WirePhoneNumber
from planner.errors import CredentialError, NotFoundError, StoreError, UsageError
from planner.planfile.model import Case, Target
from planner.session.selection import Selection
from planner.session.service_address import base_url_of, check_transport_security
from planner.session.shell import Shell
from planner.session.stores import Place
from planner.session.worlds import world_name, world_of

SANDBOX_KEY = "sk_test_sandbox"

_VOLATILE = ("_at", "_count")
"""Suffixes of fields that change without an edit."""


@dataclass(frozen=True, slots=True)
class TargetState:
    """The agent behind a target.

    `revision` is `<updated_at> <digest>`; None if no agent could be read. `drafts` are ids of agents with an undeployed
    draft.
    """

    revision: str | None
    product: str | None
    drafts: tuple[int, ...] = ()


def check_key(shell: Shell) -> tuple[str, str]:
    """(base URL, key) from the environment. Raises `CredentialError`, `UsageError` if the key is missing, malformed, or
    would be sent unencrypted."""
    key = shell.environ.get("THUNDERPHONE_API_KEY", "").strip()
    if not key:
        raise CredentialError(
            "there is no API key",
            "Set THUNDERPHONE_API_KEY in the environment, or use --sandbox, which needs no key.",
        )
    check_key_characters("THUNDERPHONE_API_KEY", key)
    base_url = base_url_of(shell.environ)
    check_transport_security(base_url, shell.environ)
    return base_url, key


def check_key_characters(variable: str, key: str) -> None:
    """Raises `CredentialError` if the key cannot be sent in a header."""
    if not key.isascii() or (key and not key.isprintable()) or " " in key:
        raise CredentialError(f"{variable} contains invalid characters", "Copy the whole key again.")


@asynccontextmanager
async def open_client(
    shell: Shell, place: Place, selection: Selection, hooks: RequestHooks = NO_HOOKS
) -> AsyncGenerator[ApiClient]:
    """A client of the real service, or of the sandbox with its state in the place's folder."""
    app: Any = None
    if selection.sandbox:
        base_url, key = "http://sandbox", SANDBOX_KEY
        app = embedded_app(shell, place.directory, selection)
    else:
        base_url, key = check_key(shell)
    headers = {"Authorization": f"Bearer {key}", "X-ThunderPhone-Client": f"thunderphone-planner/{__version__}"}
    transport = HttpxTransport(base_url, headers, app=app, keys=shell.keys)
    client = ApiClient(
        transport,
        clock=shell.clock,
        hooks=hooks,
        credential=sha256(f"{base_url} {key}".encode()).hexdigest()[:16],
    )
    try:
        yield client
    finally:
        await client.close()


def embedded_app(shell: Shell, sandbox_dir: Path, selection: Selection) -> Any:
    """The sandbox as an ASGI app with its state in `sandbox_dir`."""
    from planner.sandbox import Sandbox, StateFileError, WorldError

    world = world_of(shell, selection)
    state = sandbox_dir / "service.jsonl"
    try:
        sandbox_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = lambda: shell.clock.now().timestamp()  # noqa: E731
        return Sandbox(world, now=now, state_path=state, environ=shell.environ).app
    except WorldError as error:
        raise UsageError(f"--world {world_name(selection)}: {error}") from error
    except StateFileError as error:
        raise StoreError(f"the sandbox's state cannot be read: {error}", f"Delete {state} to start again.") from error
    except OSError as error:
        raise StoreError(
            f"the sandbox's state cannot be written to {state}: {error.strerror}", "Fix its permissions."
        ) from error


async def read_targets(client: ApiClient, cases: Iterable[Case]) -> dict[tuple[str, int], TargetState]:
    """Target states by (kind, id): one read per target, and for each agent one of the agent and one of its variants.
    Raises `NotFoundError` if the service does not know a target."""
    wanted: dict[tuple[str, int], tuple[Target, set[str]]] = {}
    for case in cases:
        wanted.setdefault((case.target.kind, case.target.id), (case.target, set()))[1].add(case.direction)
    agents: dict[int, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    """By id: the agent and its variants."""
    states: dict[tuple[str, int], TargetState] = {}
    for key, (target, directions) in wanted.items():
        try:
            ids = [target.id]
            if target.kind != "agent":
                ids = _agents_behind(await client.phone_number(target.id), directions)
            for agent_id in ids:
                if agent_id not in agents:
                    agents[agent_id] = await client.agent(agent_id), await client.agent_variants(agent_id)
        except NotFoundError as error:
            what = "agent" if target.kind == "agent" else "phone number"
            fix = "Correct its id in the plan or in planner.yaml, or use the API key of its organisation."
            raise NotFoundError(
                f"the service does not know {what} {target.id} (target {target.alias!r}) or its agent",
                f"{error.hint} If so: {fix}" if error.hint else fix,
            ) from error
        states[key] = _state([agents[agent_id] for agent_id in ids])
    return states


def _agents_behind(number: WirePhoneNumber, directions: set[str]) -> list[int]:
    """Outbound calls of the bot reach the number's inbound agent; inbound calls come from its outbound agent."""
    behind = {"outbound": number.inbound_agent_id, "inbound": number.outbound_agent_id}
    return [agent_id for direction in sorted(directions) if (agent_id := behind.get(direction)) is not None]


def _deciding(document: dict[str, Any]) -> Any:
    """The fields that can affect a call: not drafts, labels, counters, times or signed addresses."""
    return pydantic_core.to_jsonable_python(
        {
            name: value
            for name, value in document.items()
            if not name.startswith("draft_")
            and name not in ("has_draft", "name", "label")
            and "url" not in name
            and not name.endswith(_VOLATILE)
        }
    )


def _state(behind: list[tuple[dict[str, Any], list[dict[str, Any]]]]) -> TargetState:
    """A revision over every field of the agents and their variants that can affect a call."""
    if not behind:
        return TargetState(None, None)
    agents = [agent for agent, _ in behind]
    deciding: list[Any] = [_deciding(agent) for agent in agents]
    if any(variants for _, variants in behind):  # without variants, revisions stay as in older versions
        deciding.append([sorted(rfc8785.dumps(_deciding(each)).decode() for each in own) for _, own in behind])
    digest = sha256(rfc8785.dumps(deciding)).hexdigest()[:12]
    edited = max(str(agent.get("updated_at") or "unknown") for agent in agents)
    products = {agent.get("product") for agent in agents}
    product = products.pop() if len(products) == 1 else None
    drafts = [agent["id"] for agent in agents if agent.get("has_draft") is True and isinstance(agent.get("id"), int)]
    return TargetState(f"{edited} {digest}", product if isinstance(product, str) else None, tuple(drafts))


def draft_warnings(cases: Iterable[Case], targets: Mapping[tuple[str, int], TargetState]) -> list[str]:
    """One warning per target with an undeployed draft: calls do not reach it."""
    aliases = {(case.target.alias, (case.target.kind, case.target.id)): None for case in cases}
    return [
        f"target `{alias}`: agent {agent_id} has an undeployed draft; calls reach the deployed version, not the draft"
        for alias, key in aliases
        if key in targets
        for agent_id in targets[key].drafts
    ]


async def read_billing(client: ApiClient) -> WireBilling | None:
    """The organisation's billing; None if this key may not see it or the service does not have it."""
    try:
        return await client.billing()
    except (NotFoundError, CredentialError):  # the targets could be read, so the key is valid
        return None
