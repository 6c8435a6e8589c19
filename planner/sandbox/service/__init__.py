"""What is served over HTTP: the endpoints, what all of them share, and the endpoints for tests only."""
