"""What a client's journal becomes when it follows the workers' events, from one session to the next."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from core_state import intent_of
from organisations import SERVICE, Organisation

from planner.errors import StoreError
from planner.execution.events import DuplicateAnswer, Intended, Moved
from planner.execution.journal import Journal
from planner.execution.launches import LaunchState
from planner.organisation.client import OrganisationClient
from planner.organisation.journal import TablesJournal

pytestmark = pytest.mark.anyio

ENDS = [
    ("unconfirmed", LaunchState.SENT, DuplicateAnswer("l1", "l0", "the same"), LaunchState.UNCONFIRMED),
    ("answered", LaunchState.SENT, Moved("l1", LaunchState.ACKNOWLEDGED, "", 9, (5,), {0: 5}), LaunchState.ADOPTED),
    ("refused", LaunchState.SENT, Moved("l1", LaunchState.REFUSED), LaunchState.ABSENT),
    ("answered, unsent here", None, Moved("l1", LaunchState.ACKNOWLEDGED, "", 9, (5,), {0: 5}), LaunchState.ADOPTED),
]
"""What the first session saw after the intent, what happened after it, and what the second one knows."""


@pytest.mark.parametrize(("seen", "event", "known"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS])
async def test_a_session_that_ended_while_a_launch_was_sent_is_followed_by_another(
    make_organisation: Callable[..., Organisation],
    job: Callable[..., Any],
    tmp_path: Path,
    seen: LaunchState | None,
    event: Moved | DuplicateAnswer,
    known: LaunchState,
) -> None:
    organisation = make_organisation()
    work = job("ana")
    consent_id = organisation.submit(1, work)
    workers = TablesJournal(organisation.tables, await organisation.take())
    workers.record(Intended(intent_of(work, consent_id=consent_id)))
    if seen is not None:
        workers.record(Moved("l1", seen))
    with closing(Journal(tmp_path / "journal.sqlite")) as journal:

        def follow() -> None:
            client = OrganisationClient(
                organisation.tables, journal, cast(Any, None), "shop", SERVICE, "key", "sqlite:///o.sqlite"
            )
            client.import_consents("")

        follow()
        journal.mark_interrupted()
        if seen is None:
            workers.record(Moved("l1", LaunchState.SENT))
        workers.record(event)
        follow()
        launch = journal.launch("l1")
        assert launch is not None
        assert launch.state is known
        assert launch.run_ids == ((5,) if known is LaunchState.ADOPTED else ())


async def test_an_event_that_was_edited_is_named(
    make_organisation: Callable[..., Organisation], job: Callable[..., Any], tmp_path: Path
) -> None:
    organisation = make_organisation()
    consent_id = organisation.submit(1, job("ana"))
    workers = TablesJournal(organisation.tables, await organisation.take())
    workers.record(Intended(intent_of(job("ana"), consent_id=consent_id)))
    organisation.tables.rewrite_events(1, {1: "{broken"})
    with closing(Journal(tmp_path / "journal.sqlite")) as journal:
        client = OrganisationClient(
            organisation.tables, journal, cast(Any, None), "shop", SERVICE, "key", "sqlite:///o.sqlite"
        )
        with pytest.raises(StoreError, match=f"event 1 .* of consent {consent_id}, is impossible") as caught:
            client.import_consents("")
    assert "restore this row of `events`" in caught.value.hint
