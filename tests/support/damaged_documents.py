"""Stored documents, journals and shared logs with random damage, and what must hold however they are damaged.

One session of the sandbox leaves a store: a case that passed, and one whose calls break what its plan expects. Each mutation damages one
file of it, as an editor or an attacker would, and prepares the next session from it. Then:

* the broken case is never reported as passed (*wrong pass*),
* no ceiling has more left than it allows, and no price or reservation is below zero (*ceiling lifted*),
* every error is a `PlannerError` (*no traceback*).
"""

from __future__ import annotations

import io
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import anyio

from planner.calls.budget import spending_under
from planner.clock import Clock
from planner.commands.run import run
from planner.errors import PlannerError
from planner.log.facts import Ceiling, Scope
from planner.log.fold import State
from planner.log.journal import IN_MEMORY, Journal
from planner.log.local import LocalLog
from planner.log.stores.folder import FolderStore
from planner.log.stores.store import START, Store, log_name
from planner.records.files import summary_of
from planner.session.preparing import prepare
from planner.session.run_session import RunOptions
from planner.shell import Shell
from planner.verdicts.case_documents import MissingRuns, assemble_cases
from planner.workspace.selection import Loaded, Selection, load
from planner.workspace.service import TargetState
from planner.workspace.stores import OpenedStore, Workspace, account_of, place_of

PLAN = """\
version: 1
plan: hours
targets:
  clinic: {agent: 12}
defaults: {runs: 3}
scenarios:
  good:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    expect: [{check: call, status: completed}]
  bad:
    prompt: You are Bob, calm. Ask when the clinic is open on Saturday.
    expect:
      - {check: duration, max_seconds: 1}
      - {check: call, status: completed}
"""
BAD = "hours/bad@clinic"
SANDBOX = Selection(sandbox=True)
LIMIT_CENTS = 100
_KINDS = ("document", "document", "journal", "shared")

_SCALARS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, -100_000, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**30, 10**400),
    *(0.0, -0.5, 0.5, 1e308, -1e308, float("inf"), float("-inf"), float("nan"), 1e-320),
    *(
        "",
        "passed",
        "failed",
        "unknown",
        "agent",
        "platform",
        "call",
        "reuse",
        "x" * 10_000,
        "\ud800",
        "\x00\x1b[2J",
        "../../x",
    ),
    *(
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2999-01-01T00:00:00+23:59",
        "2026-11-24T12:00:00",
        "-1",
        "1e400",
    ),
    *([], {}, [[]], {"": {}}, [None], {"schema_version": "99.0"}),
)


class BrokenPromiseError(Exception):
    """A ceiling was lifted, or a case passed wrongly."""


def require(holds: bool, what: str) -> None:
    if not holds:
        raise BrokenPromiseError(what)


@dataclass(frozen=True)
class Violation:
    kind: str
    seed: int
    what: str


