"""Keys that earlier versions of planner read, and what to write instead."""

from typing import Final

REMOVED_KEYS: Final[dict[str, str]] = {
    "AxisFileFields.use": "write the values here, or name a file that plans share",
    "LibraryFields.axes": "write the values in each plan, or in a file that plans share: {file: moods.txt}",
    "LibraryFields.targets": "write them in each plan, or in an environment of planner.yaml",
    "max_caller_overlaps": "limit the agent's overlaps with `max_agent_overlaps`",
    "min_response_rate": "limit response times with `check: latency`",
    "min_yield_rate": "limit the agent's overlaps with `max_agent_overlaps`",
    "mark_prompts": "a prompt is sent as it is written; remove it",
    "stagger_seconds": "calls start together; remove it",
    "words_per_minute": "limit how much the agent speaks with `talk_ratio`",
    "calls": "each case gets as many calls as `runs` says; remove it",
    "caller_faults": "a run that failed because of the test bot never counts; remove it",
    "confidence": "the share of the runs decides: `min_pass_rate` says how many must pass; remove it",
    "when_settled": "each case gets as many calls as `runs` says; remove it",
    "organisation": "each `planner run` makes its own calls; remove it",
    "controls": "if everything is worse, call all cases again later (`--rerun all`); remove it",
    "platform_failures": "a run that failed because of the platform never counts; remove it",
    "canaries": "name the file under `labels`: the model is asked about each label once",
    "min_runs": "at least half of `runs` must count; remove it",
    "min_kappa": "see in `planner judge calibrate` how many failures the judge finds, and give a weak rubric "
    "`severity: warning`",
}
"""By the key's name, wherever it was written, or by its model and name if others still have a key of this name: one
phrase that completes "`KEY` is no longer a key; …"."""
