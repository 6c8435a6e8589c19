"""Size and start-up time of one or more checkouts, side by side.

    uv run python tests/benchmarks/footprint.py CHECKOUT [CHECKOUT…]     each with its own .venv (`uv sync --all-groups`)
    … --install     also build each, install it into a new environment, and measure its size
    … --rounds 9    rounds in which all commands take turns (default 9); the best CPU time of each counts

Start-up times are CPU seconds of whole processes, divided by those of `python -c "import click"` of the same checkout in the
same rounds. The bytecode exists already, as on a user's second start.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import statistics
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

COMMANDS = ("validate", "plan --sandbox")
MAX_ARGUMENTS = 6
MAX_LINE = 120


def python_files(root: Path, folder: str) -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", folder], cwd=root, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [root / name for name in names if name.endswith(".py") and (root / name).is_file()]


def line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def wide_functions(paths: list[Path]) -> int:
    """Functions with more than six parameters, `self` and `cls` not counted."""
    found = 0
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                names = [argument.arg for argument in every if argument.arg not in ("self", "cls")]
                decorated = any("click" in ast.dump(decorator) for decorator in node.decorator_list)
                found += len(names) > MAX_ARGUMENTS and not decorated
    return found


def dependencies(root: Path) -> int:
    import tomllib

    return len(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"])


def installed_megabytes(root: Path) -> float:
    """Of a new environment with the program and what it depends on, without extras."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["uv", "build", "--quiet", "--wheel", "--out-dir", folder / "dist"], cwd=root, check=True)
        export = ["uv", "export", "--quiet", "--no-default-groups", "--no-emit-project", "--no-hashes"]
        subprocess.run([*export, "--output-file", folder / "requirements.txt"], cwd=root, check=True)
        subprocess.run(["uv", "venv", "--quiet", folder / "venv"], check=True)
        wheel = next((folder / "dist").glob("*.whl"))
        install = [
            "uv",
            "pip",
            "install",
            "--quiet",
            "--python",
            folder / "venv",
            "-r",
            folder / "requirements.txt",
            wheel,
        ]
        subprocess.run([str(part) for part in install], check=True)
        return sum(file.stat().st_size for file in (folder / "venv").rglob("*") if file.is_file()) / 1e6


class Timer:
    """Runs commands of a checkout in a copy of its plans."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._python, self._folder = str(root / ".venv/bin/python"), folder
        shutil.copytree(root / "plans", folder / "plans")
        shutil.copytree(root / "schemas", folder / "schemas")
        self._environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def cpu_seconds(self, arguments: list[str]) -> float:
        process = subprocess.Popen(
            [self._python, *arguments],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, (arguments, process.returncode)
        return used.ru_utime + used.ru_stime


def start_up(roots: list[Path], rounds: int) -> dict[Path, dict[str, float]]:
    """Multiples of the CPU time of `import click`, by checkout and command."""
    lines = {"import click": ["-c", "import click"]}
    lines |= {f"planner {command}": ["-m", "planner", *command.split()] for command in COMMANDS}
    with tempfile.TemporaryDirectory() as name:
        timers = {root: Timer(root, Path(name) / str(index)) for index, root in enumerate(roots)}
        best: dict[tuple[Path, str], list[float]] = {}
        for count in range(rounds + 1):
            for root, timer in timers.items():
                for line, arguments in lines.items():
                    seconds = timer.cpu_seconds(arguments)
                    if count:
                        best.setdefault((root, line), []).append(seconds)
    return {
        root: {
            line: min(best[root, line]) / min(best[root, "import click"]) for line in lines if line != "import click"
        }
        for root in roots
    }


def sizes(root: Path) -> dict[str, float | int]:
    product, tests = python_files(root, "planner"), python_files(root, "tests")
    lines = {path: line_count(path) for path in product}
    long = sum(
        len(line) > MAX_LINE and '"""' not in line for path in product for line in path.read_text("utf-8").splitlines()
    )
    return {
        "product lines": sum(lines.values()),
        "product files": len(product),
        "median file": round(statistics.median(count for count in lines.values() if count)),
        "files over 400 lines": sum(count > 400 for count in lines.values()),
        "lines over 120 characters": long,
        "test lines": sum(map(line_count, tests)),
        "test files": len(tests),
        "runtime dependencies": dependencies(root),
        "functions over 6 arguments": wide_functions(product),
    }


def by_package(root: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for path in python_files(root, "planner"):
        parts = path.relative_to(root / "planner").parts
        found[parts[0] if len(parts) > 1 else "(top level)"] += line_count(path)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("checkouts", nargs="+", type=Path)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    roots = [path.resolve() for path in options.checkouts]
    rows: dict[str, list[str]] = {}
    for root in roots:
        for label, value in sizes(root).items():
            rows.setdefault(label, []).append(f"{value:,}")
        if options.install:
            rows.setdefault("installed MB", []).append(f"{installed_megabytes(root):.0f}")
    times = start_up(roots, options.rounds)
    for line in times[roots[0]]:
        rows[f"{line} ÷ import click"] = [f"{times[root][line]:.1f}" for root in roots]
    packages = [by_package(root) for root in roots]
    for package in sorted(set().union(*packages)):
        rows[f"lines of {package}"] = [f"{found[package]:,}" for found in packages]
    width = max(map(len, rows))
    for label, values in rows.items():
        print(f"{label:<{width}} " + " ".join(f"{value:>12}" for value in values))


if __name__ == "__main__":
    main()
