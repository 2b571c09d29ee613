"""The wheel that people install: whole, and importable away from the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.full

ROOT = Path(__file__).parents[2]
PACKAGES = ("sync_worker", "webhook_gateway", "sync_sandbox", "sync_console")
BUILD = "from setuptools import build_meta; build_meta.build_wheel('dist')"
# Imports each module that the folder holds, then makes a ledger: what Alembic runs by itself
# (migrations.env) can only be imported by Alembic.
IMPORT_ALL = """
import importlib, json, pathlib, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # the earlier paths say that they are such
here, files = pathlib.Path.cwd(), {}
for path in sorted(here.rglob("*.py")):
    parts = path.relative_to(here).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    if name != "sync_worker.ledger.migrations.env":
        files[name] = importlib.import_module(name).__file__
from sync_worker.ledger.opening import open_with_newest_schema
open_with_newest_schema("sqlite:///ledger.db", busy_seconds=5.0, pool_size=1).dispose()
print(json.dumps(files))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: a build leaves its traces beside what it builds."""
    source = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    done = subprocess.run(
        [sys.executable, "-c", BUILD], cwd=source, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    (built,) = (source / "dist").glob("*.whl")
    return built


def names_of(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_installs_only_packages_that_carry_our_name(wheel: Path) -> None:
    """No ``tests``, ``benchmarks`` or ``sandbox`` lands among other people's packages."""
    tops = {name.split("/")[0] for name in names_of(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_wheel_holds_every_file_of_its_packages(wheel: Path) -> None:
    """Manifests, templates and the mark of typed packages are files that no import asks for."""
    there = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {f"{package}/py.typed" for package in PACKAGES} <= there
    assert there == {name for name in names_of(wheel) if ".dist-info/" not in name}


def test_every_module_of_the_wheel_can_be_imported_away_from_the_checkout(
    wheel: Path, tmp_path: Path
) -> None:
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    shutil.rmtree(next(tmp_path.glob("*.dist-info")))
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(tmp_path),
        "REDIS_URL": "redis://127.0.0.1:1/0",  # settings of Celery are read, nobody is called
    }
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout.splitlines()[-1])
    assert len(files) > 100
    assert [name for name, file in files.items() if not file.startswith(str(tmp_path))] == []
