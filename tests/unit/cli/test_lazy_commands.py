"""The command line starts quickly: what a call does not need, it does not import."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from sync_worker.cli.commands import cli
from sync_worker.cli.lazy import Lazy, LazyGroup

MODULES = """
import json, sys
from sync_worker.cli.main import main
try:
    main()
except SystemExit:
    print(json.dumps(sorted(sys.modules)))
"""
LIGHT = {"sync_worker", "sync_worker.cli", "sync_worker.core", "sync_worker.core.errors"}
LIGHT |= {f"sync_worker.cli.{name}" for name in ("main", "commands", "interrupts", "lazy")}


def lazy_commands(group: LazyGroup) -> Iterator[tuple[Lazy, click.Command]]:
    for lazy in group.lazy.values():
        command = lazy.load()
        yield lazy, command
        if isinstance(command, LazyGroup):
            yield from lazy_commands(command)


ALL = {lazy.place: (lazy, command) for lazy, command in lazy_commands(cli)}


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_import_no_command(option: str) -> None:
    """Only the table of commands, click and the standard library are there in the end."""
    done = subprocess.run(
        [sys.executable, "-c", MODULES, option], capture_output=True, text=True, check=True
    )
    modules = json.loads(done.stdout.splitlines()[-1])
    ours = {name for name in modules if name.split(".")[0] in ("sync_worker", "webhook_gateway")}
    packages = {name.split(".")[0] for name in modules}
    assert ours == LIGHT
    assert not packages & {
        "alembic",
        "celery",
        "flask",
        "kombu",
        "pydantic",
        "redis",
        "requests",
        "rich",
        "sqlalchemy",
        "structlog",
        "sync_sandbox",
        "yaml",
    }
    assert len(modules) < 300


@pytest.mark.parametrize("place", sorted(ALL))
@pytest.mark.parametrize("width", [20, 45, 60, 90, 200])
def test_short_help_of_the_table_is_that_of_the_command(place: str, width: int) -> None:
    lazy, command = ALL[place]
    stub = click.Command(command.name, help=lazy.help)
    assert stub.get_short_help_str(width) == command.get_short_help_str(width)


def test_names_of_the_table_are_those_of_the_commands() -> None:
    assert {name: lazy.load().name for name, lazy in cli.lazy.items()} == {
        name: name for name in cli.lazy
    }


def test_misspelt_command_gets_a_suggestion_without_an_import() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MODULES, "doctr"], capture_output=True, text=True, check=True
    )
    assert "'doctor'" in done.stderr
    assert "sqlalchemy" not in json.loads(done.stdout.splitlines()[-1])
