"""`planner merge`: the results of all shards as one set of reports. Calls nobody.

Where the store has what the shards stored, the whole is stored too, and becomes the baseline that one invocation would have been.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from planner import __version__
from planner.errors import UsageError
from planner.execution.journal import Journal
from planner.invocation.locking import locked
from planner.invocation.project_here import project_here
from planner.invocation.reporting import show_result
from planner.invocation.selection import Selection
from planner.invocation.sharing import shared_session
from planner.invocation.shell import Shell
from planner.invocation.standing_reports import standing_reports
from planner.invocation.stores import Place, place_of
from planner.results.model import RunResult
from planner.results.reading import read_result
from planner.spec import find_root
from planner.verdicts.merging import Part, merged, parts_of

_RESULTS = "results.json"


@dataclass(frozen=True, slots=True)
class MergeOptions:
    """`parts` are results.json files, or the folders they are in."""

    parts: tuple[Path, ...]
    out: Path
    store: str | None = None


def merge(shell: Shell, options: MergeOptions) -> int:
    """The exit code of the whole: the first, in the order of README.md's table, of those of the shards.

    Raises:
        UsageError: what is given are not shards of one whole.
        PlanInvalidError: a project file is where nobody reads it.
        IncompleteError: one is missing, or has no results.
    """
    read = [_read(shell, path) for path in options.parts]  # before reports are written, perhaps over them
    root = find_root(shell.cwd)
    again = shlex.join(["planner", "merge", *map(str, options.parts), "--out", str(options.out)])
    first = read[0][1]
    selection = Selection(environment=first.environment or None, store=options.store, sandbox=first.sandbox)
    with standing_reports(shell, options.out, selection, again=again) as standing:
        standing.project = project = project_here(shell, root)
        place = place_of(shell, root, selection, project)
        stored = _stored(place, parts_of(read))
        parts = stored or parts_of(read)
        result = merged(parts, invocation_id=standing.invocation_id, tool_version=__version__)
        if stored:
            standing.repository = place.repository
            _store(shell, place, result, again)
        elif result.finished and not result.partial:
            shell.tell("the store here has not all of these results, so what they are together is no baseline")
        standing.write(result)
    show_result(shell, result, options.out, project)
    return result.exit_code


def _read(shell: Shell, path: Path) -> tuple[str, RunResult]:
    file = shell.cwd / path
    if file.is_dir():
        path, file = path / _RESULTS, file / _RESULTS
    try:
        return str(path), read_result(file.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", f"Name each shard's {_RESULTS}, or the folder it is in."
        ) from error


def _stored(place: Place, parts: list[Part]) -> list[Part]:
    """The same results as they are stored, where nothing is redacted that this machine may see; empty where one is not there."""
    found = [place.repository.load_invocation(part.result.invocation_id) for part in parts]
    return [
        Part(part.name, result, result.shard)
        for part, result in zip(parts, found, strict=True)
        if result is not None and result.shard is not None and all(found)
    ]


def _store(shell: Shell, place: Place, result: RunResult, command: str) -> None:
    """Runs that the whole holds are not gone on with again."""
    with locked(shell, place, command):
        journal = Journal(place.journal_path, now=shell.clock.now())
        try:
            with shared_session(shell, place.shared, journal, ()) as session:
                place.repository.save_invocation(result)
                if result.finished and not result.partial:
                    place.repository.promote(result, place.environment)
                    held = {run.run_id for case in result.cases for run in case.runs}
                    journal.consume(
                        result.invocation_id,
                        [slot.key for slot in journal.unconsumed_slots() if slot.run_id in held],
                    )
                session.publish()
        finally:
            journal.close()
