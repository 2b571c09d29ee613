"""The Makefile says at once which Python it needs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fleet_file import ROOT


def make(target: str, python: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = ["make", "--silent", target, f"PYTHON={python}", f"VENV={folder / 'venv'}"]
    return subprocess.run(
        [*words, "MAKEFLAGS="], cwd=ROOT, capture_output=True, text=True, timeout=30
    )


def a_python(folder: Path, version: tuple[int, int]) -> str:
    """A program that runs code as a Python of this version would; it makes no environment."""
    program = folder / "python"
    code = f"import sys; sys.version_info = {(*version, 1, 'final', 0)}; exec(sys.argv[1])"
    program.write_text(
        f"""#!/bin/sh\n[ "$1" = -c ] || exit 9\nexec {sys.executable} -c "{code}" "$2"\n"""
    )
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("version", [(3, 10), (3, 15), (2, 7)])
@pytest.mark.parametrize("target", ["demo", "test-unit"])
def test_unsuited_python_is_told_before_anything_is_made(
    target: str, version: tuple[int, int], tmp_path: Path
) -> None:
    """The sentence names both versions and the command to give instead."""
    python = a_python(tmp_path, version)
    done = make(target, python, tmp_path)
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == (
        f"ratings-sync runs on Python 3.11 to 3.14, and {python} is {version[0]}.{version[1]}:"
        f" make {target} PYTHON=python3.13"
    )
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("version", [(3, 11), (3, 14)])
def test_suited_python_is_used(version: tuple[int, int], tmp_path: Path) -> None:
    done = make("demo", a_python(tmp_path, version), tmp_path)
    assert "runs on Python" not in done.stderr
    assert "Error 9" in done.stderr, "it was asked for an environment"


def test_python_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = make("demo", "python3.99", tmp_path)
    assert done.stderr.splitlines()[0] == (
        "there is no python3.99 here; ratings-sync runs on Python 3.11 to 3.14"
    )


def test_files_that_make_looks_in_have_all_tests_of_test_all() -> None:
    """Also those whose mark comes from what several of them import, or from a fixture."""
    (pattern,) = re.findall(r"(?m)^GIVES_FULL = (.+)$", (ROOT / "Makefile").read_text())
    texts = {path: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")}
    tests = {path: text for path, text in texts.items() if path.name.startswith("test_")}
    mark = f"mark.{'full'}"
    givers = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in texts.keys() - tests.keys()
        if mark in texts[path]
    ]
    marked = re.compile(rf"{re.escape(mark)}|from ({'|'.join(givers)}) import")
    wanted = {path for path, text in tests.items() if marked.search(text)}
    found = {path for path, text in tests.items() if re.search(pattern, text)}
    shared = (ROOT / "tests/simulation/conftest.py").read_text()
    assert "params=BOTH_LEDGERS" in shared
    assert re.findall(r"def (\w+)\(request", shared) == ["make_ledger"]
    wanted |= {path for path, text in tests.items() if "make_ledger" in text}
    assert len(wanted) > 50
    assert wanted - found == set()


def test_folders_that_make_looks_in_have_all_tests_that_run_alone() -> None:
    (line,) = re.findall(r"(?m)^OF_PROCESSES = (.+)$", (ROOT / "Makefile").read_text())
    marked = [
        path.relative_to(ROOT)
        for path in (ROOT / "tests").rglob("test_*.py")
        if f"mark.{'alone'}" in path.read_text(encoding="utf-8")
    ]
    assert {str(path.parent) for path in marked} == set(line.split())
