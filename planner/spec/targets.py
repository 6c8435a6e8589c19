"""Aliases to what they call, from the plan itself or from the chosen environment of the project."""

from __future__ import annotations

import re
from collections.abc import Mapping as Lookup
from typing import Any

from planner.diagnostics import Span
from planner.spec.authored import SLUG, PlanFields, TargetFields
from planner.spec.document import Document, Items, Mapping, at, value_mark
from planner.spec.model import Project, Target
from planner.spec.reading import missing, read_fields
from planner.spec.reporting import Reporter
from planner.spec.wording import describe, not_a_slug, one_of, shorten, unknown, wrong_type

_SLUG = re.compile(SLUG)

Aliases = dict[str, Target | None]
"""None: the alias is written, but what it stands for has a fault that was reported."""


class TargetReader:
    """Reads `targets` of plans. `environment` is the chosen one's name, known to be in the project, or None."""

    def __init__(self, project: Project, environment: str | None, reporter: Reporter) -> None:
        self.project = project
        self.environment = environment
        self.reporter = reporter
        chosen = dict(project.environments).get(environment or "", ())
        self.chosen: Lookup[str, Target] = {target.alias: target for target in chosen}

    def read(self, document: Document) -> Aliases | None:
        """All aliases that the plan's scenarios can name, in the order written; None, and a fault, where they cannot be read."""
        written: Any = document.root.get("targets")
        if written in ({}, []):
            detail = "there is nothing to call; write targets such as {support: {agent: 12}}"
            self.reporter.error("no-targets", detail, document.value(document.root, "targets"))
        match written:
            case Mapping():
                return {alias: self._defined(document, written, alias) for alias in written}
            case Items():
                return self._listed(document, written)
            case None:
                if missing(PlanFields, document.root, "targets"):
                    self.reporter.error(
                        "missing-key",
                        "`targets` is required: what to call, such as targets: {support: {agent: 12}}",
                        start_of(document),
                    )
                return None
            case _:
                self.reporter.error(
                    "wrong-type",
                    wrong_type("a mapping such as {support: {agent: 12}}", written),
                    document.value(document.root, "targets"),
                )
                return None

    def _defined(self, document: Document, written: Mapping, alias: str) -> Target | None:
        where = document.key(written, alias)
        check_slug(alias, where, self.reporter)
        target = read_target(document, written, alias, self.reporter)
        if target is None:
            return None
        other = self.chosen.get(alias)
        if other is not None and other != target:
            self.reporter.error(
                "target-conflict",
                f"`{alias}` is {_told(target)} here and {_told(other)} in environment `{self.environment}`; keep one (targets: [{alias}] takes the environment's)",
                where,
            )
            return None
        return self._allowed(target, document.value(written, alias))

    def _listed(self, document: Document, written: Items) -> Aliases:
        aliases: Aliases = {}
        for index, alias in enumerate(written):
            where = document.item(written, index)
            if not isinstance(alias, str):
                self.reporter.error("wrong-type", f"an alias is a text, but this is {describe(alias)}", where)
                continue
            if alias in aliases:
                self.reporter.error("duplicate-item", f"`{shorten(alias, 40)}` is listed twice", where)
                continue
            aliases[alias] = self._from_environment(alias, where)
        return aliases

    def _from_environment(self, alias: str, where: Span) -> Target | None:
        target = self.chosen.get(alias)
        if target is not None:
            return self._allowed(target, where)
        if self.environment is not None:
            self.reporter.error(
                "unknown-target",
                unknown(f"environment `{self.environment}` does not define `{shorten(alias, 40)}`", alias, self.chosen),
                where,
            )
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
            self.reporter.error(
                "unknown-target",
                unknown(f"no environment of planner.yaml defines `{shorten(alias, 40)}`", alias, dict.fromkeys(known)),
                where,
            )
        return None

    def _allowed(self, target: Target, where: Span) -> Target | None:
        allowed = self.project.policy.allowed_targets
        if allowed is None or (target.kind, target.id) in allowed:
            return target
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
    if fields.agent is not None:
        return Target(str(key), "agent", fields.agent)
    return Target(str(key), "phone_number", fields.phone_number or 0)


def _is_the_number_itself(document: Document, written: Mapping) -> bool:
    """With its plus, in quotes or not: unquoted, YAML would read it as an id that nobody has."""
    start, _ = value_mark(written, "phone_number")
    return document.source.text[start : start + 2].lstrip("\"'").startswith("+")


def check_slug(name: str, where: Span, reporter: Reporter) -> bool:
    if _SLUG.fullmatch(name) and len(name) <= 100:
        return True
    reporter.error("not-a-slug", not_a_slug(name) if len(name) <= 100 else "a name may have 100 characters", where)
    return False


def _told(target: Target) -> str:
    return f"{target.kind.replace('_', ' ')} {target.id}"


def start_of(document: Document) -> Span:
    """The first key of the file: the place of a key that is missing."""
    for key in document.root:
        return document.key(document.root, key)
    return document.source.span(*document.top)
