"""What workers look after for accounts: webhooks to look at, deliveries that a key has held up."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, or_, select, update

from sync_worker.core.hold_reasons import ACCOUNT_LOCKED, ACCOUNT_PAUSED, FOR_AN_ACCOUNT
from sync_worker.core.values import AccountState, InboxState, Site, SiteState
from sync_worker.ledger.accounts.moving import move_some
from sync_worker.ledger.accounts.reading import addresses_over
from sync_worker.ledger.accounts.removal import end_some, sweep_again
from sync_worker.ledger.accounts.tables import account, account_address
from sync_worker.ledger.administration.held import release_reasons
from sync_worker.ledger.administration.hook_states import last_try
from sync_worker.ledger.process_tables import hook_state, site_fault
from sync_worker.ledger.statements.sites import read_sites
from sync_worker.ledger.tables import inbox, site
from sync_worker.ledger.transactions import Transactions, insert_into, ledger_now

AT_ONCE = 1_000  # of each round; those that were not tried for longest come first
IN_USE = (str(AccountState.NEW), str(AccountState.ACTIVE))
OF_AN_ACCOUNT = (ACCOUNT_LOCKED, ACCOUNT_PAUSED, *FOR_AN_ACCOUNT)
AT_WORK = (str(SiteState.ACTIVE), str(SiteState.RECOVERY))


class SqlAccountUpkeep:
    """Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def hooks_due(self, connectors: Collection[str], every_seconds: float, work: str) -> list[str]:
        """Sources whose webhooks nobody has looked at for so long.

        ``work``: the word for such checks among faults; one that failed has its pause first.
        """
        looked_at = hook_state.c.checked_at
        return self._sources(connectors, work, looked_at < ledger_now() - every_seconds)

    def hooks_changed(self, connectors: Collection[str], work: str) -> list[str]:
        """Sources that are new, have another address, or were given something since the look."""
        return self._sources(connectors, work, hook_state.c.checked_at < account.c.updated_at)

    def _sources(
        self, connectors: Collection[str], work: str, is_due: ColumnElement[bool]
    ) -> list[str]:
        looked_at, again_at = hook_state.c.checked_at, site_fault.c.next_try_at
        source = site.c.external_source
        fails = (site_fault.c.source == source) & (site_fault.c.work == work)
        found = (
            select(site.c.external_source)
            .join(account, account.c.site_id == site.c.id)
            .outerjoin(hook_state, hook_state.c.source == source)
            .outerjoin(site_fault, fails)
            .where(account.c.connector.in_(sorted(connectors)), account.c.state.in_(IN_USE))
            .where(site.c.state.in_(AT_WORK), or_(looked_at.is_(None), is_due))
            .where(or_(again_at.is_(None), again_at <= ledger_now()))
            .order_by(last_try(), account.c.id)
            .limit(AT_ONCE)
        )
        with self._transactions.read() as connection:
            return list(connection.execute(found).scalars())

    def hooks_made_with(self, source: str) -> str | None:
        """The mark of the secret that the webhooks of a source were made with, if it is known."""
        known = select(hook_state.c.made_with).where(hook_state.c.source == source)
        with self._transactions.read() as connection:
            return connection.execute(known).scalar_one_or_none()

    def note_hooks_made_with(self, source: str, mark: str) -> None:
        with self._transactions.write() as connection:
            new = insert_into(connection, hook_state).values(source=source, made_with=mark)
            connection.execute(
                new.on_conflict_do_update(index_elements=["source"], set_={"made_with": mark})
            )

    def sweep_again(self, source: str) -> None:
        """A sweep of the site of a source is due: for a while nobody told what happened."""
        with self._transactions.write() as connection:
            sweep_again(connection, site.c.external_source == source)

    def addresses_over(self, source: str) -> list[str]:
        """Webhook addresses of the account that is a source whose time is over."""
        with self._transactions.read() as connection:
            return addresses_over(connection, source.partition("/")[2])

    def forget_address(self, address: str) -> None:
        """One whose time is over, and at which nothing of ours is left."""
        is_over = account_address.c.valid_until <= ledger_now()
        gone = delete(account_address).where(account_address.c.address == address, is_over)
        with self._transactions.write() as connection:
            connection.execute(gone)

    def take_up_sites_of_before(self) -> list[Site]:
        """Sites that a process of the version before has made get their source, where it is free.

        It knows none: for it the connector is all that a site has.
        """
        lacks_one = (site.c.connector != "") & site.c.external_source.is_(None)
        of_it, its = exists().where(account.c.site_id == site.c.id), site.alias("its")
        is_taken = exists().where(its.c.external_source == site.c.connector)
        waits = lacks_one & ~of_it & ~is_taken & (site.c.state != str(SiteState.REMOVED))
        with self._transactions.read() as connection:
            ids = connection.execute(select(site.c.id).where(waits).order_by(site.c.id)).scalars()
            found = list(ids)
        # Nearly always: nothing is locked then.
        if not found:
            return []
        served = list[int]()
        with self._transactions.write() as connection:
            for site_id in found:
                given = update(site).where(site.c.id == site_id, waits)
                given = given.values(external_source=site.c.connector)
                served.extend(connection.execute(given.returning(site.c.id)).scalars())
            return read_sites(connection, site.c.id.in_(served))

    def end_for_removed(self, until: float) -> int:
        """What waits for sites without our app ends, without content; how many did."""
        return end_some(self._transactions, until)

    def release_for_account(self, of: Site) -> list[int]:
        """What waited for an account of a site goes on; the deliveries' ids."""
        return release_reasons(self._transactions, FOR_AN_ACCOUNT, of)

    def waiting_sites(self) -> list[Site]:
        """Sites at work of which deliveries wait for their account.

        Its secrets did not open; or whoever held them knew the account of a moment before.
        """
        waits = (inbox.c.state == str(InboxState.HELD)) & inbox.c.reason.in_(OF_AN_ACCOUNT)
        sources = select(inbox.c.source).where(waits).distinct().scalar_subquery()
        names: tuple[Any, ...] = (site.c.instance_id, site.c.external_source)
        is_in_use = site.c.id.in_(select(account.c.site_id).where(account.c.state.in_(IN_USE)))
        with self._transactions.read() as connection:
            waiting = or_(*(name.in_(sources) for name in names))
            found = read_sites(connection, is_in_use & waiting)
        return [one for one in found if one.is_at_work]

    def release_waiting(self, of: Site, until: float | None = None) -> list[int]:
        """What waited for the account of a site goes on, until a time; the deliveries' ids."""
        return release_reasons(self._transactions, OF_AN_ACCOUNT, of, until)

    def move_some(self, until: float) -> int:
        """What accounts were told that have ended goes over to those of today; how many went."""
        return move_some(self._transactions, until)
