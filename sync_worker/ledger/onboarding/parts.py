"""What a look has read of a long catalogue, until a later one has read the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import delete, func, insert, select

from sync_worker.core.values import Side
from sync_worker.core.values.catalogue import CatalogueItem, CataloguePart
from sync_worker.ledger.onboarding.tables import catalogue_look, catalogue_part
from sync_worker.ledger.transactions import Transactions, ledger_now

GOOD_SECONDS = 86_400.0  # then things have come and gone: it begins anew


@dataclass(frozen=True, slots=True)
class SoFar:
    """``look``: which look it is that goes on; what another one keeps meanwhile counts."""

    look: float | None
    sides: Mapping[Side, CataloguePart]


class SqlCatalogueParts:
    """Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def so_far(self, site_id: int) -> SoFar:
        """What looks have read of both sides of a site, within a day."""
        its = catalogue_part.c.site_id == site_id
        is_old = catalogue_part.c.read_at < ledger_now() - GOOD_SECONDS
        old = select(catalogue_part.c.number).where(its, is_old).limit(1)
        look = select(catalogue_look.c.looked_at).where(catalogue_look.c.site_id == site_id)
        rows = select(catalogue_part).where(its).order_by(catalogue_part.c.number)
        with self._transactions.read() as connection:
            looked_at = connection.execute(look).scalar_one_or_none()
            has_old = connection.execute(old).first() is not None
            found = [] if has_old else list(connection.execute(rows))
        if has_old:
            self.forget(site_id)
        by_side = defaultdict[Side, list[CataloguePart]](list)
        for row in found:
            items = tuple(CatalogueItem(**item) for item in row.items)
            by_side[Side(row.side)].append(CataloguePart(items, row.next_page, row.unreadable))
        return SoFar(looked_at, {side: _joined(parts) for side, parts in by_side.items()})

    def keep(self, site_id: int, so_far: SoFar, side: Side, part: CataloguePart) -> None:
        """What a look has read more; not if the site has another shop since it began."""
        is_its_look = (catalogue_look.c.site_id == site_id) & (
            catalogue_look.c.looked_at == so_far.look
        )
        last = select(func.max(catalogue_part.c.number)).where(catalogue_part.c.site_id == site_id)
        with self._transactions.write() as connection:
            look = select(catalogue_look.c.site_id).where(is_its_look).with_for_update()
            if connection.execute(look).first() is None:
                return
            row = {
                "site_id": site_id,
                "number": (connection.execute(last).scalar_one_or_none() or 0) + 1,
                "side": str(side),
                "items": [asdict(item) for item in part.items],
                "next_page": part.cursor,
                "unreadable": part.unreadable,
                "read_at": ledger_now(),
            }
            connection.execute(insert(catalogue_part).values(row))

    def forget(self, site_id: int) -> None:
        """Both sides are read, or cannot be read on."""
        with self._transactions.write() as connection:
            its = catalogue_part.c.site_id == site_id
            connection.execute(delete(catalogue_part).where(its))


def _joined(parts: Sequence[CataloguePart]) -> CataloguePart:
    items = tuple(item for part in parts for item in part.items)
    return CataloguePart(items, parts[-1].cursor, sum(part.unreadable for part in parts))
