"""`planner reconcile`: list unconfirmed launches, or settle one by hand.

Adopt runs only if they match the launch (target, prompt, time) and nobody else started them. Assume that a launch was
not sent only after checking the service: otherwise its calls are charged twice.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import anyio

from planner.api.client import ApiClient
from planner.api.wire import WireRun
from planner.errors import UsageError
from planner.execution.journal import Journal
from planner.execution.launch_search import possibly_sent, search_launches, unconfirmed_launches
from planner.execution.launches import OTHER_KEY, UNSETTLED, Launch, LaunchState
from planner.execution.listing import read_list
from planner.execution.reconciling import Candidate, Match, Unconfirmed, asks_the_same, bind_slots
from planner.reports.quantities import count
from planner.session.current_project import load_current_project
from planner.session.interruption import interruptible
from planner.session.locking import locked
from planner.session.selection import Selection
from planner.session.service import open_client
from planner.session.sharing import shared_session
from planner.session.shell import Shell
from planner.session.stores import Place, place_of
from planner.session.worlds import named_world


@dataclass(frozen=True, slots=True)
class ReconcileOptions:
    """`selection` names the store. With `launch`, either `adopt` or `assume_not_sent`; with the latter, `not_ours`
    lists runs that do not belong to the launch."""

    selection: Selection
    launch: str | None = None
    adopt: Sequence[int] = ()
    assume_not_sent: bool = False
    not_ours: Sequence[int] = ()


def reconcile(shell: Shell, options: ReconcileOptions) -> int:
    """Settle or list launches; return 4 while any launch is open, otherwise 0."""
    if (options.adopt or options.assume_not_sent) and options.launch is None:
        raise UsageError("name the launch: planner reconcile LAUNCH …", "Run `planner reconcile` for the list.")
    if options.adopt and options.assume_not_sent:
        raise UsageError("--adopt and --assume-not-sent exclude each other")
    if options.not_ours and not options.assume_not_sent:
        raise UsageError("--not-ours needs --assume-not-sent")
    root, project = load_current_project(shell, options.selection.policy_from)
    place = place_of(shell, root, options.selection, project)
    if not place.journal_path.exists() and place.shared is None:
        shell.print("No launch is open: nothing was ever launched from this store.")
        return 0
    words = ["planner", "reconcile", *([options.launch] if options.launch else []), *options.selection.words()]
    with locked(shell, place, shlex.join(words)):
        journal = Journal(place.journal_path, now=shell.clock.now())
        try:
            with shared_session(shell, place.shared, journal, ()):
                journal.mark_interrupted()
                shown = options.launch
                if options.launch is not None:
                    launch = _open_launch(journal, options.launch)
                    if options.adopt or options.assume_not_sent:
                        _settle(shell, place, journal, launch, options)
                        shown = None  # then list what else is open
                return anyio.run(_list, shell, options, place, journal, shown)
        finally:
            journal.close()


def _open_launch(journal: Journal, launch_id: str) -> Launch:
    launch = journal.launch(launch_id)
    if launch is None or launch.state not in UNSETTLED:
        known = (
            "" if launch is None else f": it is {launch.state.value}" + (f", {launch.detail}" if launch.detail else "")
        )
        raise UsageError(
            f"launch {launch_id} is not open{known}", "Run `planner reconcile` for a list of open launches."
        )
    return launch


def _settle(shell: Shell, place: Place, journal: Journal, launch: Launch, options: ReconcileOptions) -> None:
    launch_id, slots = launch.launch_id, journal.slots_of(launch.launch_id)
    calls = count(len(slots), "call")
    if options.assume_not_sent:
        anyio.run(_check_not_shown, shell, options, place, journal, launch)
        journal.settle(launch_id, LaunchState.ABSENT, detail="a person confirmed that it was not sent")
        shell.print(f"{launch_id} is settled as not sent; the next run may make its {calls} again.")
        return
    if len(options.adopt) != len(slots):
        raise UsageError(
            f"launch {launch_id} asked for {count(len(slots), 'run')}, but --adopt names {len(options.adopt)}",
            "Name exactly as many runs as the launch asked for.",
        )
    if len(set(options.adopt)) != len(options.adopt):
        raise UsageError("--adopt names a run twice")
    if taken := sorted(journal.claimed_run_ids() & set(options.adopt)):
        raise UsageError(f"runs {', '.join(map(str, taken))} already belong to another launch")
    unconfirmed = Unconfirmed(launch, slots, journal.requesters_of(launch_id))
    runs = anyio.run(_runs_named, shell, options, place, unconfirmed)
    bindings = bind_slots(slots, runs, tuple(options.adopt))
    journal.settle(
        launch_id,
        LaunchState.ADOPTED,
        detail="a person adopted it",
        run_ids=tuple(options.adopt),
        bindings=bindings,
    )
    shell.print(f"{launch_id} is adopted; the next run resumes its {calls}, which are not charged again.")


async def _runs_named(
    shell: Shell, options: ReconcileOptions, place: Place, unconfirmed: Unconfirmed
) -> dict[int, WireRun]:
    """The adopted runs, as the service lists them.

    Raises:
        UsageError: a run cannot belong to the launch. Adopting it would judge somebody else's call, or wait for it
            forever.
    """
    named, launch = set(options.adopt), unconfirmed.launch
    async with interruptible(), _client(shell, options, place) as client:
        runs = (await read_list(client.runs, oldest=launch.earliest, wanted=named)).found
    hint = f"Run `planner reconcile {launch.launch_id}` for its candidates."
    for run_id in options.adopt:
        if run_id not in runs:
            raise UsageError(f"the service shows no run {run_id} since {launch.sent_at:%Y-%m-%d %H:%M} UTC", hint)
        if not asks_the_same(unconfirmed, runs[run_id]):
            raise UsageError(
                f"run {run_id} does not match launch {launch.launch_id}: another target, prompt or requester",
                hint,
            )
    return {run_id: runs[run_id] for run_id in named}


def _client(shell: Shell, options: ReconcileOptions, place: Place) -> AbstractAsyncContextManager[ApiClient]:
    selection = options.selection
    return open_client(
        shell, sandbox_dir=place.directory if selection.sandbox else None, world=named_world(shell, selection)
    )


async def _list(shell: Shell, options: ReconcileOptions, place: Place, journal: Journal, launch_id: str | None) -> int:
    """List the open launches, or only one."""
    launches = [launch for launch in journal.launches(UNSETTLED) if launch_id in (None, launch.launch_id)]
    if not launches:
        shell.print("No launch is open.")
        return 0
    shown = await _looked_for(shell, options, place, journal, launches)
    for match in sorted(shown.matches, key=lambda match: match.unconfirmed.launch.sent_at):
        _show(shell, match, options.selection, shown)
    return 4


@dataclass(frozen=True, slots=True)
class _Shown:
    """The search results for launches. `elsewhen` has candidates from another time than the launch's. `all_read`: the
    service's lists reach back to all launches."""

    matches: Sequence[Match]
    elsewhen: Mapping[str, tuple[Candidate, ...]]
    all_read: bool
    other_key: frozenset[str]
    """Ids of launches that used another API key, which may see other runs."""

    def candidates(self, match: Match) -> tuple[Candidate, ...]:
        return match.candidates or self.elsewhen.get(match.unconfirmed.launch.launch_id, ())


