"""One verb, one file, one function returning an exit code. What they are made of is in `planner.invocation`."""
