"""Connects to the service (the real one with a key from the environment, or the embedded sandbox) and reads its
state."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from planner.ci.event import named_by_github
from planner.ci.policy import NO_BASE
from planner.diagnostics import Diagnostics, Span
from planner.errors import CredentialError, NotFoundError, PlanInvalidError, StoreError, UsageError
from planner.planfile.addresses import is_this_machine
from planner.planfile.fields import explain
from planner.planfile.files import find_root
from planner.planfile.model import Case
from planner.planfile.reporter import rules
from planner.planfile.text import shorten
from planner.providers.base import (
    AgentProvider,
    Provider,
    Target,
    TargetState,
    UnknownTargetError,
)
from planner.providers.requests import NO_HOOKS, RequestHooks
from planner.providers.thunderphone.client import BATCHES, TEST_CALLS, Account, connect
from planner.quantities import count
from planner.shell import Shell
from planner.workspace.selection import Selection
from planner.workspace.stores import OpenedStore

if TYPE_CHECKING:
    from planner.sandbox import World

SANDBOX_KEY = "sk_test_sandbox"
KEY = "THUNDERPHONE_API_KEY"
RUNS_PATH = "THUNDERPHONE_TEST_CALLS_PATH"


def account_of(shell: Shell) -> Account:
    """The account in the environment. Raises `CredentialError`, `UsageError` if the key is missing, malformed, or would
    be sent unencrypted, or if the path of test calls is unknown."""
    key = shell.environ.get(KEY, "").strip()
    if not key:
        raise CredentialError(
            "there is no API key",
            f"Set {KEY} in the environment, or use --sandbox, which needs no key.",
        )
    check_key_characters(KEY, key)
    base_url = base_url_of(shell.environ)
    check_transport_security(base_url, shell.environ)
    runs_path = shell.environ.get(RUNS_PATH, "").strip().rstrip("/") or TEST_CALLS
    if runs_path not in BATCHES:
        raise UsageError(f"{RUNS_PATH} is {runs_path!r}", f"Unset it, or use one of: {', '.join(BATCHES)}")
    return Account(base_url, key, runs_path)


def check_key_characters(variable: str, key: str) -> None:
    """Raises `CredentialError` if the key cannot be sent in a header."""
    if not key.isascii() or (key and not key.isprintable()) or " " in key:
        raise CredentialError(f"{variable} contains invalid characters", "Copy the whole key again.")


@asynccontextmanager
async def open_client(
    shell: Shell, place: OpenedStore, selection: Selection, hooks: RequestHooks = NO_HOOKS
) -> AsyncGenerator[AgentProvider]:
    """A client of the real service, or of the sandbox with its state in the place's folder."""
    app: Any = None
    if selection.sandbox:
        account = Account("http://sandbox", SANDBOX_KEY)
        app = embedded_app(shell, place, selection)
    else:
        account = account_of(shell)
    client = connect(account, clock=shell.clock, hooks=hooks, redactor=shell.keys, app=app)
    try:
        yield client
    finally:
        await client.close()


def embedded_app(shell: Shell, place: OpenedStore, selection: Selection) -> Any:
    """The sandbox as an ASGI app with its state in the place's folder."""
    from planner.sandbox import Sandbox, StateFileError

    world = world_of(shell, selection, place)
    state = place.directory / "service.jsonl"
    try:
        place.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = lambda: shell.clock.now().timestamp()  # noqa: E731
        return Sandbox(world, now=now, state_path=state).app
    except StateFileError as error:
        raise StoreError(f"the sandbox's state cannot be read: {error}", f"Delete {state} to start again.") from error
    except OSError as error:
        raise StoreError(
            f"the sandbox's state cannot be written to {state}: {error.strerror}", "Fix its permissions."
        ) from error


async def read_targets(provider: Provider, cases: Sequence[Case], place: OpenedStore) -> dict[Target, TargetState]:
    """The states of the cases' targets. Raises `NotFoundError` if the service does not know one."""
    wanted: dict[Target, set[str]] = {}
    for case in cases:
        wanted.setdefault((case.target.kind, case.target.id), set()).add(case.direction)
    try:
        return await provider.target_states(wanted)
    except UnknownTargetError as error:
        kind, target_id = error.target
        alias = next(case.target.alias for case in cases if (case.target.kind, case.target.id) == error.target)
        what = "agent" if kind == "agent" else "phone number"
        also = "" if kind == "agent" else " or its agent"
        raise unknown_target(f"{what} {target_id} (target {alias!r}){also}", error, place) from error


def unknown_target(what: str, error: NotFoundError, place: OpenedStore) -> NotFoundError:
    """The error with what is unknown, where, and how to fix it."""
    fix = "Correct its id in the plan or in planner.yaml"
    if place.world:
        return NotFoundError(
            f"the sandbox's world {shorten(place.world)} has no {what}",
            f"{fix}, or name your world with --world.",
        )
    fix += ", or use the API key of its organization."
    return NotFoundError(f"the service does not know {what}", f"{error.hint} If so: {fix}" if error.hint else fix)


def draft_warnings(cases: Iterable[Case], targets: Mapping[Target, TargetState]) -> list[str]:
    """One warning per target with an undeployed draft: calls do not reach it."""
    aliases = {(case.target.alias, (case.target.kind, case.target.id)): None for case in cases}
    return [
        f"target `{alias}`: agent {agent_id} has an undeployed draft, which no call reaches"
        for alias, key in aliases
        if key in targets
        for agent_id in targets[key].drafts
    ]


