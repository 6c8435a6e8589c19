"""Reads `planner.yaml` into a `Project`."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from planner.checks.patterns import compile_pattern, finds_everything
from planner.diagnostics import Diagnostics
from planner.errors import UsageError
from planner.planfile.files import PROJECT_FILE, FileFault, display_name, read_authored
from planner.planfile.grammar.field_errors import wrong_type
from planner.planfile.grammar.fields import check_version, read_fields, read_mapping, read_nested
from planner.planfile.grammar.models import AllowedTargetFields
from planner.planfile.grammar.project_models import ExecutionFields, PolicyFields, ProjectFields, QuietHoursFields
from planner.planfile.model import ConfigReference, ExecutionSettings, Policy, Project, QuietHours, Target
from planner.planfile.project.addresses import parse_store
from planner.planfile.project.judge import read_judge
from planner.planfile.project.prices import KNOWN_PRODUCTS
from planner.planfile.reporter import EnoughFaults, Reporter
from planner.planfile.targets import check_slug, config_reference, read_target
from planner.planfile.text import nearest, shorten, unknown
from planner.planfile.yaml.document import Document, Items, Mapping, larger_than, start_of
from planner.planfile.yaml.reader import MAX_BYTES
from planner.planfile.yaml.reading import decode, parse

_UNREADABLE = Project(readable=False)
MAX_VALUES = 50_000
"""Maximum number of values in planner.yaml, which every command reads."""
MAX_PATTERNS = 300
"""Maximum number of `redact` patterns: each is searched in everything that is shown."""


def load_project(root: Path, *, cwd: Path) -> tuple[Project, Diagnostics]:
    """The project at `root`, or the defaults if it has no `planner.yaml`; defaults, too, for everything with an error."""
    diagnostics = Diagnostics()
    path = root / PROJECT_FILE
    file = display_name(path, cwd)
    try:
        if not path.exists():
            return Project(), diagnostics
        data = read_authored(path, file, MAX_BYTES + 1)  # `decode` reports a file with one byte too many
    except FileFault as fault:
        Reporter(diagnostics).file_fault(file, fault.code, fault.detail)
        return _UNREADABLE, diagnostics
    except OSError as error:
        Reporter(diagnostics).file_fault(file, "file-unreadable", f"{file} cannot be read: {error.strerror}")
        return _UNREADABLE, diagnostics
    project, _ = read_project(data, file, diagnostics)
    return replace(project, root=root), diagnostics


def read_project(data: bytes, file: str, diagnostics: Diagnostics | None = None) -> tuple[Project, Diagnostics]:
    """The project in these bytes, with `file` as its name in diagnostics."""
    diagnostics = Diagnostics() if diagnostics is None else diagnostics
    reporter = Reporter(diagnostics)
    try:
        source = decode(data, file, reporter)
        document = parse(source, reporter) if source is not None and not _is_blank(source.text) else None
        if document is None or not check_version(document, reporter, required=False):
            return _UNREADABLE if reporter.errors else Project(), diagnostics
        if larger_than(document.root, MAX_VALUES):
            detail = f"this file may hold {MAX_VALUES:,} values, aliases expanded"
            reporter.error("too-many-nodes", detail, start_of(document))
            return _UNREADABLE, diagnostics
        return _project(document, reporter), diagnostics
    except EnoughFaults:
        return _UNREADABLE, diagnostics


def _project(document: Document, reporter: Reporter) -> Project:
    root = document.root
    fields = read_fields(ProjectFields, document, root, reporter)
    execution = read_nested(ExecutionFields, document, root, "execution", reporter)
    settings = execution[1] if execution else ExecutionFields()
    for product, rate in fields.rates.items():
        meant = None if product in KNOWN_PRODUCTS else nearest(product, KNOWN_PRODUCTS)
        if meant is not None and meant not in fields.rates:
            detail = f"the service has no known product `{shorten(product, 40)}`; did you mean `{meant}`?"
            reporter.warning("near-miss", detail, document.key(root["rates"], product))
        if 0 < rate < 1:  # a rate in dollars would make every budget useless
            detail = f"rates are cents per minute, and this is less than one: for ${rate:g} write {rate * 100:g}"
            reporter.warning("bad-value", detail, document.value(root["rates"], product))
    if fields.store is not None:
        try:
            parse_store(fields.store)
        except UsageError as error:
            reporter.error("bad-value", str(error), document.value(root, "store"))
    environments, agent_files = _environments(document, reporter)
    project = Project(
        environments=environments,
        execution=ExecutionSettings(settings.settle_seconds, settings.linger_seconds, settings.mark_prompts),
        policy=_policy(document, reporter),
        rates=tuple(fields.rates.items()),
        judge=read_judge(document, reporter),
        redact=_redact(document, reporter),
        store=fields.store,
        store_public=fields.store_public,
        agent_files=agent_files,
    )
    return project if not reporter.errors else replace(project, readable=False)


def _policy(document: Document, reporter: Reporter) -> Policy:
    nested = read_nested(PolicyFields, document, document.root, "policy", reporter)
    if nested is None:
        return Policy()
    written, fields = nested
    allowed: frozenset[tuple[str, int]] | None = None
    items: Any = written.get("allowed_targets")
    if isinstance(items, Items):
        targets = [read_target(document, items, index, reporter, AllowedTargetFields) for index in range(len(items))]
        allowed = frozenset((target.kind, target.id) for target in targets if target is not None)
    elif items is not None:
        detail = wrong_type("a list such as [{agent: 12}]", items)
        reporter.error("wrong-type", detail, document.value(written, "allowed_targets"))
        allowed = frozenset()
    quiet_hours = _quiet_hours(document, written, reporter)
    return Policy(
        fields.max_cost_cents, allowed, fields.max_concurrent_runs, fields.max_calls, quiet_hours, fields.previews
    )


def _quiet_hours(document: Document, policy: Mapping, reporter: Reporter) -> QuietHours | None:
    nested = read_nested(QuietHoursFields, document, policy, "quiet_hours", reporter)
    if nested is None:
        return None
    written, fields = nested
    if fields.start is not None and fields.start == fields.end:
        detail = "they end when they start, so it is not clear whether that means always or never"
        reporter.error("bad-value", detail, document.value(written, "end"))
    zone = fields.time_zone
    if zone is not None and zone not in available_timezones():
        detail = unknown(f"`{shorten(zone, 40)}` is not a name of the time zone database", zone, available_timezones())
        reporter.error("bad-value", detail, document.value(written, "time_zone"))
        return None
    if fields.start is None or fields.end is None or zone is None:
        return None
    return QuietHours(time.fromisoformat(fields.start), time.fromisoformat(fields.end), ZoneInfo(zone))


def _redact(document: Document, reporter: Reporter) -> tuple[str, ...]:
    """The patterns that can be used; others are reported."""
    written: Any = document.root.get("redact")
    if not isinstance(written, Items):
        if written is not None:
            reporter.error("wrong-type", wrong_type("a list", written), document.value(document.root, "redact"))
        return ()
    if len(written) > MAX_PATTERNS:
        detail = f"`redact` may have {MAX_PATTERNS} patterns, this has {len(written):,}; join some with |"
        reporter.error("too-many-nodes", detail, document.value(written, MAX_PATTERNS))
        return ()
    patterns: list[str] = []
    for index, pattern in enumerate(written):
        place = document.value(written, index)
        if not isinstance(pattern, str):
            detail = wrong_type("text", pattern, document.as_written(written, index))
            reporter.error("wrong-type", detail, place)
            continue
        try:
            compiled = compile_pattern(pattern)
        except ValueError as error:
            reporter.error("bad-regex", str(error), place)
            continue
        if compiled.search("") or finds_everything(compiled):
            reporter.error("bad-value", "this matches everything, so nothing would be shown", place)
        patterns.append(pattern)
    return tuple(patterns)


def _environments(
    document: Document, reporter: Reporter
) -> tuple[tuple[tuple[str, tuple[Target, ...]], ...], dict[tuple[str, str], ConfigReference]]:
    """The targets of each environment, and what their `config` names."""
    references: dict[tuple[str, str], ConfigReference] = {}
    written = read_mapping(document, document.root, "environments", "a mapping of environments", reporter) or Mapping()
    environments: list[tuple[str, tuple[Target, ...]]] = []
    for name in written:
        check_slug(name, document.key(written, name), reporter)
        aliases: Any = written[name]
        if not isinstance(aliases, Mapping):
            detail = wrong_type("a mapping such as {support: {agent: 12}}", aliases)
            reporter.error("wrong-type", detail, document.value(written, name))
            continue
        for alias in aliases:
            check_slug(alias, document.key(aliases, alias), reporter)
        targets: list[Target] = []
        for alias in aliases:
            target = read_target(document, aliases, alias, reporter)
            if target is not None:
                targets.append(target)
                if reference := config_reference(document, aliases, alias):
                    references[name, alias] = reference
        environments.append((name, tuple(targets)))
    return tuple(environments), references


def _is_blank(text: str) -> bool:
    """Whether the file has only comments."""
    return all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines())
