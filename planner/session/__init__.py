"""Building blocks of commands: select plans, open a store, connect to the service, prepare a change set, request judge
calls, write reports.

Everything from outside the program comes in through `shell.Shell`.
"""
