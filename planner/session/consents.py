"""The consent of a session: why it is refused, its record, and when it ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from planner.calls.balance import check_balance
from planner.calls.consents import consents_to, ended_calls_of
from planner.changes.consent import MAX_COST, Limits, policy_refusal
from planner.changes.consented_calls import ConsentedCase, charged_changes, consented_cases
from planner.changes.model import Change, Reason
from planner.ci.agreement import how_agreed
from planner.ci.event import is_later_attempt
from planner.errors import PlannerError, RefusedError
from planner.log.facts import Ceiling, Consent, Goal, Scope
from planner.log.fold import State
from planner.results.money_documents import ConsentDocument
from planner.session.called_agents import agents_refusal

if TYPE_CHECKING:
    from planner.calls.slots import Slot
    from planner.session.preparing import Preparation
    from planner.session.run_session import RunSession
    from planner.workspace.stores import Workspace

CallReason: TypeAlias = Literal["first", "missing", "retry", "again", "start_over"]
_REASONS: Final[Mapping[Reason, CallReason]] = {
    Reason.RUNS_RAISED: "missing",
    Reason.FAILED: "retry",
    Reason.INCONCLUSIVE: "retry",
    Reason.EXPIRED: "again",
    Reason.RERUN: "again",
}
"""All other reasons are those of first calls."""


def agree(session: RunSession, prepared: Preparation, document: ConsentDocument) -> ConsentDocument:
    """Note the consent that somebody gave, before anything is charged under it."""
    if not (document.given and _cases(prepared)):
        return document if prepared.consent is None else document.model_copy(update={"id": prepared.consent_id})
    how = how_agreed(session.shell.environ)
    fact = consent_fact(session, prepared, document.by, how)
    session.log.note([fact])
    return document.model_copy(update={"id": fact.consent_id, "how": how})


def consent_fact(session: RunSession, prepared: Preparation, person: str, how: str) -> Consent:
    shared = session.place.shared
    earlier = session.log.state.consents.get(prepared.consent_id)
    starts_over = session.options.selection.start_over is not None
    return Consent(
        at=session.shell.clock.now(),
        account=session.log.account,
        consent_id=prepared.consent_id,
        digest=prepared.change_set.digest,
        goals=tuple(goals_of(session, prepared)),
        ceilings=tuple(_ceilings(session, prepared)),
        person=(person if shared is None else shared.redaction.name(person))[:500],
        how=how,
        starts_over=starts_over or (earlier is not None and earlier.starts_over),
        part=0 if earlier is None else earlier.part + 1,
    )


def goals_of(session: RunSession, prepared: Preparation) -> Iterator[Goal]:
    """One for each case of the set, in the order of their ids: how many calls of its key the log is to have. Cases that
    make no calls of their own have the key of their expectations."""
    earlier = {} if prepared.consent is None else {goal.key: goal for goal in _earlier_goals(session, prepared)}
    payers = {change.case_id: change for change in prepared.change_set.payers}
    paid = {case.key for case in _cases(prepared) if case.case_id in payers}
    for case in _cases(prepared):
        change = payers.get(case.case_id)
        if change is None or change.case is None:
            is_of_another = not case.call or case.shares or case.key in paid
            key = f"{case.check}:{case.case_id}" if is_of_another else case.key
            yield earlier.get(_key(key), Goal(_key(key), 0))
            continue
        resumable = prepared.resumable.get(case.case_id, ())
        # Failures that are in results do not count as those of this session's calls, which may be made again.
        failed = _failed_before(session.log.state, prepared.consent_id, case.key, resumable)
        calls = max(0, prepared.live_calls.get(case.key, 0) - len(resumable) - failed + change.calls)
        yield Goal(case.key, calls, change.case.plan, change.case.retries * change.calls + failed)


def _failed_before(state: State, consent_id: str, key: str, resumable: Sequence[Slot]) -> int:
    calls = [slot.call for slot in resumable if slot.call is not None]
    resumed = sum(call.has_failed and call.key == key for call in calls)
    return max(0, state.tallies.failed[consent_id, key] - resumed)


def _key(key: str) -> str:
    return key if len(key) <= 80 and re.fullmatch(r"[0-9a-zA-Z:_-]+", key) else sha256(key.encode()).hexdigest()


def _earlier_goals(session: RunSession, prepared: Preparation) -> Sequence[Goal]:
    fact = session.log.state.consents.get(prepared.consent_id)
    return () if fact is None else fact.goals


def _ceilings(session: RunSession, prepared: Preparation) -> Iterator[Ceiling]:
    max_cost_cents = prepared.max_cost_cents(session.options.max_cost_cents)
    policy = session.loaded.project.policy
    if max_cost_cents is not None:
        yield Ceiling(Scope.CONSENT, max_cost_cents, MAX_COST)
    if policy.max_cost_cents is not None:
        yield Ceiling(Scope.CONSENT, policy.max_cost_cents, "policy.max_cost_cents")
    for plan in session.loaded.plans:
        if plan.max_cost_cents is not None:
            yield Ceiling(Scope.PLAN, plan.max_cost_cents, f"the budget of plan {plan.name}"[:200], plan.name[:200])


def refusal_of(work: Workspace, prepared: Preparation) -> PlannerError | None:
    """Why `run` would refuse the calls even with consent."""
    try:
        prepared.judging.require_model(prepared.change_set)
        if prepared.calls_to_make and prepared.balance is not None:
            check_balance(prepared.balance)
    except PlannerError as refusal:
        return refusal
    limits = Limits(work.loaded.plans, work.loaded.project.policy, work.shell.clock.now())
    return policy_refusal(prepared.change_set, limits, prepared.progress) or agents_refusal(limits.policy, prepared)


def already_called(session: RunSession, prepared: Preparation) -> RefusedError | None:
    """Why the set that `--digest` names is not called: it was, so that the same comment written twice pays once. None
    if some of its calls were only interrupted, or nothing is charged."""
    digest, places = session.options.selection.digest, places_of(prepared)
    if digest is None or digest != prepared.change_set.digest:
        return None
    wanted = {places.get(change.case_id) for change in charged_changes(prepared.change_set.changes)}
    for consent in consents_to(session.log.state, digest):
        if not wanted.isdisjoint(ended_calls_of(session.log.state, consent.consent_id)):
            newer = "the comment has a new command" if session.place.namespace else "`planner plan` has a new digest"
            return RefusedError(
                f"already called, as {consent.person} agreed at {consent.at:%Y-%m-%d %H:%M} UTC;"
                f" to call once more on purpose, {newer}",
                "A digest pays for its calls once.",
            )
    return None


def superseded(session: RunSession, prepared: Preparation) -> RefusedError | None:
    """Why a comment does not count whose set of calls is not the one that the pull request's comment offers. None if
    nothing is charged."""
    digest, newest = session.options.selection.digest, session.options.newest_digest
    if newest in (None, digest) or not charged_changes(prepared.change_set.changes):
        return None
    if not newest:
        return RefusedError("the comment of this pull request offers no calls", "Read there what to do next.")
    return RefusedError(
        "this is not the newest set of calls of this pull request", "Copy the command from the comment again."
    )


def repeated_refusal(session: RunSession, prepared: Preparation) -> RefusedError | None:
    """Why a later attempt of a workflow run ("Re-run jobs") makes no call once more: a person asked for that once, and
    an earlier attempt did it. None for calls that are needed anyway."""
    selection = session.options.selection
    is_asked_for = selection.rerun != "needed" or selection.start_over is not None
    if not is_asked_for or not is_later_attempt(session.shell.environ):
        return None
    ended, places = ended_calls_of(session.log.state, prepared.consent_id), places_of(prepared)
    called = charged_changes(prepared.change_set.changes)
    if not any(places.get(change.case_id) in ended for change in called):
        return None
    return RefusedError(
        "an earlier attempt of this workflow run made these calls",
        "To make them once more, write the comment again, or start the workflow instead of running its jobs again.",
    )


def _cases(prepared: Preparation) -> list[ConsentedCase]:
    """All cases of the set that was agreed to, in the order of their ids; a session may make only a part."""
    agreed = prepared.agreed_calls
    cases = consented_cases(prepared.change_set) if agreed is None else agreed.cases
    return sorted(cases, key=lambda case: case.case_id)


def places_of(prepared: Preparation) -> dict[str, int]:
    """The place of each case's calls in the consent."""
    return {case.case_id: place for place, case in enumerate(_cases(prepared))}


def call_reason(change: Change) -> CallReason:
    if change.start_over is not None:
        return "start_over"
    return _REASONS.get(change.reason, "first")


def ended_calls(prepared: Preparation) -> list[int]:
    """What is over in the consent after a session that finished the change set, by the places of its calls."""
    done = {change.case_id for change in charged_changes(prepared.change_set.changes)}
    return [place for place, case in enumerate(_cases(prepared)) if case.case_id in done]
