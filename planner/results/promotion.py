"""Moves the results of a merged pull request from its branch namespace to the default branch's, without a call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from planner.results.documents import BaselineDocument
from planner.results.model import CaseResult
from planner.results.repository import document_bytes
from planner.results.store import BRANCHES, HISTORY, Reader
from planner.values import frozen

_NUMBER: Final = re.compile(rf"{BRANCHES}([1-9][0-9]{{0,17}})/")
_OPEN: Final = "intents/"

Parse = Callable[[str, bytes], BaselineDocument]
"""(key of the default branch, content) → the baseline."""


@frozen
class Promotion:
    """The cases to promote from one of the pull request's baselines, and the key that it has on the default branch."""

    key: str
    source: BaselineDocument
    cases: Sequence[CaseResult]


def stored_branches(store: Reader) -> list[int]:
    """The pull requests that have results."""
    return sorted({int(found[1]) for key in store.keys(BRANCHES) if (found := _NUMBER.match(key))})


def branch_baselines(
    store: Reader, number: int, environment_key: str, parse: Parse
) -> Iterator[tuple[str, BaselineDocument]]:
    """The pull request's baselines of an environment, by key of the default branch."""
    prefix = f"{BRANCHES}{number}/"
    for key in store.keys(f"{prefix}latest/{environment_key}/"):
        own = key.removeprefix(prefix)
        if (data := store.get(key)) is not None:
            yield own, parse(own, data)


def has_open_launches(store: Reader, number: int) -> bool:
    return next(iter(store.keys(f"{BRANCHES}{number}/{_OPEN}")), None) is not None


def promotion(
    now: Reader,
    number: int,
    promotions: Sequence[Promotion],
    at: datetime,
    parse: Parse,
    made_here: Callable[[str], bool],
) -> dict[str, bytes | None]:
    """The writes that make these cases part of the default branch's baselines and remove the namespace.

    A case replaces the stored one of its id; all others stay. Sessions that the default branch's code did not make
    (`made_here` of their id), and answers that may come from them, are left out.
    """
    prefix, writes = f"{BRANCHES}{number}/", dict[str, bytes | None]()
    sessions = {key: made_here(key.split("/")[-1].removesuffix(".json")) for key in now.keys(f"{prefix}runs/")}
    folders = HISTORY if all(sessions.values()) else ("evidence/", "runs/")
    for folder in folders:
        for key in now.keys(prefix + folder):
            own = key.removeprefix(prefix)
            if not now.has(own) and sessions.get(key, True):
                writes[own] = now.get(key)
    for each in promotions:
        data = now.get(each.key)
        stored = None if data is None else parse(each.key, data)
        merged = {case.case_id: case for case in stored.cases} if stored is not None else {}
        merged |= {case.case_id: case for case in each.cases}
        document = stored or each.source
        writes[each.key] = document_bytes(document.model_copy(update={"cases": list(merged.values()), "ended_at": at}))
    return writes | remove_branch(now, number)


def remove_branch(now: Reader, number: int) -> dict[str, bytes | None]:
    """The writes that remove a pull request's namespace; none while it has launches that are not settled."""
    return {} if has_open_launches(now, number) else dict.fromkeys(now.keys(f"{BRANCHES}{number}/"))
