"""A site changes to the other API of Wix: first what that means, then the change, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from sync_worker.core.errors import Misconfigured
from sync_worker.core.processes import our_version
from sync_worker.core.scale import FieldMap
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Side, Site, SiteState, WixKind
from sync_worker.ledger.accounts.reading import refuse_newer
from sync_worker.ledger.administration.heartbeats import SeenProcess, older_processes
from sync_worker.ledger.administration.imports import IMPORT
from sync_worker.ledger.administration.mappings import products_mapped_twice
from sync_worker.ledger.process_tables import set_aside
from sync_worker.ledger.statements import runs
from sync_worker.ledger.statements.set_aside import (
    abandon_intents,
    bring_links_back,
    deletes_of_ratings,
    end_deliveries,
    end_leases,
    forget_missing,
    is_kept,
    is_linked,
    of_ratings,
    open_intents,
    set_links_aside,
)
from sync_worker.ledger.statements.sites import from_field, site_by_id
from sync_worker.ledger.tables import field_map, inbox, intent, link, run, site
from sync_worker.ledger.transactions import Transactions, ledger_now

SHOWN_PRODUCTS = 5


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """What a change of the API would do.

    ``links``: set aside; ``returning``: brought back; ``deliveries``: at their end; ``unsettled``:
    external writes whose outcome is not known; ``deletes``: those of Wix that have not crossed;
    ``is_busy``: a file is being imported; ``older``: living processes of an older version.
    ``twice``: products that Wix Reviews could not tell apart, in words, the first few.
    """

    links: int
    returning: int
    deliveries: int
    unsettled: int
    deletes: int
    is_busy: bool
    older: tuple[SeenProcess, ...]
    twice: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """What it did."""

    site: Site
    links: int
    returned: int
    deliveries: int


class WixChange:
    """The API of Wix that a site uses."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def plan(self, known: Site, kind: WixKind) -> ChangePlan:
        """What the change would do, as it stands now."""
        with self._transactions.read() as connection:
            return _plan(connection, known, kind)

    def mapped_twice(self, known: Site) -> list[str]:
        """Products that Wix Reviews cannot tell apart on this site, in words, the first few."""
        if known.wix_api is not WixKind.REVIEWS:
            return []
        with self._transactions.read() as connection:
            return products_mapped_twice(connection, known.id, SHOWN_PRODUCTS)

    def awaits_baseline(self, site_id: int) -> bool:
        """Whether both sides were not compared whole since the site changed."""
        with self._transactions.read() as connection:
            return runs.awaits_baseline(connection, site_id)

    def is_quiet(self, site_id: int) -> bool:
        """Whether nobody has a link of the site in hand."""
        held = (link.c.site_id == site_id) & (link.c.lease_until > ledger_now())
        with self._transactions.read() as connection:
            return connection.execute(select(link.c.id).where(held).limit(1)).first() is None

    def change(
        self, site_id: int, kind: WixKind, first_fields: Sequence[FieldMap], state: SiteState
    ) -> Changed:
        """Set the links of the other API aside, and bring back those of this one.

        The site has to be paused; it goes on in ``state``. ``first_fields``: for a site that
        never used this API. Raises Misconfigured.
        """
        with self._transactions.write() as connection:
            row = connection.execute(
                select(site).where(site.c.id == site_id).with_for_update()
            ).one()
            known = site_by_id(connection, site_id)
            assert known is not None  # noqa: S101 - its row was read above
            if known.wix_api is kind:
                return Changed(known, 0, 0, 0)
            refuse_newer(f"site {site_id}", known.state)
            if known.is_at_work:
                raise Misconfigured(f"site {site_id} was resumed meanwhile; say it once more")
            end_leases(connection, site_id)
            refuse_unsettled(known, _plan(connection, known, kind))
            abandon_intents(connection, site_id)
            _end_runs(connection, known, kind)
            forget_missing(connection, site_id)
            ended = end_deliveries(connection, known)
            links = set_links_aside(connection, site_id, known.wix_api)
            returned = bring_links_back(connection, site_id, kind)
            others = _change_fields(connection, known, kind, first_fields, row.other_fields or {})
            changed: dict[str, Any] = {
                "wix_api": str(kind),
                "wix_api_since": ledger_now(),
                "state": str(state),
                "other_fields": others,
            }
            connection.execute(update(site).where(site.c.id == site_id).values(changed))
            now = site_by_id(connection, site_id)
            assert now is not None  # noqa: S101 - as above
            return Changed(now, links, returned, ended)


