"""One delivery from the inbox to its end: guard, key, link, run.

Expected failures end as rows, not as errors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from sync_worker.core.errors import Held, OfNewerVersion, SyncError
from sync_worker.core.outcome import (
    AwaitAccount,
    Defer,
    HoldDeliveries,
    Leave,
    Outcome,
    OutcomeKind,
)
from sync_worker.core.ports.clock import Clock
from sync_worker.core.ports.doorbell import Bell
from sync_worker.core.ports.inbox import (
    ERASED,
    OTHER_API,
    TRACK_AFTER,
    UNKNOWN_SITE,
    WORKER_DIED,
    Closing,
    Look,
)
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.links import LeasedLink
from sync_worker.core.ports.loop_guard import Guard
from sync_worker.core.ports.remote import Connection
from sync_worker.core.ports.sites import Sites
from sync_worker.core.ports.slots import SLOT_PAUSE_SECONDS, Slots, Unbounded
from sync_worker.core.values import (
    KIND_OF_EVENTS,
    UNUSABLE,
    Change,
    Delivery,
    InboxState,
    NewDelivery,
    RatingKey,
    SearchKeys,
    Side,
    Site,
    SiteState,
)
from sync_worker.core.values.records import NEWER_SECONDS
from sync_worker.engine.engine import Engine
from sync_worker.engine.erased import forgets_erased
from sync_worker.engine.holds.accounts import WAITS
from sync_worker.engine.lease_keeper import too_costly
from sync_worker.intake.contact_events import ContactEvents
from sync_worker.intake.install_events import InstallEvents
from sync_worker.intake.parent_events import ParentEvents
from sync_worker.intake.resolve import Resolver

# Whatever else ends quickly may have asked nobody: an echo, a contact, a budget that is used up.
BOTH_SIDES_ASKED = (OutcomeKind.SYNCED, OutcomeKind.IN_STEP)

# A delivery as it stands in the inbox, and its site where that is known.
Opened = tuple[Delivery, Site | None]


def is_of_other_api(new: NewDelivery, site: Site) -> bool:
    """Whether Wix tells of a record that the site does not keep: nothing of it ever crossed.

    What a person asks to forget is looked for all the same.
    """
    kind = KIND_OF_EVENTS.get(str(new.payload.get("entityFqdn")))
    return kind is not None and kind is not site.wix_api and not new.privacy


def _nobody(opened: Opened) -> None:
    """Nobody wants to hear of it."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Processes deliveries, and hands each of its parts the ports that it uses.

    ``connect`` gives the live remotes of a site; ``new_id`` makes intent ids. ``sites`` opens a
    site when the app is installed on one; without it such a site waits for ``site add``.
    ``cpu_seconds``: of processor time that one delivery may use. ``slots``: who may have those of
    this process.
    """

    ledger: Ledger
    guard: Guard
    bell: Bell
    connect: Callable[[Site], Connection]
    clock: Clock
    new_id: Callable[[], str]
    sites: Sites | None = None
    cpu_seconds: float = math.inf
    slots: Slots = field(default_factory=Unbounded)

    @property
    def engine(self) -> Engine:
        """An engine for one delivery, whose processor time counts from now."""
        until = self.clock.cpu_seconds() + self.cpu_seconds
        return Engine(
            self.ledger,
            self.guard,
            self.bell,
            self.clock,
            self.connect,
            self.new_id,
            self._resolver,
            until,
        )

    def process(self, inbox_id: int, tell: Callable[[Opened], None] = _nobody) -> Outcome:
        """Process one delivery; a doubled doorbell is harmless.

        ``tell``: hears what was opened, before anything is done with it.
        """
        opened = self.ledger.inbox.open_delivery(inbox_id)
        # not open (any more): the doorbell rang twice
        if opened is None:
            return Outcome(OutcomeKind.CLOSED_ALREADY)
        tell(opened)
        delivery, site = opened
        # What somebody asks to forget is forgotten now, however the site stands.
        if (
            site is not None
            and site.is_of_newer_version
            and not self._asks_to_erase(delivery, site)
        ):
            raise OfNewerVersion(retry_after=NEWER_SECONDS)
        # Its site has its share of this worker, and others wait.
        if site is not None and not self.slots.enter(site.id):
            return self._wait_for_slot(delivery)
        is_proof = False
        try:
            # no sign that a worker died over it: the usual case, and a statement less
            if delivery.suspected_crashes < TRACK_AFTER:
                outcome = self._take_up(delivery, site)
            else:
                outcome = self._take_up_tracked(delivery, site)
            is_proof = outcome.kind in BOTH_SIDES_ASKED
            return outcome
        finally:
            if site is not None:
                self.slots.leave(site.id, is_proof=is_proof)

    def _wait_for_slot(self, delivery: Delivery) -> Outcome:
        """It comes again in a moment, as what waits for a budget does."""
        self.ledger.inbox.wait_for_slot(delivery.id, SLOT_PAUSE_SECONDS)
        return Outcome(OutcomeKind.RATE_LIMITED)

    def _take_up_tracked(self, delivery: Delivery, site: Site | None) -> Outcome:
        """Take up a delivery that workers may have died over: the ledger knows it before."""
        match self.ledger.inbox.begin_look(delivery):
            # not due yet, or another worker is at it
            case Look.EARLY:
                return Outcome(OutcomeKind.EARLY)
            # too many workers died over it: held
            case Look.GIVEN_UP:
                return Outcome.of(WORKER_DIED)
            case Look.BEGUN:
                pass
        try:
            outcome = self._take_up(delivery, site)
        except Exception:
            # Whatever comes back, even an error, this worker lives.
            self.ledger.inbox.end_look(delivery)
            raise
        # This worker stood still so long that another has the link. Was it because of what the
        # delivery says? Its noted look stays as the sign of it.
        if outcome.kind is OutcomeKind.LEASE_LOST:
            return outcome
        self.ledger.inbox.end_look(delivery, is_busy=outcome.kind is OutcomeKind.BUSY)
        return outcome

    def _take_up(self, delivery: Delivery, site: Site | None) -> Outcome:
        """Bring a delivery to its end, or put on file what it waits for."""
        # Events of the app come before the site: they may make it.
        if delivery.new.change in InstallEvents.CHANGES:
            inbox, site_states = self.ledger.inbox, self.ledger.sites
            events = InstallEvents(inbox, site_states, self.bell, self.sites)
            outcome = events.apply(delivery, site)
            if outcome is not None:
                return outcome
        if site is None:
            return self._set_aside_for_site(delivery)
        # An app hears of what its sites keep in the other API of Wix, too.
        if delivery.new.side is Side.WIX and is_of_other_api(delivery.new, site):
            return Outcome.of(self.ledger.inbox.close(delivery.id, OTHER_API))
        # A remote refuses our account: asking it for one more rating tells nothing new.
        is_installed = site.state is not SiteState.REMOVED
        if site.failing and is_installed and self.engine.account_watch.waits(site, delivery):
            return WAITS
        # Edited faster than we bring it over: one look serves for all that wait.
        if delivery.is_crowded:
            delivery = self.ledger.inbox.gather(delivery)
        try:
            engine = self.engine
            # Its key was found in an earlier attempt.
            if delivery.link_id is not None:
                return engine.sync_link(delivery.link_id)
            before = self.clock.monotonic()
            key = self._key_of(delivery, site, engine)
            if isinstance(key, Outcome):
                return key
            if isinstance(key, LeasedLink):
                return engine.sync_leased(key, before)
            if self.clock.cpu_seconds() > engine.cpu_until:
                raise too_costly()
            return engine.sync_delivery(delivery.id, key, with_held=delivery.is_beside_held)
        except SyncError as error:
            return self._set_aside(delivery, site, error)

    def _key_of(
        self, delivery: Delivery, site: Site, engine: Engine
    ) -> RatingKey | LeasedLink | Outcome:
        """The key that it is about, or its lease, or how it ended without one. Raises SyncError."""
        if not site.is_at_work and not self._asks_to_erase(delivery, site):
            raise Held(site.why_at_rest)
        # No record has such an id; a person looks at what was told.
        if delivery.new.remote_id.startswith(UNUSABLE):
            raise Held("unusable_id")
        # It names a rated thing, and none of its ratings.
        if delivery.new.change == Change.PARENT_CHANGED:
            return self._parent_events(site).apply(delivery)
        if delivery.new.change in ContactEvents.CHANGES:
            return self._contact_events(site, engine).apply(delivery)
        # An echo that the guard knows ends here, before any search for its key.
        if self._is_own_write(delivery, site):
            return Outcome(OutcomeKind.SUPPRESSED)
        key = self._resolver(site).found_by(delivery)
        if not isinstance(key, Closing):
            return key
        # Late news of a record that was an erased person's once: it ends as it does, without them.
        is_named = forgets_erased(self.ledger.directory, self.ledger.inbox, site.id, delivery)
        if is_named and key.state is not InboxState.HELD:
            key = ERASED
        # The guard must not remember the id of somebody who was erased.
        if key == ERASED:
            self.guard.forget(site.id, delivery.new.side, delivery.new.remote_id)
        self._note_shown(delivery, site, key.shown)
        self.ledger.inbox.close(delivery.id, key)
        # What is held of the same record ends the same way.
        if delivery.is_beside_held:
            self.bell.ring(self.ledger.inbox.release_beside(delivery))
        return Outcome.of(key)

    def _is_own_write(self, delivery: Delivery, site: Site) -> bool:
        """The guard's short cut: exactly the revision that a write of ours returned (rule R3)."""
        new = delivery.new
        # no revision to compare, a delete, or to be looked at in any case
        if new.revision is None or new.change == Change.DELETE or delivery.must_read:
            return False
        intent_id = self.guard.recall(site.id, new.side, new.remote_id, new.revision)
        # A miss proves nothing: the run recognises an echo by SQL.
        if intent_id is None:
            return False
        self.ledger.inbox.close(delivery.id, Closing(InboxState.SUPPRESSED, f"intent {intent_id}"))
        return True

    # -- what cannot end now

    def _asks_to_erase(self, delivery: Delivery, site: Site) -> bool:
        """A privacy request, or a merge that tells who else asked: no state of a site delays it."""
        if delivery.new.change == Change.CONTACT_MERGED:
            return self._contact_events(site, self.engine).names_erased(delivery)
        return delivery.new.privacy

    def _set_aside_for_site(self, delivery: Delivery) -> Outcome:
        """Hold a delivery until its site is added; released at once if that was just now.

        What somebody asks to forget is forgotten now.
        """
        if delivery.new.privacy and self.ledger.inbox.erase_without_site(delivery):
            return Outcome.of(ERASED)
        closing = self.ledger.inbox.hold_for_site(delivery.id, delivery.new)
        if closing is not None:
            return Outcome.of(closing)
        self.bell.ring(self.ledger.inbox.release_held(None, inbox_ids=[delivery.id]))
        return Outcome(OutcomeKind.RELEASED, UNKNOWN_SITE.reason)

    def _set_aside(self, delivery: Delivery, site: Site, error: SyncError) -> Outcome:
        """Put on file what the delivery waits for."""
        match self.engine.account_watch.disposition_of(error, site, [delivery]):
            case Leave(outcome):
                return outcome
            case Defer(outcome, delay_seconds, reason, is_failure):
                # A first wait may be a long one: by what its record showed people find it.
                if delivery.attempts == 0:
                    self._note_shown(delivery, site, error.shown)
                self.ledger.inbox.defer([delivery.id], delay_seconds, reason, is_failure=is_failure)
                return outcome
            case HoldDeliveries(outcome, reason, hold_key):
                self._note_shown(delivery, site, error.shown)
                forgets_erased(self.ledger.directory, self.ledger.inbox, site.id, delivery)
                self.ledger.inbox.hold([delivery.id], reason, hold_key=hold_key)
            case AwaitAccount(outcome, account, why):
                self.ledger.site_sides.fail(account, [delivery.id], why)
                return outcome
        # Hold first, then look: who brings what it waits for commits that first, then releases.
        if site.may_have_gone_on(reason):
            self.bell.ring(self.ledger.sites.release_if_at_work(site.id))
        if isinstance(error, Held) and error.has_arrived():
            # By its name: whatever stands for it goes on, and nothing that waits for a person.
            self.bell.ring(self.ledger.inbox.release_held(site.id, hold_key=hold_key))
            return Outcome(OutcomeKind.RELEASED, reason)
        return outcome

    def _note_shown(self, delivery: Delivery, site: Site, shown: SearchKeys | None) -> None:
        """Keep by what people find a delivery without a key, before it leaves our hands."""
        if shown is not None:
            self.ledger.unlinked.note(site.id, delivery.id, shown)

    # -- the parts, each with the ports that it uses

    def _parent_events(self, site: Site) -> ParentEvents:
        connection = self.connect(site)
        return ParentEvents(self.ledger.inbox, self.ledger.directory, self.bell, connection, site)

    def _contact_events(self, site: Site, engine: Engine) -> ContactEvents:
        ledger, people = self.ledger, self.connect(site).people
        ports = (ledger.inbox, ledger.directory, ledger.merges)
        return ContactEvents(*ports, self.bell, engine, people, site)

    def _resolver(self, site: Site) -> Resolver:
        ledger, connection = self.ledger, self.connect(site)
        return Resolver(ledger.directory, ledger.links, ledger.merges, connection, site)
