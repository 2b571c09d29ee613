"""Finds out where a record belongs that names another person or thing than its link.

The old rating on Wix is withdrawn as if the record had been deleted, by the same policies, and the
record goes on under its new key in a delivery of its own: both are on file before anything else
happens, so that a crash neither loses nor doubles it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.errors import Held, Permanent, Transient
from sync_worker.core.ports.inbox import ERASED, Closing
from sync_worker.core.ports.keys import Keys
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.values import (
    Buried,
    Change,
    Delivery,
    Known,
    Person,
    RatingKey,
    Record,
    Side,
    Site,
    Slot,
    UnknownContact,
)
from sync_worker.core.values.record_identity import (
    is_of_another,
    is_only_answered,
    may_be_as_made,
    rates_another,
)
from sync_worker.engine.moves.leaving import commit_of_leaving
from sync_worker.engine.moves.strays import (
    addresses_of,
    changed_since,
    is_stray,
    names_another,
)
from sync_worker.engine.reading import Reading
from sync_worker.engine.record_view import EXTERNAL_SLOT, RecordView, Source
from sync_worker.engine.view import View

# The person or thing that it names now has a rating already.
MOVED_ONTO_RATING = "moved_onto_rating"
LOOK_AGAIN_SECONDS = 10.0
MAX_WAITS = 4  # tries before what another rating has on file is left to it


@dataclass(frozen=True, slots=True)
class Moves:
    """Decides whether records stay with one link."""

    view: View
    reading: Reading
    ledger: Ledger
    keys: Callable[[Site], Keys]

    def trace(self) -> None:
        """Find out whether the external record of the slot is still this link's.

        Raises Held, Permanent: it moved, and nobody can say where to yet; and what remotes raise.
        """
        # What a delivery or a listing tells may be old by now.
        if self.view.record_views[EXTERNAL_SLOT].source is Source.HEARD:
            self.reading.read(EXTERNAL_SLOT)
        shown = self.view.record_views[EXTERNAL_SLOT]
        if shown.remote_id is None or not is_stray(self.view):
            return
        known = self.view.departures.stays(shown.remote_id)
        if known is None:
            known = self._stays(shown.remote_id, shown)
        if not known:
            self.view.part_with(EXTERNAL_SLOT, shown.remote_id)

    def stays(self, side: Side, record: Record) -> bool:
        """Whether a record just read is this link's. Raises as ``trace``."""
        # On Wix the person and the thing of a rating never change.
        if side is Side.WIX:
            return True
        known = self.view.departures.stays(record.remote_id)
        if known is not None:
            return known
        return not names_another(self.view, record) or self._stays(record.remote_id, record)

    def is_elsewhere(self, side: Side, remote_id: str) -> bool:
        """Whether another link has a record on file; a delivery then tells that one of it."""
        if side is Side.WIX:
            return False
        located = self.ledger.directory.locate(self.view.run.site.id, side, remote_id)
        if not located.is_on_file or located.key in (None, self.view.run.link.key):
            return False
        self.view.departures.go(remote_id, located.key, None)
        return True

    def taken_elsewhere(self, records: Mapping[Slot, Known | None]) -> set[Slot]:
        """Slots whose records another link has on file; a delivery then tells that one of each."""
        return {
            slot
            for slot, known in records.items()
            if known is not None and self.is_elsewhere(slot.side, known.remote_id)
        }

    def has_moved_on(self, delivery: Delivery) -> bool:
        """Whether another link has the record that a delivery tells of. Raises Transient.

        What an earlier try has made of it stays until that link has looked: it may let it go.
        """
        if not self.is_elsewhere(delivery.new.side, delivery.new.remote_id):
            return False
        if delivery.attempts and not delivery.was_held:
            self.leave_elsewhere([delivery])
        return True

    def leave_elsewhere(self, waiting: Sequence[Delivery] | None = None) -> None:
        """Have the links look at their records that this rating met; at first, wait for that.

        One may have moved here, and nobody has looked yet. ``waiting``: what would wait; all in
        hand if not given. Raises Transient, LeaseLost.
        """
        if not self.view.departures.waiting:
            return
        self.let_go()
        may_wait = (
            one.attempts < MAX_WAITS and not one.was_held and not one.stands_by
            for one in waiting or self.view.run.deliveries
        )
        if any(may_wait):
            raise Transient(
                "another rating has this record on file", retry_after=LOOK_AGAIN_SECONDS
            )

    def let_go(self) -> None:
        """Commit that they are none of this link's any more. Raises LeaseLost."""
        change = commit_of_leaving(self.view)
        committed = self.reading.keeper.commit(change)
        self.view.learn(change.records, {})
        for tombstone in change.buried:
            self.view.tombstones.bury_again(tombstone)
        self.view.departures.let_go(committed.passed_on)

    def _stays(self, remote_id: str, shown: RecordView | Record) -> bool:
        own = self.view.run.link.key
        try:
            key = self._key_now(remote_id, shown)
            if isinstance(key, RatingKey) and self._goes_along(remote_id, key):
                key = own
            if isinstance(key, RatingKey) and key != own:
                self._refuse_second_rating(remote_id, key)
        except (Held, Permanent):
            # Nobody else is known whose it could be, and who asks to be forgotten does not wait.
            if not self._is_erasing:
                raise
            key = own
        # An address of the same person that the ledger did not know.
        if key == own:
            self.view.departures.own.add(remote_id)
            return True
        # By policy it may cross to nobody; who is forgotten must not stay in what tells of it.
        goes_to = None if isinstance(key, Closing) else key
        if key == ERASED:
            self._close_as_erased(remote_id)
        self.view.departures.go(remote_id, goes_to, _before_move(remote_id, shown.revision))
        return False

    def _goes_along(self, remote_id: str, key: RatingKey) -> bool:
        """Whether the whole person is erased, whose record it is under another thing.

        No rating can be made of it any more, so none would take it along.
        """
        own, directory = self.view.run.link.key, self.ledger.directory
        is_of_person = key.contact_id == own.contact_id and key != own
        if not is_of_person or all(one.new.change != Change.ERASE for one in self._asked):
            return False
        return not directory.locate(own.site_id, Side.EXTERNAL, remote_id).is_on_file

    def _close_as_erased(self, remote_id: str) -> None:
        for delivery in self.view.run.deliveries:
            if (delivery.new.side, delivery.new.remote_id) == (Side.EXTERNAL, remote_id):
                self.view.close(delivery, ERASED)

    @property
    def _is_erasing(self) -> bool:
        return self.view.erases or any(one.new.privacy for one in self._asked)

    @property
    def _asked(self) -> list[Delivery]:
        return [one for one in self.view.run.deliveries if not one.stands_by]

    def _key_now(self, remote_id: str, shown: RecordView | Record) -> RatingKey | Closing:
        """The key that the record names; what it does not tell is as it was."""
        run = self.view.run
        since = changed_since(self.view, shown)
        is_of_same_thing = not since.thing or not rates_another(shown.entity, run.entity.external)
        is_of_same_person = not since.person or self._is_of_same_person(shown.person)
        # No look has shown it yet: what nobody is known by may be the account of our token.
        if not is_of_same_person and self._is_first_look(remote_id):
            is_as_made = self._is_as_made(shown.revision)
            is_of_same_person = is_as_made or self._is_nobody_known(shown.person)
        if is_of_same_thing and is_of_same_person:
            return run.link.key
        # It shows somebody instead of its person, as before: with another thing nobody could tell
        # whose it is.
        if not since.person and not self._is_of_same_person(shown.person):
            raise Held("unknown_contact")
        entity = run.entity.external if is_of_same_thing else shown.entity
        person = shown.person
        if is_of_same_person:
            person = replace(person, email=run.contact.email or person.email)
        record = Record(remote_id, {}, entity=entity, person=person)
        return self.keys(self._site_for(remote_id)).key_of_record(record, Side.EXTERNAL)

    def _site_for(self, remote_id: str) -> Site:
        """The site; but who has a rating, and changes an address outside, is no stranger."""
        on_file, site = self.view.memory.get(EXTERNAL_SLOT), self.view.run.site
        is_on_file = on_file is not None and on_file.remote_id == remote_id
        if not is_on_file or site.policy.unknown_contact != UnknownContact.SKIP:
            return site
        return replace(site, policy=replace(site.policy, unknown_contact=UnknownContact.HOLD))

    def _is_of_same_person(self, person: Person) -> bool:
        run = self.view.run
        if not is_of_another(person.email, addresses_of(run)):
            return True
        # A contact may have several addresses, its own and those of contacts merged into it.
        email = normalise_email(person.email or "")
        known = self.ledger.directory.contact(run.site.id, email=email)
        return known is not None and known.contact_id == run.link.key.contact_id

    def _is_first_look(self, remote_id: str) -> bool:
        on_file = self.view.memory.get(EXTERNAL_SLOT)
        if on_file is None or on_file.remote_id != remote_id:
            return False
        return is_only_answered(on_file.identity)

    def _is_as_made(self, revision: int | None) -> bool:
        """Whether the record on file shows what our own writes have made of it, and no more."""
        on_file = self.view.memory[EXTERNAL_SLOT]
        is_numbered = revision is not None and revision == on_file.revision
        return is_numbered and may_be_as_made(on_file.identity)

    def _is_nobody_known(self, person: Person) -> bool:
        email = normalise_email(person.email or "")
        site_id, directory = self.view.run.site.id, self.ledger.directory
        if directory.contact(site_id, email=email) is not None:
            return False
        # Who has asked to be forgotten was known.
        return not directory.erased_addresses(site_id, [email])

    def _refuse_second_rating(self, remote_id: str, key: RatingKey) -> None:
        """Which of two ratings counts, a person has to say, unless one has let this one go on."""
        on_file = self.view.memory.get(EXTERNAL_SLOT)
        # It has brought nothing to Wix that would have to go, or that is gone already.
        if on_file is None or on_file.remote_id != remote_id or self._is_erasing:
            return
        if not self._is_on_wix:
            return
        there = self.ledger.links.external_id(key)
        # Free, or it is there already.
        if there is None or there == remote_id or not self._is_still_of(key, there):
            return
        for delivery in self.view.run.deliveries:
            is_about = delivery.new.remote_id == remote_id
            if is_about and self.ledger.inbox.was_released(delivery, MOVED_ONTO_RATING):
                return
        raise Held(MOVED_ONTO_RATING)

    @property
    def _is_on_wix(self) -> bool:
        return any(
            shown.remote_id is not None
            for slot, shown in self.view.record_views.items()
            if slot.side is Side.WIX
        )

    def _is_still_of(self, key: RatingKey, remote_id: str) -> bool:
        """Whether the record on file for a key is there, and names that key: two may be swapped."""
        record = self.reading.get(Side.EXTERNAL, remote_id)
        if record is None:
            return False
        try:
            return self.keys(self.view.run.site).key_of_record(record, Side.EXTERNAL) == key
        except (Held, Permanent):
            return True


def _before_move(remote_id: str, revision: int | None) -> Buried | None:
    """What older news finds, so that it does not bring the record back; alive it is all the same.

    ``None``: the remote numbers no states, and each of its events is looked at anyway.
    """
    return None if revision is None else Buried(Side.EXTERNAL, remote_id, revision - 1)
