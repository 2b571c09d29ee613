"""Texts that put an intent on file, under a lease that outlives the call."""

from __future__ import annotations

from sync_worker.ledger.sql_text import SqlText

_COLUMNS = """id, site_id, link_id, side, attribute, operation, targets, sources, befores,
  reasons, is_privacy, remote_id, base_revision, source_ids, state, created_at"""

_VALUES = """:id::varchar, :site_id::bigint, :link_id::bigint, :side::varchar,
  :attribute::varchar, :operation::varchar, :targets::varchar, :sources::varchar, :befores::varchar,
  :reasons::varchar, :is_privacy::boolean, :remote_id::varchar, :base_revision::bigint,
  :source_ids::varchar, :state::varchar"""
_IS_HELD = "link.id = :link_id AND link.fence = :fence AND link.lease_until"

# Under a lease just taken nobody can take it as long as the statement runs, and the link need not
# be written. Both parts ask the one time that ``clock`` has read: a lease is fresh, or it is not.
NEW_INTENT = SqlText(
    f"""
-- intent.new: no row if the lease is lost; one that is not fresh is renewed
WITH clock AS MATERIALIZED (SELECT ledger_now() AS now),
renewed AS (UPDATE link SET lease_until = clock.now + :lease_seconds::float8 FROM clock
  WHERE {_IS_HELD} > clock.now AND link.lease_until <= clock.now + :fresh_seconds::float8
  RETURNING link.id),
fresh AS (SELECT link.id FROM link, clock WHERE {_IS_HELD} > clock.now + :fresh_seconds::float8),
held AS (SELECT id FROM renewed UNION ALL SELECT id FROM fresh)
INSERT INTO intent ({_COLUMNS})
SELECT {_VALUES}, clock.now FROM held, clock
""",
    # It changes no row of one table within a statement on another: see ``intent.new_if_renewed``.
    sqlite=f"""
INSERT INTO intent ({_COLUMNS})
SELECT {_VALUES}, ledger_now()
FROM link WHERE {_IS_HELD} > ledger_now() + :fresh_seconds
""",
)

NEW_INTENT_IF_RENEWED = SqlText(f"""
-- intent.new_if_renewed: SQLite only, after link.renew; an index lets a link have one open intent
INSERT INTO intent ({_COLUMNS}) VALUES ({_VALUES}, ledger_now())
""")
