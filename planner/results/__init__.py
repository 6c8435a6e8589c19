"""Results of sessions and their storage: the source of reports and baselines."""
