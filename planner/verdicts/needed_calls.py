"""Which stored calls of a case are needed: those of its newest two pools. The next plan need not read the others again
(`planner.records.older_calls`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Final

from planner.changes.configuration import Agents
from planner.changes.fingerprint import check_fingerprint
from planner.planfile.model import Case
from planner.records.facts import CallFact, CallId, PlannedCase, StoredCall
from planner.records.log import Records
from planner.records.older_calls import CalledAgent, Choice, agent_of
from planner.results.model import JudgedRun
from planner.values import frozen
from planner.verdicts.call_judge import CallJudge
from planner.verdicts.pools import Pool, inputs_of, last_agent, pools_of, rounds_of

_DECIDES_NOTHING: Final = frozenset(
    {"prompt", "expectations", "expectation_places", "place", "target", "point", "tags", "description"}
)
"""Fields of a case that say nothing of which calls count, or are digested otherwise."""


@frozen
class Deciding:
    """What decides which calls of a case count, but for the calls.

    Args:
        name: the case's id as it is stored.
        last: the case in its newest session.
        is_gone: whether the case of a stored call was deleted from all plans.
    """

    agents: Agents
    judge: CallJudge
    now: datetime
    name: Callable[[Case], str]
    last: Callable[[Case], PlannedCase | None]
    is_gone: Callable[[CallFact], bool]

    def is_for(self, case: Case, call: CallFact) -> bool:
        """Whether a call was made for this case, or for one that was deleted."""
        return call.is_for(self.name(case)) or self.is_gone(call)


@frozen
class _Used:
    """Calls of a case, oldest first, those of them in the newest pools, when the newest pool began, and whether
    today's expectations judge."""

    calls: Sequence[StoredCall]
    needed: set[CallId]
    began_at: tuple[datetime, int]
    is_judged: bool


class NeededCalls:
    """Reads the calls of cases, and finds which of them were not needed."""

    def __init__(self, records: Records, deciding: Deciding) -> None:
        self._records = records
        self._deciding = deciding
        self._used: dict[str, list[_Used]] = defaultdict(list)
        """By case id."""
        self._choices: dict[str, Choice] = {}
        self._recent: dict[tuple[str, str], Sequence[StoredCall]] = {}
        """By case id and fingerprint."""
        self._expectation_digests: dict[int, str] = {}
        self._checks: dict[str, str] = {}
        """Digests of what judges a case, by case id."""

    def calls(self, case: Case, fingerprint: str) -> Sequence[StoredCall]:
        """The calls with this fingerprint, without older ones that are not needed for this case."""
        at = (case.case_id, fingerprint)
        if at not in self._recent:
            recent = self._records.recent(fingerprint)
            is_whole = recent.older is None or not self._choice(case).is_that_of(recent)
            self._recent[at] = self._records.calls(fingerprint) if is_whole else recent.calls
        return self._recent[at]

    def pools(self, case: Case, calls: Sequence[StoredCall], *, is_judged: bool = True, needed: int = 2) -> list[Pool]:
        """The pools of these calls, judged by today's expectations, or else as they are stored. So many of the newest
        are needed."""
        judge = self._deciding.judge
        judged: Callable[[StoredCall], JudgedRun] = partial(judge.judged, case, self._check(case))
        is_own = partial(self._deciding.is_for, case)
        pools = pools_of(case, calls, judged if is_judged else judge.as_stored, self._deciding.now, is_own)
        if pools:
            since = _calls_since(calls, pools[-needed:][0])
            self._used[case.case_id].append(_Used(calls, since, pools[-1].began_at, is_judged))
        return pools

    def judge_of(self, case: Case) -> str | None:
        """The language model that judges this case; None if it needs none."""
        return self._deciding.judge.judged_by if any(each.asks_model for each in case.expectations) else None

    def judged_by(self, case: Case) -> tuple[str, str | None]:
        """The fingerprint of today's expectations, and the language model."""
        return self._check(case), self.judge_of(case)

    def skip_others_next_time(self, case: Case) -> None:
        """Let the next plan not read what was not needed. Only if it is all of this case, if every list of calls is cut
        where a pool begins, and if no evidence would be judged again."""
        every = self._used[case.case_id]
        for fingerprint in {used.calls[0].call_fingerprint for used in every}:
            self._use_calls_of_last_agents(case, fingerprint)
            lists = [used for used in every if used.calls[0].call_fingerprint == fingerprint]
            calls = self.calls(case, fingerprint)
            needed = set[CallId]().union(*(used.needed for used in lists))
            others = [call for call in calls if call.id not in needed]
            if not others:
                continue
            is_cut = any({call.id for call in used.calls} & needed != used.needed for used in lists)
            check, judge = self._check(case), self.judge_of(case)
            is_open = any(used.is_judged for used in lists) and any(
                call.verdict(check, judge) is None for call in others
            )
            name = self._deciding.name(case)
            if not is_cut and not is_open and all(call.call.case_id == name for call in calls):
                self._records.skip_next_time(fingerprint, {call.id for call in others}, self._choice(case))

    def _use_calls_of_last_agents(self, case: Case, fingerprint: str) -> None:
        """They are compared with if the agent or the prompt is edited next, or an edit is taken back."""
        calls, last = self.calls(case, fingerprint), self._deciding.last(case)
        agents = {last_agent(calls[-1].call), *([] if last is None else [last_agent(last.inputs)])}
        every = self._used[case.case_id]
        for agent in agents:
            self._use(case, [call for call in calls if last_agent(call.call) == agent])
        for began_at in {used.began_at for used in every if used.calls[0].call_fingerprint == fingerprint}:
            before = [call for call in calls if call.order < began_at]
            if before:
                agent = last_agent(before[-1].call)
                self._use(case, [call for call in before if last_agent(call.call) == agent])

    def _use(self, case: Case, calls: Sequence[StoredCall]) -> None:
        if calls and all(used.calls != calls for used in self._used[case.case_id]):
            self.pools(case, calls, needed=1)

    def _choice(self, case: Case) -> Choice:
        if case.case_id not in self._choices:
            self._choices[case.case_id] = self._chosen(case)
        return self._choices[case.case_id]

    def _chosen(self, case: Case) -> Choice:
        deciding, last = self._deciding, self._deciding.last(case)
        settings = [(each.name, getattr(case, each.name)) for each in fields(case) if each.name not in _DECIDES_NOTHING]
        judged = (self._check(case), self.judge_of(case), [each.id for each in case.expectations])
        before = None if last is None else (last.call_fingerprint, agent_of(last.inputs))
        target = (case.target.kind, case.target.id)
        digest = sha256(repr((deciding.name(case), settings, judged, before, target)).encode()).hexdigest()

        def is_same_agent(agent: CalledAgent) -> bool | None:
            return deciding.agents.is_same(inputs_of(agent, case, deciding.agents), case)

        return Choice(digest, is_same_agent)

    def _check(self, case: Case) -> str:
        if case.case_id not in self._checks:
            self._checks[case.case_id] = check_fingerprint(case, self._expectation_digests)
        return self._checks[case.case_id]


def _calls_since(calls: Sequence[StoredCall], pool: Pool) -> set[CallId]:
    """Those of these calls that were made in the first round of the pool, or in a later one."""
    rounds = rounds_of(calls)
    first = next(at for at, made in enumerate(rounds) if made[0].round == pool.first_round)
    return {call.id for made in rounds[first:] for call in made}
