"""Judge calls to a language model: request, answer, price, and a cache by content."""
