"""Consents and what was spent under them, as the journal records them. No I/O.

A consent is one agreement: some calls, who agreed, up to how much. Every launch and every judge call names its consent.
Ceilings are per consent, on all machines. A consent ends when all of its calls are done.

Spending counts each launch (by id) and each session's judge calls once. This journal's data takes precedence over those
of the shared store (`Spending`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from enum import Enum
from hashlib import sha256
from typing import Annotated, NamedTuple, Self

from pydantic import AwareDatetime, Field

from planner.bounds import Cents, Count, Total
from planner.errors import StoreError
from planner.execution.launches import Digest
from planner.values import frozen

_ID_DIGITS = 16


class ConsentWay(Enum):
    """How somebody agreed."""

    TERMINAL = "terminal"
    """They typed the command."""
    DISPATCH = "dispatch"
    """They started the CI job by hand."""
    COMMENT = "comment"
    """They wrote `/planner run` on the pull request."""
    APPROVAL = "approval"
    """They approved the job's environment."""
    FLAG = "flag"
    """The CI job's definition agrees (a nightly job)."""


class CallReason(Enum):
    """Why calls were agreed to."""

    FIRST = "first"
    """No call like this was made."""
    MISSING = "missing"
    """More runs are required than were made."""
    RETRY = "retry"
    """Earlier runs failed or were inconclusive."""
    AGAIN = "again"
    """Earlier runs are good, but expired or wanted again."""
    START_OVER = "start_over"
    """Earlier runs were set aside."""
    CONTROL = "control"
    """They reach the deployed agent, beside its preview."""


@frozen
class ConsentedCall:
    """`runs` calls of one fingerprint, retries included. With 0 runs, judge calls only; `fingerprint` is then that of
    the expectations."""

    fingerprint: str
    runs: Count
    reason: CallReason | None = None
    """None if the session that agreed did not need them."""
    share: Count = 0
    """Of calls in waves: how many of all their calls this case adds; 0 if it is not called in waves."""
    most: Count = 0
    """The most calls that waves may give it, without retries."""


@frozen
class Consent:
    consent_id: str
    digest: str
    """Of the set of calls."""
    by: str
    how: ConsentWay
    agreed_at: AwareDatetime
    max_cost_cents: Cents | None
    calls: tuple[ConsentedCall, ...]
    """One for each case, in the order of their ids."""
    namespace: str = ""
    """Where its results are stored: `branches/42/` in a job of a pull request."""
    starts_over: bool = False
    """Calls that were made before do not count."""


def consent_id_of(digest: str, occasion: str) -> str:
    """The id of the consent to the set with this digest on one occasion: a workflow run, or a command. Its first half
    finds the consents to a set."""
    return f"{id_prefix(digest)}{sha256(occasion.encode()).hexdigest()[:_ID_DIGITS]}"


def id_prefix(digest: str) -> str:
    return f"{digest.removeprefix('sha256:')[:_ID_DIGITS]}-"


Microcents = Annotated[int, Field(ge=0, le=10**30)]


@frozen
class Amount:
    """Money of one plan: cents of phone calls, or microcents of judge calls."""

    spent: Total = 0
    reserved: Total = 0
    """It may still be charged: no bill, or no answer, is known."""
    made: Total = 0
    """Of what is reserved: for calls that were made."""

    @property
    def committed(self) -> int:
        return self.spent + self.reserved

    def __add__(self, other: Self) -> Self:
        return replace(
            self,
            spent=self.spent + other.spent,
            reserved=self.reserved + other.reserved,
            made=self.made + other.made,
        )


ByPlan = Mapping[str, Amount]
Month = Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]
"""UTC: `2026-11`."""


