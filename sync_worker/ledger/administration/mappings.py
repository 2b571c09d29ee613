"""Mappings of entities and people, as files bring them. All rows of an import, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, func, insert, or_, select

from sync_worker.core.hold_keys import contact_hold_key, email_hold_keys, entity_hold_keys
from sync_worker.core.values import Contact, Entity, EntityRef, Side, Site, WixKind
from sync_worker.ledger.accounts.audit import BY_COMMAND, note_change
from sync_worker.ledger.administration.held import release_keys
from sync_worker.ledger.rows import to_contact, to_entity
from sync_worker.ledger.tables import contact_map, entity_map, link
from sync_worker.ledger.transactions import Transactions

Row = Mapping[str, Any]
MAPS_NOTED = 20  # in one entry of the audit
IN_USE = "it would change a mapping that linked ratings use already"


class ImportRefused(Exception):
    """Rows cannot be mapped; nothing was changed. ``problems``: why, by position of the row."""

    def __init__(self, problems: dict[int, str]) -> None:
        super().__init__(f"{len(problems)} rows refused")
        self.problems = dict(problems)


@dataclass(frozen=True, slots=True)
class Imported:
    """Outcome of an import; ``released``: inbox ids of deliveries that had waited for its rows."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    released: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class MappedCounts:
    """How much is mapped."""

    entities: int
    contacts: int


@dataclass(frozen=True, slots=True)
class _Mapping:
    """How rows of one table are imported.

    ``same``: which rows a new one replaces. ``uses``: which links use a row. ``fixed``: the columns
    that must stay while links use it; ``None``: all of them. ``twins``: which rows would be a
    second name of the same thing.
    """

    table: Table
    same: Callable[[Row], Any]
    uses: Callable[[Any], Any]
    fixed: tuple[str, ...] | None = None
    twins: Callable[[Row], Any] | None = None


def _equals(table: Table, row: Row, *names: str) -> Any:
    return and_(*(table.c[name] == row[name] for name in names))


ENTITIES = _Mapping(
    entity_map,
    same=lambda row: or_(
        _equals(entity_map, row, "wix_namespace", "wix_group", "wix_entity_id"),
        _equals(entity_map, row, "external_group", "external_entity_id"),
    ),
    uses=lambda found: link.c.entity_id == found.id,
)
# Wix Reviews names a product by its id alone.
ENTITIES_OF_REVIEWS = replace(
    ENTITIES, twins=lambda row: _equals(entity_map, row, "site_id", "wix_entity_id")
)
CONTACTS = _Mapping(
    contact_map,
    same=lambda row: _equals(contact_map, row, "email"),
    uses=lambda found: and_(
        link.c.site_id == found.site_id, link.c.contact_id == found.wix_contact_id
    ),
    fixed=("wix_contact_id",),
)


