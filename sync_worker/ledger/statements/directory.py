"""Where a remote id or an entity belongs: tables ``entity_map``, ``link`` and ``tombstone``."""

from __future__ import annotations

from collections.abc import Mapping

from sync_worker.core.values import Side
from sync_worker.ledger.sql_text import SqlText, columns_of
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
