"""Aliases to what they call, from the plan itself or from the chosen environment of the project."""

from __future__ import annotations

import re
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from planner.diagnostics import Span
from planner.planfile.addresses import problem_with_tool_address
from planner.planfile.agent_files import AgentFileReader
from planner.planfile.fields import missing, not_a_slug, read_fields, wrong_type
from planner.planfile.files import PROJECT_FILE
from planner.planfile.grammar import SLUG, AllowedTargetFields, PlanFields, TargetFields
from planner.planfile.model import ConfigReference, Project, Target
from planner.planfile.reporter import Reporter, Unresolved, Use
from planner.planfile.text import describe, one_of, shorten, unknown
from planner.planfile.yaml.document import Items, YamlMapping, at, start_of


@dataclass(slots=True)
class Aliases:
    """The aliases that a plan's scenarios can name. None: the target has an error, which was reported."""

    own: dict[str, Target | None]
    """What the plan lists or defines, in the order written: a scenario that names no target calls all of them."""
    reporter: Reporter
    readable: bool = True
    """False: `targets` has an error."""
    everything: list[Target] = field(init=False)
    """What is called if no target is named."""

    def __post_init__(self) -> None:
        self.everything = [target for target in self.own.values() if target is not None]

    def find(self, alias: str, where: Span, unresolved: Unresolved) -> Target | None:
        """The target of this name; None, and an error at the end of the plan, if there is none."""
        if alias in self.own:
            return self.own[alias]
        if self.readable:
            what = f"`{shorten(alias, 40)}` is not a target of this plan"
            message = partial(unknown, what, alias, self.own, self.reporter.searches)
            unresolved.add(f"target {alias}", Use("unknown-target", where), message)
        return None


class TargetReader:
    """Reads `targets` of plans. `environment` is the name of the chosen one, which the project has, or None."""

    def __init__(self, project: Project, environment: str | None, files: AgentFileReader) -> None:
        self.project = project
        self.environment = environment
        self.files = files
        self.reporter = files.reporter
        chosen = dict(project.environments).get(environment or "", ())
        self.chosen: Lookup[str, Target] = {target.alias: target for target in chosen}

    def read(self, root: YamlMapping, plan: Path) -> Aliases:
        """All aliases that the scenarios of the plan, which is at this path, can name."""
        own = self._own(root, plan)
        return Aliases(own or {}, self.reporter, readable=own is not None)

    def _own(self, root: YamlMapping, plan: Path) -> dict[str, Target | None] | None:
        written: Any = root.get("targets")
        if "targets" not in root:
            if missing(PlanFields, root, "targets"):
                detail = "`targets` is required: what to call, such as targets: {support: {agent: 12}}"
                self.reporter.error("missing-key", detail, start_of(root))
            return None
        if written in ({}, []):
            detail = "there is nothing to call; write targets such as {support: {agent: 12}}"
            self.reporter.error("no-targets", detail, root.span("targets"))
        if isinstance(written, YamlMapping):
            return {alias: self._defined(plan, written, alias) for alias in written}
        if isinstance(written, Items):
            return self._listed(written)
        if written is not None:  # an empty key was reported with the fields
            detail = wrong_type("a mapping such as {support: {agent: 12}}, or a list of aliases", written)
            self.reporter.error("wrong-type", detail, root.span("targets"))
        return None

    def _defined(self, plan: Path, written: YamlMapping, alias: str) -> Target | None:
        check_slug(alias, written.key_span(alias), self.reporter)
        target = read_target(written, alias, self.reporter)
        if target is None:
            return None
        other = self.chosen.get(alias)
        if other is not None and (other.kind, other.id) != (target.kind, target.id):
            conflict = f"`{alias}` is {_shown(target)} here and {_shown(other)} in environment `{self.environment}`"
            detail = f"{conflict}; keep one (targets: [{alias}] takes the environment's)"
            self.reporter.error("target-conflict", detail, written.key_span(alias))
            return None
        reference = config_reference(written, alias)
        target = self._joined(with_config(target, reference, plan, self.files), written.key_span(alias))
        return None if target is None else self._allowed(target, written.span(alias))

    def _listed(self, written: Items) -> dict[str, Target | None]:
        aliases: dict[str, Target | None] = {}
        for index, alias in enumerate(written):
            where = written.span(index)
            if not isinstance(alias, str):
                example = "define targets as {support: {agent: 12}}"
                detail = f"an alias must be a string, but this is {describe(alias)}; {example}"
                self.reporter.error("wrong-type", detail, where)
            elif alias in aliases:
                self.reporter.error("duplicate-item", f"`{shorten(alias, 40)}` is listed twice; remove one", where)
            elif alias in self.chosen:
                target = self._joined(self.chosen[alias], where)
                aliases[alias] = None if target is None else self._allowed(target, where)
            else:
                aliases[alias] = None
                self._report_undefined(alias, where)
        return aliases

    def _joined(self, target: Target | None, where: Span) -> Target | None:
        """The target with the agent's file that the chosen environment names; None, and an error, if it has another."""
        reference = None if target is None else self.project.agent_files.get((self.environment or "", target.alias))
        if target is None or reference is None:
            return target
        owner = (self.project.root or self.files.neighbours.cwd) / PROJECT_FILE
        joined = with_config(target, reference, owner, self.files)
        if joined is None or target.config is None or target.config == joined.config:
            return joined
        named = f"`config` of `{target.alias}` in environment `{self.environment}` is {reference.path}; keep one"
        self.reporter.error("target-conflict", named, where)
        return None

    def _report_undefined(self, alias: str, where: Span) -> None:
        if not self.project.readable:
            self.reporter.errors += 1  # what could not be read may define it
            return
        shown = shorten(alias, 40)
        environments = self.project.environments
        defining = [name for name, targets in environments if any(target.alias == alias for target in targets)]
        if self.environment is not None:
            what, known = f"environment `{self.environment}` does not define `{shown}`", [*self.chosen]
        elif defining:
            choices = " or ".join(f"--environment {name}" for name in defining)
            detail = f"`{alias}` is defined by an environment; choose {choices}"
            self.reporter.error("environment-needed", detail, where)
            return
        else:
            what = f"nothing defines `{shown}`: write targets: {{{shown}: {{agent: 12}}}}, or define it in planner.yaml"
            known = [target.alias for _, targets in environments for target in targets]
        detail = unknown(what, alias, dict.fromkeys(known))
        self.reporter.error("unknown-target", detail, where)

    def _allowed(self, target: Target, where: Span) -> Target | None:
        allowed = self.project.policy.allowed_targets
        if allowed is None or (target.kind, target.id) in allowed:
            return target
        if not self.project.readable:
            self.reporter.errors += 1  # the list of allowed targets may be incomplete
            return None
        known = one_of(f"{kind} {number}" for kind, number in sorted(allowed)) if allowed else "nothing"
        detail = f"{_shown(target)} may not be called: the project's policy allows {known}"
        self.reporter.error("target-not-allowed", detail, where)
        return None


