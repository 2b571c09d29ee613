"""Imports run one way: the layers of the design, enforced."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PURE = {
    "sync_worker.model",
    "sync_worker.scale",
    "sync_worker.errors",
    "sync_worker.plan",
    "sync_worker.sight",
    "sync_worker.slot_write",
    "sync_worker.listing",
}
CORE = PURE | {
    "sync_worker.ports",
    "sync_worker.hold_keys",
    "sync_worker.lease_keeper",
    "sync_worker.view",
    "sync_worker.settlement",
    "sync_worker.joining",
    "sync_worker.story",
    "sync_worker.writing",
    "sync_worker.link_run",
    "sync_worker.engine",
    "sync_worker.resolve",
    "sync_worker.children",
    "sync_worker.people_changes",
    "sync_worker.site_changes",
    "sync_worker.intake",
    "sync_worker.runs",
    "sync_worker.bulk_people",
    "sync_worker.rehearsal",
    "sync_worker.reconcile",
}
IO_MODULES = {
    "socket",
    "requests",
    "redis",
    "sqlalchemy",
    "subprocess",
    "os",
    "pathlib",
    "time",
    "threading",
    "asyncio",
}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, at its top level or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


SOURCES = {module_name(path): imports_of(path) for path in files("sync_worker", "webhook_gateway", "sandbox")}


def ours(imported: set[str]) -> set[str]:
    return {name for name in imported if name in SOURCES}


@pytest.mark.parametrize("module", sorted(CORE))
def test_core_module_imports_only_the_core_and_the_standard_library(module: str) -> None:
    imported = SOURCES[module]
    assert ours(imported) <= CORE
    roots = {name.split(".")[0] for name in imported} - {"sync_worker"}
    assert roots <= set(sys.stdlib_module_names)


CONNECTOR = {name for name in SOURCES if name.startswith("sync_worker.connector.")} - {"sync_worker.connector.loading"}


@pytest.mark.parametrize("module", sorted(CORE | CONNECTOR | {"webhook_gateway.wix", "webhook_gateway.external"}))
def test_module_without_io_imports_nothing_that_does_io(module: str) -> None:
    assert not {name.split(".")[0] for name in SOURCES[module]} & IO_MODULES


@pytest.mark.parametrize("module", sorted(PURE))
def test_pure_module_imports_only_pure_modules(module: str) -> None:
    assert ours(SOURCES[module]) <= PURE


@pytest.mark.parametrize("module", sorted(name for name in SOURCES if name.startswith("sync_worker.adapters.")))
def test_adapter_imports_no_other_adapter_and_never_the_engine(module: str) -> None:
    family = module.split(".")[2].split("_")[0]
    shared = {"http", "sql", "tables"}
    for name in ours(SOURCES[module]):
        parts = name.split(".")
        if parts[:2] == ["sync_worker", "adapters"] and len(parts) > 2:
            assert parts[2].split("_")[0] in {family, *shared}, f"{module} imports {name}"
        assert name not in {"sync_worker.engine", "sync_worker.resolve", "sync_worker.intake", "sync_worker.wiring"}


def test_only_wiring_and_entry_points_know_every_adapter() -> None:
    entry_points = {"sync_worker.wiring"} | {name for name in SOURCES if name.startswith("sync_worker.cli")}
    knowing = {
        name
        for name, imported in SOURCES.items()
        if {"sync_worker.adapters.wix", "sync_worker.adapters.external"} <= imported
    }
    assert knowing <= entry_points


def test_metrics_are_counted_at_the_edges_only() -> None:
    edges = {
        "sync_worker.careful_broker",
        "sync_worker.tasks",
        "sync_worker.wiring",
        "webhook_gateway.app",
        "webhook_gateway.doorbell",
    }
    assert {name for name, imported in SOURCES.items() if "sync_worker.metrics" in imported} <= edges


def test_product_never_imports_its_sandbox_except_to_start_it() -> None:
    for name, imported in SOURCES.items():
        if not name.startswith(("sandbox", "sync_worker.cli")):
            assert not any(part.split(".")[0] == "sandbox" for part in imported), name
