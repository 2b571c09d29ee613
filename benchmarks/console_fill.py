"""Fills a ledger on PostgreSQL as some years of a large installation would: sites, ratings with
their history, and what is held. The database makes the rows itself, before their indexes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from benchmarks.sites_fleet import BATCH, fill_accounts
from sync_worker.ledger.accounts.sealing import Sealer, new_key, public_of
from sync_worker.ledger.migrations.upgrade import upgrade

DAY = 86_400
NUMBERED = ["link", "inbox", "history", "contact_map", "entity_map", "run", "audit"]
LARGE = [*NUMBERED, "link_value", "unlinked"]
# All but those that keep something unique: they are built at once, when the rows are there.
INDEXES = text("""
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index WHERE indrelid::regclass::text = ANY(:tables) AND NOT indisunique
""")
# Of ten ratings one is of the largest shop, which is site 1.
SITE_OF = "CASE WHEN n % 10 = 0 THEN 1 ELSE 1 + n % :sites END"
THING_OF = f"""CASE WHEN n % 10 = 0 THEN :sites * 10 + 1 + (n / 10) % :things
  ELSE ({SITE_OF} - 1) * 10 + 1 + (n / :sites) % 10 END"""
NAME_OF = """(ARRAY['Anna', 'Ben', 'Carla', 'David', 'Elif', 'Fatma', 'Georg', 'Hanna', 'Ines',
  'Jonas', 'Karim', 'Lena', 'Marek', 'Nora', 'Olga', 'Paul', 'Rosa', 'Samir', 'Tessa', 'Uwe'])
  [1 + n % 20] || ' Muster' || n % 5000"""
SIDE_OF = "CASE WHEN n / 10 % 2 = 0 THEN 'wix' ELSE 'external' END"
SOURCE_OF = "CASE WHEN n / 10 % 2 = 0 THEN site.instance_id ELSE site.external_source END"
# Ids of our own between those that ended: what is held is as old as they are.
ENDED_ID = "n + (n - 1) / 10"
HELD_ID = "11 * n"
# A held one belongs to a rating, or has come to none.
HELD_LINK = "CASE WHEN n % 2 = 0 THEN 1 + (n * 7919 + n / 10) % :links END"
HELD_SITE = "CASE WHEN n % 5 = 1 THEN 1 ELSE 1 + n % :sites END"
HELD_REASON = """(ARRAY['fight', 'unknown_entity', 'too_long', 'unknown_entity', 'refused',
  'unknown_contact', 'delete_brake', 'no_email', 'moderated', 'unknown_contact'])[1 + n % 10]"""
HELD_KEY = f"""CASE {HELD_REASON}
  WHEN 'unknown_entity' THEN CASE WHEN n / 10 % 2 = 0 THEN 'entity:wix:reviews:stores:new-'
    ELSE 'entity:external::new-' END || n % 3000
  WHEN 'unknown_contact' THEN 'contact:email:'
    || encode(sha256(convert_to('new' || n || '@example.com', 'UTF8')), 'hex')
  WHEN 'no_email' THEN 'contact:wix:nc' || n END"""
EVENT = """format('{"updatedEvent": {"currentEntity": {"id": "w-%s", "attributeName": "overall",
  "value": 60, "revision": "2", "entityId": "new-%s", "group": "stores", "namespace": "reviews",
  "owner": {"contactId": "nc%s"}}}}', n, n, n)"""
DELIVERY = """id, side, source, dedupe_id, change, remote_id, payload, state, reason, hold_key,
  link_id, received_at, next_attempt_at, closed_at, attempts, is_restore, is_ours, privacy,
  must_read"""
