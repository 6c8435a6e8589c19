"""Build the change set: price the changes, and compute the digest that consent is bound to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from planner.changes.estimate import estimate
from planner.changes.fingerprint import digest_of
from planner.changes.history import PastRun
from planner.changes.model import Action, Change, ChangeSet
from planner.changes.prices import Target
from planner.planfile.project.prices import DEFAULT_RATES


def build_change_set(
    changes: tuple[Change, ...],
    *,
    products: Mapping[Target, str | None],
    rates: Mapping[str, float],
    history: Sequence[PastRun],
    already_made: Mapping[str, int],
) -> ChangeSet:
    """Price `changes` (of all selected cases).

    Args:
        products: the product of the agent behind (kind, id); None or absent if unknown.
        rates: the project's cents per started minute by product, in addition to the published ones.
        history: runs of earlier sessions (`history.past_runs`).
        already_made: runs that an interrupted session of this change set made, by case id. They only lower the estimate.
    """
    total, prices = estimate(
        changes, history=history, products=products, rates={**DEFAULT_RATES, **rates}, already_made=already_made
    )
    return ChangeSet(change_set_digest(changes), changes, total, prices)


def change_set_digest(changes: Iterable[Change]) -> str:
    """`sha256:` and 64 hex digits over what happens to each case: its id, its calls and what is expected.

    It does not depend on the order of cases, on reasons, prices or agent revisions, or on how many calls an interrupted session
    already made: the same command with the same digest resumes after a crash.
    """
    return digest_of(sorted((_terms(change) for change in changes), key=lambda terms: terms[0]))


def _terms(change: Change) -> list[str]:
    terms = [change.case_id, change.action.value]
    if change.action is Action.CALL:
        terms += [str(change.runs), change.call_fingerprint]
        if change.case is not None and change.case.retries:
            terms.append(f"retries {change.case.retries}")
    if change.action is not Action.DROP:
        terms.append(change.check_fingerprint)
    return terms
