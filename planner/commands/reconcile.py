"""`planner reconcile`: list unconfirmed launches, or settle one by hand.

Adopt runs only if they match the launch (target, prompt, time) and nobody else started them. Assume that a launch was
not sent only after checking the service: otherwise its calls are charged twice.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import anyio

from planner.calls.model import Settings, now_of
from planner.calls.reading import read_list
from planner.calls.reconciling import Lists, asks_the_same, suspects
from planner.calls.reconciling import reconcile as settle
from planner.calls.slots import cases_of
from planner.errors import UsageError
from planner.interruption import interruptible
from planner.log.facts import Intent, Outcome, Result
from planner.log.fold import State
from planner.log.local import LocalLog
from planner.providers.base import Batch, Run, RunId
from planner.quantities import count, money
from planner.reports.neutral import json_document
from planner.reports.redaction import Redactor
from planner.shell import Shell
from planner.values import frozen
from planner.workspace.selection import Selection
from planner.workspace.service import open_client
from planner.workspace.stores import OpenedStore, check_no_older, locked, open_results, opened_log


@frozen
class ReconcileOptions:
    """`selection` names the store. With `launch`, either `adopt` or `assume_not_sent`; with the latter, `not_ours`
    lists runs that do not belong to the launch."""

    selection: Selection
    launch: str | None = None
    adopt: Sequence[int] = ()
    assume_not_sent: bool = False
    not_ours: Sequence[int] = ()
    output_format: Literal["text", "json"] = "text"

    @property
    def is_json(self) -> bool:
        return self.output_format == "json"

    def command(self, launch_id: str | None) -> str:
        launch = [launch_id] if launch_id else []
        return shlex.join(["planner", "reconcile", *launch, *self.selection.words()])


def reconcile(shell: Shell, options: ReconcileOptions) -> int:
    """Settle or list launches; return 4 while any launch is open, otherwise 0."""
    if (options.adopt or options.assume_not_sent) and options.launch is None:
        raise UsageError("name the launch: planner reconcile LAUNCH …", "Run `planner reconcile` for the list.")
    if options.adopt and options.assume_not_sent:
        raise UsageError("--adopt and --assume-not-sent cannot be used together: choose one")
    if options.not_ours and not options.assume_not_sent:
        raise UsageError("--not-ours has no effect without --assume-not-sent: add it")
    _, place = open_results(shell, options.selection)
    if not place.journal_path.exists() and place.open_log is None:
        check_no_older(place.journal_path)
        _report(shell, options, ["No launch is open: this store has no launches."], [])
        return 0
    with locked(shell, place, options.command(options.launch)), opened_log(shell, place, restores=True) as log:
        return anyio.run(_reconcile, _Reconciliation(shell, options, place, log))


@frozen
class _Reconciliation:
    shell: Shell
    options: ReconcileOptions
    place: OpenedStore
    log: LocalLog

    def print_line(self, line: str) -> None:
        """What was settled. With `--format json`, standard output has the document only."""
        (self.shell.log if self.options.is_json else self.shell.print)(line)

    def note(self, intent: Intent, result: Result, runs: Sequence[Run] = ()) -> None:
        batches = {run.batch_id for run in runs}
        batch_id = next(iter(batches)) if len(batches) == 1 else None
        run_ids = tuple(sorted(run.id for run in runs))
        self.log.note([Outcome(self.shell.clock.now(), intent.launch_id, result, batch_id, run_ids)])


async def _reconcile(work: _Reconciliation) -> int:
    state, options = work.log.state, work.options
    shown = options.launch
    if options.launch is not None:
        intent = _open_launch(work.log.state, options.launch)
        if options.assume_not_sent:
            await _assume_not_sent(work, intent)
        elif options.adopt:
            await _adopt(work, intent)
        if options.adopt or options.assume_not_sent:
            shown = None  # then list what else is open
    intents = [intent for intent in state.open_launches() if shown in (None, intent.launch_id)]
    if not intents:
        _report(work.shell, options, ["No launch is open."], [])
        return 0
    found = await _search(work, intents)
    lines = (line for each in found for line in _shown(each, options))
    _report(work.shell, options, lines, [_document(each) for each in found])
    return 4


def _open_launch(state: State, launch_id: str) -> Intent:
    folded = state.launch(launch_id)
    if folded is None or folded.intent is None or not folded.is_open:
        known = ""
        if folded is not None and folded.outcome is not None:
            result = folded.outcome.result
            by_person = {
                Result.ABANDONED: "absent, a person confirmed that it was not sent",
                Result.ASSIGNED: "adopted, a person adopted it",
            }
            known = f": it is {by_person.get(result, result.value)}"
        raise UsageError(
            f"launch {launch_id} is not open{known}", "Run `planner reconcile` for a list of open launches."
        )
    return folded.intent


async def _assume_not_sent(work: _Reconciliation, intent: Intent) -> None:
    """Settle the launch as not sent. Raises `UsageError` if a run may belong to the launch and is not named with
    --not-ours. Sending the launch again could charge its calls twice."""
    options, launch_id = work.options, intent.launch_id
    (found,) = await _search(work, [intent])
    calls = count(intent.calls, "call")
    # A batch that does not list its runs is named by its own id.
    shown: dict[int, str] = {}
    for candidate in found.candidates:
        shown |= {run_id: f"run {run_id}" for run_id in candidate.run_ids}
        if not candidate.run_ids and candidate.batch_id is not None:
            shown[candidate.batch_id] = f"batch {candidate.batch_id}"
    named = {number: what for number, what in shown.items() if number not in options.not_ours}
    if named:
        command = options.command(launch_id)
        not_ours = " ".join(f"--not-ours {number}" for number in [*options.not_ours, *named])
        raise UsageError(
            f"the service shows runs that may belong to launch {launch_id}: {', '.join(named.values())}. If they do, "
            f"its {calls} would be charged twice",
            f"{command} shows how to adopt them. If none of them is yours: {command} --assume-not-sent {not_ours}",
        )
    work.note(intent, Result.ABANDONED)
    work.print_line(f"{launch_id} is settled as not sent; the next run may make its {calls} again.")


async def _adopt(work: _Reconciliation, intent: Intent) -> None:
    """Adopt the runs of --adopt. Raises `UsageError` if a run cannot belong to the launch. Adopting it would judge
    somebody else's call, or wait for it forever."""
    state, adopt, launch_id = work.log.state, work.options.adopt, intent.launch_id
    if len(adopt) != intent.calls:
        raise UsageError(
            f"launch {launch_id} asked for {count(intent.calls, 'run')}, but --adopt names {len(adopt)}",
            "Name exactly as many runs as the launch asked for.",
        )
    if len(set(adopt)) != len(adopt):
        raise UsageError("--adopt names a run twice: name each run once")
    if taken := sorted(run_id for run_id in adopt if state.is_claimed("run", run_id)):
        raise UsageError(f"runs {', '.join(map(str, taken))} already belong to another launch")
    async with interruptible(), open_client(work.shell, work.place, work.options.selection) as client:
        runs = (await read_list(client.runs, oldest=intent.earliest, wanted=set(adopt))).found
    hint = f"Run `planner reconcile {launch_id}` for its candidates."
    for run_id in adopt:
        if run_id not in runs:
            raise UsageError(f"the service shows no run {run_id} since {intent.at:%Y-%m-%d %H:%M} UTC", hint)
        if not asks_the_same(state, intent, runs[run_id]):
            raise UsageError(
                f"run {run_id} does not match launch {launch_id}: another target, prompt or requester", hint
            )
    work.note(intent, Result.ASSIGNED, [runs[RunId(run_id)] for run_id in adopt])
    calls = count(intent.calls, "call")
    work.print_line(f"{launch_id} is adopted; the next run resumes its {calls}, which are not charged again.")


