"""How commands print: documents and CSV for programs, problems and progress for people."""

from __future__ import annotations

import dataclasses
import json
import re
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
from rich.table import Table
from rich.text import Text

from sync_worker.core.outside_words import for_people, lines_for_people
from sync_worker.core.scale import FieldMap
from sync_worker.files.csv_lines import csv_line
from sync_worker.services.trouble import Trouble

# Further control characters, and those that turn or hide the text beside them.
_UNSEEN = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
PROBLEMS_SHOWN = 50
STAMP = "%Y-%m-%d %H:%M:%S"


def print_json(value: Any) -> None:
    """One document on one line; values of our own become objects, numbers stay exact as texts."""
    click.echo(_UNSEEN.sub(_as_json_escape, json.dumps(value, default=_plain, ensure_ascii=False)))


def _as_json_escape(sign: re.Match[str]) -> str:
    """A character that a terminal obeys or hides, in the form that JSON has for it."""
    return json.dumps(sign.group())[1:-1]


def say(text: str, *, err: bool = False, fg: str | None = None) -> None:
    """A line with words from outside in it, such as an id, or what a remote said."""
    click.secho(lines_for_people(text), err=err, fg=fg)


def print_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str | None = None,
    console: Console | None = None,
) -> None:
    """A table whose cells are words, and never markup or commands of the terminal."""
    table = WordsTable(*headers, title=title, title_justify="left", box=None)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    (console or Console()).print(table)


class WordsTable(Table):
    """Rich's table with cells of words: ``[/x]`` of an id is no end of a style."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*(Text(for_people(str(cell))) for cell in cells), **options)


def document_of(value: Any) -> dict[str, Any]:
    """A value of ours by the names of its fields, as the API answers it."""
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return document_of(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)


def field_words(field: FieldMap) -> str:
    """A mapped field with both of its scales."""
    outside = f"{field.external_field} ({field.external})"
    return f"{field.attribute} ({field.wix}) ↔ {outside}, {field.mapping}"


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    sys.stdout.write(csv_line(columns))
    sys.stdout.writelines(csv_line(row) for row in rows)


def print_trouble(trouble: Trouble) -> None:
    """What is wrong, and below it what to do."""
    sentence = f"{trouble.sentence[0].upper()}{trouble.sentence[1:]}."
    say(f"✗ {sentence}", fg="red")
    say(f"    → {trouble.next_step}")


def print_problems(problems: Sequence[str]) -> None:
    """To stderr: the first ones, and how many more there are."""
    for problem in problems[:PROBLEMS_SHOWN]:
        say(problem, err=True, fg="red")
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
