"""The state of a log: the fold of the set of its lines. Their order and repetition make no difference, and merging two
logs is the union of their lines.

Facts of one thing are merged into one record; where they disagree, the rank of what they say decides, then their text.
Counts and sums are kept up to date by the difference that each record makes, so that old records need not be in memory:
`Past` loads them when a fact concerns them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from planner.log.facts import (
    MICROCENTS,
    NO_LAUNCH,
    PREVIEW_RANK,
    RANK,
    Asked,
    Call,
    Consent,
    Decision,
    Fact,
    Ignored,
    Intent,
    Outcome,
    Preview,
    Reader,
    Result,
    Session,
    Verdict,
    Vote,
    Why,
    write_fact,
)
from planner.providers.base import RunId, Target
from planner.values import frozen


class Stage(Enum):
    """What is left to find out about a launch."""

    OPEN = "open"
    """Whether it was carried out."""
    UNREAD = "unread"
    """Runs are under way, or their evidence is not read."""
    INCOMPLETE = "incomplete"
    """A bill or another part of the evidence may still come."""
    FINISHED = "finished"


@frozen
class Launch:
    """What is known of a launch. `intent` is None until its line is read, and for calls without a launch."""

    launch_id: str
    intent: Intent | None = None
    outcome: Outcome | None = None
    calls: Mapping[RunId, Call] = field(default_factory=dict[RunId, Call])
    """The calls of its runs, as far as their keys are known."""

    @property
    def is_open(self) -> bool:
        """It may have been carried out, and nobody knows."""
        return self.intent is not None and (self.outcome is None or self.outcome.result.is_open)

    @property
    def has_runs(self) -> bool:
        return self.outcome is not None and self.outcome.result.has_runs

    @property
    def run_ids(self) -> tuple[int, ...]:
        return self.outcome.run_ids if self.outcome is not None and self.has_runs else ()

    @property
    def batch_id(self) -> int | None:
        return self.outcome.batch_id if self.outcome is not None and self.has_runs else None

    @property
    def live_calls(self) -> dict[RunId, Call]:
        """The calls of its runs. A call of another run counts for nothing."""
        if self.launch_id == NO_LAUNCH or not self.has_runs:
            return {}
        known = set(self.run_ids)
        return {run_id: call for run_id, call in self.calls.items() if run_id in known}

    def unbound(self) -> list[Asked]:
        """What was asked for and has no call yet: its runs are unknown, or not listed."""
        if self.intent is None:
            return []
        made = Counter(call.key for call in self.live_calls.values())
        left: list[Asked] = []
        for asked in self.intent.asked:
            calls = max(0, asked.calls - made[asked.key])
            made[asked.key] = max(0, made[asked.key] - asked.calls)
            if calls:
                left.append(replace(asked, calls=calls))
        return left

    @property
    def stage(self) -> Stage:
        """What is left to find out."""
        if self.is_open:
            return Stage.OPEN
        calls = self.live_calls.values()
        if self.intent is None or not self.has_runs:
            return Stage.FINISHED
        if self.unbound() or any(call.evidence is None for call in calls):
            return Stage.UNREAD
        return Stage.FINISHED if all(call.is_complete for call in calls) else Stage.INCOMPLETE


Purpose: TypeAlias = tuple[str, str]
"""Consent id and plan: what money is spent for."""


@dataclass(slots=True)
class Tallies:
    """Counts and sums over all records."""

    live: Counter[str] = field(default_factory=Counter[str])
    """By key: calls that were made or may have been."""
    failed: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """By consent id and key: calls that the platform failed."""
    spent: Counter[Purpose] = field(default_factory=Counter[Purpose])
    reserved: Counter[Purpose] = field(default_factory=Counter[Purpose])
    judged: Counter[Purpose] = field(default_factory=Counter[Purpose])
    """Microcents of the judge's answers."""
    judging: Counter[Purpose] = field(default_factory=Counter[Purpose])
    """Microcents reserved for answers that have not come."""
    bills: Counter[tuple[Target, int]] = field(default_factory=Counter[tuple[Target, int]])
    """By target and cents: how many bills."""
    claims: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    """By `run` or `batch` and its id: how many launches have it."""
    running: Counter[int] = field(default_factory=Counter[int])
    """Calls that have not ended, by the hour of their launch: hours since 1970."""
    requesters: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    """By API key and our id at the service, as answers showed it: how many launches."""

    @property
    def committed_cents(self) -> int:
        judged = sum(map(whole_cents, (self.judged + self.judging).values()))
        return self.spent.total() + self.reserved.total() + judged

    def change(self, difference: Tallies, sign: int) -> None:
        for mine, theirs in zip(self.counters(), difference.counters(), strict=True):
            for key, number in theirs.items():
                mine[key] += sign * number
                if not mine[key]:
                    del mine[key]

    def counters(self) -> tuple[Counter[Any], ...]:
        return (
            self.live,
            self.failed,
            self.spent,
            self.reserved,
            self.judged,
            self.judging,
            self.bills,
            self.claims,
            self.running,
            self.requesters,
        )


