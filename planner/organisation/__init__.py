"""Many repositories with one organisation: their consents in a database, and the one coordinator that makes the calls.

Needs the extra `engine`.
"""
