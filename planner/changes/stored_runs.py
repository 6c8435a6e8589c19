"""What there is to say of stored runs: how many, how old, of which agent, and what their evidence lacks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from planner.changes.detail import age, revision_detail, revision_digest
from planner.moments import aware
from planner.planfile.model import Case
from planner.results.model import CaseDocument, RunDocument


def to_read_again(runs: Sequence[RunDocument]) -> str:
    lacking = [run for run in runs if run.missing]
    if not lacking:
        return "nothing of it is missing: only other calls (--rerun failed) or other expectations can decide it"
    parts = dict.fromkeys(part for run in lacking for part in run.missing)
    return f"{stored_runs(len(lacking))} without {', '.join(parts)}: read again · free"


def stored_runs(count: int) -> str:
    return f"{count} stored run{'' if count == 1 else 's'}"


def edited(before: str | None, after: str | None) -> str | None:
    """What to say of an agent that is another one now; None where it is the same, or where either side is not known."""
    if before is None or after is None or revision_digest(before) == revision_digest(after):
        return None
    return revision_detail(before, after)


def expired(case: Case, prior: CaseDocument, now: datetime) -> str | None:
    """Why what is stored is too old to stand; a run of unknown age is not known to be young enough."""
    if case.max_age is None or prior.outcome not in ("passed", "flaky"):
        return None
    ended = [run.completed_at for run in prior.runs if run.countable]
    known = [aware(moment) for moment in ended if moment is not None]
    if not known or len(known) < len(ended):
        return f"the age of the stored runs is not known, max_age {age(case.max_age)}"
    oldest = now - min(known)
    return f"oldest run {age(oldest)} ago, max_age {age(case.max_age)}" if oldest > case.max_age else None
