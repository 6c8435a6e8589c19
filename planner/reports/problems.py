"""Why there is no change set to show: invalid plans, or an error. For comments and job summaries; all text is
neutralised."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from planner.diagnostics import Diagnostic, Diagnostics, Severity
from planner.errors import PlanInvalidError, PlannerError
from planner.quantities import count
from planner.reports.diagnostics import limited
from planner.reports.neutral import for_markdown, markdown_code, markdown_prose, one_line

_MAX_CHARACTERS: Final = 1_000
"""Of one diagnostic, which quotes a plan."""
_MAX_LISTED: Final = 50_000
"""Characters of all of them: a comment may have 65,536."""


def render_invalid(diagnostics: Diagnostics, files_url: str = "") -> str:
    """Diagnostics as a list, errors first. They quote plans, which a stranger may have written. `files_url` is where
    the files can be read: a link to each line follows."""
    items = sorted(diagnostics, key=lambda item: item.severity is not Severity.ERROR)
    errors = sum(item.severity is Severity.ERROR for item in items)
    counts = ((errors, "error"), (len(items) - errors, "warning"))
    headline = " and ".join(count(number, word) for number, word in counts if number)
    verdict = "❌ Nothing can be called: the plans have" if errors else "The plans have"
    shown, others = limited(items)
    lines = [f"### {verdict} {headline}", ""]
    more, room = others.total(), _MAX_LISTED
    for item in shown:
        text = _listed(item, files_url)
        room -= len(text)
        if room < 0:
            more += 1
        else:
            lines.append(text)
    if more:
        lines.append(f"- and {more:,} more")
    return "\n".join(lines) + "\n"


def _listed(item: Diagnostic, files_url: str) -> str:
    summary, code = for_markdown(item.summary[:_MAX_CHARACTERS]), markdown_code(item.code)
    detail = markdown_prose(item.detail[:_MAX_CHARACTERS])
    return f"- {_place(item, files_url)} **{item.severity.value}** {summary} ({code})  \n  {detail}"


def _place(item: Diagnostic, files_url: str) -> str:
    span = item.span
    shown = markdown_code(f"{span.file}:{span.line}:{span.column}")
    return f"[{shown}]({files_url}/{quote(span.file)}#L{span.line})" if files_url and span.file else shown


def render_problem(error: PlannerError, files_url: str, run_url: str) -> str:
    """The comment on a pull request whose calls could not be determined. `run_url` is the job that says more."""
    if isinstance(error, PlanInvalidError):
        same = markdown_code("planner validate")
        return f"{render_invalid(error.diagnostics, files_url)}\nFix this and push; {same} shows the same.\n"
    sign = "⏳" if error.exit_code == 4 else "❌"
    what = str(error)
    lines = [f"### {sign} {for_markdown(what[:1].upper() + what[1:])}"]
    if error.hint:
        lines.append(markdown_prose(error.hint))
    if run_url:
        is_later = error.exit_code == 4
        job = (
            f"[This job]({run_url}): run it again when that is done."
            if is_later
            else f"Full log: [this job]({run_url})."
        )
        lines.append(job)
    return "\n\n".join(lines) + "\n"


def problem_line(error: PlannerError) -> str:
    """One line for a commit status: of invalid plans, the first error and its place."""
    if not isinstance(error, PlanInvalidError):
        return one_line(str(error))
    errors = [item for item in error.diagnostics if item.severity is Severity.ERROR]
    if not errors:
        return one_line(str(error))
    first = errors[0]
    more = f" (and {len(errors) - 1:,} more)" if errors[1:] else ""
    return one_line(f"{first.span.file}:{first.span.line}: {first.summary}{more}")
