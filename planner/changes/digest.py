"""The name of a change set: what somebody agrees to when they consent."""

from __future__ import annotations

from collections.abc import Iterable

from planner.changes.fingerprint import digest_of
from planner.changes.model import Action, Change


def change_set_digest(changes: Iterable[Change]) -> str:
    """`sha256:` and 64 hex digits over what happens to each case: which, what is called and how often, what is expected.

    It does not depend on the order of cases, on reasons, prices or the agents' revisions, nor on how many of the calls an
    interrupted invocation has already made: the same command with the same digest goes on after a crash.
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
