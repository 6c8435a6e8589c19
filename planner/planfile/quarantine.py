"""`quarantine` of a scenario: until when its failures are not counted."""

from __future__ import annotations

from datetime import date
from typing import Final

from planner.planfile.grammar.fields import read_nested, require
from planner.planfile.grammar.models import QuarantineFields
from planner.planfile.model import Quarantine
from planner.planfile.reporter import Reporter
from planner.planfile.yaml.document import Document, Mapping

_WANTED: Final = {"until": "the last day on which failures do not count", "reason": "why, for the reader"}


def read_quarantine(
    document: Document, written: Mapping, reporter: Reporter, *, today: date | None
) -> Quarantine | None:
    """What is under `quarantine`; None if there is none, or it has an error, which is reported.

    One that ended before `today` (UTC; None: unknown) is reported as a warning and still returned.
    """
    nested = read_nested(QuarantineFields, document, written, "quarantine", reporter)
    if nested is None:
        return None
    mapping, fields = nested
    require(QuarantineFields, mapping, _WANTED, document.key(written, "quarantine"), reporter)
    if fields.until is None:
        return None
    try:
        until = date.fromisoformat(fields.until)
    except ValueError:
        reporter.error("bad-value", f"there is no day {fields.until} in the calendar", document.value(mapping, "until"))
        return None
    if today is not None and until < today:
        detail = f"the quarantine ended on {until}, so failures count again; remove it, or set a later day"
        reporter.warning("quarantine-passed", detail, document.value(mapping, "until"))
    return None if fields.reason is None else Quarantine(until, " ".join(fields.reason.split()))
