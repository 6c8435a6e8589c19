"""Sessions that store facts, for tests of what later sessions see."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, cast

from planner.changes.configuration import Agents, Configurations
from planner.changes.diff import Request, StoredResults, diff
from planner.changes.model import Change
from planner.changes.sharing import with_shared_calls
from planner.checks.opinions import no_judge
from planner.planfile.model import Case
from planner.records.facts import CallFact, SessionHead
from planner.records.files import files_of, part_bytes, part_key, summary_of
from planner.records.log import Records, Scope
from planner.records.writing import Writing, planned
from planner.results.model import CaseResult, JudgedRun
from planner.results.outcomes import Action
from planner.results.repository import StoredFile
from planner.session.recording import origin_of
from planner.verdicts.call_judge import CallJudge
from planner.verdicts.case_documents import MissingRuns, assemble_cases
from planner.verdicts.earlier import EarlierCases, Today, earlier_cases
from planner.verdicts.history import compare_with_history
from tests.support.stored_cases import NOW, make_runs
from tests.support.stored_files import nothing

EVERYTHING = Scope(("",))
LoadNothing = CallJudge(lambda _: None, no_judge)


Edit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class MemoryFiles:
    """A store of files in memory."""

    content: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    is_trusted: bool = True
    foreign: frozenset[str] = frozenset()
    """Keys of files that are not trusted."""

    def files(self, prefix: str) -> Iterator[StoredFile]:
        return filter(None, map(self.file, self.file_keys(prefix)))

    def file_keys(self, prefix: str) -> Iterator[str]:
        return iter(sorted(key for key in self.content if key.startswith(prefix)))

    def file(self, key: str) -> StoredFile | None:
        is_trusted = self.is_trusted and key not in self.foreign
        return StoredFile(key, self.content[key], is_trusted) if key in self.content else None

    def prepare(self, keys: Sequence[str]) -> None:
        pass

    def list_ahead(self, folders: Sequence[str]) -> None:
        pass

    def with_files(self, files: Mapping[str, bytes]) -> MemoryFiles:
        return replace(self, content={**self.content, **files})


@dataclass(frozen=True)
class Store:
    """What a session reads: the default branch's files, and in a pull request its own in addition."""

    base: MemoryFiles = MemoryFiles()
    own: MemoryFiles | None = None
    """The pull request's files; None outside of one."""
    target: MemoryFiles | None = None
    """Those of the branch that the pull request targets, if that is not the default branch."""
    sessions: int = 0
    scope: Scope = EVERYTHING

    @property
    def files(self) -> MemoryFiles:
        return self.base if self.own is None else self.own

    def records(self) -> Records:
        if self.own is None:
            return Records(self.base, (), self.scope)
        targets = [self.base] if self.target is None else [self.base.with_files(self.target.content), self.base]
        return Records(targets[0].with_files(self.own.content), targets, self.scope)

    def on_branch(self) -> Store:
        return replace(self, own=MemoryFiles())

    def onto_branch(self) -> Store:
        """In a pull request onto the branch of this one."""
        return replace(self, own=MemoryFiles(), target=self.own)

    def on_default(self) -> Store:
        return replace(self, own=None, target=None)

    def merged(self, other: Store) -> Store:
        """With the files that another machine wrote at the same time."""
        return replace(self, base=self.base.with_files(other.base.content), sessions=self.sessions + other.sessions)

    def untrusted(self) -> Store:
        """As another machine reads it from a cache."""
        return replace(self, base=replace(self.base, is_trusted=False))

    def edited(self, fact: Edit = nothing, head: Edit = nothing) -> Store:
        """With changed facts and heads; the digests in the heads are those of the changed facts."""
        files: dict[str, bytes] = {}
        heads: dict[str, dict[str, Any]] = {}
        for key, data in self.files.content.items():
            if key.startswith("sessions/"):
                heads[key] = json.loads(data)
                head(heads[key])
                continue
            facts = [json.loads(line) for line in data.splitlines()]
            for each in facts:
                fact(each)
            files[key] = b"".join(json.dumps(each).encode() + b"\n" for each in facts if each)
        for each in heads.values():
            each["parts"] = {key: summary_of(files[key]).model_dump() for key in each["parts"] if key in files}
        files |= {key: json.dumps(each).encode() for key, each in heads.items()}
        edited = replace(self.files, content=files)
        return replace(self, base=edited) if self.own is None else replace(self, own=edited)

    def with_files(self, files: Mapping[str, bytes]) -> Store:
        known = replace(self, sessions=self.sessions + 1)
        if self.own is None:
            return replace(known, base=self.base.with_files(files))
        return replace(known, own=self.own.with_files(files))


