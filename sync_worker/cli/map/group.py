"""``ratings-sync map``: which commands it has."""

from __future__ import annotations

import click

from sync_worker.cli.lazy import Lazy, LazyGroup

COMMANDS = {
    "entities": Lazy(
        "map.entities:entities",
        "Rated things: Wix namespace, group and entity id ↔ external group and entity id.",
    ),
    "contacts": Lazy(
        "map.contacts:contacts", "People: Wix contact id ↔ e-mail ↔ external author id."
    ),
    "fields": Lazy("map.fields:fields", "Rating attributes ↔ external fields, with both scales."),
}


@click.group("map", cls=LazyGroup, lazy=COMMANDS)
def map_group() -> None:
    """Map entities, contacts and fields from CSV files; a file is imported whole or not at all.

    \b
    Example: ratings-sync map entities import entities.csv
    """
