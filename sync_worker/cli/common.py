"""What the commands share: options, one way to print for programs, and progress for people."""

from __future__ import annotations

import csv
import dataclasses
import getpass
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from sync_worker.core.values import Site
from sync_worker.wiring import wiring

PROBLEMS_SHOWN = 50
STAMP = "%Y-%m-%d %H:%M:%S"
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

JSON = click.option("--json", "as_json", is_flag=True, help="For programs: one JSON document.")
SITE = click.option(
    "--site",
    "site_name",
    metavar="SITE",
    help="Number, instance id or connector; needed if several.",
)
FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


def the_site(name: str | None) -> Site:
    """The site that --site names. Raises Misconfigured."""
    return wiring().admin.find_site(name)


def user_name() -> str:
    """Whoever gives the command, for the history; behind sudo the one who asked for it."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"


def print_json(value: Any) -> None:
    """One document on one line; values of our own become objects, numbers stay exact as texts."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return list(value) if isinstance(value, set | frozenset | tuple) else str(value)


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)


def print_problems(problems: Sequence[str]) -> None:
    """To stderr; the first ones, and how many more there are."""
    for problem in problems[:PROBLEMS_SHOWN]:
        click.secho(problem, err=True, fg="red")
    if len(problems) > PROBLEMS_SHOWN:
        click.echo(f"… and {len(problems) - PROBLEMS_SHOWN} more", err=True)


class Moment(click.ParamType[datetime]):
    """A time in UTC: an ISO date or time, or how long ago (``90m``, ``36h``, ``7d``, ``2w``)."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value)
        if text[:-1].isdigit() and text[-1:] in UNITS:
            return datetime.now(UTC) - timedelta(**{UNITS[text[-1]]: int(text[:-1])})
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            self.fail(
                f"{text!r} is neither a date (2026-01-31) nor how long ago (90m, 36h, 7d, 2w)",
                param,
                ctx,
            )
        return at if at.tzinfo else at.replace(tzinfo=UTC)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Progress]:
    """A bar on stderr with rate and time left; nothing of it where stderr is no terminal."""
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        bar.add_task(what, total=total)
        yield bar


def advance(bar: Progress, steps: int = 1) -> None:
    bar.advance(bar.task_ids[0], steps)