@frozen
class Spending:
    """What was spent and reserved under one consent. Judge calls are in microcents."""

    launches: Mapping[str, dict[str, Amount]] = field(default_factory=dict[str, dict[str, Amount]])
    """By launch id and plan."""
    judging: Mapping[str, dict[str, Amount]] = field(default_factory=dict[str, dict[str, Amount]])
    """By session id and plan."""
    largest_bill_cents: Cents = 0
    """Of one call that this journal knows."""
    months: Mapping[str, Month] = field(default_factory=dict[str, str])
    """By launch and session id: the month in which it counts."""

    def of_calls(self, plan: str | None = None) -> Amount:
        """The cents of one plan's phone calls, or of all (None)."""
        return _total(self.launches.values(), plan)

    def of_judge_calls(self, plan: str | None = None) -> Amount:
        """The microcents of one plan's judge calls, or of all (None)."""
        return _total(self.judging.values(), plan)

    def without_ended(self, is_open: Callable[[str], bool]) -> Self:
        """Without reservations of launches that are not open any more, but for calls that were made and have no bill.
        A launch is written before it is reserved, and a machine may be lost before it can release what the service
        refused."""
        launches = {
            launch_id: by_plan
            if is_open(launch_id)
            else {plan: replace(amount, reserved=amount.made) for plan, amount in by_plan.items()}
            for launch_id, by_plan in self.launches.items()
        }
        return replace(self, launches=launches)

    @property
    def plans(self) -> set[str]:
        return {plan for by_plan in (*self.launches.values(), *self.judging.values()) for plan in by_plan}


NO_SPENDING = Spending()


def _total(parts: Iterable[ByPlan], plan: str | None) -> Amount:
    amounts = (amount for by_plan in parts for name, amount in by_plan.items() if plan in (None, name))
    return sum(amounts, Amount())


@frozen
class Wave:
    """A decision on the calls that waves give to cases (`calls: adaptive`)."""

    number: Count
    """From 0: the first calls of every case."""
    calls: tuple[Count, ...]
    """How many calls each case may have by now, by the place of its calls in the consent."""
    is_last: bool


# Events


class ConsentAdded(NamedTuple):
    """Somebody agreed, for the first time or again (to resume, or with another ceiling)."""

    consent: Consent


class ConsentEnded(NamedTuple):
    """Nothing of these calls (by their place) is left to do. The consent ends with the last of its calls."""

    consent_id: str
    calls: tuple[Count, ...]


class ConsentImported(NamedTuple):
    """A consent as the shared store has it, with what other machines spent under it."""

    consent: Consent
    ended: tuple[Count, ...]
    spending: Spending
    wave: Wave | None = None
    """The last one that was chosen."""
    organisation: str = ""
    """Whose workers make its calls, as in `CallsSubmitted`."""


class CallsSubmitted(NamedTuple):
    """The calls of a consent are now made by the workers of an organisation, whose database is at this address, and by
    nobody else. "" when they have ended."""

    consent_id: str
    organisation: str


class WaveChosen(NamedTuple):
    """The session decided how to spend more of the consented calls."""

    consent_id: str
    wave: Wave


class JudgeCallReserved(NamedTuple):
    """A judge call is about to be made, for one vote on each of the questions `keys`; at most this much is charged for
    all of them."""

    call_id: str
    consent_id: str
    session_id: str
    plan: str
    microcents: Microcents
    keys: tuple[Digest, ...]
    month: Month
    """In which it counts."""


class JudgeCallSettled(NamedTuple):
    """What was charged for a judge call."""

    call_id: str
    microcents: Microcents


ConsentEvent = (
    ConsentAdded | ConsentEnded | ConsentImported | CallsSubmitted | WaveChosen | JudgeCallReserved | JudgeCallSettled
)


