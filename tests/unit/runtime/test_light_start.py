"""The scheduler and Flower start light; a worker has all of its code before its first task."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sync_worker
from sync_worker.tasks import LATER

ROOT = Path(sync_worker.__file__).parent
# What only a worker needs.
WORKERS = (
    "sync_worker.engine",
    "sync_worker.manifest",
    "sync_worker.wiring",
    "sync_worker.remotes",
)


def modules_after(code: str) -> set[str]:
    code += "; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_application_of_celery_imports_nothing_that_only_a_worker_needs() -> None:
    loaded = modules_after("import sync_worker.tasks")
    assert [name for name in sorted(loaded) if name.startswith(WORKERS)] == []


@pytest.mark.parametrize("file", ["tasks.py", "doctor/live/asked_tasks.py"])
def test_worker_imports_as_it_starts_whatever_a_task_imports(file: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    inside = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    later = set()
    for node in (found for function in inside for found in ast.walk(function)):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            is_package = (ROOT.parent / node.module.replace(".", "/")).is_dir()
            later |= names if is_package else {node.module}
    assert later
    assert later <= set(LATER)
