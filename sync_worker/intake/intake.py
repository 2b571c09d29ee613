"""One delivery from the inbox to its end: guard, key, link, run.

Expected failures end as rows, not as errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sync_worker.core.errors import Held, SyncError
from sync_worker.core.outcome import (
    Defer,
    Disposition,
    HoldDeliveries,
    Leave,
    Outcome,
    OutcomeKind,
    disposition_of,
)
from sync_worker.core.ports.clock import Clock
from sync_worker.core.ports.doorbell import Bell
from sync_worker.core.ports.inbox import ERASED, TRACK_AFTER, WORKER_DIED, Closing, Look
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.loop_guard import Guard
from sync_worker.core.ports.remote import Connection
from sync_worker.core.ports.sites import Sites
from sync_worker.core.values import Delivery, InboxState, RatingKey, Site
from sync_worker.engine.engine import Engine
from sync_worker.intake.contact_events import PeopleChanges
from sync_worker.intake.install_events import SiteChanges
from sync_worker.intake.parent_events import Children
from sync_worker.intake.resolve import Resolver


@dataclass(frozen=True, slots=True)
class Intake:
    """Processes deliveries. ``connect`` gives the live remotes of a site; ``new_id`` makes intent
    ids.

    ``sites`` opens a site when the app is installed on one; without it such a site waits for ``site
    add``.
    """

    ledger: Ledger
    guard: Guard
    bell: Bell
    connect: Callable[[Site], Connection]
    clock: Clock
    new_id: Callable[[], str]
    sites: Sites | None = None

    def process(self, inbox_id: int) -> Outcome:
        """Process one delivery; a doubled doorbell is harmless."""
        opened = self.ledger.inbox.open_delivery(inbox_id)
        if opened is None:
            return Outcome(OutcomeKind.CLOSED_ALREADY)
        delivery, site = opened
        if delivery.suspected_crashes < TRACK_AFTER:
            return self._look(delivery, site)
        return self._look_noted(delivery, site)

    def _look_noted(self, delivery: Delivery, site: Site | None) -> Outcome:
        """Workers may have died over this one.

        Whatever comes back from the look, even an error, this one lives.
        """
        look = self.ledger.inbox.begin_look(delivery)
        if look is not Look.BEGUN:
            is_early = look is Look.EARLY
            return Outcome(OutcomeKind.EARLY) if is_early else Outcome.of(WORKER_DIED)
        try:
            outcome = self._look(delivery, site)
        except Exception:
            self.ledger.inbox.end_look(delivery)
            raise
        self.ledger.inbox.end_look(delivery, is_busy=outcome.kind is OutcomeKind.BUSY)
        return outcome

    def _look(self, delivery: Delivery, site: Site | None) -> Outcome:
        inbox_id = delivery.id
        if delivery.new.change in SiteChanges.CHANGES:
            site, outcome = SiteChanges(self.ledger, self.bell, self.sites).hear(delivery, site)
            if outcome is not None:
                return outcome
        if site is None:
            if self.ledger.inbox.hold_for_site(inbox_id, delivery.new):
                self.bell.ring(self.ledger.inbox.release_held(None, inbox_ids=[inbox_id]))
            return Outcome(OutcomeKind.HELD, "unknown_site")
        try:
            return self._process(delivery, site)
        except Held as wait:
            return self._hold(inbox_id, site, wait)
        except SyncError as error:
            return self._give_up(inbox_id, disposition_of(error))

    def _give_up(self, inbox_id: int, disposition: Disposition) -> Outcome:
        match disposition:
            case Leave(outcome):
                pass
            case Defer(outcome, delay_seconds, reason, is_failure):
                self.ledger.inbox.defer([inbox_id], delay_seconds, reason, is_failure=is_failure)
            case HoldDeliveries(outcome, reason):
                self.ledger.inbox.hold([inbox_id], reason)
        return outcome

    def _hold(self, inbox_id: int, site: Site, wait: Held) -> Outcome:
        """Hold, then look again: whoever brings what it waits for commits that first, and releases
        after.
        """
        self.ledger.inbox.hold([inbox_id], wait.reason, hold_key=wait.hold_key)
        if not wait.has_arrived():
            return Outcome(OutcomeKind.HELD, wait.reason)
        self.bell.ring(self.ledger.inbox.release_held(site.id, inbox_ids=[inbox_id]))
        return Outcome(OutcomeKind.RELEASED, wait.reason)

    def _process(self, delivery: Delivery, site: Site) -> Outcome:
        if delivery.link_id is not None:
            return self.engine.sync_link(delivery.link_id)
        if not site.is_at_work:
            raise Held(f"site_{site.state}")
        if delivery.new.change == "parent_changed":
            return self._follow_parent(delivery, site)
        if delivery.new.change in PeopleChanges.CHANGES:
            return PeopleChanges(
                self.ledger, self.bell, self.engine, self.connect(site).people, site
            ).hear(delivery)
        if self._is_own_write(delivery, site):
            return Outcome(OutcomeKind.SUPPRESSED)
        key = Resolver(self.ledger, self.connect(site), site).key_of(delivery)
        if isinstance(key, RatingKey):
            return self.engine.sync_delivery(delivery.id, key)
        if key == ERASED:
            self.guard.forget(site.id, delivery.new.side, delivery.new.remote_id)
        self.ledger.inbox.close(delivery.id, key)
        return Outcome.of(key)

    @property
    def engine(self) -> Engine:
        return Engine(self.ledger, self.guard, self.bell, self.clock, self.connect, self.new_id)

    def _is_own_write(self, delivery: Delivery, site: Site) -> bool:
        """The guard's short cut: exactly the revision that a write of ours returned (rule R3)."""
        new = delivery.new
        if new.revision is None or new.change == "delete" or delivery.must_read:
            return False
        intent_id = self.guard.recall(site.id, new.side, new.remote_id, new.revision)
        if intent_id is None:
            return False
        self.ledger.inbox.close(delivery.id, Closing(InboxState.SUPPRESSED, f"intent {intent_id}"))
        return True

    def _follow_parent(self, delivery: Delivery, site: Site) -> Outcome:
        """Something about the ratings of one thing: a hint for each that differs from what is on
        file.
        """
        hints = Children(self.ledger, self.connect(site), site).hints_of(delivery)
        if isinstance(hints, Closing):
            self.ledger.inbox.close(delivery.id, hints)
            return Outcome.of(hints)
        self.ledger.inbox.close(delivery.id, Closing(InboxState.DONE, f"hints {len(hints)}"))
        self.bell.ring(hints)
        return Outcome(OutcomeKind.DONE, "parent")
