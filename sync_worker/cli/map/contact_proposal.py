"""Contacts found by address: for ``map contacts match`` and the setup."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sync_worker.cli.map.importing import save_rows
from sync_worker.cli.output import advance, progress
from sync_worker.core.email_identity import is_usable, normalise_email
from sync_worker.core.pages_seen import PagesSeen
from sync_worker.core.ports.people import People
from sync_worker.core.ports.remote import Page, Remote
from sync_worker.core.values import Contact, Side, Site
from sync_worker.files.mapping_files import CONTACT_COLUMNS, NOTE
from sync_worker.files.proposals import ContactProposal, propose_contacts
from sync_worker.runtime.waiting import patiently
from sync_worker.wiring import wiring

ADDRESSES_AT_ONCE = 50  # each may be asked for in two spellings, and `$in` takes at most 100
# Parent by parent a listing has a page for each product.
MAX_LISTED_PAGES = 100_000
DOUBTFUL_CONTACTS = Path("contacts.doubtful.csv")


def external_addresses(site: Site) -> list[str]:
    """The addresses of everybody in the external system's listing.

    Raises Misconfigured if it cannot be listed.
    """
    remote = wiring().remotes.connect(site).remotes[Side.EXTERNAL]
    emails: dict[str, None] = {}
    cursor: str | None = None
    seen = PagesSeen(f"connector {site.connector}, operations.list.pagination", MAX_LISTED_PAGES)
    with progress("ratings listed", None) as bar:
        while True:
            page = _page(remote, cursor)
            found = [record.person.email for record in page.records]
            emails |= dict.fromkeys(email for email in found if email)
            advance(bar, len(page.records))
            cursor = page.cursor
            if cursor is None:
                return list(emails)
            seen.add(record.remote_id for record in page.records)


def _page(remote: Remote, cursor: str | None) -> Page:
    return patiently(lambda: remote.list_page(cursor), time.sleep)


def match_contacts(site: Site, addresses: Sequence[str]) -> tuple[ContactProposal, int]:
    """Ask Wix in batches for those whom the ledger has not mapped, and count the others.

    Case does not matter.
    """
    people = wiring().remotes.connect(site).people
    mapped = {contact.email for contact in wiring().admin.mappings.contacts(site.id)}
    spelled = {normalise_email(address): address for address in addresses}
    unusable = [email for email in spelled if not is_usable(email)]
    wanted = [email for email in spelled if email not in mapped and email not in unusable]
    found: dict[str, Sequence[Contact]] = {}
    with progress("people looked up", len(wanted)) as bar:
        for start in range(0, len(wanted), ADDRESSES_AT_ONCE):
            part = [spelled[email] for email in wanted[start : start + ADDRESSES_AT_ONCE]]
            found |= _matches(people, part)
            advance(bar, len(part))
    proposal = propose_contacts(wanted, found)
    none = [(email, None, "no e-mail address of one person") for email in unusable]
    known = len(spelled) - len(wanted) - len(unusable)
    return replace(proposal, doubtful=[*proposal.doubtful, *none]), known


def _matches(people: People, emails: Sequence[str]) -> Mapping[str, Sequence[Contact]]:
    return patiently(lambda: people.matches(emails), time.sleep)


def save_doubtful(proposal: ContactProposal, out: Path) -> None:
    """Save who is doubtful in the form that import takes: keep the rows that are right."""
    rows = [
        (contact.contact_id if contact else "", email, "", _note(contact, why))
        for email, contact, why in proposal.doubtful
    ]
    if rows:
        save_rows([*CONTACT_COLUMNS, NOTE], rows, out)


def _note(contact: Contact | None, why: str) -> str:
    return f"{contact.name}: {why}" if contact is not None and contact.name else why
