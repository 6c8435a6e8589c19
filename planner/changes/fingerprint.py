"""Digests of everything that defines a call, and of everything that defines how it is judged.

Stored results contain them, so that changes are found even if the stored text is redacted. Changing what is digested
makes every stored case look changed, and calls it again (charged).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from planner.canonical import canonical_json
from planner.planfile.model import Case
from planner.results.model import CaseInputs

_VERSION: Final = 1


def case_inputs(case: Case, agent_revision: str | None, configuration: str | None = None) -> CaseInputs:
    """The inputs of a call of this case; revision and configuration are None if the service was not asked."""
    return CaseInputs(
        prompt=case.prompt,
        target_kind=case.target.kind,
        target_id=case.target.id,
        direction=case.direction,
        mode=case.mode,
        target_number=case.target_number,
        agent_revision=agent_revision,
        configuration=configuration,
        has_agent_file=case.target.config is not None,
    )


def call_fingerprint(inputs: CaseInputs) -> str:
    """Identifies the call. The agent's revision and configuration are compared separately, as they may be unknown."""
    fields = inputs.model_dump(mode="json", exclude={"agent_revision", "configuration", "has_agent_file"})
    return digest_of({"version": _VERSION} | fields)


def check_fingerprint(case: Case, known: dict[int, str] | None = None) -> str:
    """Identifies how the case is judged, regardless of the order and ids of expectations.

    Args: known: cache of digests by `id()` of the expectation, which the cases of a scenario share. It must not outlive
        the cases.
    """
    known = {} if known is None else known
    for expectation in case.expectations:
        if id(expectation) not in known:
            known[id(expectation)] = digest_of(expectation.fingerprint_fields())
    return digest_of(
        {
            "version": _VERSION,
            "expectations": sorted(known[id(expectation)] for expectation in case.expectations),
            "min_pass_rate": case.min_pass_rate,
            # Earlier versions had these settings. With their defaults, the digests of stored results stay valid.
            "min_runs": None,
            "confidence": None,
            "platform_failures": "ignore",
            "quarantined_until": case.quarantine.until.isoformat() if case.quarantine else None,
        }
    )


def digest_of(document: Any) -> str:
    """`sha256:` and 64 hex digits over a JSON value in canonical form."""
    return f"sha256:{sha256(canonical_json(document)).hexdigest()}"
