"""Questions to the ledger: how it stands, what happened, what was heard of a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, case, func, or_, select, update

from sync_worker.core.values import InboxState, IntentState, Side
from sync_worker.ledger.accounts.site_sides import FailingAccount, failing_accounts
from sync_worker.ledger.administration.history_lines import HistoryLine, to_line
from sync_worker.ledger.ratings.history_search import ways_to_history
from sync_worker.ledger.statements.inbox import OPEN
from sync_worker.ledger.tables import history, inbox, intent, link, site
from sync_worker.ledger.transactions import Transactions, ledger_now

HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """Counts at one moment.

    ``oldest_open_seconds``: age of the oldest delivery that is not at its end. ``near_misses``:
    processed events that carry our identity, but that neither ledger nor intent knew.
    ``words``: how many ratings have a title or a text, and how many a reply of the owner.
    ``failing_accounts``: those that a remote refuses; a probe asks each every minute.
    """

    deliveries: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    links: Mapping[str, int] = field(default_factory=dict)
    open_intents: int = 0
    oldest_open_seconds: float | None = None
    writes_last_hour: int = 0
    near_misses: int = 0
    words: Mapping[str, int] = field(default_factory=dict)
    failing_accounts: Sequence[FailingAccount] = ()


class LedgerQuestions:
    """What people and the conformance suite ask."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def status(self) -> LedgerStatus:
        age = select(ledger_now() - func.min(inbox.c.received_at)).where(inbox.c.state.in_(OPEN))
        is_held = inbox.c.state == str(InboxState.HELD)
        is_recent = history.c.at > ledger_now() - HOUR_SECONDS
        is_processed = (inbox.c.state == str(InboxState.DONE)) & (
            inbox.c.reason.in_(("synced", "in_step"))
        )
        with self._transactions.read() as connection:
            return LedgerStatus(
                deliveries=_counts(connection, inbox.c.state),
                held=_counts(connection, inbox.c.reason, is_held),
                links=_counts(connection, link.c.state),
                open_intents=_count(connection, intent, intent.c.state == str(IntentState.OPEN)),
                oldest_open_seconds=connection.execute(age).scalar(),
                writes_last_hour=_count(
                    connection, history, is_recent & (history.c.intent_id != "")
                ),
                near_misses=_count(connection, inbox, inbox.c.is_ours & is_processed),
                words=_words(connection),
                failing_accounts=failing_accounts(connection),
            )

    def history(
        self, *, link_id: int | None = None, word: str | None = None, limit: int = 50
    ) -> list[HistoryLine]:
        """The newest lines, oldest first: of a link, of what a word names, or of all.

        A word is an id of either side or its first characters, an e-mail address, or the id of a
        person or product: the first of these that has a history.
        """
        ways: list[Any] = [history.c.id > 0] if word is None else list(ways_to_history(word))
        is_of_link = history.c.id > 0 if link_id is None else history.c.link_id == link_id
        with self._transactions.read() as connection:
            for way in ways:
                found = select(history).where(is_of_link, way)
                newest = found.order_by(history.c.id.desc()).limit(limit)
                if rows := connection.execute(newest).all():
                    return [to_line(row) for row in reversed(rows)]
        return []

    def held_by_site(self, reason: str) -> dict[int, list[int]]:
        """Ids of what is held for a reason, by the site of its sender; oldest first."""
        is_held = (inbox.c.state == str(InboxState.HELD)) & (inbox.c.reason == reason)
        is_of_site = or_(
            (inbox.c.side == str(Side.WIX)) & (inbox.c.source == site.c.instance_id),
            (inbox.c.side == str(Side.EXTERNAL)) & (inbox.c.source == site.c.external_source),
        )
        asked = select(site.c.id, inbox.c.id).where(is_held, is_of_site).order_by(inbox.c.id)
        by_site: dict[int, list[int]] = {}
        with self._transactions.read() as connection:
            for site_id, inbox_id in connection.execute(asked):
                by_site.setdefault(site_id, []).append(inbox_id)
        return by_site

    def now(self) -> float:
        """The database's time, in seconds since 1970."""
        with self._transactions.read() as connection:
            return float(connection.execute(select(ledger_now())).scalar_one())

    def heard(self, source: str, remote_ids: Sequence[str], since: float) -> list[str]:
        """The changes that external deliveries told of these ids, since a time of the database.

        Without ids: of any.
        """
        which = _is_external(source, since)
        if remote_ids:
            which &= inbox.c.remote_id.in_(remote_ids)
        changes = select(inbox.c.change).where(which).order_by(inbox.c.id)
        with self._transactions.read() as connection:
            return list(connection.execute(changes).scalars())

    def close_held(self, source: str, remote_ids: Sequence[str], since: float, reason: str) -> int:
        """End held external deliveries of these ids that came since a time; how many.

        What they speak of is over.
        """
        is_held = inbox.c.remote_id.in_(remote_ids) & (inbox.c.state == str(InboxState.HELD))
        ended: dict[str, Any] = {"state": str(InboxState.DONE), "reason": reason}
        ended["closed_at"] = ledger_now()
        closing = update(inbox).where(_is_external(source, since) & is_held).values(ended)
        with self._transactions.write() as connection:
            return int(connection.execute(closing).rowcount)


def _is_external(source: str, since: float) -> Any:
    is_from = (inbox.c.side == str(Side.EXTERNAL)) & (inbox.c.source == source)
    return is_from & (inbox.c.received_at >= since)


def _count(connection: Connection, table: Table, which: Any) -> int:
    counted = select(func.count()).select_from(table).where(which)
    return int(connection.execute(counted).scalar_one())


def _words(connection: Connection) -> dict[str, int]:
    """In one pass over the links."""
    columns = {
        "with words": (
            link.c.title_wix,
            link.c.title_external,
            link.c.body_wix,
            link.c.body_external,
        ),
        "with a reply": (link.c.reply_wix, link.c.reply_external),
    }
    counted = [
        func.count(case((or_(*(one != "" for one in of)), 1))).label(name)
        for name, of in columns.items()
    ]
    row = connection.execute(select(*counted)).mappings().one()
    return {name: int(number) for name, number in row.items() if number}


def _counts(connection: Connection, column: Any, which: Any = None) -> dict[str, int]:
    counted = select(column, func.count())
    if which is not None:
        counted = counted.where(which)
    rows = connection.execute(counted.group_by(column).order_by(column))
    return {str(name): int(number) for name, number in rows}
