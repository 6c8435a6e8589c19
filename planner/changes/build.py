"""Changes, priced and named: the change set that `plan` prints and consent is bound to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.changes.digest import change_set_digest
from planner.changes.estimate import estimate
from planner.changes.history import PastRun
from planner.changes.model import Change, ChangeSet
from planner.changes.past import Target
from planner.planfile.prices import DEFAULT_RATES


def build_change_set(
    changes: tuple[Change, ...],
    *,
    products: Mapping[Target, str | None],
    rates: Mapping[str, float],
    history: Sequence[PastRun],
    already_made: Mapping[str, int],
) -> ChangeSet:
    """What these changes would cost, and the digest that consent is bound to.

    Args:
        changes: of all selected cases (`diff`).
        products: what the agent behind (kind, id) runs on; None or absent where not known.
        rates: the project's cents per started minute by product; published ones fill in.
        history: runs of earlier invocations (`history.past_runs`).
        already_made: runs of this change set that an interrupted invocation has made, by case id; they lower the estimate only.
    """
    total, prices = estimate(
        changes, history=history, products=products, rates={**DEFAULT_RATES, **rates}, already_made=already_made
    )
    return ChangeSet(change_set_digest(changes), changes, total, prices)
