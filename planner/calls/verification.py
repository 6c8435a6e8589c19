"""Reads the calls of merged pull requests from the service again, free: only what it shows becomes part of a baseline.

A pull request's part of the store names runs. Everything else about them (prompt, target, times, evidence, bill) is
read from the service. Which configuration of the agent a call reached is shown by the snapshots of the call object;
where the service shows none, by the agent itself, if nobody edited it since, or by the record of the preview.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from planner.calls.model import Listed, WaitPolicy, prompt_key
from planner.calls.reading import Transactions, collect, read_list
from planner.changes.configuration import Configuration, configuration_digest
from planner.changes.fingerprint import call_fingerprint
from planner.changes.snapshots import snapshot_differences
from planner.clock import Clock, aware
from planner.errors import NotFoundError
from planner.evidence import Evidence, missing_parts
from planner.log.facts import PREVIEW_PREFIX
from planner.log.fold import LONGEST_RUN
from planner.planfile.model import Case
from planner.providers.base import AgentProvider, Run, Target, TargetState, UnknownTargetError
from planner.records.facts import StoredCall
from planner.results.model import CallData, CaseInputs
from planner.values import frozen


class Refusal(Enum):
    """Why a call is not promoted."""

    NOT_LISTED = "not listed by the service"
    NOT_ENDED = "still under way"
    UNREADABLE = "no longer readable at the service"
    OTHER_CALL = "another prompt or target at the service"
    OTHER_AGENT = "another configuration of the agent"
    UNPROVEN = "the service does not show which configuration of the agent was called"

    @property
    def is_final(self) -> bool:
        """True if what the pull request stored is not true, or can never be verified."""
        return self in (Refusal.NOT_LISTED, Refusal.OTHER_CALL, Refusal.OTHER_AGENT)


@frozen
class Claim:
    """A call, as a pull request stored it. `inputs` are those of its fingerprint; `case` is None for a case of another
    branch, whose prompt may be redacted in `inputs`."""

    call: StoredCall
    inputs: CaseInputs
    case: Case | None

    @property
    def run_id(self) -> int:
        return self.call.call.run_id

    @property
    def waits_for_grade(self) -> bool:
        return self.case is None or self.case.wants_grade

    def is_of(self, run: Run) -> bool:
        """Whether the service shows this call for the run: all that the fingerprint covers, apart from the agent, which
        may be a preview."""
        inputs = self.inputs
        is_number_asked = inputs.target_number is not None
        is_line = (
            run.target_type == inputs.target_kind
            and run.direction in (None, inputs.direction)
            and run.mode in (None, inputs.mode)
            and (not is_number_asked or run.target_number in (None, "", inputs.target_number))
            and (run.target_type == "agent" or run.target_id == inputs.target_id)
        )
        return is_line and run.prompt is not None and self._has_prompt(run.prompt)

    def _has_prompt(self, prompt: str) -> bool:
        if self.case is not None:
            return prompt_key(prompt) == prompt_key(self.inputs.prompt)
        return call_fingerprint(self.inputs.model_copy(update={"prompt": prompt})) == self.call.call_fingerprint


@frozen
class ReachedAgent:
    """The agent that a call reached: its configuration (None: unknown, as for phone numbers) with its digest, and its
    revision, if it is still the same."""

    digest: str | None
    configuration: Configuration | None = None
    revision: str | None = None


@frozen
class Verified:
    """A call as the service shows it; `data` does not name its evidence yet."""

    claim: Claim
    data: CallData
    evidence: Evidence
    agent: ReachedAgent
    requester_id: int | None

    @property
    def is_erased(self) -> bool:
        """Whether its words must not be stored (`planner forget`)."""
        return self.claim.call.call.erased


@frozen
class RecordedPreviews:
    """The previews that sessions reported, as (source agent, copy, configuration), and the stored configurations."""

    known: AbstractSet[tuple[int, int | None, str | None]]
    configuration: Callable[[str], Configuration | None]


@dataclass(slots=True)
class Verifier:
    """Verifies claims at one service.

    Methods raise `IncompleteError` if the service cannot be read now, `CredentialError` if it rejects the key.
    """

    client: AgentProvider
    transactions: Transactions
    clock: Clock
    _listed: Listed[Run] = field(default_factory=Listed[Run])
    _states: dict[Target, TargetState | None] = field(default_factory=dict[Target, TargetState | None])
    _names: dict[int, str | None] = field(default_factory=dict[int, str | None])

    async def read_runs(self, claims: Iterable[Claim], since: datetime | None) -> None:
        """Read the list of runs, back to `since` or the oldest claimed call."""
        ends = [claim.call.data.completed_at for claim in claims]
        known = [aware(end) - LONGEST_RUN for end in ends if end is not None]
        known += [since] if since is not None else []
        oldest = min(known) if known else None
        wanted = None if oldest is not None else {claim.run_id for claim in claims}
        self._listed = await read_list(self.client.runs, oldest=oldest, wanted=wanted)
        for run in self._listed.found.values():
            if run.ended and run.id in {claim.run_id for claim in claims}:
                self.transactions.charges.expect_of(run)
        await self.transactions.read()

    async def verify(self, claim: Claim, previews: RecordedPreviews) -> Verified | Refusal:
        run = self._listed.found.get(claim.run_id)
        if run is None:
            return Refusal.NOT_LISTED if self._listed.whole else Refusal.UNREADABLE
        if not claim.is_of(run):
            return Refusal.OTHER_CALL
        if not run.ended:
            return Refusal.NOT_ENDED
        wait = WaitPolicy(grade=claim.waits_for_grade, ended_seconds_ago=self._age_seconds(run))
        evidence = await collect(self.client, run, wait, clock=self.clock, transactions=self.transactions)
        self.transactions.charges.forget(run.call_id)
        if _is_gone(evidence, claim):
            return Refusal.UNREADABLE
        agent = await self._agent(claim, run, evidence, previews)
        if isinstance(agent, Refusal):
            return agent
        data = CallData(
            batch_id=run.batch_id,
            call_id=evidence.call_id,
            cost_cents=evidence.cost_cents,
            cost_basis=evidence.cost_basis,
            duration_seconds=evidence.duration_seconds,
            service_estimate_cents=evidence.service_estimate_cents,
            completed_at=run.completed_at,
            missing=list(missing_parts(evidence, grade_wanted=claim.waits_for_grade)),
        )
        return Verified(claim, data, evidence, agent, run.requester_id)

    async def undeclared(self, verified: Sequence[Verified], known: AbstractSet[int]) -> list[Claim]:
        """Claims for runs that are the same calls as the verified ones of a fingerprint, by the same requesters, and
        not among the `known` ones: whoever can write for a pull request can also delete its failing calls."""
        if not verified:
            return []
        model = verified[0].claim
        requesters = {each.requester_id for each in verified}
        found: list[Claim] = []
        for run in self._listed.found.values():
            is_same_call = run.id not in known and run.ended and run.requester_id in requesters and model.is_of(run)
            if is_same_call and (run.target_id == model.inputs.target_id or await self._is_copy(run.target_id)):
                found.append(replace(model, call=_call_of(model.call, run)))
        return found

    def _age_seconds(self, run: Run) -> float:
        if run.completed_at is None:
            return 0.0
        return (self.clock.now() - run.completed_at).total_seconds() + self.client.clock_offset_seconds

    async def _agent(
        self, claim: Claim, run: Run, evidence: Evidence, previews: RecordedPreviews
    ) -> ReachedAgent | Refusal:
        """The agent that the call reached, where the service proves it."""
        inputs, claimed = claim.inputs, claim.call.call.configuration
        target: Target = (inputs.target_kind, inputs.target_id)
        is_direct = (run.target_type, run.target_id) == target
        state = await self._state(target, inputs.direction)
        configuration = previews.configuration(claimed) if claimed is not None else None
        if configuration is None and is_direct and state is not None and state.behind:
            configuration, claimed = state.behind[0].configuration, None
        document = evidence.call.document if evidence.call is not None else {}
        different = None if configuration is None else snapshot_differences(document, configuration)
        if different:
            return Refusal.OTHER_AGENT
        if is_direct:
            now = _agent_of(state)
            is_same = now.digest is not None and claimed == now.digest
            if state is not None and _is_unedited(state, run, is_same=is_same):
                return now
            if different is None or state is None:
                return Refusal.UNPROVEN
            return now if claimed is None else ReachedAgent(claimed, configuration)
        is_recorded = (inputs.target_id, run.target_id, claimed) in previews.known
        if different is not None or (is_recorded and await self._is_copy(run.target_id)):
            return ReachedAgent(claimed, configuration)
        return Refusal.UNPROVEN

    async def _is_copy(self, agent_id: int | None) -> bool:
        """Whether the agent is a preview, or was deleted, as previews are."""
        if agent_id is None:
            return False
        if agent_id not in self._names:
            try:
                self._names[agent_id] = (await self.client.agent(agent_id)).name
            except NotFoundError:
                self._names[agent_id] = None
        name = self._names[agent_id]
        return name is None or name.startswith(PREVIEW_PREFIX)

    async def _state(self, target: Target, direction: str) -> TargetState | None:
        if target not in self._states:
            try:
                self._states[target] = (await self.client.target_states({target: {direction}}))[target]
            except UnknownTargetError:
                self._states[target] = None
        return self._states[target]


def _call_of(model: StoredCall, run: Run) -> StoredCall:
    call = model.call.model_copy(update={"run_id": run.id, "adopted": False})
    return replace(model, call=call, data=CallData(completed_at=run.completed_at))


def _is_gone(evidence: Evidence, claim: Claim) -> bool:
    """Whether the service does not show what the call was judged by."""
    missing = missing_parts(evidence, grade_wanted=False)
    return any(part in missing and part not in claim.call.data.missing for part in ("call", "transcript", "history"))


def _agent_of(state: TargetState | None) -> ReachedAgent:
    if state is None or state.agent is None:
        return ReachedAgent(None, revision=None if state is None else state.revision)
    configuration = state.agent.configuration
    return ReachedAgent(configuration_digest(configuration), configuration, state.revision)


def _is_unedited(state: TargetState, run: Run, *, is_same: bool) -> bool:
    """Whether nobody edited the agents since before the run. A later draft changes no call: `is_same` if the deployed
    configuration is the one that the call is said to have reached."""
    began_at = run.started_at or run.created_at
    if began_at is None or not state.behind:
        return False
    edits = ((_moment(agent.edited_at), agent) for agent in state.behind)
    return all(
        (edited_at is not None and edited_at <= aware(began_at)) or (agent.is_drafted and is_same)
        for edited_at, agent in edits
    )


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else aware(datetime.fromisoformat(text))
    except ValueError:
        return None
