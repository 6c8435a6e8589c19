"""What the log says of consents: an agreement to some calls, up to how much. No I/O.

Every launch and every judge call names its consent. Ceilings are per consent, on all machines. A consent ends when all
of its calls are done.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from planner.changes.consent import MAX_COST
from planner.log.facts import Consent, Scope
from planner.log.fold import State

_ID_DIGITS: Final = 16


def consent_id_of(digest: str, occasion: str) -> str:
    """The id of the consent to the set with this digest on one occasion: a workflow run, or a command. Its first half
    finds the consents to a set."""
    return f"{id_prefix(digest)}{sha256(occasion.encode()).hexdigest()[:_ID_DIGITS]}"


def id_prefix(digest: str) -> str:
    return f"{digest.removeprefix('sha256:')[:_ID_DIGITS]}-"


def max_cost_of(consent: Consent | None) -> int | None:
    """Its `--max-cost`, in cents."""
    ceilings = () if consent is None else consent.ceilings
    return next((each.cents for each in ceilings if each.scope is Scope.CONSENT and each.label == MAX_COST), None)


def consents_to(state: State, digest: str) -> list[Consent]:
    """The consents to a set."""
    return [consent for consent in state.consents.values() if consent.digest == digest]


def ended_calls_of(state: State, consent_id: str) -> frozenset[int]:
    """The calls, by their place, of which nothing is left."""
    sessions = (session for session in state.sessions.values() if session.consent_id == consent_id)
    return frozenset(place for session in sessions for place in session.done)


def is_unfinished(state: State, consent: Consent) -> bool:
    """Whether something is left to do under a consent."""
    return not ended_calls_of(state, consent.consent_id).issuperset(range(len(consent.goals)))


def unfinished_consents(state: State) -> list[Consent]:
    """Oldest first."""
    found = [consent for consent in state.consents.values() if is_unfinished(state, consent)]
    return sorted(found, key=lambda consent: (consent.at, consent.consent_id))
