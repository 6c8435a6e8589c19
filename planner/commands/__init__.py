"""One verb, one file, one function returning an exit code. What they share: the shell they run in, and loading."""
