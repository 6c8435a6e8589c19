"""What the tables hold of a consent, as JSON: its calls, and how they ended."""

from collections.abc import Mapping
from dataclasses import field, fields, replace
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from planner.bounds import Cents
from planner.errors import StoreError
from planner.execution.consents import Consent, Month, id_prefix
from planner.execution.engine import Job, Outcome, Snapshot, UnsettledLaunch
from planner.execution.events import Moved
from planner.execution.launches import SlotKey
from planner.values import frozen

_Document = TypeVar("_Document")


@frozen
class SubmittedCeiling:
    """A ceiling of this consent, for the calls of one plan or of all (None). With a month, the calls of all consents of
    the repository are under it, too."""

    label: str
    limit_cents: Cents
    plan: str | None = None
    month: Month | None = None
    monthly_cents: Cents = 0
    """What all of them may cost in that month; `limit_cents` is what others have left of it."""


@frozen
class Submission:
    """The calls that somebody agreed to. `session_id` is the client's; `credential` a digest of its API key, which may
    not be another organisation's; `service` the address of the API."""

    consent: Consent
    jobs: tuple[Job, ...]
    session_id: str
    repository: str
    service: str
    credential: str
    ceilings: tuple[SubmittedCeiling, ...] = ()
    priority: int = 0
    settled: tuple[Moved, ...] = ()
    """What a person found out about launches of this consent (`planner reconcile`)."""

    def is_in(self, row: Mapping[Any, Any]) -> bool:
        """Whether a row has the same calls."""
        other = submitted(row)
        mine = self.consent.digest, self.consent.namespace, self.service
        return other is not None and (other.consent.digest, other.consent.namespace, other.service) == mine

    def without_prompts(self) -> "Submission":
        return replace(self, jobs=tuple(replace(job, prompt="") for job in self.jobs))


@frozen
class EndedConsent:
    """`Outcome` as data. `trouble` also has the first line of a bug."""

    launches: int = 0
    ceiling: str = ""
    ceiling_detail: str = ""
    ceiling_enough: str = ""
    ceiling_by_service: bool = False
    refusal: str = ""
    usage: str = ""
    trouble: str = ""
    blocked: str = ""
    left: Mapping[str, int] = field(default_factory=dict[str, int])
    not_needed: Mapping[str, int] = field(default_factory=dict[str, int])
    overdue: int = 0
    unread: tuple[str, ...] = ()
    anomalies: Mapping[str, str] = field(default_factory=dict[str, str])
    unread_slots: tuple[SlotKey, ...] = ()
    unsettled: tuple[UnsettledLaunch, ...] = ()

    def outcome(self) -> Outcome:
        values: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        values["unread"], values["unread_slots"] = list(self.unread), set(self.unread_slots)
        for name in ("left", "not_needed", "anomalies"):
            values[name] = dict(values[name])
        return Outcome(**values)


def ended_consent(outcome: Outcome) -> EndedConsent:
    values: dict[str, Any] = {each.name: getattr(outcome, each.name) for each in fields(EndedConsent)}
    values |= {"unread": tuple(outcome.unread), "unread_slots": tuple(sorted(outcome.unread_slots))}
    return EndedConsent(**values)


SUBMISSION: Final = TypeAdapter(Submission)
ENDED: Final = TypeAdapter(EndedConsent)
SNAPSHOT: Final = TypeAdapter(Snapshot)


def written(kind: TypeAdapter[_Document], document: _Document) -> str:
    return kind.dump_json(document).decode()


def parsed(kind: TypeAdapter[_Document], text: str, consent_id: str) -> _Document:
    """Raises `StoreError`."""
    try:
        return kind.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(
            f"the organisation's row of consent {consent_id[:80]!r} cannot be read: {where}: {first['msg']}",
            "It is of another version of planner, or was edited by hand. Nothing is called for it.",
        ) from error


def submission_of(text: str, consent_id: str) -> Submission:
    """Raises `StoreError` if the row is not as a client writes it."""
    found = parsed(SUBMISSION, text, consent_id)
    consent = found.consent
    if consent.consent_id != consent_id or not consent_id.startswith(id_prefix(consent.digest)):
        raise StoreError(
            f"the organisation's row of consent {consent_id[:80]!r} has the calls of another one",
            "It was edited by hand. Nothing is called for it.",
        )
    return found


def submitted(row: Mapping[Any, Any]) -> Submission | None:
    """None if the row is not as a client writes it: the workers refuse it."""
    try:
        return submission_of(row["submission"], row["consent_id"])
    except StoreError:
        return None
