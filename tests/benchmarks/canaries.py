"""How often canaries raise a false alarm, and how soon they notice another model, in simulated sessions.

    python tests/benchmarks/canaries.py

20 canaries; an answer differs from the usual one with the given probability, independently in every session. Another model gives other
usual answers to some of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from planner.judge.canaries import CanaryRecord, compare, next_record

CANARIES = 20
REPEATED = 500
SESSIONS = 10
NOISE = {
    "2 % each": [0.02] * CANARIES,
    "5 % each": [0.05] * CANARIES,
    "10 % each": [0.1] * CANARIES,
    "16 of 0.5 %, 4 of 30 %": [0.005] * 16 + [0.3] * 4,
    "16 of 0 %, 4 of 50 %": [0.0] * 16 + [0.5] * 4,
}


def answers(random: Random, noise: Sequence[float], changed: int = 0) -> dict[str, str]:
    """`changed` of them have another usual answer."""
    return {
        str(place): "holds" if (random.random() < each) == (place < changed) else "does_not_hold"
        for place, each in enumerate(noise)
    }


def false_alarms(random: Random, noise: Sequence[float]) -> int:
    """In sessions of one model; after an alarm, its record starts again."""
    record: CanaryRecord | None = None
    alarms = 0
    for _ in range(SESSIONS):
        today = answers(random, noise)
        found = compare(record, today, "model")
        alarms += found.has_drifted
        record = next_record("0" * 64, None if found.has_drifted else record, today, "model", found)
    return alarms


def notices(random: Random, noise: Sequence[float], sessions: int, changed: int) -> bool:
    record: CanaryRecord | None = None
    for _ in range(sessions):
        today = answers(random, noise)
        record = next_record("0" * 64, record, today, "model", compare(record, today, "model"))
    return compare(record, answers(random, noise, changed), "model").has_drifted


def main() -> None:
    random = Random(7)
    print("| answers that differ by chance | false alarms a session |\n|---|---|")
    for name, noise in NOISE.items():
        alarms = sum(false_alarms(random, noise) for _ in range(REPEATED))
        print(f"| {name} | {alarms / REPEATED / (SESSIONS - 1):.2%} |")
    print("\n| sessions before | 3 other answers | 5 | 10 |\n|---|---|---|---|")
    for sessions in (1, 3, 10):
        rates = [
            sum(notices(random, NOISE["2 % each"], sessions, changed) for _ in range(REPEATED)) / REPEATED
            for changed in (3, 5, 10)
        ]
        print(f"| {sessions} | {' | '.join(f'{rate:.0%}' for rate in rates)} |")


if __name__ == "__main__":
    main()
