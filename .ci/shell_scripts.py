"""shellcheck for shell scripts, those inside action files included (actionlint reads workflows only).

Usage: python .ci/shell_scripts.py FILE…   Exit code 1 when shellcheck finds anything.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


def main(paths: list[str]) -> int:
    found = 0
    for path in map(Path, paths):
        if path.suffix in (".yml", ".yaml"):
            for name, script in scripts_of_action(path):
                print(f"{path}, step {name}")
                found |= shellcheck(["-"], f"#!/usr/bin/env bash\nset -eo pipefail\n{script}")
        else:
            print(path)
            found |= shellcheck([str(path)])
    return found


def scripts_of_action(path: Path) -> list[tuple[str, str]]:
    """(name, script) of each `run` step of a composite action."""
    action: dict[str, Any] = YAML(typ="safe").load(path)
    return [(step["name"], step["run"]) for step in action["runs"]["steps"] if "run" in step]


def shellcheck(arguments: list[str], script: str | None = None) -> int:
    completed = subprocess.run(["shellcheck", *arguments], input=script, text=True, check=False)
    return 1 if completed.returncode else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
