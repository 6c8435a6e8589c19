"""What a worker allows, whatever the tables say: who may agree, what may be called, and the ceilings of a month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Final

from planner.changes.consent import MAX_COST
from planner.errors import RefusedError
from planner.execution.engine import Job
from planner.execution.journal_state import JournalState
from planner.execution.launches import LIVE
from planner.execution.ledger import Ceiling, Ledger, Purpose
from planner.execution.spending import month_of
from planner.organisation.documents import Submission
from planner.providers.base import Target
from planner.values import frozen

MONTHLY: Final = "--max-cost-per-month of the workers"


@frozen
class WorkerPolicy:
    """`people` may agree to calls. `targets`, and previews of them, may be called; None: all. `repositories` have
    ceilings of their own."""

    people: frozenset[str]
    targets: frozenset[Target] | None = None
    max_cost_cents_per_month: int | None = None
    repositories: Mapping[str, int] = field(default_factory=dict[str, int])

    def may_be_previews(self, submission: Submission) -> list[int]:
        """Agents that may be called only if they are previews of allowed ones."""
        called = dict.fromkeys(job.line.target for job in submission.jobs)
        return [number for kind, number in called if kind == "agent" and not self._allows((kind, number))]

    def _allows(self, target: Target) -> bool:
        return self.targets is None or target in self.targets

    def check(self, submission: Submission, service: str, credential: str, previews: Mapping[int, int]) -> None:
        """Check a row of the tables: whoever may write it could otherwise spend. `previews` are the agents that
        previews are copies of, by what the service says. Raises `RefusedError`."""
        consent = submission.consent
        if consent.by not in self.people:
            who = f"`{consent.by}`" if consent.by else "nobody"
            raise RefusedError(
                f"the organisation's workers do not accept a consent of {who}",
                "Start the workers with --person for this person, or let somebody agree whom they accept.",
            )
        if (submission.service, submission.credential) != (service, credential):
            raise RefusedError(
                f"the calls are for {submission.service} with another API key than the workers use for {service}",
                "Use the key of the workers' organisation.",
            )
        allowed = Counter[str]()
        for call in consent.calls:
            allowed[call.fingerprint] += call.runs
        for job in submission.jobs:
            allowed[job.call_fingerprint] -= job.runs * (1 + job.retries)
            kind, number = job.line.target
            source = previews.get(number, number) if kind == "agent" else number
            if not (self._allows((kind, number)) or self._allows((kind, source))):
                of = f", a preview of agent {source}" if source != number else ""
                raise RefusedError(
                    f"the organisation's workers may not call {kind} {number}{of}",
                    f"Start the workers with --target {kind}:{source}, too, or exclude its cases with --select.",
                )
            _check_needs_no_verdicts(job)
        if min(allowed.values(), default=0) < 0:
            raise RefusedError("more calls are asked for than were agreed to", "Run the same command again.")
        if consent.max_cost_cents is None:
            raise RefusedError("the consent has no ceiling", "Add --max-cost.")

    def ceilings(self, month: str) -> list[Ceiling]:
        """Those of all consents, for one month."""
        found: list[Ceiling] = []
        if self.max_cost_cents_per_month is not None:
            found.append(Ceiling(f"{MONTHLY} ({month})", self.max_cost_cents_per_month, month=month))
        for repository, cents in sorted(self.repositories.items()):
            label = f"--repository {repository} of the workers ({month})"
            found.append(Ceiling(label, cents, repository=repository, month=month))
        return found


def _check_needs_no_verdicts(job: Job) -> None:
    """Raises `RefusedError` for a case whose verdicts decide how often it is called: workers do not judge."""
    if job.may_stop_early or job.place is not None:
        raise RefusedError(
            f"case {job.case_id} needs verdicts between its calls, and the organisation's workers do not judge",
            "Run `planner run` again, of the same version as the workers.",
        )


def ceilings_of(submission: Submission) -> list[Ceiling]:
    """Those that a consent came with. Its own `--max-cost` may not be higher than what was agreed to."""
    consent, found = submission.consent, list[Ceiling]()
    has_own = False
    for each in submission.ceilings:
        limit_cents = each.limit_cents
        if each.label == MAX_COST and consent.max_cost_cents is not None:
            has_own, limit_cents = True, min(limit_cents, consent.max_cost_cents)
        found.append(Ceiling(each.label, limit_cents, each.plan, consent_id=consent.consent_id))
        if each.month is not None:
            label = f"{each.label} of {submission.repository}"
            found.append(Ceiling(label, each.monthly_cents, repository=submission.repository, month=each.month))
    if consent.max_cost_cents is not None and not has_own:
        found.append(Ceiling(MAX_COST, consent.max_cost_cents, consent_id=consent.consent_id))
    return found


def spent_before(ceiling: Ceiling, journal: JournalState, repositories: Mapping[str, str]) -> None:
    """Count what the journal has under a new ceiling. `repositories` are those of the consents."""
    for launch in journal.launches(LIVE):
        for slot in journal.slots_of(launch.launch_id):
            repository = repositories.get(launch.consent_id, "")
            if ceiling.covers(Purpose(slot.plan, launch.consent_id, repository, month_of(launch.sent_at))):
                ceiling.committed_cents += slot.committed_cents
                ceiling.pending_cents += slot.reserved_cents if slot.cost_cents is None else 0


def spent_unreadable(ceiling: Ceiling, unreadable: Iterable[Submission]) -> None:
    """Count all that consents allowed whose calls and bills cannot be read."""
    for each in unreadable:
        month = ceiling.month or ""
        purpose = Purpose("", each.consent.consent_id, each.repository, month)
        if ceiling.covers(purpose) and month >= month_of(each.consent.agreed_at):
            ceiling.committed_cents += each.consent.max_cost_cents or 0


def ledger_of(journal: JournalState, repositories: Mapping[str, str]) -> Ledger:
    """Everything that was spent, so that consents are priced by all bills. Ceilings are added with their consents."""
    ledger = Ledger([])
    for launch in journal.launches(LIVE):
        for slot in journal.slots_of(launch.launch_id):
            purpose = Purpose(slot.plan, launch.consent_id, repositories.get(launch.consent_id, ""))
            ledger.reserve(purpose, slot.reserved_cents)
            if slot.cost_cents is not None:
                ledger.bill(purpose, reserved_cents=slot.reserved_cents, billed_cents=slot.cost_cents)
                ledger.learn(launch.line.target, reserved_cents=slot.reserved_cents, billed_cents=slot.cost_cents)
    return ledger
