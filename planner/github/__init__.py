"""Output for GitHub Actions: job summary, annotations and step outputs.

The entry point is `publish.publisher(...)`, which returns None outside of GitHub Actions.
"""
