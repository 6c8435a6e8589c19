"""What is served over HTTP: the endpoints, what stands around each of them, and the doors that only tests use."""
