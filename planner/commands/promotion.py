"""Turns the verified calls of a merged pull request into facts of the branch that it was merged into."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from itertools import count as numbers
from typing import Final

from planner import __version__
from planner.agents.recorded import configuration_bytes, shown_configuration, stored_configuration
from planner.calls.verification import Claim, RecordedPreviews, Refusal, Verified, Verifier
from planner.changes.configuration import Agents, Configurations, has_fields
from planner.changes.fingerprint import call_fingerprint, case_inputs, check_fingerprint
from planner.evidence import Evidence, evidence_digest
from planner.judging.project_judge import Judging, judging_of
from planner.planfile.model import Case
from planner.quantities import count
from planner.records.erasing import erased_fact
from planner.records.facts import CallFact, Fact, PlannedCase, SessionHead, StoredCall, Trust, id_of
from planner.records.files import files_of, head_key, part_bytes, part_key
from planner.records.log import CALLS, SESSIONS, Records
from planner.records.writing import Writing, planned
from planner.results.repository import ResultsRepository, configuration_key, evidence_key, vote_key
from planner.stores.store import BRANCHES, MERGED, BranchStore, Reader, Store
from planner.values import frozen
from planner.verdicts.call_judge import CallJudge
from planner.verdicts.cases import judge_case
from planner.verdicts.pools import Pool, stored_case
from planner.verdicts.runs import question_about_caller, questions
from planner.workspace.earlier_results import project_name, scope_of
from planner.workspace.stores import Workspace

_REPORTS: Final = "runs/"


@frozen
class Promotion:
    """The verified calls of a pull request, the claims that were `refused`, and how many of these still save calls."""

    calls: Sequence[Verified] = ()
    refused: Sequence[Refusal] = ()
    waiting: int = 0

    @property
    def summary(self) -> str:
        cases = {each.claim.call.call.case_id for each in self.calls}
        left = (
            f" · {count(number, 'call')} not promoted: {refusal.value}"
            for refusal, number in Counter(self.refused).items()
        )
        return f"{count(len(cases), 'case')} promoted{''.join(left)}"


@frozen
class PullRequest:
    """A merged pull request. `into` is the namespace of the branch that it was merged into; "" for the default branch.
    `heads` are its sessions, and `claims` its calls that are not promoted yet."""

    work: Workspace
    number: int
    into: str
    repository: ResultsRepository
    records: Records
    heads: Sequence[SessionHead]
    claims: Sequence[Claim]

    async def verified(self, verifier: Verifier) -> Promotion:
        """Raises like `Verifier`."""
        previews, found, refused = self._previews(), list[Verified](), list[tuple[Claim, Refusal]]()
        by_fingerprint: dict[str, list[Claim]] = defaultdict(list)
        for claim in self.claims:
            by_fingerprint[claim.call.call_fingerprint].append(claim)
        for fingerprint, claims in by_fingerprint.items():
            mine: list[Verified] = []
            for claim in claims:
                answer = await verifier.verify(claim, previews)
                if isinstance(answer, Verified):
                    mine.append(answer)
                else:
                    refused.append((claim, answer))
            known = {call.call.run_id for call in self.records.calls(fingerprint)}
            for claim in await verifier.undeclared(mine, known):
                answer = await verifier.verify(claim, previews)
                mine += [answer] if isinstance(answer, Verified) else []
            found += [each for each in mine if _has_file(each)]
        return Promotion(found, [why for _, why in refused], self._waiting(found, refused))

    def _waiting(self, found: Sequence[Verified], refused: Sequence[tuple[Claim, Refusal]]) -> int:
        """The number of refused calls that may be verified later, and that no newer call replaces."""
        verified = {each.claim.call.call_fingerprint for each in found}
        return sum(
            not why.is_final
            and claim.call.call_fingerprint not in verified
            and not any(
                each.is_of_base and each.order >= claim.call.order
                for each in self.records.calls(claim.call.call_fingerprint)
            )
            for claim, why in refused
        )

    def _previews(self) -> RecordedPreviews:
        reported = (preview for session in self.repository.sessions() for preview in session.previews)
        known = {(each.agent_id, each.preview_agent_id, each.configuration) for each in reported}
        return RecordedPreviews(known, lambda digest: stored_configuration(self.repository, digest))

    def writes(self, now: Reader, promotion: Promotion, *, is_removed: bool) -> dict[str, bytes | None]:
        """What makes these calls part of the branch, and the removal of what the pull request stored."""
        judging = judging_of(self.work, self.repository)
        files = _Facts(self, promotion, judging).files() if promotion.calls else {}
        files |= self._reports(now)
        writes: dict[str, bytes | None] = {
            self.into + key: data for key, data in files.items() if not now.has(self.into + key)
        }
        return writes | (removed(now, self.number, project_name(self.work)) if is_removed else {})

    def _reports(self, now: Reader) -> dict[str, bytes]:
        """The reports of its sessions, for the history; they decide nothing."""
        prefix, mine = f"{BRANCHES}{self.number}/", {head.session_id for head in self.heads}
        reports = (key.removeprefix(prefix) for key in now.keys(prefix + _REPORTS))
        found = {key: now.get(prefix + key) for key in reports if key[len(_REPORTS) :].removesuffix(".json") in mine}
        return {key: data for key, data in found.items() if data is not None}


def pull_request_of_work(work: Workspace, store: Store, number: int, into: str) -> PullRequest:
    """What a pull request stored. Of one that was merged into the default branch, only the calls count that today's
    plans would make."""
    prefix = f"{BRANCHES}{number}/"
    branch = ResultsRepository(BranchStore(store, prefix, only_promoted=True))
    target = [ResultsRepository(BranchStore(store, into, only_promoted=True))] if into else []
    records = Records(branch, [*target, work.place.repository], scope_of(work))
    own = {key.removeprefix(prefix) for key in store.keys(prefix + SESSIONS)}
    heads = [head for head in Records(branch, (), scope_of(work)).heads() if head_key(head.session_id) in own]
    today = {call_fingerprint(case_inputs(case, None)): case for case in work.loaded.cases}
    cases: dict[str, Case | None] = {**today}
    inputs = {fingerprint: case_inputs(case, None) for fingerprint, case in today.items()}
    if into:
        of_branch = {case.call_fingerprint: case.inputs for head in heads for case in head.cases}
        cases = {fingerprint: today.get(fingerprint) for fingerprint in of_branch}
        inputs = {**of_branch, **{key: each for key, each in inputs.items() if key in of_branch}}
    claims = [
        Claim(call, inputs[fingerprint], case)
        for fingerprint, case in cases.items()
        for call in records.calls(fingerprint)
        if not call.is_of_base
    ]
    return PullRequest(work, number, into, branch, records, heads, claims)


def _has_file(call: Verified) -> bool:
    """Whether the call reached the agent as its file says today; true if that is unknown. Calls of a target that has no
    file any more may have reached a preview."""
    case, called = call.claim.case, call.agent.configuration
    if case is None:
        return True
    config = case.target.config
    if call.claim.call.call.has_agent_file and config is None:
        return False
    return called is None or config is None or has_fields(called, config.fields)


@dataclass(slots=True)
class _Facts:
    """The files for the verified calls of a pull request: a session of the branch, which made none of them."""

    pull: PullRequest
    promotion: Promotion
    judging: Judging
    """With the answers that the pull request stored."""
    _files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _originals: dict[str, Evidence] = field(default_factory=dict[str, Evidence])

    def files(self) -> dict[str, bytes]:
        work, shell = self.pull.work, self.pull.work.shell
        now = shell.clock.now()
        session_id = f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}-{shell.new_id()[:8]}"
        calls: dict[str, list[Verified]] = defaultdict(list)
        for each in self.promotion.calls:
            calls[each.claim.call.call_fingerprint].append(self._with_evidence(each))
        erased = {each.claim.call.id for each in self.promotion.calls if each.is_erased}
        parts: dict[str, bytes] = {}
        cases: list[PlannedCase] = []
        for fingerprint, mine in calls.items():
            facts, case = self._of_case(mine)
            facts = [erased_fact(fact) if id_of(fact) in erased else fact for fact in facts]
            parts[part_key(fingerprint, session_id, 1)] = part_bytes(facts)
            cases += [case] if case is not None else []
            self._add_configurations(mine)
        head = SessionHead(
            tool_version=__version__,
            session_id=session_id,
            environment=self._environment,
            project=project_name(work),
            started_at=now,
            ended_at=now,
            workflow=shell.environ.get("GITHUB_WORKFLOW_REF", ""),
            cases=cases,
        )
        return self._files | files_of(head, parts)

    @property
    def _environment(self) -> str:
        name, shared = self.pull.work.selection.environment or "", self.pull.work.place.shared
        return name if shared is None else shared.redaction.name(name)

    def _with_evidence(self, call: Verified) -> Verified:
        shared = self.pull.work.place.shared
        data = (call.evidence if shared is None else shared.redaction.evidence(call.evidence)).to_bytes()
        digest = evidence_digest(data)
        if not call.is_erased:
            self._files[evidence_key(digest)] = data
        self._originals[digest] = call.evidence
        return replace(call, data=call.data.model_copy(update={"evidence": digest}))

    def _add_configurations(self, calls: Iterable[Verified]) -> None:
        work = self.pull.work
        for agent in (each.agent for each in calls):
            if agent.digest is not None and agent.configuration is not None:
                shown = agent.configuration
                if work.place.shared is not None:
                    shown = shown_configuration(shown, work.loaded.project)
                self._files[configuration_key(agent.digest)] = configuration_bytes(shown)

    def _of_case(self, calls: Sequence[Verified]) -> tuple[list[Fact], PlannedCase | None]:
        """The facts about calls with one fingerprint, and their case as a session of the branch saw it. Only cases of
        today's plans are judged."""
        case = calls[0].claim.case
        if case is None:
            found: list[Fact] = [_call_fact(each, None, self.pull.number) for each in calls]
            return found, self._planned_elsewhere(calls)
        by_agent: dict[tuple[str | None, str | None], list[Verified]] = defaultdict(list)
        for each in sorted(calls, key=lambda each: each.claim.call.order):
            by_agent[each.agent.digest, each.agent.revision].append(each)
            if not each.is_erased:
                self._add_votes(case, each.evidence)
        facts: list[Fact] = []
        newest: PlannedCase | None = None
        for mine in by_agent.values():
            found, newest = self._judged(case, mine)
            facts += found
        return facts, newest

    def _judged(self, case: Case, calls: Sequence[Verified]) -> tuple[list[Fact], PlannedCase]:
        """The calls that reached one agent, judged on what the service shows, not on what may be stored of it."""
        shared, judging = self.pull.work.place.shared, self.judging
        fingerprint = calls[0].claim.call.call_fingerprint
        judge = CallJudge(self._originals.get, judging.cache, judging.name)
        number = self.pull.number
        made = [(_call_fact(each, case, number), each.data) for each in calls]
        stored = tuple(StoredCall(fact, fingerprint, data, (), Trust.NOTHING) for fact, data in made)
        check = check_fingerprint(case)
        runs = tuple(judge.judged(case, check, each) for each in stored)
        judged_by = judging.name if any(each.asks_model for each in case.expectations) else None
        pool = Pool(stored, runs, judge_case(case, runs))
        result = stored_case(case, pool, Agents({}, Configurations()), (check, judged_by))
        show = str if shared is None else shared.redaction.name
        writing = Writing(
            self._environment,
            self.pull.work.shell.clock.now(),
            lambda _fingerprint, _run: None,
            consents={each.call.run_id: each.call.consent_id for each in stored},
            show=(lambda shown: shown) if shared is None else shared.redaction.case,
        )
        reasons = {each.id: each.call.reason for each in stored}
        found = chain.from_iterable(writing.facts([result]).values())
        facts: list[Fact] = [
            each.model_copy(update={"reason": reasons[id_of(each)], "plan": show(case.plan), "merged": number})
            if isinstance(each, CallFact)
            else each
            for each in found
        ]
        return facts, planned(writing.show(result)).model_copy(update={"runs": case.runs, "calls": []})

    def _add_votes(self, case: Case, evidence: Evidence) -> None:
        """The judge's answers that the pull request stored about what the service shows."""
        cache = self.judging.cache
        if cache.store is None:
            return
        about_caller = question_about_caller(case, evidence) if cache.checks_callers else None
        for question in (*questions(case, evidence), *filter(None, [about_caller])):
            self._add_numbered(cache.key_of(question))

    def _add_numbered(self, key: str) -> None:
        for number in numbers(1):
            data = self.pull.repository.load_vote(key, number)
            if data is None:
                return
            self._files[vote_key(key, number)] = data

    def _planned_elsewhere(self, calls: Sequence[Verified]) -> PlannedCase | None:
        newest = max(calls, key=lambda each: each.claim.call.order)
        fingerprint = newest.claim.call.call_fingerprint
        cases = (case for head in self.pull.heads for case in head.cases if case.call_fingerprint == fingerprint)
        case = next(cases, None)
        if case is None:
            return None
        agent = {"agent_revision": newest.agent.revision, "configuration": newest.agent.digest}
        return case.model_copy(update={"calls": [], "inputs": case.inputs.model_copy(update=agent)})


