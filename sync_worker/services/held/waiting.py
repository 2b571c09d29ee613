"""What is on its way: by remote and why, with the next try; and *try now*."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sync_worker.core.ports.inbox import CREATE_ACCEPTED, RATE_LIMITED
from sync_worker.core.said import said
from sync_worker.core.values import Site
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.administration.held import WaitingDelivery
from sync_worker.ledger.console.waiting_pages import AT_ONCE, SqlWaitingPages, WaitingRow
from sync_worker.services.access.who import Right, Who
from sync_worker.services.held.items import site_words

MAX_GROUPS = 50
SENTENCES = {
    RATE_LIMITED: said("waits for its turn: only so many requests a minute are allowed"),
    CREATE_ACCEPTED: said("was accepted, and has not shown up on the other side yet"),
}


@dataclass(frozen=True, slots=True)
class WaitingGroup:
    """What waits for one remote of one source, for one reason.

    ``key``: names the group in an address. ``is_more``: more wait than were counted.
    """

    key: str
    remote: str
    said: str
    source: str
    site_id: int | None
    site: str
    count: int
    oldest_at: datetime
    next_try_seconds: float
    attempts: int


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """What waits for a try. ``is_more``: the counts are of the next 2,000 tries.

    ``further``: so many groups are there beside these, none of them larger.
    """

    groups: Sequence[WaitingGroup]
    is_more: bool
    further: int = 0


class WaitingService:
    """Every method raises Forbidden for what is not theirs, and Transient."""

    def __init__(self, admin: LedgerAdmin) -> None:
        self._admin, self._pages = admin, SqlWaitingPages(admin.transactions)

    def on_its_way(
        self, who: Who, site: Site | None = None, most: int | None = MAX_GROUPS
    ) -> OnItsWay:
        """The largest group first, ``most`` of them; ``None``: all."""
        site = self._scoped(who, site, Right.LOOK)
        rows = self._pages.rows(site, AT_ONCE + 1)
        by_key: dict[str, list[WaitingRow]] = {}
        for row in rows[:AT_ONCE]:
            by_key.setdefault(key_of(row), []).append(row)
        largest = sorted(by_key.items(), key=lambda group: (-len(group[1]), group[0]))[:most]
        sites = self._pages.sites([some[0] for _, some in largest])
        groups = [
            _group(key, some, sites.get((some[0].side, some[0].source))) for key, some in largest
        ]
        return OnItsWay(groups, len(rows) > AT_ONCE, len(by_key) - len(groups))

    def listed(self, who: Who, limit: int) -> list[WaitingDelivery]:
        """As commands print them: the next one first."""
        who.check(Right.LOOK, None)
        return self._admin.held.waiting(limit)

    def try_now(self, who: Who, key: str, site: Site | None = None) -> list[int]:
        """Bring forward the tries of one group."""
        site = self._scoped(who, site, Right.RELEASE)
        rows = self._pages.rows(site)
        numbers = [row.number for row in rows if key_of(row) == key]
        return self._pages.try_now(numbers, site, who.name) if numbers else []

    def _scoped(self, who: Who, site: Site | None, right: Right) -> Site | None:
        site_id = site.id if site is not None else who.site_id
        who.check(right, site_id)
        if site is None and site_id is not None:
            return self._admin.site_pages.some([site_id])[0]
        return site


def key_of(row: WaitingRow) -> str:
    """Names the group of a row: the same as long as it waits for the same."""
    told = f"{row.side} {row.source} {row.reason}"
    return hashlib.sha256(told.encode(errors="surrogatepass")).hexdigest()[:16]


def _group(key: str, rows: Sequence[WaitingRow], site: Site | None) -> WaitingGroup:
    first = rows[0]
    remote, said = said_by(first, site)
    return WaitingGroup(
        key,
        remote,
        said,
        first.source,
        site.id if site is not None else None,
        site_words(site),
        len(rows),
        min(row.received_at for row in rows),
        min(row.next_try_seconds for row in rows),
        max(row.attempts for row in rows),
    )


def said_by(row: WaitingRow, site: Site | None) -> tuple[str, str]:
    """Which remote, and what it answered: as the engine has written it down."""
    if row.reason in SENTENCES:
        remote = site.connector if site is not None else row.source
        return remote, SENTENCES[row.reason]
    who, colon, message = row.reason.partition(": ")
    remote, _, answer = who.partition(" ")
    # Words of our own name no remote.
    if not colon or not remote.replace("-", "").replace("_", "").isalnum() or len(answer) > 20:
        return "", row.reason
    if not answer:
        return remote, message
    return remote, said("answers %(answer)s: %(message)s", answer=answer, message=message)
