"""`planner reconcile`: launches whose fate is unknown, and a person's word on one.

Adopt when the service's own list shows the runs (same target, same prompt, the launch's time) and nobody else asked for
them. Assume not sent only when it was looked for and is not there: if it was carried out after all, its calls are paid
for a second time.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import anyio

from planner.commands.interruption import interruptible
from planner.commands.locking import locked
from planner.commands.selection import Selection
from planner.commands.service import open_client
from planner.commands.sharing import shared_session
from planner.commands.shell import Shell
from planner.commands.stores import Place, place_of
from planner.errors import UsageError
from planner.execution.journal import Journal
from planner.execution.launches import UNSETTLED, Launch, LaunchState
from planner.execution.listing import read_list
from planner.execution.reconciling import Lost, Match, bind_slots, match_lost
from planner.reports.quantities import count
from planner.spec import find_root


@dataclass(frozen=True, slots=True)
class ReconcileOptions:
    """Of the store that `selection` names. With `launch`, one of `adopt` and `assume_not_sent`."""

    selection: Selection
    launch: str | None = None
    adopt: Sequence[int] = ()
    assume_not_sent: bool = False


def reconcile(shell: Shell, options: ReconcileOptions) -> int:
    """4 while any launch is open, else 0."""
    if (options.adopt or options.assume_not_sent) and options.launch is None:
        raise UsageError("say which launch: planner reconcile LAUNCH …", "`planner reconcile` lists them.")
    if options.adopt and options.assume_not_sent:
        raise UsageError("--adopt and --assume-not-sent say the opposite of each other")
    place = place_of(shell, find_root(shell.cwd), options.selection)
    if not place.journal_path.exists() and place.shared is None:
        shell.print("No launch is open: nothing was ever launched from this store.")
        return 0
    words = ["planner", "reconcile", *([options.launch] if options.launch else []), *options.selection.words()]
    with locked(shell, place, shlex.join(words)):
        journal = Journal(place.journal_path)
        try:
            with shared_session(shell, place.shared, journal, ()):
                journal.suspect_interrupted()
                if options.launch is not None and (options.adopt or options.assume_not_sent):
                    _settle(shell, journal, options.launch, options)
                return anyio.run(_list, shell, options, place, journal)
        finally:
            journal.close()


def _settle(shell: Shell, journal: Journal, launch_id: str, options: ReconcileOptions) -> None:
    launch = journal.launch(launch_id)
    if launch is None or launch.state not in UNSETTLED:
        raise UsageError(f"launch {launch_id} is not open", "`planner reconcile` lists those that are.")
    slots = journal.slots_of(launch_id)
    if options.assume_not_sent:
        journal.settle(launch_id, LaunchState.ABSENT, detail="a person said that it was not sent")
        shell.print(f"{launch_id} counts as never sent; the next run may launch its {count(len(slots), 'call')} again.")
        return
    if len(options.adopt) != len(slots):
        raise UsageError(
            f"launch {launch_id} asked for {count(len(slots), 'run')}, --adopt names {len(options.adopt)}",
            "Name exactly as many.",
        )
    if len(set(options.adopt)) != len(options.adopt):
        raise UsageError("--adopt names a run twice")
    if taken := sorted(journal.claimed_run_ids() & set(options.adopt)):
        raise UsageError(f"runs {', '.join(map(str, taken))} belong to another launch already")
    journal.settle(launch_id, LaunchState.ADOPTED, detail="a person said so", run_ids=tuple(options.adopt))
    if bindings := bind_slots(slots, {}, tuple(options.adopt)):
        journal.bind(launch_id, bindings)
    shell.print(f"{launch_id} adopted; the next run picks up its {count(len(slots), 'call')} without paying again.")


async def _list(shell: Shell, options: ReconcileOptions, place: Place, journal: Journal) -> int:
    launches = [launch for launch in journal.launches(UNSETTLED) if options.launch in (None, launch.launch_id)]
    if not launches:
        shell.print("No launch is open.")
        return 0
    lost = [
        Lost(launch, journal.slots_of(launch.launch_id), journal.requesters_of(launch.launch_id)) for launch in launches
    ]
    async with (
        interruptible(),
        open_client(
            shell,
            sandbox_dir=place.directory if options.selection.sandbox else None,
            world=options.selection.world,
        ) as client,
    ):
        oldest = min(launch.sent_at - timedelta(seconds=launch.slack_seconds) for launch in launches)
        runs = await read_list(client.runs, oldest=oldest)
        batches = await read_list(client.batches, oldest=oldest)
    matches = match_lost(
        lost,
        batches=batches.found.values(),
        runs=runs.found.values(),
        claimed=journal.claimed_run_ids(),
        claimed_batches=journal.claimed_batch_ids(),
        every_batch=batches.whole,
    )
    for match in sorted(matches, key=lambda match: match.lost.launch.sent_at):
        _show(shell, match, options.selection, all_read=runs.whole)
    return 4


def _show(shell: Shell, match: Match, selection: Selection, *, all_read: bool) -> None:
    launch: Launch = match.lost.launch
    command = shlex.join(["planner", "reconcile", launch.launch_id, *selection.words()])
    cases = sorted({slot.case_id for slot in match.lost.slots})
    reserved = sum(slot.reserved_cents for slot in match.lost.slots)
    shell.print(
        f"{launch.launch_id}  {count(len(match.lost.slots), 'call')} to {launch.line.target_type} {launch.line.target_id},"
        f" sent {launch.sent_at:%Y-%m-%d %H:%M:%S} UTC, up to ${reserved / 100:.2f}: {launch.detail}"
    )
    for case_id in cases:
        shell.print(f"    {case_id}")
    if not match.candidates and not all_read:
        shell.print(
            "  no run matches so far, but the service's list does not reach back to it: look at the service itself."
        )
        return
    if not match.candidates:
        shell.print("  no run of the service matches. If you are sure that it was never carried out:")
        shell.print(f"  {command} --assume-not-sent")
        return
    for candidate in match.candidates:
        made = f" of {candidate.created_at:%H:%M:%S} UTC" if candidate.created_at else ""
        if not candidate.run_ids:
            shell.print(f"  candidate{made}: batch {candidate.batch_id}; look there for its run ids, then --adopt each")
            continue
        adopt = " ".join(f"--adopt {run_id}" for run_id in candidate.run_ids)
        shell.print(f"  candidate{made}: {command} {adopt}")
