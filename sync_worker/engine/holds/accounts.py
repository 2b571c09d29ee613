"""Refused credentials: of the whole account, or of one record.

A remote that refuses the account refuses every rating of the site: nothing of one rating is wrong,
so its deliveries wait together, and a cheap read each minute asks whether they can go on. Only what
is refused although that read is accepted is the record's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sync_worker.core.errors import (
    Held,
    Misconfigured,
    Permanent,
    SyncError,
    Transient,
    Unauthorized,
)
from sync_worker.core.outcome import (
    AwaitAccount,
    Defer,
    Disposition,
    Outcome,
    OutcomeKind,
    disposition_of,
    reason_of_wait,
)
from sync_worker.core.ports.doorbell import Bell
from sync_worker.core.ports.remote import Connection
from sync_worker.core.ports.site_sides import ACCOUNT_FAILING, SiteSides
from sync_worker.core.values import Delivery, Side, Site, SiteSide

WIX = "wix"  # the name of that remote in the facts of an error
UNAUTHORIZED = 401
UNAUTHORIZED_RECORD = "unauthorized"  # why a record is held that is refused to us
# Refused, though the account is accepted: so often it is tried again before it is held. Credentials
# that are accepted for one call and not for the next (401) will hardly stay so.
TRIES_OF_RECORD = {UNAUTHORIZED: 5, 403: 2}
WAITS = Outcome(OutcomeKind.HELD, ACCOUNT_FAILING)


@dataclass(frozen=True, slots=True)
class AccountWatch:
    """Tells refused accounts from refused records, and asks refused accounts again."""

    site_sides: SiteSides
    bell: Bell
    connect: Callable[[Site], Connection]

    def disposition_of(
        self, error: SyncError, site: Site, deliveries: Sequence[Delivery]
    ) -> Disposition:
        """What an error means for the deliveries in hand."""
        if not isinstance(error, Unauthorized):
            return disposition_of(error)
        account = SiteSide(site.id, side_of(error))
        # Another delivery has found that out already.
        if self.site_sides.wait(account, [delivery.id for delivery in deliveries]):
            return AwaitAccount(WAITS, account, error.message)
        try:
            is_accepted = self._is_accepted(error, site, account.side)
        except (Transient, Held) as failure:
            # Nothing tells whose refusal it is before the remote answers again, or the site is
            # given another account.
            return disposition_of(failure)
        if not is_accepted:
            return AwaitAccount(WAITS, account, str(error))
        # It will not let itself be changed: no other try would end otherwise.
        if error.reason != UNAUTHORIZED_RECORD:
            return disposition_of(error)
        attempts = max((delivery.attempts for delivery in deliveries), default=0)
        if attempts + 1 < TRIES_OF_RECORD.get(error.facts.status or 0, 1):
            return Defer(Outcome(OutcomeKind.RETRY), None, reason_of_wait(error), is_failure=True)
        return disposition_of(error)

    def _is_accepted(self, error: Unauthorized, site: Site, side: Side) -> bool:
        """Whether the account is, although this call was refused. Raises Transient."""
        if error.is_of_account:
            return False
        try:
            # No cheap read tells: 401 speaks of the credentials, 403 of what was asked for.
            return self._probe(site, side) or error.facts.status != UNAUTHORIZED
        except Unauthorized:
            return False
        except (Permanent, Misconfigured):
            # Something else is wrong with the cheap read itself.
            return error.facts.status != UNAUTHORIZED

    def _probe(self, site: Site, side: Side) -> bool:
        """Ask with a cheap read; False: the remote has none. Raises what remotes raise."""
        probe = self.connect(site).probes.get(side)
        return probe is not None and probe()

    # -- an account that fails

    def is_refused(self, error: Unauthorized, site: Site) -> bool:
        """Whether the account is, or only what was asked for. Raises Transient."""
        return not self._is_accepted(error, site, side_of(error))

    def note(self, error: Unauthorized, site: Site) -> bool:
        """A run was refused: whether that may pass, since its account is refused."""
        try:
            if not self.is_refused(error, site):
                return False
        except (Transient, Held):
            # Nothing tells whose refusal it is before the remote answers again.
            return True
        self.site_sides.fail(SiteSide(site.id, side_of(error)), (), str(error))
        return True

    def waits(self, site: Site, delivery: Delivery) -> bool:
        """Whether the delivery is held now, since an account of its site is known to fail."""
        # A privacy request is not held for an account: what it can erase is erased now.
        if delivery.new.privacy:
            return False
        accounts = [SiteSide(site.id, side) for side in sorted(site.failing)]
        return any(self.site_sides.wait(account, [delivery.id]) for account in accounts)

    def probe_some(self) -> int:
        """Ask a few failing accounts whose turn has come; how many work again."""
        recovered = 0
        for site, side in self.site_sides.to_probe():
            # In a minute again.
            if self._still_fails(site, side):
                continue
            self.bell.ring(self.site_sides.recover(SiteSide(site.id, side)))
            recovered += 1
        return recovered

    def _still_fails(self, site: Site, side: Side) -> bool:
        try:
            self._probe(site, side)
        except (Unauthorized, Transient, Misconfigured, Held):
            return True
        except Permanent:
            # Something is wrong with the cheap read, but our credentials are not refused.
            return False
        return False


def side_of(error: SyncError) -> Side:
    """Whose remote raised an error."""
    return Side.WIX if error.facts.remote == WIX else Side.EXTERNAL
