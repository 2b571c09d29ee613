"""Refuses writes that a person should look at before they are sent."""

from __future__ import annotations

from dataclasses import dataclass

from sync_worker.core.errors import Held
from sync_worker.core.hold_reasons import UNCONFIRMED_DELETES
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import TAKES_AWAY, LinkState, Operation, Side, SiteState
from sync_worker.engine.deciding.planning import is_of_decision
from sync_worker.engine.history_lines import line_for_fight
from sync_worker.engine.lease_keeper import LeaseKeeper
from sync_worker.engine.link_plan import SlotWrite
from sync_worker.engine.view import View, recent_writes

# For each link, in a sliding hour; no event starts the count anew (design, loop breaker).
MAX_WRITES_PER_HOUR = 12
NO_EMAIL = "no_email"


@dataclass(frozen=True, slots=True)
class WriteLimits:
    """The loop breaker, and what else stops a write before its intent.

    The brake on deletes is asked with the intent (``Links.open_intent``). A privacy request passes.
    """

    view: View
    keeper: LeaseKeeper

    def check(self, write: SlotWrite) -> None:
        """Before the intent. Raises Held."""
        if not write.is_privacy:
            self._refuse_if_fighting(write)
            self._refuse_delete(write)
        self._refuse_without_address(write)

    def _refuse_if_fighting(self, write: SlotWrite) -> None:
        """Two sides that undo each other's changes are stopped. Holds the link; raises Held."""
        if len(recent_writes(self.view)) < MAX_WRITES_PER_HOUR:
            return
        # A person asks for it, once.
        if any(is_of_decision(self.view, action.reason) for action in write.actions.values()):
            return
        now = self.view.record_views[write.slot].values.get(next(iter(write.targets)))
        self.keeper.commit(Commit(link_state=LinkState.HELD, history=[line_for_fight(write, now)]))
        raise Held("fight")

    def _refuse_delete(self, write: SlotWrite) -> None:
        if write.operation not in TAKES_AWAY:
            return
        site = self.view.run.site
        # A person has not confirmed the one that was held before.
        for delivery in self.view.holds.standing_by:
            if delivery.reason in UNCONFIRMED_DELETES:
                raise Held(delivery.reason)
        # The ledger may be behind both sides: what it misses need not be deleted.
        if site.state == SiteState.RECOVERY:
            raise Held("site_recovery")

    def _refuse_without_address(self, write: SlotWrite) -> None:
        """A contact that is gone has left no address: nobody outside would know whose it is."""
        is_create = write.operation is Operation.CREATE
        if is_create and write.slot.side is Side.EXTERNAL and self.view.run.contact.email is None:
            raise Held(NO_EMAIL)
