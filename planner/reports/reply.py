"""The reply that notifies the person who agreed to calls when they have ended. It fits one line of GitHub's e-mail."""

from __future__ import annotations

import re
from typing import Final

from planner.quantities import money
from planner.reports.neutral import for_markdown, markdown_code, markdown_prose
from planner.reports.pull_request import SIGNS, PullRequest
from planner.results.model import RunResult
from planner.results.outcomes import RequiredCheck

LOGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}")
"""Managed users have `_` in their logins; apps, which end with `[bot]`, are no persons."""
_MAX_CHARACTERS: Final = 500


def render_reply(result: RunResult, check: RequiredCheck, pull: PullRequest, asked_by: str, weakened: str = "") -> str:
    """`@maria ❌ 1 regressed · $0.64 of at most $1.23`. `result` is of the session that `asked_by` started; `weakened`
    sums up its weakened tests. "" if nobody is named."""
    who = result.consent.by or asked_by
    if not who:
        return ""
    parts = [f"{mention(who)} {_outcome(result, check)}"]
    if weakened:
        parts.append(f"⚠ {for_markdown(weakened)}")
    if result.consent.given:
        judge = result.cost.judge
        cents = result.cost.actual_cents + (judge.actual_cents if judge is not None else 0)
        ceiling = result.consent.max_cost_cents
        at_most = f" of at most {money(ceiling)}" if ceiling is not None else ""
        parts.append(for_markdown(f"{money(cents)}{at_most}"))
    if pull.run_url:
        parts.append(f"[job and reports]({pull.run_url})")
    return " · ".join(parts)


def mention(login: str) -> str:
    """`@maria`; a name that is none is only shown."""
    return f"@{login}" if LOGIN.fullmatch(login) else markdown_code(login)


def _outcome(result: RunResult, check: RequiredCheck) -> str:
    problem = markdown_prose(result.problems[0][:_MAX_CHARACTERS].rstrip(".")) if result.problems else ""
    if result.exit_code in (2, 3) and not result.consent.given:
        return f"✋ Refused, nothing was called: {problem}"
    if result.exit_code == 130:
        return "⏹ Cancelled"
    ended = f"{SIGNS[check.state]} {for_markdown(check.description)}"
    return f"{ended} · {problem}" if problem and result.exit_code in (3, 4) else ended
