"""How sites stand, and what waits: the questions behind the list of troubles."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, case, exists, false, func, or_, select

from sync_worker.core.hold_reasons import ACCOUNT_LOCKED
from sync_worker.core.ports.inbox import CREATE_ACCEPTED, RATE_LIMITED
from sync_worker.core.values import AccountState, InboxState, IntentState, SiteState
from sync_worker.ledger.accounts.tables import account
from sync_worker.ledger.console.pause_rows import site_pause
from sync_worker.ledger.statements.inbox import OPEN
from sync_worker.ledger.statements.runs import DONE, RUNNING, is_whole
from sync_worker.ledger.tables import inbox, intent, run, site
from sync_worker.ledger.transactions import Transactions, ledger_now


@dataclass(frozen=True, slots=True)
class SiteStanding:
    """``is_compared``: a whole run of both sides has ended well; ``is_comparing``: one is open.

    ``is_changed``: to another API of Wix, once. ``account``: the state of the account that it was
    given, ``None`` without one; ``is_given``: that one is not revoked, or the environment's
    settings. ``revoked_at``: in seconds since 1970, ``None``: it is not revoked.
    ``source``: of what its external side sends; ``instance_id``: of what Wix sends.
    ``rests_until``, ``rests_why``: of a pause that has an end or a reason.
    """

    id: int
    connector: str
    state: SiteState
    is_compared: bool
    is_comparing: bool
    is_changed: bool = False
    is_given: bool = True
    account: AccountState | None = None
    paused_why: str = ""
    source: str = ""
    instance_id: str = ""
    revoked_at: float | None = None
    rests_until: float | None = None
    rests_why: str = ""

    @property
    def is_of_environment(self) -> bool:
        """Whether the environment holds what its shop gives."""
        return self.is_given and self.account is None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Open deliveries of one source; times in seconds.

    ``is_for_budget``: they wait for a request budget, and for nothing else.
    """

    source: str
    is_for_budget: bool
    count: int
    oldest_at: float
    oldest_seconds: float


def site_counts(connection: Connection) -> dict[str, int]:
    """How many sites stand so: by state, and ``never_compared`` of those at work."""
    by_state = select(site.c.state, func.count()).group_by(site.c.state)
    counts = {state: int(number) for state, number in connection.execute(by_state)}
    whole = is_whole(site.c.id) & (run.c.state == DONE)
    never = select(func.count()).select_from(site).where(site.c.state == str(SiteState.ACTIVE))
    never = never.where(~exists().where(whole))
    known = dict.fromkeys(map(str, SiteState), 0) | counts
    return known | {"never_compared": int(connection.execute(never).scalar_one())}


