"""``ratings-sync history``: what was written or decided, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from sync_worker.cli.options import JSON, NUMBER, whoever
from sync_worker.cli.output import STAMP, print_json, print_table, say
from sync_worker.core.outside_words import for_people, shortened
from sync_worker.core.values import Value
from sync_worker.ledger.administration.history_lines import HistoryLine
from sync_worker.wiring import wiring

MAX_WORDS = 60  # characters of a text, in a table


@click.command()
@click.argument("word", metavar="[ID | E-MAIL]", required=False)
@click.option("--link", "link_id", type=NUMBER, help="One link, by its number.")
@click.option("--limit", type=NUMBER, default=50, show_default=True)
@JSON
def history(word: str | None, link_id: int | None, limit: int, as_json: bool) -> None:
    """What was written or decided, with winner, loser and why; of one rating by its id on either
    side.

    The first characters of an id will do, and an e-mail address stands for the ratings of that
    person; so does anything else that `search` finds. Status 1 if there is none.

    \b
    Example: ratings-sync history 076716da-0000-4000-8000-2448c17c89df
    """
    lines = _lines(word, link_id, limit)
    if as_json:
        print_json(_documents(lines))
    elif lines:
        print_history(lines)
    elif word is None and link_id is None:
        click.echo("no history yet")
    if not lines and (word is not None or link_id is not None):
        _tell_nothing(word, link_id)


def _documents(lines: Sequence[HistoryLine]) -> list[dict[str, Any]]:
    """``activity``: the line as the endpoint has it, whose ``what`` is a sentence."""
    told = wiring().activity.numbered(whoever(), [line.number for line in lines])
    return [
        {
            "line": line.number,
            "at": line.at,
            "link": line.link_id,
            **dataclasses.asdict(line.entry),
            "activity": told.get(line.number),
        }
        for line in lines
    ]


def _lines(word: str | None, link_id: int | None, limit: int) -> list[HistoryLine]:
    """The newest lines, oldest first; of what ``search`` finds, where the word is no id."""
    questions = wiring().admin.questions
    lines = questions.history(link_id=link_id, word=word, limit=limit)
    if lines or word is None:
        return lines
    found = wiring().search.find(whoever(), word).ratings
    theirs = [one for each in found for one in questions.history(link_id=each.link_id, limit=limit)]
    is_of_link = [line for line in theirs if link_id in (None, line.link_id)]
    return sorted(is_of_link, key=lambda line: line.number)[-limit:]


def _tell_nothing(word: str | None, link_id: int | None) -> NoReturn:
    """Status 1: what was asked for may be misspelt, or of another ledger."""
    of = f"{word!r}" if word is not None else f"link {link_id}"
    advice = (
        "an id of either side (its first 8 characters do), an e-mail address, or the id of a person"
        " or product finds one; RETENTION_HISTORY_DAYS ends it"
    )
    say(f"there is no history of {of}: {advice}", err=True)
    raise SystemExit(1)


def print_history(lines: Sequence[HistoryLine]) -> None:
    numbers = ("line", "link")
    headers = ("time (UTC)", *numbers, "what", "on", "attribute", "value", "lost", "why", "who")
    rows = []
    for line in lines:
        entry = line.entry
        on = f"{entry.side or ''} {entry.remote_id[:8]}".strip()
        change = lost = ""
        if entry.before is not None or entry.after is not None:
            change = f"{value_words(entry.before)} → {value_words(entry.after)}"
        if entry.loser is not None:
            lost = f"{value_words(entry.loser)} ({entry.loser_side})"
        values = (entry.attribute, change, lost, entry.reason, entry.actor)
        place = (line.at.strftime(STAMP), f"h{line.number}", line.link_id)
        rows.append((*place, entry.what, on, *values))
    print_table(headers, rows)


def value_words(value: Value | None) -> str:
    """A number, or the first of somebody's words, in quotes; what cannot be seen as its number."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return f"“{shortened(for_people(value), MAX_WORDS)}”"
    return str(value)
