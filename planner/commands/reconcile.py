"""`planner reconcile`: list unconfirmed launches, or settle one by hand.

Adopt runs only if they match the launch (target, prompt, time) and nobody else started them. Assume that a launch was
not sent only after checking the service: otherwise its calls are charged twice.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import anyio

from planner.errors import UsageError
from planner.execution.absent_launches import possibly_sent
from planner.execution.events import Moved
from planner.execution.journal import Journal
from planner.execution.launches import OTHER_KEY, UNSETTLED, Launch, LaunchState
from planner.execution.reading import read_list
from planner.execution.reconciling import (
    Candidate,
    Match,
    Unconfirmed,
    asks_the_same,
    bind_slots,
    search_launches,
    unconfirmed_launches,
)
from planner.interruption import interruptible
from planner.quantities import count, money
from planner.reports.neutral import json_document
from planner.reports.redaction import Redactor
from planner.shell import Shell
from planner.values import frozen
from planner.workspace.selection import Selection
from planner.workspace.service import open_client
from planner.workspace.stores import OpenedStore, locked, open_results, shared_session


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
    if not place.journal_path.exists() and place.shared is None:
        _report(shell, options, ["No launch is open: this store has no launches."], [])
        return 0
    with locked(shell, place, options.command(options.launch)):
        journal = Journal(place.journal_path, now=shell.clock.now())
        try:
            with shared_session(shell, place, journal, ()):
                journal.mark_interrupted()
                return anyio.run(_reconcile, _Reconciliation(shell, options, place, journal))
        finally:
            journal.close()


@frozen
class _Reconciliation:
    shell: Shell
    options: ReconcileOptions
    place: OpenedStore
    journal: Journal

    def print_line(self, line: str) -> None:
        """What was settled. With `--format json`, standard output has the document only."""
        (self.shell.log if self.options.is_json else self.shell.print)(line)


async def _reconcile(work: _Reconciliation) -> int:
    journal, options = work.journal, work.options
    shown = options.launch
    if options.launch is not None:
        launch = _open_launch(journal, options.launch)
        if options.assume_not_sent:
            await _assume_not_sent(work, launch)
        elif options.adopt:
            await _adopt(work, launch)
        if options.adopt or options.assume_not_sent:
            shown = None  # then list what else is open
    launches = [launch for launch in journal.launches(UNSETTLED) if shown in (None, launch.launch_id)]
    if not launches:
        _report(work.shell, options, ["No launch is open."], [])
        return 0
    found = await _search(work, launches)
    matches = sorted(found.matches, key=lambda match: match.unconfirmed.launch.sent_at)
    lines = (line for match in matches for line in _shown(match, options, found))
    _report(work.shell, options, lines, [_document(match, found) for match in matches])
    return 4


def _open_launch(journal: Journal, launch_id: str) -> Launch:
    launch = journal.launch(launch_id)
    if launch is None or launch.state not in UNSETTLED:
        known = ""
        if launch is not None:
            known = f": it is {launch.state.value}" + (f", {launch.detail}" if launch.detail else "")
        raise UsageError(
            f"launch {launch_id} is not open{known}", "Run `planner reconcile` for a list of open launches."
        )
    return launch


async def _assume_not_sent(work: _Reconciliation, launch: Launch) -> None:
    """Settle the launch as not sent. Raises `UsageError` if a run may belong to the launch and is not named with
    --not-ours. Sending the launch again could charge its calls twice."""
    options, launch_id = work.options, launch.launch_id
    found = await _search(work, work.journal.launches(UNSETTLED))
    match = next(match for match in found.matches if match.unconfirmed.launch.launch_id == launch_id)
    calls = count(len(match.unconfirmed.slots), "call")
    # A batch that does not list its runs is named by its own id.
    shown: dict[int | None, str] = {}
    for candidate in found.candidates(match):
        shown |= {run_id: f"run {run_id}" for run_id in candidate.run_ids}
        if not candidate.run_ids:
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
    work.journal.record(Moved(launch_id, LaunchState.ABSENT, detail="a person confirmed that it was not sent"))
    work.print_line(f"{launch_id} is settled as not sent; the next run may make its {calls} again.")


async def _adopt(work: _Reconciliation, launch: Launch) -> None:
    """Adopt the runs of --adopt. Raises `UsageError` if a run cannot belong to the launch. Adopting it would judge
    somebody else's call, or wait for it forever."""
    journal, adopt, launch_id = work.journal, work.options.adopt, launch.launch_id
    slots = journal.slots_of(launch_id)
    if len(adopt) != len(slots):
        raise UsageError(
            f"launch {launch_id} asked for {count(len(slots), 'run')}, but --adopt names {len(adopt)}",
            "Name exactly as many runs as the launch asked for.",
        )
    if len(set(adopt)) != len(adopt):
        raise UsageError("--adopt names a run twice: name each run once")
    if taken := sorted(journal.claimed_run_ids() & set(adopt)):
        raise UsageError(f"runs {', '.join(map(str, taken))} already belong to another launch")
    unconfirmed = Unconfirmed(launch, slots, journal.requesters_of(launch_id))
    async with interruptible(), open_client(work.shell, work.place, work.options.selection) as client:
        runs = (await read_list(client.runs, oldest=launch.earliest, wanted=set(adopt))).found
    hint = f"Run `planner reconcile {launch_id}` for its candidates."
    for run_id in adopt:
        if run_id not in runs:
            raise UsageError(f"the service shows no run {run_id} since {launch.sent_at:%Y-%m-%d %H:%M} UTC", hint)
        if not asks_the_same(unconfirmed, runs[run_id]):
            raise UsageError(
                f"run {run_id} does not match launch {launch_id}: another target, prompt or requester", hint
            )
    journal.record(
        Moved(
            launch_id,
            LaunchState.ADOPTED,
            detail="a person adopted it",
            run_ids=tuple(adopt),
            bindings=bind_slots(slots, {run_id: runs[run_id] for run_id in adopt}, tuple(adopt)),
        )
    )
    calls = count(len(slots), "call")
    work.print_line(f"{launch_id} is adopted; the next run resumes its {calls}, which are not charged again.")


