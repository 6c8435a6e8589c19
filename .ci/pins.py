"""The exact versions in pyproject.toml, `[tool.uv] constraint-dependencies`: see "Locking" in CONTRIBUTING.md.

Usage: python .ci/pins.py            say what is not pinned, or pinned and not needed; exit code 1 when there is any
       python .ci/pins.py --write    pin the newest versions that fit together (needs uv)
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(?<=\nconstraint-dependencies = \[\n).*?(?=\n\]\n)", re.DOTALL)


def main(arguments: list[str]) -> int:
    if arguments == ["--write"]:
        write(newest())
        return 0
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    problems = differences(pinned(), locked(ROOT / "uv.lock"))
    print(*problems, sep="\n")
    return 1 if problems else 0


def differences(pins: dict[str, str], versions: dict[str, str]) -> list[str]:
    """One line for each package that is not pinned to the version it resolves to."""
    return [
        f"{name}: pinned {pins.get(name, 'nowhere')}, resolved {versions.get(name, 'nowhere')}"
        for name in sorted(pins | versions)
        if pins.get(name) != versions.get(name)
    ]


def pinned() -> dict[str, str]:
    """Version by package name, as pyproject.toml says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pairs = (pin.split("==") for pin in project["tool"]["uv"]["constraint-dependencies"])
    return {name.lower().replace(".", "-").replace("_", "-"): version for name, version in pairs}


def locked(lock: Path) -> dict[str, str]:
    """Version by package name, as uv resolved for all platforms and Python versions; our own package is not among them."""
    packages: list[dict[str, Any]] = tomllib.loads(lock.read_text())["package"]
    return {package["name"]: package["version"] for package in packages if "registry" in package["source"]}


def newest() -> dict[str, str]:
    """What uv resolves today when nothing is pinned."""
    with tempfile.TemporaryDirectory() as folder:
        text = (ROOT / "pyproject.toml").read_text()
        Path(folder, "pyproject.toml").write_text(BLOCK.sub("", text))
        for name in ("README.md", "LICENSE"):
            shutil.copy(ROOT / name, folder)
        subprocess.run(["uv", "lock", "--quiet", "--project", folder], check=True)
        return locked(Path(folder, "uv.lock"))


def write(versions: dict[str, str]) -> None:
    path = ROOT / "pyproject.toml"
    lines = "\n".join(f'  "{name}=={version}",' for name, version in sorted(versions.items()))
    path.write_text(BLOCK.sub(lines, path.read_text(), count=1))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
