"""The SQL ledger with windows to look through: what the simulator and the conformance suite need to
see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, Table, func, or_, select, true, update

from sync_worker.core.scale import FieldMap
from sync_worker.core.values import (
    AccountChange,
    AccountState,
    Contact,
    EntityRef,
    HistoryEntry,
    InboxState,
    NewAccount,
    Person,
    Policy,
    Record,
    Side,
    Site,
)
from sync_worker.ledger.accounts.store import SqlAccountStore
from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.ledger.deciding.decisions import SqlDecisions
from sync_worker.ledger.rows import to_history
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.sweeps import SqlSweeps
from sync_worker.ledger.tables import (
    contact_map,
    entity_map,
    history,
    inbox,
    intent,
    link,
    link_value,
    metadata,
)


@dataclass(frozen=True, slots=True)
class GivenAccounts:
    """The store of accounts, as a site's owner uses it; workers know of it at once."""

    store: SqlAccountStore
    cache: SiteCache

    def give(self, site_id: int, public_id: str, connector: str = "own-service") -> None:
        """Always the same shop."""
        shop, is_ready = f"shop-{site_id}", AccountState.ACTIVE
        new = NewAccount(public_id, site_id, connector, shop, {}, state=is_ready)
        self.store.add(new, "owner")
        self.cache.clear()

    def state_of(self, site_id: int) -> AccountState:
        account = self.store.of_site(site_id)
        return AccountState.REVOKED if account is None else account.state

    def change(self, site_id: int, state: AccountState) -> None:
        account = self.store.of_site(site_id)
        assert account is not None
        if state is AccountState.REVOKED:
            self.store.revoke(account.public_id, "owner")
        else:
            self.store.change(account.public_id, AccountChange(state=state), actor="owner")
        self.cache.clear()


