"""One page of a listing against the ledger: which of its records the engine has to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sync_worker.core.email_identity import is_usable, normalise_email
from sync_worker.core.errors import Held, Permanent
from sync_worker.core.ports.directory import Directory
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.sweeps import Sweeps
from sync_worker.core.record_codec import listed_payload
from sync_worker.core.sweep_values import Listed, Mark, OnFile
from sync_worker.core.values import Contact, RatingKey, Record, Side, Site, UnknownContact
from sync_worker.core.values.record_identity import is_of_another
from sync_worker.core.values.texts import WordsField
from sync_worker.intake.resolve import Resolver
from sync_worker.reconcile.bulk_people import BulkPeople
from sync_worker.reconcile.marks import (
    has_moved,
    is_of_seen_revision,
    mark_of,
    shows_another,
)

NOT_ON_FILE = OnFile()


@dataclass(frozen=True, slots=True)
class PageComparison:
    """Compares pages of one site; it finds keys, and creates nobody.

    ``words``: those that both sides carry. ``resolver``: asks ``people``, who know everybody on the
    page after one call for a hundred.
    """

    runs: Sweeps
    directory: Directory
    people: BulkPeople
    resolver: Resolver
    site: Site
    words: Mapping[str, WordsField]

    def rows_of(self, side: Side, listed: Sequence[Record]) -> list[Listed]:
        """A row for each record of the page. Raises Transient, Misconfigured."""
        records = {record.remote_id: record for record in listed}
        on_file = self.runs.on_file(self.site, side, list(records))
        known = {
            remote_id: self._with_alias(record, on_file.get(remote_id, NOT_ON_FILE))
            for remote_id, record in records.items()
        }
        marks = {
            remote_id: mark_of(record, side, known[remote_id], self.site, self.words)
            for remote_id, record in records.items()
        }
        # Most records are in step, and nobody has to be asked for them.
        differing = [record for record in listed if marks[record.remote_id] is not Mark.IN_STEP]
        self._ask_for_people(differing, side)
        return [
            self._row(side, record, marks[remote_id], known[remote_id])
            for remote_id, record in records.items()
        ]

    def _with_alias(self, record: Record, known: OnFile) -> OnFile:
        """With the record's address, where it is another one of its person."""
        email, whose = record.person.email, known.whose
        if not email or whose is None or not is_of_another(email, whose.addresses):
            return known
        # As it was before: nobody has to be asked.
        if not shows_another(record, known):
            return known
        # Its own, or that of a contact merged into it: most people have one address only.
        mine, its_key = self._contact_at(email), self._key_on_file(record)
        if mine is None or its_key is None or mine.contact_id != its_key.contact_id:
            return known
        own = replace(whose, addresses=whose.addresses | {normalise_email(email)})
        return replace(known, whose=own)

    def _key_on_file(self, record: Record) -> RatingKey | None:
        return self.directory.locate(self.site.id, Side.EXTERNAL, record.remote_id).key

    def _ask_for_people(self, records: Sequence[Record], side: Side) -> None:
        """Ask for all unknown people of a page at once."""
        people = [record.person for record in records]
        # outside a record names its person by address
        if side is Side.EXTERNAL:
            emails = {
                person.email.strip()
                for person in people
                if person.email is not None and is_usable(person.email)
            }
            unknown = [email for email in sorted(emails) if not self._is_known_email(email)]
            self.people.ask(unknown)
        # on Wix it names the contact
        else:
            ids = {person.contact_id for person in people if person.contact_id is not None}
            unknown = [contact_id for contact_id in sorted(ids) if not self._is_known(contact_id)]
            self.people.ask_ids(unknown)

    def _is_known_email(self, email: str) -> bool:
        return self._contact_at(email) is not None

    def _contact_at(self, email: str) -> Contact | None:
        return self.directory.contact(self.site.id, email=normalise_email(email))

    def _is_known(self, contact_id: str) -> bool:
        return self.directory.contact(self.site.id, contact_id=contact_id) is not None

    def _row(self, side: Side, record: Record, mark: Mark, known: OnFile) -> Listed:
        if mark is Mark.IN_STEP:
            return Listed(side, record.remote_id, mark)
        key = self._key_of(record, side, known)
        # A person sees it among the held deliveries already.
        if key is None and known.is_held:
            return Listed(side, record.remote_id, Mark.HELD)
        # A policy skips it, or it is unpublished and nobody's yet: not to cross.
        if isinstance(key, Closing) or (key is None and mark is Mark.HIDDEN):
            return Listed(side, record.remote_id, Mark.IN_STEP)
        # Whether a buried record lives again only a look tells, and so of one without a revision.
        # And a listing may be older than what a run has seen.
        must_read = known.is_buried or known.is_held or not listed_payload(record)
        must_read = must_read or has_moved(record, known) or is_of_seen_revision(record, known)
        return Listed(side, record.remote_id, mark, key, record=record, must_read=must_read)

    def _key_of(self, record: Record, side: Side, known: OnFile) -> RatingKey | Closing | None:
        """The key; ``None`` where only the intake can find it or say why there is none."""
        # The ledger knows the id: its link stands, whoever the record names now.
        if known.is_linked or known.is_buried:
            located = self.directory.locate(self.site.id, side, record.remote_id)
            if located.key is not None:
                return located.key
        try:
            return self.resolver.key_of_record(record, side)
        except (Held, Permanent):
            # The intake meets the same refusal, and holds the delivery with its reason.
            return None


def creating_nobody(site: Site) -> Site:
    """The site as a listing sees it: contacts are created only when their ratings are written."""
    if site.policy.unknown_contact != UnknownContact.CREATE:
        return site
    return replace(site, policy=replace(site.policy, unknown_contact=UnknownContact.HOLD))
