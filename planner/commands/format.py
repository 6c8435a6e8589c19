"""`planner format`: plans, libraries and `planner.yaml` in one form, so that a change shows what was changed."""

from __future__ import annotations

import difflib
import os
import stat
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from io import StringIO
from pathlib import Path
from typing import Literal

from pydantic_core import to_json

from planner.diagnostics import Diagnostics
from planner.errors import UsageError
from planner.invocation.reporting import tell_diagnostics
from planner.invocation.selection import DEFAULT_PATH
from planner.invocation.shell import Shell
from planner.reports.diagnostic_documents import as_documents
from planner.reports.neutral import for_json_text, for_terminal, without_controls
from planner.reports.quantities import count
from planner.spec import find_root, plan_files
from planner.spec.faults.reporting import EnoughFaults, Reporter
from planner.spec.files import PROJECT_FILE, FileFault, display_name, read_authored
from planner.spec.formatting import MeaningChangedError, format_file
from planner.spec.plans.load import collector_paused
from planner.spec.yaml.decoding import MAX_BYTES

INVALID = 2
BUG = 5


class _Outcome(Enum):
    """What became of one file. The values stand in the JSON document."""

    UNCHANGED = "unchanged"
    FORMATTED = "formatted"
    WOULD_FORMAT = "would-format"
    """It is not in the form, and nothing was to be written."""
    INVALID = "invalid"
    """Diagnostics say why."""
    REFUSED = "refused"
    BUG = "bug"


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """`check` and `diff` write nothing."""

    paths: tuple[Path, ...] = ()
    check: bool = False
    diff: bool = False
    output_format: Literal["text", "json"] = "text"


@dataclass(frozen=True, slots=True)
class _Done:
    """`detail` says why a file was refused; `diff` is there where it was asked for."""

    file: str
    outcome: _Outcome
    detail: str = ""
    diff: str = ""


def format_plans(shell: Shell, options: FormatOptions) -> int:
    """0 when all files are in the form (now, or with `check` already), 2 where one is not or cannot be, 5 for a bug."""
    diagnostics = Diagnostics()
    with collector_paused():
        done = [_done(shell, path, options, diagnostics) for path in _files(shell, options.paths)]
    if options.output_format == "json":
        shell.print(_json(done, diagnostics))
    else:
        tell_diagnostics(shell, diagnostics)
        _tell(shell, done, options)
    outcomes = {one.outcome for one in done}
    if _Outcome.BUG in outcomes:
        return BUG
    wanting = options.check and _Outcome.WOULD_FORMAT in outcomes
    return INVALID if wanting or outcomes & {_Outcome.INVALID, _Outcome.REFUSED} else 0


def _files(shell: Shell, paths: Sequence[Path]) -> list[Path]:
    """Files as named; of folders the plans inside them, what a link leads to in its place, and the `planner.yaml`."""
    found: dict[Path, None] = {}
    for path in paths or _default(shell):
        named = shell.cwd / path
        if not named.is_dir():
            found.update(dict.fromkeys(plan_files([named])))
            continue
        project = named / PROJECT_FILE
        if project.is_file():
            found[project] = None
        try:
            inside = plan_files([named])
        except UsageError:
            if not project.is_file():
                raise
            continue
        found.update(dict.fromkeys(map(_led_to, inside)))
    return list(found)


def _led_to(file: Path) -> Path:
    """The file itself in place of a link to it, unless that is not in the repository."""
    target = Path(os.path.realpath(file))
    return target if file.is_symlink() and target.is_relative_to(find_root(file.parent)) else file


def _default(shell: Shell) -> list[Path]:
    project = find_root(shell.cwd) / PROJECT_FILE
    if not project.exists():
        return [DEFAULT_PATH]
    return [project, DEFAULT_PATH] if (shell.cwd / DEFAULT_PATH).exists() else [project]


