"""`policy` of `planner.yaml`: limits on every session."""

from typing import Annotated, Any, Literal

from pydantic import Field, SkipValidation

from planner.planfile.fields import wrong_type
from planner.planfile.grammar import AllowedTargetFields, Authored
from planner.planfile.model import Policy
from planner.planfile.reporter import Reporter
from planner.planfile.targets import read_target
from planner.planfile.yaml.document import Items, YamlMapping


class LiveToolsFields(Authored):
    """The tools of agents that calls reach are real."""

    default: Literal["warn", "deny"] = Field(
        default="warn", description="warn: `planner plan` names them. deny: calls that may reach any are refused."
    )
    deny: list[str] = Field(
        default=[], description="Calls that may reach these are refused.", examples=[["issue_refund"]]
    )
    unknown: Literal["allow"] | None = Field(
        default=None,
        description=(
            "allow: also call agents whose tools the service does not show. By default, `default: deny` refuses such "
            "calls, and `deny` cannot stop tools that no stored call shows."
        ),
    )


class PolicyFields(Authored):
    max_cost_cents: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Maximum cost of a session, in US cents.", examples=[2000]
    )
    max_cost_cents_per_month: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description=(
            "Maximum cost of all sessions in the store in one month (UTC), in US cents: what is spent, and what calls "
            "under way may cost. Judge calls count, too."
        ),
        examples=[50_000],
    )
    allowed_targets: SkipValidation[list[AllowedTargetFields] | None] = Field(
        default=None,
        description="What may be called; by default everything.",
        examples=[[{"agent": 12}, {"phone_number": 77}]],
    )
    max_concurrent_runs: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Maximum number of calls at one time."
    )
    gate: Literal["regressions", "strict"] | None = Field(
        default=None,
        description=(
            "What makes the required check of a pull request red. regressions: a case or the suite got worse, a "
            "critical expectation fails that does not fail on the base branch, or a new or changed case misses its "
            "requirement. strict: any case misses its requirement. By default regressions, once the base branch has "
            "two sessions to compare with."
        ),
    )
    confirm: bool = Field(
        default=False,
        description=(
            "Call a case again at once if it looks worse than in earlier sessions, before it counts as a regression. "
            "These are at most 40 % more calls and at most 100 (8 % of more than 1,250), and part of the price."
        ),
    )
    max_calls: Annotated[int, Field(ge=1)] = Field(default=10_000, description="Maximum number of calls in a session.")
    previews: Literal["allow", "deny"] = Field(
        default="allow",
        description=(
            "allow: if an agent's file (`config`) differs from the deployed agent, planner makes a copy with the "
            "file's fields, calls it and deletes it. deny: such calls are refused."
        ),
    )
    live_tools: LiveToolsFields | None = Field(
        default=None,
        description="Whether calls may reach the agents' real tools.",
        examples=[{"deny": ["issue_refund"]}],
    )


def read_policy(root: YamlMapping, fields: PolicyFields | None, reporter: Reporter) -> Policy:
    """The limits; wrong targets are reported."""
    if fields is None:
        return Policy()
    written: YamlMapping = root["policy"]
    allowed: frozenset[tuple[str, int]] | None = None
    items: Any = written.get("allowed_targets")
    if isinstance(items, Items):
        targets = [read_target(items, index, reporter, AllowedTargetFields) for index in range(len(items))]
        allowed = frozenset((target.kind, target.id) for target in targets if target is not None)
    elif items is not None:
        detail = wrong_type("a list such as [{agent: 12}]", items)
        reporter.error("wrong-type", detail, written.span("allowed_targets"))
        allowed = frozenset()
    tools = fields.live_tools or LiveToolsFields()
    return Policy(
        fields.max_cost_cents,
        allowed,
        fields.max_concurrent_runs,
        fields.max_calls,
        fields.previews,
        fields.gate,
        frozenset(tools.deny),
        tools.default == "deny",
        fields.max_cost_cents_per_month,
        tools.unknown == "allow",
        fields.confirm,
    )
