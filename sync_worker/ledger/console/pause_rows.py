"""Why a site rests, until when, and what it goes back to: table ``site_pause``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Float, ForeignKey, String, Table, delete, select

from sync_worker.core.values import SiteState
from sync_worker.ledger.rows import fitting
from sync_worker.ledger.tables import RowId, metadata
from sync_worker.ledger.transactions import insert_into, ledger_now

# One row for each site that a person has paused; it goes as the site goes on.
site_pause = Table(
    "site_pause",
    metadata,
    Column("site_id", RowId, ForeignKey("site.id"), primary_key=True, autoincrement=False),
    Column("paused_at", Float, nullable=False),
    Column("until", Float, index=True),  # NULL: until a person resumes it
    Column("why", String(256), nullable=False, default="", server_default=""),
    Column("actor", String(128), nullable=False),
    Column("state_before", String(16), nullable=False),  # active | recovery
)


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that a person began; times in seconds since 1970.

    ``until``: when the site goes on by itself; ``None``: when a person resumes it.
    ``state_before``: what it goes back to.
    """

    paused_at: float
    until: float | None
    why: str
    actor: str
    state_before: SiteState


def put_pause(
    connection: Connection,
    site_id: int,
    was: SiteState,
    until: float | None,
    why: str,
    actor: str,
) -> None:
    """Note why a site rests and until when; of one that rests already what it goes back to stays.

    ``was``: its state before.
    """
    said = {
        "until": until,
        "why": fitting(why, site_pause.c.why),
        "actor": fitting(actor, site_pause.c.actor),
    }
    back_to = SiteState.RECOVERY if was is SiteState.RECOVERY else SiteState.ACTIVE
    new = insert_into(connection, site_pause).values(
        site_id=site_id, paused_at=ledger_now(), state_before=str(back_to), **said
    )
    connection.execute(new.on_conflict_do_update(index_elements=["site_id"], set_=said))


def forget_pause(connection: Connection, site_id: int) -> None:
    connection.execute(delete(site_pause).where(site_pause.c.site_id == site_id))


def read_pauses(connection: Connection, site_ids: Iterable[int]) -> dict[int, Pause]:
    """The pauses of some sites, by number."""
    found = select(site_pause).where(site_pause.c.site_id.in_(list(site_ids)))
    return {row.site_id: to_pause(row) for row in connection.execute(found)}


def to_pause(row: Any) -> Pause:
    return Pause(row.paused_at, row.until, row.why, row.actor, SiteState.kept(row.state_before))
