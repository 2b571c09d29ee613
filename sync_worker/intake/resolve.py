"""From a delivery to its rating key: named steps, and the first that answers wins. Holds no lease.

the link that has the record on file      the usual case: no remote is asked
the link whose create may have made it    it is gone, and was so before anybody heard of it
a tombstone of the record                 done, unless the delivery may tell of a restore
the link from before the burial           it has to look whether the record lives again
a delete of what was never linked         done, and a tombstone for what comes late
the record itself                         from the event, else by a look at the remote
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sync_worker.core.email_identity import is_usable, normalise_email
from sync_worker.core.errors import Held, Permanent, SyncError
from sync_worker.core.ports.directory import Directory
from sync_worker.core.ports.inbox import ERASED, Closing
from sync_worker.core.ports.links import LeasedLink, Links, Shown
from sync_worker.core.ports.merges import Merges
from sync_worker.core.ports.remote import Connection
from sync_worker.core.record_codec import record_listed
from sync_worker.core.values import (
    Buried,
    Change,
    Delivery,
    Entity,
    EntityRef,
    InboxState,
    Located,
    RatingKey,
    Record,
    RecordState,
    SearchKeys,
    Side,
    Site,
)
from sync_worker.engine.news import BURIED, may_matter, may_tell_reply
from sync_worker.intake.entities import MappedEntities
from sync_worker.intake.raters import Raters

NOT_AWAITED = Closing(InboxState.DONE, "create_failed, not awaited")
NOT_LINKED = Closing(InboxState.DONE, "not_linked")
NOT_PUBLISHED = Closing(InboxState.DONE, "not_published")

Answer = RatingKey | Closing


@dataclass(frozen=True, slots=True)
class Resolver:
    """Finds keys for the deliveries of one site."""

    directory: Directory
    links: Links
    merges: Merges
    connection: Connection
    site: Site

    def key_of(self, delivery: Delivery) -> Answer:
        """The key, or how the delivery ends without one. Raises Held, Transient, Permanent."""
        new = delivery.new
        # Its link was erased before its turn came.
        if new.change in (Change.ERASE, Change.DECIDE):
            return ERASED
        # It names no record: none was made.
        if new.change == Change.CREATE_FAILED:
            return self._awaiting_key(new.payload)
        located = delivery.located
        if located is None:
            located = self.directory.locate(self.site.id, new.side, new.remote_id)
        # These ask the ledger alone; a remote is asked only after them.
        for step in (
            self._key_on_file,
            self._key_of_lost_create,
            self._end_at_tombstone,
            _key_before_burial,
            self._end_of_unlinked_delete,
        ):
            answer = step(delivery, located)
            if answer is not None:
                return answer
        return self._key_of_shown_record(delivery)

    def found_by(self, delivery: Delivery) -> Answer | LeasedLink:
        """As ``key_of``; the link of a new rating is leased in the same step where it can be."""
        return self._lease_shown(delivery) or self.key_of(delivery)

    def _lease_shown(self, delivery: Delivery) -> LeasedLink | None:
        """The link of a new rating whose thing and person are mapped, if nobody is at it.

        ``None``: its key takes more than a look at the maps, or another worker has its link.
        """
        shown = self._shown_by(delivery)
        # What is held beside it comes to the link, too: step by step.
        if shown is None or delivery.is_beside_held:
            return None
        run = self.links.attach_shown(delivery.id, self.site.id, shown)
        if run is None or shown.side is Side.EXTERNAL or is_usable(str(run.contact.email)):
            return run
        # It is held for its address. What came under this lease is left to the sweeper.
        self.links.release(run.lease)
        return None

    def _shown_by(self, delivery: Delivery) -> Shown | None:
        """What a record names, if the delivery shows it whole and nothing is known of it."""
        new, located = delivery.new, delivery.located
        if new.change != Change.UPSERT or located != Located():
            return None
        remote = self.connection.remotes[new.side]
        record = record_listed(new.payload) or remote.record_in(new.payload)
        if record is None or record.entity is None or not record.is_visible:
            return None
        person = record.person
        if new.side is Side.WIX:
            rater = person.contact_id
        else:
            rater = None if person.email is None else normalise_email(person.email)
        return None if rater is None else Shown(new.side, record.entity, rater)

    def key_of_record(self, record: Record, side: Side) -> Answer:
        """The key of a record, whatever is known of its id. Raises as ``key_of``."""
        raters = Raters(self.directory, self.merges, self.connection, self.site)
        try:
            # The thing before the person: what is not mapped must not create a contact.
            entity = self._entity_of(record, side, raters)
            if isinstance(entity, Closing):
                return _showing(entity, record)
            contact = raters.contact_of(record.person, side)
        except SyncError as error:
            error.shown = SearchKeys.of(record)
            raise
        if isinstance(contact, Closing):
            return _showing(contact, record)
        return RatingKey(self.site.id, entity.id, contact.contact_id)

    def _entity_of(self, record: Record, side: Side, raters: Raters) -> Entity | Closing:
        """As MappedEntities; but nothing is kept, or held, of somebody erased."""
        try:
            entity = MappedEntities(self.directory, self.site).entity_of(record.entity, side)
        except (Held, Permanent):
            if raters.names_erased(record.person, side):
                return ERASED
            raise
        is_kept = isinstance(entity, Closing)
        return ERASED if is_kept and raters.names_erased(record.person, side) else entity

    def _awaiting_key(self, payload: Mapping[str, Any]) -> Answer:
        """The key whose create was not carried out; only a link that we know can wait for it."""
        entity_id, group = payload.get("entity") or (None, "")
        email = payload.get("email")
        # The event need not tell both.
        if not entity_id or not email:
            return NOT_AWAITED
        ref = EntityRef(entity_id, group)
        entity = self.directory.entity(self.site.id, Side.EXTERNAL, ref)
        contact = self.directory.contact(self.site.id, email=email)
        # Unmapped: no link of ours can wait for it.
        if entity is None or contact is None:
            return NOT_AWAITED
        key = RatingKey(self.site.id, entity.id, contact.contact_id)
        # Somebody else's create, not ours.
        if self.links.link_id(key) is None:
            return NOT_AWAITED
        return key

    def _key_on_file(self, delivery: Delivery, located: Located) -> Answer | None:
        """The link that has the record on file now."""
        if not located.is_on_file or located.key is None:
            return None
        # What is set aside of the link goes with it: its external record has to be reached, too.
        if delivery.new.privacy:
            self.directory.return_set_aside(located.key)
        return located.key

    def _key_of_lost_create(self, delivery: Delivery, located: Located) -> Answer | None:
        """The link of a record whose deletion was heard before its creation.

        It may be what a create of ours has made whose answer was lost: unheard there, that create
        would be sent once more.
        """
        new, tombstone = delivery.new, located.buried
        if tombstone is None or located.key is not None or new.change != Change.UPSERT:
            return None
        remote = self.connection.remotes[new.side]
        record = record_listed(new.payload) or remote.record_in(new.payload)
        # Forgotten on request, or it does not say whose it was.
        if tombstone.privacy or record is None or record.entity is None:
            return None
        person, of_wix = record.person, new.side is Side.WIX
        rater = person.contact_id if of_wix else person.email
        entity = self.directory.entity(self.site.id, new.side, record.entity)
        if entity is None or rater is None:
            return None
        if of_wix:
            contact = self.directory.contact(self.site.id, contact_id=rater)
        else:
            contact = self.directory.contact(self.site.id, email=normalise_email(rater))
        if contact is None:
            return None
        key = RatingKey(self.site.id, entity.id, contact.contact_id)
        return key if self.links.link_id(key) is not None else None

    def _end_at_tombstone(self, delivery: Delivery, located: Located) -> Answer | None:
        """The record is gone for good, and the delivery tells nothing that could change that."""
        buried = located.buried
        if buried is None or may_matter(delivery, buried):
            return None
        # The link that had it knows whether a reply went with it that nobody saw.
        travels = self.site.policy.of_replies() is not None
        if travels and located.key is not None and may_tell_reply(delivery, buried):
            return None
        return ERASED if buried.privacy else BURIED

    def _end_of_unlinked_delete(self, delivery: Delivery, located: Located) -> Answer | None:
        """A delete that came before its create, or of a record that never crossed."""
        new = delivery.new
        if new.change != Change.DELETE:
            return None
        if new.privacy:
            key = self.directory.reopen_set_aside(self.site.id, new.side, new.remote_id)
            if key is not None:
                return key
        gone = Buried(new.side, new.remote_id, new.revision, new.sequence, new.privacy)
        closing = ERASED if new.privacy else NOT_LINKED
        return self._bury(gone, closing)

    def _key_of_shown_record(self, delivery: Delivery) -> Answer:
        """The key of a record that nothing is known of: as the event carries it, else by a look."""
        new = delivery.new
        remote = self.connection.remotes[new.side]
        # The cheapest first: a row of our own listing, the event itself, then a call.
        record = (
            record_listed(new.payload) or remote.record_in(new.payload) or remote.get(new.remote_id)
        )
        # Deleted since the event.
        if record is None:
            return self._bury(Buried(new.side, new.remote_id), BURIED)
        # As good as gone until a later revision: a run that has an earlier one in hand must not
        # bring it across.
        if not record.is_visible and remote.capabilities.can_moderate:
            return self._key_of_hidden(delivery, record)
        if not record.is_visible:
            gone = Buried(new.side, record.remote_id, record.revision, record.sequence)
            return self._bury(gone, _showing(NOT_PUBLISHED, record))
        return self.key_of_record(record, new.side)

    def _key_of_hidden(self, delivery: Delivery, record: Record) -> Answer:
        """Of what moderation keeps out of sight, where the next state may have its revision."""
        new = delivery.new
        # Made by us: its run is about to put it on file.
        if record.is_ours or new.is_ours:
            return self.key_of_record(record, new.side)
        # Nothing is put back to waiting: at most an earlier revision was published.
        if record.state is RecordState.PENDING:
            earlier = None if record.revision is None else record.revision - 1
            gone = Buried(new.side, record.remote_id, earlier, record.sequence)
            return self._bury(gone, _showing(NOT_PUBLISHED, record))
        # A run may have looked since the event: published again it is alive.
        now = self.connection.remotes[new.side].get(record.remote_id)
        if now is None:
            return self._bury(Buried(new.side, record.remote_id), BURIED)
        if now.is_visible:
            return self.key_of_record(now, new.side)
        gone = Buried(new.side, record.remote_id, None, new.sequence)
        return self._bury(gone, _showing(NOT_PUBLISHED, record))

    def _bury(self, gone: Buried, closing: Closing) -> Answer:
        """Note that a record is gone: ``closing``, unless a run has just put it on file."""
        if self.directory.bury(self.site.id, gone):
            return closing
        # It is that link's to say whether the record is gone.
        return self.directory.locate(self.site.id, gone.side, gone.remote_id).key or closing


def _showing(closing: Closing, record: Record) -> Closing:
    """An end without a key, by what people find it; nothing stays of somebody erased."""
    if closing == ERASED:
        return closing
    return replace(closing, shown=SearchKeys.of(record))


def _key_before_burial(delivery: Delivery, located: Located) -> Answer | None:
    """The link that had the record: under its lease a look tells whether it was restored."""
    return located.key
