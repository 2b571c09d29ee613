"""What an event costs when the ledger has grown: the same changes at a thousand links and at many more."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, text

from benchmarks.ground import ground
from benchmarks.instant import InstantRemote, Nobody
from benchmarks.workers import STARS
from sync_worker.adapters.ledger import SqlLedger
from sync_worker.adapters.ledger_admin import LedgerAdmin
from sync_worker.adapters.sql_engine import open_engine
from sync_worker.adapters.tables import contact_map, entity_map, inbox, link, link_value
from sync_worker.intake import Intake
from sync_worker.migrations.upgrade import upgrade
from sync_worker.model import NewDelivery, Record, Side, Site
from sync_worker.ports import Capabilities, Connection
from sync_worker.wiring import Monotonic

PEOPLE_FOR_EACH_THING = 1000
BATCH = 5000


class Silent:
    """A guard that knows nothing and a bell that nobody hears."""

    def remember(self, site_id: int, side: Side, remote_id: str, revision: int, intent_id: str) -> None:
        return

    def recall(self, site_id: int, side: Side, remote_id: str, revision: int) -> str | None:
        return None

    def forget(self, site_id: int, side: Side, remote_id: str) -> None:
        return

    def ring(self, inbox_ids: Sequence[int]) -> None:
        return


class ChangingRemote(InstantRemote):
    """Every record exists, at any revision: only the ledger is measured."""

    def update(self, remote_id: str, draft: Any, revision: int | None) -> Record:
        return Record(remote_id, draft.values, (revision or 0) + 1, entity=draft.entity, person=draft.person)


@dataclass(frozen=True, slots=True)
class Cost:
    links: int
    milliseconds: float


def measure(database: str, sizes: Sequence[int], events: int) -> list[Cost]:
    """Milliseconds for each event (stored, processed, echo not counted), the median of blocks of ten."""
    with ground(database) as at:
        engine = open_engine(at.database_url)
        upgrade(engine)
        site, _ = LedgerAdmin(engine).add_site("instance", "connector", [STARS])
        costs: list[Cost] = []
        have, changed = 0, set[int]()
        for size in sizes:
            _fill(engine, site, have, size)
            have = size
            chosen = _some_links(have, changed, events)
            changed |= set(chosen)
            costs.append(Cost(size, _cost(SqlLedger(engine), chosen)))
        engine.dispose()
        return costs


def _fill(engine: Engine, site: Site, first: int, last: int) -> None:
    """Links with both records on file, and an ended delivery for each."""
    with engine.begin() as connection:
        if first == 0:
            people = [
                {"site_id": site.id, "wix_contact_id": f"c{one}", "email": f"p{one}@example.com"}
                for one in range(PEOPLE_FOR_EACH_THING)
            ]
            connection.execute(contact_map.insert(), people)
    for start in range(first, last, BATCH):
        numbers = range(start, min(start + BATCH, last))
        things = sorted({one // PEOPLE_FOR_EACH_THING for one in numbers})
        with engine.begin() as connection:
            known = connection.execute(text("SELECT count(*) FROM entity_map")).scalar_one()
            rows = [_thing(site, one) for one in things if one >= known]
            if rows:
                connection.execute(entity_map.insert(), rows)
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


def _some_links(links: int, changed: set[int], events: int) -> list[int]:
    """From all over the ledger, each changed once."""
    fresh = [one for one in random.Random(links).sample(range(links), min(2 * events, links)) if one not in changed]
    return fresh[:events]


def _cost(ledger: SqlLedger, chosen: Sequence[int]) -> float:
    remotes = {
        Side.WIX: ChangingRemote(Side.WIX, Capabilities(delete_is_final=True), 0),
        Side.EXTERNAL: ChangingRemote(Side.EXTERNAL, Capabilities(many_fields=True), 0),
    }
    connection, silent = Connection(remotes, Nobody()), Silent()
    intake = Intake(ledger, silent, silent, lambda site: connection, Monotonic(), lambda: str(uuid.uuid4()))
    times = []
    for number in chosen:
        new = _change(number)
        started = time.perf_counter()
        outcome = intake.process(ledger.store(new).inbox_id)
        times.append(time.perf_counter() - started)
        if outcome != "synced":
            raise RuntimeError(f"the change of link {number} ended as {outcome!r}")
    blocks = sorted(sum(times[start : start + 10]) / 10 for start in range(10, len(times) - 10, 10))
    return blocks[len(blocks) // 2] * 1000


def _change(number: int) -> NewDelivery:
    thing, person = divmod(number, PEOPLE_FOR_EACH_THING)
    rating = {"id": f"w-{number}", "attributeName": "overall", "value": 20, "revision": "2"}
    rating |= {"entityId": f"w{thing}", "group": "g", "namespace": "n", "owner": {"contactId": f"c{person}"}}
    payload = {"updatedEvent": {"currentEntity": rating}, "entityEventSequence": "2"}
    return NewDelivery(Side.WIX, "instance", str(uuid.uuid4()), "upsert", f"w-{number}", payload, 2)
