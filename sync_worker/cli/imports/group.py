"""``ratings-sync imports``: which commands it has."""

from __future__ import annotations

import click

from sync_worker.cli.lazy import Lazy, LazyGroup

COMMANDS = {
    "list": Lazy("imports.shown:list_files", "Files that were sent for a site, newest first."),
    "show": Lazy(
        "imports.shown:show", "One file: how far it is, what became of its rows, and what is next."
    ),
    "rows": Lazy("imports.shown:rows", "Rows of a file, each with what became of it, and why."),
    "rejected": Lazy(
        "imports.shown:rejected",
        "The rejected rows as a file, to be put right and sent again.",
    ),
    "send": Lazy(
        "imports.acts:send", "Send a file: its rows are checked at once, nothing is imported yet."
    ),
    "look": Lazy(
        "imports.acts:look",
        "Let a worker say what would become of each row; nothing is written.",
    ),
    "run": Lazy("imports.acts:run", "Let the workers import a file, or go on with it."),
    "stop": Lazy("imports.acts:stop", "Begin no further rows; what was imported stays."),
    "remove": Lazy("imports.acts:remove", "Forget a file and its rows; what was imported stays."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, epilog="Example: ratings-sync imports list --site 7")
def imports() -> None:
    """Files of ratings that workers import: sent here, by API or in the browser.

    `ratings-sync import` imports a file by itself, while somebody waits for it.
    """
