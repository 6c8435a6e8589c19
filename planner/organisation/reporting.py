"""Reports the runs of a consent as they end, once each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from planner.evidence import Evidence
from planner.execution.engine import ConsentedJobs
from planner.execution.journal import Journal
from planner.execution.launches import Slot, SlotKey
from planner.execution.observer import EndedRun, Observer


@dataclass(slots=True)
class RunReports:
    """`resumed` are runs of earlier sessions."""

    journal: Journal
    load_evidence: Callable[[str], Evidence | None]
    consented: ConsentedJobs
    resumed: set[SlotKey]
    observer: Observer
    reported: set[SlotKey] = field(default_factory=set[SlotKey])

    def ended(self, unread: dict[SlotKey, str] | None = None) -> None:
        """Report the runs of the consent that have evidence; with `unread`, at the end, also those without."""
        slots = [
            slot
            for slot in self.journal.slots_of_consent(self.consented.consent_id)
            if slot.case_id in self.consented.jobs
            and slot.consumed_by is None
            and (slot.evidence is not None or (unread is not None and slot.run_id is not None))
        ]
        self.report(slots, unread or {})

    def report(self, slots: Iterable[Slot], unread: Mapping[SlotKey, str] = MappingProxyType({})) -> None:
        for slot in slots:
            if slot.key in self.reported:
                continue
            self.reported.add(slot.key)
            launch = self.journal.launch(slot.launch_id)
            assert launch is not None
            evidence = None if slot.evidence is None else self.load_evidence(slot.evidence)
            why = "" if evidence is not None else unread.get(slot.key, "")
            self.observer.on_run(EndedRun(slot, launch, slot.key in self.resumed, evidence, why))
