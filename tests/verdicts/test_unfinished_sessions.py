"""What a session says of a case if it could not make all of its calls."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from clinic import PLAN, make_clinic, refuse

SECOND_LAUNCH_REFUSED = refuse("launch", 402) | {"after": 1}
SECOND_LAUNCH_THROTTLED = refuse("launch", 429) | {"after": 1}


@pytest.mark.parametrize(
    ("fault", "code"),
    [(SECOND_LAUNCH_REFUSED, 3), (SECOND_LAUNCH_THROTTLED, 130)],
    ids=["no balance", "interrupted"],
)
def test_one_call_of_two_is_no_pass(tmp_path: Path, fault: dict[str, Any], code: int) -> None:
    """Both calls of a case must pass, and the session is interrupted after one. Before: the case passed. Now: it is
    unknown; the next session makes the other call, and nothing is paid twice."""
    clinic = make_clinic(tmp_path, faults=(fault,))
    clinic.write("plans/hours.yaml", PLAN.replace(", config: ../agents/clinic.yaml", ""))

    def interrupt(_: int, request: str) -> str:
        if code == 130 and request == "POST /v1/test-call-batches" and clinic.charged():
            signal.raise_signal(signal.SIGINT)
        return ""

    clinic.fail = interrupt
    ran = clinic.run(at_once=1)
    assert ran.code == code, ran.err
    (case,) = clinic.results()["cases"]
    assert (case["outcome"], case["runs_passed"], case["runs_total"], case["runs_under_way"]) == ("unknown", 1, 1, 0)
    clinic.fail = lambda *_: ""
    assert clinic.run().code == 0
    assert len(clinic.charged()) == 2
