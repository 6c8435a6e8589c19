"""Reads and writes GitHub: the comment and the status of a pull request, and what a step of GitHub Actions shows."""
