"""The consents of a journal, as its events leave them. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from planner.errors import StoreError
from planner.execution.consents import (
    NO_SPENDING,
    Amount,
    Consent,
    ConsentAdded,
    ConsentEnded,
    ConsentEvent,
    ConsentImported,
    JudgeCallReserved,
    JudgeCallSettled,
    Spending,
)


class ConsentRecords:
    """The consents of a journal, without the launches made under them."""

    def __init__(self) -> None:
        self._consents: dict[str, Consent] = {}
        self._ended: dict[str, set[int]] = {}
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
            case ConsentEnded(consent_id):
                self._require(consent_id)
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
            case ConsentImported(consent, ended, spending):
                known = self._consents.get(consent.consent_id)
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


def _renewed(earlier: Consent, later: Consent) -> Consent:
    """The later agreement, with the reasons of both: the later session may have needed only a part."""
    later = replace(later, starts_over=earlier.starts_over or later.starts_over)
    if len(earlier.calls) != len(later.calls):
        return later
    pairs = zip(earlier.calls, later.calls, strict=True)
    calls = tuple(replace(new, reason=old.reason if new.reason is None else new.reason) for old, new in pairs)
    return replace(later, calls=calls)
