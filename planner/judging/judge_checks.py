"""Checks the judge with labelled transcripts: they show how well it agrees with people."""

from __future__ import annotations

from collections import Counter
from typing import Final

from planner.errors import UsageError
from planner.judge.calibration import Comparison, calibration, comparisons
from planner.judge.labels import Labelled, read_labels, settled
from planner.judge.votes import VoteCache, WantedVotes
from planner.planfile.files import PROJECT_FILE, FileError, Neighbours
from planner.planfile.model import JudgeSettings
from planner.results.judge_documents import JudgeDocument
from planner.values import frozen
from planner.workspace.selection import Loaded

_MAX_BYTES: Final = 20 * 1024 * 1024


@frozen
class JudgeChecks:
    """What the judge is checked with."""

    settings: JudgeSettings
    cache: VoteCache
    labels: tuple[Labelled, ...] = ()
    is_missing: bool = False
    """Whether planner.yaml names a file of labels that does not exist."""

    def wanted_labels(self) -> list[WantedVotes]:
        """The labels that the model has not answered."""
        questions = [each.question for each in self.labels if each.verdict is not None]
        lacking = [question for question in questions if self.cache.unanswered(question)]
        return [WantedVotes("", each, self.cache.key_of(each), 1) for each in lacking]

    def document(self) -> JudgeDocument:
        counts = comparisons(self.labels, self.cache)
        in_all = sum(counts.values(), Counter[Comparison]())
        return JudgeDocument(
            model=self.settings.model,
            calibration=calibration("", in_all) if counts else None,
            rubrics=[calibration(rubric, mine) for rubric, mine in counts.items()],
        )

    @property
    def warnings(self) -> list[str]:
        if not self.is_missing:
            return []
        name = self.settings.labels
        return [f"{name} does not exist, so the judge is not compared with it; planner judge label writes labels"]


def judge_checks_of(loaded: Loaded, settings: JudgeSettings, cache: VoteCache) -> JudgeChecks:
    """Read the file that planner.yaml names. Raises `UsageError` if it is invalid."""
    data = _read(loaded, settings.labels)
    labels = () if data is None else read_labels(data, settings.labels)
    return JudgeChecks(settings, cache, tuple(settled(labels)), is_missing=data is None)


def _read(loaded: Loaded, name: str) -> bytes | None:
    """A file of the project's folder, from the commit that planner.yaml is from; None if it does not exist."""
    if loaded.base is not None:
        return loaded.base.read(name)
    if not (loaded.root / name).exists():
        return None
    try:
        return Neighbours(loaded.root).read(loaded.root / PROJECT_FILE, name, _MAX_BYTES)[1]
    except FileError as error:
        raise UsageError(f"{name}, which planner.yaml names under `judge`: {error}", "Correct the path.") from error
