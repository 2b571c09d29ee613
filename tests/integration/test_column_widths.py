"""Texts as long as each column of the ledger, and one character longer, at both doors.

Whatever a sender says: stored, held in words or refused in words, never 503, and no column holds
more than PostgreSQL would. A new column belongs to one of the lists here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Column, String, Text, func, select

from sync_worker.ledger.tables import metadata
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.integration.counted_bench import Bench, opened
from tests.integration.hostile_records import (
    door_of,
    external_record,
    has_crossed,
    posted,
    unseen,
    wix_rating,
    work_off,
)

POLICY = {"unknown_entity": "same_id", "unknown_contact": "create"}
# Filled here from outside, with texts of at least 20 characters.
FROM_A_DOOR = frozenset(
    {
        *("inbox.source", "inbox.dedupe_id", "inbox.remote_id", "inbox.hold_key"),
        *("entity_map.wix_entity_id", "entity_map.external_entity_id"),
        *("contact_map.email", "contact_map.name", "link.external_id", "history.remote_id"),
        "unlinked.person_id",
    }
)
# Words, numbers and ids of our own or of our systems; others' words come there by the port alone,
# which tests/integration/ledger/test_words_written_down.py tries.
OURS = frozenset(
    {
        *("account.side", "account.state", "field_map.mapping", "heartbeat.id", "heartbeat.host"),
        *("heartbeat.kind", "heartbeat.version", "history.intent_id", "history.loser_side"),
        *("history.side", "history.what", "inbox.change", "inbox.event_time", "inbox.reason"),
        *("inbox.side", "inbox.state", "intent.id", "intent.operation", "intent.side"),
        *("intent.state", "link.external_identity", "link.external_state", "link.state"),
        *("link_value.wix_state", "link_value.wix_standing"),
        *("listed.change", "listed.hold", "listed.mark", "listed.side", "missing.side"),
        *("run.kind", "run.reason", "run.state", "site.state", "site_fault.error"),
        "site.wix_api",
        *("site_fault.work", "tombstone.side", "door_count.reason", "door_count.result"),
        *("door_source.refused_reason", "door_source.refused_result"),
        # Ids of manifests, which have 63 characters at most.
        *("door_count.source", "door_source.source", "hook_state.source", "site.connector"),
        "hook_state.made_with",
        *("site_fault.source", "set_aside.wix_api"),
        *("entity_proposal.state", "entity_proposal.way"),
        *("account.public_id", "account.connector", "account_address.address", "audit.what"),
        *("account_secret.name", "site.external_source", "site_side.side", "site_side.state"),
        # Names of people and tokens are bounded where they are given; owners' by their entrance.
        *("console_attempt.hash", "console_form.hash", "console_form.session_hash"),
        *("console_instance.hash", "console_link.hash", "console_person.name"),
        *("console_person.role", "console_session.hash", "console_session.instance_id"),
        *("console_session.locale", "console_session.uid", "console_token.hash"),
        *("console_token.made_by", "console_token.name"),
        *("site_pause.state_before", "unlinked.email_key", "catalogue_part.side"),
        # The name and the addresses of a file are bounded as it is sent (services/imports/sending).
        *("import_file.name", "import_file.phase", "import_file.reason", "import_file.state"),
        *("import_row.email", "import_row.what", "import_row.problem", "import_row.reason"),
    }
)
# Read by the same readers as what is thrown here, or from files: test_hostile_values.py throws at
# listings, answers, maps, imports and arguments.
ELSEWHERE = frozenset(
    {
        *("contact_map.external_author_id", "contact_map.wix_contact_id", "link.contact_id"),
        *("contact_redirect.contact_id", "contact_redirect.target_id", "site.instance_id"),
        *("entity_map.external_group", "entity_map.wix_group", "entity_map.wix_namespace"),
        *("field_map.wix_attribute", "field_map.external_field", "field_map.external_max"),
        *("field_map.external_min", "field_map.external_step", "field_map.wix_max"),
        *("field_map.wix_min", "field_map.wix_step", "history.after", "history.attribute"),
        *("history.before", "history.loser", "intent.attribute", "intent.remote_id"),
        *("link_value.attribute", "link_value.base_external", "link_value.base_wix"),
        *("link_value.wix_id", "listed.contact_id", "listed.remote_id", "missing.remote_id"),
        *("tombstone.remote_id", "account.identity", "audit.actor", "history.actor"),
        *("site_pause.actor", "site_pause.why", "import_file.actor"),
        *("import_row.place", "import_row.contact_id"),
        *("unlinked.entity_id", "unlinked.name", "unlinked.name_key"),
        # Of a catalogue, bounded as its items are read: tests/unit/manifest, test_new_products.py.
        *("entity_map.title", "entity_proposal.external_entity_id", "entity_proposal.title"),
        *("entity_proposal.external_group", "entity_proposal.external_title"),
        *("entity_proposal.wix_entity_id", "entity_proposal.wix_group"),
        *("entity_proposal.wix_namespace", "catalogue_asked.hold_key"),
    }
)


def columns() -> Iterator[Column[str]]:
    """Those of a bounded width."""
    for table in metadata.tables.values():
        for column in table.c:
            if isinstance(column.type, String) and not isinstance(column.type, Text):
                yield column


def width_of(column: Column[str]) -> int:
    return int(getattr(column.type, "length", None) or 0)


def texts() -> Iterator[str]:
    """Of one, two and four bytes a character; NUL, and half of a pair of surrogates."""
    for width in sorted({width_of(column) for column in columns()}):
        yield "a" * width
        yield "é" * (width + 1)
        yield "\U0001f600" * (width + 1)
    yield from ("a\0b" * 10, "a\ud83d" * 10)


def test_every_column_is_in_one_of_the_lists() -> None:
    listed = [*FROM_A_DOOR, *OURS, *ELSEWHERE]
    assert sorted(listed) == sorted(str(column) for column in columns())


def at_the_external_door(bench: Bench) -> None:
    url, number = f"{door_of(bench)}/webhooks/external/own-service", 0
    for place in ("event_id", "type", "id", "subject", "email", "name"):
        for text in texts():
            number += 1
            said = json.dumps(f"{text}@example.com" if place == "email" else text)
            # Each is somebody's first, and there when it is asked for.
            person = f"p{number}@example.com"
            record = external_record(place, said, f"9{number}").replace("ada@example.com", person)
            held = json.loads(record)
            bench.box.reviews.ratings[held["id"]] = held
            outer = {"event_id": f'"e{number}"', "type": '"rating.updated"'}
            outer |= {place: said} if place in outer else {}
            body = f'{{"event_id": {outer["event_id"]}, "type": {outer["type"]}, "data": {record}}}'
            content = body.encode()
            headers = bench.box.reviews.signed("unused", content)
            assert posted(url, content, headers) == 200, (place, len(text))
            work_off(bench, place)


def at_the_wix_door(bench: Bench) -> None:
    url, number = f"{door_of(bench)}/webhooks/wix", 0
    for place in ("instance", "event_id", "id", "attribute", "entity", "group", "contact", "time"):
        for text in texts():
            number += 1
            said = json.dumps(text)
            outer = {
                "event_id": f'"e{number}"',
                "id": f'"w{number}"',
                "time": '"2026-01-01T00:00:00Z"',
            }
            outer |= {place: said} if place in outer else {}
            event = (
                '{{"id": {event_id}, "entityFqdn": "wix.ratings.v1.rating", "slug": "created",'
                ' "entityId": {id}, "eventTime": {time}, "entityEventSequence": "1",'
                ' "createdEvent": {{"entity": '
            ).format(**outer) + f"{wix_rating(bench, place, said, str(number))}}}}}"
            instance_id = text if place == "instance" else bench.box.wix.instance_id
            envelope = {"instanceId": instance_id, "eventType": "x", "data": event}
            status = posted(url, bench.box.wix.signed(envelope), {})
            # No instance has such an id.
            is_no_instance = place == "instance" and (len(text) > 64 or not text.isprintable())
            assert status == (401 if is_no_instance else 200), (place, len(text))
            work_off(bench, place)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "database", ["postgres_url", pytest.param("sqlite_url", marks=pytest.mark.long)]
)
def test_text_longer_than_its_column_is_never_an_outage(
    database: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    redis: Redis,
    redis_server: EmbeddedRedis,
) -> None:
    url = request.getfixturevalue(database)
    with opened(tmp_path, redis, redis_server, DATABASE_URL=url) as bench:
        bench.wiring.admin.sites.set_policy(bench.site.id, POLICY)
        bench.wiring.ledger.site_cache.clear()
        at_the_external_door(bench)
        at_the_wix_door(bench)
        assert unseen(bench) == []
        longest = {str(column): longest_in(bench, column) for column in columns()}
        too_long = {
            str(column): longest[str(column)]
            for column in columns()
            if longest[str(column)] > width_of(column)
        }
        assert too_long == {}
        assert {name for name in FROM_A_DOOR if longest[name] < 20} == set()
        assert has_crossed(bench)


def longest_in(bench: Bench, column: Column[str]) -> int:
    with bench.wiring.ledger.engine.connect() as connection:
        return connection.execute(select(func.max(func.length(column)))).scalar() or 0
