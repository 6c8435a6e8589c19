"""The comment on a pull request while its calls are made. All text is neutralised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from planner.quantities import count, money, short_commit, some
from planner.reports.neutral import for_markdown, markdown_block, markdown_code
from planner.reports.pull_request import PullRequest, call_command, ignored_results
from planner.results.model import StartOverDocument
from planner.values import frozen

_NAMED: Final = 20


@frozen
class CallsUnderWay:
    """The calls of a session. `cases` are names to show; `digest`, `max_cost` (dollars) and `options` (words of the
    command) are what was agreed to."""

    digest: str
    cases: Sequence[str]
    by: str
    max_cost: str
    total: int
    done: int = 0
    in_flight: int = 0
    spent_cents: int = 0
    reserved_cents: int = 0
    start_over: StartOverDocument | None = None
    options: str = ""


def render_progress(calls: CallsUnderWay, pull: PullRequest) -> str:
    """Markdown. It has no times, so that it changes only when something happened."""
    spent = for_markdown(money(calls.spent_cents))
    blocks = [
        f"### ⏳ {calls.done:,} of {count(calls.total, 'call')} done · {spent}",
        " ".join(_progress_facts(calls, pull)),
        ignored_results(calls.start_over),
        some(list(map(markdown_code, calls.cases)), _NAMED),
        "If the job stops, comment the same again. Calls that were made are not made again:",
        markdown_block(" ".join(filter(None, [call_command(pull, calls.digest, calls.max_cost), calls.options]))),
    ]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _progress_facts(calls: CallsUnderWay, pull: PullRequest) -> Iterator[str]:
    commit = f" for {markdown_code(short_commit(pull.commit))}" if pull.commit else ""
    yield f"Calling{commit}, agreed by {markdown_code(calls.by)} up to {for_markdown('$' + calls.max_cost)}."
    if calls.in_flight:
        may_cost = f", which may cost {for_markdown(money(calls.reserved_cents))} more" if calls.reserved_cents else ""
        yield f"{count(calls.in_flight, 'call')} in progress{may_cost}."
    if pull.run_url:
        yield f"[Job]({pull.run_url})"
