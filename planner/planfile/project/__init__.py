"""`planner.yaml`: environments, policy, prices, the judge and the store."""
