"""Groups whose commands are imported when they are called; help and version import none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from sync_worker.cli.interrupts import interrupts_end_at_once


@dataclass(frozen=True, slots=True)
class Lazy:
    """A command that is not imported yet.

    ``place``: its module below this package and its name there, such as ``site:site``.
    ``help``: the first sentence of its own help, which the group's help shows.
    """

    place: str
    help: str

    def load(self) -> click.Command:
        module, name = self.place.split(":")
        with interrupts_end_at_once():
            command = getattr(import_module(f"sync_worker.cli.{module}"), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.place} is no command")
        return command


class LazyGroup(click.Group):
    """Click's lazily loaded group: ``lazy`` names the commands.

    ``before_loading`` is called before a command is imported.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy
        self.before_loading: Callable[[], None] | None = None
        # In the place of the commands: what click lists, and suggests for a misspelt name.
        self.commands = {name: click.Command(name, help=own.help) for name, own in lazy.items()}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself, imported."""
        lazy = self.lazy.get(cmd_name)
        if lazy is None:
            return super().get_command(ctx, cmd_name)
        if self.before_loading is not None:
            self.before_loading()
        return lazy.load()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        click.Group(self.name, commands=self.commands).format_commands(ctx, formatter)
