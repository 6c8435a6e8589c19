"""Read files of facts, and check that they are whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pydantic import ValidationError

from planner.bounds import SERVER_CLOCK_SKEW, is_possible
from planner.clock import aware
from planner.errors import UsageError
from planner.records.facts import FACT, SCHEMA_VERSION, CallFact, CallId, Correction, Fact, SessionHead, id_of
from planner.records.files import Files, Refused, Scope, file_of, head_key, summary_of
from planner.results.documents import UnreadableError, parsed
from planner.results.repository import StoredFile


class Part(NamedTuple):
    """The facts of a file of calls that count."""

    key: str
    facts: Sequence[Fact]
    is_trusted: bool


class FactReader:
    """Reads each part and head once, because files never change.

    Args:
        places: where they are: of the base, then the job's own.
    """

    def __init__(self, places: Sequence[Files], scope: Scope) -> None:
        self._places = places
        self._scope = scope
        self._listed: dict[tuple[int, str], Sequence[str]] = {}
        self._parts: dict[tuple[int, str], Part] = {}
        self._heads: dict[str, SessionHead | None] = {}
        self.ignored: set[CallId] = set()
        """Calls whose times are in the future."""
        places[-1].list_ahead(())  # others listed earlier

    def list_ahead(self, folders: Iterable[str]) -> None:
        """The keys in these folders will be asked for, in all places: those of the job include the others."""
        own = len(self._places) - 1
        if new := [folder for folder in folders if (own, folder) not in self._listed]:
            self._places[own].list_ahead(new)

    def keys(self, place: int, prefix: str) -> Sequence[str]:
        """The keys with the prefix in a place, as first listed."""
        if (place, prefix) not in self._listed:
            self._listed[place, prefix] = list(self._places[place].file_keys(prefix))
        return self._listed[place, prefix]

    def part(self, place: int, key: str) -> Part | Refused | None:
        if (place, key) not in self._parts:
            file = file_of(self._places[place], key)
            if file is None or isinstance(file, Refused):
                return file
            try:
                self._parts[place, key] = self._part_of(file)
            except UnreadableError as error:
                return Refused(key, str(error))
        return self._parts[place, key]

    def _part_of(self, file: StoredFile) -> Part:
        self._check_complete(file)
        lines = file.data.splitlines()
        facts = tuple(self._facts(file.key, lines))
        return Part(file.key, facts, file.is_trusted)

    def _facts(self, key: str, lines: Sequence[bytes]) -> Iterator[Fact]:
        for number, line in enumerate(lines, 1):
            try:
                fact = FACT.validate_json(line)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                raise unreadable(key, f"line {number}: {first['msg']}") from error
            moment = fact.at if isinstance(fact, Correction) else None
            ended = fact.data.completed_at if isinstance(fact, CallFact | Correction) else None
            late = (moment and not is_possible(moment, self._scope.now)) or (
                ended and not is_possible(ended, self._scope.now, SERVER_CLOCK_SKEW)
            )
            if late:
                self.ignored.add(id_of(fact))
                self._scope.warn(f"{key}, line {number}, is ignored: its time is in the future")
            else:
                yield fact

    def _check_complete(self, file: StoredFile) -> None:
        head = self.any_head(session_of(file.key))
        expected = head.parts.get(file.key) if head is not None else None
        if expected is not None and summary_of(file.data) != expected:
            raise unreadable(file.key, "it is not what its session wrote")

    def any_head(self, session_id: str) -> SessionHead | None:
        """The head of a session in any place, the last one first."""
        *others, own = self._places
        return next(filter(None, (self.head(session_id, files) for files in (own, *others))), None)

    def head(self, session_id: str, files: Files) -> SessionHead | None:
        if session_id not in self._heads:
            file = file_of(files, head_key(session_id))
            if file is None:
                return None
            self._heads[session_id] = self._read_head(file)
        return self._heads[session_id]

    def _read_head(self, file: StoredFile | Refused) -> SessionHead | None:
        if isinstance(file, Refused):
            self._scope.warn(file.why)
            return None
        try:
            head = parsed(SessionHead, file.data, SCHEMA_VERSION, file.key)
        except (UnreadableError, UsageError) as error:  # its facts count all the same
            self._scope.warn(f"{file.key} cannot be read and is ignored: {error}")
            return None
        if is_possible(head.ended_at, self._scope.now):
            return head
        self._scope.warn(
            f"{file.key} is ignored: it is dated {aware(head.ended_at).isoformat()}, which is in the future"
        )
        return None


def unreadable(key: str, why: str) -> UnreadableError:
    return UnreadableError(
        f"{key} cannot be read: {why}. Restore it from a backup, or discard the earlier calls (charged): --start-over"
    )


def session_of(part: str) -> str:
    return part.rpartition("/")[2].rpartition("-")[0]