@dataclass(frozen=True)
class Session:
    """What is known today, and what was asked for."""

    cases: Sequence[Case]
    revisions: Mapping[tuple[str, int], str | None] = field(default_factory=dict[tuple[str, int], "str | None"])
    configurations: Configurations = field(default_factory=Configurations)
    now: datetime = NOW
    judge: CallJudge = LoadNothing
    partial: bool = False
    asked: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Other fields of `Request`."""

    def earlier(self, store: Store) -> EarlierCases:
        agents = Agents(self.revisions, self.configurations)
        present = {case.case_id for case in self.cases}

        def is_gone(call: CallFact) -> bool:
            return not self.partial and call.case_id not in present

        today = Today(self.cases, agents, self.judge, self.now, is_gone, is_branch=store.own is not None)
        plans = [] if self.partial else sorted({case.plan for case in self.cases} or {"refunds"})
        return earlier_cases(today, store.records(), plans)

    def prior(self, store: Store) -> CaseResult:
        """What the stored calls of the one case show."""
        ((_, found),) = self.earlier(store).cases.items()
        assert found.prior is not None
        return found.prior

    def changes(self, store: Store) -> tuple[Change, ...]:
        found = self.earlier(store)
        stored = StoredResults(
            found.cases,
            base=found.base,
            gone=found.gone,
        )
        request = Request(
            self.now,
            revisions=self.revisions,
            configurations=self.configurations,
            judge=self.judge.judged_by,
            **self.asked,
        )
        return with_shared_calls(diff(self.cases, stored, request))

    def results(self, store: Store, made: Mapping[str, Sequence[JudgedRun]]) -> list[CaseResult]:
        cases = assemble_cases(
            self.changes(store), made, self.judge.load_evidence, MissingRuns(), today=date(2026, 11, 25)
        )
        return compare_with_history(cases, store.records().of_newest_sessions)[0]

    def finish(self, store: Store, made: Mapping[str, Sequence[JudgedRun]]) -> tuple[list[CaseResult], Store]:
        """The results, and the store with the facts of this session. Its calls are those of `made`."""
        changes, cases = self.changes(store), self.results(store, made)
        records, session_id = store.records(), f"session-{store.sessions + 1:03}"
        writing = Writing(
            "",
            self.now,
            records.find,
            {change.case_id: origin_of(change) for change in changes if change.action is Action.CALL},
            {run.run_id: session_id for runs in made.values() for run in runs},
        )
        facts = writing.facts([case for case in cases if case.runs])
        head = SessionHead(
            tool_version="0.2.0",
            session_id=session_id,
            environment="",
            started_at=self.now,
            ended_at=self.now,
            plans=[] if self.partial else sorted({case.plan for case in cases}),
            cases=[planned(case) for case in cases if case.runs],
        )
        parts = {
            part_key(each, session_id, records.part_number(each, session_id)): part_bytes(own)
            for each, own in facts.items()
        }
        return cases, store.with_files(files_of(head, parts))


class Played(NamedTuple):
    """What a session found of its one case, and the store after it."""

    case: CaseResult
    store: Store

    @property
    def pool(self) -> tuple[str, int, int]:
        return self.case.outcome.value, self.case.runs_passed, self.case.runs_total

    @property
    def sides(self) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        before, latest = self.case.baseline, self.case.latest
        return (
            before and (before.runs_passed, before.runs_countable),
            latest and (latest.runs_passed, latest.runs_countable),
        )


def play(
    case: Case, store: Store, made: Sequence[str | JudgedRun | None] = (), *, partial: bool = False, **known: Any
) -> Played:
    """A session of one case whose new calls had these causes, or are these. `known` are the fields of `Session` or
    `Request`."""
    fields = {name: known.pop(name) for name in ("revisions", "configurations", "now", "judge") if name in known}
    session = Session([case], **fields, partial=partial, asked=known)
    runs = [each for each in made if isinstance(each, JudgedRun)] or runs_after(store, *cast("Any", made))
    (found,), after = session.finish(store, {case.case_id: runs})
    return Played(found, after)


def mix(passed: int, failed: int) -> list[str | None]:
    """The causes of so many runs."""
    return [*[None] * passed, *["agent"] * failed]


def runs_after(store: Store, *causes: str | None, **changed: Any) -> list[JudgedRun]:
    """New runs with these causes (None: passed), each session an hour after the one before."""
    first, at = 100 * (store.sessions + 1) + 1, NOW - timedelta(days=2) + timedelta(hours=store.sessions)
    fields: dict[str, Any] = {"first": first, "session_id": f"session-{store.sessions + 1:03}", "completed_at": at}
    return make_runs(*causes, **(fields | changed))
