"""Every command of the whole command line: help with an example, and --json where it answers
something.
"""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from sync_worker.cli.commands import cli

# These run until they are stopped, print a file, or ask a person: their answer is no document.
NO_DOCUMENT = {"up", "migrate", "sandbox", "demo", "flower", "export wix", "export ledger"}
# What they print is a document.
NO_DOCUMENT |= {"connector new", "connector schema", "imports rejected"}
NO_DOCUMENT |= {"console"}  # a process
# These say one line about what they changed, and their status says whether they could.
ONE_LINE = {
    "prune",
    "site add",
    "site set",
    "site recover",
    "site remove",
    "map entities remove",
}


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        here = f"{path} {name}".strip()
        yield here, command
        if isinstance(command, click.Group):
            yield from commands(command, here)


ALL = dict(commands(cli))


def is_pure_group(command: click.Command) -> bool:
    return isinstance(command, click.Group) and not command.invoke_without_command


@pytest.mark.parametrize("path", sorted(ALL))
def test_command_has_help_with_an_example_of_itself(path: str) -> None:
    done = CliRunner().invoke(cli, [*path.split(), "--help"])
    assert done.exit_code == 0
    assert f"Example: ratings-sync {path}" in done.output


@pytest.mark.parametrize("path", sorted(ALL))
def test_every_option_is_explained_or_plain_by_its_name(path: str) -> None:
    for option in ALL[path].params:
        if isinstance(option, click.Option):
            assert (
                option.help
                or option.metavar
                or option.show_default
                or isinstance(option.type, click.Choice)
            ), option


@pytest.mark.parametrize("path", sorted(set(ALL) - NO_DOCUMENT - ONE_LINE))
def test_command_that_answers_has_a_form_for_programs(path: str) -> None:
    if is_pure_group(ALL[path]):
        pytest.skip("a group answers nothing itself")
    assert "as_json" in {option.name for option in ALL[path].params}


@pytest.mark.parametrize("path", sorted(ALL))
def test_unknown_option_is_wrong_usage(path: str) -> None:
    assert CliRunner().invoke(cli, [*path.split(), "--no-such-option"]).exit_code == 2
