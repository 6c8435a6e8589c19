"""Days, times of the day and ages as people write them, told with what a plan has for each."""

from __future__ import annotations

import pytest

from planner.spec.authored.keys import AGE, DAY, TIME_OF_DAY
from planner.spec.faults.times import as_planned


@pytest.mark.parametrize(
    ("form", "written", "meant"),
    [
        (AGE, "14 days", "14d"),
        (AGE, "7D", "7d"),
        (AGE, "2 weeks", "2w"),
        (AGE, "36 hrs", "36h"),
        (AGE, "1.5d", "36h"),
        (AGE, "1.5w", "252h"),
        (AGE, "1.5h", ""),
        (AGE, "3 months", ""),
        (AGE, "99999 days", ""),
        (AGE, "00d", "1h at least, or leave it out: without it results do not age"),
        (DAY, "2027-1-3", "2027-01-03"),
        (DAY, "2027/01/31", "2027-01-31"),
        (DAY, "2027-01-31T12:00", "2027-01-31"),
        (DAY, "31.01.2027", "2027-01-31"),
        (DAY, "3.1.2027", "2027-01-03"),
        (DAY, "31/01/2027", "2027-01-31"),
        (DAY, "01/31/2027", "2027-01-31"),
        (DAY, "01/02/2027", ""),
        (DAY, "02/02/2027", "2027-02-02"),
        (DAY, "31/31/2027", ""),
        (DAY, "tomorrow", ""),
        (TIME_OF_DAY, "8", '"08:00"'),
        (TIME_OF_DAY, "7:30", '"07:30"'),
        (TIME_OF_DAY, "10pm", '"22:00"'),
        (TIME_OF_DAY, "10:15 p.m.", '"22:15"'),
        (TIME_OF_DAY, "12am", '"00:00"'),
        (TIME_OF_DAY, "12 PM", '"12:00"'),
        (TIME_OF_DAY, "13pm", ""),
        (TIME_OF_DAY, "24:00", ""),
        (TIME_OF_DAY, "noon", ""),
        (TIME_OF_DAY, 8, ""),
    ],
)
def test_what_is_nearly_of_a_form_is_told_in_it(form: str, written: object, meant: str) -> None:
    """Nothing is proposed where it may be meant in two ways."""
    assert as_planned(written, form) == meant
