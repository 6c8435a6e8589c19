"""`planner.yaml` to a `Project`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from planner.diagnostics import Diagnostics
from planner.spec.authored import ExecutionFields, PolicyFields, ProjectFields
from planner.spec.document import Document, Items, Mapping
from planner.spec.files import PROJECT_FILE, FileFault, display_name, read_authored
from planner.spec.model import ExecutionSettings, Policy, Project, Target
from planner.spec.parser import MAX_BYTES, decode, parse
from planner.spec.plan import check_version
from planner.spec.reading import read_fields, read_nested
from planner.spec.reporting import EnoughFaults, Reporter
from planner.spec.targets import check_slug, read_target
from planner.spec.wording import wrong_type


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
        return Project(), diagnostics
    except OSError as error:
        reporter.file_fault(file, "file-unreadable", f"{file} cannot be read: {error.strerror}")
        return Project(), diagnostics
    try:
        source = decode(data, file, reporter)
        document = parse(source, reporter) if source is not None and not _is_blank(source.text) else None
        if document is None or not check_version(document, reporter, required=False):
            return Project(), diagnostics
        return _project(document, reporter), diagnostics
    except EnoughFaults:
        return Project(), diagnostics


def _project(document: Document, reporter: Reporter) -> Project:
    root = document.root
    fields = read_fields(ProjectFields, document, root, reporter)
    execution = read_nested(ExecutionFields, document, root, "execution", reporter)
    policy = read_nested(PolicyFields, document, root, "policy", reporter)
    settings = execution[1] if execution else ExecutionFields()
    return Project(
        environments=_environments(document, reporter),
        execution=ExecutionSettings(settings.settle_seconds, settings.linger_seconds, settings.mark_prompts),
        policy=_policy(document, policy, reporter) if policy else Policy(),
        rates=tuple(fields.rates.items()),
    )


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
    return Policy(fields.max_cost_cents, allowed, fields.max_concurrent_runs, fields.max_calls)


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


def _is_blank(text: str) -> bool:
    """Whether there is nothing but comments: a project that sets nothing yet."""
    return all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines())
