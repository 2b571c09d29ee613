"""Proposals from the command line: entities out of two catalogues, contacts out of addresses."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import click

from sync_worker.cli.common import (
    JSON,
    SITE,
    advance,
    print_csv,
    print_json,
    print_problems,
    progress,
    the_site,
)
from sync_worker.cli.map import contacts, entities
from sync_worker.core.email_identity import normalise_email
from sync_worker.core.ports.people import People
from sync_worker.core.ports.remote import Page, Remote
from sync_worker.core.values import Contact, Side, Site
from sync_worker.ledger.fields import Imported
from sync_worker.mappings.mapping_files import CONTACT_COLUMNS, ENTITY_COLUMNS, NOTE, BadFile
from sync_worker.mappings.proposals import (
    ALL_WAYS,
    By,
    ContactProposal,
    EntityProposal,
    pair_of,
    propose_contacts,
    propose_entities,
    read_addresses,
    read_catalogue,
)
from sync_worker.runtime.waiting import patiently
from sync_worker.wiring import wiring

ADDRESSES_AT_ONCE = 50  # each may be asked for in two spellings, and `$in` takes at most 100
DOUBTFUL_CONTACTS = Path("contacts.doubtful.csv")
A_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)


# -- entities


@entities.command()
@click.option(
    "--wix", "wix_file", type=A_FILE, required=True, help="Catalogue of the Wix site, as CSV."
)
@click.option(
    "--external",
    "external_file",
    type=A_FILE,
    required=True,
    help="Catalogue of the external system.",
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
@JSON
def propose(
    wix_file: Path,
    external_file: Path,
    ways: Sequence[By],
    namespace: str,
    group: str,
    wix_columns: Sequence[str],
    external_columns: Sequence[str],
    out: Path | None,
    as_json: bool,
) -> None:
    """Pair two catalogue exports by equal id, SKU or name; nothing is mapped before you import the
    file.

    Things without a certain twin go to FILE.doubtful.csv (with --out).

    \b
    Example: ratings-sync map entities propose --wix wix.csv --external shop.csv --by sku --out
    entities.csv
    """
    if as_json and out is None:
        raise click.UsageError("--json needs --out: without it the pairs themselves go to stdout")
    try:
        wix = read_catalogue(wix_file, _named(wix_columns))
        external = read_catalogue(external_file, _named(external_columns))
    except BadFile as bad:
        print_problems(bad.problems)
        raise SystemExit(1) from None
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


def _named(pairs: Sequence[str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for pair in pairs:
        way, equals, column = pair.partition("=")
        if not equals or way not in ALL_WAYS:
            raise click.UsageError(f"{pair!r} is not id=COLUMN, sku=COLUMN or name=COLUMN")
        columns[str(way)] = column
    return columns


def describe(proposal: EntityProposal) -> str:
    by = ", ".join(
        f"{sum(pair.way == way for pair in proposal.pairs)} by {way}" for way in ALL_WAYS
    )
    return f"{len(proposal.pairs)} pairs ({by}), {len(proposal.doubts)} doubtful"


def save_entity_proposal(
    proposal: EntityProposal, namespace: str, group: str, out: Path | None
) -> None:
    """The pairs in the form that import takes; beside them what is doubtful."""
    rows = []
    for pair in proposal.pairs:
        wix, external = pair_of(pair, namespace, group)
        names = (wix.namespace, wix.group, wix.entity_id, external.group, external.entity_id)
        rows.append((*names, f"by {pair.way}: {pair.wix.name or pair.wix.sku}".rstrip(": ")))
    _save([*ENTITY_COLUMNS, NOTE], rows, out)
    if out is not None:
        doubts = [
            (one.side, one.item.id, one.item.sku, one.item.name, one.reason)
            for one in proposal.doubts
        ]
        _save(("side", "id", "sku", "name", "reason"), doubts, doubtful(out))


def doubtful(out: Path) -> Path:
    return out.with_name(f"{out.stem}.doubtful.csv")


def _save(columns: Sequence[str], rows: Iterable[Sequence[object]], out: Path | None) -> None:
    if out is None:
        print_csv(columns, rows)
        return
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


# -- contacts


@contacts.command()
@SITE
@click.option(
    "--emails",
    type=A_FILE,
    metavar="FILE",
    help="A CSV with addresses; default: the external listing.",
)
@click.option("--column", default="email", show_default=True, help="Of that file.")
@click.option(
    "--doubtful", "out", type=NEW_FILE, default=DOUBTFUL_CONTACTS, show_default=True, metavar="FILE"
)
@click.option("--dry-run", is_flag=True, help="Map nothing; only list what is doubtful.")
@JSON
def match(
    site_name: str | None, emails: Path | None, column: str, out: Path, dry_run: bool, as_json: bool
) -> None:
    """Find the Wix contact of everybody who has rated outside, by e-mail, up to 100 addresses in a
    call.

    Who has exactly one contact is mapped. Doubtful ones (several contacts, several addresses, none)
    go to a file.

    \b
    Example: ratings-sync map contacts match --emails customers.csv --column "E-mail"
    """
    site = the_site(site_name)
    try:
        addresses = (
            read_addresses(emails, column) if emails is not None else external_addresses(site)
        )
    except BadFile as bad:
        print_problems(bad.problems)
        raise SystemExit(1) from None
    proposal, known = match_contacts(site, addresses)
    done = Imported() if dry_run else wiring().admin.import_contacts(site, proposal.certain)
    save_doubtful(proposal, out)
    if as_json:
        facts = {
            "known": known,
            "certain": len(proposal.certain),
            "doubtful": len(proposal.doubtful),
        }
        facts |= {"added": done.added}
        print_json(
            {
                **facts,
                "released": len(done.released),
                "doubtful_file": str(out) if proposal.doubtful else None,
            }
        )
        return
    click.echo(
        f"{len(proposal.certain)} people have one contact; {done.added} added, {known} were mapped"
        " already"
    )
    if done.released:
        click.echo(f"{len(done.released)} held deliveries had waited for them and are on their way")
    if proposal.doubtful:
        click.echo(
            f"{len(proposal.doubtful)} doubtful; they are in {out}, with the reason", err=True
        )


def external_addresses(site: Site) -> list[str]:
    """Of everybody in the external system's listing.

    Raises Misconfigured if it cannot be listed.
    """
    remote = wiring().remotes.connect(site).remotes[Side.EXTERNAL]
    emails: dict[str, None] = {}
    cursor: str | None = None
    with progress("ratings listed", None) as bar:
        while True:
            page = _page(remote, cursor)
            emails |= dict.fromkeys(one.person.email for one in page.records if one.person.email)
            advance(bar, len(page.records))
            cursor = page.cursor
            if cursor is None:
                return list(emails)


def _page(remote: Remote, cursor: str | None) -> Page:
    return patiently(lambda: remote.list_page(cursor), time.sleep)


def match_contacts(site: Site, addresses: Sequence[str]) -> tuple[ContactProposal, int]:
    """Asks Wix in batches for those whom the ledger has not mapped, and counts the others.

    Case does not matter.
    """
    people = wiring().remotes.connect(site).people
    mapped = {one.email for one in wiring().admin.contacts(site.id)}
    spelled = {normalise_email(one): one for one in addresses}
    wanted = [one for one in spelled if one not in mapped]
    found: dict[str, Sequence[Contact]] = {}
    with progress("people looked up", len(wanted)) as bar:
        for start in range(0, len(wanted), ADDRESSES_AT_ONCE):
            part = [spelled[one] for one in wanted[start : start + ADDRESSES_AT_ONCE]]
            found |= _matches(people, part)
            advance(bar, len(part))
    return propose_contacts(wanted, found), len(spelled) - len(wanted)


def _matches(people: People, emails: Sequence[str]) -> Mapping[str, Sequence[Contact]]:
    return patiently(lambda: people.matches(emails), time.sleep)


def save_doubtful(proposal: ContactProposal, out: Path) -> None:
    """In the form that import takes: keep the rows that are right."""
    rows = [
        (contact.contact_id if contact else "", email, "", _note(contact, why))
        for email, contact, why in proposal.doubtful
    ]
    if rows:
        _save([*CONTACT_COLUMNS, NOTE], rows, out)


def _note(contact: Contact | None, why: str) -> str:
    return f"{contact.name}: {why}" if contact is not None and contact.name else why
