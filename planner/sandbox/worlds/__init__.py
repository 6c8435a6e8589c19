"""Worlds: what a world file declares, how it is read, the scripts of agents, faults on demand, and the worlds that are
built in."""
