"""How machines share a log: a folder, a git ref or a bucket, behind one interface of reading and appending lines."""
