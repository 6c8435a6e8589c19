"""A week of an organisation: ten repositories with nightly suites and pull requests, and what happens to them.

The month's budget runs out in the middle and begins again on the first of December. An agent is edited, all workers are
upgraded while calls are under way, and the database fails over.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from statistics import median

from organisation_schedules import NOBODY, PERSON, SETTLE_SECONDS, Client, Organisation, Schedule
from simulated_host import Host
from simulated_service import EPOCH, job_of
from simulated_tables import Database

from planner.execution.engine import EngineSettings
from planner.execution.reads import Listed
from planner.organisation.policy import WorkerPolicy
from planner.providers.base import Run

DAY = 86_400.0
NIGHT, WORK_BEGINS, WORK_ENDS = 2 * 3600.0, 8 * 3600.0, 18 * 3600.0
MIDNIGHT = 1.5 * DAY
"""Before Thursday 26 November 2026, from `EPOCH` on."""


@dataclass(frozen=True)
class Size:
    repositories: int = 10
    days: int = 7
    cases: int = 12
    """Of a nightly suite, with two calls each."""
    pull_requests: int = 4
    """A day and repository."""
    budget_cents: int = 14_000
    """Of a month."""
    begins: int = 0
    """Days after 26 November."""
    upgraded: int = 1
    edited: int = 2
    failed_over: int = 5
    """In which nights something happens."""


class Week(Schedule):
    calm_after_seconds = 8 * DAY
    longest_seconds = 9 * DAY
    most_steps = 50_000_000

    def __init__(self, seed: int, size: Size) -> None:
        self.random = random = Random(seed)  # noqa: S311 - repeatable
        self.now = self.began = MIDNIGHT + size.begins * DAY
        self.queue = []
        self.sequence = self.crashes = self.stops = self.takeovers = self.depth = self.launched = self.people = 0
        self.trouble = 0.02
        self.database = Database(lambda: EPOCH.timestamp() + self.now)
        self.settings = EngineSettings(SETTLE_SECONDS, 1e9, poll_floor_seconds=5.0, evidence_wait_seconds=20.0)
        self.model = YoungRuns(
            random,
            limit=10,
            lag_seconds=5.0,
            shows_names=True,
            shows_requesters=True,
            lists_batches=True,
            wanted=Counter(),
            ceiling_cents=None,
        )
        self.policy = WorkerPolicy(frozenset({PERSON}), None, size.budget_cents)
        for month in ("2026-11", "2026-12"):
            self.model.limits["", "", month] = size.budget_cents
        self.size = size
        self.clients = []
        self.hosts = [Host(self, number) for number in (1, 2)]
        self.is_restored = self.service_is_away = False
        self.revision = 1
        self.happened: list[tuple[float, str]] = []
        for host in self.hosts:
            self.at(0.0, host.life, host.begin)
        self._plan_week()

    def _plan_week(self) -> None:
        number = 0
        for day in range(self.size.days):
            for repository in range(self.size.repositories):
                number += 1
                self._plan_consent(day * DAY + NIGHT, number, repository, self.size.cases)
                for _ in range(self.size.pull_requests):
                    number += 1
                    at = day * DAY + self.random.uniform(WORK_BEGINS, WORK_ENDS)
                    self._plan_consent(at, number, repository, self.random.randint(1, 3))
        for night, happens in (
            (self.size.upgraded, self._upgrade),
            (self.size.edited, self._edit_agent),
            (self.size.failed_over, self._fail_over),
        ):
            self.at(night * DAY + NIGHT + 60.0, NOBODY, happens)

    def _plan_consent(self, at: float, number: int, repository: int, cases: int) -> None:
        """A placeholder stands for it until it is submitted, so that the week is not over before."""
        waiting = Client(self._new(number, repository, cases).submission)
        self.clients.append(waiting)
        self.at(at, NOBODY, lambda: self._agree(waiting))

    def _new(self, number: int, repository: int, cases: int) -> Client:
        jobs = tuple(job_of(f"caller {number}-{case}", 2) for case in range(cases))
        return self.client_of(number, f"acme/r{repository}", jobs, 10_000, priority=int(cases < self.size.cases))

    def _agree(self, client: Client) -> None:
        """Calls of an agent that was edited are other calls."""
        agreed_at, revision = EPOCH + timedelta(seconds=self.now), self.revision
        submission = client.submission
        jobs = tuple(
            replace(job, agent_revision=f"r{revision}", call_fingerprint=f"{job.call_fingerprint}@{revision}")
            for job in submission.jobs
        )
        calls = tuple(
            replace(call, fingerprint=job.call_fingerprint)
            for call, job in zip(submission.consent.calls, jobs, strict=True)
        )
        consent = replace(submission.consent, agreed_at=agreed_at, calls=calls)
        client.submission = replace(submission, consent=consent, jobs=jobs)
        client.submitted_at = self.now
        self._submit(client)

    def _upgrade(self) -> None:
        self._note("all workers are upgraded")
        for host in self.hosts:
            host.end()
            self.at(60.0, host.life, host.begin)

    def _edit_agent(self) -> None:
        self._note("the agent is edited")
        self.revision = 2

    def _fail_over(self) -> None:
        self._note("the database fails over")
        self.database.is_away = True
        self.at(120.0, NOBODY, self._find_database)

    def _note(self, what: str) -> None:
        open_consents = sum(bool(client.submitted_at) and not client.is_done for client in self.clients)
        self.happened.append(
            (self.now, f"{what}, {open_consents} consents are open, {len(self.model.made)} calls made")
        )

    def table(self) -> list[str]:
        """Who waited, and who was refused, by day."""
        lines = ["day         consents  finished  refused   calls   waited (median, longest)      spent"]
        for day in range(self.size.days):
            first = self.began + day * DAY
            of_day = [each for each in self.clients if first <= each.submitted_at < first + DAY]
            done = [each for each in of_day if each.outcome is not None and each.outcome.finished]
            refused = [each for each in of_day if each.outcome is not None and each.outcome.ceiling]
            waited = [(each.ended_at - each.submitted_at) / 60 for each in done] or [0.0]
            made = [each for each in self.model.made if first <= each.ends_at < first + DAY]
            lines.append(
                f"{EPOCH + timedelta(seconds=first):%a %d %b}  {len(of_day):8}  {len(done):8}  {len(refused):7}"
                f"  {len(made):6}   {median(waited):6.1f} min  {max(waited):6.1f} min  ${sum(m.cents for m in made) / 100:9.2f}"
            )
        return lines


class YoungRuns(Organisation):
    """Lists what is younger than a day and an hour: enough for whoever searches."""

    def runs(self, now: float) -> Listed[Run]:
        whole, self.made = self.made, [made for made in self.made[-3000:] if made.shown_at > now - 25 * 3600.0]
        try:
            return super().runs(now)
        finally:
            self.made = whole
