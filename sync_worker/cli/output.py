"""How commands print: documents and CSV for programs, problems and progress for people."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
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

from sync_worker.files.csv_lines import csv_line
from sync_worker.services.trouble import Trouble

PROBLEMS_SHOWN = 50
STAMP = "%Y-%m-%d %H:%M:%S"


def print_json(value: Any) -> None:
    """One document on one line; values of our own become objects, numbers stay exact as texts."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    sys.stdout.write(csv_line(columns))
    sys.stdout.writelines(csv_line(row) for row in rows)


def print_trouble(trouble: Trouble) -> None:
    """What is wrong, and below it what to do."""
    sentence = f"{trouble.sentence[0].upper()}{trouble.sentence[1:]}."
    click.secho(f"✗ {sentence}", fg="red")
    click.echo(f"    → {trouble.next_step}")


def print_problems(problems: Sequence[str]) -> None:
    """To stderr: the first ones, and how many more there are."""
    for problem in problems[:PROBLEMS_SHOWN]:
        click.secho(problem, err=True, fg="red")
    if len(problems) > PROBLEMS_SHOWN:
        click.echo(f"… and {len(problems) - PROBLEMS_SHOWN} more", err=True)


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