class Fuzzed:
    """A store that one session left, in `folder`; `folder` is used by nobody else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "plans").mkdir(parents=True)
        (folder / "plans/hours.yaml").write_text(PLAN, encoding="utf-8")
        self._ids = 0
        shell = self.shell()
        assert run(shell, RunOptions(SANDBOX, consent_to_charge=True)) == 1, shell.err.getvalue()
        self.store = folder / ".planner/sandbox"
        self.loaded: Loaded = load(shell, SANDBOX)
        self.documents = {
            path: path.read_bytes()
            for path in (
                *self.store.glob("calls/*/*.jsonl"),
                *self.store.glob("sessions/*.json"),
                *self.store.glob("runs/*.json"),
                *self.store.glob("evidence/*/*"),
            )
        }
        self.log = self.store / "log.db"
        with closing(Journal(self.log)) as journal:
            lines, _ = journal.lines()
        # As after a kill: nobody says that the session ended, and every other run is in no results.
        self.lines = [line for line in lines if not line.startswith('{"fact":"session"')]

    def shell(self) -> Any:
        def new_id() -> str:
            self._ids += 1
            return f"{self._ids:016x}"

        return Shell(
            cwd=self.folder,
            environ={"USER": "tester"},
            out=io.StringIO(),
            err=io.StringIO(),
            clock=Clock(lambda: datetime.now(UTC), time.monotonic, anyio.sleep),
            new_id=new_id,
            width=100,
        )

    # One mutation

    @staticmethod
    def kind_of(seed: int) -> str:
        return _KINDS[seed % len(_KINDS)]

    def check(self, seed: int) -> Violation | str:
        """What is wrong with planner, or what became of this mutation, in a word."""
        random = Random(seed)  # noqa: S311 - repeatable
        mutations: dict[str, Callable[[Random], str]] = {
            "document": self._document,
            "journal": self._journal,
            "shared": self._shared,
        }
        try:
            return mutations[self.kind_of(seed)](random)
        except PlannerError as error:
            return "refused" if str(error) else Violation("no message", seed, type(error).__name__)
        except BrokenPromiseError as error:
            return Violation("promise broken", seed, str(error))
        except Exception as error:  # noqa: BLE001 - any is a violation
            return Violation("traceback", seed, f"{type(error).__name__}: {error}")

    def _document(self, random: Random) -> str:
        path = random.choice([*self.documents])
        # Most edits are of facts: that is where outcomes are.
        if random.random() < 0.6:
            path = random.choice([each for each in self.documents if each.suffix == ".jsonl"])
        data = self.documents[path]
        edited = data
        if path.suffix == ".jsonl" and random.random() < 0.5:
            edited = as_if_passed(random, data, next(each for each in self._facts() if each is not data))
        if edited is data or random.random() < 0.5:
            others = [json.loads(line) for other in self.documents.values() for line in other.splitlines()]
            edited = damaged(random, edited, others)
        writes = {path: edited}
        if path.suffix == ".jsonl" and random.random() < 0.7:
            writes |= self._head_with(path, edited)
        try:
            for each, content in writes.items():
                each.write_bytes(content)
            self.prepared()
        finally:
            for each in writes:
                each.write_bytes(self.documents[each])
        return "accepted"

    def _facts(self) -> list[bytes]:
        return [data for path, data in self.documents.items() if path.suffix == ".jsonl"]

    def _head_with(self, path: Path, data: bytes) -> dict[Path, bytes]:
        """The head of the session, with the digest of the changed facts."""
        head = next(each for each in self.documents if each.parent.name == "sessions")
        document = json.loads(self.documents[head])
        document["parts"][path.relative_to(self.store).as_posix()] = summary_of(data).model_dump()
        return {head: json.dumps(document).encode()}

    def prepared(self, log: LocalLog | None = None) -> tuple[OpenedStore, str]:
        """A session up to its ceilings and to what it would report without a call, and its digest.

        Raises `BrokenPromiseError`.
        """
        shell = self.shell()
        place = place_of(shell, self.folder, SANDBOX, self.loaded.project)
        targets = {("agent", 12): TargetState(None, "spark")}
        prepared = prepare(Workspace(shell, SANDBOX, self.loaded, place), targets, None if log is None else log.state)
        change_set = prepared.change_set
        for price in change_set.prices.values():
            cents = [value for value in (price.low_cents, price.expected_cents, price.high_cents) if value is not None]
            require(all(value >= 0 for value in cents), f"a call costs {cents}")
        if log is not None:
            self._check_spending(log.state)
        cases = assemble_cases(
            change_set.changes,
            {},
            place.repository.load_evidence,
            MissingRuns("not called"),
            today=datetime.now(UTC).date(),
        )
        for case in cases:
            require(case.case_id != BAD or case.outcome not in ("passed", "flaky"), f"{BAD} is {case.outcome}")
        return place, change_set.digest

    def _check_spending(self, state: State) -> None:
        for consent_id in {"", *state.consents}:
            for plan in (None, "hours"):
                scope = Scope.CONSENT if plan is None else Scope.PLAN
                spending = spending_under(state, consent_id, Ceiling(scope, LIMIT_CENTS, "--max-cost", plan or ""))
                require(min(spending) >= 0, f"{spending} cents are committed")
        require(state.tallies.committed_cents >= 0, f"{state.tallies.committed_cents} cents are committed")

    def _remove_log(self) -> None:
        for leftover in self.store.glob("log.db*"):
            leftover.unlink()

    def _journal(self, random: Random) -> str:
        self._remove_log()
        try:
            is_whole = random.random() < 0.7
            with closing(Journal(self.log)) as journal:
                journal.note(self._damaged_lines(random) if is_whole else self.lines)
            if not is_whole:
                self.log.write_bytes(_damaged_bytes(random, self.log.read_bytes()))
            elif random.random() < 0.1:
                with closing(sqlite3.connect(self.log, isolation_level=None)) as db:
                    db.execute("CREATE TRIGGER t AFTER INSERT ON lines BEGIN SELECT 1; END")
            with closing(self._opened(self.log)) as log:
                self.prepared(log)
        finally:
            self._remove_log()
        return "accepted"

    def _damaged_lines(self, random: Random) -> list[str]:
        lines = [*self.lines]
        for _ in range(random.randint(1, 3)):
            index = random.randrange(len(lines))
            match random.randrange(5):
                case 0:
                    del lines[index]
                case 1:
                    lines[index] = lines[index][: random.randrange(1, len(lines[index]))]
                case _:
                    others = [json.loads(random.choice(self.lines))]
                    damage = _damage_value(random, json.loads(self.lines[index]), others[0])
                    lines[index] = json.dumps(damage).replace('"inf"', "1e400")
        return lines

    def _opened(self, path: Path, store: Store | None = None) -> LocalLog:
        account = account_of(self.shell())
        log = LocalLog(path, account, lambda: datetime.now(UTC), None if store is None else ("shared", store))
        try:
            log.read()
        except BaseException:
            log.close()
            raise
        return log

    def _shared(self, random: Random) -> str:
        """Others wrote to the log that machines share: lines, or its files."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            FolderStore(Path(folder), log_name(), "w").append(self._damaged_lines(random), START)
            if random.random() < 0.3:
                (entry,) = Path(folder).rglob("entries/*")
                entry.chmod(0o600)
                entry.write_bytes(_damaged_bytes(random, entry.read_bytes()))
            with closing(self._opened(IN_MEMORY, FolderStore(Path(folder), log_name(), "r"))) as log:
                self.prepared(log)
        return "accepted"


