"""The stages of a session: connect to the service, prepare the calls, take consent to them, make them, and finish with
results.

Everything from outside the program comes in through `shell.Shell`.
"""