class ObservedLedger:
    """The SQL ledger, plus the set-up and the questions that MemoryLedger offers."""

    def __init__(self, engine: Engine) -> None:
        ledger = sql_ledger(engine, site_cache_seconds=60.0)
        self.engine, self._transactions = engine, ledger.transactions
        self.transactions = ledger.transactions
        self.inbox, self.directory, self.links = ledger.inbox, ledger.directory, ledger.links
        self.merges, self.sites, self.site_sides = ledger.merges, ledger.sites, ledger.site_sides
        self.unlinked = ledger.unlinked
        self.sweeps = SqlSweeps(ledger.transactions, ledger.site_cache)
        self.decisions = SqlDecisions(ledger.transactions, ledger.site_cache)
        store = SqlAccountStore(ledger.transactions)
        self.accounts = GivenAccounts(store, ledger.site_cache)

    def add_site(
        self,
        instance_id: str,
        connector: str,
        policy: Policy | None = None,
        fields: tuple[FieldMap, ...] = (),
        account: str = "",
    ) -> Site:
        """``account``: the name of its account; by default the connector's implicit one."""
        policy = policy or Policy()
        changed = {name: getattr(policy, name) for name in Policy.CHOICES}
        implicit = "" if account else connector
        added, _ = ledger_admin(self.engine).sites.add(instance_id, implicit, fields, changed)
        if not account:
            return added
        self.accounts.give(added.id, account, connector)
        return self.site(added.id)

    def site(self, site_id: int) -> Site:
        return ledger_admin(self.engine).sites.find(str(site_id))

    def make_due(self, inbox_id: int) -> None:
        """As if its time had come; PostgreSQL's clock does not jump."""
        due = update(inbox).where(inbox.c.id == inbox_id).values(next_attempt_at=0.0)
        with self._transactions.write() as connection:
            connection.execute(due)

    def put_on_file_before(self, site_id: int, contact_id: str, form: str) -> None:
        """As an earlier version did, which folded all letters of an address."""
        self.directory.save_contact(site_id, Contact(contact_id, form))
        is_it = (contact_map.c.site_id == site_id) & (contact_map.c.email == form)
        with self._transactions.write() as connection:
            connection.execute(update(contact_map).where(is_it).values(rule=0))

    def everything(self, site_id: int | None = None) -> str:
        """All that is on file of a site, or of all, as text: to look for what must not be there."""
        asked = [
            select(table).where(self._is_of(table, site_id)) for table in metadata.sorted_tables
        ]
        with self._transactions.read() as connection:
            return str([connection.execute(one).all() for one in asked])

    def _is_of(self, table: Table, site_id: int | None) -> ColumnElement[bool]:
        if site_id is None:
            return true()
        if table is inbox:
            mine = [
                (inbox.c.side == side) & (inbox.c.source == self.source_of_site(site_id, side))
                for side in Side
            ]
            return or_(*mine)
        if "site_id" in table.c:
            return table.c.site_id == site_id
        if "link_id" in table.c:
            return table.c.link_id.in_(select(link.c.id).where(link.c.site_id == site_id))
        return true()

    def source_of(self, inbox_id: int) -> tuple[Side, str]:
        """Under which name a delivery arrived."""
        found = select(inbox.c.side, inbox.c.source).where(inbox.c.id == inbox_id)
        with self._transactions.read() as connection:
            row = connection.execute(found).one()
        return Side(row.side), row.source

    def source_of_site(self, site_id: int, side: Side) -> str:
        """Under which name deliveries of a site arrive now."""
        its = self.site(site_id)
        return its.instance_id if side is Side.WIX else its.external_source

    def open_count(self, site_id: int | None = None) -> int:
        return self._count(inbox, inbox.c.state.in_(("new", "taken")), site_id)

    def open_intents(self, site_id: int | None = None) -> int:
        return self._count(intent, intent.c.state == "open", site_id)

    def _count(self, table: Table, which: ColumnElement[bool], site_id: int | None) -> int:
        mine = which & self._is_of(table, site_id)
        counted = select(func.count()).select_from(table).where(mine)
        with self._transactions.read() as connection:
            return connection.execute(counted).scalar_one()

    def history_entries(self, site_id: int | None = None) -> list[HistoryEntry]:
        lines = select(history).where(self._is_of(history, site_id)).order_by(history.c.id)
        with self._transactions.read() as connection:
            return [to_history(row) for row in connection.execute(lines)]

    def closed_with(self, reason: str, site_id: int | None = None) -> list[tuple[str, int | None]]:
        closed = (inbox.c.reason == reason) & self._is_of(inbox, site_id)
        with self._transactions.read() as connection:
            rows = connection.execute(select(inbox.c.remote_id, inbox.c.revision).where(closed))
            return [(row.remote_id, row.revision) for row in rows]

    def records_on_file(self) -> list[tuple[Side, str]]:
        with self._transactions.read() as connection:
            wix = connection.execute(
                select(link_value.c.wix_id).where(link_value.c.wix_id.is_not(None))
            ).scalars()
            external = connection.execute(
                select(link.c.external_id).where(link.c.external_id.is_not(None))
            ).scalars()
            return [(Side.WIX, one) for one in wix] + [(Side.EXTERNAL, one) for one in external]

    def is_held(self, site_id: int, wix: EntityRef, person: Person) -> bool:
        held = (
            select(inbox.c.id)
            .join(link, link.c.id == inbox.c.link_id)
            .join(entity_map, entity_map.c.id == link.c.entity_id)
            .where(
                inbox.c.state == "held",
                entity_map.c.site_id == site_id,
                entity_map.c.wix_entity_id == wix.entity_id,
                link.c.contact_id == person.contact_id,
            )
        )
        with self._transactions.read() as connection:
            return connection.execute(held).first() is not None

    def held_reasons(self, site_id: int | None = None) -> list[str]:
        is_held = (inbox.c.state == "held") & self._is_of(inbox, site_id)
        held = select(inbox.c.reason).where(is_held).order_by(inbox.c.reason)
        with self._transactions.read() as connection:
            return list(connection.execute(held).scalars())

    def held_of_source(self, side: Side, source: str) -> int:
        is_its = (inbox.c.side == side) & (inbox.c.source == source)
        return self._count(inbox, is_its & (inbox.c.state == "held"), None)

    def ended(self, inbox_id: int) -> tuple[InboxState | None, str]:
        found = select(inbox.c.state, inbox.c.reason).where(inbox.c.id == inbox_id)
        with self._transactions.read() as connection:
            row = connection.execute(found).first()
        return (None, "") if row is None else (InboxState(row.state), row.reason)

    def was_in_step(
        self, site_id: int, side: Side, record: Record, partners: Sequence[Record]
    ) -> bool:
        located = self.directory.locate(site_id, side, record.remote_id)
        if not located.is_on_file or located.key is None or len(partners) != 1:
            return False
        key = located.key
        with self._transactions.read() as connection:
            row = connection.execute(
                select(link).where(
                    link.c.site_id == site_id,
                    link.c.entity_id == key.entity_id,
                    link.c.contact_id == key.contact_id,
                )
            ).one()
            values = connection.execute(
                select(link_value).where(link_value.c.link_id == row.id)
            ).all()
            is_open = (intent.c.link_id == row.id) & (intent.c.state == "open")
            if connection.execute(select(intent.c.id).where(is_open)).first() is not None:
                return False
        known = {value.wix_id: value.wix_revision for value in values if value.wix_id is not None}
        if row.external_id is not None:
            known[row.external_id] = row.external_revision
        partner = partners[0]
        return known == {record.remote_id: record.revision, partner.remote_id: partner.revision}