def as_if_passed(random: Random, data: bytes, others: bytes) -> bytes:
    """Facts in which somebody made the calls pass, more or less thoroughly; `others` are facts of calls that did."""
    facts, passed = ([json.loads(line) for line in each.splitlines()] for each in (data, others))
    way = random.randrange(6)
    for fact, other in zip(facts, passed, strict=True):
        evidence = (None, (other.get("data") or other)["evidence"], "0" * 64)
        if fact["kind"] == "call":
            fact["data"].update({"evidence": evidence[way]} if way < 3 else {})
            continue
        changed: dict[str, Any] = {"evidence": evidence[way]} if way < 3 else {}
        changed |= {"check_fingerprint": "sha256:" + "0" * 64} if way == 3 else {}
        changed |= {"evidence": "0" * 64} if way == 4 else {}
        fact.update(changed, outcome="passed")
        fact["verdict"] |= {"outcome": "passed", "cause": None, "reason": "", "cause_quote": None}
        for finding in fact["verdict"]["findings"]:
            finding["outcome"] = "passed"
    match random.randrange(6):
        case 0:
            facts.pop(random.randrange(len(facts)))
        case 1:
            facts = passed
        case 2:
            facts = [*facts, *passed]
        case 3:
            facts[0]["excluded"] = "agent_edited"
        case 4:
            correction = {"kind": "correction", "at": "2026-01-01T00:00:00Z"}
            names = ("run_id", "session_id", "data")
            facts += [
                correction | {name: own[name] for name in names} | {"data": theirs["data"]}
                for own, theirs in zip(facts, passed, strict=True)
                if own["kind"] == "call"
            ]
        case _:
            pass
    return _lines(facts)


def damaged(random: Random, data: bytes, others: list[Any]) -> bytes:
    """The file with random damage: of its bytes, or of one to three values of one line."""
    if random.random() < 0.15:
        return _damaged_bytes(random, data)
    documents = [json.loads(line) for line in data.splitlines()]
    index = random.randrange(len(documents)) if documents else 0
    for _ in range(random.randint(1, 3) if documents else 0):
        documents[index] = _damage_value(random, documents[index], random.choice(others))
    return _lines(documents) if data.endswith(b"\n") else _lines(documents)[:-1]


def _lines(documents: list[Any]) -> bytes:
    text = "".join(json.dumps(document) + "\n" for document in documents)
    return text.replace('"inf"', "1e400").encode("utf-8", "surrogatepass")


def _damage_value(random: Random, document: Any, other: Any) -> Any:
    places = list(_places(document))
    if not places:
        return random.choice(_SCALARS)
    holder, key = random.choice(places)
    match random.randrange(7):
        case 0 | 1:
            holder[key] = random.choice(_SCALARS)
        case 2:
            value = holder[key]
            holder[key] = -value - 1 if isinstance(value, int | float) and not isinstance(value, bool) else [value]
        case 3:
            del holder[key]
        case 4:
            there = list(_places(other))
            from_holder, from_key = random.choice(there)
            holder[key] = json.loads(json.dumps(from_holder[from_key]))
        case 5:
            value = holder[key]
            if isinstance(value, list) and value:
                value.extend(json.loads(json.dumps(value)))
            else:
                holder[key] = value
        case _:
            nested: Any = holder[key]
            for _ in range(random.choice([1, 50, 300])):
                nested = [nested]
            holder[key] = nested
    return document


def _places(document: Any) -> Any:
    """Every (holder, key) of it."""
    items: Any = ()
    if isinstance(document, dict):
        items = list(document.items())
    elif isinstance(document, list):
        items = list(enumerate(document))
    for key, value in items:
        yield document, key
        yield from _places(value)


def _damaged_bytes(random: Random, data: bytes) -> bytes:
    result = bytearray(data)
    match random.randrange(4):
        case 0:
            for _ in range(random.choice([1, 8, 64])):
                result[random.randrange(len(result))] = random.randrange(256)
        case 1:
            del result[random.randrange(len(result)) :]
        case 2:
            at = random.randrange(len(result))
            result[at:at] = random.choice([b"[" * 5000, b"\xff\xfe", b"NaN", b"\x00", b'"', b"{" * 100])
        case _:
            start = random.randrange(len(result))
            del result[start : start + random.randint(1, 200)]
    return bytes(result)
