"""``ratings-sync search``: where is the rating of …?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from sync_worker.cli.options import JSON, PAGE_AFTER, Moment, the_site, whoever
from sync_worker.cli.output import STAMP, document_of, print_json, print_table, say
from sync_worker.services.ratings.search import RatingFilter, Standing
from sync_worker.services.ratings.values import DeliveryFound, Found, RatingFound
from sync_worker.wiring import wiring


@click.command()
@click.argument("word", default="")
@click.option("--site", "site_name", metavar="SITE", help="Number, instance id or connector.")
@click.option("--state", type=click.Choice([str(one) for one in Standing]))
@click.option("--differs", is_flag=True, help="Held, stopped, or on one side alone.")
@click.option("--product", metavar="ID|TITLE", help="An id, or the start of a title.")
@click.option("--since", type=Moment(), metavar="TIME", help="Changed since: 36h, 7d, a date.")
@click.option("--csv", "as_csv", is_flag=True, help="A table for a spreadsheet.")
@PAGE_AFTER
@JSON
def search(
    word: str,
    site_name: str | None,
    state: str | None,
    differs: bool,
    product: str | None,
    since: datetime | None,
    as_csv: bool,
    after: int,
    as_json: bool,
) -> None:
    """Find ratings by address, name, product or id, also what has not come to one yet, and why.

    WORD is an e-mail address, a name, a product (id, SKU, title), any id of either side, or a
    number that we print (r17, #17, h17). An address has to be whole; of anything else the start
    will do. Status 1 if there is none.

    \b
    Example: ratings-sync search ada@example.com
    """
    which = RatingFilter(
        None if site_name is None else the_site(site_name).id,
        Standing(state) if state else None,
        differs,
        product,
        since,
    )
    service = wiring().search
    if as_csv:
        for line in service.as_csv(whoever(), word, which):
            click.echo(line, nl=False)
        return
    found = service.find(whoever(), word, which, after or None)
    if as_json:
        following = {"next_after": found.after, "next": _next_page(found.after)}
        print_json({**document_of(found), **following})
    else:
        _print(found)
    if not (found.ratings or found.deliveries):
        say(f"nothing is found for {word!r}" if word else "nothing is found", err=True)
        raise SystemExit(1)


def _next_page(after: int | None) -> str | None:
    """What lists the next page, with the same word and filters; ``None``: there is none."""
    return None if after is None else f"--after {after}"


def _print(found: Found) -> None:
    if found.ratings:
        headers = ("rating", "who", "product", "on Wix", "outside", "state", "changed (UTC)")
        print_table(headers, _ratings(found.ratings))
    if found.deliveries:
        print_table(("delivery", "who", "product", "not linked yet because"), _told(found))
    if found.is_cut:
        say("this means more than is shown: give more of the word, or --site", err=True)
    if found.after is not None:
        say(f"more: --after {found.after}", err=True)


def _ratings(ratings: Sequence[RatingFound]) -> list[tuple[object, ...]]:
    return [
        (
            one.number,
            one.person or one.email or one.contact_id,
            one.product or one.wix_product_id,
            one.wix_value or "–",
            one.external_value or "–",
            one.sentence,
            one.changed_at.strftime(STAMP) if one.changed_at else "–",
        )
        for one in ratings
    ]


def _told(found: Found) -> list[tuple[object, ...]]:
    return [
        (one.number, _who(one), one.product or one.product_id, one.because)
        for one in found.deliveries
    ]


def _who(one: DeliveryFound) -> str:
    return one.person or f"{one.side} {one.remote_id}"
