"""Pins the newest versions that fit together in pyproject.toml, `[tool.uv] constraint-dependencies` (needs uv).

A test compares the pins with uv.lock: see "Locking" in CONTRIBUTING.md. Usage: python .ci/pins.py --write
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(?<=\nconstraint-dependencies = \[\n).*?(?=\n\]\n)", re.DOTALL)


def main(arguments: list[str]) -> int:
    if arguments != ["--write"]:
        print(__doc__, file=sys.stderr)
        return 2
    project = ROOT / "pyproject.toml"
    text = project.read_text()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pyproject.toml").write_text(BLOCK.sub("", text))
        for name in ("README.md", "LICENSE"):
            shutil.copy(ROOT / name, folder)
        subprocess.run(["uv", "lock", "--quiet", "--project", folder], check=True)
        packages = tomllib.loads(Path(folder, "uv.lock").read_text())["package"]
    versions = {each["name"]: each["version"] for each in packages if "registry" in each["source"]}
    lines = "\n".join(f'  "{name}=={version}",' for name, version in sorted(versions.items()))
    project.write_text(BLOCK.sub(lines, text, count=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