class SqlStanding:
    """Answers for the list of troubles. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def sites(self) -> list[SiteStanding]:
        """Every site, in the order in which they were added."""
        with self._transactions.read() as connection:
            return [_to_standing(row) for row in connection.execute(_standings())]

    def some_sites(self, most: int, known: Collection[str]) -> list[SiteStanding]:
        """So many of those that are in trouble, and one that is not.

        ``known``: the connectors that the environment sets up.
        """
        in_trouble = _is_in_trouble(known)
        with self._transactions.read() as connection:
            rows = connection.execute(_standings().where(in_trouble).limit(most)).all()
            rows = [*rows, *connection.execute(_standings().where(~in_trouble).limit(1))]
        return [_to_standing(row) for row in rows]

    def of_sources(self, sources: Collection[str]) -> list[SiteStanding]:
        """Those whose external deliveries come from one of these."""
        its = site.c.external_source.in_(sorted(sources))
        with self._transactions.read() as connection:
            return [_to_standing(row) for row in connection.execute(_standings().where(its))]

    def one_site(self, site_id: int) -> list[SiteStanding]:
        """That one, if it is there."""
        with self._transactions.read() as connection:
            rows = connection.execute(_standings().where(site.c.id == site_id))
            return [_to_standing(row) for row in rows]

    def written_since(self, site_id: int, run_id: int) -> dict[str, int]:
        """Writes that have landed on a site since a run of it began, by whoever: by kind."""
        began = select(run.c.started_at).where(run.c.id == run_id).scalar_subquery()
        counted = (
            select(intent.c.operation, intent.c.side, func.count().label("number"))
            .where(intent.c.site_id == site_id, intent.c.created_at >= began)
            .where(intent.c.state == str(IntentState.CONFIRMED))
            .group_by(intent.c.operation, intent.c.side)
        )
        with self._transactions.read() as connection:
            rows = connection.execute(counted).all()
        return {f"{row.operation} on {row.side}": row.number for row in rows}

    def has_fresh_work(self, site_id: int) -> bool:
        """Whether deliveries of a site are in somebody's hands, or wait for their first look."""
        fresh = (inbox.c.site_id == site_id) & inbox.c.state.in_(OPEN) & (inbox.c.attempts == 0)
        fresh &= inbox.c.reason.not_in((RATE_LIMITED, CREATE_ACCEPTED))
        with self._transactions.read() as connection:
            return connection.execute(select(inbox.c.id).where(fresh).limit(1)).first() is not None

    def locked_holds(self, most: int | None = None) -> dict[str, int]:
        """How many deliveries of each source are held as no worker's key opens its account.

        ``most``: no more than so many are counted.
        """
        held = (inbox.c.state == str(InboxState.HELD)) & (inbox.c.reason == ACCOUNT_LOCKED)
        some = select(inbox.c.source).where(held).limit(most).subquery()
        counted = select(some.c.source, func.count()).group_by(some.c.source)
        with self._transactions.read() as connection:
            return {source: int(number) for source, number in connection.execute(counted)}

    def waiting(
        self, most: int | None = None, sources: Collection[str] | None = None
    ) -> list[Waiting]:
        """What is on its way, by source. Not what waits for a create that was accepted.

        ``most``: no more than so many are counted, the oldest. ``sources``: of these alone.
        """
        is_open = inbox.c.state.in_(OPEN) & (inbox.c.reason != CREATE_ACCEPTED)
        if sources is not None:
            is_open &= inbox.c.source.in_(sorted(sources))
        columns = (inbox.c.source, inbox.c.reason, inbox.c.received_at)
        some = select(*columns).where(is_open).order_by(inbox.c.received_at).limit(most).subquery()
        is_budget: Any = case((some.c.reason == RATE_LIMITED, 1), else_=0).label("is_budget")
        oldest = func.min(some.c.received_at)
        summed = (
            select(
                some.c.source,
                is_budget,
                func.count().label("number"),
                oldest.label("oldest_at"),
                (ledger_now() - oldest).label("age"),
            )
            .group_by(some.c.source, is_budget)
            .order_by(oldest)
        )
        with self._transactions.read() as connection:
            return [
                Waiting(row.source, bool(row.is_budget), row.number, row.oldest_at, float(row.age))
                for row in connection.execute(summed)
            ]


def _is_compared() -> Any:
    return exists().where(is_whole(site.c.id), run.c.state == DONE)


def _standings() -> Select[Any]:
    """Sites with their accounts, and whether both sides were compared."""
    is_comparing = exists().where(is_whole(site.c.id), run.c.state == RUNNING)
    source = account.c.connector + "/" + account.c.public_id
    its_own = (account.c.site_id == site.c.id) & (source == site.c.external_source)
    found = select(
        site.c.id,
        site.c.connector,
        site.c.state,
        _is_compared().label("is_compared"),
        is_comparing.label("is_comparing"),
        site.c.wix_api_since.is_not(None).label("is_changed"),
        site.c.external_source,
        site.c.instance_id,
        account.c.state.label("account_state"),
        account.c.paused_why,
        account.c.revoked_at,
        site_pause.c.until,
        site_pause.c.why,
    )
    its_pause = site_pause.c.site_id == site.c.id
    joined = found.select_from(site).outerjoin(account, its_own).outerjoin(site_pause, its_pause)
    return joined.order_by(site.c.id)


def _is_in_trouble(known: Collection[str]) -> Any:
    """More sites than have a trouble: the rules look closer."""
    is_unknown = (site.c.external_source == site.c.connector) & site.c.connector.not_in(known)
    rests = or_(
        site.c.state.in_((str(SiteState.PAUSED), str(SiteState.RECOVERY))),
        site.c.external_source.is_(None),
        account.c.state.in_((str(AccountState.PAUSED), str(AccountState.REVOKED))),
        is_unknown,
    )
    is_uncompared = (site.c.state == str(SiteState.ACTIVE)) & ~_is_compared()
    return or_(func.coalesce(rests, false()), is_uncompared)


def _to_standing(row: Any) -> SiteStanding:
    its_account = None
    if row.account_state is not None:
        its_account = AccountState.kept(row.account_state)
    is_implicit = row.external_source is not None and row.external_source == row.connector
    return SiteStanding(
        row.id,
        row.connector,
        SiteState.kept(row.state),
        bool(row.is_compared),
        bool(row.is_comparing),
        bool(row.is_changed),
        is_given=is_implicit or its_account not in (None, AccountState.REVOKED),
        account=its_account,
        paused_why=row.paused_why or "",
        source=row.external_source or "",
        instance_id=row.instance_id,
        revoked_at=row.revoked_at,
        rests_until=row.until,
        rests_why=row.why or "",
    )
