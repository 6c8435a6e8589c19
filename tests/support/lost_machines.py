"""Machines that share a results store, die at any boundary, and are lost with all that is on them: whole sessions of
`planner run` in virtual time, one story for each seed.

A story has a plan (with a preview, or a judge), a service that refuses launches, loses answers and fails, and sessions
that are killed on this machine or that. While one machine stands still, another may run. The last session runs on a
machine that has only the store, until nothing is left to do.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from mortality import Killed, Life, MortalJournal
from scripted_model import Asked, completion, honest
from whole_runs import MortalStore, Organization, Ran

import planner.network.http
import planner.session.run_session
import planner.workspace.report_files
import planner.workspace.stores
from planner.log.facts import Reader as FactReader
from planner.log.fold import Stage, State, fold
from planner.log.stores.folder import FolderStore
from planner.network.transport import InProcessTransport
from planner.providers.base import Launched, LaunchRequest
from planner.providers.thunderphone.client import ApiClient
from planner.results.repository import evidence_key
from planner.stores.directory import DirectoryStore
from planner.stores.store import Change, Reader
from planner.workspace.selection import Selection

SHARED = "git:refs/planner/results"
"""How the shared store is named; a folder stands for it."""
CENTS_PER_VOTE = 3
MOST_FINAL_SESSIONS = 20
ALLOWED_CODES = (0, 1, 4)
AGENTS = [12, 14, 17]

PROJECT_OF_STORIES = "version: 1\nexecution: {settle_seconds: 60, linger_seconds: 60}\n"
AGENT_FILE = "prompt: You are Iris of Larkfield Clinic. Be brief.\ntimezone: Europe/Berlin\n"
JUDGED = "{check: judge, id: polite, rubric: The agent stays polite.}"
JUDGE = f"judge: {{base_url: http://127.0.0.1:9/v1, model: scripted-1, cents_per_vote: {CENTS_PER_VOTE}}}\n"


class Fate(Life):
    """The life of a process: where it dies, and what happens elsewhere while it stands still at a boundary. It never
    stands still while a request for a launch is between the last look at the clock and the service, where nothing can
    be done about it: that one is under way for longer than `settle_seconds` is told by no story."""

    def __init__(self, dies_at: int | None = None, meanwhile: Mapping[int, Callable[[], None]] | None = None) -> None:
        super().__init__(dies_at)
        self.meanwhile = dict(meanwhile or {})
        self.launching = 0
        """Requests between the last look at the clock and their answer."""

    def boundary(self, name: str) -> None:
        super().boundary(name)
        due = [number for number in self.meanwhile if number <= len(self.crossed)]
        if due and not self.launching:
            self.meanwhile.pop(due[0])()


def _counted(life: Fate) -> Callable[..., Awaitable[Launched]]:
    """`ApiClient.launch`, which says when its requests are under way."""
    launch = ApiClient.launch

    async def counted(client: ApiClient, request: LaunchRequest, *, on_sending: Callable[[], None]) -> Launched:
        checked = 0

        def last_check() -> None:
            nonlocal checked
            on_sending()
            life.launching += 1
            checked += 1

        try:
            return await launch(client, request, on_sending=last_check)
        finally:
            life.launching -= checked

    return counted


class SharedStore(DirectoryStore):
    """What all machines see. A process dies before, within or after a write; of the keys of one write, the first half is
    there then."""

    life: Life = Life()

    def update(self, change: Change) -> None:
        life = self.life
        life.boundary("before the shared store")
        is_torn = False

        def torn(now: Reader) -> Mapping[str, bytes | None]:
            nonlocal is_torn
            writes = change(now)
            if life.dies_at == len(life.crossed) + 1 and len(writes) > 1:
                is_torn = True
                return dict(list(writes.items())[: len(writes) // 2])
            return writes

        super().update(torn)
        if is_torn:
            life.dead = True
            raise Killed
        life.boundary("after the shared store")


class SharedLog(FolderStore):
    """The log that all machines see. A process dies before or after an append."""

    def append(self, lines: Sequence[str], at: str) -> str | None:
        SharedStore.life.boundary("before the shared log")
        end = super().append(lines, at)
        SharedStore.life.boundary("after the shared log")
        return end


@dataclass
class Fleet(Organization):
    """The machines of one project; `root` is the one in use."""

    machines: int = 0
    asked: list[tuple[Path, str]] = field(default_factory=list[tuple[Path, str]])
    """The machine and the transcript of each judge call that was paid for."""
    asked_too_often: list[str] = field(default_factory=list[str])
    """Judge calls whose answer was in the shared store when their session began."""
    files: dict[str, str] = field(default_factory=dict[str, str])
    log_names: set[str] = field(default_factory=set[str])
    _answered: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.folder = self.root
        self.store = SharedStore(self.folder / "shared")
        super().__post_init__()

    def new_machine(self) -> Path:
        self.machines += 1
        self.root = self.folder / f"machine{self.machines}"
        (self.root / ".git").mkdir(parents=True)
        for name, text in self.files.items():
            self.write(name, text)
        return self.root

    def lose(self, root: Path) -> None:
        shutil.rmtree(root)

    def session(self, root: Path, life: Life, **options: Any) -> Ran:
        self.root = root
        self._answered = self._answered_questions()
        return self.run(life=life, selection=Selection(sandbox=True, store=SHARED), **options)

    def meanwhile(self, root: Path, life: Life) -> Ran:
        """A session on another machine, while this one stands still."""
        halted, own_root, mortal, answered = self.loop, self.root, MortalJournal.life, self._answered
        self.seconds, self.loop = self._monotonic(), None
        ran: list[Ran | BaseException] = []

        def run() -> None:
            try:
                ran.append(self.session(root, life))
            except BaseException as error:  # noqa: BLE001 - raised in the waiting thread
                ran.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if halted is not None:
            halted.virtual_seconds = max(halted.virtual_seconds, self.seconds)
        self.loop, self.root, self._answered = halted, own_root, answered
        MortalJournal.life = MortalStore.life = SharedStore.life = mortal
        if isinstance(ran[0], BaseException):
            raise ran[0]
        return ran[0]

    def stand_still(self, seconds: float) -> None:
        """The process is stopped for this long."""
        if self.loop is None:
            self.seconds += seconds
        else:
            self.loop.virtual_seconds += seconds

    @contextmanager
    def _outside(self, life: Life) -> Generator[None]:
        SharedStore.life = life
        with pytest.MonkeyPatch.context() as patch, super()._outside(life):
            patch.setattr(planner.workspace.stores, "remote_store", lambda *_, **__: self.store)
            patch.setattr(planner.workspace.stores, "_open_log", self._open_log)
            patch.setattr(planner.network.http, "HttpxTransport", self._judge)
            patch.setattr(planner.session.run_session, "interruptible", _never_interrupted)  # or SIGTERM ends one story
            patch.setattr(anyio.to_thread, "run_sync", _in_this_thread)
            if isinstance(life, Fate):
                patch.setattr(ApiClient, "launch", _counted(life))
            patch.delitem(planner.workspace.report_files.REPORT_FILES, "report.html", raising=False)  # nobody reads it
            yield

    def _open_log(self, shell: Any, root: Path, address: object, name: str) -> FolderStore:
        del root, address
        self.log_names.add(name)
        return SharedLog(self.folder / "log", name, shell.new_id())

    def _judge(self, *_: Any, **__: Any) -> InProcessTransport:
        life = SharedStore.life

        async def app(scope: Any, receive: Any, send: Any) -> None:
            body = b""
            while (message := await receive())["type"] == "http.request":
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
            life.boundary("before a judge call")
            answer: Any = {"data": [{"id": "scripted-1"}]}
            if scope["method"] == "POST":
                asked = Asked(json.loads(body), {}, scope["path"])
                self._note_question(transcript_of(turn["said"] for turn in asked.turns))
                answer = completion(honest(asked), model="scripted-1")
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
            )
            await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
            life.boundary("after a judge call")

        return InProcessTransport(app, {})

    # Judge calls

    def _note_question(self, transcript: str) -> None:
        self.asked.append((self.root, transcript))
        if transcript in self._answered:
            self.asked_too_often.append(transcript)

    def _answered_questions(self) -> frozenset[str]:
        """The transcripts of runs that the shared store has judged."""
        results = [json.loads(self.store.get(key) or b"{}") for key in self.store.keys("runs/")]
        digests = {
            run["evidence"]
            for result in results
            for case in result["cases"]
            for run in case["runs"]
            if any(found["check"] == "judge" and found["outcome"] != "undecided" for found in run["findings"])
        }
        evidences = [json.loads(self.store.get(evidence_key(digest)) or b"{}") for digest in digests]
        return frozenset(transcript_of(turn["text"] for turn in each["turns"]) for each in evidences if each)

    def judge_cents(self) -> tuple[float, float]:
        """What the shared log says was spent on judge calls, and reserved for lost ones."""
        tallies = self.shared_state().tallies
        return tallies.judged.total() / 1e6, tallies.judging.total() / 1e6

    def shared_state(self) -> State:
        state = State()
        for name in sorted(self.log_names):
            lines, _ = FolderStore(self.folder / "log", name, "reader").read()
            fold(lines, FactReader("", datetime(2900, 1, 1, tzinfo=UTC)), state)
        return state

    # What is left

    def left_over(self) -> list[str]:
        """Open launches, previews and copies of agents that nobody needs any more."""
        state = self.shared_state()
        previews = [each.preview_id for each in state.previews.values() if not each.step.is_over]
        return [*sorted(state.stages[Stage.OPEN]), *previews] + [
            f"agent {agent_id}" for agent_id in self.sandbox.agents.ids if agent_id not in AGENTS
        ]


def transcript_of(said: Iterable[str]) -> str:
    return json.dumps([*said])


async def _in_this_thread(function: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
    """The whole process stands still, and a story is the same each time."""
    await anyio.lowlevel.checkpoint()
    return function(*arguments)


@asynccontextmanager
async def _never_interrupted() -> AsyncGenerator[anyio.Event]:
    yield anyio.Event()


@dataclass
class Story:
    """What happened for one seed. `problems` should be empty."""

    seed: int
    folder: Path
    has_equal_calls: bool = False
    """A second plan makes the same calls, each once more."""
    sessions: int = 0
    killed: int = 0
    lost: int = 0
    alongside: int = 0
    calls: int = 0
    votes: int = 0
    problems: list[str] = field(default_factory=list[str])
    killed_on: Counter[Path] = field(default_factory=Counter[Path])
    wanted: Counter[str] = field(default_factory=Counter[str])

    def run(self) -> None:
        dice = self.dice = Random(self.seed)  # noqa: S311 - repeatable
        self.fleet = self._fleet()
        machine = self.fleet.new_machine()
        for _ in range(dice.randint(1, 4)):
            self._session(machine)
            self.fleet.seconds += dice.choice([1.0, 30.0, 130.0, 700.0])
            if dice.random() < 0.6:
                self.fleet.lose(machine)
                self.lost += 1
                machine = self.fleet.new_machine()
        self.fleet.lose(machine)
        self._finish(self.fleet.new_machine())

    def _fleet(self) -> Fleet:
        dice = self.dice
        has_preview, has_judge = dice.random() < 0.4, dice.random() < 0.3
        scenarios: list[str] = []
        for number in range(dice.randint(1, 3)):
            runs = dice.randint(1, 4)
            prompts = [f"You are caller {number}{letter}. Ask for Saturday." for letter in "ab"[: dice.randint(1, 2)]]
            self.wanted.update(dict.fromkeys(prompts, runs))
            letters = ", ".join(f"{number}{letter}" for letter in "ab"[: len(prompts)])
            checks = "{check: call, status: completed}" + (f", {JUDGED}" if has_judge else "")
            scenarios.append(
                f"  s{number}:\n"
                '    prompt: "You are caller {{ who }}. Ask for Saturday."\n'
                f"    matrix: {{axes: {{who: [{letters}]}}}}\n"
                f"    targets: [{dice.choice(['clinic', 'orders'])}]\n"
                f"    runs: {runs}\n    retries: 3\n"
                f"    expect: [{checks}]\n"
            )
        config = ", config: ../agents/clinic.yaml" if has_preview else ""
        plan = (
            "version: 1\nplan: lost\n"
            f"targets: {{clinic: {{agent: 12{config}}}, orders: {{agent: 14}}}}\nscenarios:\n" + "".join(scenarios)
        )
        settle_seconds = dice.choice([60, 120, 600])
        project = f"version: 1\nexecution: {{settle_seconds: {settle_seconds}, linger_seconds: 60}}\n"
        files = {"plans/lost.yaml": plan, "planner.yaml": project + (JUDGE if has_judge else "")}
        if self.has_equal_calls:
            more = re.sub(r"runs: (\d)", lambda found: f"runs: {int(found[1]) + 1}", plan)
            files["plans/more.yaml"] = more.replace("plan: lost", "plan: more")
            self.wanted.update(dict.fromkeys(self.wanted, 1))
        if has_preview:
            files["agents/clinic.yaml"] = AGENT_FILE
        faults = [
            {"kind": "throttle", "probability": dice.choice([0.0, 0.2, 0.5])},
            {"kind": "lost_answer", "probability": dice.choice([0.0, 0.1, 0.3])},
            {"kind": "error_after", "probability": dice.choice([0.0, 0.1])},
            {"kind": "error_before", "probability": dice.choice([0.0, 0.1])},
            {"kind": "fail_run", "runs": 1, "probability": dice.choice([0.0, 0.1])},
            {"kind": "shuffle_ids", "probability": 0.5},
        ]
        return Fleet(
            self.folder,
            {"seed": self.seed, "concurrency_limit": dice.randint(1, 6)},
            tuple(fault for fault in faults if fault.get("probability")),
            lag_seconds=dice.choice([0.0, 0.0, 20.0]),
            files=files,
            like_client=dice.choice([False, True]),
        )

    def _session(self, machine: Path) -> None:
        """A session that is killed somewhere, stands still somewhere, and is not alone, or none of these."""
        dice, fleet = self.dice, self.fleet
        dies_at = int(10 ** dice.uniform(0.8, 2.6)) if dice.random() < 0.85 else None
        happens: dict[int, Callable[[], None]] = {}
        at = dice.randint(5, dies_at or 200)
        if dice.random() < 0.25:
            other, fate = fleet.new_machine(), Fate(dice.randint(20, 300) if dice.random() < 0.5 else None)
            happens[at] = lambda: self._note(other, fleet.meanwhile(other, fate))
            self.alongside += 1
        elif dice.random() < 0.25:
            seconds = dice.choice([10.0, 70.0, 700.0])
            happens[at] = lambda: fleet.stand_still(seconds)
        self._note(machine, fleet.session(machine, Fate(dies_at, happens)))

    def _note(self, machine: Path, ran: Ran) -> None:
        self.sessions += 1
        self.killed += ran.code is None
        self.killed_on[machine] += ran.code is None
        if ran.code is not None and ran.code not in ALLOWED_CODES:
            self.problems.append(f"exit {ran.code}: {ran.err[-300:]}")

    def _finish(self, machine: Path) -> None:
        """Run until nothing is left to do, and compare."""
        fleet, ran = self.fleet, Ran(4, "", "", 0.0)
        for _ in range(MOST_FINAL_SESSIONS):
            ran = fleet.session(machine, Life())
            self._note(machine, ran)
            if ran.code != 4:
                break
            fleet.seconds += 300.0
        else:
            self.problems.append(f"exit {ran.code} for ever: {ran.out[-600:]} {ran.err[-300:]}")
            return
        self._compare("at the end")
        charged, votes = fleet.charged(), len(fleet.asked)
        fleet.seconds += 100_000.0
        again = fleet.session(machine, Life())
        if (again.code, fleet.charged(), len(fleet.asked)) != (ran.code, charged, votes):
            more = len(fleet.asked) - votes
            self.problems.append(f"another session: exit {again.code}, {more} votes: {again.err[-300:]}")
        if left := fleet.left_over():
            self.problems.append(f"left over: {left}")

    def _compare(self, when: str) -> None:
        fleet, made = self.fleet, self.fleet.made()
        self.calls = made.total()
        if made != self.wanted:
            self.problems.append(f"{when}: made {dict(made)}, wanted {dict(self.wanted)}")
        charged = {run_id: cents for run_id, cents in fleet.charged().items() if cents}
        reported = {run_id: cents for run_id, cents in fleet.reported().items() if cents}
        if charged != reported:
            self.problems.append(f"{when}: the service charged {charged}, the report says {reported}")
        self._compare_votes()

    def _compare_votes(self) -> None:
        """Each judge call is in the shared consents with what it cost, or with what was reserved for it. It is asked again
        only where its answer was lost: with its machine before it was shared, or with a process that was killed."""
        fleet = self.fleet
        self.votes = len(fleet.asked)
        paid, (spent, reserved) = CENTS_PER_VOTE * self.votes, fleet.judge_cents()
        if not spent <= paid <= spent + reserved or (paid != spent and not self.killed):
            self.problems.append(f"{paid} cents for judge calls, the consents say {spent} and {reserved}")
        for transcript in fleet.asked_too_often:
            self.problems.append(f"asked although the store had the answer: {transcript[:80]}")
        for (machine, transcript), count in Counter(fleet.asked).items():
            if count > 1 + self.killed_on[machine]:
                self.problems.append(f"asked {count} times on one machine: {transcript[:80]}")
