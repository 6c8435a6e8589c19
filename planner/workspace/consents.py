"""Which consent a session resumes.

In CI, a consent is of one workflow run, with all its attempts and jobs; elsewhere of one command. An open consent to
the same set of calls is resumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from planner.execution.consent_sharing import ConsentSharing
from planner.execution.consents import consent_id_of, id_prefix
from planner.execution.journal import Journal
from planner.execution.journal_state import JournalState
from planner.execution.launches import LIVE
from planner.shell import Shell
from planner.workspace.sharing import Shared


def _workflow_run(environ: Mapping[str, str]) -> str:
    """Names a workflow run of GitHub. All its attempts and jobs have the same; "" elsewhere."""
    if environ.get("GITHUB_ACTIONS") != "true" or not environ.get("GITHUB_RUN_ID"):
        return ""
    return f"GITHUB_ACTIONS:{environ.get('GITHUB_REPOSITORY_ID', '')}:{environ['GITHUB_RUN_ID']}"


def known_consent_id(journal: JournalState, digest: str, environ: Mapping[str, str], namespace: str) -> str:
    """The consent to this set that a session of this environment resumes, or that of its workflow run; "" if it needs a
    new one."""
    run = _workflow_run(environ)
    own = consent_id_of(digest, run) if run else ""
    alike = [each for each in journal.consents.open() if (each.digest, each.namespace) == (digest, namespace)]
    if journal.consents.get(own) is not None:
        return own
    return alike[-1].consent_id if alike else _lost_consent_id(journal, digest) or own


def _lost_consent_id(journal: JournalState, digest: str) -> str:
    """The consent of open launches of this set whose machine was lost before it could share the consent: they are
    charged under it. "" if there is none."""
    ids = [launch.consent_id for launch in journal.launches(LIVE) if launch.consent_id.startswith(id_prefix(digest))]
    return next((consent_id for consent_id in ids if journal.consents.get(consent_id) is None), "")


def import_consents(shell: Shell, shared: Shared, journal: Journal, digest: str, plans: Iterable[str]) -> None:
    """Import the consents to this set, with what other machines spent under them. Raises `StoreError`."""
    sharing = ConsentSharing(shared.store, journal, show_name=shared.redaction.name, now=shell.clock.now())
    sharing.import_consents(digest, plans)
