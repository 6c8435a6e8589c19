"""Keys that earlier versions of planner read, and what to write instead."""

from typing import Final

REMOVED_KEYS: Final[dict[str, str]] = {
    "max_caller_overlaps": "limit the agent's with `max_agent_overlaps`",
    "min_response_rate": "limit response times with `check: latency`",
    "min_yield_rate": "limit the agent's overlaps with `max_agent_overlaps`",
    "words_per_minute": "limit how much the agent speaks with `talk_ratio`",
    "organisation": "each `planner run` makes its own calls; remove it",
    "canaries": "name the file under `labels`: the model is asked about each label once",
    "min_kappa": "see in `planner judge calibrate` how many failures the judge finds, and give a weak rubric "
    "`severity: warning`",
}
"""By the key's name, wherever it was written: one phrase that completes "`KEY` is no longer a key; …"."""
