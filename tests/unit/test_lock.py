"""The lock file holds a version in range for every dependency that pyproject.toml declares."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKED = {
    canonicalize_name(name): version
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    if "==" in line
    for name, _, version in [line.partition("==")]
}
# pip itself keeps these out of its list of what is installed.
NOT_LISTED = {"ratings-sync", "setuptools"}
DECLARED = sorted(
    {
        *PROJECT["dependencies"],
        *(one for extra in PROJECT["optional-dependencies"].values() for one in extra),
    }
)


@pytest.mark.parametrize("declared", DECLARED)
def test_declared_dependency_is_locked_within_its_range(declared: str) -> None:
    """Else CI and the image would install something that nobody chose."""
    requirement = Requirement(declared)
    if canonicalize_name(requirement.name) not in NOT_LISTED:
        assert LOCKED[canonicalize_name(requirement.name)] in requirement.specifier
