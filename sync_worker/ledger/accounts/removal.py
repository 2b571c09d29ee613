"""What ends as the app is removed from a site, and what begins anew as it comes back.

removed ──▶ deliveries that a look would tell again end, without their content
        ──▶ what waited long or was held for the site or its account ends with them (``end_some``)
back    ──▶ each of those is a hint: both sides are looked at
        ──▶ a sweep is due: of all else that happened meanwhile nobody was told
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, select, text, update

from sync_worker.core.hold_reasons import ACCOUNT_LOCKED, ACCOUNT_PAUSED, FOR_AN_ACCOUNT
from sync_worker.core.ports.inbox import SITE_REMOVED, TOLD_BY_A_LOOK
from sync_worker.core.ports.site_sides import ACCOUNT_FAILING
from sync_worker.core.values import InboxState, Site, SiteState
from sync_worker.ledger.console.forgetting import forget_keys
from sync_worker.ledger.statements.inbox import OPEN, is_of_site, release_deliveries
from sync_worker.ledger.tables import inbox, site
from sync_worker.ledger.transactions import Transactions, ledger_now

AT_ONCE = 400  # in one transaction
SOON_SECONDS = 30.0  # what is due by then needs no hurry
# Held for nothing but the rest of the site or of its account.
RESTS = (
    SITE_REMOVED.reason,
    "site_paused",
    ACCOUNT_FAILING,
    ACCOUNT_LOCKED,
    ACCOUNT_PAUSED,
    *FOR_AN_ACCOUNT,
)

# As their indexes have it.
ENDED_WITH_SITE = text("inbox.state = 'done' AND inbox.reason = 'site_removed'")
HELD = text("inbox.state = 'held'")
RIPE = text("inbox.state IN ('new', 'taken') AND inbox.reason <> 'rate_limited'")
WAITS_FOR_BUDGET = text("inbox.state IN ('new', 'taken') AND inbox.reason = 'rate_limited'")
ENDED: dict[str, Any] = {
    "state": str(SITE_REMOVED.state),
    "reason": SITE_REMOVED.reason,
    "hold_key": None,
    "payload": {},
    "closed_at": ledger_now(),
}
# What only its own words tell is none of these.
TOLD_AGAIN = inbox.c.change.in_(sorted(TOLD_BY_A_LOOK)) & ~inbox.c.privacy


def end_for_removal(connection: Connection, inbox_ids: Sequence[int]) -> None:
    """End those of these open deliveries that a look at both sides would tell again."""
    _end(connection, inbox_ids, inbox.c.state.in_(OPEN))


def _end(connection: Connection, inbox_ids: Sequence[int], which: Any) -> int:
    """Without content, and without what people find them by; how many."""
    is_one = inbox.c.id.in_(inbox_ids) & TOLD_AGAIN & which
    ended = connection.execute(update(inbox).where(is_one).values(ENDED).returning(inbox.c.id))
    ids = list(ended.scalars())
    forget_keys(connection, ids)
    return len(ids)


def end_some(transactions: Transactions, until: float) -> int:
    """What waits for sites without our app ends, not beyond a monotonic time; how many did.

    Held for its rest or that of its account, which may have been before the removal, or by an
    earlier version; and what was to be tried again much later is due now.
    """
    is_waiting = HELD & inbox.c.reason.in_(RESTS) & TOLD_AGAIN
    # What a worker has in hand now is none of these.
    is_late = TOLD_AGAIN & (inbox.c.state == str(InboxState.NEW))
    is_late &= inbox.c.next_attempt_at > ledger_now() + SOON_SECONDS
    ended = 0
    for its in _is_of_removed():
        ended += _in_batches(transactions, its & is_waiting, _end, until)
        for is_open in (RIPE, WAITS_FOR_BUDGET):
            _in_batches(transactions, its & is_late & is_open, _let_be_due, until)
    return ended


def _in_batches(
    transactions: Transactions,
    which: Any,
    change: Callable[[Connection, Sequence[int], Any], int],
    until: float,
) -> int:
    """Change the deliveries that a condition finds, some in a transaction; how many there were."""
    found, changed = select(inbox.c.id).where(which).limit(AT_ONCE), 0
    while time.monotonic() < until:
        with transactions.read() as connection:
            ids = connection.execute(found).scalars().all()
        # Nearly always: nothing is locked then.
        if not ids:
            break
        with transactions.write() as connection:
            changed += change(connection, ids, which)
        if len(ids) < AT_ONCE:
            break
    return changed


def _let_be_due(connection: Connection, inbox_ids: Sequence[int], which: Any) -> int:
    due = update(inbox).where(inbox.c.id.in_(inbox_ids), which)
    return connection.execute(due.values(next_attempt_at=ledger_now())).rowcount


def _is_of_removed() -> tuple[Any, Any]:
    """The deliveries of such sites, from Wix and from outside."""
    is_removed = site.c.state == str(SiteState.REMOVED)
    of_wix = inbox.c.source.in_(select(site.c.instance_id).where(is_removed))
    return of_wix, inbox.c.source.in_(select(site.c.external_source).where(is_removed))


def has_ended_with(of: Site) -> Any:
    """Deliveries of a site that ended as its app was removed."""
    # Not what told of the removal itself.
    return is_of_site(of) & ENDED_WITH_SITE & inbox.c.change.in_(sorted(TOLD_BY_A_LOOK))


def begin_anew(transactions: Transactions, of: Site) -> list[int]:
    """What ended with a site goes back to work, as hints; the deliveries' ids."""
    with transactions.write() as connection:
        return release_deliveries(connection, has_ended_with(of))


def come_back(connection: Connection, site_id: int) -> dict[str, Any]:
    """The columns of a site that may have been removed, and works again.

    A run that was open goes on: it may be the first comparison, to which a person said yes. It
    began before, so another one follows.
    """
    is_back = (site.c.id == site_id) & (site.c.state == str(SiteState.REMOVED))
    if connection.execute(select(site.c.id).where(is_back)).first() is None:
        return {}
    return {"sweep_since": ledger_now()}


def sweep_again(connection: Connection, which: Any) -> None:
    """A sweep of these sites is due: for a while nobody told what happened."""
    connection.execute(update(site).where(which).values(sweep_since=ledger_now()))