async def _looked_for(
    shell: Shell, options: ReconcileOptions, place: Place, journal: Journal, launches: Sequence[Launch]
) -> _Shown:
    async with (
        interruptible(),
        _client(shell, options, place) as client,
    ):
        oldest = min(launch.earliest for launch in launches)
        runs = await read_list(client.runs, oldest=oldest)
        batches = await read_list(client.batches, oldest=oldest)
        other_key = journal.launched_with_other(client.credential)
    matches = search_launches(unconfirmed_launches(launches, journal), batches=batches, runs=runs, journal=journal)
    missing = [match.unconfirmed for match in matches if not match.candidates]
    return _Shown(matches, possibly_sent(missing, batches=batches, runs=runs, journal=journal), runs.whole, other_key)


async def _check_not_shown(
    shell: Shell, options: ReconcileOptions, place: Place, journal: Journal, launch: Launch
) -> None:
    """Check that no run may belong to the launch, apart from those named with --not-ours.

    Raises:
        UsageError: sending the launch again could charge its calls twice.
    """
    shown = await _looked_for(shell, options, place, journal, journal.launches(UNSETTLED))
    match = next(match for match in shown.matches if match.unconfirmed.launch.launch_id == launch.launch_id)
    candidates = shown.candidates(match)
    # A batch that does not list its runs is named by its own id.
    runs = {run_id: f"run {run_id}" for candidate in candidates for run_id in candidate.run_ids}
    batches = {candidate.batch_id: f"batch {candidate.batch_id}" for candidate in candidates if not candidate.run_ids}
    named = {number: what for number, what in {**runs, **batches}.items() if number not in options.not_ours}
    if not named:
        return
    command = shlex.join(["planner", "reconcile", launch.launch_id, *options.selection.words()])
    refused = " ".join(f"--not-ours {number}" for number in [*options.not_ours, *named])
    raise UsageError(
        f"the service shows runs that may belong to launch {launch.launch_id}: {', '.join(named.values())}. If they do, its"
        f" {count(len(match.unconfirmed.slots), 'call')} would be charged twice",
        f"{command} shows how to adopt them. If none of them is yours: {command} --assume-not-sent {refused}",
    )


def _show(shell: Shell, match: Match, selection: Selection, shown: _Shown) -> None:
    launch: Launch = match.unconfirmed.launch
    command = shlex.join(["planner", "reconcile", launch.launch_id, *selection.words()])
    cases = sorted({slot.case_id for slot in match.unconfirmed.slots})
    reserved = sum(slot.reserved_cents for slot in match.unconfirmed.slots)
    shell.print(
        f"{launch.launch_id}  {count(len(match.unconfirmed.slots), 'call')} to {launch.line.target_type} {launch.line.target_id},"
        f" sent {launch.sent_at:%Y-%m-%d %H:%M:%S} UTC, up to ${reserved / 100:.2f}: {launch.detail}"
    )
    for case_id in cases:
        shell.print(f"    {case_id}")
    if launch.launch_id in shown.other_key:
        shell.print(f"  {OTHER_KEY}, which may see other runs. Run this command again with that key.")
    candidates = shown.candidates(match)
    if not candidates and not shown.all_read:
        shell.print(
            "  no run matches, but the service's list does not reach back to the launch: check the service itself."
        )
        return
    if not candidates:
        shell.print("  no run of the service matches. If you are sure that the launch never arrived:")
        shell.print(f"  {command} --assume-not-sent")
        return
    if not match.candidates:
        shell.print(
            "  no run matches its time and prompts, but the service does not always list these as they were sent. Possible matches:"
        )
    for candidate in candidates:
        made = f" of {candidate.created_at:%H:%M:%S} UTC" if candidate.created_at else ""
        if not candidate.run_ids:
            shell.print(
                f"  candidate{made}: batch {candidate.batch_id}; look up its run ids at the service, then --adopt each"
            )
            continue
        adopt = " ".join(f"--adopt {run_id}" for run_id in candidate.run_ids)
        shell.print(f"  candidate{made}: {command} {adopt}")
