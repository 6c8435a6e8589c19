"""Aliases to what they call, from the plan itself or from the chosen environment of the project."""

from __future__ import annotations

import re
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field
from typing import Any

from planner.diagnostics import Span
from planner.planfile.grammar.field_errors import not_a_slug, wrong_type
from planner.planfile.grammar.fields import missing, read_fields
from planner.planfile.grammar.models import MAX_TARGETS, SLUG, PlanFields, TargetFields
from planner.planfile.model import Project, Target
from planner.planfile.reporter import Reporter, Said
from planner.planfile.text import describe, one_of, shorten, unknown
from planner.planfile.unresolved import Unresolved, Use
from planner.planfile.yaml.document import Document, Items, Mapping, at, start_of, value_mark
from planner.planfile.yaml.source import Place

_DEFINE = "what to call is written {support: {agent: 12}}"
_SLUG = re.compile(SLUG)


@dataclass(frozen=True, slots=True)
class ImportedTarget:
    """A target of a library, and where it is written. None: it has a fault that was reported."""

    target: Target | None
    span: Span


@dataclass(frozen=True, slots=True)
class Imported:
    """Targets of libraries by alias; not `complete`: an import could not be read, and may define what is not here."""

    targets: Lookup[str, ImportedTarget]
    complete: bool = True


@dataclass(slots=True)
class Aliases:
    """The aliases that a plan's scenarios can name. None: it is written, but what it stands for has a fault that was reported."""

    own: dict[str, Target | None]
    """What the plan lists or defines, in the order written: a scenario that names no target calls all of them."""
    imported: Imported
    """What can be named besides: importing alone calls nothing, so that a plan's price stays its own matter."""
    reader: TargetReader
    readable: bool = True
    """False: `targets` cannot be read, which was reported."""
    everything: list[Target] = field(init=False)
    """What is called where no target is named."""
    unknown: Unresolved = field(init=False)
    """Names that scenarios call and that are no aliases."""

    def __post_init__(self) -> None:
        self.everything = [target for target in self.own.values() if target is not None]
        self.unknown = Unresolved(self.reader.reporter)

    def find(self, alias: str, where: Span) -> Target | None:
        """What is called by this name, at this place; None, and a fault, where it is no alias of the plan.

        Such errors are reported when all of the plan is read.
        """
        if alias in self.own:
            return self.own[alias]
        if alias in self.imported.targets:
            return self.reader.imported(self.imported.targets[alias], where)
        if not self.readable:
            return None
        if self.unknown.has(alias):
            self.unknown.add(alias, [Use("unknown-target", "", where)])
            return None
        known, searches = {**self.own, **self.imported.targets}, self.reader.reporter.searches
        if self.imported.complete or searches.nearest(alias, known) is not None:
            detail = unknown(f"`{shorten(alias, 40)}` is not a target of this plan", alias, known, searches)
            self.unknown.add(alias, [Use("unknown-target", detail, where)])
        else:  # it may be in the import that was reported
            self.reader.reporter.errors += 1
        return None


