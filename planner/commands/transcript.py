"""`planner transcript`: print stored conversations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from planner.errors import UsageError
from planner.reports.redaction import Pattern, redact, redact_evidence
from planner.reports.transcript import Conversation, render_json, render_text
from planner.results.model import CaseDocument, RunDocument, RunResult
from planner.session.current_project import load_current_project
from planner.session.reporting import redactor_patterns
from planner.session.selection import Selection, matches
from planner.session.shell import Shell
from planner.session.stores import Place, place_of
from planner.session.suggestions import suggest


@dataclass(frozen=True, slots=True)
class TranscriptOptions:
    """`wanted` is a case id, a pattern of case ids, or the number of a run."""

    wanted: str
    failed: bool = False
    store: str | None = None
    environment: str | None = None
    sandbox: bool = False
    policy_from: str | None = None
    output_format: Literal["text", "json"] = "text"


def transcript(shell: Shell, options: TranscriptOptions) -> int:
    """Print the newest stored runs of the case, or the one run; return 0.

    Raises:
        UsageError: no stored run matches.
    """
    root, project = load_current_project(shell, options.policy_from)
    selection = Selection(store=options.store, sandbox=options.sandbox, environment=options.environment)
    place = place_of(shell, root, selection, project)
    conversations = list(_conversations(options, place, redactor_patterns(project)))
    if not conversations:
        raise UsageError(f"no stored run matches {options.wanted}", _hint(options, place))
    if options.output_format == "json":
        shell.print(render_json(conversations))
    else:
        shell.print(render_text(conversations, width=shell.width, color=shell.color))
    return 0


def _conversations(options: TranscriptOptions, place: Place, patterns: tuple[Pattern, ...]) -> Iterator[Conversation]:
    seen: set[str] = set()
    for result in _results(options, place):
        chosen = [case for case in result.cases if case.runs and case.case_id not in seen and _is_wanted(options, case)]
        if not chosen:
            continue
        seen.update(case.case_id for case in chosen)
        shown = redact(result.model_copy(update={"cases": chosen}), patterns)
        for case in shown.cases:
            for run in case.runs:
                if _is_wanted_run(options, run):
                    stored = place.repository.load_evidence(run.evidence) if run.evidence else None
                    yield Conversation(case, run, None if stored is None else redact_evidence(stored, patterns))
        if not _is_pattern(options.wanted):
            return


def _results(options: TranscriptOptions, place: Place) -> Iterator[RunResult]:
    """Newest first, of this environment."""
    for result in place.repository.invocations():
        if result.sandbox is options.sandbox and result.environment == (options.environment or ""):
            yield result


def _is_pattern(wanted: str) -> bool:
    return "*" in wanted or "?" in wanted


def _is_wanted(options: TranscriptOptions, case: CaseDocument) -> bool:
    if options.wanted.isdecimal():
        return any(run.run_id == int(options.wanted) for run in case.runs)
    return case.case_id == options.wanted or matches(options.wanted, case.case_id)


def _is_wanted_run(options: TranscriptOptions, run: RunDocument) -> bool:
    if options.failed and run.outcome == "passed":
        return False
    return not options.wanted.isdecimal() or run.run_id == int(options.wanted)


def _hint(options: TranscriptOptions, place: Place) -> str:
    known = list(dict.fromkeys(case.case_id for result in _results(options, place) for case in result.cases))
    if options.failed and any(matches(options.wanted, case_id) for case_id in known):
        return "Its stored runs passed: omit --failed to see them."
    near = suggest(options.wanted, known)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return "`planner history` lists the stored cases; --sandbox shows those of the sandbox."
