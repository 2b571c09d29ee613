"""Commands that set a site up: sites with their policies, and the three mappings."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from sync_worker.adapters.ledger_admin import Imported, ImportRefused
from sync_worker.connector.fields import default_field
from sync_worker.errors import Misconfigured
from sync_worker.mapping_files import (
    CONTACT_COLUMNS,
    ENTITY_COLUMNS,
    FIELD_COLUMNS,
    BadFile,
    MappingFile,
    read_contacts,
    read_entities,
    read_fields,
)
from sync_worker.model import Side, Site
from sync_worker.wiring import wiring

PROBLEMS_SHOWN = 50
SITE = click.option("--site", "site_name", metavar="SITE", help="Number, instance id or connector; needed if several.")
FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


# -- sites


@click.group()
def site() -> None:
    """Connect sites and set their policies."""


@site.command("add")
@click.argument("instance_id")
@click.option("--connector", required=True, help="Id of a manifest that CONNECTORS names.")
@click.option("--policy", "-p", "policies", multiple=True, metavar="NAME=CHOICE", help="May be given several times.")
def add_site(instance_id: str, connector: str, policies: Sequence[str]) -> None:
    """Connect a Wix site (its app instance id) with a connector; maps `overall` to the connector's main value."""
    manifest = wiring().manifests.get(connector)
    if manifest is None:
        known = ", ".join(sorted(wiring().manifests))
        raise Misconfigured(f"there is no connector {connector!r}; CONNECTORS names: {known}")
    chosen = manifest.first_policies | _policies(policies)
    added, released = wiring().admin.add_site(instance_id, connector, [default_field(manifest)], chosen)
    click.echo(f"site {added.id}: Wix instance {instance_id} ↔ {connector}")
    for field in added.fields:
        click.echo(f"  {field.attribute} ({field.wix}) ↔ {field.external_field} ({field.external}), {field.mapping}")
    if manifest.first_policies and not added.policy.may_write(Side.EXTERNAL):
        click.echo(
            "  nothing is written to the external system yet; `ratings-sync site policy direction=both` changes it"
        )
    if released:
        click.echo(f"  {len(released)} deliveries had waited for this site and are on their way")


@site.command("list")
def list_sites() -> None:
    """Every site with its policies, as far as they differ from the defaults."""
    for one in wiring().admin.sites():
        click.echo(f"{one.id}\t{one.state}\t{one.instance_id}\t{one.connector}\t{_differing(one)}")


@site.command("policy")
@click.argument("policies", nargs=-1, required=True, metavar="NAME=CHOICE...")
@SITE
def set_policy(policies: Sequence[str], site_name: str | None) -> None:
    """Change decisions of a site, such as unknown_contact=create."""
    admin = wiring().admin
    changed = admin.set_policy(admin.find_site(site_name).id, _policies(policies))
    click.echo(f"site {changed.id}: {_differing(changed) or 'all policies at their defaults'}")


@site.command("pause")
@SITE
def pause(site_name: str | None) -> None:
    """Hold further deliveries of a site."""
    _set_state(site_name, "paused")


@site.command("resume")
@SITE
def resume(site_name: str | None) -> None:
    """Go on with a paused or removed site; what was held for it is on its way."""
    _set_state(site_name, "active")


@site.command("remove")
@SITE
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(site_name: str | None, yes: bool) -> None:
    """Stop the work of a site for good, as when its owner removes the app; nothing of it is deleted.

    Its mappings, links and history stay. `ratings-sync site resume --site SITE` brings it back, and so does a new
    installation of the app; what came in meanwhile is held (`site_removed`) and then goes on.

    Example: ratings-sync site remove --site 2 --yes
    """
    found = wiring().admin.find_site(site_name)
    if not yes:
        click.confirm(f"Stop site {found.id} ({found.instance_id} ↔ {found.connector})?", abort=True)
    _set_state(str(found.id), "removed")


def _set_state(site_name: str | None, state: str) -> None:
    admin = wiring().admin
    found = admin.find_site(site_name)
    released = admin.set_state(found.id, state)
    click.echo(f"site {found.id}: {state}" + (f", {len(released)} deliveries released" if released else ""))


