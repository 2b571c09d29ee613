"""Hostile values by an account's own ways: its address, its webhooks, and what a command gives."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from redis import Redis

from sync_sandbox.served import Served
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.cli.account.group import account as account_commands
from sync_worker.config import load_settings
from sync_worker.core.errors import SyncError
from sync_worker.core.values import Contact, EntityRef
from sync_worker.ledger.accounts.sealing import new_key, public_of
from sync_worker.remotes.wix.public_keys import load_public_keys
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring import Wiring
from tests.commands import run_forked
from tests.hostile import IDS, NUMBERS, in_a_cell
from tests.integration.counted_bench import Bench, Rings
from tests.integration.hostile_records import (
    clear_away,
    external_record,
    has_crossed,
    little_time,
    posted,
    unseen,
    work_off,
)
from tests.integration.test_account_probe import NAMES, values_of
from webhook_gateway.app import create_app
from webhook_gateway.settings import GatewayConfig

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

DATABASES = ["sqlite_url", "postgres_url"]
MAX_ADDRESS = 4_000
MAX_ARGUMENT = 100_000  # the system takes no longer one
INSTANCE = "instance-{}"
SHOP = "https://shop{}.example.org"


def environ_of(box: Sandbox, folder: Path, url: str) -> dict[str, str]:
    """The environment holds nothing of the shop."""
    key = new_key()
    ours = {name: text for name, text in box.settings().items() if name not in NAMES}
    return ours | {
        "RATINGS_SYNC_HOME": str(folder),
        "DATABASE_URL": url,
        "WIX_BUDGET_PER_MINUTE": "60000",
        "SECRETS_KEY": key,
        "SECRETS_SEALING_KEY": public_of(key),
    }


# -- webhooks


@contextmanager
def at_work(folder: Path, url: str, redis: Redis, redis_url: str) -> Iterator[tuple[Bench, str]]:
    """A site with an account, its gateway and its intake, and the address of its webhooks."""
    with Sandbox(SandboxOptions(rate_per_minute=None, sender_threads=1)) as box:
        environ = environ_of(box, folder, url) | {"REDIS_URL": redis_url}
        wiring, bell = Wiring(load_settings(environ), environ), Rings()
        admin = wiring.admin
        site, _ = admin.sites.add(box.wix.instance_id, "", [])
        made = wiring.accounts.add(site, "own-service", values_of(box), "test")
        site = admin.sites.find(str(site.id))
        admin.mappings.import_entities(
            site, [(EntityRef("beans", "stores", "reviews"), EntityRef("SKU-1"))]
        )
        ada = str(box.wix.add_contact("ada@example.com", "Ada")["id"])
        admin.mappings.import_contacts(site, [Contact(ada, "ada@example.com")])
        config = GatewayConfig(
            wix_keys=load_public_keys(box.wix.public_key),
            wix_app_id=box.wix.app_id,
            manifests=wiring.manifests,
            store=wiring.ledger.inbox.store_all,
            bell=bell,
            is_ledger_up=lambda: True,
            account_at=wiring.book.manifest_at,
            connectors_of_accounts=["own-service"],
        )
        door = Served(create_app(config), 0)
        box.wix.webhooks.url = f"{door.url}/webhooks/wix"
        time.sleep(0.2)  # the budgets start empty
        intake = wiring.intake(bell)
        bench = Bench(box, wiring, intake, bell, redis, site, ada, lambda: 0, lambda: 0)
        yield bench, f"{door.url}/webhooks/external/own-service/{made.public_id}"
        door.stop()
        wiring.close()


@pytest.mark.parametrize("database", DATABASES)
def test_hostile_webhook_of_an_account_stops_nobody(
    database: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    redis: Redis,
    redis_server: EmbeddedRedis,
) -> None:
    url = request.getfixturevalue(database)
    with at_work(tmp_path, url, redis, redis_server.url) as (bench, address):
        throw_addresses(bench, address)
        throw_events(bench, address)
        assert unseen(bench) == []
        assert has_crossed(bench)


def throw_addresses(bench: Bench, address: str) -> None:
    """In the place of the account, of the connector and of the signature: nobody is there."""
    content = b'{"event_id": "e", "type": "rating.updated", "data": {"id": "r1"}}'
    good = bench.box.reviews.signed("unused", content)
    root, connector, public_id = address.rsplit("/", 2)
    for name, value in IDS.items():
        text = in_a_cell(value).encode("utf-8", "surrogatepass")[:MAX_ADDRESS]
        part = quote(text, safe="")
        for place in (f"{root}/{part}/{public_id}", f"{root}/{connector}/{part}"):
            with little_time(name):
                assert posted(place, content, good) in (308, 404, 405), (place, name)
        sign = text.decode("latin-1").replace("\r", "").replace("\n", "")
        headers = good | {"X-Acme-Signature": sign}
        assert posted(f"{address}?x={part}", content, headers) in (400, 401), name
    assert bench.bell.rung == []


def throw_events(bench: Bench, address: str) -> None:
    """Ids that a sender makes up: of the delivery, and of the record."""
    number = 0
    for place in ("event_id", "id"):
        for name, value in IDS.items():
            number += 1
            event_id = value if place == "event_id" else f'"e{number}"'
            record = external_record(place, value, f"9{number}")
            body = f'{{"event_id": {event_id}, "type": "rating.updated", "data": {record}}}'
            content = body.encode("utf-8")
            status = posted(address, content, bench.box.reviews.signed("unused", content))
            assert status in (200, 422), (place, name, status)
            work_off(bench, f"{place}: {name}")
        clear_away(bench)


# -- commands


def throw_at_commands(environ: Mapping[str, str], folder: str) -> tuple[list[str], int]:
    """What ended other than in words, in a process of its own; how many were kept."""
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    fallen, number, kept = list[str](), 0, 0

    def run(*words: str) -> int:
        done = CliRunner().invoke(account_commands, words)
        is_said = done.exception is None or isinstance(done.exception, SystemExit | SyncError)
        if not is_said:
            fallen.append(f"{words[0]} {what}: {done.exception!r}")
        return done.exit_code

    for setting in ("base_url", "token"):
        for name, value in {**NUMBERS, **IDS}.items():
            number, what = number + 1, f"{setting}: {name}"
            given = {"base_url": f'"{SHOP.format(number)}"', "token": '"t"'} | {setting: value}
            pairs = ", ".join(f'"{key}": {text}' for key, text in given.items())
            Path("values.json").write_text(f'{{{pairs}, "webhook_secret": "s"}}', encoding="utf-8")
            Path("one.json").write_text(f'{{"{setting}": {value}}}', encoding="utf-8")
            site, values = INSTANCE.format(number), ("--values", "values.json")
            with little_time(what):
                add = ("add", site, "--new-site", "--connector", "own-service", *values)
                is_added = run(*add) == 0
                run("set", INSTANCE.format(0), "--values", "one.json")
                text = in_a_cell(value).replace("\0", "")[:MAX_ARGUMENT]
                run("set", INSTANCE.format(0), "--set", f"{setting}={text}")
            if is_added:
                kept += 1
                assert run("show", site, "--json") == 0, what
    return fallen, kept


@pytest.mark.parametrize("database", DATABASES)
def test_hostile_value_that_a_command_gives_is_kept_or_refused(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """In words; and the account that was there before goes on."""
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        environ = environ_of(box, tmp_path, request.getfixturevalue(database))
        wiring = Wiring(load_settings(environ), environ)
        site, _ = wiring.admin.sites.add(INSTANCE.format(0), "", [])
        given = values_of(box) | {"base_url": SHOP.format(0)}
        wiring.accounts.add(site, "own-service", given, "test")
        wiring.close()
        fallen, kept = run_forked(throw_at_commands, environ, str(tmp_path), timeout=500)
    assert fallen == []
    assert 10 < kept < len(NUMBERS) + len(IDS)