def unscripted_warnings(shell: Shell, selection: Selection, place: OpenedStore, cases: Sequence[Case]) -> list[str]:
    """A warning if the sandbox cannot play the calls of some cases."""
    if not selection.sandbox or selection.offline or not cases:
        return []
    world = world_of(shell, selection, place)
    unscripted = [case.case_id for case in cases if not world.is_scripted(case.prompt)]
    if not unscripted:
        return []
    warning = (
        f"the sandbox plays scripted dialogues, and its world {shorten(place.world)} has none for "
        f"{count(len(unscripted), 'case')}, such as {unscripted[0]}: their calls will be undecided. Write dialogues "
        "for them (docs/sandbox.md), or name your world with --world"
    )
    return [warning]


DEFAULT_BASE_URL = "https://api.thunderphone.com"
ADDRESS = "THUNDERPHONE_API_BASE_URL"
IN_CLEAR = "THUNDERPHONE_ALLOW_HTTP_TO"
_PORTS = {"http": 80, "https": 443}


# The address


def base_url_of(environ: Mapping[str, str]) -> str:
    """Raises `UsageError` if the environment names an invalid address."""
    base_url = environ.get(ADDRESS, "").strip() or DEFAULT_BASE_URL
    if _parts(base_url) is None:
        raise UsageError(
            f"{ADDRESS} is {base_url!r}, not a web address",
            f"Unset it for {DEFAULT_BASE_URL}, or write http(s)://host, with no ? and no #.",
        )
    return base_url.rstrip("/").removesuffix("/v1")


def service_of(environ: Mapping[str, str]) -> str:
    """Names the service in stored documents: another service may use the same ids."""
    return shown_address(base_url_of(environ))


def check_transport_security(base_url: str, environ: Mapping[str, str]) -> None:
    """Raises `UsageError` if the key would travel unencrypted without permission."""
    parts = _parts(base_url)
    if parts is None or parts.scheme == "https":
        return
    from planner.network.http import proxy_host, proxy_variable  # late: httpx takes a tenth of the start of `plan`

    host = parts.hostname or ""
    allowed = environ.get(IN_CLEAR, "").strip().lower()
    also = f" {IN_CLEAR} names another host: {allowed!r}." if allowed else ""
    shown, safe = shown_address(base_url), "If the key is worthless (as in a sandbox) or the network is safe, allow it:"
    if not is_this_machine(host) and allowed != host:
        raise UsageError(
            f"{ADDRESS} is {shown}: over http, the key could be read on its way to {host}",
            f"Use https.{also} {safe} {IN_CLEAR}={host}",
        )
    if is_this_machine(host) and (proxy := proxy_host(base_url)) and not is_this_machine(proxy) and allowed != proxy:
        raise UsageError(
            f"{ADDRESS} is {shown}, through the proxy {proxy} of {proxy_variable(base_url)}: the key could be read on "
            "its way to the proxy",
            f"Set NO_PROXY={host}.{also} {safe} {IN_CLEAR}={proxy}",
        )


def shown_address(base_url: str) -> str:
    """The address in a canonical form, without user names and passwords."""
    parts = _parts(base_url)
    if parts is None:
        return base_url
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/').removesuffix('/v1')}"


def _parts(text: str) -> SplitResult | None:
    """The parts of an address that paths can be appended to; None for an invalid one."""
    try:
        parts = urlsplit(text)
        can_be_asked = parts.scheme in _PORTS and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    return parts if can_be_asked and not parts.query and not parts.fragment else None


# The sandbox's world


def world_of(shell: Shell, selection: Selection, place: OpenedStore) -> World:
    """The world of a selection. It is not trusted if a stranger may have named or written it. Raises like
    `open_world`."""
    is_trusted = selection.base in (None, NO_BASE) and named_by_github(shell.environ) is None
    return open_world(shell, place.world, is_trusted=is_trusted)


def open_world(shell: Shell, name: str, *, is_trusted: bool = True) -> World:
    """Load a world. An untrusted one must be in the repository.

    Raises `PlanInvalidError` with all diagnostics of its files; `UsageError` if the world does not exist or may not be
    used.
    """
    from planner.sandbox import World, WorldError, builtin_worlds, load_world

    within = None if is_trusted else find_root(shell.cwd)
    try:
        world = load_world(name if name in builtin_worlds() else shell.cwd / name, within=within)
    except WorldError as error:
        if not error.problems:
            known = f"built in are {', '.join(builtin_worlds())}"
            missing = not (shell.cwd / name).exists()
            what = f"there is no world {shorten(name)!r}" if missing else str(error)
            raise UsageError(f"--world: {what}", f"Give the path of a YAML file, or a name: {known}.") from error
        diagnostics = Diagnostics()
        for problem in error.problems:
            code, detail = problem.code, problem.message
            if problem.error is not None:  # invalid values are described as in plans
                code, detail = explain(problem.error, World)
            path = problem.path.relative_to(shell.cwd) if problem.path.is_relative_to(shell.cwd) else problem.path
            at = problem.span
            span = Span(path.as_posix(), at.line, at.column, at.end_line, max(at.end_column, at.column + 1))
            diagnostics.error(code, rules()[code].summary, detail, span)
        raise PlanInvalidError("the world is invalid, so nothing is started", diagnostics) from error
    return world
