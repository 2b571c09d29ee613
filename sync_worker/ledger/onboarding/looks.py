"""When both catalogues of a site were read, and which names were looked for in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, exists, or_, select, union

from sync_worker.core.values import InboxState, Side, Site, SiteState
from sync_worker.ledger.onboarding.tables import catalogue_asked, catalogue_look, catalogue_part
from sync_worker.ledger.rows import fitting
from sync_worker.ledger.statements.inbox import is_of_site
from sync_worker.ledger.tables import inbox, site
from sync_worker.ledger.transactions import Transactions, insert_into, ledger_now

UNKNOWN = "unknown_entity"
ASKED_SECONDS = 86_400.0  # then a catalogue may have it
PAUSE_SECONDS = 600.0  # between two looks that nobody asked for
GO_ON_SECONDS = 60.0  # then a look goes on that was too short for a long catalogue
KEYS_AT_ONCE = 1_000
AT_WORK = (str(SiteState.ACTIVE), str(SiteState.RECOVERY))


@dataclass(frozen=True, slots=True)
class CatalogueLook:
    """The last look. ``failed``: why nothing was read; ``counts``: by side, and of pairs."""

    seconds_ago: float
    failed: str
    counts: Mapping[str, int]


class SqlCatalogueLooks:
    """Looks at catalogues, for all processes."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def due_sites(self, limit: int) -> list[int]:
        """Sites where something new is unknown, and nobody has looked for ten minutes."""
        # Each side for itself: a database joins by one equality, and not by one of two.
        names = {Side.WIX: site.c.instance_id, Side.EXTERNAL: site.c.external_source}
        found = union(*(_due_on(side, source) for side, source in names.items())).subquery()
        oldest = select(found.c.id).order_by(found.c.looked_at, found.c.id).limit(limit)
        with self._transactions.read() as connection:
            return list(connection.execute(oldest).scalars())

    def claim(self, site_id: int, pause_seconds: float = PAUSE_SECONDS) -> bool:
        """Note the beginning of a look, unless one began within the pause."""
        with self._transactions.write() as connection:
            new = insert_into(connection, catalogue_look).values(
                site_id=site_id, looked_at=ledger_now(), failed="", counts={}
            )
            claimed = new.on_conflict_do_update(
                index_elements=["site_id"],
                set_={"looked_at": ledger_now()},
                where=_has_rested(site_id, pause_seconds),
            ).returning(catalogue_look.c.site_id)
            return connection.execute(claimed).first() is not None

    def note(self, site_id: int, counts: Mapping[str, int], failed: str = "") -> None:
        """What the look has brought."""
        values: dict[str, Any] = {
            "looked_at": ledger_now(),
            "counts": dict(counts),
            "failed": fitting(failed, catalogue_look.c.failed),
        }
        with self._transactions.write() as connection:
            new = insert_into(connection, catalogue_look).values(site_id=site_id, **values)
            connection.execute(new.on_conflict_do_update(index_elements=["site_id"], set_=values))

    def last(self, site_id: int) -> CatalogueLook | None:
        ago = (ledger_now() - catalogue_look.c.looked_at).label("ago")
        found = select(catalogue_look, ago).where(catalogue_look.c.site_id == site_id)
        with self._transactions.read() as connection:
            row = connection.execute(found).first()
        if row is None:
            return None
        return CatalogueLook(float(row.ago), row.failed, row.counts)

    def waiting_keys(self, of: Site) -> list[str]:
        """Names that deliveries wait for and nobody has looked for since; so many at a time."""
        found = (
            select(inbox.c.hold_key)
            .distinct()
            .where(_is_unknown(), is_of_site(of), ~_is_asked(of.id))
            .limit(KEYS_AT_ONCE)
        )
        with self._transactions.read() as connection:
            return list(connection.execute(found).scalars())

    def note_asked(self, site_id: int, keys: Sequence[str]) -> None:
        """No catalogue has a certain twin for these. What nothing waits for is forgotten."""
        if not keys:
            return
        waits = exists().where(_is_unknown(), inbox.c.hold_key == catalogue_asked.c.hold_key)
        old = catalogue_asked.c.asked_at < ledger_now() - ASKED_SECONDS
        old &= (catalogue_asked.c.site_id == site_id) & ~waits
        rows = [{"site_id": site_id, "hold_key": key, "asked_at": ledger_now()} for key in keys]
        with self._transactions.write() as connection:
            connection.execute(delete(catalogue_asked).where(old))
            for row in rows:
                new = insert_into(connection, catalogue_asked).values(row)
                again = {"asked_at": ledger_now()}
                connection.execute(
                    new.on_conflict_do_update(index_elements=["site_id", "hold_key"], set_=again)
                )


def _due_on(side: Side, source: Any) -> Any:
    """Sites at work for which something waits on a side, and that have rested."""
    is_theirs = (inbox.c.side == str(side)) & (inbox.c.source == source)
    return (
        select(site.c.id, catalogue_look.c.looked_at)
        .select_from(inbox)
        .join(site, is_theirs)
        .outerjoin(catalogue_look, catalogue_look.c.site_id == site.c.id)
        .where(
            _is_unknown(),
            site.c.state.in_(AT_WORK),
            site.c.external_source.is_not(None),
            or_(catalogue_look.c.looked_at.is_(None), _has_rested(site.c.id, PAUSE_SECONDS)),
            ~_is_asked(site.c.id),
        )
    )


def _has_rested(site_id: Any, pause_seconds: float) -> Any:
    """Whether a look at a site may begin, or go on."""
    is_part_read = exists().where(catalogue_part.c.site_id == site_id)
    ended_at = catalogue_look.c.looked_at
    goes_on = ended_at <= ledger_now() - min(GO_ON_SECONDS, pause_seconds)
    return or_(ended_at <= ledger_now() - pause_seconds, is_part_read & goes_on)


def is_asked(connection: Connection, site_id: int, hold_key: str) -> bool:
    """Whether this name was looked for within a day, without a certain twin."""
    found = select(1).where(
        catalogue_asked.c.site_id == site_id,
        catalogue_asked.c.hold_key == hold_key,
        catalogue_asked.c.asked_at > ledger_now() - ASKED_SECONDS,
    )
    return connection.execute(found).first() is not None


def _is_unknown() -> Any:
    return (
        (inbox.c.state == str(InboxState.HELD))
        & (inbox.c.reason == UNKNOWN)
        & inbox.c.hold_key.is_not(None)
    )


def _is_asked(site_id: Any) -> Any:
    """Whether its name was looked for since the delivery came."""
    return exists().where(
        catalogue_asked.c.site_id == site_id,
        catalogue_asked.c.hold_key == inbox.c.hold_key,
        catalogue_asked.c.asked_at >= inbox.c.received_at,
    )
