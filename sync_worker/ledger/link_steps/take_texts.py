"""Texts of one batch that takes a lease: each goes on from what those before it have done.

PostgreSQL only. The version of a link's row that this transaction wrote (``xmin``) tells the later
ones that the lease is ours: https://www.postgresql.org/docs/current/ddl-system-columns.html
"""

from __future__ import annotations

from sync_worker.ledger.sql_text import SqlText, columns_of
from sync_worker.ledger.statements.inbox import CAN_BE_TAKEN, TAKEN
from sync_worker.ledger.statements.tombstones import hashed_id
from sync_worker.ledger.tables import contact_map, entity_map, inbox, intent, link, link_value


def _around(which: str, names: str) -> str:
    """A row for each value (one if there is none), with all that a run needs besides."""
    return f"""
SELECT {columns_of(entity_map)}, {columns_of(link_value)}, {columns_of(intent)},
  {columns_of(contact_map)},
  EXISTS (SELECT 1 FROM contact_redirect AS away
    WHERE away.site_id = link.site_id AND away.contact_id = link.contact_id)
  OR EXISTS (SELECT 1 FROM contact_redirect AS here
    WHERE here.site_id = link.site_id AND here.target_id = link.contact_id) AS is_in_merge,
  EXISTS (SELECT 1 FROM tombstone WHERE tombstone.site_id = link.site_id
    AND tombstone.side IN ('wix', 'external')
    AND tombstone.remote_id = ANY({names}))
  OR EXISTS (SELECT 1 FROM link AS other WHERE other.site_id = link.site_id
    AND other.external_id = ANY({names}) AND other.id <> link.id) AS is_any_known
FROM link JOIN entity_map ON entity_map.id = link.entity_id
LEFT JOIN link_value ON link_value.link_id = link.id
LEFT JOIN intent ON intent.link_id = link.id AND intent.state = 'open'
LEFT JOIN contact_map ON contact_map.id = (SELECT min(own.id) FROM contact_map AS own
  WHERE own.site_id = link.site_id AND own.wix_contact_id = link.contact_id)
WHERE {which}
"""


AROUND = SqlText(f"""
-- link.around: what a run needs besides the link
{_around("link.id = :link_id", ":names::varchar[]")}
""")

# The first text of a batch names the key for its transaction; the others go on from that.
_ENTITY = "nullif(current_setting('ratings_sync.entity', true), '')::bigint"
_CONTACT = "nullif(current_setting('ratings_sync.contact', true), '')"
_OF_KEY = f"""link.site_id = :site_id AND link.entity_id = {_ENTITY}
  AND link.contact_id = {_CONTACT}"""
_IS_OURS = "link.xmin = pg_current_xact_id()::xid"
_HASHED = hashed_id(":site_id::bigint", "told.side", "told.remote_id")
_NAMES = f"""(SELECT ARRAY[told.remote_id, {_HASHED}]
      FROM inbox AS told WHERE told.id = :inbox_id)::varchar[]"""
_TOMBSTONE = f"'contact:' || {_CONTACT}"


def _named(entity: str, contact: str) -> str:
    # Under the contact's lock: an erasure shows in the texts that follow, or waits for their link.
    return f"""set_config('ratings_sync.entity', {entity}::text, true),
  set_config('ratings_sync.contact', {contact}::text, true),
  pg_advisory_xact_lock(hashtextextended(
    concat_ws(':', :site_id::text, 'wix', 'contact', {contact}::text), 0))"""


def _name_shown(thing: str, rater: str) -> SqlText:
    return SqlText(f"""
-- key.name_shown: of what a record names, if both are mapped and the person was not merged away
SELECT {_named("thing.id", "rater.contact_id")}
FROM (SELECT id FROM entity_map WHERE site_id = :site_id AND {thing} ORDER BY id LIMIT 1) AS thing,
  (SELECT own.wix_contact_id AS contact_id FROM contact_map AS own
    WHERE own.site_id = :site_id AND own.{rater} = :rater ORDER BY own.id LIMIT 1) AS rater
WHERE NOT EXISTS (SELECT 1 FROM contact_redirect AS away
  WHERE away.site_id = :site_id AND away.contact_id = rater.contact_id)
""")


NAME_KEY = SqlText(f"""
-- key.name: for this transaction
SELECT {_named(":entity_id", ":contact_id")}
""")
NAME_SHOWN_ON_WIX = _name_shown(
    "wix_namespace = :namespace AND wix_group = :group AND wix_entity_id = :name",
    "wix_contact_id",
)
NAME_SHOWN_PRODUCT = _name_shown("wix_entity_id = :name", "wix_contact_id")
NAME_SHOWN_OUTSIDE = _name_shown("external_group = :group AND external_entity_id = :name", "email")

NEW_IF_ABSENT = SqlText(f"""
-- link.new_if_absent: under the contact's lock, and not for one who is erased
INSERT INTO link (site_id, entity_id, contact_id, state, generation, fence, lease_until, writes,
  shadowed)
SELECT :site_id::bigint, {_ENTITY}, {_CONTACT}, 'live', 0, 0, 0, '[]', '[]'
WHERE {_ENTITY} IS NOT NULL AND {_CONTACT} IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM link WHERE {_OF_KEY})
  AND NOT EXISTS (SELECT 1 FROM tombstone WHERE tombstone.site_id = :site_id
    AND tombstone.side = 'wix' AND tombstone.remote_id = ANY(ARRAY[{_TOMBSTONE},
      {hashed_id(":site_id::bigint", "'wix'", f"({_TOMBSTONE})")}]::varchar[]))
ON CONFLICT DO NOTHING
""")

TAKE_LEASE_OF_KEY = SqlText(f"""
-- link.take_lease_of_key: if it is free; the new fence shuts out every earlier holder
UPDATE link SET fence = fence + 1, lease_until = ledger_now() + :lease_seconds::float8
WHERE {_OF_KEY} AND lease_until <= ledger_now()
RETURNING {columns_of(link)}, ledger_now() AS now
""")

ATTACH_OWN = SqlText(f"""
-- inbox.attach_own: as inbox.attach_and_take, if the lease of the key is ours
WITH own AS (SELECT link.id FROM link WHERE {_OF_KEY} AND {_IS_OURS})
UPDATE inbox SET {TAKEN}, site_id = :site_id, link_id = (SELECT own.id FROM own)
WHERE {CAN_BE_TAKEN} AND (inbox.id = :inbox_id OR inbox.link_id = (SELECT own.id FROM own))
  AND EXISTS (SELECT 1 FROM own)
RETURNING {columns_of(inbox)}
""")

TAKE_OWN = SqlText(f"""
-- inbox.take_own: as inbox.take, if the lease of the link is ours
UPDATE inbox SET {TAKEN}
WHERE {CAN_BE_TAKEN}
  AND link_id = (SELECT link.id FROM link WHERE link.id = :link_id AND {_IS_OURS})
RETURNING {columns_of(inbox)}
""")

AROUND_KEY = SqlText(f"""
-- link.around_key: as link.around, of a key, with what is known of the record of one delivery
{_around(_OF_KEY, _NAMES)}
""")
