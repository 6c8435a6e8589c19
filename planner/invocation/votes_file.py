"""Votes in a file, one JSON document a line: what a model answered, taken along to where no model is to be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from planner.errors import UsageError
from planner.invocation.base_commit import BaseCommit
from planner.judging.records import VoteRecord
from planner.reports.neutral import for_json_text
from planner.spec.files import FileFault, read_authored

MAX_BYTES = 64 * 1024 * 1024
_HINT = "Write it with planner recheck --record-votes FILE where the model can be asked, and commit it."


def read_votes_file(path: Path, name: str) -> Mapping[tuple[str, int], VoteRecord]:
    """By question and number. Raises `UsageError` where the file is missing or damaged."""
    try:
        data = read_authored(path, name, MAX_BYTES)
    except FileFault as fault:
        raise UsageError(f"judge.recorded: {fault.detail}", _HINT) from fault
    except OSError as error:
        raise UsageError(f"judge.recorded: {name} cannot be read: {error.strerror}", _HINT) from error
    return _votes(data, name)


def read_votes_of(base: BaseCommit, name: str) -> Mapping[tuple[str, int], VoteRecord]:
    """Those of the file that a commit has. Raises `UsageError` where it has none, or a damaged one."""
    data = base.read(name)
    if data is None or len(data) > MAX_BYTES:
        raise UsageError(
            f"judge.recorded: {base.name} has no file {name}" + (" of a possible size" if data else ""), _HINT
        )
    return _votes(data, f"{base.name}:{name}")


def _votes(data: bytes, name: str) -> Mapping[tuple[str, int], VoteRecord]:
    votes: dict[tuple[str, int], VoteRecord] = {}
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            vote = VoteRecord.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            detail = f"{where + ': ' if where else ''}{first['msg']}"
            raise UsageError(f"{name}:{number}: no vote of a model: {detail}", _HINT) from error
        votes[vote.key, vote.number] = vote
    return votes


def write_votes_file(path: Path, name: str, records: Iterable[VoteRecord]) -> None:
    """Raises `UsageError` where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(votes_text(records), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{name} cannot be written: {error.strerror}", "Name another file after --record-votes."
        ) from error


def votes_text(records: Iterable[VoteRecord]) -> str:
    """Each once, in an order that does not depend on when they were given."""
    unique = {(record.key, record.number): record for record in records}
    return "".join(f"{for_json_text(unique[place].model_dump_json(exclude_none=True))}\n" for place in sorted(unique))
