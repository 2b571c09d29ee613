"""Deliveries: table ``inbox``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, case, func, literal, select, update

from sync_worker.core.hold_reasons import STANDS_BY, UNTIL_DELETED
from sync_worker.core.ports.inbox import CROWD, GATHERED, RATE_LIMITED, TRACK_AFTER, Closing
from sync_worker.core.values import (
    Change,
    Delivery,
    HistoryKind,
    InboxState,
    LinkState,
    NewDelivery,
    Side,
    Site,
)
from sync_worker.ledger.console.forgetting import forget_keys
from sync_worker.ledger.rows import fitting
from sync_worker.ledger.sql_text import SKIP_LOCKED, Answer, SqlText, columns_of
from sync_worker.ledger.tables import history, inbox, link
from sync_worker.ledger.transactions import ledger_now

OPEN = (str(InboxState.NEW), str(InboxState.TAKEN))
UNENDED = (*OPEN, str(InboxState.HELD))
ENDED = (str(InboxState.DONE), str(InboxState.SUPPRESSED), str(InboxState.SUPERSEDED))
DOORBELL_SECONDS = 5.0  # a stored delivery is the doorbell's; after that the sweeper rings
TAKEN_SECONDS = 20.0  # after that the sweeper takes a dead worker's deliveries up: well within 30 s
SWEPT_SECONDS = 10.0  # a delivery that the sweeper rang for is left alone this long
MAX_GATHERED = 1000  # in one transaction
MAX_REASON = 128  # characters, as the column holds them


def words(some: Iterable[str]) -> str:
    """Constants for ``IN (...)`` in a text."""
    return ", ".join(f"'{word}'" for word in sorted(some))


STORE = SqlText(f"""
-- inbox.store: both unique indexes absorb a duplicate without an error, and then there is no row
INSERT INTO inbox (side, source, dedupe_id, change, remote_id, payload, revision, sequence,
  is_restore, is_ours, privacy, event_time, state, reason, must_read, attempts, unended,
  received_at, next_attempt_at)
VALUES (:side, :source, :dedupe_id, :change, :remote_id, :payload, :revision, :sequence,
  :is_restore, :is_ours, :privacy, :event_time, 'new', '', false, 0, 0,
  ledger_now(), ledger_now() + {DOORBELL_SECONDS})
ON CONFLICT DO NOTHING RETURNING id
""")


def _waiting_edit(name: str) -> str:
    """What ``Delivery.is_edit`` says, of a row that no run has taken."""
    return f"""{name}.state = 'new' AND {name}.change = '{Change.UPSERT}'
  AND {name}.dedupe_id IS NOT NULL
  AND NOT ({name}.privacy OR {name}.is_restore OR {name}.must_read)"""


OPEN_DELIVERY = SqlText(f"""
-- inbox.open_delivery: with its age, whether its holder died (the lease was never released), and
-- what waits or is held beside it
SELECT {columns_of(inbox)}, ledger_now() - inbox.received_at AS age,
  inbox.state = 'taken' AND EXISTS (SELECT 1 FROM link WHERE link.id = inbox.link_id
    AND link.lease_until > 0 AND link.lease_until <= ledger_now()) AS is_left,
  EXISTS (SELECT 1 FROM inbox AS beside WHERE beside.side = inbox.side
    AND beside.source = inbox.source AND beside.remote_id = inbox.remote_id
    AND beside.state = 'held') AS is_beside_held,
  {_waiting_edit("inbox")} AND EXISTS (SELECT 1 FROM inbox AS beside WHERE beside.side = inbox.side
    AND beside.source = inbox.source AND beside.remote_id = inbox.remote_id
    AND beside.id <> inbox.id AND {_waiting_edit("beside")}
    LIMIT 1 OFFSET {CROWD - 1}) AS is_crowded
FROM inbox WHERE inbox.id = :inbox_id AND inbox.state IN ({words(OPEN)})
""")

HELD_BESIDE = SqlText("""
-- inbox.held_beside: what is held of the same record without a key gets that of this delivery
UPDATE inbox SET site_id = :site_id, link_id = :link_id
WHERE state = 'held' AND link_id IS NULL AND id <> :inbox_id
  AND side = (SELECT side FROM inbox WHERE id = :inbox_id)
  AND source = (SELECT source FROM inbox WHERE id = :inbox_id)
  AND remote_id = (SELECT remote_id FROM inbox WHERE id = :inbox_id)
