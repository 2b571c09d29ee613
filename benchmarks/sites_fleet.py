"""A ledger with so many sites, each with an account of its own, and what one process does for them:
the door, the work on a delivery, the look for what is due.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import os
import random
import statistics
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Engine, insert, text

from benchmarks.ground import Ground
from benchmarks.instant import Nobody
from benchmarks.links import ChangingRemote, Silent
from benchmarks.machine import memory_of
from benchmarks.queue import STARS
from sync_worker.config import load_settings
from sync_worker.core.outcome import OutcomeKind
from sync_worker.core.ports.remote import Capabilities, Connection
from sync_worker.core.values import Account, Change, NewDelivery, Side, Site, account_source
from sync_worker.intake.intake import Intake
from sync_worker.ledger.accounts.sealing import Opener, Sealer, new_key, public_of
from sync_worker.ledger.accounts.store import SqlAccountStore, new_public_id
from sync_worker.ledger.accounts.tables import account, account_address, account_secret
from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.statements import due
from sync_worker.ledger.statements.sites import from_field
from sync_worker.ledger.tables import contact_map, entity_map, field_map, site
from sync_worker.remotes.http.outage import SlotShares
from sync_worker.services.accounts.accounts import Accounts
from sync_worker.wiring import Monotonic
from sync_worker.wiring.accounts.book import AccountBook
from sync_worker.wiring.connectors import Connectors
from webhook_gateway.app import create_app
from webhook_gateway.doorbell import CeleryBell
from webhook_gateway.settings import GatewayConfig

CONNECTOR = "own-service"
BATCH = 500
LAST_IDS = (
    "SELECT setval(pg_get_serial_sequence('site', 'id'), max(id)) FROM site",
    "SELECT setval(pg_get_serial_sequence('account', 'id'), max(id)) FROM account",
)
OPEN_ROWS = """
INSERT INTO inbox (side, source, dedupe_id, change, remote_id, payload, state, reason, received_at,
  next_attempt_at, is_restore, is_ours, privacy, must_read, attempts)
SELECT 'wix', 'waiting-' || (n % :sites), 'd' || n, 'upsert', 'r' || n, '{}', 'new', '', 1.0, 1.0,
  false, false, false, false, 0
