"""Parts of a call that the list of runs already shows, in one dialect: they are not read again.

The call's own documents decide. What the list shows is used only after it was compared with them, and while nothing
differed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from planner.providers.base import Run
from planner.providers.thunderphone.connection import DEFERRED
from planner.providers.thunderphone.tool_record import milliseconds
from planner.providers.thunderphone.wire import WireCall, WireGrade, WireTurn

W = TypeVar("W")

_TURNS: Final = TypeAdapter(list[WireTurn], config=DEFERRED)
_GRADE: Final = TypeAdapter(WireGrade)
_END_SECONDS: Final = 15.0
"""A transcript whose last turn ends earlier than this before the call's end may lack turns."""
_FINAL_GRADES: Final = ("completed", "failed", "skipped_recording_disabled")


@dataclass(slots=True)
class ListedParts:
    """Whether the list of runs shows transcripts and grades as the calls do."""

    turns: int = 0
    """The most turns of a transcript that was the same; -1 if one was not."""
    has_grades: bool | None = None

    def transcript(self, run: Run, call: WireCall | None) -> list[WireTurn] | None:
        """The transcript of a run by the list; None if it may not be whole."""
        turns = _valid(_TURNS, run.listed.get("transcript"))
        if not turns or call is None or len(turns) > self.turns:
            return None
        end_ms = milliseconds(turns[-1].end_ms)
        is_to_end = end_ms is not None and (call.duration_seconds or 0.0) - end_ms / 1000 <= _END_SECONDS
        return turns if is_to_end else None

    def compare_transcript(self, run: Run, read: list[WireTurn] | None) -> None:
        turns = _valid(_TURNS, run.listed.get("transcript"))
        if turns and read and self.turns >= 0:
            self.turns = max(self.turns, len(turns)) if turns == read else -1

    def grade(self, run: Run, call: WireCall | None) -> WireGrade | None:
        """The grade of a run by the list; None if it is not final, or not what the call says."""
        grade = _final_grade(run)
        if not self.has_grades or grade is None or call is None:
            return None
        return grade if (grade.status, grade.score) == (call.grade_status, call.grade_score) else None

    def compare_grade(self, run: Run, read: WireGrade | None) -> None:
        grade = _final_grade(run)
        if grade is not None and read is not None and self.has_grades is not False:
            self.has_grades = grade == read


def _final_grade(run: Run) -> WireGrade | None:
    grade = _valid(_GRADE, run.listed.get("grade"))
    return grade if grade is not None and grade.status in _FINAL_GRADES else None


def _valid(adapter: TypeAdapter[W], document: object) -> W | None:
    try:
        return None if document is None else adapter.validate_python(document)
    except ValidationError:
        return None
