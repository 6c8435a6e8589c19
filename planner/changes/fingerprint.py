"""Digests of all that decides what a call will be, and of all that decides how it is judged.

Stored results carry them, so that a later invocation can tell what moved even where the stored text is redacted. A change of
what is digested here makes every stored case look changed and be called again, for money: raise `_VERSION` only for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, cast

import rfc8785

from planner.planfile.model import Case
from planner.results.model import CaseInputs

_VERSION: Final = 1

# RFC 8785 takes numbers for IEEE doubles; ids of the service are 64-bit, and an author's literals may be anything.
_LARGEST_EXACT: Final = 2**53 - 1


def digest_of(document: Any) -> str:
    """`sha256:` and 64 hex digits over a JSON value, whatever the order of its keys (RFC 8785)."""
    return f"sha256:{sha256(rfc8785.dumps(_canonical(document))).hexdigest()}"


def case_inputs(case: Case, agent_revision: str | None) -> CaseInputs:
    """What a call of this case would be made with today; the revision is None where the service was not asked."""
    return CaseInputs(
        prompt=case.prompt,
        target_kind=case.target.kind,
        target_id=case.target.id,
        direction=case.direction,
        mode=case.mode,
        target_number=case.target_number,
        agent_revision=agent_revision,
    )


def call_fingerprint(inputs: CaseInputs) -> str:
    """What the call is. Without the agent's revision, which may be unknown and is compared apart; how long we wait for a
    call and how far apart calls are launched do not decide what a call is."""
    return digest_of({"version": _VERSION} | inputs.model_dump(mode="json", exclude={"agent_revision"}))


def check_fingerprint(case: Case, known: dict[int, str] | None = None) -> str:
    """How the case is judged. The order of expectations decides nothing, so it is not part of it; nor are their ids.

    `min_runs` counts only where an author set it: by default it follows `runs` (half of them, rounded up), and another number of
    calls is not another expectation.

    Args:
        known: digests of expectations by `id()`, filled here: the cases of a scenario share theirs, and live at least as long
            as whoever passes this in.
    """
    known = {} if known is None else known
    for expectation in case.expectations:
        if id(expectation) not in known:
            known[id(expectation)] = digest_of(expectation.fingerprint_fields())
    follows_runs = case.min_runs == (case.runs + 1) // 2
    return digest_of(
        {
            "version": _VERSION,
            "expectations": sorted(known[id(expectation)] for expectation in case.expectations),
            "min_pass_rate": case.min_pass_rate,
            "min_runs": None if follows_runs else case.min_runs,
            "confidence": case.confidence,
            "platform_failures": case.platform_failures,
            "quarantined_until": case.quarantine.until.isoformat() if case.quarantine else None,
            # Only where it is not as it was before there was this key: what is stored stays as it is.
            **({} if case.caller_faults == "ignore" else {"caller_faults": case.caller_faults}),
        }
    )


def _canonical(value: Any) -> Any:
    """The value with what RFC 8785 cannot write (large integers, NaN, infinities, lone surrogates) spelled out."""
    match value:
        case bool() | None:
            return value
        case str():
            return value if value.isascii() else value.encode(errors="backslashreplace").decode()
        case int():
            return value if -_LARGEST_EXACT <= value <= _LARGEST_EXACT else {"integer": str(value)}
        case float():
            return value if abs(value) < float("inf") else {"float": str(value)}
        case Mapping():
            return {_canonical(str(key)): _canonical(item) for key, item in cast("Mapping[Any, Any]", value).items()}
        case Sequence():
            return [_canonical(item) for item in cast("Sequence[Any]", value)]
        case _:
            raise TypeError(f"not a JSON value: {value!r}")
