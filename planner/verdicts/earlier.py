"""Find the earlier calls that count for each of today's cases, and what to compare them with.

A pure function of today's cases and the stored facts; its result is not stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Final, Literal

from planner.changes.configuration import Agents
from planner.changes.fingerprint import call_fingerprint, check_fingerprint
from planner.changes.model import Reason
from planner.changes.request import Earlier
from planner.planfile.model import Case
from planner.records.facts import CallFact, CallId, PlannedCase, StoredCall
from planner.records.log import Records
from planner.results.model import CaseInputs, CaseResult, JudgedRun
from planner.results.outcomes import CaseOutcome
from planner.values import frozen
from planner.verdicts.call_judge import CallJudge
from planner.verdicts.cases import sample_of
from planner.verdicts.comparison import measurement_change
from planner.verdicts.pools import (
    Pool,
    inputs_of,
    last_agent,
    other_case,
    pools_of,
    same_agent,
    stored_case,
    unreadable_case,
)

_SESSIONS_READ: Final = 200
"""The number of newest sessions that are searched for a case."""


@frozen
class Today:
    """Today's cases and agents.

    Args:
        is_gone: True if the case of a stored call was deleted from all plans.
        is_branch: True in a job of a pull request or branch.
        show: redacts a name as a shared store does.
        text: redacts a text as a shared store does.
    """

    cases: Sequence[Case]
    agents: Agents
    judge: CallJudge
    now: datetime
    is_gone: Callable[[CallFact], bool]
    is_branch: bool = False
    show: Callable[[str], str] = str
    text: Callable[[str], str] = str


@frozen
class EarlierCases:
    """The earlier results of each case. `base` has those of the default branch in a job of a pull request or branch;
    else it is empty. `gone` are stored cases that were deleted from the plans. `counted` are the calls of all pools and
    baselines, and those that they replaced."""

    cases: Mapping[str, Earlier]
    base: Mapping[str, CaseResult]
    gone: Sequence[CaseResult]
    counted: frozenset[CallId] = frozenset()


@frozen
class _Found:
    earlier: Earlier
    base: CaseResult | None = None
    """The default branch's result; outside of a branch's job, that of the newest session."""
    previous: CaseResult | None = None
    """The baseline of `earlier.prior` when its calls were made."""


def earlier_cases(today: Today, records: Records, plans: Sequence[str]) -> EarlierCases:
    """Find the earlier results of each case.

    Args:
        plans: the plans that were read completely: stored cases of theirs that are not in them were deleted.
    """
    view = _View(today, records)
    found = {case.case_id: _with_comparison(view.found(case)) for case in today.cases}
    base = {case_id: each.base for case_id, each in found.items() if each.base is not None}
    renamed = {
        each.earlier.prior.case_id
        for each in found.values()
        if each.earlier.reuse is Reason.RENAMED and each.earlier.prior is not None
    }
    gone = [other_case(case, None, (), str) for case in view.gone(plans) if case.case_id not in renamed]
    earlier = {case_id: each.earlier for case_id, each in found.items()}
    return EarlierCases(earlier, base if today.is_branch else {}, gone, frozenset(view.counted))


class _View:
    """The lookup behind `earlier_cases`, which reads each fingerprint once."""

    def __init__(self, today: Today, records: Records) -> None:
        self._today = today
        self._records = records
        self._shown = {today.show(case.case_id) for case in today.cases}
        self._planned = _PlannedCases(records)
        self._expectation_digests: dict[int, str] = {}
        self._checks: dict[str, str] = {}
        """Digests of what judges a case, by case id."""
        last = [self._last(case) for case in today.cases]
        records.prepare(each.call_fingerprint for each in last if each is not None)
        self.counted: set[CallId] = set()
        """The calls of the pools and baselines that were found, and those that they replaced."""

    def _name(self, case: Case) -> str:
        return self._today.show(case.case_id)

    def _last(self, case: Case) -> PlannedCase | None:
        return self._planned.find(self._name(case))

    def found(self, case: Case) -> _Found:
        today = self._today
        inputs = today.agents.inputs(case)
        last = self._last(case)
        if problem := self._problem(call_fingerprint(inputs), last):
            return _Found(Earlier(unreadable_case(case, inputs, problem), problem=problem))
        mine = self._calls_of_today(case, last)
        pools = self._pools(case, mine)
        of_base: Sequence[Pool] = []
        if last is not None and self._is_today(last, case, pools):
            base_calls = [call for call in mine if call.is_of_base]
            of_base = pools if len(base_calls) == len(mine) else self._pools(case, base_calls)
        is_settled = last is not None and bool(of_base)
        own = None if not pools else self._stored(case, pools[-1], last if is_settled else None)
        is_own_of_base = bool(pools) and all(call.is_of_base for call in pools[-1].calls)
        if last is None:
            base = None
        elif of_base:
            base = own if is_own_of_base else self._stored(case, of_base[-1], last)
        else:
            base = self._other(case, last)
        if own is None:
            return _Found(Earlier(base), base)
        previous = self._previous(case, pools)
        if not is_own_of_base and base is not None:
            return _Found(Earlier(own, base, Reason.CALLED_BEFORE), base, previous)
        if last is None and (reuse := self._made_for_another(case, pools[-1])) is not None:
            return _Found(Earlier(own, None, reuse))
        if base is None or base is own:
            named = own if own.case_id == case.case_id else own.model_copy(update={"case_id": case.case_id})
            return _Found(Earlier(named), named if is_own_of_base else None, previous)
        return _Found(Earlier(own, base, Reason.CALLED_BEFORE), base, previous)

    def _problem(self, fingerprint: str, last: PlannedCase | None) -> str:
        """Why the calls with this fingerprint are unknown, or "". They may have been paid for, or have failed."""
        is_same_call = last is not None and last.call_fingerprint == fingerprint
        wanted = last.calls if last is not None and is_same_call else ()
        return self._records.problem(fingerprint) or self._records.lacks(fingerprint, wanted) or ""

    def gone(self, plans: Sequence[str]) -> Iterator[PlannedCase]:
        """Cases that the newest sessions of these plans saw, and that today's plans no longer have."""
        wanted = {self._today.show(plan) for plan in plans}
        for head in islice(self._records.heads(), _SESSIONS_READ):
            for case in head.cases if wanted else ():
                if case.plan in wanted & set(head.plans) and case.case_id not in self._shown:
                    yield case
            wanted -= set(head.plans)
            if not wanted:
                return

    def _made_for_another(self, case: Case, pool: Pool) -> Literal[Reason.RENAMED, Reason.SHARED] | None:
        """How the case came to calls that were made for another one; None if they were made for it."""
        newest = max(pool.calls, key=lambda call: call.order).call
        if newest.is_for(self._name(case)):
            return None
        return Reason.RENAMED if self._today.is_gone(newest) else Reason.SHARED

    def _stored(self, case: Case, pool: Pool, last: PlannedCase | None = None) -> CaseResult:
        self._count(pool)
        stored = stored_case(case, pool, self._today.agents, self._judged_by(case), last)
        is_known = self._last(case) is not None or self._made_for_another(case, pool) is None
        return stored.model_copy(update={"case_id": self._name(case)}) if is_known else stored

    def _count(self, pool: Pool) -> None:
        self.counted.update(call.id for call in (*pool.calls, *pool.replaced))

    def _calls_of_today(self, case: Case, last: PlannedCase | None) -> list[StoredCall]:
        """The stored calls equal to today's, even if the case had another name."""
        inputs = self._today.agents.inputs(case)
        calls = self._records.calls(call_fingerprint(inputs))
        mine = same_agent(calls, case, self._today.agents, last)
        if mine or last is None or not self._is_moved(case, inputs, last):
            return mine
        return [
            call
            for call in self._records.calls(last.call_fingerprint)
            if call.call.configuration == last.inputs.configuration
        ]

    def _pools(self, case: Case, calls: Sequence[StoredCall], *, is_judged: bool = True) -> list[Pool]:
        """The pools of these calls, judged by today's expectations, or else as they are stored."""
        today = self._today

        def is_own(call: CallFact) -> bool:
            """Whether a call was made for this case, or for one that was deleted."""
            return call.is_for(self._name(case)) or today.is_gone(call)

        judged: Callable[[StoredCall], JudgedRun] = partial(today.judge.judged, case, self._check(case))
        return pools_of(case, calls, judged if is_judged else today.judge.as_stored, today.now, is_own)

    def _judged_by(self, case: Case) -> tuple[str, str | None]:
        """The fingerprint of today's expectations, and the language model; None if the case needs none."""
        model = self._today.judge.judged_by if any(each.asks_model for each in case.expectations) else None
        return self._check(case), model

    def _check(self, case: Case) -> str:
        if case.case_id not in self._checks:
            self._checks[case.case_id] = check_fingerprint(case, self._expectation_digests)
        return self._checks[case.case_id]

    def _is_moved(self, case: Case, inputs: CaseInputs, last: PlannedCase) -> bool:
        """True if only the agent's id differs, and both agents have the same configuration."""
        if not last.inputs.target_kind == inputs.target_kind == "agent":
            return False
        there = call_fingerprint(inputs.model_copy(update={"target_id": last.inputs.target_id}))
        is_same = self._today.agents.has_same_configuration(last.inputs, case.target)
        return there == last.call_fingerprint and is_same is True

    def _is_today(self, last: PlannedCase, case: Case, pools: Sequence[Pool]) -> bool:
        """True if the newest session of the case made or reused today's calls."""
        if not pools or last.call_fingerprint != pools[-1].calls[-1].call_fingerprint:
            return False
        return self._today.agents.edit(last.inputs, case) is None

    def _other(self, case: Case, last: PlannedCase) -> CaseResult | None:
        """The result of the newest session of the case, if its calls differ from today's."""
        today, own = self._today, self._today.show(case.case_id)
        of_base = [call for call in self._records.calls(last.call_fingerprint) if call.is_of_base]
        mine = [call for call in of_base if call.call.is_for(own)] or of_base
        then = last_agent(last.inputs)
        if mine and all(last_agent(call.call) != then for call in mine):  # it was not known when they were made
            then = last_agent(mine[-1].call)
        calls = [call for call in mine if last_agent(call.call) == then]
        is_same_call = last.call_fingerprint == call_fingerprint(today.agents.inputs(case))
        pools = self._pools(case, calls, is_judged=is_same_call)
        if not pools:
            return None
        if is_same_call:
            inputs = inputs_of(pools[-1].calls[-1].call, case, today.agents)
            return self._stored(case, pools[-1]).model_copy(update={"inputs": inputs})
        self._count(pools[-1])
        lines = {today.text(line): line for line in case.prompt.split("\n")}
        return other_case(
            last.model_copy(update={"case_id": case.case_id}),
            case,
            pools[-1].runs,
            lambda text: "\n".join(lines.get(line, line) for line in text.split("\n")),
        )

    def _previous(self, case: Case, pools: Sequence[Pool]) -> CaseResult | None:
        """The default branch's pool before the last one, of any agent."""
        pool = pools[-1]
        fingerprint = pool.calls[-1].call_fingerprint
        counted = {call.id for call in pool.calls}
        older = [
            call
            for call in self._records.calls(fingerprint)
            if call.is_of_base and call.id not in counted and call.order < pool.began_at and not call.confirms
        ]
        if not older:
            return None
        if len(pools) > 1 and older[-1].id == max(pools[-2].calls, key=lambda call: call.order).id:
            return self._stored(case, pools[-2])
        last = last_agent(older[-1].call)
        alike = [call for call in older if last_agent(call.call) == last]
        before = self._pools(case, alike)
        return self._stored(case, before[-1])


