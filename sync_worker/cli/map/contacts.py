"""``ratings-sync map contacts``: which person on Wix is which person outside."""

from __future__ import annotations

from pathlib import Path

import click

from sync_worker.cli.map.contact_proposal import (
    DOUBTFUL_CONTACTS,
    external_addresses,
    match_contacts,
    save_doubtful,
)
from sync_worker.cli.map.importing import import_rows, print_rows, read_or_refuse
from sync_worker.cli.options import EXISTING_FILE, FILE, JSON, NEW_FILE, SITE, actor, the_site
from sync_worker.cli.output import print_json, print_problems
from sync_worker.core.values import Site
from sync_worker.files.mapping_files import CONTACT_COLUMNS, read_contacts
from sync_worker.files.proposals import ContactProposal, read_addresses
from sync_worker.files.rows import BadFile
from sync_worker.ledger.administration.mappings import Imported
from sync_worker.wiring import wiring


@click.group()
def contacts() -> None:
    """People: Wix contact id ↔ e-mail ↔ external author id. People found by look-up need no row.

    \b
    Example: ratings-sync map contacts match
    """


@contacts.command("import")
@FILE
@SITE
@JSON
def import_contacts(file: Path, site_name: str | None, as_json: bool) -> None:
    """Columns: wix_contact_id,email,external_author_id.

    \b
    Example: ratings-sync map contacts import contacts.csv
    """
    site, rows = the_site(site_name), read_or_refuse(file, read_contacts)
    import_rows(site, rows, wiring().admin.mappings.import_contacts, as_json)


@contacts.command("list")
@SITE
@JSON
def list_contacts(site_name: str | None, as_json: bool) -> None:
    """As CSV, in the form that import takes.

    \b
    Example: ratings-sync map contacts list
    """
    found = wiring().admin.mappings.contacts(the_site(site_name).id)
    print_rows(
        CONTACT_COLUMNS,
        [(contact.contact_id, contact.email, contact.author_id or "") for contact in found],
        as_json,
    )


@contacts.command()
@SITE
@click.option(
    "--emails",
    type=EXISTING_FILE,
    metavar="FILE",
    help="A CSV with addresses; default: the external listing.",
)
@click.option("--column", help="Of that file.  [default: email]")
@click.option(
    "--doubtful", "out", type=NEW_FILE, default=DOUBTFUL_CONTACTS, show_default=True, metavar="FILE"
)
@click.option("--dry-run", is_flag=True, help="Map nothing; only list what is doubtful.")
@JSON
def match(
    site_name: str | None,
    emails: Path | None,
    column: str | None,
    out: Path,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Find the Wix contact of everybody who has rated outside, by e-mail, up to 100 addresses in a
    call.

    Who has exactly one contact is mapped. Doubtful ones (several contacts, several addresses, none)
    go to a file.

    \b
    Example: ratings-sync map contacts match --emails customers.csv --column "E-mail"
    """
    site = the_site(site_name)
    if column is not None and emails is None:
        raise click.UsageError("--column changes nothing without --emails FILE")
    addresses, unread = _addresses(site, emails, column or "email")
    print_problems(unread)
    proposal, known = match_contacts(site, addresses)
    done = (
        Imported()
        if dry_run
        else wiring().admin.mappings.import_contacts(site, proposal.certain, actor())
    )
    save_doubtful(proposal, out)
    if as_json:
        print_json(
            {
                "known": known,
                "certain": len(proposal.certain),
                "doubtful": len(proposal.doubtful),
                "added": done.added,
                "released": len(done.released),
                "doubtful_file": str(out) if proposal.doubtful else None,
                "unread": len(unread),
            }
        )
    else:
        _tell(proposal, done, known, out)
    if unread:
        raise SystemExit(1)


def _addresses(site: Site, emails: Path | None, column: str) -> tuple[list[str], list[str]]:
    """Of a file or of the external listing; and the rows of the file that cannot be read."""
    if emails is None:
        return external_addresses(site), []
    try:
        return read_addresses(emails, column)
    except BadFile as bad:
        print_problems(bad.problems)
        raise SystemExit(1) from None


def _tell(proposal: ContactProposal, done: Imported, known: int, out: Path) -> None:
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
