"""What a search costs on PostgreSQL: every statement is answered by an index, however many rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from sync_worker.ledger.database import open_engine
from sync_worker.ledger.ratings.activity_lines import ActivityFilter, ActivityLines
from sync_worker.ledger.ratings.rating_search import RatingFilter, RatingSearch, Standing
from sync_worker.ledger.ratings.rating_story import RatingStories
from sync_worker.ledger.transactions import Transactions

pytestmark = pytest.mark.full

LINKS, SITES, HELD = 60_000, 300, 6_000
LARGE = ("link", "link_value", "inbox", "history", "contact_map", "entity_map", "unlinked")
FILL = f"""
INSERT INTO site (id, instance_id, connector, external_source, policy, state, created_at)
  SELECT n, 'instance-' || n, 'shop', 'shop/' || n, '{{}}', 'active', 0
  FROM generate_series(1, {SITES}) n;
INSERT INTO entity_map (id, site_id, wix_namespace, wix_group, wix_entity_id, external_group,
    external_entity_id, title)
  SELECT n, 1 + n % {SITES}, 'reviews', 'stores', md5('w' || n), '', 'sku-' || n, 'Tea pot ' || n
  FROM generate_series(1, {LINKS // 10}) n;
INSERT INTO contact_map (site_id, wix_contact_id, email, name)
  SELECT 1 + (n / 10) % {SITES}, md5('c' || n), 'p' || n || '@example.com', 'Person ' || n
  FROM generate_series(1, {LINKS}) n;
INSERT INTO link (id, site_id, entity_id, contact_id, external_id, writes, state, generation,
    fence, lease_until, external_state)
  SELECT n, 1 + (n / 10) % {SITES}, 1 + n / 10 % {LINKS // 10}, md5('c' || n), md5('e' || n), '[]',
    'live', 0, 0, 0, 'published'
  FROM generate_series(1, {LINKS}) n;
INSERT INTO link_value (link_id, attribute, site_id, wix_id, wix_state)
  SELECT n, 'overall', 1 + (n / 10) % {SITES}, md5('v' || n), 'published'
  FROM generate_series(1, {LINKS}) n;
INSERT INTO history (site_id, link_id, at, what, attribute, reason, remote_id, intent_id)
  SELECT 1 + (n / 10) % {SITES}, n, 1700000000 + n, 'update', 'overall', '', md5('e' || n), ''
  FROM generate_series(1, {LINKS}) n;
INSERT INTO inbox (id, side, source, dedupe_id, change, remote_id, payload, state, reason, link_id,
    received_at, next_attempt_at, is_restore, is_ours, privacy, must_read, attempts)
  SELECT n, 'external', 'shop/' || 1 + n % {SITES}, 'd' || n, 'upsert', md5('x' || n), '{{}}',
    CASE WHEN n > {LINKS} - {HELD} THEN 'held' ELSE 'done' END, 'unknown_entity',
    CASE WHEN n % 2 = 0 THEN n END, n, n, false, false,
    false, false, 0
  FROM generate_series(1, {LINKS}) n;
INSERT INTO unlinked (inbox_id, site_id, email_key, name_key, entity_id)
  SELECT n, 1 + n % {SITES}, md5('k' || n), 'person ' || n, 'sku-' || n
  FROM generate_series({LINKS} - {HELD}, {LINKS}) n WHERE n % 2 = 1;
"""  # noqa: S608 - constants of this file


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    engine = open_engine(postgres_url)
    with engine.begin() as connection:
        # Without the checks of foreign keys, which take most of the time.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in FILL.split(";\n"):
            if statement.strip():
                connection.execute(text(statement))
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("ANALYZE"))
    yield engine
    engine.dispose()


def plans(
    engine: Engine, asked: list[tuple[str, Any]]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each statement with the nodes of its plan."""
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        for statement, values in asked:
            if statement.lstrip().upper().startswith("SELECT"):
                (row,) = driver.execute(f"EXPLAIN (FORMAT JSON) {statement}", values).fetchone()
                yield statement, list(nodes(row[0]["Plan"]))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def test_no_search_reads_a_large_table_from_end_to_end(engine: Engine) -> None:
    transactions = Transactions(engine)
    search, stories = RatingSearch(transactions), RatingStories(transactions)
    activity = ActivityLines(transactions)
    asked: list[tuple[str, Any]] = []

    def note(conn: Any, cursor: Any, statement: str, values: Any, *rest: Any) -> None:
        asked.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    words = (
        "p77@example.com",
        "Person 77",
        "sku-77",
        "Tea pot 7",
        "instance-7",
        "r77",
        "#77",
        "h77",
        "0badcafe",
        "aa7",
        "aa77b1",
        "nothing of it",
    )
    for site_id in (None, 7):
        for word in words:
            search.find(word, RatingFilter(site_id=site_id))
        for which in (
            RatingFilter(site_id, Standing.HELD),
            RatingFilter(site_id, differs=True),
            RatingFilter(site_id, product="sku-77"),
            RatingFilter(site_id, Standing.NOT_LINKED),
        ):
            search.find("", which, 40_000)
        activity.page(ActivityFilter(site_id, overwritten=True))
        activity.page(ActivityFilter(site_id, actor="sam", kinds=["update"]), 30_000)
    stories.of_rating(77, None)
    event.remove(engine, "before_cursor_execute", note)
    read_whole = {
        (node["Relation Name"], statement)
        for statement, found in plans(engine, asked)
        for node in found
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE
    }
    assert read_whole == set(), "\n\n".join(f"{table}: {sql}" for table, sql in read_whole)