class ConsentRecords:
    """The consents of a journal, without the launches made under them."""

    def __init__(self) -> None:
        self._consents: dict[str, Consent] = {}
        self._ended: dict[str, set[int]] = {}
        self._waves: dict[str, Wave] = {}
        """The last one of each consent."""
        self._organisations: dict[str, str] = {}
        """Whose workers make the calls, by consent id, as this machine knows."""
        self._organisations_elsewhere: dict[str, str] = {}
        """As the shared store says."""
        self._elsewhere: dict[str, Spending] = {}
        """What other machines spent, by consent id."""
        self._judging: dict[str, dict[str, dict[str, Amount]]] = {}
        """By consent id, session id and plan."""
        self._open_judge_calls: dict[str, JudgeCallReserved] = {}
        self._settled_judge_calls: set[str] = set()
        self._judge_months: dict[str, str] = {}
        """By session id."""

    def validate(self, event: ConsentEvent) -> None:
        """Raises `StoreError` or `AssertionError` if the event is impossible now."""
        match event:
            case ConsentAdded(consent) | ConsentImported(consent):
                known = self._consents.get(consent.consent_id, consent)
                if known.digest != consent.digest:
                    raise AssertionError(f"consent {consent.consent_id} is to another set of calls")
            case ConsentEnded(consent_id) | CallsSubmitted(consent_id):
                self._require(consent_id)
            case WaveChosen(consent_id, wave):
                self._require(consent_id)
                _require_within(self._consents[consent_id], self._waves.get(consent_id), wave)
            case JudgeCallReserved(call_id, consent_id):
                self._require(consent_id)
                if call_id in self._open_judge_calls or call_id in self._settled_judge_calls:
                    raise StoreError(f"judge call {call_id} is already in the journal")
            case JudgeCallSettled(call_id):
                if call_id not in self._open_judge_calls:
                    raise AssertionError(f"judge call {call_id} is not reserved")

    def _require(self, consent_id: str) -> None:
        if consent_id not in self._consents:
            raise AssertionError(f"there is no consent {consent_id}")

    def apply(self, event: ConsentEvent) -> None:
        match event:
            case ConsentAdded(consent):
                known = self._consents.get(consent.consent_id)
                self._consents[consent.consent_id] = consent if known is None else _renewed(known, consent)
                self._ended.setdefault(consent.consent_id, set())
            case ConsentEnded(consent_id, calls):
                self._ended[consent_id].update(calls)
            case CallsSubmitted(consent_id, organisation):
                self._organisations[consent_id] = organisation
            case WaveChosen(consent_id, wave):
                self._waves[consent_id] = wave
            case ConsentImported(consent, ended, spending, wave, organisation):
                self._organisations_elsewhere[consent.consent_id] = organisation
                known = self._consents.get(consent.consent_id)
                mine = self._waves.get(consent.consent_id)
                if wave is not None and (mine is None or mine.number < wave.number):
                    self._waves[consent.consent_id] = wave
                self._consents[consent.consent_id] = consent if known is None else _renewed(consent, known)
                self._ended.setdefault(consent.consent_id, set()).update(ended)
                self._elsewhere[consent.consent_id] = spending
            case JudgeCallReserved(call_id, consent_id, session_id, plan, microcents):
                self._open_judge_calls[call_id] = event
                self._judge_months[session_id] = event.month
                self._add(consent_id, session_id, plan, Amount(0, microcents))
            case JudgeCallSettled(call_id, microcents):
                reserved = self._open_judge_calls.pop(call_id)
                self._settled_judge_calls.add(call_id)
                self._add(
                    reserved.consent_id, reserved.session_id, reserved.plan, Amount(microcents, -reserved.microcents)
                )

    def _add(self, consent_id: str, session_id: str, plan: str, amount: Amount) -> None:
        by_plan = self._judging.setdefault(consent_id, {}).setdefault(session_id, {})
        by_plan[plan] = by_plan.get(plan, Amount()) + amount

    # Reading

    def get(self, consent_id: str) -> Consent | None:
        return self._consents.get(consent_id)

    def every(self) -> list[Consent]:
        return list(self._consents.values())

    def made_of(self, digest: str, namespace: str) -> list[tuple[Consent, frozenset[int]]]:
        """The consents of this namespace to a set, and which of its calls, by their place, were made under each."""
        alike = (each for each in self._consents.values() if (each.digest, each.namespace) == (digest, namespace))
        return [(each, frozenset(self._ended[each.consent_id])) for each in alike]

    def open(self) -> list[Consent]:
        """The consents with something left to do, oldest first."""
        found = (each for each in self._consents.values() if self.is_open(each.consent_id))
        return sorted(found, key=lambda consent: (consent.agreed_at, consent.consent_id))

    def is_open(self, consent_id: str) -> bool:
        consent = self._consents.get(consent_id)
        return consent is not None and not self._ended[consent_id].issuperset(range(len(consent.calls)))

    def ended_of(self, consent_id: str) -> frozenset[int]:
        """The calls, by their place, of which nothing is left."""
        return frozenset(self._ended.get(consent_id, ()))

    def organisation_of(self, consent_id: str) -> str:
        """The address of the database whose workers make the calls of this consent; "" if this session may."""
        mine = self.own_organisation_of(consent_id)
        return self.organisation_elsewhere(consent_id) if mine is None else mine

    def own_organisation_of(self, consent_id: str) -> str | None:
        """As this machine submitted or followed the calls; None if it did neither."""
        return self._organisations.get(consent_id)

    def organisation_elsewhere(self, consent_id: str) -> str:
        """As the shared store says."""
        return self._organisations_elsewhere.get(consent_id, "")

    def wave_of(self, consent_id: str) -> Wave | None:
        """The last wave that was chosen; None before the first."""
        return self._waves.get(consent_id)

    def judging_of(self, consent_id: str) -> Mapping[str, dict[str, Amount]]:
        """What this machine's judge calls cost, in microcents, by session id and plan."""
        return self._judging.get(consent_id, {})

    def judge_months_of(self, consent_id: str) -> dict[str, str]:
        """The month in which each session's judge calls count."""
        return {session_id: self._judge_months[session_id] for session_id in self._judging.get(consent_id, {})}

    def judging_in(self, month: str) -> dict[str, Amount]:
        """What this machine's judge calls cost that count in a month, in microcents, by session id."""
        found: dict[str, Amount] = {}
        for by_session in self._judging.values():
            for session_id, by_plan in by_session.items():
                if self._judge_months[session_id] == month:
                    found[session_id] = sum(by_plan.values(), found.get(session_id, Amount()))
        return found

    def elsewhere(self, consent_id: str) -> Spending:
        """What the shared store says that was spent, this machine's included."""
        return self._elsewhere.get(consent_id, NO_SPENDING)

    def open_judge_calls(self) -> list[JudgeCallReserved]:
        """Those without a known charge: the process ended before the answer was stored, or none came."""
        return list(self._open_judge_calls.values())


