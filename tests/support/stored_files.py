"""Rewrites the facts in a folder, as somebody could who can write to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

Document = dict[str, Any]


def nothing(document: Document) -> None:
    del document


def edit_facts(
    store: Path, fact: Callable[[Document], None] = nothing, case: Callable[[Document], None] = nothing
) -> None:
    """Change each fact, and each case in the heads of sessions; the heads then have the digests of the changed files."""

    def each(facts: list[Document]) -> None:
        for document in facts:
            fact(document)

    edit_parts(store, each)
    for path in (store / "sessions").glob("*.json"):
        head = json.loads(path.read_text())
        for document in head["cases"]:
            case(document)
        path.write_text(json.dumps(head))


def edit_parts(store: Path, change: Callable[[list[Document]], None]) -> None:
    """Change the facts of each file; the heads of sessions then have the digests of the changed files."""
    parts: dict[str, dict[str, Any]] = {}
    for path in sorted((store / "calls").rglob("*.jsonl")):
        facts = [json.loads(line) for line in path.read_text().splitlines()]
        change(facts)
        data = b"".join(json.dumps(each).encode() + b"\n" for each in facts)
        path.write_bytes(data)
        key = f"calls/{path.relative_to(store / 'calls').parts[0]}/{path.name}"  # a git ref files by month, too
        parts[key] = {"lines": len(facts), "digest": sha256(data).hexdigest()}
    for path in (store / "sessions").glob("*.json"):
        head = json.loads(path.read_text())
        head["parts"] = {key: parts.get(key, summary) for key, summary in head["parts"].items()}
        path.write_text(json.dumps(head))
