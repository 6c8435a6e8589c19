"""What `action.yml` installs, with the hash of every file; and on which platforms all of it has wheels. Both from `uv.lock`.

requirements/planner.txt and requirements/EXTRA.txt hold names, versions and hashes, and name no registry.

A test compares them. Usage: python .ci/hashed.py --write
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "requirements"
PAGE = ROOT / "docs" / "platforms.md"
TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- /table -->)", re.DOTALL)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
OLDEST_GLIBC, NEWEST_MUSL = 28, 2
"""manylinux_2_28 and musllinux_1_2: systems of 2018 and 2021."""


def platforms() -> dict[str, tuple[list[str], dict[str, str]]]:
    """By name: the platform tags of wheels that fit, and what markers are asked with."""
    found: dict[str, tuple[list[str], dict[str, str]]] = {}
    for arch, machine in (("x86-64", "x86_64"), ("arm64", "aarch64")):
        old = {"x86_64": ["manylinux1", "manylinux2010"], "aarch64": []}[machine]
        glibc = [f"manylinux_2_{minor}" for minor in range(5, OLDEST_GLIBC + 1)] + [*old, "manylinux2014"]
        musl = [f"musllinux_1_{minor}" for minor in range(NEWEST_MUSL + 1)]
        linux = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": machine}
        found[f"Linux {arch} (glibc 2.28)"] = ([f"{kind}_{machine}" for kind in glibc], linux)
        found[f"Linux {arch} (musl 1.2)"] = ([f"{kind}_{machine}" for kind in musl], linux)
    for arch, machine, version in (("arm64", "arm64", (14, 0)), ("x86-64", "x86_64", (14, 0))):
        mac = {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": machine}
        found[f"macOS 14 {arch}"] = (list(mac_platforms(version, machine)), mac)
    for arch, tag, machine in (("x86-64", "win_amd64", "AMD64"), ("arm64", "win_arm64", "ARM64")):
        windows = {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": machine}
        found[f"Windows {arch}"] = ([tag], windows)
    return found


def main(arguments: list[str]) -> int:
    if arguments != ["--write"]:
        print(__doc__, file=sys.stderr)
        return 2
    FOLDER.mkdir(exist_ok=True)
    for name, text in exported().items():
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8", newline="\n")
    PAGE.write_text(TABLE.sub(lambda _: table(), PAGE.read_text("utf-8")), encoding="utf-8", newline="\n")
    return 0


def parts() -> list[str]:
    """The installation itself, and its extras."""
    return ["planner", *tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]]


@cache
def exported() -> dict[str, str]:
    """By part; an extra's has only what it adds."""
    command = ["uv", "export", "--frozen", "--offline", "--quiet", "--no-default-groups", "--no-emit-project"]
    command += ["--no-header", "--no-annotate", "--format", "requirements.txt"]
    found: dict[str, str] = {}
    for part in parts():
        extra = [] if part == "planner" else ["--extra", part]
        text = subprocess.run([*command, *extra], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        blocks = re.findall(r"^\S.*\n(?:    .*\n)*", text, re.MULTILINE)
        found[part] = "".join(block for block in blocks if part == "planner" or block not in found["planner"])
    return found


def differences() -> Iterator[str]:
    """Requirements that are not as in uv.lock, and hashes that are not in it: it may know of files that were added later."""
    for part, text in exported().items():
        path = FOLDER / f"{part}.txt"
        written, wanted = read(path.read_text("utf-8") if path.exists() else ""), read(text)
        for requirement in sorted(written.keys() ^ wanted.keys()):
            yield f"{path.name}: {requirement} is only in {'the file' if requirement in written else 'uv.lock'}"
        for requirement in written.keys() & wanted.keys():
            if not written[requirement] or not written[requirement] <= wanted[requirement]:
                yield f"{path.name}: {requirement} has hashes that are not in uv.lock, or none"
    if table() not in PAGE.read_text("utf-8"):
        yield f"{PAGE.name}: the table is not what uv.lock gives"


def read(text: str) -> dict[str, set[str]]:
    """The hashes of each requirement."""
    lines = text.replace("\\\n", " ").splitlines()
    found = (line.partition(" --hash") for line in lines if line.strip())
    return {first.strip(): set(re.findall(r"sha256:[0-9a-f]{64}", rest)) for first, _, rest in found}


def table() -> str:
    """Markdown: a row a platform, a column a part; what has no wheel for which versions of Python."""
    wheels = locked_wheels()
    requirements = {part: list(read(text)) for part, text in exported().items()}
    lines = [f"| Platform | {' | '.join(part if part == 'planner' else f'`{part}`' for part in requirements)} |"]
    lines.append("|---|" + "---|" * len(requirements))
    for name, (tags, markers) in platforms().items():
        cells: list[str] = []
        for wanted in requirements.values():
            missing: dict[str, list[str]] = {}
            for python in PYTHONS:
                for package in lacking(wanted, wheels, python, (tags, markers)):
                    missing.setdefault(package, []).append(python)
            cells.append(", ".join(shown(package, versions) for package, versions in missing.items()) or "yes")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def shown(package: str, versions: list[str]) -> str:
    return f"no {package}" if len(versions) == len(PYTHONS) else f"no {package} for {', '.join(versions)}"


def lacking(
    wanted: list[str], wheels: dict[str, set[Tag]], python: str, platform: tuple[list[str], dict[str, str]]
) -> Iterator[str]:
    """The packages of which no wheel fits."""
    tags, markers = platform
    version = tuple(map(int, python.split(".")))
    fitting = {*cpython_tags(version, platforms=tags), *compatible_tags(version, f"cp{version[0]}{version[1]}", tags)}
    environment = markers | {
        "python_version": python, "python_full_version": f"{python}.0", "implementation_name": "cpython",
        "platform_python_implementation": "CPython", "extra": "",
    }  # fmt: skip
    for requirement in wanted:
        name, _, marker = requirement.partition(" ; ")
        package = name.partition("==")[0]
        if (not marker or Marker(marker).evaluate(environment)) and not wheels[package] & fitting:
            yield package


def locked_wheels() -> dict[str, set[Tag]]:
    """The tags of all wheels of the pinned versions, by package."""
    packages: list[dict[str, Any]] = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]
    return {
        package["name"]: {
            tag
            for wheel in package.get("wheels", [])
            for tag in parse_wheel_filename(wheel["url"].rpartition("/")[2])[3]
        }
        for package in packages
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
