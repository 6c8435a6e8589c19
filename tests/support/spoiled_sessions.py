"""Whole sessions in which one field of the service's answers is spoiled: another type, a huge number, a deep list, or missing.

A session must end with an exit code of its own, its report must be true to the service's ledger, and later sessions with whole
answers must pay for nothing that was paid.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rewriting import rewritten
from whole_runs import Organization

PLAN = """\
version: 1
plan: spoiled
targets: {clinic: {agent: 12}, orders: {agent: 14}}
scenarios:
  hours:
    prompt: "You are {{ who }}. Ask when you are open on Saturday."
    matrix: {axes: {who: [Ana, Bob]}}
    targets: [clinic]
    expect:
      - {check: says, any_of: [Saturday]}
      - {check: grade, min_score: 0.1}
      - {check: latency, max_ms: 60000}
      - {check: cost, max_cents: 500}
  cancels:
    prompt: "You are Dora Diaz, polite. Cancel your appointment of Monday."
    targets: [clinic]
    expect:
      - {check: tool_called, name: find_appointment}
      - {check: call, status: completed}
  order:
    prompt: "You are Cleo. Ask about your order."
    targets: [orders]
    expect:
      - {check: duration, max_seconds: 600}
      - {check: pacing, max_silence_ms: 60000}
"""
PREVIEW_PLAN = """\
version: 1
plan: previews
targets: {clinic: {agent: 12, config: ../agents/clinic.yaml}, hotline: {phone_number: 77}}
scenarios:
  hours:
    prompt: "You are Ana. Ask when you are open on Saturday."
    targets: [clinic]
    expect: [{check: says, any_of: [Saturday]}]
  order:
    prompt: "You are Cleo. Ask about your order."
    targets: [hotline]
    expect: [{check: duration, max_seconds: 600}]
"""
AGENT_FILE = "prompt: You are Iris of Larkfield Clinic. Be brief.\n"
AGENTS = [12, 14, 17]
PROJECT = "version: 1\nexecution: {settle_seconds: 120, linger_seconds: 200}\n"

MISSING: Any = object()


def _deep(levels: int) -> str:
    return "[" * levels + "]" * levels


VALUES: Mapping[str, str] = {
    "null": "null",
    "a flag": "true",
    "a text": '"a text"',
    "a surrogate": '"\\ud800"',
    "a long text": json.dumps("long " * 20_000),
    "a fraction": "7.5",
    "over 53 bits": str(2**53 + 1),
    "over 64 bits": str(2**64),
    "400 digits": "9" * 400,
    "5,000 digits": "9" * 5_000,
    "almost infinite": "1e308",
    "an empty list": "[]",
    "an empty object": "{}",
    "an object": '{"is": {"other": [1, "two", null]}}',
    "a deep list": _deep(60),
    "a list too deep": _deep(5_000),
}
"""What comes instead, as JSON."""
GONE = "missing"
KINDS = (*VALUES, GONE)

Scope = Literal["always", "first answer", "last row"]
"""Which answers and rows are spoiled."""
SCOPES: tuple[Scope, ...] = ("always", "first answer", "last row")

Path_ = tuple[str, ...]
"""Names of fields; `*` is every item of a list."""


@dataclass(frozen=True)
class Spoiling:
    route: str
    """`GET /v1/calls/{id}`."""
    path: Path_
    kind: str
    scope: Scope = "always"
    preview: bool = False
    """Calls are made on a copy of an agent."""

    def __str__(self) -> str:
        plan = " with a preview" if self.preview else ""
        return f"{self.route}{plan}: {'.'.join(self.path)} = {self.kind} ({self.scope})"


def route_of(method: str, path: str) -> str:
    return f"{method} {re.sub(r'(?<=/)[0-9]+', '{id}', path)}"


def paths_of(document: Any, prefix: Path_ = ()) -> Iterator[Path_]:
    """Every field, at any depth."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield (*prefix, name)
            yield from paths_of(value, (*prefix, name))
    elif isinstance(document, list):
        for item in document:
            yield (*prefix, "*")
            yield from paths_of(item, (*prefix, "*"))


_MARK = "@spoiled@"


def spoiled(body: bytes, spoiling: Spoiling) -> bytes:
    document = json.loads(body)
    if spoiling.path:
        _spoil(document, spoiling.path, spoiling)
    else:
        document = _MARK
    return json.dumps(document).replace(f'"{_MARK}"', VALUES.get(spoiling.kind, "")).encode()


def _spoil(document: Any, path: Path_, spoiling: Spoiling) -> None:
    name, *rest = path
    if name == "*" and isinstance(document, list):
        items = range(len(document))[-1:] if spoiling.scope == "last row" else range(len(document))
        keys: Any = list(items)
    else:
        keys = [name] if isinstance(document, dict) and name in document else []
    for key in reversed(keys):
        if rest:
            _spoil(document[key], tuple(rest), spoiling)
        elif spoiling.kind == GONE:
            del document[key]
        else:
            document[key] = _MARK


@dataclass
class Service:
    """The sandbox, whose answers are recorded, and spoiled while `spoiling` is set."""

    organization: Organization
    spoiling: Spoiling | None = None
    answers: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    spoiled: int = 0

    def __post_init__(self) -> None:
        self._real = self.organization.sandbox.app
        setattr(self.organization.sandbox, "app", self._app)  # noqa: B010 - read-only for the type checker

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        route = route_of(scope["method"], scope["path"])
        await self._real(scope, receive, rewritten(send, partial(self._answer, route)))

    def _answer(self, route: str, status: int, body: bytes) -> bytes:
        if status >= 300 or not body.strip():
            return body
        self.answers.setdefault(route, []).append(json.loads(body))
        wanted = self.spoiling
        if wanted is None or wanted.route != route or (wanted.scope == "first answer" and self.spoiled):
            return body
        changed = spoiled(body, wanted)
        self.spoiled += changed != json.dumps(json.loads(body)).encode()
        return changed


