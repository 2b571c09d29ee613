"""The ledger's links, page by page, for exports."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, func, select

from sync_worker.ledger.tables import contact_map, entity_map, link, link_value
from sync_worker.ledger.transactions import Transactions

PAGE = 500


class LedgerExport:
    """What the ledger remembers of each link and attribute, in the order of the links."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    def links_page(
        self,
        site_id: int,
        after: int,
        *,
        namespace: str | None,
        group: str | None,
        entity: str | None,
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Up to 500 links after the one named, a line for each attribute.

        With them the last link, ``None`` at the end.
        """
        which = (link.c.site_id == site_id) & (link.c.id > after)
        wanted = (("wix_namespace", namespace), ("wix_group", group), ("wix_entity_id", entity))
        for name, value in wanted:
            if value is not None:
                which &= entity_map.c[name] == value
        page = select(link.c.id).join(entity_map, entity_map.c.id == link.c.entity_id).where(which)
        page = page.order_by(link.c.id).limit(PAGE)
        with self._transactions.read() as connection:
            ids = list(connection.execute(page).scalars())
            rows = connection.execute(self._lines(ids)).mappings().all()
        return [dict(row) for row in rows], (ids[-1] if len(ids) == PAGE else None)

    def _lines(self, ids: list[int]) -> Any:
        own = contact_map.alias("own")
        is_same = (own.c.site_id == link.c.site_id) & (own.c.wix_contact_id == link.c.contact_id)
        first = select(func.min(own.c.id)).where(is_same).correlate(link).scalar_subquery()
        return (
            select(
                link.c.id.label("link"),
                link.c.state,
                entity_map.c.wix_namespace,
                entity_map.c.wix_group,
                entity_map.c.wix_entity_id,
                entity_map.c.external_group,
                entity_map.c.external_entity_id,
                link.c.contact_id.label("wix_contact_id"),
                contact_map.c.email,
                link_value.c.attribute,
                link_value.c.wix_id,
                link_value.c.base_wix.label("wix_value"),
                link.c.external_id,
                link_value.c.base_external.label("external_value"),
                link.c.title_wix.label("wix_title"),
                link.c.title_external.label("external_title"),
                link.c.body_wix.label("wix_body"),
                link.c.body_external.label("external_body"),
                link.c.reply_wix.label("wix_reply"),
                link.c.reply_external.label("external_reply"),
                contact_map.c.name.label("author_name"),
                link_value.c.wix_record,
            )
            .join(entity_map, entity_map.c.id == link.c.entity_id)
            .outerjoin(contact_map, contact_map.c.id == first)
            .outerjoin(link_value, link_value.c.link_id == link.c.id)
            .where(link.c.id.in_(ids))
            .order_by(link.c.id, link_value.c.attribute)
        )
