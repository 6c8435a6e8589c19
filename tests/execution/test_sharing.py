"""Shared launches: a new machine resumes what a killed one launched, and pays for nothing twice."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from core_state import intent_of
from mortality import Life
from virtual_time import VirtualLoop

from planner.errors import StoreError, UsageError
from planner.execution.consent_sharing import ConsentSharing
from planner.execution.consents import Amount, Consent, ConsentAdded, ConsentedCall, ConsentWay, JudgeCallReserved
from planner.execution.engine import EngineSettings
from planner.execution.events import Consumed, Intended, Moved, RequesterLearned
from planner.execution.journal import IN_MEMORY, Journal
from planner.execution.launches import UNSETTLED, LaunchState
from planner.execution.ledger import Ceiling, OverCeilingError
from planner.execution.local import LocalEngine
from planner.execution.sharing import IntentSharing, KnownCall, OvertakenError
from planner.execution.spending import spending_of
from planner.providers.base import Target
from planner.results.repository import ResultsRepository
from planner.stores.directory import DirectoryStore
from planner.stores.store import Change, Reader, of_branches
from planner.workspace.sharing import claim_calls

BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = EngineSettings(linger_seconds=700, poll_floor_seconds=12, poll_ceiling_seconds=12)


class SharedFolder(DirectoryStore):
    """A shared store. A process may die just before or after it is written, and every update is recorded."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.life = Life()
        self.updates: list[list[str]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def update(self, change: Change) -> None:
        self.life.boundary("before the shared store")
        self.meanwhile()
        written: list[str] = []

        def noted(now: Reader) -> Mapping[str, bytes | None]:
            writes = change(now)
            written[:] = writes
            return writes

        super().update(noted)
        self.updates.append(written)
        self.life.boundary("after the shared store")


@pytest.fixture
def shared(tmp_path: Path) -> SharedFolder:
    return SharedFolder(tmp_path / "shared")


@pytest.fixture
def jobs(job: Callable[..., Any]) -> list[Any]:
    return [job("ana", runs=2), job("bob"), job("cleo", target=17)]


def calls_of(jobs: Sequence[Any]) -> dict[tuple[str, str], KnownCall]:
    return {(w.case_id, w.call_fingerprint): KnownCall(w.case_id, w.plan, w.line.target_number) for w in jobs}


def share_with(shared: SharedFolder, jobs: Sequence[Any]) -> Callable[[LocalEngine], None]:
    """What a session does at its start: import launches of others, and share its own."""

    def begin(engine: LocalEngine) -> None:
        sharing = IntentSharing(shared, engine.journal, show_name=str)
        sharing.import_launches(calls_of(jobs))
        engine.share_intent = sharing.share

    return begin


def fresh_machine(service: Any) -> None:
    """No journal and no evidence: only the service and the shared store have them."""
    service.folder = service.folder.with_name(service.folder.name + "-fresh")
    service.repository = ResultsRepository(DirectoryStore(service.folder))


def publish(service: Any, shared: SharedFolder) -> None:
    journal = service.journal()
    shared.update(IntentSharing(shared, journal, show_name=str).outcome)
    journal.close()


async def test_a_new_machine_resumes_after_a_crash_at_any_boundary(
    make_service: Callable[..., Any], job: Callable[..., Any], tmp_path: Path
) -> None:
    """Killed before or after any write, request or push up to that of the last launch: a machine that has only the
    shared store makes each run once."""
    jobs = [job("ana", runs=2), job("cleo", target=17)]
    boundary, crossed = 1, list[str]()
    while crossed.count("after the shared store") < 1 or sum("POST" in name for name in crossed) < 4:
        service, shared, life = make_service(), SharedFolder(tmp_path / f"shared{boundary}"), Life(dies_at=boundary)
        shared.life = life
        try:
            await service.invoke(jobs, life=life, settings=SETTINGS, on_engine=share_with(shared, jobs))
        except BaseException:
            if not life.dead:
                raise
        crossed.append(life.crossed[-1])
        if " GET " in crossed[-1] or (crossed[-1].startswith("before") and "shared store" not in crossed[-1]):
            boundary += 1  # leaves what the boundary before leaves
            continue
        shared.life = Life()
        fresh_machine(service)
        done = await service.invoke(jobs, settings=SETTINGS, on_engine=share_with(shared, jobs))
        assert done.outcome.finished, (boundary, done.outcome)
        assert len(done.records) == 3, boundary
        await service.check_exact(jobs)
        boundary += 1
    assert "before the shared store" in crossed


async def test_a_machine_with_another_key(
    make_service: Callable[..., Any], job: Callable[..., Any], shared: SharedFolder
) -> None:
    """Another key may not see the launch of the first machine, so it is neither adopted nor repeated: a person must
    decide."""
    jobs, service, life = [job("ana", runs=2)], make_service(), Life(dies_at="after POST /v1/test-call-batches")
    share = share_with(shared, jobs)

    def with_key(key: str) -> Callable[[LocalEngine], None]:
        def begin(engine: LocalEngine) -> None:
            engine.provider.credential = key
            share(engine)

        return begin

    with pytest.raises(BaseException):  # noqa: B017, PT011 - any kind of death
        await service.invoke(jobs, life=life, settings=SETTINGS, on_engine=with_key("a"))
    assert life.dead
    fresh_machine(service)
    done = await service.invoke(jobs, settings=SETTINGS, on_engine=with_key("b"))
    assert (done.records, done.outcome.launches) == ([], 0)
    assert [launch.needs_person for launch in done.outcome.unsettled] == [True]
    service_runs = await service.own_runs()
    assert len(service_runs) == 2


async def test_an_intent_is_shared_without_prompt_and_number(
    make_service: Callable[..., Any], job: Callable[..., Any], shared: SharedFolder
) -> None:
    """The intent is in the store before the request leaves, without prompt and number. Concurrent launches are
    written together."""
    jobs = [job("ana"), job("bob", mode="sip"), job("cleo", target=17)]
    ana = replace(jobs[0], line=replace(jobs[0].line, target_number="+14155550199"), prompt="Call +14155550199.")
    service, seen = make_service(), list[list[str]]()

    def intercept(method: str, path: str, body: bytes | None) -> None:
        if method == "POST" and "/test-call" in path:
            seen.append(list(shared.keys("intents/")))

    done = await service.invoke(
        [ana, *jobs[1:]], settings=SETTINGS, intercept=intercept, on_engine=share_with(shared, jobs)
    )
    assert done.outcome.finished
    assert len(seen) == 3
    assert len(seen[0]) >= 1
    assert len(seen[-1]) == 3
    assert len(shared.updates) <= 2  # the first, and those that came while it was written
    for key in shared.keys("intents/"):
        text = (shared.get(key) or b"").decode()
        assert "5550199" not in text
        assert "Call" not in text
        assert json.loads(text)["state"] == "intended"


async def test_concurrent_sessions_make_each_call_once(
    make_service: Callable[..., Any], job: Callable[..., Any], shared: SharedFolder
) -> None:
    """The second session finds that another has launched the same calls, and makes none; the next session resumes
    them."""
    jobs, service = [job("ana"), job("bob")], make_service()
    first = service.folder

    async def other(engine: LocalEngine) -> None:
        service.folder = first
        await service.invoke(jobs, settings=SETTINGS, on_engine=share_with(shared, jobs))

    sharer: list[Any] = []

    def begin(engine: LocalEngine) -> None:
        sharing = IntentSharing(shared, engine.journal, show_name=str)
        sharing.import_launches(calls_of(jobs))
        sharer.append(sharing)

        async def share(intent: Any) -> None:
            if not list(shared.keys("intents/")):
                await other(engine)
            await sharing.share(intent)

        engine.share_intent = share

    fresh_machine(service)
    second = service.folder
    late = await service.invoke(jobs, settings=SETTINGS, on_engine=begin)
    assert late.outcome.blocked == (
        "session i2 is making the same calls. Nothing is called twice. When it has ended, run the same command for the rest."
    )
    assert late.outcome.launches == 0
    assert len(list(shared.keys("intents/"))) == 1
    service.folder = second
    done = await service.invoke(jobs, settings=SETTINGS, on_engine=share_with(shared, jobs))
    assert done.outcome.finished
    await service.check_exact(jobs)


def test_open_launches_of_all_namespaces_that_count_are_imported(shared: SharedFolder) -> None:
    """The job's own, those of the other pull requests of its merge group, and the default branch's."""
    places = {"a": "branches/8/", "b": "branches/7/", "c": "", "d": "branches/9/"}
    documents = {
        f"{place}intents/{launch_id}.json": json.dumps(DOCUMENT | {"launch_id": launch_id}).encode()
        for launch_id, place in places.items()
    }
    shared.update(lambda _: documents)
    journal = Journal(IN_MEMORY)
    store = of_branches(shared, ["branches/8/", "branches/7/"])
    assert IntentSharing(store, journal, show_name=str, now=NOW).import_launches({}) == 3
    assert {launch.launch_id for launch in journal.launches(LaunchState)} == {"a", "b", "c"}
    journal.close()


@pytest.mark.parametrize("ends", ["as a launch", "in results"])
def test_calls_of_another_session_are_found_later_too(
    elsewhere: Callable[..., tuple[IntentSharing, Journal]], job: Callable[..., Any], shared: SharedFolder, ends: str
) -> None:
    """Another session made a call after this one had planned its own: while this one shared another call, or from its
    plan to its results."""
    sharing, _ = elsewhere()
    sharing.import_launches({})
    theirs = {"case_id": "<p/ana@t>", "call_fingerprint": "sha256:ana"}
    if ends == "as a launch":
        document = DOCUMENT | {"launch_id": "b", "session_id": "i9", "slots": [SLOT | theirs]}
        shared.update(lambda _: {"intents/b.json": json.dumps(document).encode()})
    else:
        session = {"session_id": "i9", "cases": [theirs | {"action": "call", "runs": [{}]}]}
        shared.update(lambda _: {"runs/i9.json": json.dumps(session).encode()})
    sharing.put(sharing.prepare([intent_of(job("bob"), "c")]))
    with pytest.raises(OvertakenError, match="session i9 "):
        sharing.put(sharing.prepare([intent_of(job("ana"), "d")]))
    assert max(shared.keys("intents/")) == "intents/c.json"


async def test_a_failing_store_blocks_launches(
    make_service: Callable[..., Any], job: Callable[..., Any], shared: SharedFolder
) -> None:
    """If an intent cannot be shared, nothing is sent. Runs under way are awaited, and the next session makes the
    rest."""
    jobs, service, shares = [job("ana"), job("bob", target=17)], make_service(), list[str]()

    def begin(engine: LocalEngine) -> None:
        sharing = IntentSharing(shared, engine.journal, show_name=str)

        async def share(intent: Any) -> None:
            shares.append(intent.launch_id)
            if len(shares) > 1:
                await anyio.sleep(5)
                raise StoreError("results cannot be written at R: no network", "Look at the network.")
            await sharing.share(intent)

        engine.share_intent = share

    stopped = await service.invoke(jobs, settings=SETTINGS, on_engine=begin)
    assert stopped.outcome.blocked == "results cannot be written at R: no network. Look at the network."
    assert not stopped.outcome.finished
    assert not stopped.outcome.trouble
    assert [record.evidence is not None for record in stopped.records] == [True]
    assert sum(stopped.outcome.left.values()) == 1
    done = await service.invoke(jobs, settings=SETTINGS, on_engine=share_with(shared, jobs))
    assert done.outcome.finished
    await service.check_exact(jobs)


@pytest.mark.parametrize("is_shared", [True, False])
async def test_a_launch_whose_record_takes_long_does_not_leave(
    make_service: Callable[..., Any], job: Callable[..., Any], shared: SharedFolder, *, is_shared: bool
) -> None:
    """The process is stopped after it recorded a launch as sent, and before its first byte. It goes on after another
    machine found that the launch never arrived, and made the call."""
    jobs, service = [job("ana")], make_service()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    stops: list[Moved] = []

    def begin(engine: LocalEngine) -> None:
        if is_shared:
            share_with(shared, jobs)(engine)
        record = engine.journal.record

        def record_and_stop(event: Any) -> None:
            record(event)
            if isinstance(event, Moved) and event.state is LaunchState.SENT and not stops:
                stops.append(event)
                loop.virtual_seconds += 601

        engine.journal.record = record_and_stop

    done = await service.invoke(jobs, settings=SETTINGS, on_engine=begin)
    assert done.outcome.finished
    journal = service.journal()
    launches = sorted(journal.launches(LaunchState), key=lambda launch: launch.sent_at)
    journal.close()
    assert [launch.state for launch in launches] == [LaunchState.UNSENT, LaunchState.ACKNOWLEDGED]
    await service.check_exact(jobs)


async def test_a_refused_launch_is_marked_with_the_next_write(
    make_service: Callable[..., Any], job: Callable[..., Any], shared: SharedFolder
) -> None:
    """Launches that the service answered are not unconfirmed on another machine, even if this one is lost."""
    jobs = [job("ana", runs=2), job("bob", target=14), job("cleo", target=17)]
    service = make_service(faults=[{"kind": "throttle", "times": 2}], concurrency_limit=2)
    done = await service.invoke(jobs, settings=SETTINGS, on_engine=share_with(shared, jobs))
    assert done.outcome.finished
    journal = service.journal()
    states = {f"intents/{launch.launch_id}.json": launch.state for launch in journal.launches(LaunchState)}
    journal.close()
    documents = {key: json.loads(shared.get(key) or b"")["state"] for key in shared.keys("intents/")}
    assert LaunchState.REFUSED in states.values()
    assert documents.keys() == {key for key, state in states.items() if state is LaunchState.ACKNOWLEDGED}
    of_the_last_write = set(shared.updates[-1]) if shared.updates else set[str]()
    assert {documents[key] for key in documents.keys() - of_the_last_write} <= {"acknowledged"}
    assert "acknowledged" in documents.values()


@pytest.mark.parametrize(
    ("settle_seconds", "share_seconds", "limit"), [(0, 0.1, "execution.settle_seconds"), (600, 70, "within 60 s")]
)
async def test_a_slow_store_stops_launching(
    make_service: Callable[..., Any], job: Callable[..., Any], settle_seconds: float, share_seconds: float, limit: str
) -> None:
    """Three late writes in a row stop launching, with a hint; launches that share a write count once."""
    jobs, service, shares = [job("ana"), job("bob", target=17)], make_service(), list[str]()

    def begin(engine: LocalEngine) -> None:
        async def share(intent: Any) -> None:
            shares.append(intent.launch_id)
            await anyio.sleep(share_seconds)

        engine.share_intent = share

    settings = replace(SETTINGS, settle_seconds=settle_seconds)
    stopped = await service.invoke(jobs, settings=settings, on_engine=begin)
    assert limit in stopped.outcome.blocked
    assert (stopped.outcome.launches, stopped.outcome.left) == (0, {"p/ana@t": 1, "p/bob@t": 1})
    assert len(shares) == 6
    assert await service.own_runs() == []
    done = await service.invoke(jobs)
    assert done.outcome.finished
    await service.check_exact(jobs)


async def test_a_shared_launch_is_updated_and_removed(
    make_service: Callable[..., Any], jobs: list[Any], shared: SharedFolder, tmp_path: Path
) -> None:
    """A shared launch lists its runs, so that a new machine need not search; when results contain all its runs it is
    removed."""
    service = make_service()
    await service.invoke(jobs, settings=SETTINGS, on_engine=share_with(shared, jobs))
    publish(service, shared)
    assert {json.loads(shared.get(key) or b"")["state"] for key in shared.keys("intents/")} == {"acknowledged"}
    elsewhere = Journal(tmp_path / "elsewhere.sqlite")
    sharing = IntentSharing(shared, elsewhere, show_name=str)
    assert sharing.import_launches(calls_of(jobs)) == 2
    assert sharing.import_launches(calls_of(jobs)) == 0
    mine = service.journal()
    assert elsewhere.unconsumed_slots() == [
        replace(slot, prompt=taken.prompt)
        for slot, taken in zip(mine.unconsumed_slots(), elsewhere.unconsumed_slots(), strict=True)
    ]
    assert elsewhere.claimed_run_ids() == mine.claimed_run_ids()
    first, *others = [slot.key for slot in mine.unconsumed_slots()]
    elsewhere.record(Consumed("there", (first,)))
    mine.record(Consumed("here", tuple(others)))
    mine.close()
    shared.update(sharing.outcome)
    assert len(list(shared.keys("intents/"))) == 2
    publish(service, shared)
    assert list(shared.keys("intents/")) == []
    elsewhere.close()


def test_a_stored_call_of_another_session_is_not_taken(job: Callable[..., Any]) -> None:
    """Even if the report of its session is damaged. One of the launch's own session may be its own; so may one of a
    later session, whose launches are not known yet."""
    journal = Journal(IN_MEMORY)
    for event in (Intended(intent_of(job("ana"))), Moved("l1", LaunchState.SENT)):
        journal.record(event)
    journal.record(Moved("l1", LaunchState.UNCONFIRMED))
    stored = {"sha256:ana": [("other", 7), ("i1", 9), ("later", 10)], "sha256:bob": [("other", 11)]}
    claim_calls(journal, journal.launches(UNSETTLED), stored.__getitem__, {"runs/other.json", "runs/i1.json"})
    assert journal.claimed_run_ids() == {7}
    journal.close()


# Documents of other machines

SLOT = {"case_id": "c", "plan": "p", "prompt": "sha256:p", "call_fingerprint": "f", "reserved_cents": 24}
DOCUMENT: dict[str, Any] = {
    "schema_version": "2.9",
    "launch_id": "a",
    "session_id": "i",
    "consent_id": "d",
    "state": "intended",
    "line": {
        "target_type": "agent",
        "target_id": 12,
        "direction": "outbound",
        "mode": "bot",
        "target_number": None,
    },
    "name": "n" * 65_536,
    "sent_at": "2026-11-24T12:00:00Z",
    "slack_seconds": 5,
    "credential": "key",
    "requesters": [41],
    "slots": [SLOT],
}
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def elsewhere(shared: SharedFolder) -> Iterator[Callable[..., tuple[IntentSharing, Journal]]]:
    """A machine with an empty journal, and a changed document in the store."""
    journal = Journal(IN_MEMORY)

    def make(**changes: Any) -> tuple[IntentSharing, Journal]:
        shared.update(lambda _: {"intents/a.json": json.dumps(DOCUMENT | changes).encode()})
        return IntentSharing(shared, journal, show_name=lambda name: f"<{name}>", now=NOW), journal

    yield make
    journal.close()


@pytest.mark.parametrize("document", [b"", b'{"requesters": ["Ana"]}', b"{}"])
def test_unreadable_requesters_stop_the_session(
    shared: SharedFolder, elsewhere: Callable[..., tuple[IntentSharing, Journal]], document: bytes
) -> None:
    shared.update(lambda _: {"requesters/key.json": document})
    sharing, journal = elsewhere()
    with pytest.raises(StoreError, match=r"^the shared requesters requesters/key\.json cannot be read: "):
        sharing.import_launches({})
    assert journal.launch("a") is None


@pytest.mark.parametrize(
    ("changes", "error", "why"),
    [
        ({"schema_version": "3.0"}, UsageError, "was written by a newer planner"),
        ({"slots": []}, StoreError, "intents/a.json cannot be read: slots: "),
        ({"slots": [SLOT | {"plan": 1}]}, StoreError, "intents/a.json cannot be read: slots.0.plan: "),
        ({"slots": [SLOT] * 1001}, StoreError, "slots: "),
        ({"slots": [SLOT | {"completed_at": "2027-11-27T12:00:00Z"}]}, StoreError, "is not a valid time of a launch"),
        ({"sent_at": "2027-11-27T12:00:00Z"}, StoreError, "is not a valid time of a launch"),
        ({"name": "n" * 65_537}, StoreError, "name: "),
        ({"launch_id": "b"}, StoreError, "launch_id: it names launch 'b'"),
        ({"line": DOCUMENT["line"] | {"target_id": "x"}}, StoreError, "line.target_id: "),
        ({"run_ids": [*range(1, 1002)]}, StoreError, "run_ids: "),
    ],
)
def test_an_unreadable_shared_launch_ends_the_command(
    elsewhere: Callable[..., tuple[IntentSharing, Journal]], changes: dict[str, Any], error: type[Exception], why: str
) -> None:
    """Its calls may be under way."""
    sharing, journal = elsewhere(**changes)
    with pytest.raises(error, match=re.escape(why)):
        sharing.import_launches({})
    assert journal.launch("a") is None


@pytest.mark.parametrize(("state", "imported"), [("sent", "unconfirmed"), ("acknowledged", "acknowledged")])
@pytest.mark.parametrize(("others", "number"), [((), "+1"), (({},), "+1"), (({"call_fingerprint": "g"},), None)])
def test_a_shared_launch_is_imported(
    elsewhere: Callable[..., tuple[IntentSharing, Journal]],
    state: str,
    imported: str,
    others: tuple[dict[str, Any], ...],
    number: str | None,
) -> None:
    """As unconfirmed, unless its answer is known; with the names of today's calls, and their number if they share one."""
    sharing, journal = elsewhere(state=state, slots=[SLOT, *(SLOT | other for other in others)])
    calls = {("c", "f"): KnownCall("case", "plan", "+1")}
    targets: list[Target] = [("agent", 12), ("agent", 13)]
    assert [sharing.is_called(target, BEFORE) for target in targets] == [True, False]
    assert (sharing.import_launches(calls), sharing.import_launches(calls)) == (1, 0)
    launch = journal.launch("a")
    assert launch is not None
    assert (launch.state.value, launch.line.target_number, bool(launch.detail)) == (imported, number, state == "sent")
    first = journal.slots_of("a")[0]
    assert (first.case_id, first.plan, first.key, journal.requesters("key")) == ("case", "plan", ("a", 0), {41})
    assert [sharing.is_called(target, BEFORE) for target in targets] == [True, False]
    assert sharing.is_called(("agent", 12), launch.sent_at) is False


def test_the_store_learns_what_became_of_a_launch(
    shared: SharedFolder, elsewhere: Callable[..., tuple[IntentSharing, Journal]]
) -> None:
    """With redacted names. What it knows and we do not stays; a launch that never happened is removed, and only who we are
    stays."""
    evidence = "0" * 64
    sharing, journal = elsewhere(slots=[SLOT, SLOT])
    sharing.import_launches({})
    for requester_id in (43, 42):
        journal.record(RequesterLearned("key", requester_id))
    elsewhere(slots=[SLOT | {"evidence": evidence}, SLOT])
    written = json.loads(sharing.outcome(shared)["intents/a.json"] or b"")
    assert (written["slots"][0]["case_id"], written["slots"][0]["plan"]) == ("<c>", "<p>")
    assert (written["state"], written["requesters"], written["slots"][0]["evidence"]) == (
        "unconfirmed",
        [41, 42, 43],
        evidence,
    )
    elsewhere()
    with pytest.raises(StoreError, match="slots: 1, where the launch asked for 2"):
        sharing.outcome(shared)
    elsewhere(slots=[SLOT, SLOT])
    journal.record(Moved("a", LaunchState.ABSENT))
    requesters = sharing.requesters.outcome(shared)
    assert {key: json.loads(data)["requesters"] for key, data in requesters.items()} == {
        "requesters/key.json": [41, 42, 43]
    }
    assert sharing.outcome(shared) == {"intents/a.json": None, **requesters}


# Consents of other machines

CONSENT = Consent(
    f"{'d' * 16}-{'1' * 16}", f"sha256:{'d' * 64}", "ana", ConsentWay.TERMINAL, NOW, 100, (ConsentedCall("f", 3),)
)
VOTE = "a" * 64


def sharing(folder: Path, journal: Journal, limit_cents: int, plan: str | None = None) -> ConsentSharing:
    made = ConsentSharing(DirectoryStore(folder), journal, show_name=str.upper, now=NOW)
    made.begin(CONSENT.consent_id, [Ceiling("--max-cost", limit_cents, plan)])
    return made


def judging(session_id: str, microcents: int) -> Journal:
    """A machine that reserved a judge call."""
    journal = Journal(IN_MEMORY)
    journal.record(ConsentAdded(CONSENT))
    journal.record(
        JudgeCallReserved(
            f"call-{session_id}", CONSENT.consent_id, session_id, "manners", microcents, (VOTE,), "2026-11"
        )
    )
    return journal


@pytest.mark.parametrize(("limit_cents", "plan", "fits"), [(5, None, True), (4, None, False), (4, "manners", False)])
def test_the_later_reservation_is_refused(tmp_path: Path, limit_cents: int, plan: str | None, fits: bool) -> None:
    """Two machines reserve judge calls at once: each sees the other's, rounded up together."""
    one, two = judging("s1", 2_400_000), judging("s2", 2_400_000)
    anyio.run(sharing(tmp_path, one, limit_cents, plan).share_judge_calls)
    later = sharing(tmp_path, two, limit_cents, plan)
    if not fits:
        with pytest.raises(OverCeilingError):
            anyio.run(later.share_judge_calls)
    else:
        anyio.run(later.share_judge_calls)
    third = Journal(IN_MEMORY)
    sharing(tmp_path, third, 0).import_consents(CONSENT.digest, ["manners"])
    amount = spending_of(third, CONSENT.consent_id).of_judge_calls("manners")
    assert amount == Amount(0, 4_800_000 if fits else 2_400_000)
    consent = third.consents.get(CONSENT.consent_id)
    assert consent is not None
    assert (consent.by, third.consents.is_open(CONSENT.consent_id)) == ("ANA", True)