""")

WAITING_EDITS = SqlText(f"""
-- inbox.waiting_edits: those of one record, the newest first; what is locked is another worker's
-- Nothing but its own delivery asks again what became of a write of unknown outcome.
SELECT id FROM inbox
WHERE side = :side AND source = :source AND remote_id = :remote_id AND {_waiting_edit("inbox")}
  AND NOT EXISTS (SELECT 1 FROM intent WHERE link_id = inbox.link_id AND state = 'open')
ORDER BY coalesce(revision, sequence, 0) DESC, id DESC LIMIT {MAX_GATHERED} {SKIP_LOCKED}
""")

END_GATHERED = SqlText("""
-- inbox.end_gathered: without content, which no erasure would find where the look finds no link
UPDATE inbox SET state = 'superseded', reason = :reason, hold_key = NULL, payload = '{}',
  closed_at = ledger_now()
WHERE id = ANY(:inbox_ids::bigint[])
""")

KEEP_TO_LOOK = SqlText(f"""
-- inbox.keep_to_look: what it tells is a hint from now on
UPDATE inbox SET must_read = true WHERE id = :inbox_id RETURNING {columns_of(inbox)}
""")

_STAYS_HELD = f"state = 'held' AND reason IN ({words(STANDS_BY)})"
# What was held is looked at afresh; what only a person releases is seen, and stays as it is.
TAKEN = f"""state = CASE WHEN {_STAYS_HELD} THEN 'held' ELSE 'taken' END,
  must_read = must_read OR state = 'held',
  closed_at = CASE WHEN {_STAYS_HELD} THEN closed_at END,
  next_attempt_at = CASE WHEN unended > {TRACK_AFTER} THEN next_attempt_at
    ELSE ledger_now() + {TAKEN_SECONDS} END"""
CAN_BE_TAKEN = f"state IN ({words(UNENDED)})"

TAKE = SqlText(f"""
-- inbox.take: a link's deliveries; one that workers died over keeps its later next attempt
UPDATE inbox SET {TAKEN}
WHERE {CAN_BE_TAKEN} AND link_id = :link_id RETURNING {columns_of(inbox)}
""")

ATTACH_AND_TAKE = SqlText(f"""
-- inbox.attach_and_take: one delivery, and with it those of its link
UPDATE inbox SET {TAKEN}, site_id = :site_id, link_id = :link_id
WHERE {CAN_BE_TAKEN} AND (id = :inbox_id OR link_id = :link_id) RETURNING {columns_of(inbox)}
""")

ATTACH = SqlText("""
-- inbox.attach: another run has the lease of the link; it looks for this delivery as it ends
UPDATE inbox SET site_id = :site_id, link_id = :link_id WHERE id = :inbox_id
""")

FRESH = SqlText("""
-- inbox.fresh: after the lease has ended: an older delivery shows, a newer one gets the lease
SELECT id FROM inbox WHERE link_id = :link_id AND state = 'new'
  AND NOT (reason <> '' AND next_attempt_at > ledger_now())
ORDER BY id
""")


def _close_text(states: Sequence[str]) -> SqlText:
    return SqlText(f"""
