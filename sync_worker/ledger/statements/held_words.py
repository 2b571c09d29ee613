"""Holding deliveries: of a record whose key nobody knows the newest word is held for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select, update

from sync_worker.core.hold_reasons import KEYLESS
from sync_worker.core.ports.inbox import GATHERED, SITE_REMOVED, Closing
from sync_worker.core.values import Change, InboxState
from sync_worker.ledger.accounts.removal import end_for_removal
from sync_worker.ledger.console.forgetting import forget_keys
from sync_worker.ledger.statements.inbox import (
    CLOSE_HELD,
    END_GATHERED,
    OPEN,
    UNENDED,
    close_rows,
)
from sync_worker.ledger.tables import inbox


def hold_rows(
    connection: Connection, inbox_ids: Sequence[int], held: Closing, hold_key: str | None
) -> None:
    """Hold open deliveries; of a record without a key one row stands for all that told of it.

    For a site that has removed the app only what no look would tell again.
    """
    if held.reason == SITE_REMOVED.reason:
        end_for_removal(connection, inbox_ids)
    if held.reason not in KEYLESS:
        close_rows(connection, inbox_ids, held, hold_key=hold_key)
        return
    for inbox_id in inbox_ids:
        # Before the hold: of two workers that hold words of one record the later sees both.
        words = _lock_words(connection, inbox_id)
        close_rows(connection, [inbox_id], held, hold_key=hold_key)
        _stand_as_one(connection, inbox_id, words, (held.reason, hold_key))


def keep_newest(connection: Connection, held: Closing, hold_key: str, count: int) -> None:
    """Of what is held for one reason and key no more than so many."""
    is_same = (inbox.c.state == str(held.state)) & (inbox.c.hold_key == hold_key)
    newest_first = select(inbox.c.id).where(is_same).order_by(inbox.c.id.desc())
    too_many = connection.execute(newest_first.offset(count)).scalars().all()
    dropped = Closing(InboxState.DONE, f"{held.reason}_dropped")
    close_rows(connection, too_many, dropped, text=CLOSE_HELD)


def forget_content(connection: Connection, inbox_ids: Sequence[int]) -> None:
    """Deliveries are as they were, without what they told: a look at the record tells it anew."""
    emptied = {"payload": dict[str, Any](), "must_read": True}
    connection.execute(update(inbox).where(inbox.c.id.in_(inbox_ids)).values(emptied))
    forget_keys(connection, inbox_ids)


def _lock_words(connection: Connection, inbox_id: int) -> list[Any]:
    """What tells of its record and is at no end, the newest last; no deletes, no requests."""
    its = inbox.alias("its")
    age = func.coalesce(inbox.c.revision, inbox.c.sequence, 0).label("age")
    columns = (inbox.c.id, inbox.c.state, inbox.c.reason, inbox.c.hold_key, age)
    is_same = (inbox.c.side == its.c.side) & (inbox.c.source == its.c.source)
    is_same &= (inbox.c.remote_id == its.c.remote_id) & (its.c.id == inbox_id)
    is_word = (inbox.c.change == str(Change.UPSERT)) & ~inbox.c.privacy
    is_word &= inbox.c.link_id.is_(None) & inbox.c.state.in_(UNENDED)
    words = select(*columns).join(its, is_same).where(is_word).order_by(inbox.c.id)
    found = connection.execute(words.with_for_update(of=inbox)).all()
    return sorted(found, key=lambda row: (row.age, row.id))


def _stand_as_one(
    connection: Connection,
    inbox_id: int,
    words: Sequence[Any],
    waits_for: tuple[str, str | None],
) -> None:
    """The newest word takes the place of the others; a late one joins what waits for the same."""
    held = [row for row in words if _is_held(row)]
    standing = [row for row in words if row.id == inbox_id or row in held]
    # a delete, a privacy request, one that is known to belong to a link, or one that another worker
    # has ended or held meanwhile: as it stands, it stands for itself
    if inbox_id not in [row.id for row in words if row.state in OPEN]:
        return
    newest = standing[-1]
    if newest.id == inbox_id:
        _gather_into(connection, inbox_id, [row.id for row in held])
    elif (newest.reason, newest.hold_key) == waits_for:
        _gather_into(connection, newest.id, [inbox_id])


def _is_held(row: Any) -> bool:
    return row.state == str(InboxState.HELD) and row.reason in KEYLESS


def _gather_into(connection: Connection, kept: int, others: Sequence[int]) -> None:
    """End others with it, and name it to those that had ended with them: an erasure takes all."""
    if not others:
        return
    END_GATHERED.run(connection, inbox_ids=list(others), reason=f"{GATHERED}{kept}")
    forget_keys(connection, others)
    its = select(inbox.c.side, inbox.c.source, inbox.c.remote_id).where(inbox.c.id == kept)
    record = connection.execute(its).one()
    is_same = (inbox.c.side == record.side) & (inbox.c.source == record.source)
    is_same &= inbox.c.remote_id == record.remote_id
    ended_with_them = inbox.c.reason.in_([f"{GATHERED}{other}" for other in others])
    renamed = update(inbox).where(is_same, ended_with_them).values(reason=f"{GATHERED}{kept}")
    connection.execute(renamed)
