"""The documentation claims only what is there: tests, pages, commands and settings that it names
exist.
"""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from sync_worker.cli.commands import cli

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
TEST_NAME = re.compile(r"`(test_[a-z0-9_]+)`")
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"(?:^\$? ?|`|/bin/)ratings-sync((?: [a-z][a-z-]*)+)", re.MULTILINE)


@pytest.fixture(scope="module")
def tests_there_are() -> set[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    return {
        name
        for file in files
        for name in re.findall(r"def (test_\w+)\(", file.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_test_that_a_page_names_exists(name: str, tests_there_are: set[str]) -> None:
    named = set(TEST_NAME.findall((ROOT / name).read_text(encoding="utf-8")))
    assert named - tests_there_are == set()


def test_promises_name_tests() -> None:
    assert len(TEST_NAME.findall((ROOT / "docs/promises.md").read_text(encoding="utf-8"))) > 30


@pytest.mark.parametrize("name", NAMES)
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    page = ROOT / name
    broken = [
        link
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("name", NAMES)
def test_every_command_that_a_page_names_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert [found for found in COMMAND.findall(text) if not is_command(found.split())] == []


def is_command(words: list[str]) -> bool:
    """Whether the words begin with a command; what follows a command that has no further ones are
    its arguments.
    """
    group: click.Command = cli
    for word in words:
        if not isinstance(group, click.Group):
            return True
        found = group.get_command(click.Context(group), word)
        if found is None:
            return False
        group = found
    return True
