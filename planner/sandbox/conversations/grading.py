"""The platform's own grade of a call: what became of the caller's goals, and what got in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from planner.sandbox.conversation import Conversation

_SLOW_TTFA_MS = 2500


@dataclass(frozen=True, slots=True)
class Issue:
    severity: Literal["minor", "major", "critical"]
    description: str


@dataclass(frozen=True, slots=True)
class Grading:
    """`score` is 0..1, None when there was no conversation to grade."""

    score: float | None
    outcome: Literal["success", "failure", "unknown", "no_conversation"]
    goal: Literal["achieved", "missed", "no_opportunity"]
    goal_reasoning: str
    issues: tuple[Issue, ...]
    rubric: dict[str, float]
    summary: str

    @property
    def critical_issues(self) -> int:
        return sum(issue.severity == "critical" for issue in self.issues)


def grade_conversation(conversation: Conversation) -> Grading:
    """Half a point for reaching the goals, the rest for how it went; a goal politely refused counts half."""
    spoken = [turn for turn in conversation.turns if turn.role == "user"]
    if not spoken:
        return Grading(
            None, "no_conversation", "no_opportunity", "Nobody spoke.", (), {}, "No conversation took place."
        )
    outcomes = [outcome for _, outcome in conversation.goals]
    reached = outcomes.count("answered")
    refused = outcomes.count("refused")
    task = (reached + refused / 2) / len(outcomes) if outcomes else 1.0
    issues: list[Issue] = [
        Issue("major", f"The caller did not get an answer: {text}")
        for text, outcome in conversation.goals
        if outcome == "open"
    ]
    issues += [
        Issue("minor", f"The agent declined: {text}") for text, outcome in conversation.goals if outcome == "refused"
    ]
    if conversation.misunderstandings > 1:
        issues.append(Issue("minor", f"The agent had to ask again {conversation.misunderstandings} times."))
    if conversation.end_reason == "timeout":
        issues.append(Issue("critical", "The call ran into its time limit."))
    slow = sum(turn.ttfa_ms is not None and turn.ttfa_ms > _SLOW_TTFA_MS for turn in conversation.turns)
    rubric = {
        "task": round(task, 2),
        "understanding": round(max(0.0, 1 - 0.2 * conversation.misunderstandings), 2),
        "responsiveness": round(max(0.0, 1 - 0.25 * slow), 2),
    }
    score = 0.6 * rubric["task"] + 0.25 * rubric["understanding"] + 0.15 * rubric["responsiveness"]
    achieved = not outcomes or reached == len(outcomes) or (reached > 0 and "open" not in outcomes)
    hopeless = outcomes and reached == 0 and refused == len(outcomes)
    reasoning = (
        f"{reached} of {len(outcomes)} goals answered, {refused} declined."
        if outcomes
        else "The caller had no particular goal."
    )
    return Grading(
        score=round(score, 2),
        outcome="success" if achieved else "unknown" if hopeless else "failure",
        goal="achieved" if achieved else "no_opportunity" if hopeless else "missed",
        goal_reasoning=reasoning,
        issues=tuple(issues),
        rubric=rubric,
        summary=f"The caller spoke {len(spoken)} times; {reasoning[0].lower()}{reasoning[1:]} The call ended by {conversation.end_reason}.",
    )
