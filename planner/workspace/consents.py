"""Which consent a session resumes.

In CI, a consent is of one workflow run, with all its attempts and jobs; elsewhere of one command. An open consent to
the same set of calls is resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from planner.changes.consented_calls import charged_changes, consented_cases, made_before
from planner.changes.model import ChangeSet
from planner.execution.consent_sharing import PREFIX as CONSENTS
from planner.execution.consent_sharing import SUBMITTED, ConsentSharing
from planner.execution.consents import Consent, consent_id_of, id_prefix
from planner.execution.journal import Journal
from planner.execution.journal_state import JournalState
from planner.execution.launches import LIVE
from planner.execution.spending import spending_of
from planner.planfile.addresses import resolved_database
from planner.shell import Shell
from planner.workspace.sharing import Shared
from planner.workspace.stores import Workspace

_MOST_TIMES: Final = 1000
"""How often the same calls may have been made before, to recognise those that others make now."""


def _workflow_run(environ: Mapping[str, str]) -> str:
    """Names a workflow run of GitHub. All its attempts and jobs have the same; "" elsewhere."""
    if environ.get("GITHUB_ACTIONS") != "true" or not environ.get("GITHUB_RUN_ID"):
        return ""
    return f"GITHUB_ACTIONS:{environ.get('GITHUB_REPOSITORY_ID', '')}:{environ['GITHUB_RUN_ID']}"


def known_consent_id(
    journal: JournalState,
    digest: str,
    environ: Mapping[str, str],
    namespace: str,
    at_work: Iterable[Consent] = (),
    may_resume: Callable[[Consent], bool] = lambda _: True,
) -> str:
    """The consent to this set that a session of this environment resumes, or that of its workflow run; "" if it needs a
    new one. First of all those whose calls others make now (`at_work`); then those under which something was called."""
    followed = [each.consent_id for each in at_work if each.digest == digest and may_resume(each)]
    if followed:
        return followed[-1]
    run = _workflow_run(environ)
    own = consent_id_of(digest, run) if run else ""
    alike = [each for each in journal.consents.open() if (each.digest, each.namespace) == (digest, namespace)]
    ids = [each.consent_id for each in alike if may_resume(each)]
    if journal.consents.get(own) is not None:
        ids.append(own)
    used = [each for each in ids if _is_used(journal, each)]
    return (used or ids or [_lost_consent_id(journal, digest) or own])[-1]


def may_resume(work: Workspace, journal: JournalState, consent: Consent) -> bool:
    """False for calls that another organisation's workers make, and for those from before the start that is asked
    for."""
    is_here = journal.consents.organisation_of(consent.consent_id) in ("", organisation_of(work))
    return is_here and (consent.starts_over or work.selection.start_over is None)


def _is_used(journal: JournalState, consent_id: str) -> bool:
    """False for the consent of a session that ended before it called anything, or followed an equal one."""
    return bool(journal.consents.ended_of(consent_id) or spending_of(journal, consent_id).plans)


def not_yet_made(
    work: Workspace, change_set: ChangeSet, journal: Journal, *, to_call: bool, at_work: Iterable[Consent] = ()
) -> ChangeSet:
    """The set with a digest under which none of its calls were made in this namespace, so that the digest of earlier
    calls never pays for them again. A set that `--digest` names keeps its digest, and one whose calls others make now
    (`at_work`) has theirs: they may know of more sets that were made before.

    `to_call`: this session makes the calls. It resumes the consent of its workflow run, even if that has ended.
    """
    shell, namespace = work.shell, work.place.namespace
    places = set(range(len(charged_changes(change_set.changes))))
    run = _workflow_run(shell.environ) if to_call else ""
    if work.place.shared is not None:
        work.place.shared.store.prepare([CONSENTS, SUBMITTED])
        _sharing(shell, work.place.shared, journal).import_submitted(work.loaded.plan_names)
    if change_set.digest != work.selection.digest:
        followed = {consent.digest for consent in at_work}
        for times_made in range(_MOST_TIMES) if followed else ():
            again = made_before(change_set, times_made)
            if again.digest in followed:
                return again
    while True:
        digest = change_set.digest
        if work.place.shared is not None:
            _sharing(shell, work.place.shared, journal).import_consents(digest, work.loaded.plan_names)
        is_own = bool(run) and journal.consents.get(consent_id_of(digest, run)) is not None
        made = journal.consents.made_of(digest, namespace)
        is_new = all(ended.isdisjoint(places) for _, ended in made)
        if is_new or is_own or digest == work.selection.digest:
            return change_set
        change_set = made_before(change_set, change_set.times_made + 1)


def submitted_elsewhere(work: Workspace, change_set: ChangeSet, journal: JournalState) -> str:
    """The database of another organisation than that of planner.yaml, whose workers make some of these calls; "" if
    there is none, or everything starts over."""
    if work.selection.start_over is not None:
        return ""
    wanted = {case.call for case in consented_cases(change_set)}
    for consent in journal.consents.open():
        there = journal.consents.organisation_of(consent.consent_id)
        is_other = there not in ("", organisation_of(work)) and consent.namespace == work.place.namespace
        ended = journal.consents.ended_of(consent.consent_id)
        called = {call.fingerprint for place, call in enumerate(consent.calls) if call.runs and place not in ended}
        if is_other and called & wanted:
            return there
    return ""


def organisation_of(work: Workspace) -> str:
    """The address of the database whose workers make the calls; "" if a session does."""
    address = work.loaded.project.organisation
    return "" if work.selection.sandbox or address is None else resolved_database(address, work.loaded.root)


def _lost_consent_id(journal: JournalState, digest: str) -> str:
    """The consent of open launches of this set whose machine was lost before it could share the consent: they are
    charged under it. "" if there is none."""
    ids = [launch.consent_id for launch in journal.launches(LIVE) if launch.consent_id.startswith(id_prefix(digest))]
    return next((consent_id for consent_id in ids if journal.consents.get(consent_id) is None), "")


def _sharing(shell: Shell, shared: Shared, journal: Journal) -> ConsentSharing:
    return ConsentSharing(shared.store, journal, show_name=shared.redaction.name, now=shell.clock.now())
