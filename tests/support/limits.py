"""A limit of calls at one time, in planner.yaml."""

from __future__ import annotations

import json
from pathlib import Path

from ruamel.yaml import YAML


def limit_calls(folder: Path, at_once: int) -> None:
    """Set `policy.max_concurrent_runs` of a project."""
    path = folder / "planner.yaml"
    settings = YAML(typ="safe").load(path) if path.exists() else {}
    settings.setdefault("policy", {})["max_concurrent_runs"] = at_once
    path.write_text(json.dumps(settings), encoding="utf-8")
