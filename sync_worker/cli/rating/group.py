"""``ratings-sync rating``: show, make, undo, compare, stop, go-on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import click

from sync_worker.cli.history import value_words
from sync_worker.cli.options import JSON, example, whoever
from sync_worker.cli.output import document_of, print_json, print_table, say
from sync_worker.core.numbers import MAX_WHOLE, BadNumber, exact_number, whole_number
from sync_worker.core.values import Side
from sync_worker.services.deciding.choice import Choice
from sync_worker.services.deciding.refusals import DecisionRefused
from sync_worker.services.deciding.shown import RatingShown
from sync_worker.wiring import wiring


class Number(click.ParamType[int]):
    """A number as we print it: ``r17`` or ``17``."""

    name = "number"

    def __init__(self, letter: str, what: str) -> None:
        self.letter, self.what = letter, what

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        number = whole_number(str(value).removeprefix(self.letter).removeprefix("#"))
        if number is None or not 0 < number <= MAX_WHOLE:
            self.fail(f"{value[:40]!r} is no number of {self.what}, such as {self.letter}17")
        return number


RATING = click.argument("link_id", metavar="RATING", type=Number("r", "a rating"))
WHY = click.option("--why", required=True, metavar="TEXT", help="Goes into the history.")
SIDES = click.Choice([str(side) for side in Side])


@contextmanager
def _told() -> Iterator[None]:
    """A refusal is words and status 1; nothing was stored."""
    try:
        yield
    except DecisionRefused as refusal:
        raise click.ClickException(str(refusal)) from None


@click.group(epilog="Example: ratings-sync rating show r17")
def rating() -> None:
    """One rating: look at it, make both sides the same, undo, compare, stop it, let it go on.

    Its number is that of its link, which `ratings-sync history` shows. What is decided here is
    written by a worker within seconds, and stands in the history with your name. A newer edit of a
    person wins as ever.
    """


@example("ratings-sync rating show r17")
@rating.command()
@RATING
@JSON
def show(link_id: int, as_json: bool) -> None:
    """Both sides as the ledger last knew them, and what waits."""
    with _told():
        shown = wiring().decisions.show(whoever(), link_id)
    if as_json:
        # As the endpoint shows it; what the command had before stays beside it, but its number,
        # which is `link_id` of `rating` now.
        one = wiring().ratings.one(whoever(), link_id)
        known = {} if one is None else document_of(one)
        print_json({**document_of(shown), **known})
    else:
        _print(shown)


@example('ratings-sync rating make r17 --side wix --stars 4 --why "told us by phone"')
@rating.command()
@RATING
@click.option("--side", "side_name", type=SIDES, required=True, help="In whose units STARS are.")
@click.option(
    "--stars",
    multiple=True,
    metavar="[ATTRIBUTE=]VALUE",
    help="Of an attribute; without its name the main one. May be given several times.",
)
@click.option("--title", metavar="TEXT", help="Words, where the site uses Wix Reviews.")
@click.option("--body", metavar="TEXT", help="Words, where the site uses Wix Reviews.")
@click.option(
    "--version",
    type=click.IntRange(0),
    metavar="N",
    help="As `rating show` told it: if somebody has changed the rating since, nothing is done.",
)
@WHY
@JSON
def make(
    link_id: int,
    side_name: str,
    stars: Sequence[str],
    title: str | None,
    body: str | None,
    version: int | None,
    why: str,
    as_json: bool,
) -> None:
    """Make both sides show the same: in the units of one side, mapped to the other."""
    words = {name: text for name, text in (("title", title), ("body", body)) if text is not None}
    service, who = wiring().decisions, whoever()
    with _told():
        main = service.show(who, link_id).main
        values = dict(_stars(one, main) for one in stars)
        choice = Choice(Side(side_name), values, words)
        number = service.make_both(who, link_id, choice, why, version)
    _print_number(link_id, number, as_json=as_json)


@example('ratings-sync rating undo h17 --why "a child pressed the stars"')
@rating.command()
@click.argument("line", metavar="LINE", type=Number("h", "a line of the history"))
@WHY
@JSON
def undo(line: int, why: str, as_json: bool) -> None:
    """Restore what a line of the history says was overwritten; of a delete the whole rating.

    `ratings-sync history` shows the lines with their numbers. Words are restored as long as the
    history keeps them (RETENTION_WORDS_DAYS).
    """
    with _told():
        number = wiring().decisions.undo(whoever(), line, why)
    _print_number(None, number, as_json=as_json)


@example("ratings-sync rating compare r17")
@rating.command()
@RATING
@JSON
def compare(link_id: int, as_json: bool) -> None:
    """Look at both sides now, and bring them in step."""
    with _told():
        number = wiring().decisions.compare_now(whoever(), link_id)
    _print_number(link_id, number, as_json=as_json)


@example('ratings-sync rating stop r17 --why "a lawyer looks at it"')
@rating.command()
@RATING
@WHY
@JSON
def stop(link_id: int, why: str, as_json: bool) -> None:
    """Write nothing more for a rating before it may go on; what comes meanwhile waits.

    A privacy request is carried out all the same.
    """
    with _told():
        number = wiring().decisions.stop(whoever(), link_id, why)
    _print_number(link_id, number, as_json=as_json)


@example('ratings-sync rating go-on r17 --why "it is settled"')
@rating.command("go-on")
@RATING
@WHY
@JSON
def go_on(link_id: int, why: str, as_json: bool) -> None:
    """Let a rating go on that a person stopped, with all that waited for it."""
    with _told():
        released = wiring().decisions.go_on(whoever(), link_id, why)
    if as_json:
        print_json({"rating": link_id, "released": released})
    else:
        click.echo(f"r{link_id} goes on; {len(released)} deliveries were released")


@example('ratings-sync rating choose 17 18 --side wix --why "the shop is right"')
@rating.command()
@click.argument("deliveries", nargs=-1, required=True, type=Number("#", "a delivery"))
@click.option("--side", "side_name", type=SIDES, required=True, help="Which side wins.")
@WHY
@JSON
def choose(deliveries: Sequence[int], side_name: str, why: str, as_json: bool) -> None:
    """Of held deliveries: make both sides show what one of them shows."""
    with _told():
        numbers = wiring().decisions.choose_side(whoever(), deliveries, Side(side_name), why)
    if as_json:
        print_json({"deliveries": numbers})
    else:
        named = ", ".join(f"#{number}" for number in numbers)
        click.echo(f"{named}: a worker carries it out within seconds")


def _stars(text: str, main: str | None) -> tuple[str, Decimal]:
    name, _, value = text.rpartition("=")
    attribute = name or main
    if attribute is None:
        raise click.UsageError("no main value is mapped: say which, ATTRIBUTE=VALUE")
    try:
        return attribute, exact_number(value)
    except BadNumber as error:
        raise click.UsageError(f"--stars: {error}") from None


def _print_number(link_id: int | None, number: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"rating": link_id, "delivery": number})
        return
    where = "" if link_id is None else f"; `ratings-sync history --link {link_id}` shows it then"
    click.echo(f"#{number}: a worker carries it out within seconds{where}")


def _print(shown: RatingShown) -> None:
    whose = shown.email or shown.contact or "nobody's any more (erased)"
    say(f"r{shown.rating} of site {shown.site}: {shown.state}, version {shown.version}")
    say(f"  {whose} · {shown.wix_entity} on Wix, {shown.external_entity} outside")
    rows = [
        (name, value_words(one.wix), value_words(one.external))
        for name, one in sorted(shown.shown.items())
    ]
    print_table(("attribute", "Wix", "outside"), rows)
    if shown.is_stopped:
        click.echo("A person has stopped it: `rating go-on` lets it go on.")
    if shown.deciding is not None:
        click.echo(f"A decision is on its way: #{shown.deciding}.")
    for number, reason in sorted(shown.held.items()):
        say(f"Held: #{number} ({reason}); see `ratings-sync held show {number}`.")
