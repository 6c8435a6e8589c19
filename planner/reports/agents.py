"""Texts about agents with a file, for plans and comments: what changed, and what that means for calls."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from planner.changes.configuration import EffectiveTarget, FieldChange, shown_value
from planner.changes.detail import changed_lines
from planner.changes.model import ChangeSet
from planner.reports.neutral import for_terminal
from planner.reports.redaction import Redactor, redact_value
from planner.reports.terminal import Colour, Paint, wrapped
from planner.results.outcomes import Action
from planner.values import frozen

_SHORT = 80
"""Longer texts are compared by line."""


@frozen
class AgentNote:
    """One sentence, and the changed fields: `- ` and `+ ` before lines of texts."""

    sentence: str
    lines: tuple[str, ...] = ()


def agent_notes(agents: Sequence[EffectiveTarget], change_set: ChangeSet, redactor: Redactor) -> list[AgentNote]:
    """Notes about agents whose deployed configuration differs from their file, or is unknown."""
    called = {
        (change.case.target.id, change.case.target.config)
        for change in change_set.with_action(Action.CALL)
        if change.case is not None
    }
    notes: list[AgentNote] = []
    for agent in agents:
        if agent.deployed is None:
            unknown = (
                f"not read, so what {_file(agent, redactor)} changes is unknown; `planner plan --refresh` reads it"
            )
            notes.append(_note(agent, redactor, unknown))
        notes += _drift(agent, redactor)
        if agent.changes:
            what = "called on a preview" if (agent.agent_id, agent.file) in called else "no call is needed"
            what += "; waits for deploy" if agent.waits_for_deploy else ""
            notes.append(_note(agent, redactor, f"{_names(agent.changes)} changed, {what}", agent.changes))
    return notes


def edited_agents(agents: Sequence[EffectiveTarget], redactor: Redactor) -> list[AgentNote]:
    """Notes about agents that were edited at the service, or wait for a deployment."""
    notes: list[AgentNote] = []
    for agent in agents:
        notes += _drift(agent, redactor)
        if agent.waits_for_deploy and not agent.drift:
            waits = f"{_file(agent, redactor)} waits for deploy ({_names(agent.changes)} changed)"
            notes.append(_note(agent, redactor, waits, agent.changes))
    return notes


def _drift(agent: EffectiveTarget, redactor: Redactor) -> list[AgentNote]:
    if not agent.drift:
        return []
    edited = f"{_names(agent.drift)} edited at the service since {_file(agent, redactor)} was deployed (drift)"
    return [_note(agent, redactor, edited, agent.drift)]


def _note(agent: EffectiveTarget, redactor: Redactor, text: str, changes: Sequence[FieldChange] = ()) -> AgentNote:
    return AgentNote(f"Agent `{redactor.name(agent.alias)}`: {text}", tuple(field_lines(changes, redactor)))


def _file(agent: EffectiveTarget, redactor: Redactor) -> str:
    return f"`{redactor.name(agent.file.file)}`"


def agent_documents(agents: Sequence[EffectiveTarget], redactor: Redactor) -> list[dict[str, object]]:
    """The same for JSON."""
    return [
        {
            "target": redactor.name(agent.alias),
            "agent_id": agent.agent_id,
            "config": redactor.name(agent.file.file),
            "state": "unknown" if agent.deployed is None else "changed" if agent.changes else "same",
            "changes": [_document(change, redactor) for change in agent.changes],
            "drift": [_document(change, redactor) for change in agent.drift],
            "waits_for_deploy": agent.waits_for_deploy,
        }
        for agent in agents
    ]


def field_lines(changes: Sequence[FieldChange], redactor: Redactor) -> Iterator[str]:
    """`voice: aria → nova`; long texts by line."""
    for change in changes:
        name = redactor.text(change.name)
        before, after = (redact_value(shown_value(value), redactor) for value in (change.before, change.after))
        if before == after:
            yield f"{name}: changed only where it is redacted"
        elif isinstance(before, str) and isinstance(after, str) and not (_is_short(before) and _is_short(after)):
            yield f"{name}:"
            yield from changed_lines(before.strip(), after.strip())
        else:
            yield f"{name}: {_value(before)} → {_value(after)}"


def note_lines(notes: Sequence[AgentNote], width: int, paint: Paint) -> Iterator[str]:
    """The notes as paragraphs for a terminal."""
    for note in notes:
        yield from wrapped(for_terminal(note.sentence), width, hanging="  ")
        yield from (*diff_lines(note.lines, width, paint, indent=4), "")


def diff_lines(changed: Sequence[str], width: int, paint: Paint, *, indent: int) -> list[str]:
    """Changed lines, those that begin with - or + in colour."""
    shown: list[str] = []
    for text in map(for_terminal, changed):
        colour = {"-": Colour.RED, "+": Colour.GREEN}.get(text[:1])
        lines = wrapped(text, width, indent=" " * indent, hanging=" " * (indent + 2))
        shown += [paint(line, colour) for line in lines] if colour else lines
    return shown


def _names(changes: Sequence[FieldChange]) -> str:
    *names, last = (change.name for change in changes)
    return f"{', '.join(names)} and {last}" if names else last


def _is_short(text: str) -> bool:
    return len(text.strip()) <= _SHORT and "\n" not in text.strip()


def _value(value: Any) -> str:
    if value is None:
        return "none"
    text = value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 2 * _SHORT else f"{text[: 2 * _SHORT]}…"


def _document(change: FieldChange, redactor: Redactor) -> dict[str, object]:
    before, after = (redact_value(shown_value(value), redactor) for value in (change.before, change.after))
    return {"field": redactor.text(change.name), "before": before, "after": after}
