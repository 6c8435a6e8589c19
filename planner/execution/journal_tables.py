"""The journal's tables."""

from __future__ import annotations

TABLES = """
CREATE TABLE IF NOT EXISTS launches (
  launch_id TEXT PRIMARY KEY, invocation_id TEXT NOT NULL, change_set_digest TEXT NOT NULL, state TEXT NOT NULL,
  line TEXT NOT NULL, name TEXT NOT NULL, sent_at TEXT NOT NULL, slack_seconds REAL NOT NULL,
  batch_id INTEGER, detail TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE IF NOT EXISTS slots (
  launch_id TEXT NOT NULL REFERENCES launches, ordinal INTEGER NOT NULL, case_id TEXT NOT NULL, plan TEXT NOT NULL,
  prompt TEXT NOT NULL, call_fingerprint TEXT NOT NULL, agent_revision TEXT, reserved_cents INTEGER NOT NULL,
  run_id INTEGER UNIQUE, evidence TEXT, cost_cents INTEGER, completed_at TEXT, consumed_by TEXT,
  PRIMARY KEY (launch_id, ordinal)
) STRICT;
CREATE TABLE IF NOT EXISTS claims (run_id INTEGER PRIMARY KEY, launch_id TEXT NOT NULL REFERENCES launches) STRICT;
CREATE INDEX IF NOT EXISTS slots_unconsumed ON slots (launch_id) WHERE consumed_by IS NULL;
CREATE INDEX IF NOT EXISTS launches_by_change_set ON launches (change_set_digest);
"""
"""`IF NOT EXISTS`: two processes may open a new journal at the same time."""
LATER_TABLES = """
CREATE TABLE IF NOT EXISTS requesters (
  credential TEXT NOT NULL, requested_by_id INTEGER NOT NULL, PRIMARY KEY (credential, requested_by_id)
) STRICT;
CREATE TABLE IF NOT EXISTS launched_with (
  launch_id TEXT PRIMARY KEY REFERENCES launches, credential TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS claims_by_launch ON claims (launch_id);
"""
"""Also created in journals of older versions."""
