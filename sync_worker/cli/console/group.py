"""``ratings-sync console``: which commands it has; without one, the console itself."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import click

from sync_worker.cli.lazy import Lazy, LazyGroup
from sync_worker.core.errors import Misconfigured
from sync_worker.wiring.single_machine import OF_CONSOLE

USER = {
    "add": Lazy(
        "console.user:add",
        "Let somebody in: prints a link for one use within 15 minutes, where they choose a"
        " password.",
    ),
    "list": Lazy("console.user:list_users", "Who may come in, in pages."),
    "role": Lazy(
        "console.user:change_role",
        "Give somebody another role; it counts from their next click on.",
    ),
    "end-sessions": Lazy(
        "console.user:end_sessions", "Log somebody out everywhere; their password stays."
    ),
    "remove": Lazy(
        "console.user:remove",
        "Let somebody in no more; they are out at once, and the name stays theirs in the audit.",
    ),
}
TOKEN = {
    "add": Lazy(
        "console.token:add",
        "A token for a program, for one site or for all; it is printed this once.",
    ),
    "list": Lazy(
        "console.token:list_tokens",
        "Tokens in pages, with what each may do; those that have ended, too.",
    ),
    "revoke": Lazy(
        "console.token:revoke", "End a token, by its number; its next request is refused."
    ),
}
COMMANDS = {
    "audit": Lazy(
        "console.audit:audit",
        "Who did what, when and why, newest first: of one site with --site, else of all.",
    ),
    "user": Lazy("console.group:user", "Who may use the console."),
    "token": Lazy("console.group:token", "Tokens by which programs use the API."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    invoke_without_command=True,
    epilog="Example: ratings-sync console",
)
@click.pass_context
def console(context: click.Context) -> None:
    """Pages in the browser, at CONSOLE_BIND; needs the [console] extra. Ctrl-C stops it."""
    if any(find_spec(name) is None for name in OF_CONSOLE):
        raise Misconfigured(
            "the console is not installed; `pip install 'ratings-sync[console]'` brings it"
        )
    if context.invoked_subcommand is None:
        from sync_console.serve import main

        sys.exit(main())


@click.group(cls=LazyGroup, lazy=USER, epilog="Example: ratings-sync console user add kim")
def user() -> None:
    """Who may use the console."""


@click.group(
    cls=LazyGroup, lazy=TOKEN, epilog="Example: ratings-sync console token add stock --scope look"
)
def token() -> None:
    """Tokens by which programs use the API."""