@frozen
class _Candidate:
    """Runs that may be a launch's. `run_ids` is empty if a batch does not list them."""

    run_ids: tuple[int, ...]
    batch_id: int | None
    created_at: datetime | None


@frozen
class _Found:
    """What the service shows of an open launch."""

    intent: Intent
    why: str
    """Why it is open."""
    candidates: tuple[_Candidate, ...]
    is_exact: bool
    """The candidates have its time and its prompts."""
    is_list_complete: bool
    """The service's lists reach back to it."""
    used_another_key: bool
    """It used another API key, which may see other runs."""


async def _search(work: _Reconciliation, intents: Sequence[Intent]) -> list[_Found]:
    state, oldest = work.log.state, min(intent.earliest for intent in intents)
    async with interruptible(), open_client(work.shell, work.place, work.options.selection) as client:
        now = now_of(client, work.shell.clock)
        lists = Lists(now, await read_list(client.runs, oldest=oldest), await read_list(client.batches, oldest=oldest))
        credential = client.credential
    unsettled = {each.intent.launch_id: each for each in settle(state, intents, lists, Settings(), now).unsettled}
    found: list[_Found] = []
    for intent in sorted(intents, key=lambda intent: intent.at):
        seen = suspects(state, intent, lists)
        candidates = [_of_batch(batch) for batch in (*seen.batches, *seen.hidden_batches)]
        known = {run_id for candidate in candidates for run_id in candidate.run_ids}
        candidates += [_Candidate((run.id,), run.batch_id, run.created_at) for run in seen.runs if run.id not in known]
        why = unsettled[intent.launch_id].why if intent.launch_id in unsettled else "its answer did not arrive"
        found.append(
            _Found(
                intent,
                why,
                tuple(candidates),
                bool(seen.batches),
                lists.runs.whole,
                intent.credential != credential,
            )
        )
    return found


