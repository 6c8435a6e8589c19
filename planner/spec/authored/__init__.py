"""What authors may write: the keys of plans, libraries and `planner.yaml`, their types and bounds, and the schemas made from them."""
