"""What judge calls of earlier sessions cost, as far as it counts under a ceiling."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from planner.changes.model import JudgeSpending
from planner.session.earlier_results import JudgedBefore


def outline(digest: str, cents: int, *, finished: bool) -> Any:
    judge = SimpleNamespace(
        this_invocation_cents=cents, ambiguous_cents=1, by_plan=[SimpleNamespace(plan="p", cents=cents + 1)]
    )
    return cast("Any", SimpleNamespace(change_set_digest=digest, finished=finished, cost=SimpleNamespace(judge=judge)))


def test_unfinished_sessions_count_until_one_finishes() -> None:
    """Newest first; each change set on its own."""
    judged = JudgedBefore()
    for cents, finished in ((10, False), (20, False), (40, True), (80, False)):
        judged.note(outline("a", cents, finished=finished))
    judged.note(outline("b", 5, finished=False))
    assert judged.by_digest == {"a": JudgeSpending(30, 2, {"p": 32}), "b": JudgeSpending(5, 1, {"p": 6})}
