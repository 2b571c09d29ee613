"""``ratings-sync export``: ratings to files, streaming."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from sync_worker.cli.options import NEW_FILE, SITE, the_site
from sync_worker.cli.output import advance, progress
from sync_worker.core.errors import Misconfigured, Permanent
from sync_worker.core.pages_seen import PagesSeen
from sync_worker.core.values import Site, WixKind
from sync_worker.import_export.exporting import (
    LEDGER_COLUMNS,
    WIX_COLUMNS,
    Format,
    PageOf,
    Writer,
    export_to_file,
    export_to_stream,
    is_stale_cursor,
    ledger_line,
    query_for,
    review_line,
    wix_line,
)
from sync_worker.ledger.administration.export import LedgerExport
from sync_worker.remotes.wix.ratings import LISTING, WixRatings
from sync_worker.remotes.wix.reviews import LISTING as REVIEW_LISTING
from sync_worker.remotes.wix.reviews import WixReviews
from sync_worker.runtime.waiting import patiently
from sync_worker.wiring import wiring

# Ten million ratings.
MAX_EXPORT_PAGES = 100_000

OUT = click.option(
    "--out",
    type=NEW_FILE,
    metavar="FILE",
    help="Default: stdout.",
)
FORMAT = click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True
)
NAMESPACE = click.option("--namespace", help="Only this Wix namespace.")
GROUP = click.option("--group", help="Only this Wix group.")
ENTITY = click.option("--entity", help="Only this Wix entity id.")


@dataclass(frozen=True)
class Wanted:
    """Which ratings go where, as the options of an export say."""

    site_name: str | None
    namespace: str | None
    group: str | None
    entity: str | None
    form: Format
    out: Path | None

    @property
    def words(self) -> str:
        return f"{self.namespace} {self.group} {self.entity} {self.form}"


def which_ratings(command: Callable[[Wanted], None]) -> Callable[..., None]:
    """Give a command the options that all exports have."""

    @wraps(command)
    def packed(**given: Any) -> None:
        command(Wanted(**given))

    for option in (OUT, FORMAT, ENTITY, GROUP, NAMESPACE, SITE):
        packed = option(packed)
    return packed


@click.group()
def export() -> None:
    """Ratings into a CSV or JSONL file, streaming. An export to a file that was killed goes on
    where it stopped.

    \b
    Example: ratings-sync export wix --format csv --out ratings.csv
    """


@export.command("wix")
@which_ratings
def export_wix(wanted: Wanted) -> None:
    """The ratings or reviews that Wix has now, page by page; reviews with their words.

    \b
    Example: ratings-sync export wix --group stores --format jsonl --out ratings.jsonl
    """
    site = the_site(wanted.site_name)
    page_of = _reviews_of(site, wanted)
    if site.wix_api is WixKind.RATINGS:
        page_of = _ratings_of(site, wanted)
    # The columns, too: what an earlier release has begun has fewer.
    what = f"wix {site.wix_api} {site.instance_id} {wanted.words} {len(WIX_COLUMNS)}"
    _export(page_of, Writer(wanted.form, WIX_COLUMNS), wanted.out, what)


def _ratings_of(site: Site, wanted: Wanted) -> PageOf:
    ratings = WixRatings(wiring().remotes.wix_api(site.instance_id, time.sleep))
    query = query_for(wanted.group, wanted.entity)
    seen = PagesSeen(LISTING, MAX_EXPORT_PAGES)

    def page_of(cursor: str | None) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        found, following = patiently(lambda: ratings.export_page(query, cursor), time.sleep)
        if following is not None:
            seen.add(str(rating.get("id")) for rating in found)
        lines = [wix_line(rating) for rating in found]
        return [line for line in lines if wanted.namespace in (None, line["namespace"])], following

    return page_of


def _reviews_of(site: Site, wanted: Wanted) -> PageOf:
    """Reviews with their words. They have no groups, and no filter that could be refused."""
    reviews = WixReviews(wiring().remotes.wix_api(site.instance_id, time.sleep))
    seen = PagesSeen(REVIEW_LISTING, MAX_EXPORT_PAGES)
    names = ("namespace", "group", "entity")
    asked = {name: getattr(wanted, name) for name in names if getattr(wanted, name) is not None}

    def is_wanted(line: Mapping[str, Any]) -> bool:
        shown = {**line, "entity": line["entity_id"]}
        return all(shown[name] == value for name, value in asked.items())

    def page_of(cursor: str | None) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        page = patiently(lambda: reviews.list_page(cursor), time.sleep)
        if page.unreadable:
            click.echo(f"{page.unreadable} reviews cannot be read, and are left out", err=True)
        if page.cursor is not None:
            seen.add(record.remote_id for record in page.records)
        return [line for line in map(review_line, page.records) if is_wanted(line)], page.cursor

    return page_of


@export.command("ledger")
@which_ratings
def export_ledger(wanted: Wanted) -> None:
    """What the ledger knows: who and what is linked, and the values when both sides last agreed.

    \b
    Example: ratings-sync export ledger --entity beans
    """
    site = the_site(wanted.site_name)
    ledger = LedgerExport(wiring().admin.engine)
    which = {"namespace": wanted.namespace, "group": wanted.group, "entity": wanted.entity}

    def page_of(cursor: str | None) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        lines, last = ledger.links_page(site.id, int(cursor or 0), **which)
        return [ledger_line(line) for line in lines], None if last is None else str(last)

    what = f"ledger {site.id} {wanted.words} {len(LEDGER_COLUMNS)}"
    _export(page_of, Writer(wanted.form, LEDGER_COLUMNS), wanted.out, what)


def _export(page_of: PageOf, writer: Writer, out: Path | None, what: str) -> None:
    count = 0
    with progress("exported", None) as bar:
        if out is None:
            pages = export_to_stream(sys.stdout, writer, page_of)
        else:
            pages = _restartable(out, writer, page_of, what)
        for lines in pages:
            count += lines
            advance(bar, lines)
    if out is not None:
        click.echo(f"{count} lines are in {out}", err=True)


def _restartable(out: Path, writer: Writer, page_of: PageOf, what: str) -> Iterator[int]:
    """Export to a file, or go on with it; where Wix has forgotten the cursor, say to begin anew."""
    begun = out.with_name(out.name + ".cursor")
    had_cursor = begun.is_file()
    try:
        yield from export_to_file(out, writer, page_of, what=what)
    except Permanent as refusal:
        if not (had_cursor and is_stale_cursor(refusal)):
            raise
        begun.unlink(missing_ok=True)
        raise Misconfigured(
            "the begun export cannot go on, its cursor is too old; run the same command again to"
            " begin anew"
        ) from refusal