def _call_fact(call: Verified, case: Case | None, number: int) -> CallFact:
    """The call without what only its branch says: that it does not count, or that earlier ones do not."""
    claimed = call.claim.call.call
    known = {} if case is None else {"case_id": case.case_id, "plan": case.plan, "file": case.span.file}
    return claimed.model_copy(
        update={
            **known,
            "target_id": call.claim.inputs.target_id,
            "agent_revision": call.agent.revision,
            "configuration": call.agent.digest,
            "has_agent_file": claimed.has_agent_file if case is None else case.target.config is not None,
            "reason": "retry" if claimed.reason == "start_over" else claimed.reason,
            "start_over": None,
            "merged": number,
            "counted_with": [],
            "discards": [],
            "excluded": None,
            "erased": False,
            "data": call.data,
        }
    )


def removed(now: Reader, number: int, project: str) -> dict[str, bytes | None]:
    """The removal of what this project's sessions stored for a pull request."""
    prefix = f"{BRANCHES}{number}/"
    gone = {prefix + key for key in _own_keys(now, prefix, project)}
    is_empty = gone.issuperset(now.keys(prefix))
    return dict.fromkeys([*sorted(gone), *([f"{MERGED}{number}.json"] if is_empty else [])])


def _own_keys(now: Reader, prefix: str, project: str) -> Iterator[str]:
    """The namespace's files, without those of other projects' sessions."""
    others: set[str] = set()
    for key in now.keys(prefix + SESSIONS):
        data = now.get(key)
        head = SessionHead.model_validate_json(data) if data is not None else None
        if head is not None and head.project != project:
            others |= {head.session_id}
    for key in now.keys(prefix):
        own = key.removeprefix(prefix)
        name = own.rpartition("/")[2].partition(".")[0]
        session = name.rpartition("-")[0] if own.startswith(CALLS) else name
        is_evidence = own.startswith("evidence/")
        if session not in others and not (is_evidence and others):
            yield key.removeprefix(prefix)
