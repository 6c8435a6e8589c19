"""Which consent a session resumes.

In CI, a consent is of one workflow run, with all its attempts and jobs; elsewhere of one command. An open consent to
the same set of calls is resumed.
"""

from __future__ import annotations

from collections.abc import Mapping

from planner.changes.consented_calls import charged_changes, made_before
from planner.changes.model import ChangeSet
from planner.execution.consents import consent_id_of, id_prefix
from planner.execution.journal import Journal
from planner.execution.launches import LIVE
from planner.execution.spending import spending_of
from planner.workspace.stores import Workspace


def _workflow_run(environ: Mapping[str, str]) -> str:
    """Names a workflow run of GitHub. All its attempts and jobs have the same; "" elsewhere."""
    if environ.get("GITHUB_ACTIONS") != "true" or not environ.get("GITHUB_RUN_ID"):
        return ""
    return f"GITHUB_ACTIONS:{environ.get('GITHUB_REPOSITORY_ID', '')}:{environ['GITHUB_RUN_ID']}"


def known_consent_id(journal: Journal, digest: str, environ: Mapping[str, str], *, starts_over: bool = False) -> str:
    """The consent to this set that a session of this environment resumes, or that of its workflow run; "" if it needs a
    new one. First of all those under which something was called. A session that `starts_over` resumes no calls from
    before that."""
    run = _workflow_run(environ)
    own = consent_id_of(digest, run) if run else ""
    alike = [each for each in journal.consents.open() if each.digest == digest]
    ids = [each.consent_id for each in alike if each.starts_over or not starts_over]
    if journal.consents.get(own) is not None:
        ids.append(own)
    used = [each for each in ids if _is_used(journal, each)]
    return (used or ids or [_lost_consent_id(journal, digest) or own])[-1]


def _is_used(journal: Journal, consent_id: str) -> bool:
    """False for the consent of a session that ended before it called anything."""
    return bool(journal.consents.ended_of(consent_id) or spending_of(journal, consent_id).plans)


def not_yet_made(work: Workspace, change_set: ChangeSet, journal: Journal, *, to_call: bool) -> ChangeSet:
    """The set with a digest under which none of its calls were made in this log, so that the digest of earlier
    calls never pays for them again. A set that `--digest` names keeps its digest.

    `to_call`: this session makes the calls. It resumes the consent of its workflow run, even if that has ended.
    """
    places = set(range(len(charged_changes(change_set.changes))))
    run = _workflow_run(work.shell.environ) if to_call else ""
    while True:
        digest = change_set.digest
        is_own = bool(run) and journal.consents.get(consent_id_of(digest, run)) is not None
        made = journal.consents.made_of(digest)
        is_new = all(ended.isdisjoint(places) for _, ended in made)
        if is_new or is_own or digest == work.selection.digest:
            return change_set
        change_set = made_before(change_set, change_set.times_made + 1)


def _lost_consent_id(journal: Journal, digest: str) -> str:
    """The consent of open launches of this set whose machine was lost before it could share the consent: they are
    charged under it. "" if there is none."""
    ids = [
        launch.consent_id
        for launch in journal.launches(LIVE)
        if launch.consent_id.startswith(id_prefix(digest)) and launch.launch_id not in journal.state.elsewhere
    ]
    return next((consent_id for consent_id in ids if journal.consents.get(consent_id) is None), "")
