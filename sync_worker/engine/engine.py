"""Brings rating keys in step: takes leases, joins links, puts on file how a run ended.

A webhook is a hint that something changed; the same run serves webhooks, retries, replay and crash
recovery. The engine takes its ports and its clock as arguments: no thread, no sleep, no wall clock
inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace

from sync_worker.core.errors import (
    Held,
    Permanent,
    SyncError,
    Transient,
    Unconfirmed,
    UnknownOutcome,
)
from sync_worker.core.hold_keys import contact_hold_key
from sync_worker.core.outcome import (
    AwaitAccount,
    Defer,
    Disposition,
    HoldDeliveries,
    Leave,
    Outcome,
    OutcomeKind,
)
from sync_worker.core.ports.clock import Clock
from sync_worker.core.ports.doorbell import Bell
from sync_worker.core.ports.keys import Keys
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.links import LeasedLink
from sync_worker.core.ports.loop_guard import Guard
from sync_worker.core.ports.remote import Connection
from sync_worker.core.values import Merge, RatingKey, Site
from sync_worker.engine.deliveries import Deliveries
from sync_worker.engine.holds.accounts import AccountWatch
from sync_worker.engine.lease_keeper import LONG_AGO, LeaseKeeper
from sync_worker.engine.link_join import has_joined, join_links
from sync_worker.engine.link_run import LinkRun
from sync_worker.engine.moves.moves import Moves
from sync_worker.engine.placing import Placing
from sync_worker.engine.reading import Reading
from sync_worker.engine.settling import Settling
from sync_worker.engine.view import View
from sync_worker.engine.writes.limits import NO_EMAIL, WriteLimits
from sync_worker.engine.writing import Writing

BUSY = Outcome(OutcomeKind.BUSY)
CONTACT_UNKNOWN = "contact_unknown"


@dataclass(frozen=True, slots=True)
class Engine:
    """Runs links. ``connect`` gives the live remotes of a site; ``new_id`` makes intent ids.

    ``keys`` finds out where a record of a site belongs. ``cpu_until``, ``asked_at``: as in
    LeaseKeeper. ``hops``: so often a record that has left its link is followed at once; then its
    delivery is rung for.
    """

    ledger: Ledger
    guard: Guard
    bell: Bell
    clock: Clock
    connect: Callable[[Site], Connection]
    new_id: Callable[[], str]
    keys: Callable[[Site], Keys]
    cpu_until: float = math.inf
    hops: int = 3

    def sync_delivery(self, inbox_id: int, key: RatingKey, *, with_held: bool = False) -> Outcome:
        """Bring the link of a delivery in step, made if need be. Raises Transient.

        ``with_held``: as ``Links.attach``.
        """
        before = self.clock.monotonic()
        run = self._joined(self.ledger.links.attach(inbox_id, key, with_held=with_held).run)
        return BUSY if run is None else self.work_on(run, before)

    def sync_link(self, link_id: int) -> Outcome:
        """Bring one link in step, if no other worker is at it."""
        before = self.clock.monotonic()
        run = self.ledger.links.lease(link_id)
        if run is not None and has_joined(run, self.ledger.merges):
            self._ring(self.ledger.links.release(run.lease))
            return Outcome(OutcomeKind.IN_STEP)
        return self.sync_leased(run, before)

    def sync_leased(self, leased: LeasedLink | None, asked_at: float) -> Outcome:
        """Bring a link in step whose lease is taken already, if it is not another worker's."""
        run = self._joined(leased)
        return BUSY if run is None else self.work_on(run, asked_at)

    def work_on(self, run: LeasedLink, asked_at: float = LONG_AGO) -> Outcome:
        """Bring the link of a lease in step, and end the lease.

        Every way in which that may fail is on file afterwards.
        """
        left: Set[int] = frozenset()
        try:
            work = self.run_of(run, asked_at=asked_at)
            # It grows as the run goes on.
            left = work.view.holds.left
            work.begin()
            finished = work.run_until_settled()
        except SyncError as error:
            # What no look came of is held again already.
            in_hand = tuple(one for one in run.deliveries if one.id not in left)
            run = replace(run, deliveries=in_hand)
            disposition = self._disposition_of(error, run)
            outcome = self._give_up(run, disposition, leaves_open_write(error))
            return self._let_go_on(run, error) or outcome
        # They came in under our lease, so their own workers went away as busy.
        self._ring(finished.fresh)
        if not finished.passed_on:
            return finished.outcome
        # Each is on file: whoever comes, the record finds its place.
        outcomes = [
            self._follow_record(inbox_id, key) for inbox_id, key in finished.passed_on.items()
        ]
        return next((one for one in outcomes if one.kind is OutcomeKind.HELD), finished.outcome)

    def run_of(self, run: LeasedLink, importer: str = "", asked_at: float = LONG_AGO) -> LinkRun:
        """The work under a lease; ``importer``: as View has it. Raises Misconfigured."""
        connection, ledger = self.connect(run.site), self.ledger
        remotes = connection.remotes
        capabilities = {side: remote.capabilities for side, remote in remotes.items()}
        view = View(run, capabilities, importer)
        keeper = LeaseKeeper(ledger.links, run.lease, self.clock, self.cpu_until, asked_at)
        reading = Reading(view, remotes, ledger.directory, keeper)
        moves = Moves(view, reading, ledger, self.keys)
        placing = Placing(view, reading, ledger.merges, moves)
        limits = WriteLimits(view, keeper)
        writing = Writing(view, reading, placing, limits, keeper, self.guard, self.new_id)
        return LinkRun(
            view,
            reading,
            placing,
            Deliveries(view, reading, placing, ledger.inbox),
            writing,
            Settling(view, reading, placing, writing, ledger.inbox, keeper),
            ledger.merges,
            self.guard,
        )

    def _follow_record(self, inbox_id: int, key: RatingKey) -> Outcome:
        """Bring a record that has left its link to the rating that it belongs to now."""
        if self.hops == 0:
            self._ring([inbox_id])
            return BUSY
        try:
            return replace(self, hops=self.hops - 1).sync_delivery(inbox_id, key)
        except SyncError:
            # Its contact was erased just now: the intake finds that out.
            self._ring([inbox_id])
            return BUSY

    # -- how it may fail

    @property
    def account_watch(self) -> AccountWatch:
        return AccountWatch(self.ledger.site_sides, self.bell, self.connect)

    def _disposition_of(self, error: SyncError, run: LeasedLink) -> Disposition:
        disposition = self.account_watch.disposition_of(error, run.site, run.deliveries)
        if not isinstance(disposition, HoldDeliveries):
            return disposition
        if disposition.reason == CONTACT_UNKNOWN and self._follow_merge(run):
            # The contact was merged away: the next run joins the links.
            return Defer(Outcome(OutcomeKind.RETRY), 0.0, "contact_merged", is_failure=False)
        return disposition

    def _give_up(
        self, run: LeasedLink, disposition: Disposition, has_open_write: bool = False
    ) -> Outcome:
        """Put on file what becomes of the deliveries in hand, then end the lease.

        ``has_open_write``: what became of it has to be looked for, so a delivery comes again.
        """
        # What only a person releases was seen, and is as it was.
        in_hand = [delivery for delivery in run.deliveries if not delivery.stands_by]
        ids = [delivery.id for delivery in in_hand]
        arrived: Sequence[int] = ()
        match disposition:
            # the lease is not ours any more: nothing of it may be touched
            case Leave(outcome):
                return outcome
            # what was held goes on being held; the delivery that led here comes again
            case Defer(outcome, delay_seconds, reason, is_failure):
                again = [delivery.id for delivery in in_hand if delivery.was_held]
                # Only what was held led here: the newest of it waits for the open write, and it
                # is old, so that its tries must not count.
                if has_open_write and again == ids and again:
                    again.remove(max(ids))
                    is_failure = False
                if again:
                    self.ledger.inbox.put_back(again)
                news = [inbox_id for inbox_id in ids if inbox_id not in again]
                self.ledger.inbox.defer(news, delay_seconds, reason, is_failure=is_failure)
            # a contact may become known, or a site go on; what else holds a run waits for nobody
            case HoldDeliveries(outcome, reason, hold_key):
                if reason in (CONTACT_UNKNOWN, NO_EMAIL):
                    hold_key = contact_hold_key(run.link.key.contact_id)
                self.ledger.inbox.hold(ids, reason, hold_key=hold_key)
                arrived = self._arrived_meanwhile(run, reason, hold_key)
            # nothing is wrong with this rating
            case AwaitAccount(outcome, account, why):
                self.ledger.site_sides.fail(account, ids, why)
        self._ring([*self.ledger.links.release(run.lease), *arrived])
        return outcome

    def _arrived_meanwhile(
        self, run: LeasedLink, reason: str, hold_key: str | None
    ) -> Sequence[int]:
        """Release what was held too late: what it waits for came while it was in our hands.

        Whoever brings that commits it first and releases after, so this look comes after the hold.
        """
        if run.site.may_have_gone_on(reason):
            return self.ledger.sites.release_if_at_work(run.site.id)
        if reason != NO_EMAIL:
            return ()
        known = self.ledger.directory.contact(run.site.id, contact_id=run.link.key.contact_id)
        if known is None or known.email is None:
            return ()
        return self.ledger.inbox.release_held(run.site.id, hold_key=hold_key)

    def _let_go_on(self, run: LeasedLink, error: SyncError) -> Outcome | None:
        """Look once more for what the deliveries now wait for; if it is there, they go on."""
        if not isinstance(error, Held) or not error.has_arrived():
            return None
        ids = [delivery.id for delivery in run.deliveries if not delivery.stands_by]
        self._ring(self.ledger.inbox.release_held(run.site.id, inbox_ids=ids))
        return Outcome(OutcomeKind.RELEASED, error.reason)

    def _ring(self, fresh: Sequence[int]) -> None:
        if fresh:
            self.bell.ring(fresh)

    def _follow_merge(self, run: LeasedLink) -> bool:
        """Wix refuses this contact: was it merged away, and the event has not reached us (yet)?"""
        contact_id = run.link.key.contact_id
        try:
            contact = self.connect(run.site).people.by_id(contact_id)
        except (Transient, Permanent):
            # Held for the first reason; a replay asks again.
            return False
        # gone, or there as itself: no merge explains the refusal
        if contact is None or contact.contact_id == contact_id:
            return False
        # Asked for an id that was merged away, Wix shows the contact that lives on.
        merge = Merge((contact_id,), contact.contact_id)
        self.ledger.merges.redirect(run.site.id, merge, is_told=False)
        return True

    # -- after a merge of contacts

    def _joined(self, run: LeasedLink | None) -> LeasedLink | None:
        """The lease to work on: after a merge that of the one link that is left.

        ``None`` if another worker has the lease: it looks for new deliveries as it ends it.
        """
        # A loop, because merges form chains: the link that is left may have to join again.
        while run is not None and (run.merged_into is not None or run.links_to_join):
            run = self._join(run)
        return run

    def _join(self, run: LeasedLink) -> LeasedLink | None:
        """Make one link of one person and entity, and take its lease."""
        # Let go first: a join takes the leases of both links in the order of their ids.
        self.ledger.links.release(run.lease)
        link_id, key = run.lease.link_id, run.link.key
        try:
            # its contact was merged away: it joins the link of the contact that lives on
            if run.merged_into is not None:
                link_id = self._join_into(link_id, replace(key, contact_id=run.merged_into))
            else:
                # its contact lives on: the links of those merged into it join it
                for other_id in run.links_to_join:
                    self._join_into(other_id, key)
        except Transient as failure:
            # A link of this person is busy, or its open write is not settled: no failed attempt.
            self._give_up(run, Defer(BUSY, failure.retry_after, failure.message, is_failure=False))
            return None
        return self.ledger.links.lease(link_id)

    def _join_into(self, link_id: int, key: RatingKey) -> int:
        """Settle what is open on both links, then join them.

        Raises Transient: somebody is at one of them, or one has a write that cannot be settled now.
        """
        links = self.ledger.links
        target_id = links.link_id(key)
        for next_id in (link_id, target_id):
            run = None if next_id is None else links.lease(next_id)
            # a write of unknown outcome: a whole run settles it and ends its lease
            if run is not None and run.intent is not None:
                self.work_on(run)
            # nothing is open: left for the join to lease
            elif run is not None:
                links.release(run.lease)
        return join_links(links, self.ledger.merges, link_id, key)


def leaves_open_write(error: SyncError) -> bool:
    """Whether it leaves a write whose outcome is to be looked for."""
    return isinstance(error, Unconfirmed | UnknownOutcome)