def _done(shell: Shell, path: Path, options: FormatOptions, diagnostics: Diagnostics) -> _Done:
    """Format one file. Its faults are added to `diagnostics`."""
    file = display_name(path, shell.cwd)
    reporter = Reporter(diagnostics)
    try:
        before = read_authored(path, file, MAX_BYTES + 1)  # one too many is `decode`'s to tell
        if path.is_symlink():
            return _Done(file, _Outcome.REFUSED, f"{file} is a link; name the file it leads to")
        after = format_file(before, file, reporter)
    except FileFault as fault:
        reporter.file_fault(file, fault.code, fault.detail)
        return _Done(file, _Outcome.INVALID)
    except EnoughFaults:
        return _Done(file, _Outcome.INVALID)
    except MeaningChangedError:
        return _Done(
            file,
            _Outcome.BUG,
            f"formatting {file} would change what it says, so it was left as it is; "
            "this is a bug in planner, not in your file: please report it",
        )
    if after is None:
        return _Done(file, _Outcome.INVALID)
    if after == before:
        return _Done(file, _Outcome.UNCHANGED)
    diff = _diff(before.decode(), after.decode(), file) if options.diff else ""
    if options.check or options.diff:
        return _Done(file, _Outcome.WOULD_FORMAT, diff=diff)
    try:
        _rewrite(path, after)
    except OSError as error:
        return _Done(file, _Outcome.REFUSED, f"{file} cannot be written: {error.strerror}")
    return _Done(file, _Outcome.FORMATTED)


def _rewrite(path: Path, data: bytes) -> None:
    """The whole new file in the place of the old one, with its mode: whoever reads it meets one or the other.

    Raises `OSError`, also where only the file and not its folder is write-protected.
    """
    mode = stat.S_IMODE(path.stat().st_mode)
    with path.open("ab"):  # may it be written at all?
        pass
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _diff(before: str, after: str, file: str) -> str:
    """A unified diff, as `patch` and `git apply` take it."""
    old, new = (StringIO(text, newline="\n").readlines() for text in (before, after))
    lines = difflib.unified_diff(old, new, f"a/{file}", f"b/{file}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _tell(shell: Shell, done: Sequence[_Done], options: FormatOptions) -> None:
    watched = shell.out.isatty() or bool(shell.environ.get("CI"))
    for one in done:
        if one.diff:  # to a person it must do nothing; to a program it must be exact
            shell.print(without_controls(one.diff.replace("\r", "")) if watched else one.diff)
    tell = shell.tell if options.diff else shell.print
    for one in done:
        name = for_terminal(one.file)
        match one.outcome:
            case _Outcome.FORMATTED:
                tell(f"formatted {name}")
            case _Outcome.WOULD_FORMAT:
                tell(f"would format {name}")
            case _Outcome.REFUSED | _Outcome.BUG:
                shell.tell(f"planner: {for_terminal(one.detail)}")
            case _Outcome.UNCHANGED | _Outcome.INVALID:
                pass
    tell(_summary(done))


def _summary(done: Sequence[_Done]) -> str:
    words = {
        _Outcome.FORMATTED: "formatted",
        _Outcome.WOULD_FORMAT: "to format",
        _Outcome.UNCHANGED: "in form",
        _Outcome.INVALID: "not valid",
        _Outcome.REFUSED: "left alone",
        _Outcome.BUG: "left alone for a bug",
    }
    numbers = Counter(one.outcome for one in done)
    return " · ".join(
        f"{count(numbers[outcome], 'file')} {word}" for outcome, word in words.items() if numbers[outcome]
    )


def _json(done: Sequence[_Done], diagnostics: Diagnostics) -> str:
    files = [
        {"file": one.file, "outcome": one.outcome.value}
        | ({"detail": one.detail} if one.detail else {})
        | ({"diff": one.diff} if one.diff else {})
        for one in done
    ]
    document = {"schema_version": "1.0", "files": files, "diagnostics": as_documents(diagnostics)}
    return for_json_text(to_json(document, indent=2).decode())
