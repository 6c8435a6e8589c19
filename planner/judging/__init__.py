"""Asking a language model what no other check can decide: the request, its answer, its price, and answers cached by content."""
