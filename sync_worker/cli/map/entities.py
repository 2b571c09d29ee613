"""``ratings-sync map entities``: which thing on Wix is which thing outside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from sync_worker.cli.map.entity_proposal import (
    columns_of,
    describe,
    doubtful,
    live_catalogue,
    save_entity_proposal,
)
from sync_worker.cli.map.importing import import_rows, read_or_refuse
from sync_worker.cli.options import (
    EXISTING_FILE,
    FILE,
    JSON,
    NEW_FILE,
    SITE,
    WHY,
    the_site,
    whoever,
)
from sync_worker.cli.output import document_of, print_csv, print_json, print_problems
from sync_worker.core.values import Side
from sync_worker.core.values.catalogue import CatalogueItem
from sync_worker.files.mapping_files import ENTITY_COLUMNS, read_entities
from sync_worker.files.proposals import ALL_WAYS, By, propose_entities, read_catalogue
from sync_worker.files.rows import BadFile
from sync_worker.ledger.console.maps import MapLine, SqlMaps
from sync_worker.services.onboarding.products import Products
from sync_worker.services.sites.mapping import Maps, mapped
from sync_worker.wiring import wiring
from sync_worker.wiring.sweeps import NoBell


@click.group()
def entities() -> None:
    """Rated things: Wix namespace, group and entity id ↔ external group and entity id.

    \b
    Example: ratings-sync map entities propose --wix wix.csv --external shop.csv --out entities.csv
    """


@entities.command("import")
@FILE
@SITE
@JSON
def import_entities(file: Path, site_name: str | None, as_json: bool) -> None:
    """Columns: wix_namespace,wix_group,wix_entity_id,external_group,external_entity_id.

    \b
    Example: ratings-sync map entities import entities.csv
    """
    site, rows = the_site(site_name), read_or_refuse(file, read_entities)
    save = wiring().admin.mappings.import_entities
    # The endpoint tells how many are released, and not which.
    import_rows(site, rows, save, as_json, lambda done: {"mapped": mapped(done)})


@entities.command("list")
@SITE
@JSON
def list_entities(site_name: str | None, as_json: bool) -> None:
    """As CSV, in the form that import takes.

    \b
    Example: ratings-sync map entities list
    """
    site_id = the_site(site_name).id
    if as_json:
        maps = SqlMaps(wiring().admin.transactions)
        print_json([_document(line) for line in maps.all(site_id)])
        return
    found = wiring().admin.mappings.entities(site_id)
    print_csv(ENTITY_COLUMNS, [columns_of(entity.wix, entity.external) for entity in found])


def _document(line: MapLine) -> dict[str, Any]:
    """By the columns of a file, and as the endpoint has it."""
    columns = columns_of(line.entity.wix, line.entity.external)
    return {**dict(zip(ENTITY_COLUMNS, columns, strict=True)), **document_of(line)}


@entities.command("remove")
@click.option("--wix-id", default="", metavar="ID", help="Of the product on Wix.")
@click.option("--external-id", default="", metavar="ID", help="Of the product outside.")
@SITE
@WHY
@JSON
def remove_entity(
    wix_id: str, external_id: str, site_name: str | None, why: str, as_json: bool
) -> None:
    """Take the map of one product away; one that ratings are linked by stays.

    \b
    Example: ratings-sync map entities remove --wix-id p-17 --site 2
    """
    if not wix_id and not external_id:
        raise click.UsageError("name the product: --wix-id or --external-id, or both")
    products = Products(wiring().admin, wiring().remotes.catalogues, NoBell())
    site = the_site(site_name)
    removing = Maps(wiring().admin, products)
    told = removing.remove_named(whoever(), site.id, wix_id, external_id, why)
    if as_json:
        print_json({"sentence": told})
    else:
        click.echo(told)


@entities.command()
@click.option(
    "--wix",
    "wix_file",
    type=EXISTING_FILE,
    help="Catalogue of the Wix site, as CSV; by default Wix Stores is asked.",
)
@click.option(
    "--external",
    "external_file",
    type=EXISTING_FILE,
    help="Catalogue of the external system, as CSV; by default it is asked itself.",
)
@click.option(
    "--by",
    "ways",
    type=click.Choice(ALL_WAYS),
    multiple=True,
    help="Default: id, then sku, then name.",
)
@click.option("--namespace", default="reviews", show_default=True, help="Of the things on Wix.")
@click.option("--group", default="stores", show_default=True, help="Of the things on Wix.")
@click.option("--wix-column", "wix_columns", multiple=True, metavar="id|sku|name=COLUMN")
@click.option("--external-column", "external_columns", multiple=True, metavar="id|sku|name=COLUMN")
@click.option("--out", type=NEW_FILE, metavar="FILE", help="Default: stdout.")
@SITE
@JSON
def propose(
    wix_file: Path | None,
    external_file: Path | None,
    ways: Sequence[By],
    namespace: str,
    group: str,
    wix_columns: Sequence[str],
    external_columns: Sequence[str],
    out: Path | None,
    site_name: str | None,
    as_json: bool,
) -> None:
    """Pair two catalogues by equal id, SKU or name; nothing is mapped before you import the file.

    Both are read live, or from exports. Things without a certain twin go to FILE.doubtful.csv (with
    --out).

    \b
    Example: ratings-sync map entities propose --by sku --out entities.csv
    """
    if as_json and out is None:
        raise click.UsageError("--json needs --out: without it the pairs themselves go to stdout")
    wix = _catalogue(Side.WIX, wix_file, wix_columns, site_name)
    external = _catalogue(Side.EXTERNAL, external_file, external_columns, site_name)
    proposal = propose_entities(wix, external, ways or ALL_WAYS)
    save_entity_proposal(proposal, namespace, group, out)
    if as_json:
        counts = {way: sum(pair.way == way for pair in proposal.pairs) for way in ALL_WAYS}
        print_json({"pairs": counts, "doubtful": len(proposal.doubts), "file": str(out)})
        return
    click.echo(describe(proposal), err=True)
    if out is not None:
        click.echo(
            f"look at {out} and {doubtful(out)}, then: ratings-sync map entities import {out}",
            err=True,
        )


def _catalogue(
    side: Side, file: Path | None, columns: Sequence[str], site_name: str | None
) -> list[CatalogueItem]:
    """One side's, from its export or live. Raises Misconfigured, SyncError."""
    if file is None:
        return live_catalogue(the_site(site_name), side)
    try:
        return read_catalogue(file, _named(columns))
    except BadFile as bad:
        print_problems(bad.problems)
        raise SystemExit(1) from None


def _named(pairs: Sequence[str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for pair in pairs:
        way, equals, column = pair.partition("=")
        if not equals or way not in ALL_WAYS:
            raise click.UsageError(f"{pair!r} is not id=COLUMN, sku=COLUMN or name=COLUMN")
        columns[str(way)] = column
    return columns
