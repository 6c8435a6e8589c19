"""Which consent a session resumes.

In CI, a consent is of one workflow run, with all its attempts and jobs; elsewhere of one command. An open consent to
the same set of calls is resumed.
"""

from __future__ import annotations

from collections.abc import Mapping

from planner.calls.consents import consent_id_of, consents_to, ended_calls_of, id_prefix, unfinished_consents
from planner.calls.slots import is_live, launches_of
from planner.calls.spending import is_charged
from planner.changes.consented_calls import charged_changes, made_before
from planner.changes.model import ChangeSet
from planner.log.fold import State
from planner.workspace.stores import Workspace


def _workflow_run(environ: Mapping[str, str]) -> str:
    """Names a workflow run of GitHub. All its attempts and jobs have the same; "" elsewhere."""
    if environ.get("GITHUB_ACTIONS") != "true" or not environ.get("GITHUB_RUN_ID"):
        return ""
    return f"GITHUB_ACTIONS:{environ.get('GITHUB_REPOSITORY_ID', '')}:{environ['GITHUB_RUN_ID']}"


def known_consent_id(state: State, digest: str, environ: Mapping[str, str], *, starts_over: bool = False) -> str:
    """The consent to this set that a session of this environment resumes, or that of its workflow run; "" if it needs a
    new one. First of all those under which something was called. A session that `starts_over` resumes no calls from
    before that."""
    run = _workflow_run(environ)
    own = consent_id_of(digest, run) if run else ""
    alike = [each for each in unfinished_consents(state) if each.digest == digest]
    ids = [each.consent_id for each in alike if each.starts_over or not starts_over]
    if own in state.consents:
        ids.append(own)
    used = [each for each in ids if _is_used(state, each)]
    return (used or ids or [_lost_consent_id(state, digest) or own])[-1]


def _is_used(state: State, consent_id: str) -> bool:
    """False for the consent of a session that ended before it called anything."""
    return bool(ended_calls_of(state, consent_id)) or is_charged(state, consent_id)


def not_yet_made(work: Workspace, change_set: ChangeSet, state: State, *, to_call: bool) -> ChangeSet:
    """The set with a digest under which none of its calls were made in this log, so that the digest of earlier
    calls never pays for them again. A set that `--digest` names keeps its digest.

    `to_call`: this session makes the calls. It resumes the consent of its workflow run, even if that has ended.
    """
    places = set(range(len(charged_changes(change_set.changes))))
    run = _workflow_run(work.shell.environ) if to_call else ""
    while True:
        digest = change_set.digest
        is_own = bool(run) and consent_id_of(digest, run) in state.consents
        made = consents_to(state, digest)
        is_new = all(ended_calls_of(state, each.consent_id).isdisjoint(places) for each in made)
        if is_new or is_own or digest == work.selection.digest:
            return change_set
        change_set = made_before(change_set, change_set.times_made + 1)


def _lost_consent_id(state: State, digest: str) -> str:
    """The consent of open launches of this set whose machine was lost before it could share the consent: they are
    charged under it. "" if there is none."""
    live = launches_of(state, lambda launch, _: is_live(launch) and launch.launch_id not in state.elsewhere)
    ids = [launch.intent.consent_id for launch in live if launch.intent is not None]
    lost = (each for each in ids if each.startswith(id_prefix(digest)) and each not in state.consents)
    return next(lost, "")
