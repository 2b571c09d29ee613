"""Where a remote id or an entity belongs: tables ``entity_map``, ``link`` and ``tombstone``."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from sync_worker.core.hold_keys import erased_id
from sync_worker.core.ports.links import Shown
from sync_worker.core.values import Located, RatingKey, Side
from sync_worker.ledger.sql_text import SqlText, columns_of
from sync_worker.ledger.statements import contacts
from sync_worker.ledger.statements.tombstones import hashed_id, to_located
from sync_worker.ledger.tables import entity_map

_WIX_ON_FILE = """FROM link JOIN link_value ON link_value.link_id = link.id
WHERE link_value.site_id = :site_id AND link_value.wix_id = :remote_id"""
_EXTERNAL_ON_FILE = "FROM link WHERE link.site_id = :site_id AND link.external_id = :remote_id"


def _on_file(which: str) -> SqlText:
    return SqlText(f"""
-- directory.on_file: the link that has this id on file now
SELECT link.entity_id, link.contact_id {which}
""")


def _located(which: str) -> SqlText:
    return SqlText(f"""
-- directory.located: the link that has an id on file, else its tombstone, in clear or hashed
SELECT link.entity_id, link.contact_id, NULL AS revision, NULL AS sequence, NULL AS privacy,
  1 AS is_on_file
{which}
UNION ALL
SELECT link.entity_id, link.contact_id, tombstone.revision, tombstone.sequence, tombstone.privacy,
  0 AS is_on_file
FROM tombstone LEFT JOIN link ON link.id = tombstone.link_id
WHERE tombstone.site_id = :site_id AND tombstone.side = :side
  AND tombstone.remote_id IN (:remote_id, :erased_id)
ORDER BY is_on_file DESC LIMIT 1
""")


ON_FILE: Mapping[Side, SqlText] = {
    Side.WIX: _on_file(_WIX_ON_FILE),
    Side.EXTERNAL: _on_file(_EXTERNAL_ON_FILE),
}

LOCATED: Mapping[Side, SqlText] = {
    Side.WIX: _located(_WIX_ON_FILE),
    Side.EXTERNAL: _located(_EXTERNAL_ON_FILE),
}

_HASHED = hashed_id("told.site_id", "told.side", "told.remote_id")
LOCATED_OF = SqlText(f"""
-- directory.located_of: the same of the record of a delivery, at its site (PostgreSQL only)
WITH told AS (SELECT inbox.side, inbox.remote_id, CASE inbox.side
    WHEN 'wix' THEN (SELECT site.id FROM site WHERE site.instance_id = inbox.source)
    ELSE (SELECT site.id FROM site WHERE site.external_source = inbox.source) END AS site_id
  FROM inbox WHERE inbox.id = :inbox_id)
SELECT link.entity_id, link.contact_id, NULL::bigint AS revision, NULL::bigint AS sequence,
  NULL::boolean AS privacy, 1 AS is_on_file
FROM told JOIN link_value ON told.side = 'wix' AND link_value.site_id = told.site_id
  AND link_value.wix_id = told.remote_id
JOIN link ON link.id = link_value.link_id
UNION ALL
SELECT link.entity_id, link.contact_id, NULL, NULL, NULL, 1
FROM told JOIN link ON told.side = 'external' AND link.site_id = told.site_id
  AND link.external_id = told.remote_id
UNION ALL
SELECT link.entity_id, link.contact_id, tombstone.revision, tombstone.sequence, tombstone.privacy, 0
FROM told JOIN tombstone ON tombstone.site_id = told.site_id AND tombstone.side = told.side
  AND tombstone.remote_id = ANY(ARRAY[told.remote_id, {_HASHED}]::varchar[])
LEFT JOIN link ON link.id = tombstone.link_id
ORDER BY is_on_file DESC LIMIT 1
""")

DELETED = SqlText("""
-- directory.deleted: what a buried record showed when we deleted it; the last delete comes last
SELECT history.attribute, history.before, CASE WHEN history.words_hashed THEN NULL
  ELSE history.words_before END AS words_before FROM tombstone
JOIN history ON history.link_id = tombstone.link_id
WHERE tombstone.site_id = :site_id AND tombstone.side = :side
  AND tombstone.remote_id = :remote_id AND history.remote_id = :remote_id
  AND history.side = :side AND history.what = 'delete' AND history.intent_id <> ''
ORDER BY history.id
""")

ENTITY: Mapping[Side, SqlText] = {
    Side.WIX: SqlText(f"""
-- directory.entity: by its name on Wix
SELECT {columns_of(entity_map)} FROM entity_map
WHERE site_id = :site_id AND wix_namespace = :namespace AND wix_group = :group
  AND wix_entity_id = :entity_id
"""),
    Side.EXTERNAL: SqlText(f"""
-- directory.entity: by its name on the external system
SELECT {columns_of(entity_map)} FROM entity_map
WHERE site_id = :site_id AND external_group = :group AND external_entity_id = :entity_id
"""),
}

PRODUCT = SqlText(f"""
-- directory.product: by its id alone, as Wix Reviews names it; the first that was mapped
SELECT {columns_of(entity_map)} FROM entity_map
WHERE site_id = :site_id AND wix_entity_id = :entity_id ORDER BY id LIMIT 1
""")


def locate(connection: Connection, site_id: int, side: Side, remote_id: str) -> Located:
    """What the ledger knows about a remote id."""
    row = LOCATED[side].first(
        connection,
        site_id=site_id,
        side=str(side),
        remote_id=remote_id,
        erased_id=erased_id(site_id, side, remote_id),
    )
    return to_located(row, site_id, side, remote_id)


def key_of_shown(connection: Connection, site_id: int, shown: Shown) -> RatingKey | None:
    """The key of a thing and a person that are mapped as they are named."""
    ref = shown.entity
    text = PRODUCT if shown.is_product else ENTITY[shown.side]
    entity_id = text.scalar(
        connection,
        site_id=site_id,
        namespace=ref.namespace,
        group=ref.group,
        entity_id=ref.entity_id,
    )
    contact_id = shown.rater
    if shown.side is Side.EXTERNAL:
        of_address = contacts.OF_ADDRESS.first(connection, site_id=site_id, email=shown.rater)
        contact_id = "" if of_address is None else of_address.wix_contact_id
    # A contact that was merged away: the usual way finds the one that lives on.
    row = contacts.UNMERGED.first(connection, site_id=site_id, contact_id=contact_id)
    if entity_id is None or row is None:
        return None
    return RatingKey(site_id, entity_id, contact_id)
