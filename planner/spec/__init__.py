"""What authors write: plan files and `planner.yaml`, read into values, with every fault at its place."""

from planner.spec.authored.schema import library_schema, plan_schema, project_schema
from planner.spec.files import find_root, plan_files
from planner.spec.plans.load import load_files, load_plans
from planner.spec.project.project import load_project, read_project

__all__ = [
    "find_root",
    "library_schema",
    "load_files",
    "load_plans",
    "load_project",
    "plan_files",
    "plan_schema",
    "project_schema",
    "read_project",
]