def refuse_unsettled(known: Site, plan: ChangePlan) -> None:
    """Raises Misconfigured where the change would lose track of what is under way."""
    refuse_older(plan.older)
    if plan.twice:
        raise Misconfigured(
            f"products with more than one map: {'; '.join(plan.twice)}. Wix Reviews names a product"
            " by its id alone, and would give it two keys: bring one row for each of them, with its"
            " name on Wix and its name outside as they are to be (`ratings-sync map entities"
            " import`; a row replaces what no rating uses), then say it once more. Where ratings"
            " use both, the site has to stay on Wix Ratings"
        )
    if plan.is_busy:
        raise Misconfigured(
            f"a file is being imported into site {known.id}; change its API when that is done"
        )
    if plan.unsettled:
        raise Misconfigured(
            f"{plan.unsettled} writes to {known.connector} have no known outcome yet: let the"
            " workers settle them (`ratings-sync status`), then say it once more"
        )
    if plan.deletes:
        raise Misconfigured(
            f"{plan.deletes} deletes on Wix have not crossed yet, and what they deleted would be"
            " created anew: let the workers bring them over, and those that are held (`ratings-sync"
            " held --side wix`) with `ratings-sync held release`, or end them with `ratings-sync"
            " held drop`; then say it once more"
        )


def refuse_older(older: Sequence[SeenProcess]) -> None:
    """Raises Misconfigured: they know one API of Wix, and would look for its ratings there."""
    if not older:
        return
    running = ", ".join(
        f"the {one.kind} on {one.name} runs version {one.version or 'unknown'}" for one in older
    )
    raise Misconfigured(
        f"processes of an older version are at work: {running}, and this is version"
        f" {our_version() or 'unknown'}. They know no second API of Wix and would take reviews for"
        " deleted: upgrade or stop them, wait half a minute (`ratings-sync status`), then say it"
        " once more"
    )


def _plan(connection: Connection, known: Site, kind: WixKind) -> ChangePlan:
    def count(table: Any, which: Any) -> int:
        counted = select(func.count()).select_from(table).where(which)
        return int(connection.execute(counted).scalar_one())

    twice: list[str] = []
    if kind is WixKind.REVIEWS:
        twice = products_mapped_twice(connection, known.id, SHOWN_PRODUCTS)
    is_import = (run.c.site_id == known.id) & (run.c.kind == IMPORT) & (run.c.state == runs.RUNNING)
    return ChangePlan(
        links=count(link, is_linked(known.id)),
        returning=count(set_aside, is_kept(known.id, kind)),
        deliveries=count(inbox, of_ratings(known)),
        unsettled=count(intent, open_intents(known.id, Side.EXTERNAL)),
        deletes=count(inbox, deletes_of_ratings(known)),
        is_busy=count(run, is_import & (run.c.lease_until > ledger_now())) > 0,
        older=tuple(older_processes(connection)),
        twice=tuple(twice),
    )


def _end_runs(connection: Connection, known: Site, kind: WixKind) -> None:
    """A sweep under way compares with the API that the site leaves."""
    is_sweep = run.c.kind.in_([str(one) for one in RunKind]) & (run.c.state == runs.RUNNING)
    found = select(run.c.id).where(run.c.site_id == known.id, is_sweep)
    for run_id in connection.execute(found).scalars().all():
        runs.end_run(connection, run_id, runs.ABANDONED, f"the site changed to wix_api={kind}")


def _change_fields(
    connection: Connection,
    known: Site,
    kind: WixKind,
    first: Sequence[FieldMap],
    others: dict[str, Any],
) -> dict[str, Any]:
    """The fields of this API in place of the other's, which are returned to be kept."""
    rows = others.get(str(kind)) or [from_field(field) for field in first]
    connection.execute(delete(field_map).where(field_map.c.site_id == known.id))
    if rows:
        connection.execute(insert(field_map), [{**row, "site_id": known.id} for row in rows])
    kept = [from_field(field) for field in known.fields]
    return {**others, str(known.wix_api): kept}
