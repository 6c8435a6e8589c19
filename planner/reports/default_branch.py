"""The issue about the default branch: the calls that it needs, and how to start them. All text is neutralised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from planner.changes.consent import to_confirm
from planner.changes.model import ChangeSet
from planner.quantities import count, money, money_range
from planner.reports.agents import AgentNote
from planner.reports.neutral import for_markdown, markdown_block, markdown_code, markdown_prose
from planner.reports.pull_request import NO_CEILING, PullRequest
from planner.reports.redaction import Redactor
from planner.results.outcomes import Action

ISSUE_TITLE: Final = "Phone plans: what the default branch needs"
_LISTED: Final = 200


def render_issue(
    change_set: ChangeSet, max_cost: str, edited: Sequence[AgentNote], pull: PullRequest, redactor: Redactor
) -> str:
    """`max_cost` is the ceiling in dollars, "" if the price is unknown; `pull` has the addresses of the workflows. ""
    if there is nothing to call and no agent was edited."""
    blocks = list(_calls(change_set, max_cost, pull, redactor)) if change_set.with_action(Action.CALL) else []
    for note in edited[:_LISTED]:
        diff = markdown_block("\n".join(note.lines[:_LISTED]), "diff")
        blocks += filter(None, [markdown_prose(note.sentence), diff, markdown_prose(note.to_do)])
    return "\n\n".join(blocks)


def _calls(change_set: ChangeSet, max_cost: str, pull: PullRequest, redactor: Redactor) -> Iterator[str]:
    calls, estimate = change_set.with_action(Action.CALL), change_set.estimate
    price = "price unknown"
    if estimate.expected_cents is not None:
        spread = money_range(estimate.low_cents, estimate.high_cents)
        price = f"{money(estimate.expected_cents)} expected ({spread})"
    yield f"### 📞 {count(estimate.calls, 'call')} to make{to_confirm(change_set)} · {for_markdown(price)}"
    names = redactor.names(change.case_id for change in calls)
    lines = [
        f"- {markdown_code(names[change.case_id])}: {for_markdown(change.reason.label)}"
        + (f", {markdown_code(redactor.text(change.detail))}" if change.detail else "")
        for change in calls[:_LISTED]
    ]
    yield "\n".join(lines)
    if (more := len(calls) - _LISTED) > 0:
        yield f"and {count(more, 'more case')}"
    form = f"[run the workflow]({pull.actions_url})" if pull.actions_url else "run the workflow that makes calls"
    yield f"**To call:** {form} without a pull request and with these values, or on a command line:"
    options = f"-f digest={change_set.digest} -f max-cost={max_cost or NO_CEILING}"
    yield markdown_block(f"gh workflow run {pull.workflow} {options}", "sh")