def read_target(
    container: YamlMapping | Items,
    key: str | int,
    reporter: Reporter,
    model: type[AllowedTargetFields] = TargetFields,
) -> Target | None:
    """`{agent: 12}` or `{phone_number: 77}`; None, and an error, for anything else. The alias is the key. `config` is
    not read."""
    written: Any = at(container, key)
    place = container.span(key)
    if not isinstance(written, YamlMapping):
        reporter.error("wrong-type", wrong_type("{agent: ID} or {phone_number: ID}", written), place)
        return None
    if "phone_number" in written and _is_dialled(written):
        detail = "this is a phone number; write its id at the service, an integer such as 77"
        reporter.error("bad-value", detail, written.span("phone_number"))
        return None
    errors = reporter.errors
    fields = read_fields(model, written, reporter)
    if reporter.errors > errors:
        return None
    if isinstance(fields, TargetFields) and not _has_valid_test_tools(written, fields, reporter):
        return None
    if (fields.agent is None) == (fields.phone_number is None):
        reporter.error("bad-value", "a target is either an `agent` or a `phone_number`", place)
        return None
    kind = "phone_number" if fields.agent is None else "agent"
    return Target(str(key), kind, fields.agent or fields.phone_number or 0)


def _has_valid_test_tools(written: YamlMapping, fields: TargetFields, reporter: Reporter) -> bool:
    """Reports addresses that no tool can have, and test tools of a target without previews."""
    if not fields.test_tools:
        return True
    if fields.config is None:
        detail = "only previews have test tools: write `config`, too, the file with what the agent should be"
        reporter.error("bad-value", detail, written.key_span("test_tools"))
        return False
    tools: YamlMapping = written["test_tools"]
    problems = [
        (problem, tools.span(name))
        for name, address in fields.test_tools.items()
        if (problem := problem_with_tool_address(address))
    ]
    for problem, place in problems:
        reporter.error("bad-value", problem, place)
    return not problems


def config_reference(container: YamlMapping, alias: str) -> ConfigReference | None:
    """`config` of a target without errors; None if it has none."""
    written: YamlMapping = container[alias]
    if "config" not in written:
        return None
    tools: Lookup[str, str] = written.get("test_tools") or {}
    return ConfigReference(written["config"], written.place("config"), tuple(sorted(tools.items())))


def with_config(
    target: Target | None, reference: ConfigReference | None, owner: Path, files: AgentFileReader
) -> Target | None:
    """The target with its agent's file, which is relative to `owner`; None, and errors, if that cannot be used. A phone
    number gets none, which is a warning."""
    if target is None or reference is None:
        return target
    config = files.read(owner, reference.path, reference.place.span)
    if config is not None and reference.test_tools:
        config = replace(config, test_tools=reference.test_tools)
    if config is None or target.kind == "agent":
        return None if config is None else replace(target, config=config)
    detail = f"a preview cannot be called through a phone number: calls to `{target.alias}` reach the deployed agent"
    files.reporter.warning("config-not-called", detail, reference.place.span)
    return target


def _is_dialled(written: YamlMapping) -> bool:
    """Whether it begins with a plus, in quotes or not: unquoted, YAML would read it as an id."""
    start, _ = written.value_mark("phone_number")
    return written.source.text[start : start + 2].lstrip("\"'").startswith("+")


def is_slug(name: str) -> bool:
    return len(name) <= 100 and re.fullmatch(SLUG, name) is not None


def check_slug(name: str, where: Span, reporter: Reporter) -> None:
    """Report a name that is not a slug."""
    if not is_slug(name):
        detail = not_a_slug(name) if len(name) <= 100 else "a name may have 100 characters"
        reporter.error("not-a-slug", detail, where)


def _shown(target: Target) -> str:
    return f"{target.kind.replace('_', ' ')} {target.id}"
