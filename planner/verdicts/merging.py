"""From the results of all shards to what one invocation of the whole would have found. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from planner.errors import IncompleteError, UsageError
from planner.outcome import compare
from planner.results.costs import CostDocument, JudgeCost
from planner.results.model import CaseDocument, ConsentDocument, RunResult, ShardDocument, StatsDocument
from planner.verdicts.ending import WORDS, first_of
from planner.verdicts.gate import FailOn, Gate
from planner.verdicts.rates import repeated_passes, sample_from, suite_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """The results of one shard, and where they were read."""

    name: str
    result: RunResult
    shard: ShardDocument


def parts_of(read: Sequence[tuple[str, RunResult]]) -> list[Part]:
    """All shards of one whole, in order.

    Raises:
        UsageError: these are no shards, or shards of different things, or one is given twice.
        IncompleteError: a shard is missing, or has no results.
    """
    parts: list[Part] = []
    for name, result in read:
        if result.shard is None:
            raise UsageError(
                f"{name} is no shard's results", "Only what planner run --shard I/N wrote can be joined; leave it out."
            )
        parts.append(Part(name, result, result.shard))
    parts.sort(key=lambda part: part.shard.number)
    first = parts[0]
    for part in parts[1:]:
        _same(first, part)
    for one, other in pairwise(parts):
        if one.shard.number == other.shard.number:
            raise UsageError(
                f"shard {one.shard.number}/{one.shard.of} is given twice: {one.name} and {other.name}",
                "Name the one that counts: the newer, where the shard was run again.",
            )
    given = {part.shard.number for part in parts}
    if missing := [str(number) for number in range(1, first.shard.of + 1) if number not in given]:
        raise IncompleteError(
            f"shard{'s' if len(missing) > 1 else ''} {', '.join(missing)} of {first.shard.of}"
            f" {'are' if len(missing) > 1 else 'is'} missing",
            "Name their results too. Where a job left none, run that shard again: nothing is paid for twice.",
        )
    for part in parts:
        if not part.shard.digest:
            why = "it was killed" if part.result.under_way else next(iter(part.result.problems), "it ended early")
            raise IncompleteError(
                f"shard {part.shard.number}/{part.shard.of} has no results: {why}",
                "Run that shard again: nothing is paid for twice.",
            )
    return parts


def _same(first: Part, part: Part) -> None:
    """Shards of one whole saw the same plans, and the same earlier results."""
    compared = (
        ("number of shards", str(first.shard.of), str(part.shard.of)),
        ("environment", first.result.environment or "none", part.result.environment or "none"),
        ("service", _service(first.result), _service(part.result)),
        ("selection", _selection(first.shard), _selection(part.shard)),
        ("version of planner", first.result.tool_version, part.result.tool_version),
        ("change set", first.shard.digest, part.shard.digest),
    )
    for what, one, other in compared:
        if one and other and one != other:  # one that ended early has no change set
            raise UsageError(
                f"{first.name} and {part.name} are no shards of one whole, by their {what}: {one} and {other}",
                "Join shards of one commit, with one and the same baseline.",
            )


def _selection(shard: ShardDocument) -> str:
    if not shard.digest:
        return ""
    return "some cases" if shard.chosen else "all cases"


def _service(result: RunResult) -> str:
    return "the sandbox" if result.sandbox else "the real one"


def merged(parts: Sequence[Part], *, invocation_id: str, tool_version: str) -> RunResult:
    results = [part.result for part in parts]
    whole = parts[0].shard
    cases = _cases(parts)
    gate = Gate(frozenset(FailOn(name) for result in results for name in result.fail_on), suite_of(cases))
    regressed = {1} if gate.has_regression(cases) else set[int]()
    code = first_of({*(result.exit_code for result in results), *regressed})
    return RunResult(
        tool_version=tool_version,
        outcome=WORDS[code],
        exit_code=code,
        problems=_each(result.problems for result in results),
        warnings=_each(result.warnings for result in results),
        next_steps=_each(result.next_steps for result in results),
        invocation_id=invocation_id,
        change_set_digest=whole.digest,
        environment=results[0].environment,
        sandbox=results[0].sandbox,
        partial=whole.chosen,
        finished=all(result.finished for result in results),
        started_at=min(result.started_at for result in results),
        ended_at=max(result.ended_at for result in results),
        consent=_consent(results, whole.digest),
        plans=_each(result.plans for result in results),
        cases=cases,
        suite=gate.suite,
        fail_on=gate.names,
        repeated=repeated_passes(cases),
        dropped=sorted((case for result in results for case in result.dropped), key=lambda case: case.case_id),
        open_launches=[launch for result in results for launch in result.open_launches],
        cost=_cost(parts),
        stats=StatsDocument(
            requests=sum(result.stats.requests for result in results),
            launches=sum(result.stats.launches for result in results),
            refused=sum(result.stats.refused for result in results),
            wall_seconds=max(result.ended_at for result in results).timestamp()
            - min(result.started_at for result in results).timestamp(),
        ),
    )


def _cases(parts: Sequence[Part]) -> list[CaseDocument]:
    """In the order of the plans, compared with the baseline as one suite."""
    placed = [
        (place.position, case)
        for part in parts
        for place, case in zip(part.shard.cases, part.result.cases, strict=True)
    ]
    cases = [case for _, case in sorted(placed, key=lambda pair: pair[0])]
    called = {
        case.case_id: (sample_from(case.before), sample_from(case.latest))
        for case in cases
        if case.action != "keep" and case.before and case.latest and case.not_comparable is None
    }
    compared = compare(called, aside={case.case_id for case in cases if case.quarantine is not None})
    return [case.model_copy(update={"compared": compared.get(case.case_id, case.compared)}) for case in cases]


def _consent(results: Sequence[RunResult], digest: str) -> ConsentDocument:
    """Of the shards that needed one."""
    given = [result.consent for result in results if result.consent.given]
    times: list[datetime] = [consent.at for consent in given if consent.at is not None]
    return ConsentDocument(
        given=bool(given),
        by=", ".join(_each([consent.by] for consent in given if consent.by)),
        at=min(times, default=None),
        digest=digest,
        max_cost_cents=_sum(consent.max_cost_cents for consent in given) if given else None,
    )


def _cost(parts: Sequence[Part]) -> CostDocument:
    whole, costs = parts[0].shard, [part.result.cost for part in parts]
    return CostDocument(
        estimated_cents=whole.expected_cents,
        estimated_low_cents=whole.low_cents,
        estimated_high_cents=whole.high_cents,
        estimate_basis=whole.basis,
        service_estimate_cents=_sum(cost.service_estimate_cents for cost in costs),
        earlier_estimates=costs[0].earlier_estimates,
        actual_cents=sum(cost.actual_cents for cost in costs),
        this_invocation_cents=sum(cost.this_invocation_cents for cost in costs),
        ambiguous_cents=sum(cost.ambiguous_cents for cost in costs),
        calls_under_way=sum(cost.calls_under_way for cost in costs),
        unread_calls=sum(cost.unread_calls for cost in costs),
        unbilled_calls=sum(cost.unbilled_calls for cost in costs),
        ceiling_cents=_sum(cost.ceiling_cents for cost in costs),
        carried_cents=sum(cost.carried_cents for cost in costs),
        carried_ambiguous_cents=sum(cost.carried_ambiguous_cents for cost in costs),
        judge=_judge([cost.judge for cost in costs if cost.judge is not None]),
    )


def _judge(costs: Sequence[JudgeCost]) -> JudgeCost | None:
    if not costs:
        return None
    return JudgeCost(
        model=", ".join(_each([cost.model] for cost in costs)),
        votes=sum(cost.votes for cost in costs),
        stored_votes=sum(cost.stored_votes for cost in costs),
        estimated_cents=_sum(cost.estimated_cents for cost in costs),
        actual_cents=sum(cost.actual_cents for cost in costs),
        this_invocation_cents=sum(cost.this_invocation_cents for cost in costs),
        ambiguous_cents=sum(cost.ambiguous_cents for cost in costs),
    )


def _sum(amounts: Iterable[int | None]) -> int | None:
    """Unknown where any is."""
    total = 0
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


def _each(lists: Iterable[Iterable[T]]) -> list[T]:
    """Each once, in the order first met."""
    return list(dict.fromkeys(item for items in lists for item in items))
