"""The three mappings from the command line: import, list, propose, match and check."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from sync_worker.cli.common import FILE, JSON, SITE, print_csv, print_json, print_problems, the_site
from sync_worker.core.values import Site
from sync_worker.ledger.fields import FieldEffect, Imported, ImportRefused
from sync_worker.mappings.mapping_files import (
    CONTACT_COLUMNS,
    ENTITY_COLUMNS,
    FIELD_COLUMNS,
    BadFile,
    MappingFile,
    check_fields,
    read_contacts,
    read_entities,
    read_fields,
)
from sync_worker.wiring import wiring

ADDRESSES_AT_ONCE = 50  # each may be asked for in two spellings, and `$in` takes at most 100
SETTLE_SECONDS = 1.5  # a worker remembers a site for a second
OUT = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Default: stdout.",
)
CATALOGUE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("map")
def map_group() -> None:
    """Map entities, contacts and fields from CSV files; a file is imported whole or not at all.

    \b
    Example: ratings-sync map entities import entities.csv
    """


@map_group.group()
def entities() -> None:
    """Rated things: Wix namespace, group and entity id ↔ external group and entity id.

    \b
    Example: ratings-sync map entities propose --wix wix.csv --external shop.csv --out entities.csv
    """


@map_group.group()
def contacts() -> None:
    """People: Wix contact id ↔ e-mail ↔ external author id. People found by look-up need no row.

    \b
    Example: ratings-sync map contacts match
    """


@map_group.group()
def fields() -> None:
    """Rating attributes ↔ external fields, with both scales.

    \b
    Example: ratings-sync map fields check fields.csv
    """


# -- import


def _read(file: Path, read: Callable[[Path], MappingFile[Any]]) -> MappingFile[Any]:
    """Problems go to stderr, line by line, and end the command."""
    try:
        return read(file)
    except BadFile as bad:
        _refuse(bad.problems)


def _refuse(problems: Sequence[str]) -> NoReturn:
    print_problems(problems)
    click.echo("nothing was imported", err=True)
    raise SystemExit(1)


def _import(
    site: Site,
    rows: MappingFile[Any],
    save: Callable[[Site, Sequence[Any]], Imported],
    as_json: bool,
) -> Imported:
    """Saved as a whole or not at all."""
    try:
        done = save(site, rows.rows)
    except ImportRefused as refused:
        _refuse([rows.problem(position, why) for position, why in sorted(refused.problems.items())])
    if as_json:
        print_json(done)
    else:
        click.echo(
            f"{done.added} added, {done.changed} changed, {done.unchanged} were there already"
        )
        if done.released:
            click.echo(
                f"{len(done.released)} held deliveries had waited for these and are on their way"
            )
    return done


@entities.command("import")
@FILE
@SITE
@JSON
def import_entities(file: Path, site_name: str | None, as_json: bool) -> None:
    """Columns: wix_namespace,wix_group,wix_entity_id,external_group,external_entity_id.

    \b
    Example: ratings-sync map entities import entities.csv
    """
    _import(
        the_site(site_name), _read(file, read_entities), wiring().admin.import_entities, as_json
    )


@contacts.command("import")
@FILE
@SITE
@JSON
def import_contacts(file: Path, site_name: str | None, as_json: bool) -> None:
    """Columns: wix_contact_id,email,external_author_id.

    \b
    Example: ratings-sync map contacts import contacts.csv
    """
    _import(
        the_site(site_name), _read(file, read_contacts), wiring().admin.import_contacts, as_json
    )


@fields.command("import")
@FILE
@SITE
@click.option(
    "--dry-run", is_flag=True, help="Only show what new scales mean for ratings that are linked."
)
@click.option("--yes", is_flag=True, help="Change the scales of linked ratings.")
@JSON
def import_fields(
    file: Path, site_name: str | None, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Columns: wix_attribute,external_field, both scales as min, max and step, mapping
    (proportional or span).

    New scales for linked ratings are a new version of the mapping: the effect is shown first, and
    --yes makes it so.

    \b
    Example: ratings-sync map fields import fields.csv --dry-run
    """
    site = the_site(site_name)
    rows = _read(file, read_fields)
    effects = wiring().admin.field_effects(site, rows.rows)
    if dry_run and as_json:
        print_json(effects)
    elif not as_json:
        _print_effects(effects)
    if dry_run:
        return

    def save(site: Site, fields_: Sequence[Any]) -> Imported:
        return wiring().admin.import_fields(site, fields_, may_rescale=yes)

    _import(site, rows, save, as_json)
    if any(effect.linked for effect in effects):
        time.sleep(SETTLE_SECONDS)
        wiring().admin.plan_anew(site.id)


def _print_effects(effects: Sequence[FieldEffect]) -> None:
    if not effects:
        click.echo("no linked rating has another scale by these fields")
    for effect in effects:
        click.echo(
            f"{effect.attribute}: of {effect.linked} linked ratings {effect.changing} change class,"
            f" {effect.off_scale} are off the new scale"
        )
        for example in effect.examples:
            click.echo(f"    {example}")


@fields.command("check")
@FILE
@JSON
def check(file: Path, as_json: bool) -> None:
    """Check the mapping law on every level of both scales, and print every breach of it.

    \b
    Example: ratings-sync map fields check fields.csv
    """
    try:
        problems = check_fields(file)
    except BadFile as bad:
        problems = list(bad.problems)
    if as_json:
        print_json({"good": not problems, "problems": problems})
    elif problems:
        click.secho("\n".join(problems), err=True, fg="red")
    else:
        click.echo("every level of both scales converts there and back")
    raise SystemExit(1 if problems else 0)


# -- list


@entities.command("list")
@SITE
@JSON
def list_entities(site_name: str | None, as_json: bool) -> None:
    """As CSV, in the form that import takes.

    \b
    Example: ratings-sync map entities list
    """
    found = wiring().admin.entities(the_site(site_name).id)
    rows = [
        (
            one.wix.namespace,
            one.wix.group,
            one.wix.entity_id,
            one.external.group,
            one.external.entity_id,
        )
        for one in found
    ]
    _print_rows(ENTITY_COLUMNS, rows, as_json)


@contacts.command("list")
@SITE
@JSON
def list_contacts(site_name: str | None, as_json: bool) -> None:
    """As CSV, in the form that import takes.

    \b
    Example: ratings-sync map contacts list
    """
    found = wiring().admin.contacts(the_site(site_name).id)
    _print_rows(
        CONTACT_COLUMNS,
        [(one.contact_id, one.email, one.author_id or "") for one in found],
        as_json,
    )


@fields.command("list")
@SITE
@JSON
def list_fields(site_name: str | None, as_json: bool) -> None:
    """As CSV, in the form that import takes; with --json also the version of each.

    \b
    Example: ratings-sync map fields list
    """
    found = the_site(site_name).fields
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one.attribute,
            one.external_field,
            *(
                part
                for scale in (one.wix, one.external)
                for part in (scale.minimum, scale.maximum, scale.step)
            ),
            one.mapping,
        )
        for one in found
    ]
    print_csv(FIELD_COLUMNS, rows)


def _print_rows(columns: Sequence[str], rows: Sequence[Sequence[object]], as_json: bool) -> None:
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_csv(columns, rows)
