"""Maps of products for pages: what is mapped, what waits to be, and one map that goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, exists, or_, select
from sqlalchemy.exc import IntegrityError

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Entity, InboxState, Side, Site
from sync_worker.ledger.accounts.audit import note_change
from sync_worker.ledger.administration.mappings import map_words
from sync_worker.ledger.rows import to_entity
from sync_worker.ledger.tables import entity_map, inbox, link
from sync_worker.ledger.transactions import Transactions

PAGE = 50
MANY = 1_000  # maps in one statement, where all are asked for
MAX_WAITING = 2_000  # held deliveries of a site that are looked through
MAX_THINGS = 20
UNKNOWN_ENTITY = "unknown_entity"


@dataclass(frozen=True, slots=True)
class MapLine:
    """A map of a product; ``is_used``: ratings are linked by it."""

    entity: Entity
    title: str
    is_used: bool


@dataclass(frozen=True, slots=True)
class WaitingThing:
    """A thing that is not mapped, and how many deliveries wait for that; ``place``: its group."""

    side: Side
    name: str
    waiting: int
    place: str = ""


class SqlMaps:
    """The maps of a site's products. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def page(
        self, site_id: int, word: str = "", after: int = 0, limit: int = PAGE
    ) -> list[MapLine]:
        """Those behind that number; ``word``: an id of either side, or its group."""
        is_used = exists().where(link.c.entity_id == entity_map.c.id).label("is_used")
        found = select(entity_map, is_used).where(
            entity_map.c.site_id == site_id, entity_map.c.id > after
        )
        if word:
            found = found.where(
                or_(
                    entity_map.c.wix_entity_id == word,
                    entity_map.c.external_entity_id == word,
                    entity_map.c.title == word,
                )
            )
        with self._transactions.read() as connection:
            rows = connection.execute(found.order_by(entity_map.c.id).limit(limit)).all()
        return [MapLine(to_entity(row), row.title or "", bool(row.is_used)) for row in rows]

    def all(self, site_id: int) -> Iterator[MapLine]:
        """Every map, page by page."""
        after = 0
        while lines := self.page(site_id, after=after, limit=MANY):
            yield from lines
            after = lines[-1].entity.id

    def waiting(self, site: Site) -> list[WaitingThing]:
        """What the site's held deliveries wait for, most of them first."""
        sources = sorted({site.instance_id, site.external_source} - {""})
        is_held = (inbox.c.state == str(InboxState.HELD)) & inbox.c.source.in_(sources)
        is_held &= inbox.c.reason == UNKNOWN_ENTITY
        some = select(inbox.c.hold_key).where(is_held).limit(MAX_WAITING).subquery()
        asked = select(some.c.hold_key).where(some.c.hold_key.startswith("entity:"))
        with self._transactions.read() as connection:
            counted = Counter(connection.execute(asked).scalars())
        most_wanted = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        return [_thing(key, number) for key, number in most_wanted[:MAX_THINGS]]

    def find(self, site_id: int, wix_id: str, external_id: str) -> list[Entity]:
        """The maps of a site with these ids; an empty one does not matter."""
        found = select(entity_map).where(entity_map.c.site_id == site_id)
        if wix_id:
            found = found.where(entity_map.c.wix_entity_id == wix_id)
        if external_id:
            found = found.where(entity_map.c.external_entity_id == external_id)
        with self._transactions.read() as connection:
            rows = connection.execute(found.order_by(entity_map.c.id).limit(MAX_THINGS))
            return [to_entity(row) for row in rows]

    def remove(self, site_id: int, map_id: int, actor: str, why: str = "") -> Entity:
        """Take a map away that no rating uses; links are never left without theirs.

        Raises Misconfigured.
        """
        its = (entity_map.c.site_id == site_id) & (entity_map.c.id == map_id)
        try:
            with self._transactions.write() as connection:
                row = connection.execute(select(entity_map).where(its)).first()
                if row is None:
                    raise Misconfigured(f"site {site_id} has no map {map_id}: somebody removed it")
                _refuse_if_used(connection, row)
                connection.execute(delete(entity_map).where(its))
                words = {"maps": [map_words(row)]}
                note_change(
                    connection, actor, "map.remove_entities", site_id, before=words, why=why
                )
        except IntegrityError:
            # A rating was linked by it in this moment.
            raise Misconfigured(_in_use(map_words(row), "a rating is")) from None
        return to_entity(row)


def _refuse_if_used(connection: Connection, row: Any) -> None:
    used = select(link.c.id).where(link.c.entity_id == row.id).limit(MAX_THINGS)
    links: Sequence[int] = connection.execute(used).scalars().all()
    if not links:
        return
    count = {1: "a rating is", MAX_THINGS: f"{MAX_THINGS} ratings or more are"}
    raise Misconfigured(_in_use(map_words(row), count.get(len(links), f"{len(links)} ratings are")))


def _in_use(words: str, who: str) -> str:
    return (
        f"the map {words} stays: {who} linked by it, deleted ones among them, and would lose both"
        " sides. To stop them from crossing, pause the site, or delete the ratings first on one"
        " side; what was never rated can be removed"
    )


def _thing(key: str, number: int) -> WaitingThing:
    """Out of a hold key: the id comes last, and may have any sign in it."""
    _, side, names = key.split(":", 2)
    groups = 2 if side == Side.WIX else 1
    *place, name = names.split(":", groups)
    return WaitingThing(Side(side), name, number, "/".join(filter(None, place)))
