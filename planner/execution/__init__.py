"""Spending money safely: packing, budget ledger, write-ahead journal, launching, polling, reconciling, collecting.

Knows nothing of checks or reports. The one main function is `planner.execution.engine.execute`.
"""