def service_in(folder: Path, *, preview: bool) -> Service:
    organization = Organization(folder, {"rates": {"spark": 8, "bolt": 8}})
    organization.write("plans/spoiled.yaml", PREVIEW_PLAN if preview else PLAN)
    organization.write("agents/clinic.yaml", AGENT_FILE)
    organization.write("planner.yaml", PROJECT)
    return Service(organization)


def every_field(folder: Path, *, preview: bool) -> dict[str, list[Path_]]:
    """By route: the fields of its answers in a session without faults."""
    service = service_in(folder, preview=preview)
    assert service.organization.run().code == 0
    found: dict[str, list[Path_]] = {}
    for route, answers in service.answers.items():
        paths = dict.fromkeys(path for answer in answers for path in paths_of(answer))
        found[route] = [path for path in paths if len(path) <= 4]
    return found


CONFIGURATION = re.compile(r"GET /v1/(agents|phone-numbers)/")
"""Another configuration was called, as far as anybody can know: calling again is right."""
AGENT_ROUTES = re.compile(r"/v1/(agents|phone-numbers)")
EVIDENCE = re.compile(r"GET /v1/calls/")
"""What the service said of a call counts as said: it may be undecided or failed for ever."""
IDS = frozenset({"id", "run_ids", "batch_id", "call_id"})
BILLS = frozenset({"billing_total_cents", "amount_cents"})


def is_believed(spoiling: Spoiling) -> bool:
    """Whether a wrong value is as good as any: another id of 64 bits, another bill."""
    names = {*spoiling.path[-2:]} - {"*"}
    return bool(names & IDS and spoiling.kind == "over 53 bits") or bool(
        names & BILLS and spoiling.kind == "a fraction"
    )


def faults_of(folder: Path, spoiling: Spoiling) -> list[str]:
    """What is wrong with the sessions; empty if nothing is."""
    service = service_in(folder, preview=spoiling.preview)
    organization = service.organization
    service.spoiling = spoiling
    wrong: list[str] = []
    try:
        ran = organization.run()
    except Exception as error:  # noqa: BLE001 - what is looked for
        return [f"raised {type(error).__name__}: {error}"[:300]]
    if ran.code not in range(5):
        return [f"exit code {ran.code}: {ran.err[-400:]}"]
    wrong += _untrue(organization, spoiling)
    service.spoiling = None
    code: int | None = None
    for _ in range(4):
        organization.seconds += 660.0
        code = organization.run().code
        if organization.results()["finished"]:
            break
    made = Counter(organization.made())
    expected = (0, 1, 4) if EVIDENCE.match(spoiling.route) or is_believed(spoiling) else (0,)
    if code not in expected:
        wrong.append(f"later sessions end with {code}: {'; '.join(organization.results()['problems'])}"[:400])
    is_other = CONFIGURATION.match(spoiling.route) is not None
    wanted = 2 if spoiling.preview else 4
    if len(made) != wanted or (sum(made.values()) != wanted and not is_other):
        wrong.append(f"calls made: {sorted(made.values())} for {wanted} wanted")
    is_recognised = spoiling.path not in ((), ("id",), ("name",))  # what has another name is never deleted
    if (agents := organization.sandbox.agents.ids) != AGENTS and is_recognised:
        wrong.append(f"copies are left: {agents}")
    return wrong


def _untrue(organization: Organization, spoiling: Spoiling) -> Iterator[str]:
    """Where the report differs from what the service charged."""
    results, charged = organization.results(), organization.charged()
    cost = results["cost"]
    if not charged:
        if cost["actual_cents"] or cost["unconfirmed_cents"] or results["stats"]["launches"]:
            yield "reports calls, and none was made"
        return
    billed = {run_id: cents for run_id, cents in organization.noted().items() if cents is not None}
    if not results["consent"]["given"]:
        yield "denies the consent"
    if cost["actual_cents"] != sum(billed.values()):
        yield f"reports {cost['actual_cents']} cents, and the journal has {sum(billed.values())}"
    if not is_believed(spoiling):
        if other := {run_id: cents for run_id, cents in billed.items() if charged.get(run_id) != cents}:
            yield f"bills {other} are not the service's"
        if cost["actual_cents"] + cost["unconfirmed_cents"] < sum(charged.values()):
            yield f"reports up to {cost['actual_cents'] + cost['unconfirmed_cents']} of {sum(charged.values())} cents"
    runs = [run for run in organization.sandbox.state.runs if run.requested_by_id == 1]
    launches = len({run.batch_id or -run.id for run in runs})
    if results["stats"]["launches"] + len(results["open_launches"]) != launches:
        yield f"reports {results['stats']['launches']} launches and {len(results['open_launches'])} open, of {launches}"


def all_spoilings(folder: Path) -> list[Spoiling]:
    """Every field of every answer, in every way; which answers and rows are spoiled takes turns."""
    wanted: list[Spoiling] = []
    for preview in (False, True):
        for route, paths in every_field(folder / str(preview), preview=preview).items():
            if preview and not AGENT_ROUTES.search(route):
                continue  # as without a preview
            for path in ((), *paths):
                first = len(wanted) // len(KINDS)
                turns: Iterator[Scope] = (SCOPES[(first + number) % len(SCOPES)] for number in range(len(KINDS)))
                wanted += [
                    Spoiling(route, path, kind, scope, preview) for kind, scope in zip(KINDS, turns, strict=True)
                ]
    return [each for each in wanted if each.path or each.kind != GONE]