def _of_batch(batch: Batch) -> _Candidate:
    return _Candidate(tuple(batch.run_ids), batch.id, batch.created_at)


def _report(
    shell: Shell, options: ReconcileOptions, lines: Iterable[str], launches: Sequence[Mapping[str, Any]]
) -> None:
    """List the open launches."""
    if options.is_json:
        shell.print(json_document({"launches": launches}, exit_code=4 if launches else 0))
    else:
        shell.print("\n".join(lines))


def _document(found: _Found) -> dict[str, Any]:
    intent, redactor = found.intent, Redactor()
    return {
        "launch_id": intent.launch_id,
        "target_kind": intent.line.target_type,
        "target_id": intent.line.target_id,
        "sent_at": intent.at,
        "calls": intent.calls,
        "reserved_cents": intent.cents,
        "detail": redactor.text(found.why),
        "cases": [redactor.name(case_id) for case_id in cases_of(intent)],
        "candidates": [
            {"run_ids": candidate.run_ids, "batch_id": candidate.batch_id, "created_at": candidate.created_at}
            for candidate in found.candidates
        ],
        "is_time_and_prompt_equal": found.is_exact,
        "is_list_complete": found.is_list_complete,
        "used_another_key": found.used_another_key,
    }


def _shown(found: _Found, options: ReconcileOptions) -> Iterator[str]:
    """A launch, its cases and candidates, and the commands that settle it."""
    intent = found.intent
    command = options.command(intent.launch_id)
    yield (
        f"{intent.launch_id}  {count(intent.calls, 'call')} to {intent.line.target_type.replace('_', ' ')} "
        f"{intent.line.target_id}, sent {intent.at:%Y-%m-%d %H:%M:%S} UTC, up to {money(intent.cents)}: {found.why}"
    )
    yield from (f"    {case_id}" for case_id in cases_of(intent))
    if found.used_another_key:
        yield "  it was made with another key, which may see other runs. Run this command again with that key."
    if not found.candidates and not found.is_list_complete:
        yield "  no run matches, but the service's list does not reach back to the launch: check the service itself."
    elif not found.candidates:
        yield "  no run of the service matches. If you are sure that the launch never arrived:"
        yield f"  {command} --assume-not-sent"
    elif not found.is_exact:
        yield (
            "  no run matches its time and prompts, but the service does not always list these as they were sent. "
            "Possible matches:"
        )
    for candidate in found.candidates:
        made = f" of {candidate.created_at:%H:%M:%S} UTC" if candidate.created_at else ""
        adopt = " ".join(f"--adopt {run_id}" for run_id in candidate.run_ids)
        by_batch = f"batch {candidate.batch_id}; look up its run ids at the service, then --adopt each"
        yield f"  candidate{made}: {f'{command} {adopt}' if adopt else by_batch}"
