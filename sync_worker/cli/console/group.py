"""``ratings-sync console``: which commands it has; without one, the console itself."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import click

from sync_worker.cli.lazy import Lazy, LazyGroup
from sync_worker.core.errors import Misconfigured

COMMANDS: dict[str, Lazy] = {}
NEEDED = ("argon2", "babel", "flask_wtf", "jinja2_fragments")


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    invoke_without_command=True,
    epilog="Example: ratings-sync console",
)
@click.pass_context
def console(context: click.Context) -> None:
    """Pages in the browser, at CONSOLE_BIND; needs the [console] extra. Ctrl-C stops it."""
    if any(find_spec(name) is None for name in NEEDED):
        raise Misconfigured(
            "the console is not installed; `pip install 'ratings-sync[console]'` brings it"
        )
    if context.invoked_subcommand is None:
        from sync_console.serve import main

        sys.exit(main())
