"""The Test Calls API on your own machine: the same endpoints, its own state, scripted calls.

It imports nothing of this project but the YAML reader: where the client is wrong about the API, the sandbox must
disagree with it.
"""

from planner.sandbox.sandbox import Sandbox
from planner.sandbox.state import StateFileError
from planner.sandbox.worlds.files import WorldError, WorldProblem, builtin_worlds, load_world
from planner.sandbox.worlds.world import World

__all__ = [
    "Sandbox",
    "StateFileError",
    "World",
    "WorldError",
    "WorldProblem",
    "builtin_worlds",
    "load_world",
]
