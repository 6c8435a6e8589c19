"""HTTP requests: one request, one answer or one of our errors. Knows no service."""