class _PlannedCases:
    """The newest planned case with each id. Reads only as many sessions as needed."""

    def __init__(self, records: Records) -> None:
        self._heads = islice(records.heads(), _SESSIONS_READ)
        self._found: dict[str, PlannedCase] = {}
        self._is_whole = False

    def find(self, case_id: str) -> PlannedCase | None:
        while case_id not in self._found and not self._is_whole:
            head = next(self._heads, None)
            if head is None:
                self._is_whole = True
                break
            for case in head.cases:
                self._found.setdefault(case.case_id, case)
        return self._found.get(case_id)


def _with_comparison(found: _Found) -> _Found:
    """Add to a reused case what its calls were compared with, because a regression remains one until the case is called
    again."""
    prior, previous = found.earlier.prior, found.previous
    if prior is None or previous is None:
        return found
    if measurement_change(previous.runs, prior.runs, is_graded=prior.is_graded) is not None:
        return found
    before = sample_of(previous)
    compared = prior.model_copy(
        update={
            "compared": "same",
            "baseline": before,
            "latest": sample_of(prior),
            "open_against": before if prior.outcome is CaseOutcome.UNKNOWN else None,
        }
    )
    base = compared if found.base is prior else found.base
    return replace(found, earlier=replace(found.earlier, prior=compared), base=base)
