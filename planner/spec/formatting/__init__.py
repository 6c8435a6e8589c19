"""Plan files, libraries and `planner.yaml` in one form, so that a change shows what was changed and nothing else."""

from __future__ import annotations

from planner.spec.document import Document, start_of
from planner.spec.faults.reporting import Reporter
from planner.spec.files import PROJECT_FILE
from planner.spec.formatting.order import Form, library_form, plan_form, project_form
from planner.spec.formatting.reading import read_tree
from planner.spec.formatting.sameness import same
from planner.spec.formatting.writing import write
from planner.spec.plans.libraries import is_library
from planner.spec.plans.plan import check_version
from planner.spec.project.project import is_blank
from planner.spec.yaml.decoding import decode
from planner.spec.yaml.parser import parse

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class MeaningChangedError(Exception):
    """A bug of this package: what it wrote would be read differently. The file is to be left as it is."""


def format_file(data: bytes, file: str, reporter: Reporter) -> bytes | None:
    """A plan, library or project in the one form. None, and faults, where the file's structure is not known.

    What a plan means is not looked at: one with an unknown target is formatted too. A byte order mark stays; all lines end as
    the first one does. Raises `MeaningChangedError` rather than return anything that reads differently.
    """
    errors = reporter.errors
    source = decode(data, file, reporter)
    is_project = file.rpartition("/")[2] == PROJECT_FILE
    if source is None:
        return None
    if is_project and is_blank(source.text):  # it sets nothing yet
        return data
    document = parse(source, reporter)
    if document is None or not check_version(document, reporter, required=not is_project):
        return None
    form = project_form() if is_project else _form(document, reporter)
    if form is None or reporter.errors > errors:
        return None
    tree = read_tree(source.text)
    text = write(tree, form)
    _check(document, tree.comments, text, file, reporter)
    first_line = source.text.find("\n")
    if first_line > 0 and source.text[first_line - 1] == "\r":
        text = text.replace("\n", "\r\n")
    return (_BYTE_ORDER_MARK if data.startswith(_BYTE_ORDER_MARK) else b"") + text.encode()


def _form(document: Document, reporter: Reporter) -> Form | None:
    """None, and a fault, for YAML that is no file of ours: it is not for this tool to touch."""
    if is_library(document, reporter):
        return library_form()
    if "plan" in document.root:
        return plan_form()
    reporter.error("missing-key", "`plan` is required: the plan's name, such as plan: refunds", start_of(document))
    return None


def _check(document: Document, comments: list[str], text: str, file: str, reporter: Reporter) -> None:
    """Read what was written, and compare."""
    errors = reporter.errors
    source = decode(text.encode(), file, reporter)
    formatted = parse(source, reporter) if source is not None else None
    if formatted is None or reporter.errors > errors or not same(document.root, formatted.root):
        raise MeaningChangedError(file)
    if read_tree(text).comments != comments:
        raise MeaningChangedError(file)
