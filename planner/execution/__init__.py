"""Making calls safely: packing, budget ledger, write-ahead journal, launching, polling, reconciling, collecting.

Knows nothing of checks or reports. The entry point is `planner.execution.local.LocalEngine`.
"""
