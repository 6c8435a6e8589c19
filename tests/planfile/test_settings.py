"""How settings reach a case."""

from __future__ import annotations

from dataclasses import fields

from planner.planfile.model import Case
from planner.planfile.settings import CaseSettings


def test_settings_have_the_order_of_the_fields_of_a_case() -> None:
    """They are passed by their position, so that two of one type could be taken for one another."""
    names = [field.name for field in fields(Case)]
    first = names.index("direction")
    assert names[first : first + len(CaseSettings._fields)] == list(CaseSettings._fields)
