"""Strings about agents with a file, for plans and comments: what changed, and what that means for calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from planner.changes.configuration import TEST_TOOLS, EffectiveTarget, FieldChange, shown_value
from planner.changes.field_diff import value_lines
from planner.changes.model import ChangeSet
from planner.reports.neutral import for_terminal
from planner.reports.redaction import FIELDS, Redactor, how_to_redact, redact_fields
from planner.reports.terminal import Colour, Paint, wrapped
from planner.results.agent_documents import AgentDocument, FieldDocument
from planner.results.model import RunResult
from planner.results.outcomes import Action
from planner.values import frozen


@frozen
class AgentNote:
    """One sentence, and the changed fields: `- ` and `+ ` before lines of strings. `to_do` is the next step."""

    sentence: str
    lines: tuple[str, ...] = ()
    to_do: str = ""


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
                f"not read, so what {_file(agent, redactor)} changes is unknown; with a key, `planner plan` reads it"
            )
            notes.append(_note(agent, redactor, unknown))
        notes += _drift(agent, redactor)
        if agent.changes:
            what = "called on a preview" if (agent.agent_id, agent.file) in called else "no call is needed"
            what += "; waits for deploy" if agent.waits_for_deploy else ""
            notes.append(_note(agent, redactor, f"{_differs(agent, redactor)}, {what}", agent.changes))
    return notes


def _differs(agent: EffectiveTarget, redactor: Redactor) -> str:
    changed = [change for change in agent.changes if change.name != TEST_TOOLS]
    parts = [f"{_names(changed)} changed"] if changed else []
    tools = [f"`{redactor.text(name)}`" for name, _ in agent.file.test_tools]
    parts += [f"other {'address' if len(tools) == 1 else 'addresses'} of {_listed(tools)}"] if tools else []
    return ", ".join(parts)


def edited_agents(agents: Sequence[EffectiveTarget], redactor: Redactor) -> list[AgentNote]:
    """Notes about agents that were edited at the service, or wait for a deployment."""
    notes: list[AgentNote] = []
    for agent in agents:
        notes += _drift(agent, redactor)
        if agent.waits_for_deploy and not agent.drift:
            changes = agent.without_test_tools.changes
            waits = f"{_file(agent, redactor)} waits for deploy ({_names(changes)} changed)"
            deploy = f"To deploy it, once it passed: `planner agent deploy {redactor.name(agent.alias)}`"
            notes.append(replace(_note(agent, redactor, waits, changes), to_do=deploy))
    return notes


def _drift(agent: EffectiveTarget, redactor: Redactor) -> list[AgentNote]:
    if not agent.drift:
        return []
    edited = f"{_names(agent.drift)} edited at the service since {_file(agent, redactor)} was deployed (drift)"
    name = redactor.name(agent.alias)
    to_do = f"To keep the edit: `planner agent pull {name}`. To undo it: `planner agent deploy {name} --over-drift`"
    return [replace(_note(agent, redactor, edited, agent.drift), to_do=to_do)]


def _note(agent: EffectiveTarget, redactor: Redactor, text: str, changes: Sequence[FieldChange] = ()) -> AgentNote:
    return AgentNote(f"Agent `{redactor.name(agent.alias)}`: {text}", tuple(field_lines(changes, redactor)))


def _file(agent: EffectiveTarget, redactor: Redactor) -> str:
    return f"`{redactor.name(agent.file.file)}`"


def agent_documents(agents: Sequence[EffectiveTarget]) -> list[AgentDocument]:
    """The same for JSON, not redacted."""
    return [
        AgentDocument(
            target=agent.alias,
            agent_id=agent.agent_id,
            config=agent.file.file,
            state="unknown" if agent.deployed is None else "changed" if agent.changes else "same",
            changes=list(map(_document, agent.changes)),
            drift=list(map(_document, agent.drift)),
            waits_for_deploy=agent.waits_for_deploy,
        )
        for agent in agents
    ]


def result_notes(result: RunResult) -> list[AgentNote]:
    """Notes about the agents of a session that differ from their files. The result is redacted."""
    notes: list[AgentNote] = []
    for agent in result.agents:
        label, file = f"Agent `{agent.target}`", f"`{agent.config}`"
        for changes, what in (
            (agent.drift, f"edited at the service since {file} was deployed (drift)"),
            (agent.changes, f"changed in {file}"),
        ):
            if changes:
                lines = (line for change in changes for line in _lines(change))
                notes.append(
                    AgentNote(f"{label}: {_listed([change.field for change in changes])} {what}", tuple(lines))
                )
    return notes


def field_lines(changes: Sequence[FieldChange], redactor: Redactor) -> Iterator[str]:
    """`voice: aria → nova`; long strings by line, nested values by path."""
    for change in changes:
        yield from _lines(redact_fields(_document(change), FIELDS, how_to_redact(redactor)))


def _lines(change: FieldDocument) -> Iterator[str]:
    """The change, which is redacted."""
    if change.before == change.after:
        yield f"{change.field}: changed only where it is redacted"
    yield from value_lines(change.field, change.before, change.after)


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
    return _listed([change.name for change in changes])


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _document(change: FieldChange) -> FieldDocument:
    return FieldDocument(field=change.name, before=shown_value(change.before), after=shown_value(change.after))
