"""What is served over HTTP: the endpoints, and what all of them share."""