def _policies(pairs: Iterable[str]) -> dict[str, str]:
    policies = {}
    for pair in pairs:
        name, equals, choice = pair.partition("=")
        if not equals:
            raise Misconfigured(f"{pair!r} is not NAME=CHOICE")
        policies[name.strip()] = choice.strip()
    return policies


def _differing(one: Site) -> str:
    default = type(one.policy)()
    names = [*type(one.policy).CHOICES, "same_id_namespace", "same_id_group"]
    differing = (name for name in names if getattr(one.policy, name) != getattr(default, name))
    return " ".join(f"{name}={getattr(one.policy, name)}" for name in differing)


# -- mappings


@click.group("map")
def map_group() -> None:
    """Map entities, contacts and fields from CSV files; a file is imported whole or not at all."""


@map_group.group()
def entities() -> None:
    """Rated things: Wix namespace, group and entity id ↔ external group and entity id."""


@map_group.group()
def contacts() -> None:
    """People: Wix contact id ↔ e-mail ↔ external author id. People found by look-up need no row."""


@map_group.group()
def fields() -> None:
    """Rating attributes ↔ external fields, with both scales."""


def _import(
    file: Path,
    site_name: str | None,
    read: Callable[[Path], MappingFile[Any]],
    save: Callable[[Site, Sequence[Any]], Imported],
) -> None:
    """Read, check and save as a whole; problems go to stderr, line by line."""
    problems: Sequence[str]
    site_ = wiring().admin.find_site(site_name)
    try:
        rows = read(file)
        done = save(site_, rows.rows)
    except BadFile as bad:
        problems = bad.problems
    except ImportRefused as refused:
        problems = [rows.problem(position, why) for position, why in sorted(refused.problems.items())]
    else:
        click.echo(f"{done.added} added, {done.changed} changed, {done.unchanged} were there already")
        if done.released:
            click.echo(f"{len(done.released)} held deliveries had waited for these and are on their way")
        return
    for problem in problems[:PROBLEMS_SHOWN]:
        click.secho(problem, err=True, fg="red")
    if len(problems) > PROBLEMS_SHOWN:
        click.echo(f"… and {len(problems) - PROBLEMS_SHOWN} more", err=True)
    click.echo("nothing was imported", err=True)
    sys.exit(1)


@entities.command("import")
@FILE
@SITE
def import_entities(file: Path, site_name: str | None) -> None:
    """Columns: wix_namespace,wix_group,wix_entity_id,external_group,external_entity_id."""
    _import(file, site_name, read_entities, wiring().admin.import_entities)


@contacts.command("import")
@FILE
@SITE
def import_contacts(file: Path, site_name: str | None) -> None:
    """Columns: wix_contact_id,email,external_author_id."""
    _import(file, site_name, read_contacts, wiring().admin.import_contacts)


@fields.command("import")
@FILE
@SITE
def import_fields(file: Path, site_name: str | None) -> None:
    """Columns: wix_attribute,external_field, both scales as min, max and step, mapping (proportional or span)."""
    _import(file, site_name, read_fields, wiring().admin.import_fields)


def _print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """In the form that ``import`` takes."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)


@entities.command("list")
@SITE
def list_entities(site_name: str | None) -> None:
    """As CSV, in the form that import takes."""
    admin = wiring().admin
    found = admin.entities(admin.find_site(site_name).id)
    rows = (
        (one.wix.namespace, one.wix.group, one.wix.entity_id, one.external.group, one.external.entity_id)
        for one in found
    )
    _print_csv(ENTITY_COLUMNS, rows)


@contacts.command("list")
@SITE
def list_contacts(site_name: str | None) -> None:
    """As CSV, in the form that import takes."""
    admin = wiring().admin
    found = admin.contacts(admin.find_site(site_name).id)
    _print_csv(CONTACT_COLUMNS, ((one.contact_id, one.email, one.author_id or "") for one in found))


@fields.command("list")
@SITE
def list_fields(site_name: str | None) -> None:
    """As CSV, in the form that import takes."""
    found = wiring().admin.find_site(site_name).fields
    rows = (
        (
            one.attribute,
            one.external_field,
            *(part for scale in (one.wix, one.external) for part in (scale.minimum, scale.maximum, scale.step)),
            one.mapping,
        )
        for one in found
    )
    _print_csv(FIELD_COLUMNS, rows)
