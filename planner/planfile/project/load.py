"""`planner.yaml` to a `Project`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from planner.checks.patterns import compile_pattern, finds_everything
from planner.diagnostics import Diagnostics
from planner.planfile.files import PROJECT_FILE, FileFault, display_name, read_authored
from planner.planfile.grammar.field_errors import wrong_type
from planner.planfile.grammar.fields import absent, read_fields, read_nested
from planner.planfile.grammar.project_models import ExecutionFields, PolicyFields, ProjectFields, QuietHoursFields
from planner.planfile.grammar.version import check_version
from planner.planfile.model import ExecutionSettings, Policy, Project, QuietHours, Target
from planner.planfile.project.judge import read_judge
from planner.planfile.project.prices import KNOWN_PRODUCTS
from planner.planfile.project.stores import store_fault
from planner.planfile.project.zones import zone_fault
from planner.planfile.reporter import EnoughFaults, Reporter
from planner.planfile.targets import check_slug, read_target
from planner.planfile.text import nearest, shorten
from planner.planfile.yaml.decoding import MAX_BYTES, decode
from planner.planfile.yaml.document import Document, Items, Mapping, larger_than, start_of
from planner.planfile.yaml.numbers import as_written
from planner.planfile.yaml.parsing import parse

PARTS = frozenset({"environments", "allowed_targets", "judge"})
"""What plans are held against."""
_UNREADABLE = Project(readable=False, doubted=PARTS)
MAX_VALUES = 50_000
"""In all of planner.yaml, which every command reads."""
MAX_PATTERNS = 300
"""Each is looked for in everything that is shown, and compiling one may take a millisecond."""


def load_project(root: Path, *, cwd: Path) -> tuple[Project, Diagnostics]:
    """The project at `root`, or the defaults where it has no `planner.yaml`; defaults, too, for whatever has a fault."""
    diagnostics = Diagnostics()
    reporter = Reporter(diagnostics)
    path = root / PROJECT_FILE
    file = display_name(path, cwd)
    try:
        if not path.exists():
            return Project(), diagnostics
        data = read_authored(path, file, MAX_BYTES + 1)  # one too many is `decode`'s to tell
    except FileFault as fault:
        reporter.file_fault(file, fault.code, fault.detail)
        return _UNREADABLE, diagnostics
    except OSError as error:
        reporter.file_fault(file, "file-unreadable", f"{file} cannot be read: {error.strerror}")
        return _UNREADABLE, diagnostics
    return _read(data, file, diagnostics), diagnostics


def read_project(data: bytes, file: str) -> tuple[Project, Diagnostics]:
    """The project that these bytes are, under the name `file`."""
    diagnostics = Diagnostics()
    return _read(data, file, diagnostics), diagnostics


def _read(data: bytes, file: str, diagnostics: Diagnostics) -> Project:
    reporter = Reporter(diagnostics)
    try:
        source = decode(data, file, reporter)
        document = parse(source, reporter) if source is not None and not is_blank(source.text) else None
        if document is None or not check_version(document, reporter, required=False):
            return _UNREADABLE if reporter.errors else Project()
        if larger_than(document.root, MAX_VALUES):
            detail = f"this file may hold {MAX_VALUES:,} values, aliases expanded"
            reporter.error("too-many-nodes", detail, start_of(document))
            return _UNREADABLE
        return _project(document, reporter)
    except EnoughFaults:
        return _UNREADABLE


def _project(document: Document, reporter: Reporter) -> Project:
    root = document.root
    fields = read_fields(ProjectFields, document, root, reporter)
    execution = read_nested(ExecutionFields, document, root, "execution", reporter)
    policy = read_nested(PolicyFields, document, root, "policy", reporter)
    settings = execution[1] if execution else ExecutionFields()
    for product in fields.rates:
        meant = None if product in KNOWN_PRODUCTS else nearest(product, KNOWN_PRODUCTS)
        if meant is not None and meant not in fields.rates:
            detail = f"the service has no product `{shorten(product, 40)}` that is known; did you mean `{meant}`?"
            reporter.warning("near-miss", detail, document.key(root["rates"], product))
    for product, rate in fields.rates.items():
        if 0 < rate < 1:  # cents are meant: an estimate in hundredths of them would let every ceiling be broken
            detail = f"rates are cents a minute, and this is less than one: for ${rate:g} write {rate * 100:g}"
            reporter.warning("bad-value", detail, document.value(root["rates"], product))
    if fields.store is not None and (fault := store_fault(fields.store)):
        reporter.error("bad-value", fault, document.value(root, "store"))
    doubted = set(() if {*root} <= {*ProjectFields.model_fields} else PARTS)  # an unknown key may be any of them
    with _doubting("environments", doubted, reporter):
        environments = _environments(document, reporter)
    with _doubting("judge", doubted, reporter):
        judge = read_judge(document, reporter)
    with _doubting("allowed_targets", doubted, reporter):
        limits = _policy(document, policy, reporter) if policy else Policy()
    project = Project(
        environments=environments,
        execution=ExecutionSettings(settings.settle_seconds, settings.linger_seconds, settings.mark_prompts),
        policy=limits,
        rates=tuple(fields.rates.items()),
        judge=judge,
        redact=_redact(document, reporter),
        store=fields.store,
        doubted=frozenset(doubted),
    )
    return project if not reporter.errors else replace(project, readable=False)


@contextmanager
def _doubting(part: str, doubted: set[str], reporter: Reporter) -> Generator[None]:
    """Doubt a part that has a fault: plans that need it are not to be blamed."""
    errors = reporter.errors
    yield
    if reporter.errors > errors:
        doubted.add(part)


def _policy(document: Document, policy: tuple[Mapping, PolicyFields], reporter: Reporter) -> Policy:
    written, fields = policy
    allowed: frozenset[tuple[str, int]] | None = None
    items: Any = written.get("allowed_targets")
    if isinstance(items, Items):
        targets = [read_target(document, items, index, reporter) for index in range(len(items))]
        allowed = frozenset((target.kind, target.id) for target in targets if target is not None)
    elif items is not None:
        reporter.error(
            "wrong-type", wrong_type("a list such as [{agent: 12}]", items), document.value(written, "allowed_targets")
        )
        allowed = frozenset()
    quiet_hours = _quiet_hours(document, written, reporter)
    return Policy(fields.max_cost_cents, allowed, fields.max_concurrent_runs, fields.max_calls, quiet_hours)


def _quiet_hours(document: Document, policy: Mapping, reporter: Reporter) -> QuietHours | None:
    nested = read_nested(QuietHoursFields, document, policy, "quiet_hours", reporter)
    if nested is None:
        return None
    written, fields = nested
    examples = {"start": '"20:00"', "end": '"08:00"', "time_zone": "Europe/Berlin"}
    for key in absent(QuietHoursFields, written, examples):
        reporter.error(
            "missing-key", f"`{key}` is required, such as {key}: {examples[key]}", document.key(policy, "quiet_hours")
        )
    zone = fields.time_zone
    if zone is not None and (fault := zone_fault(zone)):
        reporter.error("bad-value", fault, document.value(written, "time_zone"))
        zone = None
    if fields.start is None or fields.end is None:
        return None
    if fields.start == fields.end:
        reporter.error(
            "bad-value",
            "they end when they begin, so it is not clear whether that is always or never",
            document.value(written, "end"),
        )
    if zone is None:
        return None
    return QuietHours(time.fromisoformat(fields.start), time.fromisoformat(fields.end), ZoneInfo(zone))


def _redact(document: Document, reporter: Reporter) -> tuple[str, ...]:
    """The patterns; one that cannot be read is reported, at its place."""
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
            reporter.error("wrong-type", wrong_type("text", pattern, as_written(document, written, index)), place)
            continue
        try:
            compiled = compile_pattern(pattern)
        except ValueError as error:
            reporter.error("bad-regex", str(error), place)
            continue
        if compiled.search(""):
            reporter.error("bad-value", "this matches the empty text, so it would leave out everything", place)
        elif finds_everything(compiled):
            reporter.error("bad-value", "this matches every character, so it would leave out everything", place)
        patterns.append(pattern)
    return tuple(patterns)


def _environments(document: Document, reporter: Reporter) -> tuple[tuple[str, tuple[Target, ...]], ...]:
    written: Any = document.root.get("environments")
    if not isinstance(written, Mapping):
        if written is not None:
            reporter.error(
                "wrong-type",
                wrong_type("a mapping of environments", written),
                document.value(document.root, "environments"),
            )
        return ()
    environments: list[tuple[str, tuple[Target, ...]]] = []
    for name in written:
        check_slug(name, document.key(written, name), reporter)
        aliases: Any = written[name]
        if not isinstance(aliases, Mapping):
            reporter.error(
                "wrong-type",
                wrong_type("a mapping such as {support: {agent: 12}}", aliases),
                document.value(written, name),
            )
            continue
        for alias in aliases:
            check_slug(alias, document.key(aliases, alias), reporter)
        targets = [read_target(document, aliases, alias, reporter) for alias in aliases]
        environments.append((name, tuple(target for target in targets if target is not None)))
    return tuple(environments)


def is_blank(text: str) -> bool:
    """Whether there is nothing but comments: a project that sets nothing yet."""
    return all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines())