class MappingAdmin:
    """Entities and people of a site."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def counts(self) -> MappedCounts:
        """How many there are, of all sites together."""
        tables = (entity_map, contact_map)
        counted = (select(func.count()).select_from(table).scalar_subquery() for table in tables)
        with self._transactions.read() as connection:
            return MappedCounts(*connection.execute(select(*counted)).one())

    def import_entities(
        self,
        site: Site,
        pairs: Sequence[tuple[EntityRef, EntityRef]],
        actor: str = BY_COMMAND,
        why: str = "",
    ) -> Imported:
        """Map (Wix, external) pairs; a pair that links use cannot be taken apart.

        Raises ImportRefused.
        """
        said = (actor, why)
        rows = [_entity_row(site.id, *pair) for pair in pairs]
        sides = [zip(Side, pair, strict=True) for pair in pairs]
        keys = [key for pair in sides for side, ref in pair for key in entity_hold_keys(side, ref)]
        if site.wix_api is WixKind.REVIEWS:
            return self._import(ENTITIES_OF_REVIEWS, rows, keys, site, said)
        return self._import(ENTITIES, rows, keys, site, said)

    def import_contacts(
        self,
        site: Site,
        contacts: Sequence[Contact],
        actor: str = BY_COMMAND,
        why: str = "",
    ) -> Imported:
        """Map people by their address; a contact with links keeps its address.

        Raises ImportRefused.
        """
        rows = [
            {
                "site_id": site.id,
                "wix_contact_id": contact.contact_id,
                "email": contact.email,
                "external_author_id": contact.author_id,
            }
            for contact in contacts
        ]
        emails = [contact.email for contact in contacts if contact.email is not None]
        keys = [key for email in emails for key in email_hold_keys(email)]
        keys += [contact_hold_key(contact.contact_id) for contact in contacts]
        return self._import(CONTACTS, rows, keys, site, (actor, why))

    def _import(
        self,
        mapping: _Mapping,
        rows: Sequence[Row],
        keys: Sequence[str],
        site: Site,
        said: tuple[str, str],
    ) -> Imported:
        """``said``: by whom, and why."""
        with self._transactions.write() as connection:
            counts, replaced = _import_rows(connection, mapping, rows)
            if counts["added"] or counts["changed"]:
                _note_import(connection, mapping, site.id, (counts, replaced, rows), said)
        # After the mappings' own transaction: a worker that holds now looks once more, and finds
        # them.
        released = release_keys(self._transactions, keys, site)
        return Imported(counts["added"], counts["changed"], counts["unchanged"], tuple(released))

    def entities(self, site_id: int) -> list[Entity]:
        return [to_entity(row) for row in self._rows(entity_map, site_id)]

    def contacts(self, site_id: int) -> list[Contact]:
        return [to_contact(row) for row in self._rows(contact_map, site_id)]

    def _rows(self, table: Table, site_id: int) -> Sequence[Any]:
        rows = select(table).where(table.c.site_id == site_id).order_by(table.c.id)
        with self._transactions.read() as connection:
            return connection.execute(rows).all()


def _note_import(
    connection: Connection,
    mapping: _Mapping,
    site_id: int,
    done: tuple[Mapping[str, int], Sequence[Any], Sequence[Row]],
    said: tuple[str, str],
) -> None:
    """An entry of the audit: how many, and the first maps of products; people have no names here.

    What a privacy request erases must not stand here.
    """
    counts, replaced, rows = done
    before: dict[str, Any] = {"replaced": len(replaced)}
    after: dict[str, Any] = dict(counts)
    if mapping.table is entity_map:
        given = [SimpleNamespace(**row) for row in rows[:MAPS_NOTED]]
        before["maps"] = [map_words(row) for row in replaced[:MAPS_NOTED]]
        after["maps"] = [map_words(row) for row in given]
    what = "map.import_entities" if mapping.table is entity_map else "map.import_contacts"
    actor, why = said
    note_change(connection, actor, what, site_id, before=before, after=after, why=why)


def _import_rows(
    connection: Connection, mapping: _Mapping, rows: Sequence[Row]
) -> tuple[dict[str, int], list[Any]]:
    """Insert rows; found rows that differ are replaced unless links use them: how many, and which.

    Raises ImportRefused.
    """
    table, problems, gone = mapping.table, dict[int, str](), list[Any]()
    counts = dict.fromkeys(("added", "changed", "unchanged"), 0)
    for position, row in enumerate(rows):
        is_same = (table.c.site_id == row["site_id"]) & mapping.same(row)
        found = connection.execute(select(table).where(is_same)).all()
        if len(found) == 1 and _has_all(found[0], row):
            counts["unchanged"] += 1
        elif any(_must_stay(connection, mapping, known, row) for known in found):
            problems[position] = IN_USE
        elif twin := _twin(connection, mapping, row, [known.id for known in found]):
            problems[position] = (
                f"product {twin.wix_entity_id} is mapped already, as {map_words(twin)}: Wix Reviews"
                " names a product by its id alone, so it has one map; name it in both columns as it"
                " is to be, and it replaces what no rating uses"
            )
        else:
            # New, or nobody uses what it replaces. A pair may replace two rows, one for each side.
            gone += found
            replaced = table.c.id.in_([known.id for known in found])
            connection.execute(delete(table).where(replaced))
            connection.execute(insert(table).values(row))
            counts["changed" if found else "added"] += 1
    if problems:
        raise ImportRefused(problems)
    return counts, gone


def _twin(connection: Connection, mapping: _Mapping, row: Row, replaced: Sequence[int]) -> Any:
    """A row that stays, and is another name of the same thing; ``None``: there is none."""
    if mapping.twins is None:
        return None
    stays = mapping.table.c.id.not_in(replaced)
    is_twin = mapping.twins(row) & stays
    return connection.execute(select(mapping.table).where(is_twin).limit(1)).first()


def map_words(row: Any) -> str:
    """A row of the map of entities, for people."""
    outside = "/".join(part for part in (row.external_group, row.external_entity_id) if part)
    return f"{row.wix_namespace}/{row.wix_group}/{row.wix_entity_id} to {outside}"


def products_mapped_twice(connection: Connection, site_id: int, most: int) -> list[str]:
    """Ids of Wix with more than one map, with their maps, for people; so many at most."""
    is_of_site = entity_map.c.site_id == site_id
    twice = (
        select(entity_map.c.wix_entity_id)
        .where(is_of_site)
        .group_by(entity_map.c.wix_entity_id)
        .having(func.count() > 1)
        .order_by(entity_map.c.wix_entity_id)
        .limit(most)
    )
    ids = connection.execute(twice).scalars().all()
    rows = select(entity_map).where(is_of_site, entity_map.c.wix_entity_id.in_(ids))
    maps: dict[str, list[str]] = {found: [] for found in ids}
    for row in connection.execute(rows.order_by(entity_map.c.id)):
        maps[row.wix_entity_id].append(map_words(row))
    return [f"{product} ({', '.join(words)})" for product, words in maps.items()]


def _must_stay(connection: Connection, mapping: _Mapping, known: Any, row: Row) -> bool:
    """Whether links use a row for what the new one would change."""
    # What links rely on stays the same: the other columns may change.
    if mapping.fixed and _has_all(known, {name: row[name] for name in mapping.fixed}):
        return False
    used = select(1).where(mapping.uses(known)).limit(1)
    return connection.execute(used).first() is not None


def _entity_row(site_id: int, wix: EntityRef, external: EntityRef) -> Row:
    return {
        "site_id": site_id,
        "wix_namespace": wix.namespace,
        "wix_group": wix.group,
        "wix_entity_id": wix.entity_id,
        "external_group": external.group,
        "external_entity_id": external.entity_id,
    }


def _has_all(found: Any, row: Row) -> bool:
    return all(getattr(found, name) == value for name, value in row.items())
