"""`planner transcript`: print stored conversations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from planner.errors import UsageError
from planner.reports.redaction import Pattern, redact, redact_evidence
from planner.reports.transcript import Conversation, render_json, render_text
from planner.results.model import RunResult
from planner.shell import Shell, redactor_patterns
from planner.values import frozen
from planner.workspace.selection import Selection, did_you_mean, is_run, matches
from planner.workspace.stores import OpenedStore, open_results


@frozen
class TranscriptOptions:
    """`wanted` is a case id, a pattern of case ids, or the id of a run or call."""

    selection: Selection
    wanted: str
    failed: bool = False
    unmasked: bool = False
    """As it was said; on a terminal only."""
    output_format: Literal["text", "json"] = "text"


def transcript(shell: Shell, options: TranscriptOptions) -> int:
    """Print the newest stored runs of a case, or one run; return 0."""
    if options.unmasked and not (shell.out.isatty() and options.output_format == "text"):
        raise UsageError(
            "--unmasked shows text on a terminal only", "Run it at a terminal, without a pipe or --format."
        )
    project, place = open_results(shell, options.selection)
    conversations = list(_conversations(place, options, redactor_patterns(project)))
    if not conversations:
        raise _nothing_found(place, options)
    if options.output_format == "json":
        shell.print(render_json(conversations))
    else:
        shell.print(render_text(conversations, width=shell.width, color=shell.color))
    return 0


def _conversations(
    place: OpenedStore, options: TranscriptOptions, patterns: Sequence[Pattern]
) -> Iterator[Conversation]:
    for result in _wanted(_sessions(place, options), options.wanted):
        for case in (result if options.unmasked else redact(result, patterns)).cases:
            for run in case.runs:
                if options.failed and run.outcome == "passed":
                    continue
                if options.wanted.isdecimal() and not is_run(options.wanted, run):
                    continue
                stored = place.repository.load_evidence(run.evidence) if run.evidence else None
                if stored is not None and not options.unmasked:
                    stored = redact_evidence(stored, patterns)
                yield Conversation(case, run, stored)


def _sessions(place: OpenedStore, options: TranscriptOptions) -> Iterable[RunResult]:
    selection = options.selection
    return place.repository.sessions_of(selection.environment or "", sandbox=selection.sandbox)


def _nothing_found(place: OpenedStore, options: TranscriptOptions) -> UsageError:
    known = list({case.case_id: None for result in _sessions(place, options) for case in result.cases})
    if options.failed and any(matches(options.wanted, case_id) for case_id in known):
        hint = "Its stored runs passed: omit --failed to see them."
    else:
        hint = did_you_mean(options.wanted, known) or _where_to_look(options.selection)
    return UsageError(f"no stored run matches {options.wanted}", hint)


def _where_to_look(selection: Selection) -> str:
    command = selection.command("history")
    sandbox = "" if selection.sandbox else "; --sandbox shows those of the sandbox"
    other = "" if selection.environment is None else "; without --environment, those of the default environment"
    return f"`{command}` lists the stored cases{other}{sandbox}."


def _wanted(sessions: Iterable[RunResult], wanted: str) -> Iterator[RunResult]:
    """The newest results of each wanted case, with only these cases."""
    seen: set[str] = set()
    for result in sessions:
        chosen = [
            case
            for case in result.cases
            if case.runs and case.case_id not in seen
            if wanted == case.case_id or matches(wanted, case.case_id) or any(is_run(wanted, run) for run in case.runs)
        ]
        seen.update(case.case_id for case in chosen)
        yield result.model_copy(update={"cases": chosen})
        if chosen and "*" not in wanted and "?" not in wanted:
            return
