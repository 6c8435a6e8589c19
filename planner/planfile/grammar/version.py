"""The version of the plan format that a file says it is written in."""

from __future__ import annotations

from planner import __version__
from planner.planfile.grammar.field_errors import wrong_type
from planner.planfile.grammar.fields import missing
from planner.planfile.grammar.models import FORMAT_VERSION, PlanFields
from planner.planfile.reporter import Reporter
from planner.planfile.yaml.document import Document, start_of


def check_version(document: Document, reporter: Reporter, *, required: bool) -> bool:
    """Whether the file's format is one that this planner reads; reported if not."""
    root = document.root
    if "version" not in root:
        if required and missing(PlanFields, root, "version"):
            reporter.error(
                "missing-key", f"`version` is required: write version: {FORMAT_VERSION} at the top", start_of(document)
            )
        return True
    version = root["version"]
    if isinstance(version, bool) or not isinstance(version, int):
        reporter.error(
            "wrong-type",
            wrong_type("a whole number", version)
            if version is not None
            else "there is no value here; write version: 1",
            document.value(root, "version"),
        )
        root["version"] = FORMAT_VERSION  # said once is enough
        return True
    if version != FORMAT_VERSION:
        advice = "upgrade planner to read it" if version > FORMAT_VERSION else f"write version: {FORMAT_VERSION}"
        reporter.error(
            "version-unknown",
            f"planner {__version__} reads version {FORMAT_VERSION} of the plan format, this file has version {version}; {advice}",
            document.value(root, "version"),
        )
        return False
    return True