FROM generate_series(1, :rows) AS n
"""


class Fleet:
    """``people``: of each site, who rate one thing. Times in seconds, of single pieces of work."""

    def __init__(self, at: Ground, url: str, sites: int, people: int) -> None:
        self.sites, self._people, self._chance = sites, people, random.Random(sites)
        self.hooks, self.ratings, self.new_accounts = list[float](), list[float](), list[float]()
        self._engine = open_engine(url, pool_size=8)
        upgrade(self._engine)
        self._ledger, self._admin = sql_ledger(self._engine), ledger_admin(self._engine)
        key = new_key()
        environ = at.environ(CONNECTORS=CONNECTOR, SECRETS_KEY=key)
        connectors = Connectors(load_settings(environ), environ)
        store = SqlAccountStore(self._ledger.transactions)
        sealer = Sealer(public_of(key))
        self._accounts = Accounts(store, self._admin, connectors.code_of, lambda: sealer)
        for start in range(0, sites, BATCH):
            fill_accounts(self._engine, sealer, range(start, min(start + BATCH, sites)))
        self._given = accounts_of(store, sites)
        self._fill_maps()
        self._analyze()
        before = memory_of_this()
        self._book = AccountBook(lambda: store, connectors, lambda: Opener([key]))
        started = time.perf_counter()
        for given in self._given:
            self._book.of_source(given.source)
        self.seconds_to_know = time.perf_counter() - started
        self.megabytes = memory_of_this() - before
        self._bell = CeleryBell(at.redis.url, threads=8)
        self._door = create_app(self._config(connectors)).test_client()
        self._intake = self._an_intake()
        self._numbers = itertools.count()
        self._keys = self._all_keys()

    # -- what there is

    def _add(self, number: int) -> Account:
        site, _ = self._admin.sites.add(instance_of(number), "", [])
        return self._accounts.add(site, CONNECTOR, given_of(number), "benchmark")

    def _fill_maps(self) -> None:
        thing = {"wix_namespace": "n", "wix_group": "g", "wix_entity_id": "w0"}
        thing |= {"external_group": "", "external_entity_id": "e0"}
        persons = [
            {"wix_contact_id": f"c{one}", "email": f"p{one}@example.com"}
            for one in range(self._people)
        ]
        with self._engine.begin() as connection:
            for some in batched(self._given, 1000):
                things = [{"site_id": one.site_id, **thing} for one in some]
                connection.execute(insert(entity_map), things)
                contacts = [{"site_id": one.site_id, **who} for one in some for who in persons]
                connection.execute(insert(contact_map), contacts)

    def _analyze(self) -> None:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))

    def _config(self, connectors: Connectors) -> GatewayConfig:
        return GatewayConfig(
            wix_keys=(),
            wix_app_id="",
            manifests=connectors.manifests,
            store=self._ledger.inbox.store_all,
            bell=self._bell,
            ring_after_others=self._bell.ring_after_others,
            is_ledger_up=lambda: True,
            account_at=self._book.manifest_at,
            connectors_of_accounts=list(connectors.names),
        )

    def _an_intake(self) -> Intake:
        remotes = {
            Side.WIX: ChangingRemote(Side.WIX, Capabilities(delete_is_final=True), 0),
            Side.EXTERNAL: ChangingRemote(Side.EXTERNAL, Capabilities(many_fields=True), 0),
        }
        connection, silent = Connection(remotes, Nobody()), Silent()

        def connect(site: Site) -> Connection:
            self._book.of_source(site.external_source)
            return connection

        return Intake(
            self._ledger,
            silent,
            silent,
            connect,
            Monotonic(),
            lambda: str(uuid.uuid4()),
            slots=SlotShares(16),
        )

    def _all_keys(self) -> list[tuple[int, int]]:
        """Each site and person, in an order by chance."""
        keys = [(number, one) for one in range(self._people) for number in range(self.sites)]
        self._chance.shuffle(keys)
        return keys

    # -- what is measured

    def post_some(self, count: int) -> None:
        """Webhooks of sites by chance at the door. Raises RuntimeError unless each is stored."""
        for _ in range(count):
            number = self._chance.randrange(self.sites)
            started = time.perf_counter()
            status = self._post(number, self._given[number])
            self.hooks.append(time.perf_counter() - started)
            if status != 200:
                raise RuntimeError(f"a webhook of site {number} was answered {status}")

    def _post(self, number: int, account: Account) -> int:
        body = json.dumps(
            {
                "event_id": f"e-{next(self._numbers)}",
                "type": "rating.updated",
                "data": {"id": f"r-{next(self._numbers)}", "version": 1, "score": 4.5},
            }
        ).encode()
        path = f"/webhooks/external/{CONNECTOR}/{account.public_id}"
        return int(self._door.post(path, data=body, headers=signed(body, number)).status_code)

    def cross_some(self, count: int) -> None:
        """New ratings of sites by chance cross. Raises RuntimeError if one does not."""
        for _ in range(count):
            site, person = self._keys.pop()
            delivery = self._rating(site, person)
            started = time.perf_counter()
            outcome = self._intake.process(self._ledger.inbox.store(delivery).inbox_id)
            self.ratings.append(time.perf_counter() - started)
            if outcome.kind is not OutcomeKind.SYNCED:
                raise RuntimeError(f"the rating of site {site} ended as {outcome}")

    def _rating(self, site: int, person: int) -> NewDelivery:
        rating: dict[str, Any] = {
            "id": f"w-{site}-{person}",
            "attributeName": STARS.attribute,
            "value": 80,
            "revision": "1",
            "entityId": "w0",
            "group": "g",
            "namespace": "n",
            "owner": {"contactId": f"c{person}"},
        }
        payload = {"createdEvent": {"entity": rating}, "entityEventSequence": "1"}
        instance = instance_of(site)
        return NewDelivery(
            Side.WIX, instance, f"n-{person}", Change.UPSERT, str(rating["id"]), payload, 1
        )

    def serve_a_new_account(self) -> None:
        """From the command to its first webhook that is stored."""
        number = len(self._given)
        started = time.perf_counter()
        account = self._add(number)
        while self._post(number, account) != 200:
            time.sleep(0.005)
        self.new_accounts.append(time.perf_counter() - started)
        self._given.append(account)

    def look_for_due(self, rows: int, times: int) -> tuple[float, list[str]]:
        """Seconds of a turn of the sweeper over so many open rows, and the plan of its round."""
        with self._engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text(OPEN_ROWS), {"sites": self.sites, "rows": rows})
        self._analyze()
        self._ledger.inbox.due(200)
        turns = []
        for _ in range(times):
            started = time.perf_counter()
            self._ledger.inbox.due_in_lanes(200)
            turns.append(time.perf_counter() - started)
        return statistics.median(turns), explained(self._engine)

    def close(self) -> None:
        self._bell.close()
        self._engine.dispose()


def given_of(number: int) -> dict[str, str]:
    """What the owner of a site gives."""
    return {
        "base_url": f"https://shop-{number}.example.org",
        "token": f"token-{number}",
        "webhook_secret": secret_of(number),
    }


def instance_of(number: int) -> str:
    return f"instance-{number}"


def fill_accounts(engine: Engine, sealer: Sealer, numbers: Iterable[int]) -> None:
    """Sites with accounts as commands add them, many in one transaction; numbered from 0."""
    sites, accounts, secrets, addresses, fields = [], [], [], [], []
    for number in numbers:
        public_id, given = new_public_id(), given_of(number)
        ids = {"id": number + 1, "connector": CONNECTOR, "created_at": 1.0}
        source = account_source(CONNECTOR, public_id)
        sites.append({**ids, "instance_id": instance_of(number), "external_source": source})
        settings = {"base_url": given.pop("base_url")}
        row = {"public_id": public_id, "site_id": number + 1, "identity": f"shop-{number}"}
        row |= {"settings": settings, "state": "active", "changed": 0, "updated_at": 1.0}
        accounts.append({**ids, **row})
        addresses.append({"address": public_id, "account_id": number + 1})
        fields.append({"site_id": number + 1, **from_field(STARS)})
        for name, value in given.items():
            sealed = sealer.sealed(value, account=public_id, name=name)
            row = {"account_id": number + 1, "name": name, "sealed": sealed, "changed_at": 1.0}
            secrets.append(row)
    with engine.begin() as connection:
        connection.execute(insert(site), sites)
        connection.execute(insert(account), accounts)
        connection.execute(insert(account_secret), secrets)
        connection.execute(insert(account_address), addresses)
        connection.execute(insert(field_map), fields)
        for last in LAST_IDS:
            connection.execute(text(last))


def accounts_of(store: SqlAccountStore, count: int) -> list[Account]:
    """All of them, in their order."""
    found = list[Account]()
    while len(found) < count:
        found += store.listed(after=found[-1].id if found else 0, limit=BATCH)
    return found


def explained(engine: Engine) -> list[str]:
    """How PostgreSQL carries out the round through the sites."""
    with engine.connect() as connection:
        asked = f"EXPLAIN (ANALYZE, BUFFERS) {due.ONE_DUE.sql_for(connection)}"
        shown = connection.exec_driver_sql(asked, {"behind": "", "room": 75})
        return [str(row[0]) for row in shown]


def secret_of(number: int) -> str:
    return f"webhook-secret-of-shop-{number}"


def signed(body: bytes, number: int) -> Mapping[str, str]:
    """The headers of a webhook of a site."""
    now = str(int(time.time()))
    proof = hmac.new(secret_of(number).encode(), f"{now}.".encode() + body, hashlib.sha256)
    return {"X-Acme-Signature": f"t={now},v1={proof.hexdigest()}"}


def memory_of_this() -> float:
    """Megabytes of this process."""
    return memory_of(os.getpid(), "").own


def batched(these: list[Account], size: int) -> Iterable[list[Account]]:
    return (these[start : start + size] for start in range(0, len(these), size))