@frozen
class _Found:
    """The search results for launches. `elsewhen` has candidates from another time than the launch's. `all_read`: the
    service's lists reach back to all launches. `other_key`: ids of launches that used another API key, which may see
    other runs."""

    matches: Sequence[Match]
    elsewhen: Mapping[str, tuple[Candidate, ...]]
    all_read: bool
    other_key: frozenset[str]

    def candidates(self, match: Match) -> tuple[Candidate, ...]:
        return match.candidates or self.elsewhen.get(match.unconfirmed.launch.launch_id, ())


async def _search(work: _Reconciliation, launches: Sequence[Launch]) -> _Found:
    journal, oldest = work.journal, min(launch.earliest for launch in launches)
    async with interruptible(), open_client(work.shell, work.place, work.options.selection) as client:
        runs = await read_list(client.runs, oldest=oldest)
        batches = await read_list(client.batches, oldest=oldest)
        other_key = journal.launched_with_other(client.credential)
    matches = search_launches(unconfirmed_launches(launches, journal), batches=batches, runs=runs, journal=journal)
    missing = [match.unconfirmed for match in matches if not match.candidates]
    elsewhen = possibly_sent(missing, batches=batches, runs=runs, journal=journal)
    return _Found(matches, elsewhen, runs.whole, other_key)


def _report(
    shell: Shell, options: ReconcileOptions, lines: Iterable[str], launches: Sequence[Mapping[str, Any]]
) -> None:
    """List the open launches."""
    if options.is_json:
        shell.print(json_document({"launches": launches}, exit_code=4 if launches else 0))
    else:
        shell.print("\n".join(lines))


def _document(match: Match, found: _Found) -> dict[str, Any]:
    launch, slots = match.unconfirmed.launch, match.unconfirmed.slots
    redactor = Redactor()
    return {
        "launch_id": launch.launch_id,
        "target_kind": launch.line.target_type,
        "target_id": launch.line.target_id,
        "sent_at": launch.sent_at,
        "calls": len(slots),
        "reserved_cents": sum(slot.reserved_cents for slot in slots),
        "detail": redactor.text(launch.detail),
        "cases": [redactor.name(case_id) for case_id in sorted({slot.case_id for slot in slots})],
        "candidates": [
            {"run_ids": candidate.run_ids, "batch_id": candidate.batch_id, "created_at": candidate.created_at}
            for candidate in found.candidates(match)
        ],
        "is_time_and_prompt_equal": bool(match.candidates),
        "is_list_complete": found.all_read,
        "used_another_key": launch.launch_id in found.other_key,
    }


def _shown(match: Match, options: ReconcileOptions, found: _Found) -> Iterator[str]:
    """A launch, its cases and candidates, and the commands that settle it."""
    launch, slots = match.unconfirmed.launch, match.unconfirmed.slots
    command = options.command(launch.launch_id)
    yield (
        f"{launch.launch_id}  {count(len(slots), 'call')} to {launch.line.target_type.replace('_', ' ')} "
        f"{launch.line.target_id}, sent {launch.sent_at:%Y-%m-%d %H:%M:%S} UTC, up to "
        f"{money(sum(slot.reserved_cents for slot in slots))}: {launch.detail}"
    )
    yield from (f"    {case_id}" for case_id in sorted({slot.case_id for slot in slots}))
    if launch.launch_id in found.other_key:
        yield f"  {OTHER_KEY}, which may see other runs. Run this command again with that key."
    candidates = found.candidates(match)
    if not candidates and not found.all_read:
        yield "  no run matches, but the service's list does not reach back to the launch: check the service itself."
    elif not candidates:
        yield "  no run of the service matches. If you are sure that the launch never arrived:"
        yield f"  {command} --assume-not-sent"
    elif not match.candidates:
        yield (
            "  no run matches its time and prompts, but the service does not always list these as they were sent. "
            "Possible matches:"
        )
    for candidate in candidates:
        made = f" of {candidate.created_at:%H:%M:%S} UTC" if candidate.created_at else ""
        adopt = " ".join(f"--adopt {run_id}" for run_id in candidate.run_ids)
        by_batch = f"batch {candidate.batch_id}; look up its run ids at the service, then --adopt each"
        yield f"  candidate{made}: {f'{command} {adopt}' if adopt else by_batch}"
