"""Options that say how a file of ratings is read, for ``import`` and ``imports send``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click

from sync_worker.core.values import Side
from sync_worker.import_export.file_format import renamed
from sync_worker.services.imports.choosing import Choice

OPTIONS = (
    click.option(
        "--preset",
        metavar="NAME",
        help="judgeme, woocommerce, yotpo, or a file of your own.",
    ),
    click.option(
        "--column",
        "pairs",
        multiple=True,
        metavar="PART=COLUMN",
        help="entity, email, author_name, state, title, body, date, pictures, or an attribute.",
    ),
    click.option(
        "--published",
        multiple=True,
        metavar="WORD",
        help="A state whose rows count, if a column tells the state.",
    ),
    click.option("--scale", metavar="MIN:MAX:STEP", help="Of the file's values, such as 1:5:1."),
    click.option(
        "--mapping",
        type=click.Choice(["proportional", "span"]),
        help="How its scale converts to Wix's.",
    ),
    click.option(
        "--entity-of",
        type=click.Choice([str(side) for side in Side]),
        help="Whose entity ids the file names.",
    ),
)


def takes_choice(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options, and ``choice`` in their place."""

    @wraps(command)
    def with_choice(
        preset: str | None,
        pairs: Sequence[str],
        published: Sequence[str],
        scale: str | None,
        mapping: Any,
        entity_of: str | None,
        **others: Any,
    ) -> None:
        parts = _three(scale)
        columns = renamed(_columns(pairs))
        choice = Choice(preset, columns, parts, mapping, entity_of, published)
        command(choice=choice, **others)

    takes: Callable[..., None] = with_choice
    for option in reversed(OPTIONS):
        takes = option(takes)
    return takes


def _columns(pairs: Sequence[str]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        name, equals, column = pair.partition("=")
        if not equals or not name.strip() or not column.strip():
            raise click.UsageError(
                f"--column {pair!r} is not PART=COLUMN, such as email=reviewer_email"
            )
        if name.strip() in columns:
            raise click.UsageError(f"--column {name.strip()} is given twice; one column has a part")
        columns[name.strip()] = column.strip()
    return columns


def _three(scale: str | None) -> tuple[str, str, str] | None:
    if scale is None:
        return None
    ends = scale.split(":")
    if len(ends) != 3:
        raise click.UsageError("--scale takes MIN:MAX:STEP, such as 1:5:1")
    return ends[0], ends[1], ends[2]
