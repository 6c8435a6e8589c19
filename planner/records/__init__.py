"""Facts about calls, and the files that hold them. See docs/architecture.md, "Records"."""
