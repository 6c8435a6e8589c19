"""The Test Calls API on your own machine: same endpoints, its own state, real (small) conversations, faults on demand.

Imports no other room of this project: where the client is wrong about the API, the sandbox must disagree with it.
"""

from planner.sandbox.sandbox import Sandbox
from planner.sandbox.state.store import StateFileError
from planner.sandbox.worlds.faults import FaultSpec
from planner.sandbox.worlds.files import WorldError, WorldFault, builtin_worlds, load_world
from planner.sandbox.worlds.world import World

__all__ = [
    "FaultSpec",
    "Sandbox",
    "StateFileError",
    "World",
    "WorldError",
    "WorldFault",
    "builtin_worlds",
    "load_world",
]
