"""Which calls that were made count as runs of a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping

from planner.execution.launches import Slot


def resumable_slots(
    slots: Iterable[Slot], most_runs: Mapping[str, int], open_launches: Container[str]
) -> dict[str, tuple[Slot, ...]]:
    """The slots that count as runs of their cases, by case id: known runs, collected ones first and at most `most_runs`
    of a case, and every slot of an open launch.

    Nobody knows which of the open launches arrived, so none can be left out: they may be more than the case needs.
    """
    found: dict[str, list[Slot]] = {}
    known = Counter[str]()
    for slot in sorted(slots, key=lambda slot: (slot.evidence is None, slot.run_id is None)):
        is_known = slot.launch_id not in open_launches
        if is_known and known[slot.case_id] >= most_runs.get(slot.case_id, 0):
            continue
        known[slot.case_id] += is_known
        found.setdefault(slot.case_id, []).append(slot)
    return {case_id: tuple(mine) for case_id, mine in found.items()}