class TargetReader:
    """Reads `targets` of plans. `environment` is the chosen one's name, known to be in the project, or None."""

    def __init__(self, project: Project, environment: str | None, reporter: Reporter) -> None:
        self.project = project
        self.environment = environment
        self.reporter = reporter
        chosen = dict(project.environments).get(environment or "", ())
        self.chosen: Lookup[str, Target] = {target.alias: target for target in chosen}
        self._said = Said()

    def read(self, document: Document, imported: Imported) -> Aliases:
        """All aliases that the plan's scenarios can name."""
        own = self._own(document, imported)
        return Aliases(own or {}, imported, self, readable=own is not None)

    def imported(self, found: ImportedTarget, where: Span) -> Target | None:
        """A target of a library as it is called here; None, and a fault, where it may not be."""
        target = found.target
        if target is None:
            return None
        other = self.chosen.get(target.alias)
        if other is not None and other != target:
            told = self._conflict(target, other)
            self.reporter.error_once(self._said, "target-conflict", f"{told}; keep one", found.span, where)
            return None
        return self._allowed(target, where)

    def _own(self, document: Document, imported: Imported) -> dict[str, Target | None] | None:
        written: Any = document.root.get("targets")
        if written in ({}, []):
            detail = "there is nothing to call; write targets such as {support: {agent: 12}}"
            self.reporter.error("no-targets", detail, document.value(document.root, "targets"))
        match written:
            case Mapping() | Items() if len(written) > MAX_TARGETS:
                detail = f"a plan may have {MAX_TARGETS:,} targets, this has {len(written):,}"
                self.reporter.error("too-many-nodes", detail, document.key(document.root, "targets"))
                return None
            case Mapping():
                return {alias: self._defined(document, written, alias) for alias in written}
            case Items():
                return self._listed(document, written, imported)
            case None if "targets" not in document.root and imported.targets:
                where = document.value(document.root, "imports")
                return {alias: self.imported(found, where) for alias, found in imported.targets.items()}
            case None if "targets" not in document.root and not imported.complete:
                return None  # they may be in the import that was reported
            case None:
                if missing(PlanFields, document.root, "targets"):
                    self.reporter.error(
                        "missing-key",
                        "`targets` is required: what to call, such as targets: {support: {agent: 12}}",
                        start_of(document),
                    )
                return None
            case _:
                detail = wrong_type("a mapping such as {support: {agent: 12}}", written)
                if isinstance(written, str):  # aliases that are defined elsewhere, mostly: `agent: 12` is somebody else
                    detail = f"{wrong_type('a list', written)}; or define what to call: {{support: {{agent: 12}}}}"
                self.reporter.error("wrong-type", detail, document.value(document.root, "targets"))
                return None

    def _defined(self, document: Document, written: Mapping, alias: str) -> Target | None:
        if not is_slug(alias):
            check_slug(alias, document.key(written, alias), self.reporter)
        target = read_target(document, written, alias, self.reporter)
        if target is None:
            return None
        other = self.chosen.get(alias)
        if other is not None and other != target:
            self.reporter.error(
                "target-conflict",
                f"{self._conflict(target, other)}; keep one (targets: [{alias}] takes the environment's)",
                document.key(written, alias),
            )
            return None
        return self._allowed(target, document.place(written, alias))

    def _conflict(self, target: Target, other: Target) -> str:
        return f"`{target.alias}` is {_told(target)} here and {_told(other)} in environment `{self.environment}`"

    def _listed(self, document: Document, written: Items, imported: Imported) -> dict[str, Target | None]:
        aliases: dict[str, Target | None] = {}
        for index, alias in enumerate(written):
            where = document.value(written, index)
            if not isinstance(alias, str):
                self.reporter.error(
                    "wrong-type", f"an alias is a text, but this is {describe(alias)}; {_DEFINE}", where
                )
                continue
            if alias in aliases:
                self.reporter.error("duplicate-item", f"`{shorten(alias, 40)}` is listed twice; remove one", where)
                continue
            if alias in imported.targets:
                aliases[alias] = self.imported(imported.targets[alias], where)
            else:
                aliases[alias] = self._from_environment(alias, where, imported)
        return aliases

    def _from_environment(self, alias: str, where: Span, imported: Imported) -> Target | None:
        target = self.chosen.get(alias)
        if target is not None:
            return self._allowed(target, where)
        shown = shorten(alias, 40)
        if self.environment is not None and "environments" in self.project.doubted:
            self.reporter.errors += 1  # it may be what could not be read there
            return None
        if self.environment is not None:
            told = f"environment `{self.environment}` does not define `{shown}`"
            self.report_unknown(unknown(told, alias, {**self.chosen, **imported.targets}), where, imported)
            return None
        defining = [
            name for name, targets in self.project.environments if any(target.alias == alias for target in targets)
        ]
        if defining:
            choices = " or ".join(f"--environment {name}" for name in defining)
            self.reporter.error(
                "environment-needed", f"what `{alias}` is depends on the environment; choose {choices}", where
            )
        else:
            known = [target.alias for _, targets in self.project.environments for target in targets]
            if not self.project.readable:
                self.reporter.errors += 1  # it may be in an environment that could not be read
                return None
            nobody = "no import and no environment" if imported.targets else "no environment"
            told = f"{nobody} of planner.yaml defines `{shown}`"
            detail = unknown(told, alias, dict.fromkeys([*known, *imported.targets]))
            if not known and not imported.targets:
                detail += f"; write targets: {{{shown}: {{agent: 12}}}} with its id, or define it in planner.yaml under `environments`"
            self.report_unknown(detail, where, imported)
        return None

    def report_unknown(self, detail: str, where: Span, imported: Imported) -> None:
        if imported.complete:
            self.reporter.error("unknown-target", detail, where)
        else:
            self.reporter.errors += 1  # it may be in the import that was reported

    def _allowed(self, target: Target, where: Span | Place) -> Target | None:
        allowed = self.project.policy.allowed_targets
        if allowed is None or (target.kind, target.id) in allowed:
            return target
        if "allowed_targets" in self.project.doubted:
            self.reporter.errors += 1  # it may be the one that could not be read
            return None
        where = where.span if isinstance(where, Place) else where
        known = one_of(f"{kind} {number}" for kind, number in sorted(allowed)) if allowed else "nothing"
        self.reporter.error(
            "target-not-allowed", f"{_told(target)} may not be called: the project's policy allows {known}", where
        )
        return None