def tallies_of(launch: Launch) -> Tallies:
    """What a launch with its calls adds. Runs without a bill, and launches whose fate is unknown, count as reserved."""
    found = Tallies()
    intent = launch.intent
    if launch.launch_id == NO_LAUNCH:
        found.live.update(call.key for call in launch.calls.values())
        found.claims.update(("run", run_id) for run_id in launch.calls)
        return found
    found.claims.update(("run", run_id) for run_id in launch.run_ids)
    if launch.batch_id is not None:
        found.claims["batch", launch.batch_id] += 1
    if intent is None or not (launch.is_open or launch.has_runs):
        return found
    outcome = launch.outcome
    if outcome is not None and outcome.result is Result.ACCEPTED and outcome.requester_id is not None:
        found.requesters[intent.credential, outcome.requester_id] += 1
    for asked in launch.unbound():
        found.live[asked.key] += asked.calls
        found.reserved[intent.consent_id, asked.plan] += asked.calls * asked.cents
        found.running[_hour(intent.at)] += asked.calls
    by_key = {asked.key: asked for asked in intent.asked}
    for call in launch.live_calls.values():
        asked = by_key.get(call.key)
        if asked is None:  # it was made, whatever was asked for: nothing may be called instead of it
            asked = intent.asked[0]
        purpose = (intent.consent_id, asked.plan)
        found.live[call.key] += 1
        if not call.has_ended:
            found.running[_hour(intent.at)] += 1
        if call.has_failed:
            found.failed[intent.consent_id, call.key] += 1
        if call.has_final_bill:
            found.spent[purpose] += call.cents or 0
        else:
            found.reserved[purpose] += max(asked.cents, call.cents or 0)
        if call.cents is not None:
            found.bills[intent.line.target, call.cents] += 1
    return found


def _hour(moment: datetime) -> int:
    return int(moment.timestamp()) // 3600


def tallies_of_vote(vote: Vote) -> Tallies:
    found = Tallies()
    (found.judging if vote.answer is None else found.judged)[vote.consent_id, vote.plan] += vote.microcents
    return found


