"""One module per command; each has one function that returns an exit code. Shared parts are in `planner.session`."""
