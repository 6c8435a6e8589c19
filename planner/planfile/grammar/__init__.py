"""What authors may write: pydantic models, their JSON Schema, and errors as diagnostics."""
