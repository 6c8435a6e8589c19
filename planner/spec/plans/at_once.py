"""Very many plan files by several processes at once: whether all are without a fault, and what they come to."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

from planner.errors import PlannerError
from planner.spec.model import Project
from planner.spec.plans.load import load_files

MANY_FILES = 200
"""Fewer take so little time that another process is not worth starting."""
MAX_PROCESSES = 8


@dataclass(frozen=True, slots=True)
class Totals:
    """What sound plans come to. `libraries` counts those that they import, too."""

    plans: int
    cases: int
    runs: int
    libraries: int


@dataclass(frozen=True, slots=True)
class AtOnce:
    """How files are to be loaded: as `load_files` does, in so many processes."""

    cwd: Path
    project: Project
    environment: str | None
    today: date
    processes: int

    def totals(self, files: Sequence[Path]) -> Totals | None:
        """None where anything is to be said of any file, or it is not worth it: then one process reads them one by one.

        So what is told, and in which order, never depends on how many processes there are.
        """
        processes = min(self.processes, MAX_PROCESSES, len(files) // (MANY_FILES // 2))
        if len(files) < MANY_FILES or processes <= 1 or not hasattr(os, "fork"):
            return None
        parts = [files[start::processes] for start in range(processes)]
        children: list[tuple[int, int]] = []
        found: list[dict[str, Any] | None] = []
        try:
            children.extend(self._start(part) for part in parts[1:])
            found.append(self._load(parts[0]))
            for _, answer in children if found[0] is not None else []:
                with open(answer, "rb", closefd=False) as told:
                    found.append(json.loads(told.read() or b"null"))
        finally:
            for child, answer in children:
                os.close(answer)
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)  # it has answered, or nobody waits for its answer
                os.waitpid(child, 0)
        sound = [part for part in found if part is not None]
        names = [name for part in sound for name in part["plans"]]
        if len(sound) < processes or len(set(names)) < len(names):
            return None
        libraries = {library for part in sound for library in part["libraries"]}
        cases, runs = (sum(part[key] for part in sound) for key in ("cases", "runs"))
        return Totals(len(names), cases, runs, len(libraries))

    def _start(self, files: Sequence[Path]) -> tuple[int, int]:
        """A process that loads these files: its id, and where it answers. It answers nothing where there is a fault."""
        answer, question = os.pipe()
        child = os.fork()
        if not child:
            self._answer(files, question)
        os.close(question)
        return child, answer

    def _answer(self, files: Sequence[Path], question: int) -> NoReturn:
        """In the other process, which ends here whatever happens: nothing of the parent's is its to finish."""
        try:
            with open(question, "wb") as told:
                told.write(json.dumps(self._load(files)).encode())
        finally:
            os._exit(0)

    def _load(self, files: Sequence[Path]) -> dict[str, Any] | None:
        """None where there is anything to be said."""
        try:
            loaded = load_files(
                files,
                cwd=self.cwd,
                project=self.project,
                environment=self.environment,
                today=self.today,
                until_told=True,
            )
        except PlannerError:
            return None
        if len(loaded.diagnostics):
            return None
        cases = [case for plan in loaded.plans for case in plan.cases]
        return {
            "plans": [plan.name for plan in loaded.plans],
            "cases": len(cases),
            "runs": sum(case.runs for case in cases),
            "libraries": sorted(loaded.libraries),
        }
