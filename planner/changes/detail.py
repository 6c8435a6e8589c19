"""Describe what changed, and the stored runs: the `detail` of a change."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from typing import Final

from planner.changes.model import UNDECIDED, Change, Reason
from planner.checks.base import Expectation
from planner.checks.call import NUMBER_NOT_NAMED
from planner.clock import aware
from planner.planfile.model import Case
from planner.quantities import count, some
from planner.results.model import CaseInputs, CaseResult, JudgedRun
from planner.results.outcomes import Action, Cause

_SHOWN_LINES: Final = 4
"""Of each side."""
_SHOWN_CHARACTERS: Final = 160
_CONTEXT_CHARACTERS: Final = 40
_LEFT_OUT_NAMED: Final = 5


def inputs_detail(old: CaseInputs, new: CaseInputs) -> str:
    """The changed inputs: settings as `name old → new`, the prompt as lines that start with `- ` and `+ `."""
    lines = _changed_settings(old, new)
    if old.prompt != new.prompt:
        lines += changed_lines(old.prompt, new.prompt)
    return "\n".join(lines) or "the stored copy does not show where (it may be redacted)"


def settings_differ(old: CaseInputs, new: CaseInputs) -> bool:
    """Whether anything but the prompt differs."""
    return bool(_changed_settings(old, new))


def _changed_settings(old: CaseInputs, new: CaseInputs) -> list[str]:
    lines: list[str] = []
    if old.target_kind != new.target_kind:
        lines.append(f"target {old.target_kind} {old.target_id} → {new.target_kind} {new.target_id}")
    elif old.target_id != new.target_id:
        lines.append(f"target {old.target_id} → {new.target_id}")
    for field in ("direction", "mode", "target_number"):
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            lines.append(f"{field.replace('_', ' ')} {before or 'none'} → {after or 'none'}")
    return lines


def expected_lines(case: Case) -> list[str]:
    """What a case is judged by, one line each: `says: any_of ["30 days"]`, `min_pass_rate 0.8`. Defaults are left
    out."""
    lines = map(expectation_line, case.expectations)
    rules = {
        "min_pass_rate": f"{case.min_pass_rate:g}",
        "quarantine": f"until {case.quarantine.until} ({case.quarantine.reason})" if case.quarantine else "",
    }
    return [*sorted(lines), *(f"{name} {value}" for name, value in rules.items() if value)]


def expectation_line(found: Expectation) -> str:
    """`says: any_of ["30 days"]`"""
    name = found.check if found.id in (None, found.check) else f"{found.id} ({found.check})"
    hidden = {"id", "check", "description"}
    fields = found.model_dump(mode="json", exclude=hidden, exclude_defaults=True, by_alias=True)
    shown = [f"{field} {json.dumps(value, ensure_ascii=False).removesuffix('.0')}" for field, value in fields.items()]
    return ": ".join(filter(None, [name, ", ".join(shown)]))


def expectations_detail(old: Sequence[str], case: Case, show: Callable[[str], str]) -> list[str]:
    """The changed lines of `expected_lines`. `old` may be redacted already; `show` redacts. Empty if `old` is
    unknown."""
    if not old:
        return []
    before, now = ("\n".join(map(show, lines)) for lines in (old, expected_lines(case)))
    return ["how it is judged changed"] if before == now else changed_lines(before, now)


def revision_digest(revision: str) -> str:
    """The digest in `<time of the last edit> <digest>`. An agent that was saved unchanged keeps it."""
    return revision.rpartition(" ")[2]


def agent_edit(old: str | None, new: str | None) -> str | None:
    """`2026-11-20 → 2026-11-24`; with times if the days are equal, or digests if there are no dates. None if the
    revisions are equal, or one is unknown."""
    if old is None or new is None or revision_digest(old) == revision_digest(new):
        return None
    before, after = _instant(old), _instant(new)
    if before is None or after is None or before == after:
        date = f"{before:%Y-%m-%d}, " if before and after else ""
        return f"{date}revision {revision_digest(old)} → {revision_digest(new)}"
    if before.date() != after.date():
        return f"{before:%Y-%m-%d} → {after:%Y-%m-%d}"
    return f"{before:%Y-%m-%d %H:%M:%S} → {after:%H:%M:%S}"


def age(span: timedelta) -> str:
    """`30 s`, `45 min`, `36 h`, `15 d`, rounded down. Negative ages are `0 s`."""
    seconds = max(0, int(span.total_seconds()))
    minutes = seconds // 60
    if not minutes:
        return f"{seconds} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60):,} d"


def stored_runs(number: int) -> str:
    return count(number, "stored run")


def incomplete_evidence(runs: Sequence[JudgedRun]) -> str:
    """What is missing from the evidence of undecided runs: `2 stored runs without grade: read again, free`."""
    incomplete = [run for run in runs if run.missing]
    if not incomplete and any(map(hides_number, runs)):
        return "the service does not name the number of a transfer: only different expectations can decide it"
    if not incomplete and any(run.has_bug for run in runs):
        return "a check raised an exception (a bug in planner): a fixed version judges the stored calls, free"
    if not incomplete and any(run.cause is Cause.PLAN for run in runs):
        return "the sandbox's world lacks a value of its prompt: change the prompt, or the world (docs/sandbox.md)"
    if not incomplete:
        return "the evidence is complete: only new calls (--rerun failed) or different expectations can decide it"
    parts = dict.fromkeys(part for run in incomplete for part in run.missing)
    return f"{stored_runs(len(incomplete))} without {', '.join(parts)}: read again, free"


def inconclusive_calls(prior: CaseResult) -> str:
    """Why an undecided case is not called again by default, and what calls it."""
    causes = Counter(_why_no_call(run) for run in prior.runs if not run.had_call)
    why = f", {causes.most_common(1)[0][0]}" if causes else ""
    sessions = count(prior.inconclusive_sessions, "session")
    return f"{sessions} without a call that counts{why}: only --rerun failed calls it (charged)"


def needs_new_calls(changes: Iterable[Change]) -> bool:
    """True if only new calls can decide what is unknown: judging stored calls again would change nothing."""
    left = [change for change in changes if change.action is not Action.REUSE]
    return all(map(is_unchanged, left)) and any(not _hides_number(change) for change in left)


def is_unchanged(change: Change) -> bool:
    """True if another session without new calls has nothing to do: also for an unknown case with complete evidence."""
    if change.action is Action.REUSE:
        return True
    if change.action is not Action.RECHECK or change.reason not in UNDECIDED or change.prior is None:
        return False
    return not any(run.missing or run.votes_missing or run.has_bug for run in change.prior.runs)


def _hides_number(change: Change) -> bool:
    return change.prior is not None and any(map(hides_number, change.prior.runs))


def _why_no_call(run: JudgedRun) -> str:
    if run.excluded is not None:
        return "their agent was edited meanwhile"
    return "caused by the test bot" if run.cause is Cause.CALLER else "caused by the platform"


def hides_number(run: JudgedRun) -> bool:
    """Whether an expectation is undecided because the service does not name the number of a transfer. Another call
    would be undecided, too."""
    undecided = (
        finding for finding in run.findings if finding.outcome == "undecided" and finding.severity != "warning"
    )
    return any(NUMBER_NOT_NAMED in finding.message for finding in undecided)


def expired(case: Case, prior: CaseResult, now: datetime) -> str | None:
    """Why the stored runs are older than `max_age`, or None. A run of unknown age counts as too old."""
    if case.max_age is None or prior.outcome not in ("passed", "flaky"):
        return None
    ended = [run.completed_at for run in prior.runs if run.countable]
    known = [aware(moment) for moment in ended if moment is not None]
    if not known or len(known) < len(ended):
        return f"the age of the stored runs is unknown, max_age {age(case.max_age)}"
    oldest = now - min(known)
    return f"oldest run {age(oldest)} ago, max_age {age(case.max_age)}" if oldest > case.max_age else None


def _instant(revision: str) -> datetime | None:
    try:
        return datetime.fromisoformat(revision.rpartition(" ")[0])
    except ValueError:
        return None


def changed_lines(old: str, new: str) -> list[str]:
    """Changed lines only, `- ` before `+ `, limited in number and width."""
    before, after = old.splitlines(), new.splitlines()
    if before == after:
        return ["only line ends or a last empty line changed"]
    shown: list[str] = []
    number = 0
    for tag, i, j, k, m in SequenceMatcher(None, before, after).get_opcodes():
        if tag == "equal":
            continue
        removed, added = before[i:j], after[k:m]
        number += len(removed) + len(added)
        # Of lines that changed in place, the part that differs is shown.
        starts = list(map(_start_of_difference, removed, added)) if len(removed) == len(added) else [0] * _SHOWN_LINES
        for sign, side in (("-", removed), ("+", added)):
            lines = zip(side, starts[:_SHOWN_LINES], strict=False)
            shown += [f"{sign} {_clipped(line, start)}" for line, start in lines]
    shown = shown[: 2 * _SHOWN_LINES]
    left_out = number - len(shown)
    return [*shown, f"… {count(left_out, 'more changed line')}"] if left_out else shown


def _start_of_difference(old: str, new: str) -> int:
    """From where to show a line that is too long to show whole."""
    if max(len(old), len(new)) <= _SHOWN_CHARACTERS:
        return 0
    pairs = enumerate(zip(old, new, strict=False))
    first = next((index for index, (one, other) in pairs if one != other), min(len(old), len(new)))
    return max(0, first - _CONTEXT_CHARACTERS)


def _clipped(line: str, start: int) -> str:
    end = start + _SHOWN_CHARACTERS
    return ("…" if start else "") + line[start:end] + ("…" if end < len(line) else "")


def left_out_warnings(changes: Iterable[Change]) -> Iterator[str]:
    """Which cases `--rerun failed` leaves out although they have no results of today's plan."""
    found = [f"{change.case_id} ({change.detail})" for change in changes if change.reason is Reason.NOT_SELECTED]
    if found:
        cases = f"{count(len(found), 'case')} whose results are missing or out of date"
        yield f"--rerun failed leaves out {cases}: {some(found, _LEFT_OUT_NAMED)}"
