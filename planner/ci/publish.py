"""Publishes results on GitHub: annotations, job summary and step outputs.

Failures to write are logged and do not change the exit code. The names of the outputs are those of `action.yml`. The
job summary is limited to 1 MiB per step. GitHub drops a larger one completely, so long text is cut in the middle: the
headline is at the top, the next steps at the end. Source:
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from planner.ci import annotations
from planner.ci.annotations import Annotation, prefix_in_repository
from planner.diagnostics import Diagnostics
from planner.errors import PlannerError
from planner.reports.neutral import printable
from planner.reports.problems import render_invalid
from planner.values import frozen

if TYPE_CHECKING:
    from planner.results.model import RunResult
    from planner.results.outcomes import RequiredCheck

SUMMARY_LIMIT_BYTES = 1024 * 1024
_SMALLEST_BYTES = 512
"""With less room, a cut text would be useless."""


# The job summary


def append_summary(path: Path, markdown: str, *, limit_bytes: int = SUMMARY_LIMIT_BYTES) -> bool:
    """Append, cut to the remaining room of this step. Returns False if there is none. Raises `OSError`."""
    text = printable(markdown).rstrip("\n") + "\n\n"
    room_bytes = limit_bytes - (path.stat().st_size if path.exists() else 0)
    if _size(text) > room_bytes and room_bytes < _SMALLEST_BYTES:
        return False
    with path.open("a", encoding="utf-8", errors="replace", newline="\n") as file:
        file.write(cut_in_the_middle(text, limit_bytes=room_bytes))
    return True


def cut_in_the_middle(markdown: str, *, limit_bytes: int) -> str:
    """The text if it fits, otherwise its beginning and its last section with a note between.

    A code fence or `<details>` that does not fit is left out. `limit_bytes` (of UTF-8) is at least 512.
    """
    return _cut(markdown, limit_bytes, _size)


def cut_to_characters(markdown: str, *, limit: int) -> str:
    """Like `cut_in_the_middle`; GitHub limits comments and issues by characters."""
    return _cut(markdown, limit, len)


def _cut(markdown: str, limit: int, size: Callable[[str], int]) -> str:
    if size(markdown) <= limit:
        return markdown
    lines = markdown.splitlines(keepends=True)
    cuts = set(_places_to_cut(lines))
    tail = next((tail for tail in _endings(lines, cuts) if size(tail) <= limit // 4), "")
    note = "\n> ✂ The rest is omitted: GitHub limits the length. The report files are complete.\n\n"
    room = limit - size(tail) - size(note)
    end, used = 0, 0
    for index, line in enumerate(lines):
        used += size(line)
        if used > room:
            break
        if index + 1 in cuts:
            end = index + 1
    return "".join(lines[:end]) + note + tail


def _endings(lines: list[str], cuts: set[int]) -> Iterator[str]:
    """The last section, and what follows the last `<details>`."""
    places = [index for index in sorted(cuts) if 0 < index < len(lines)]
    sections = [index for index in places if lines[index].startswith("#")]
    after_details = [index for index in places if lines[index - 1].rstrip().endswith("</details>")]
    for found in (sections, after_details):
        if found:
            yield "".join(lines[found[-1] :])


def _places_to_cut(lines: list[str]) -> Iterator[int]:
    """Indexes of the lines outside of code fences and `<details>`, and of the end."""
    fence, details = "", 0
    for index, line in enumerate(lines):
        if not fence and details <= 0:
            yield index
        bare = line.strip()
        if fence:
            fence = "" if bare.startswith(fence) and not bare.strip(fence[0]) else fence
        elif opening := re.match(r"`{3,}|~{3,}", bare):
            fence = opening[0]
        else:
            details += line.count("<details") - line.count("</details>")
    if not fence and details <= 0:
        yield len(lines)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


# Step outputs


def append_outputs(path: Path, outputs: Mapping[str, str]) -> None:
    """Append to the file of GITHUB_OUTPUT. Values are words of planner's own, so none can start another output. Raises
    `OSError`."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{name}={value}\n" for name, value in outputs.items())


def publisher(
    env: Mapping[str, str],
    *,
    working_directory: Path,
    write_line: Callable[[str], None],
    redact: Callable[[str], str] = str,
) -> Publisher:
    """The publisher of this step of GitHub Actions.

    `write_line` writes to the job's log (standard error, so that redirected documents stay clean). `redact` replaces
    API keys.
    """
    return Publisher(
        _path(env, "GITHUB_STEP_SUMMARY"),
        _path(env, "GITHUB_OUTPUT"),
        prefix_in_repository(env, working_directory),
        write_line,
        redact,
    )


@frozen
class Publisher:
    """Files that GitHub does not name are not written."""

    summary_file: Path | None
    output_file: Path | None
    path_prefix: str
    """From the repository's root to the working directory, ending with `/` unless empty."""
    write_line: Callable[[str], None]
    redact: Callable[[str], str] = str

    def diagnostics(self, diagnostics: Diagnostics) -> None:
        """Diagnostics of plans: annotations for the worst nine, all of them in the summary."""
        if len(diagnostics):
            self._annotate(annotations.of_diagnostics(diagnostics, path_prefix=self.path_prefix))
            self._summarise(render_invalid(diagnostics))

    def result(self, result: RunResult, markdown: str) -> None:
        """Results: `markdown` (unless empty) in the summary; the outcome as an output."""
        if markdown:
            self._summarise(markdown)
        self._output({"outcome": result.outcome})

    def required_check(self, check: RequiredCheck, markdown: str = "") -> None:
        """The answer of `planner ci gate`, as an output; `markdown` (unless empty) in the summary."""
        if markdown:
            self._summarise(markdown)
        self._output({"gate": check.state.value})

    def error(self, error: PlannerError) -> None:
        """Why the command failed and how to fix it, as an annotation without a place."""
        message = f"{error}\n{error.hint}" if error.hint else str(error)
        self._annotate([Annotation("error", "", message)])

    def _annotate(self, found: Iterable[Annotation]) -> None:
        for command in annotations.commands(found):
            self.write_line(self.redact(command))

    def _summarise(self, markdown: str) -> None:
        try:
            if self.summary_file and not append_summary(self.summary_file, self.redact(markdown)):
                self._complain("the job summary of this step is full (1 MiB): see the report files for the rest")
        except OSError as error:
            self._complain(f"the job summary could not be written: {error.strerror}")

    def _output(self, outputs: Mapping[str, str]) -> None:
        try:
            if self.output_file:
                append_outputs(self.output_file, outputs)
        except OSError as error:
            self._complain(f"the step's outputs could not be written: {error.strerror}")

    def _complain(self, message: str) -> None:
        self.write_line(Annotation("warning", "", message).command())


def _path(env: Mapping[str, str], name: str) -> Path | None:
    return Path(env[name]) if env.get(name) else None
