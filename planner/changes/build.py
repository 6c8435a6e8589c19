"""Cases and earlier results become changes, priced and named: the one way through this room."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from planner.changes.diff import Rerun, diff
from planner.changes.digest import change_set_digest
from planner.changes.estimate import estimate
from planner.changes.found_again import CalledBefore
from planner.changes.history import PastRun
from planner.changes.model import CasePrice, Change, ChangeSet, Estimate
from planner.changes.past import Target
from planner.changes.shards import Shard, shared_out
from planner.results.model import CaseDocument
from planner.spec.model import Case
from planner.spec.prices import DEFAULT_RATES


def build_change_set(
    cases: Sequence[Case],
    baseline: Mapping[str, CaseDocument],
    *,
    revisions: Mapping[Target, str | None],
    products: Mapping[Target, str | None],
    rates: Mapping[str, float],
    history: Sequence[PastRun],
    already_made: Mapping[str, int],
    rerun: Rerun,
    now: datetime,
    partial: bool,
    evidence_stored: Callable[[str], bool] | None = None,
    still_settled: Callable[[Case, CaseDocument], bool] | None = None,
    called_before: CalledBefore | None = None,
    judge: str | None = None,
    shard: Shard | None = None,
    gone: Mapping[str, CaseDocument] | None = None,
) -> ChangeSet:
    """What has to happen to each case, what it would cost, and the digest that consent is bound to.

    Args:
        cases: the selected cases of all plans loaded.
        baseline: the stored cases of these plans, by case id.
        revisions: `<updated_at> <digest>` of the agent behind (kind, id); None or absent where the service was not asked.
        products: what the agent behind (kind, id) runs on; None or absent where not known.
        rates: the project's cents per started minute by product; published ones fill in.
        history: runs of earlier invocations (`history.past_runs`).
        already_made: runs of this change set that an interrupted invocation has made, by case id; they lower the estimate only.
        partial: only some of the plans' cases were selected; nothing is dropped.
        evidence_stored: whether a digest's evidence is there to be judged again (`ResultsRepository.has_evidence`).
        still_settled, called_before, judge, gone: as for `diff`.
        shard: only these of the changes, if any.
    """
    changes = diff(
        cases,
        baseline,
        revisions=revisions,
        rerun=rerun,
        now=now,
        partial=partial,
        evidence_stored=evidence_stored,
        still_settled=still_settled,
        called_before=called_before,
        judge=judge,
        gone=gone,
    )

    def price(changes: Sequence[Change], made: Mapping[str, int]) -> tuple[Estimate, dict[str, CasePrice]]:
        return estimate(
            changes, history=history, products=products, rates={**DEFAULT_RATES, **rates}, already_made=made
        )

    share = None
    if shard is not None:
        changes, share = shared_out(changes, shard, lambda whole: price(whole, {})[0])
    total, prices = price(changes, already_made)
    return ChangeSet(change_set_digest(changes), changes, total, prices, share=share)
