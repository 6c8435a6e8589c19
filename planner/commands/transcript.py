"""`planner transcript`: print stored conversations."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Literal

from planner.errors import UsageError
from planner.reports.redaction import Pattern, redact, redact_evidence
from planner.reports.transcript import Conversation, render_json, render_text
from planner.results.model import CaseResult, Run, RunResult
from planner.session.reporting import redactor_patterns
from planner.session.selection import Selection, did_you_mean, matches
from planner.session.shell import Shell
from planner.session.stores import Place, open_results
from planner.values import frozen


@frozen
class TranscriptOptions:
    """`wanted` is a case id, a pattern of case ids, or the number of a run."""

    selection: Selection
    wanted: str
    failed: bool = False
    output_format: Literal["text", "json"] = "text"


def transcript(shell: Shell, options: TranscriptOptions) -> int:
    """Print the newest stored runs of the case, or the one run; return 0."""
    project, place = open_results(shell, options.selection)
    conversations = list(_conversations(options, place, redactor_patterns(project)))
    if not conversations:
        known = list({case.case_id: None for result in _results(options, place) for case in result.cases})
        if options.failed and any(matches(options.wanted, case_id) for case_id in known):
            hint = "Its stored runs passed: omit --failed to see them."
        else:
            hint = did_you_mean(options.wanted, known) or _where_to_look(options.selection)
        raise UsageError(f"no stored run matches {options.wanted}", hint)
    if options.output_format == "json":
        shell.print(render_json(conversations))
    else:
        shell.print(render_text(conversations, width=shell.width, color=shell.color))
    return 0


def _where_to_look(selection: Selection) -> str:
    command = shlex.join(["planner", "history", *selection.words()])
    sandbox = "" if selection.sandbox else "; --sandbox shows those of the sandbox"
    other = "" if selection.environment is None else "; without --environment, those of the default environment"
    return f"`{command}` lists the stored cases{other}{sandbox}."


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
        if "*" not in options.wanted and "?" not in options.wanted:
            return


def _results(options: TranscriptOptions, place: Place) -> Iterator[RunResult]:
    """Newest first, of this environment."""
    selection = options.selection
    return place.repository.sessions_of(selection.environment or "", sandbox=selection.sandbox)


def _is_wanted(options: TranscriptOptions, case: CaseResult) -> bool:
    if options.wanted.isdecimal():
        return any(run.run_id == int(options.wanted) for run in case.runs)
    return case.case_id == options.wanted or matches(options.wanted, case.case_id)


def _is_wanted_run(options: TranscriptOptions, run: Run) -> bool:
    if options.failed and run.outcome == "passed":
        return False
    return not options.wanted.isdecimal() or run.run_id == int(options.wanted)