def whole_cents(microcents: int) -> int:
    """Rounded up: a started cent counts."""
    return -(-microcents // MICROCENTS)


class Past(Protocol):
    """Records that are not in memory."""

    def launch(self, launch_id: str) -> Launch | None: ...

    def record(self, kind: str, identity: str) -> Fact | None:
        """Any other fact, by its kind and identity."""
        ...


class NoPast:
    """Everything is in memory."""

    def launch(self, launch_id: str) -> Launch | None:
        del launch_id

    def record(self, kind: str, identity: str) -> Fact | None:
        del kind, identity


@dataclass(slots=True)
class State:
    """Everything that a log says."""

    past: Past = field(default_factory=NoPast, compare=False, repr=False)
    launches: dict[str, Launch] = field(default_factory=dict[str, Launch])
    consents: dict[str, Consent] = field(default_factory=dict[str, Consent])
    votes: dict[str, Vote] = field(default_factory=dict[str, Vote])
    previews: dict[str, Preview] = field(default_factory=dict[str, Preview])
    sessions: dict[str, Session] = field(default_factory=dict[str, Session])
    verdicts: dict[str, Verdict] = field(default_factory=dict[str, Verdict])
    decisions: dict[str, Decision] = field(default_factory=dict[str, Decision])
    ignored: dict[str, Ignored] = field(default_factory=dict[str, Ignored])
    """By the digest of the line."""
    tallies: Tallies = field(default_factory=Tallies)
    stages: dict[Stage, set[str]] = field(default_factory=lambda: {stage: set[str]() for stage in Stage})
    """Ids of launches, by what is left to find out; those that are finished are in none."""
    elsewhere: set[str] = field(default_factory=set[str], compare=False)
    """Ids of launches of another log. Their calls are not made again; only their own log says what became of them."""
    changed: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]], compare=False, repr=False)
    """Kind and id of each record that changed since somebody emptied this."""

    def add_all(self, facts: Iterable[Fact | Ignored]) -> None:
        before: dict[str, Launch] = {}
        for fact in facts:
            match fact:
                case Ignored():
                    self.ignored[fact.digest] = fact
                case Intent() | Outcome() | Call():
                    launch_id = _launch_id_of(fact)
                    launch = self.launch(launch_id) or Launch(fact.launch_id)
                    before.setdefault(launch_id, launch)
                    self.launches[launch_id] = _with(launch, fact)
                case Vote():
                    self._add_vote(fact)
                case Preview():
                    self._put(self.previews, fact, _merged_preview)
                case Consent():
                    self._put(self.consents, fact, _merged_consent)
                case Session():
                    self._put(self.sessions, fact, _later)
                case Verdict():
                    self._put(self.verdicts, fact, _later)
                case Decision():
                    self._put(self.decisions, fact, _later)
        for launch_id, launch in before.items():
            self._update(launch_id, launch, self.launches[launch_id])

    def add_elsewhere(self, facts: Iterable[Fact | Ignored]) -> None:
        """Facts of another log."""
        every = list(facts)
        self.elsewhere |= {fact.launch_id for fact in every if isinstance(fact, Intent)}
        self.add_all(every)

    def _update(self, launch_id: str, before: Launch, after: Launch) -> None:
        """Correct what depends on a launch."""
        if after == before:
            return
        self.tallies.change(tallies_of(before), -1)
        self.tallies.change(tallies_of(after), 1)
        self.changed.add(("launch", launch_id))
        for stage, launch_ids in self.stages.items():
            if stage is after.stage and stage is not Stage.FINISHED:
                launch_ids.add(launch_id)
            else:
                launch_ids.discard(launch_id)

    def _put(self, records: dict[str, _Record], fact: _Record, merge: Callable[[_Record, _Record], _Record]) -> None:
        before = self._before(records, fact)
        records[fact.identity] = fact if before is None else merge(before, fact)
        self.changed.add((fact.fact, fact.identity))

    def _before(self, records: Mapping[str, _Record], fact: _Record) -> _Record | None:
        """What was known of the same thing."""
        known = records.get(fact.identity) or self.past.record(fact.fact, fact.identity)
        return known if isinstance(known, type(fact)) else None

    def _add_vote(self, fact: Vote) -> None:
        before = self._before(self.votes, fact)
        if before is not None:
            self.tallies.change(tallies_of_vote(before), -1)
        self._put(self.votes, fact, _merged_vote)
        self.tallies.change(tallies_of_vote(self.votes[fact.vote_id]), 1)

    # Questions

    def launch(self, launch_id: str) -> Launch | None:
        return self.launches.get(launch_id) or self.past.launch(launch_id)

    def at_stage(self, *stages: Stage) -> list[tuple[Launch, Intent]]:
        """Launches with this left to find out, oldest first."""
        found: list[tuple[Launch, Intent]] = []
        for launch_id in (launch_id for stage in stages for launch_id in self.stages[stage]):
            launch = self.launch(launch_id)
            if launch is not None and launch.intent is not None:
                found.append((launch, launch.intent))
        return sorted(found, key=lambda each: (each[1].at, each[0].launch_id))

    def open_launches(self) -> list[Intent]:
        return [intent for _, intent in self.at_stage(Stage.OPEN)]

    def running(self, now: datetime) -> int:
        """Calls of all machines that have not ended, as far as anybody knows. One that was launched a day ago has."""
        since = _hour(now - LONGEST_RUN)
        return sum(calls for hour, calls in self.tallies.running.items() if hour >= since)

    def launch_of_run(self, run_id: int) -> Launch | None:
        """The launch in memory that has this run."""
        return next((launch for launch in self.launches.values() if run_id in launch.run_ids), None)

    def highest_bill(self, target: Target | None) -> int:
        """The highest bill of a target, in cents, or of any; 0 before the first."""
        return max((cents for (billed, cents) in self.tallies.bills if target in (None, billed)), default=0)

    def preview_of(self, target: Target) -> Preview | None:
        """The preview that calls to this target reach; None if it is no preview of ours."""
        kind, target_id = target
        return next((each for each in self.previews.values() if kind == "agent" and each.copy_id == target_id), None)

    def is_claimed(self, kind: str, service_id: int) -> bool:
        """Whether a launch has this `run` or `batch`."""
        return (kind, service_id) in self.tallies.claims

    def requesters(self, credential: str) -> frozenset[int]:
        """Our ids at the service, as answers to this API key's launches showed them."""
        return frozenset(ours for (key, ours) in self.tallies.requesters if key == credential)

    @property
    def is_newer(self) -> bool:
        """A newer version of planner writes to this log: what it launched is unknown."""
        return any(ignored.why is Why.NEWER for ignored in self.ignored.values())


