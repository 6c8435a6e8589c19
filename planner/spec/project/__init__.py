"""`planner.yaml`: environments and their targets, policy, prices, the model that judges."""
