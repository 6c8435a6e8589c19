"""The consent of a session: which one it is, what was spent under it, and recording it.

In CI, a consent is of one workflow run, with all its attempts and jobs; elsewhere of one command. An open consent to
the same set of calls is resumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from planner.changes.consented_calls import ConsentedCase, charged_changes, consented_cases
from planner.changes.model import Change, ChangeSet, JudgeSpending, Reason
from planner.ci.agreement import how_agreed
from planner.execution.consent_sharing import ConsentSharing
from planner.execution.consents import (
    CallReason,
    Consent,
    ConsentAdded,
    ConsentedCall,
    ConsentEnded,
    Spending,
    consent_id_of,
    id_prefix,
)
from planner.execution.journal_state import JournalState
from planner.execution.launches import LIVE, LaunchState, Slot
from planner.execution.ledger import Ledger
from planner.results.model import ConsentDocument
from planner.results.outcomes import Action

if TYPE_CHECKING:
    from planner.execution.journal import Journal
    from planner.session.preparing import Preparation
    from planner.session.run_session import RunSession
    from planner.shell import Shell
    from planner.workspace.sharing import Shared

_REASONS: Final = {
    Reason.RUNS_RAISED: CallReason.MISSING,
    Reason.FAILED: CallReason.RETRY,
    Reason.INCONCLUSIVE: CallReason.RETRY,
    Reason.EXPIRED: CallReason.AGAIN,
    Reason.RERUN: CallReason.AGAIN,
}
"""All other reasons are those of first calls."""


def _workflow_run(environ: Mapping[str, str]) -> str:
    """Names a workflow run of GitHub. All its attempts and jobs have the same; "" elsewhere."""
    if environ.get("GITHUB_ACTIONS") != "true" or not environ.get("GITHUB_RUN_ID"):
        return ""
    return f"GITHUB_ACTIONS:{environ.get('GITHUB_REPOSITORY_ID', '')}:{environ['GITHUB_RUN_ID']}"


def known_consent_id(journal: JournalState, digest: str, environ: Mapping[str, str], namespace: str) -> str:
    """The consent to this set that a session of this environment resumes, or that of its workflow run; "" if it needs a
    new one."""
    run = _workflow_run(environ)
    own = consent_id_of(digest, run) if run else ""
    alike = [each for each in journal.consents.open() if (each.digest, each.namespace) == (digest, namespace)]
    if journal.consents.get(own) is not None:
        return own
    return alike[-1].consent_id if alike else _lost_consent_id(journal, digest) or own


def _lost_consent_id(journal: JournalState, digest: str) -> str:
    """The consent of open launches of this set whose machine was lost before it could share the consent: they are
    charged under it. "" if there is none."""
    ids = [launch.consent_id for launch in journal.launches(LIVE) if launch.consent_id.startswith(id_prefix(digest))]
    return next((consent_id for consent_id in ids if journal.consents.get(consent_id) is None), "")


def import_consents(shell: Shell, shared: Shared, journal: Journal, digest: str, plans: Iterable[str]) -> None:
    """Import the consents to this set, with what other machines spent under them. Raises `StoreError`."""
    sharing = ConsentSharing(shared.store, journal, show_name=shared.redaction.name, now=shell.clock.now())
    sharing.import_consents(digest, plans)


def judge_spending(spending: Spending) -> JudgeSpending:
    total = spending.of_judge_calls()
    by_plan = {plan: spending.of_judge_calls(plan).committed for plan in spending.plans}
    return JudgeSpending(total.spent, total.reserved, by_plan)


def charged_slots(journal: Journal, consent_id: str) -> list[Slot]:
    """Slots of this consent, launched in any session."""
    unsent = unsent_launches(journal)
    return [slot for slot in journal.slots_of_consent(consent_id) if slot.launch_id not in unsent]


def unsent_launches(journal: Journal) -> set[str]:
    """Launches whose process was killed before sending; `run` will settle them."""
    return {launch.launch_id for launch in journal.launches([LaunchState.INTENDED])}


def reservations_of(change_set: ChangeSet, journal: Journal | None, consent_id: str) -> dict[str, int]:
    """What a call of each case reserves, as the ledger of `run` prices it."""
    ledger = Ledger()
    for target, reserved_cents, billed_cents in journal.bills(consent_id) if journal else ():
        ledger.learn(target, reserved_cents=reserved_cents, billed_cents=billed_cents)
    targets = {change.case_id: change.case.target for change in change_set.changes if change.case is not None}
    prices = {case_id: (targets[case_id], price.high_cents) for case_id, price in change_set.prices.items()}
    return {
        case_id: ledger.price((target.kind, target.id), high_cents) or 0
        for case_id, (target, high_cents) in prices.items()
        if high_cents is not None
    }


def agree(session: RunSession, prepared: Preparation, document: ConsentDocument) -> ConsentDocument:
    """Record the consent that somebody gave, before anything is charged under it."""
    calls = tuple(_calls(prepared))
    if not (document.given and calls):
        return document if prepared.consent is None else document.model_copy(update={"id": prepared.consent_id})
    now = session.shell.clock.now()
    how = how_agreed(session.shell.environ)
    consent = Consent(
        consent_id=prepared.consent_id,
        digest=prepared.change_set.digest,
        by=document.by,
        how=how,
        agreed_at=now,
        max_cost_cents=prepared.max_cost_cents(session.options.max_cost_cents),
        calls=calls,
        namespace=session.place.namespace,
    )
    session.journal.record(ConsentAdded(consent))
    return document.model_copy(update={"id": consent.consent_id, "how": how.value})


def _cases(prepared: Preparation) -> list[ConsentedCase]:
    """All cases of the set that was agreed to, in the order of their ids; a session may make only a part."""
    agreed = prepared.agreed_calls
    cases = consented_cases(prepared.change_set) if agreed is None else agreed.cases
    return sorted(cases, key=lambda case: case.case_id)


def _calls(prepared: Preparation) -> Iterator[ConsentedCall]:
    reasons = {change.case_id: call_reason(change) for change in prepared.change_set.with_action(Action.CALL)}
    for case in _cases(prepared):
        runs = case.runs * (1 + case.retries) if case.call else 0
        yield ConsentedCall(case.call or case.check, runs, reasons.get(case.case_id))


def call_reason(change: Change) -> CallReason:
    if change.start_over is not None:
        return CallReason.START_OVER
    return _REASONS.get(change.reason, CallReason.FIRST)


def ended_calls(prepared: Preparation) -> ConsentEnded:
    """What is over in the consent after a session that finished the change set."""
    done = {change.case_id for change in charged_changes(prepared.change_set.changes)}
    places = [place for place, case in enumerate(_cases(prepared)) if case.case_id in done]
    return ConsentEnded(prepared.consent_id, tuple(places))
