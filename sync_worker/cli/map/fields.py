"""``ratings-sync map fields``: which attribute is which field, and how its scale converts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from sync_worker.cli.map.importing import import_rows, read_or_refuse
from sync_worker.cli.options import FILE, JSON, SITE, the_site
from sync_worker.cli.output import print_csv, print_json, say
from sync_worker.core.scale import FieldMap
from sync_worker.core.values import Site
from sync_worker.files.mapping_files import FIELD_COLUMNS, check_fields, read_fields
from sync_worker.files.rows import BadFile
from sync_worker.ledger.administration.fields import FieldEffect
from sync_worker.ledger.administration.mappings import Imported
from sync_worker.wiring import wiring

SETTLE_SECONDS = 1.5  # a worker remembers a site for a second


@click.group()
def fields() -> None:
    """Rating attributes ↔ external fields, with both scales.

    \b
    Example: ratings-sync map fields check fields.csv
    """


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
    rows = read_or_refuse(file, read_fields)
    effects = wiring().admin.fields.effects(site, rows.rows)
    if dry_run and as_json:
        print_json(effects)
    elif not as_json:
        _print_effects(effects)
    if dry_run:
        return

    def save(site: Site, fields_: Sequence[Any], actor: str) -> Imported:
        return wiring().admin.fields.import_fields(site, fields_, actor, may_rescale=yes)

    import_rows(site, rows, save, as_json)
    if any(effect.linked for effect in effects):
        time.sleep(SETTLE_SECONDS)
        wiring().admin.fields.plan_anew(site.id)


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
        say("\n".join(problems), err=True, fg="red")
    else:
        click.echo("every level of both scales converts there and back")
    raise SystemExit(1 if problems else 0)


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
    print_csv(FIELD_COLUMNS, [_columns(field) for field in found])


def _columns(field: FieldMap) -> tuple[object, ...]:
    wix, external = field.wix, field.external
    scales = (wix.minimum, wix.maximum, wix.step, external.minimum, external.maximum, external.step)
    return field.attribute, field.external_field, *scales, field.mapping