def read_target(document: Document, container: Mapping | Items, key: str | int, reporter: Reporter) -> Target | None:
    """`{agent: 12}` or `{phone_number: 77}`; None, and a fault, for anything else. The alias is the key."""
    written: Any = at(container, key)
    if not isinstance(written, Mapping):
        reporter.error(
            "wrong-type", wrong_type("{agent: ID} or {phone_number: ID}", written), document.value(container, key)
        )
        return None
    if "phone_number" in written and _is_the_number_itself(document, written):
        reporter.error(
            "bad-value",
            "this is the number itself, not its id at the service (a whole number such as 77, as its list of phone numbers has it)",
            document.value(written, "phone_number"),
        )
        return None
    errors = reporter.errors
    fields = read_fields(TargetFields, document, written, reporter)
    if reporter.errors > errors:
        return None
    if (fields.agent is None) == (fields.phone_number is None):
        count = "both" if fields.agent is not None else "neither"
        reporter.error(
            "bad-value",
            f"a target is one of `agent` and `phone_number`; this has {count}",
            document.value(container, key),
        )
        return None
    kind = "agent" if fields.agent is not None else "phone_number"
    if len(str(fields.agent or fields.phone_number)) in _DIALLED_DIGITS:
        detail = "this looks like a phone number; an id at the service is a small whole number, such as 12, as its lists have it"
        reporter.warning("bad-value", detail, document.value(written, kind))
    if fields.agent is not None:
        return Target(str(key), "agent", fields.agent)
    return Target(str(key), "phone_number", fields.phone_number or 0)


_DIALLED_DIGITS = range(10, 16)
"""As many as a phone number has with its country or area code, and hardly an id."""


def _is_the_number_itself(document: Document, written: Mapping) -> bool:
    """With its plus, in quotes or not: unquoted, YAML would read it as an id that nobody has."""
    start, _ = value_mark(written, "phone_number")
    return document.source.text[start : start + 2].lstrip("\"'").startswith("+")


def is_slug(name: str) -> bool:
    return len(name) <= 100 and _SLUG.fullmatch(name) is not None


def check_slug(name: str, where: Span, reporter: Reporter) -> bool:
    if is_slug(name):
        return True
    reporter.error("not-a-slug", not_a_slug(name) if len(name) <= 100 else "a name may have 100 characters", where)
    return False


def _told(target: Target) -> str:
    return f"{target.kind.replace('_', ' ')} {target.id}"