_Record = TypeVar("_Record", bound=Fact)


LONGEST_RUN: Final = timedelta(days=1)
"""Longest time between a run's creation and its end."""


def _launch_id_of(fact: Intent | Outcome | Call) -> str:
    """Calls that were not launched here are kept one by one."""
    return f"run {fact.run_id}" if isinstance(fact, Call) and fact.launch_id == NO_LAUNCH else fact.launch_id


def fold(lines: Iterable[str], reader: Reader, state: State | None = None) -> State:
    """Add lines to a state, or to an empty one."""
    state = State() if state is None else state
    state.add_all(reader.read_all(lines))
    return state


def facts_of(state: State) -> Iterator[Fact | Ignored]:
    """What a state in memory was made of. Of facts that were merged, one is left."""
    for launch in state.launches.values():
        yield from filter(None, (launch.intent, launch.outcome, *launch.calls.values()))
    for records in (state.consents, state.votes, state.previews, state.sessions, state.verdicts, state.decisions):
        yield from records.values()
    yield from state.ignored.values()


def _later(first: _Record, second: _Record) -> _Record:
    """Of two facts that say different things of one thing: any, but always the same."""
    return first if first == second else max(first, second, key=write_fact)


def _merged_consent(first: Consent, second: Consent) -> Consent:
    return _later(first, second) if first.part == second.part else max(first, second, key=lambda each: each.part)


def _with(launch: Launch, fact: Intent | Outcome | Call) -> Launch:
    match fact:
        case Intent():
            return replace(launch, intent=fact if launch.intent is None else _later(launch.intent, fact))
        case Outcome():
            return replace(launch, outcome=fact if launch.outcome is None else _merged_outcome(launch.outcome, fact))
        case Call():
            before = launch.calls.get(fact.run_id)
            call = fact if before is None else _merged_call(before, fact)
            return replace(launch, calls={**launch.calls, fact.run_id: call})


def _merged_call(first: Call, second: Call) -> Call:
    """The later reading, with the final bill that any has: another machine may have read the call again without it."""

    def order(call: Call) -> tuple[int, str, str]:
        return call.part, write_fact(_with_bill(call, None)), write_fact(call)

    latest = max(first, second, key=order)
    bills = [call for call in (first, second) if call.has_final_bill]
    best = max(bills, default=None, key=lambda call: (call.basis == "transaction", call.cents or 0, call.basis or ""))
    return latest if best is None else _with_bill(latest, best)


def _with_bill(call: Call, billed: Call | None) -> Call:
    cents, basis = (None, None) if billed is None else (billed.cents, billed.basis)
    return replace(call, cents=cents, basis=basis, missing=tuple(part for part in call.missing if part != "bill"))


def _merged_outcome(first: Outcome, second: Outcome) -> Outcome:
    """The result that is right, with what any outcome of that result knows."""
    if first == second:
        return first
    if first.result is not second.result:
        return max(first, second, key=lambda outcome: RANK[outcome.result])
    both = (first, second)
    return replace(
        max(both, key=lambda outcome: write_fact(replace(outcome, batch_id=None, run_ids=(), requester_id=None))),
        batch_id=max((each.batch_id for each in both if each.batch_id is not None), default=None),
        run_ids=tuple(sorted({*first.run_ids, *second.run_ids})),
        requester_id=max((each.requester_id for each in both if each.requester_id is not None), default=None),
    )


def _merged_vote(first: Vote, second: Vote) -> Vote:
    return max(first, second, key=lambda vote: (vote.answer is not None, write_fact(vote)))


def _merged_preview(first: Preview, second: Preview) -> Preview:
    """The later step, with what any of the facts knows of the copy."""

    def order(preview: Preview) -> tuple[int, str]:
        return PREVIEW_RANK[preview.step], write_fact(replace(preview, copy_id=None, revision="", was_changed=False))

    ids = [each.copy_id for each in (first, second) if each.copy_id is not None]
    return replace(
        max(first, second, key=order),
        copy_id=max(ids, default=None),
        revision=max(first.revision, second.revision),
        was_changed=first.was_changed or second.was_changed,
    )
