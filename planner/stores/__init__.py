"""Where results are kept: a folder, a git ref or an object store, behind one protocol of keys and bytes."""
