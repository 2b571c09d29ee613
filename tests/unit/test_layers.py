"""What the contracts of import-linter (pyproject.toml, ``make lint``) cannot say about imports."""

from __future__ import annotations

import ast
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

PRODUCT = ("sync_worker", "webhook_gateway", "sync_console")
WITHOUT_THIRD_PARTY = ("core", "engine", "intake", "reconcile")
CORE_MAY_USE = {"simplejson", "idna"}  # exact decimals, and domain names: the two exceptions
IO_MODULES = {
    "socket",
    "subprocess",
    "os",
    "pathlib",
    "time",
    "threading",
    "asyncio",
    "requests",
    "redis",
    "sqlalchemy",
}
READS_FILES = {ROOT / "sync_worker" / "manifest" / "loader.py"}


@cache
def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, at its top level or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def roots_of(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports_of(path)}


def importing(module: str, *folders: str) -> set[str]:
    """The files that import a module, or one inside it; only who writes its name is parsed."""
    last = module.rpartition(".")[2]
    return {
        named(path)
        for path in files(*folders)
        if last in path.read_text(encoding="utf-8")
        and any(f"{name}.".startswith(f"{module}.") for name in imports_of(path))
    }


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize(
    "path", files(*(f"sync_worker/{room}" for room in WITHOUT_THIRD_PARTY)), ids=named
)
def test_inner_room_imports_only_the_standard_library_and_our_own(path: Path) -> None:
    allowed = {"sync_worker", *sys.stdlib_module_names} | (
        CORE_MAY_USE if path.parts[-2] == "core" else set()
    )
    assert roots_of(path) <= allowed


PURE = {
    *files(*(f"sync_worker/{room}" for room in (*WITHOUT_THIRD_PARTY, "manifest"))),
    ROOT / "webhook_gateway" / "wix.py",
    ROOT / "webhook_gateway" / "external.py",
} - READS_FILES


@pytest.mark.parametrize("path", sorted(PURE), ids=named)
def test_module_without_io_imports_nothing_that_does_io(path: Path) -> None:
    assert not roots_of(path) & IO_MODULES


def test_metrics_are_counted_at_the_edges_only() -> None:
    edges = {
        "sync_worker/runtime/celery/broker.py",
        "sync_worker/runtime/celery/site_faults.py",
        "sync_worker/runtime/celery/worker_signals.py",
        "sync_worker/tasks.py",
        "sync_worker/wiring/redis_parts.py",
        "sync_worker/wiring/clients.py",
        "sync_worker/wiring/worker.py",
        "webhook_gateway/app.py",
        "webhook_gateway/door.py",
        "webhook_gateway/doorbell.py",
        "webhook_gateway/settings.py",
    }
    assert importing("sync_worker.telemetry.metrics", *PRODUCT) <= edges


def test_product_never_imports_its_sandbox_except_to_start_it() -> None:
    found = importing("sync_sandbox", *PRODUCT)
    assert found
    assert all(name.startswith("sync_worker/cli/") for name in found)


def test_contract_of_the_inner_rooms_names_every_library_that_we_depend_on() -> None:
    needed = {
        Requirement(line).name.lower().replace("_", "-")
        for line in PYPROJECT["project"]["dependencies"]
    }
    modules = {
        module
        for module, distributions in packages_distributions().items()
        if not module.startswith("_")
        and {name.lower().replace("_", "-") for name in distributions} & needed
    }
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    inner = next(
        one
        for one in contracts
        if one["source_modules"] == [f"sync_worker.{r}" for r in WITHOUT_THIRD_PARTY]
    )
    assert modules - set(inner["forbidden_modules"]) <= {"tests", "examples"}


def test_every_room_is_in_the_contract_of_entry_points() -> None:
    """Every room and every module of the gateway is in the contract of entry points.

    What is neither an entry point nor an earlier path of plugins is a room, and is bound.
    """
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    (entries,) = [one for one in contracts if one["name"].startswith("entry points")]
    (earlier,) = [one for one in contracts if one["name"].startswith("what plugins import")]
    bound = {*entries["source_modules"], *entries["forbidden_modules"]}
    found = {
        f"{package}.{path.stem}"
        for package in PRODUCT
        for path in (ROOT / package).iterdir()
        if not path.name.startswith("_") and (any(path.glob("*.py")) or path.suffix == ".py")
    }
    assert found - set(earlier["forbidden_modules"]) == bound - {"sync_sandbox"}
