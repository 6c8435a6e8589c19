"""What a shard has of ceilings that are meant for the whole, and what its results tell so that they can be joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from planner.changes.model import ChangeSet, Share
from planner.changes.shards import Shard
from planner.invocation.selection import Loaded
from planner.invocation.shell import Shell
from planner.results.model import CaseDocument, ShardCase, ShardDocument


def with_part_of_ceilings(
    shell: Shell, loaded: Loaded, max_cost_cents: int | None, share: Share | None
) -> tuple[Loaded, int | None]:
    """Plans, policy and `--max-cost` with what this shard may spend of their ceilings; as they are for a whole."""
    if share is None:
        return loaded, max_cost_cents
    mine, whole = sum(share.weights.values()), sum(share.whole_weights.values())
    shell.tell(f"shard {share.number}/{share.of}: {mine} of {whole} calls, and that part of each ceiling")
    plans = tuple(
        plan
        if plan.max_cost_cents is None
        else replace(plan, max_cost_cents=share.part_of(plan.max_cost_cents, plan.name))
        for plan in loaded.plans
    )
    policy = loaded.project.policy
    if policy.max_cost_cents is not None:
        policy = replace(policy, max_cost_cents=share.part_of(policy.max_cost_cents))
    mine_cents = None if max_cost_cents is None else share.part_of(max_cost_cents)
    return replace(loaded, plans=plans, project=replace(loaded.project, policy=policy)), mine_cents


def shard_of_nothing(shard: Shard | None) -> ShardDocument | None:
    """Of a shard that has no results."""
    return None if shard is None else ShardDocument(number=shard.number, of=shard.of)


def shard_document(change_set: ChangeSet, cases: Sequence[CaseDocument], *, chosen: bool) -> ShardDocument | None:
    share = change_set.share
    if share is None:
        return None
    return ShardDocument(
        number=share.number,
        of=share.of,
        digest=share.digest,
        chosen=chosen,
        expected_cents=share.estimate.expected_cents,
        low_cents=share.estimate.low_cents,
        high_cents=share.estimate.high_cents,
        basis=share.estimate.basis,
        cases=[ShardCase(position=share.positions[case.case_id], before=case.before) for case in cases],
    )
