"""Results of sessions as documents, and access to those that are stored."""
