"""Fills a ledger with links as years of ratings would: both records on file, and an ended delivery
for each.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Engine, text

from sync_worker.core.values import Change, NewDelivery, Side, Site
from sync_worker.ledger.tables import contact_map, entity_map, inbox, link, link_value

PEOPLE_FOR_EACH_THING = 1000
BATCH = 5000


def fill(engine: Engine, site: Site, links: int) -> None:
    """Number so many links from 0, in an empty ledger."""
    with engine.begin() as connection:
        people = [
            {"site_id": site.id, "wix_contact_id": f"c{one}", "email": f"p{one}@example.com"}
            for one in range(PEOPLE_FOR_EACH_THING)
        ]
        connection.execute(contact_map.insert(), people)
        things = -(-links // PEOPLE_FOR_EACH_THING)
        connection.execute(entity_map.insert(), [_thing(site, one) for one in range(things)])
    for start in range(0, links, BATCH):
        numbers = range(start, min(start + BATCH, links))
        with engine.begin() as connection:
            connection.execute(link.insert(), [_link(site, one) for one in numbers])
            connection.execute(link_value.insert(), [_value(site, one) for one in numbers])
            connection.execute(inbox.insert(), [_ended(one) for one in numbers])
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def _thing(site: Site, number: int) -> dict[str, Any]:
    wix = {"wix_namespace": "n", "wix_group": "g", "wix_entity_id": f"w{number}"}
    return {
        "id": number + 1,
        "site_id": site.id,
        **wix,
        "external_group": "",
        "external_entity_id": f"e{number}",
    }


def _link(site: Site, number: int) -> dict[str, Any]:
    return {
        "id": number + 1,
        "site_id": site.id,
        "entity_id": number // PEOPLE_FOR_EACH_THING + 1,
        "contact_id": f"c{number % PEOPLE_FOR_EACH_THING}",
        "external_id": f"e-{number}",
        "external_revision": 1,
        "external_state": "published",
        "external_record": {},
        "writes": [],
    }


def _value(site: Site, number: int) -> dict[str, Any]:
    wix = {"wix_id": f"w-{number}", "wix_revision": 1, "wix_state": "published"}
    return {
        "link_id": number + 1,
        "attribute": "overall",
        "site_id": site.id,
        **wix,
        "base_wix": "80",
        "base_external": "4",
    }


def _ended(number: int) -> dict[str, Any]:
    return {
        "side": "wix",
        "source": "instance",
        "dedupe_id": f"old-{number}",
        "change": "upsert",
        "remote_id": f"w-{number}",
        "revision": 1,
        "payload": {},
        "state": "done",
        "received_at": time.time(),
        "next_attempt_at": time.time(),
        "closed_at": time.time(),
        "link_id": number + 1,
    }


def change_of(number: int) -> NewDelivery:
    """The first change of a link's rating on Wix."""
    thing, person = divmod(number, PEOPLE_FOR_EACH_THING)
    rating = {"id": f"w-{number}", "attributeName": "overall", "value": 20, "revision": "2"}
    rating |= {
        "entityId": f"w{thing}",
        "group": "g",
        "namespace": "n",
        "owner": {"contactId": f"c{person}"},
    }
    payload = {"updatedEvent": {"currentEntity": rating}, "entityEventSequence": "2"}
    return NewDelivery(
        Side.WIX, "instance", f"change-{number}", Change.UPSERT, f"w-{number}", payload, 2
    )