NOT_SAID = "false, false, false, false"
STATEMENTS = (
    """INSERT INTO entity_map (id, site_id, wix_namespace, wix_group, wix_entity_id,
      external_group, external_entity_id, title)
    SELECT n, CASE WHEN n > :sites * 10 THEN 1 ELSE 1 + (n - 1) / 10 END, 'reviews', 'stores',
      md5('w' || n), '', 'sku-' || n, 'Tea pot ' || n
    FROM generate_series(1, :sites * 10 + :things) n""",
    f"""INSERT INTO contact_map (site_id, wix_contact_id, email, name, external_author_id)
    SELECT {SITE_OF}, 'c' || n, 'p' || n % 333331 || '@example.com', {NAME_OF}, 'a' || n
    FROM generate_series(1, :links) n""",
    f"""INSERT INTO link (id, site_id, entity_id, contact_id, external_id, external_revision,
      external_state, external_record, writes, state, generation, fence, lease_until)
    SELECT n, {SITE_OF}, {THING_OF}, 'c' || n, 'e-' || n, 1, 'published', '{{}}', '[]',
      CASE WHEN n % 1000 = 1 THEN 'held' WHEN n % 200 = 3 THEN 'buried' ELSE 'live' END, 0, 0, 0
    FROM generate_series(1, :links) n""",
    f"""INSERT INTO link_value (link_id, attribute, site_id, wix_id, wix_revision, wix_state,
      base_wix, base_external)
    SELECT n, 'overall', {SITE_OF}, 'w-' || n, 1, 'published', '80', '4'
    FROM generate_series(1, :links) n""",
    f"""INSERT INTO inbox ({DELIVERY})
    SELECT {ENDED_ID}, {SIDE_OF}, {SOURCE_OF}, 'd' || n,
      'upsert', 'w-' || n, '{{}}', 'done', '', NULL, n, :first + n * :step, :first + n * :step,
      :first + n * :step + 1, 0, {NOT_SAID}
    FROM generate_series(1, :links) n JOIN site ON site.id = {SITE_OF}""",
    f"""INSERT INTO inbox ({DELIVERY})
    SELECT {HELD_ID}, {SIDE_OF}, {SOURCE_OF}, 'h' || n,
      'upsert', 'h-' || n, {EVENT}, 'held', {HELD_REASON}, {HELD_KEY}, {HELD_LINK},
      :first + 10 * n * :step, :first, :first + 10 * n * :step + 1, 0, {NOT_SAID}
    FROM generate_series(1, :held) n
    JOIN site ON site.id = COALESCE((SELECT site_id FROM link WHERE id = {HELD_LINK}), {HELD_SITE})
    """,
    f"""INSERT INTO inbox ({DELIVERY})
    SELECT 12 * :links + n, {SIDE_OF}, {SOURCE_OF},
      'o' || n, 'upsert', 'w-' || n, '{{}}', 'new', CASE WHEN n % 3 = 0 THEN '' ELSE 'unavailable'
      END, NULL, n, :now - n, :now + n, NULL, 3, {NOT_SAID}
    FROM generate_series(1, :held / 20) n JOIN site ON site.id = {SITE_OF}""",
    f"""INSERT INTO unlinked (inbox_id, site_id, email_key, person_id, name, name_key, entity_id)
    SELECT {HELD_ID}, {HELD_SITE}, 'contact:email:'
      || encode(sha256(convert_to('new' || n || '@example.com', 'UTF8')), 'hex'), 'nc' || n,
      {NAME_OF}, lower({NAME_OF}), 'new-' || n % 3000
    FROM generate_series(1, :held) n WHERE n % 2 = 1""",
    f"""INSERT INTO history (site_id, link_id, at, what, side, attribute, before, after, loser,
      loser_side, reason, remote_id, intent_id, actor)
    SELECT {SITE_OF}, n, :first + n * :step + 1, CASE WHEN n % 3 = 0 THEN 'update' WHEN n % 50 = 1
      THEN 'delete' ELSE 'create' END, CASE WHEN n % 2 = 0 THEN 'external' ELSE 'wix' END,
      'overall', '60', '80', CASE WHEN n % 30 = 0 THEN '60' END, CASE WHEN n % 30 = 0 THEN
      'external' END, '', 'e-' || n, '', CASE WHEN n % 400 = 0 THEN 'sam' ELSE '' END
    FROM generate_series(1, :links) n""",
    f"""INSERT INTO history (site_id, link_id, at, what, side, attribute, before, after, reason,
      remote_id, intent_id, inbox_id)
    SELECT link.site_id, link.id, :first + 10 * n * :step, 'hold', 'external', 'overall', '60', '4',
      {HELD_REASON}, 'h-' || n, '', {HELD_ID}
    FROM generate_series(1, :held) n JOIN link ON link.id = {HELD_LINK}""",
    """INSERT INTO run (site_id, kind, state, counts, started_at, ended_at)
    SELECT 1 + n % :sites, CASE WHEN n < :sites THEN 'baseline' WHEN n < 6 * :sites THEN 'sweep'
      ELSE 'poll' END, 'done', '{"listed": 100, "matched": 98, "created": 2}',
      :now - 30 * 86400 + n * 10, :now - 30 * 86400 + n * 10 + 5
    FROM generate_series(0, 24 * :sites) n WHERE n >= :sites OR 1 + n % :sites <> 9""",
    """INSERT INTO audit (at, actor, site_id, what, values_before, values_after, why)
    SELECT :first + n * 10, CASE WHEN n % 3 = 0 THEN 'owner:u' || n % 5000 WHEN n % 3 = 1 THEN 'sam'
      ELSE 'kim' END, CASE WHEN n % 20 > 0 THEN 1 + n % :sites END,
      (ARRAY['held.release', 'site.pause', 'site.policy', 'login'])[1 + n % 4], '{}',
      '{"deliveries": 3}', 'asked for by phone'
    FROM generate_series(1, 20 * :sites) n""",
    "UPDATE site SET state = 'paused' WHERE id % 100 = 7",
    "UPDATE site SET state = 'removed', removed_at = :now WHERE id % 50 = 13",
    """INSERT INTO site_pause (site_id, paused_at, until, why, actor, state_before)
    SELECT id, :now - 60, NULL, 'they move house', 'sam', 'active' FROM site
    WHERE state = 'paused'""",
    """INSERT INTO site_side (site_id, side, state, since, reason, next_probe_at)
    SELECT id, 'external', 'failing', :now - 600, 'token refused', :now FROM site
    WHERE id % 150 = 8""",
    """INSERT INTO site_fault (work, source, failures, error, failed_at, next_try_at)
    SELECT 'sweep', external_source, 3, 'reviews answers 503', :now - 60, :now + 60 FROM site
    WHERE id % 300 = 11""",
    """INSERT INTO entity_proposal (site_id, wix_namespace, wix_group, wix_entity_id,
      external_group, external_entity_id, way, title, external_title, state, found_at)
    SELECT 1 + n % :sites, 'reviews', 'stores', 'p' || n, '', 'new-' || n, 'name', 'Tea cup ' || n,
      'Teacup ' || n, 'open', :now FROM generate_series(1, 3 * :sites) n""",
    """INSERT INTO door_count (source, result, reason, hour, number)
    SELECT source, result, '', floor(:now / 3600)::int - n, 100 + n
    FROM generate_series(0, 47) n, (VALUES ('wix'), ('own-service')) AS s (source),
      (VALUES ('accepted'), ('duplicate')) AS r (result)""",
    """INSERT INTO door_source (source, accepted_at, refusals)
    VALUES ('wix', :now - 5, 0), ('own-service', :now - 9, 0)""",
    """INSERT INTO heartbeat (id, kind, host, pid, version, started_at, seen_at, every_seconds,
      clock_ahead, slots, busy)
    SELECT kind || '@host' || n, kind, 'host' || n, 100 + n, '0.1.0', :now - 3600, :now, 86400, 0,
      16, 3 FROM generate_series(1, 4) n, (VALUES ('gateway'), ('worker')) AS k (kind)""",
)