def _require_within(consent: Consent, before: Wave | None, wave: Wave) -> None:
    """A wave only adds calls that were agreed to: to no case more than its most, and in all not more than all shares.

    Raises `AssertionError`.
    """
    follows = wave.number == 0 if before is None else wave.number == before.number + 1 and not before.is_last
    earlier = (0,) * len(consent.calls) if before is None else before.calls
    if not follows or len(wave.calls) != len(consent.calls):
        raise AssertionError(f"wave {wave.number} of consent {consent.consent_id} does not follow the one before")
    if any(now < was for was, now in zip(earlier, wave.calls, strict=True)):
        raise AssertionError(f"wave {wave.number} of consent {consent.consent_id} takes calls back")
    is_within = all(now <= call.most for now, call in zip(wave.calls, consent.calls, strict=True))
    if not is_within or sum(wave.calls) > sum(call.share for call in consent.calls):
        raise AssertionError(f"wave {wave.number} of consent {consent.consent_id} has calls that nobody agreed to")


def _renewed(earlier: Consent, later: Consent) -> Consent:
    """The later agreement, with the reasons of both: the later session may have needed only a part."""
    later = replace(later, starts_over=earlier.starts_over or later.starts_over)
    if len(earlier.calls) != len(later.calls):
        return later
    pairs = zip(earlier.calls, later.calls, strict=True)
    calls = tuple(replace(new, reason=old.reason if new.reason is None else new.reason) for old, new in pairs)
    return replace(later, calls=calls)