-- inbox.close: rows in other states stay as they are
UPDATE inbox SET state = :state, reason = :reason, hold_key = :hold_key, closed_at = ledger_now()
WHERE id = ANY(:inbox_ids::bigint[]) AND state IN ({words(states)})
""")


CLOSE_OPEN = _close_text(OPEN)
CLOSE_UNENDED = _close_text(UNENDED)
CLOSE_HELD = _close_text([InboxState.HELD])


def close_rows(
    connection: Connection,
    inbox_ids: Sequence[int],
    closing: Closing,
    *,
    hold_key: str | None = None,
    text: SqlText = CLOSE_OPEN,
) -> Answer:
    """End deliveries; ``text`` says those of which states."""
    reason = closing.reason
    # Nearly all are words of ours.
    if len(reason) > MAX_REASON or not reason.isprintable():
        reason = fitting(reason, inbox.c.reason)
    return text.ask(
        connection,
        inbox_ids=list(inbox_ids),
        state=str(closing.state),
        reason=reason,
        hold_key=hold_key,
    )


def gather(connection: Connection, new: NewDelivery) -> Any:
    """Keep the newest edit of a record that waits, to look, and end the others with it.

    Its row; ``None`` if other workers have them all.
    """
    about = {"side": str(new.side), "source": new.source, "remote_id": new.remote_id}
    waiting = [row.id for row in WAITING_EDITS.all(connection, **about)]
    if not waiting:
        return None
    kept = waiting.pop(0)
    END_GATHERED.run(connection, inbox_ids=waiting, reason=f"{GATHERED}{kept}")
    forget_keys(connection, waiting)
    return KEEP_TO_LOOK.first(connection, inbox_id=kept)


def note_end_of_look(connection: Connection, delivery: Delivery, *, is_busy: bool) -> None:
    """A worker that looked at a delivery lives."""
    is_noted = inbox.c.state.in_(OPEN) & (inbox.c.unended > TRACK_AFTER)
    ended: dict[str, Any] = {"unended": 0, "next_attempt_at": ledger_now() + SWEPT_SECONDS}
    # Another run has the link. This look tells nothing of the delivery, so its signs stay.
    if is_busy:
        ended["unended"] = delivery.suspected_crashes
        ended["attempts"] = delivery.attempts
    connection.execute(update(inbox).where((inbox.c.id == delivery.id) & is_noted).values(ended))


def let_wait(connection: Connection, inbox_id: int, seconds: float) -> None:
    """A delivery that nobody has in hand comes again later; nothing else of it changes."""
    is_free = (inbox.c.id == inbox_id) & (inbox.c.state == str(InboxState.NEW))
    later = {"reason": RATE_LIMITED, "next_attempt_at": ledger_now() + seconds}
    connection.execute(update(inbox).where(is_free).values(later))


def twin_of(new: NewDelivery) -> Any:
    """The id of the row that absorbs a delivery."""
    same = select(inbox.c.id).where(inbox.c.side == str(new.side), inbox.c.source == new.source)
    if new.dedupe_id is not None:
        return same.where(inbox.c.dedupe_id == new.dedupe_id)
    # A thin sender gives no id: only a row that no run has taken yet serves for both.
    is_about_it = (inbox.c.remote_id == new.remote_id) & (inbox.c.change == str(new.change))
    return same.where(inbox.c.dedupe_id.is_(None), inbox.c.state == "new", is_about_it)


def absorb(connection: Connection, new: NewDelivery) -> int | None:
    """The row that serves for a delivery, too; ``None`` if a run has taken it just now."""
    found = twin_of(new)
    if new.dedupe_id is not None:
        known: int | None = connection.execute(found).scalar()
        return known
    told = {"revision": new.revision, "sequence": new.sequence, "payload": dict(new.payload)}
    row = connection.execute(found.add_columns(*(inbox.c[name] for name in told))).first()
    if row is None or tuple(row)[1:] == tuple(told.values()):
        return None if row is None else int(row.id)
    # Only a look serves for both; if the record is gone by then, the later edit is what is told.
    later = {name: literal(its, inbox.c[name].type) for name, its in told.items()}
    is_later = inbox.c.revision < later["revision"]
    kept = {name: case((is_later, its), else_=inbox.c[name]) for name, its in later.items()}
    is_free = (inbox.c.id == row.id) & (inbox.c.state == str(InboxState.NEW))
    marked = connection.execute(update(inbox).where(is_free).values(must_read=True, **kept))
    return int(row.id) if marked.rowcount else None


def is_untouched(delivery: Delivery) -> bool:
    """From a door, and no look at it has left a trace yet."""
    is_fresh = (
        delivery.state is InboxState.NEW and not delivery.must_read and delivery.link_id is None
    )
    return is_fresh and not delivery.attempts and not delivery.reason


def is_from(site: Site, side: Side) -> Any:
    """Deliveries of a site from one side."""
    source = site.instance_id if side is Side.WIX else site.external_source
    return (inbox.c.side == str(side)) & (inbox.c.source == source)


def is_of_site(site: Site) -> Any:
    """Deliveries of a site from either side."""
    return is_from(site, Side.WIX) | is_from(site, Side.EXTERNAL)


def is_about(site: Site, side: Side, remote_id: str) -> Any:
    """Deliveries that tell of one record."""
    return is_from(site, side) & (inbox.c.remote_id == remote_id)


def first_of(connection: Connection, site: Site, side: Side, remote_id: str, revision: int) -> Any:
    """The row of the first delivery of exactly this revision that still has its content."""
    is_it = is_about(site, side, remote_id) & (inbox.c.revision == revision)
    is_it &= ~inbox.c.reason.startswith(GATHERED)
    return connection.execute(select(inbox).where(is_it).order_by(inbox.c.id).limit(1)).first()


def among(inbox_ids: Sequence[int], which: Any) -> Any:
    """Those of these that a condition is true of; no index but that of the ids is of use for it.

    Where many rows have changed since PostgreSQL counted them, it would read all of these for each
    batch.
    """
    return inbox.c.id.in_(inbox_ids) & case((which, True), else_=False)


def count_open(connection: Connection) -> int:
    counted = select(func.count()).select_from(inbox).where(inbox.c.state.in_(OPEN))
    return int(connection.execute(counted).scalar_one())


def release_rows(connection: Connection, which: Any) -> list[int]:
    """A person lets these go: to be looked at afresh, and a held link of theirs is live again."""
    # The links first: once the deliveries are released, the condition no longer finds them.
    links = select(inbox.c.link_id).where(which, inbox.c.link_id.is_not(None))
    is_held = link.c.id.in_(links) & (link.c.state == str(LinkState.HELD))
    connection.execute(update(link).where(is_held).values(state=str(LinkState.LIVE), writes=[]))
    return release_deliveries(connection, which)


def release_deliveries(connection: Connection, which: Any) -> list[int]:
    """Back to work, to be looked at afresh; a link that a person has to release stays held."""
    released = update(inbox).where(which).values(**released_values()).returning(inbox.c.id)
    return sorted(connection.execute(released).scalars())


def put_back_rows(connection: Connection, inbox_ids: Sequence[int]) -> None:
    """Hold again, as before, what a run took up to look again."""
    is_taken = inbox.c.id.in_(inbox_ids) & (inbox.c.state == str(InboxState.TAKEN))
    held = {"state": str(InboxState.HELD), "closed_at": ledger_now()}
    connection.execute(update(inbox).where(is_taken).values(held))


def release_beside(connection: Connection, delivery: Delivery) -> list[int]:
    """Release what is held of the same record, but for what only a person releases.

    Some of that waits for nothing any more once its record is deleted.
    """
    new = delivery.new
    stands_by = STANDS_BY
    if new.change == Change.DELETE:
        stands_by -= UNTIL_DELETED
    is_same = (inbox.c.side == str(new.side)) & (inbox.c.source == new.source)
    is_same &= (inbox.c.remote_id == new.remote_id) & (inbox.c.id != delivery.id)
    is_held = (inbox.c.state == str(InboxState.HELD)) & inbox.c.reason.not_in(stands_by)
    return release_deliveries(connection, is_same & is_held)


def was_released(connection: Connection, delivery: Delivery, reason: str) -> bool:
    """Whether a person has let go a delivery that was held for a reason."""
    is_release = (
        (history.c.link_id == delivery.link_id)
        & (history.c.inbox_id == delivery.id)
        & (history.c.what == str(HistoryKind.REPLAY))
        & history.c.reason.startswith(f"{reason}, by ", autoescape=True)
    )
    found = select(history.c.id).where(is_release).limit(1)
    return connection.execute(found).first() is not None


def state_of_waiting(thin: Any) -> Any:
    """To be taken up later; ``thin``: without an id it cannot be new beside a twin that came."""
    return case((inbox.c.dedupe_id.is_not(None), literal(str(InboxState.NEW))), else_=thin)


def released_values() -> dict[str, Any]:
    """What a delivery's columns hold when it begins anew."""
    return {
        "state": state_of_waiting(literal(str(InboxState.TAKEN))),
        "must_read": True,
        "attempts": 0,
        "unended": 0,
        "reason": "",
        "hold_key": None,
        "closed_at": None,
        "received_at": ledger_now(),
        "next_attempt_at": ledger_now(),
    }