@dataclass(frozen=True, slots=True)
class Filling:
    """How much there is; ten times as many links as held ones, and more links than sites."""

    sites: int = 10_000
    links: int = 1_000_000
    held: int = 100_000


def fill_console(engine: Engine, of: Filling) -> None:
    """A new ledger, with all of it."""
    upgrade(engine)
    sealer = Sealer(public_of(new_key()))
    for start in range(0, of.sites, BATCH):
        fill_accounts(engine, sealer, range(start, min(start + BATCH, of.sites)))
    with engine.begin() as connection:
        _unhurried(connection)
        now = connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
        values = {"sites": of.sites, "links": of.links, "held": of.held, "now": float(now)}
        values |= {"things": max(1, of.links // 1000), "step": 30.0 * DAY / of.links}
        values["first"] = float(now) - 30 * DAY
        with _indexes_afterwards(connection):
            for statement in STATEMENTS:
                asked = text(statement)
                used = {name: values[name] for name in asked.compile().params}
                connection.execute(asked, used)
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))
        connection.invalidate()


def _unhurried(connection: Connection) -> None:
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    connection.execute(text("SET LOCAL maintenance_work_mem = '256MB'"))
    # Without the checks of foreign keys, which take most of the time.
    connection.execute(text("SET LOCAL session_replication_role = replica"))


@contextmanager
def _indexes_afterwards(connection: Connection) -> Iterator[None]:
    known = connection.execute(INDEXES, {"tables": LARGE}).all()
    for index in known:
        connection.execute(text(f"DROP INDEX {index.name}"))
    yield
    for index in known:
        connection.exec_driver_sql(index.definition)
    for table in NUMBERED:
        connection.execute(
            text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")
        )
