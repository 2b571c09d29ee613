"""The ways to be broken: `status` and `doctor` name each in one sentence, and end with status 1."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Engine, text

from sync_sandbox.platforms.woocommerce import WooCommerce
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.core.processes import Process, ProcessKind
from sync_worker.core.values import Change, NewDelivery, Side
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.ledger.administration.door_counts import DoorNews, SourceNews
from sync_worker.ledger.administration.heartbeats import SqlHeartbeats
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.tables import run
from sync_worker.ledger.transactions import Transactions, ledger_now
from sync_worker.manifest.default_field import default_field
from sync_worker.manifest.loader import load_manifest, shipped_manifest
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.commands import run_command
from tests.integration.shipped_pace import a_shop
from tests.integration.tls_shop import serving
from tests.unit.signed import OWN_SERVICE, pem

WOO = {
    "WOO_BASE_URL": "https://shop.example.com",
    "WOO_CONSUMER_KEY": "k",
    "WOO_CONSUMER_SECRET": "s",
    "WOO_WEBHOOK_SECRET": "w",
}


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        yield box


@dataclass
class Installation:
    """One that is well, as its ledger tells, beside stand-ins that answer."""

    folder: Path
    box: Sandbox
    environ: dict[str, str]
    engine: Engine
    admin: LedgerAdmin
    undo: list[Callable[[], object]] = field(default_factory=list)

    def ask(self, command: str, *words: str) -> tuple[int, list[str]]:
        """The status of a command, and the sentences in which it says what is wrong."""
        done = run_command([command, "--json", *words], self.folder, self.environ)
        assert "Traceback" not in done.stderr, done.stderr
        told = json.loads(done.stdout)
        if command == "status":
            return done.returncode, [one["sentence"] for one in told["troubles"]]
        bad = [one for one in told["checks"] if one["verdict"] == "bad"]
        assert all(one["next_step"] for one in bad)
        return done.returncode, [f"{one['name']}: {one['what']}" for one in bad]

    def execute(self, statement: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def seen(self, kind: ProcessKind, pid: int, ago: float = 0.0, up: float = 600.0) -> None:
        process = Process(kind, "host", pid, slots=8, up_seconds=up)
        self.admin.heartbeats.note(process, ago)

    def refuse(self, source: str, reason: str, count: int = 1) -> None:
        refused = SourceNews(source, None, 1.0, "rejected", reason, count, 60.0)
        self.admin.door_counts.add(DoorNews({(source, "rejected", reason): count}, [refused]))


@pytest.fixture
def well(
    tmp_path: Path, ledger_at_home: str, box: Sandbox, redis: Redis, redis_server: EmbeddedRedis
) -> Iterator[Installation]:
    engine = open_engine(ledger_at_home)
    admin = ledger_admin(engine)
    manifest = load_manifest(shipped_manifest("own-service"), OWN_SERVICE)
    admin.sites.add(box.wix.instance_id, "own-service", [default_field(manifest)])
    with engine.begin() as connection:
        done = {"site_id": 1, "kind": "baseline", "state": "done", "counts": {}}
        times = {"started_at": ledger_now() - 60, "ended_at": ledger_now()}
        connection.execute(run.insert().values(**done | times))
    environ = box.settings() | {
        "PATH": os.environ["PATH"],
        "RATINGS_SYNC_HOME": str(tmp_path),
        "REDIS_URL": redis_server.url,
        "GATEWAY_BIND": "127.0.0.1:9",
        "WIX_BUDGET_PER_MINUTE": "60000",
        "COLUMNS": "200",
    }
    one = Installation(tmp_path, box, environ, engine, admin)
    for number, kind in enumerate(ProcessKind):
        one.seen(kind, number)
    yield one
    for undo in one.undo:
        undo()
    engine.dispose()


def test_installation_that_is_well_has_no_trouble(well: Installation) -> None:
    assert well.ask("status") == (0, [])
    assert well.ask("doctor") == (0, [])


# -- each way to break it


def no_worker(one: Installation) -> None:
    one.seen(ProcessKind.WORKER, 1, ago=120.0)


def no_scheduler(one: Installation) -> None:
    one.seen(ProcessKind.BEAT, 2, ago=120.0)


def no_gateway(one: Installation) -> None:
    one.admin.heartbeats.note_stop(Process(ProcessKind.GATEWAY, "host", 0))


def nothing_runs(one: Installation) -> None:
    one.execute("UPDATE heartbeat SET seen_at = seen_at - 120")


def redis_away(one: Installation) -> None:
    one.environ["REDIS_CACHE_URL"] = one.environ["REDIS_URL"] + "5"
    one.environ["REDIS_URL"] = "redis://127.0.0.1:9/0"


def ledger_read_only(one: Installation) -> None:
    one.execute(
        "CREATE TRIGGER no_more BEFORE UPDATE ON up_check BEGIN"
        " SELECT raise(abort, 'attempt to write a readonly database'); END"
    )


def full_disk(one: Installation) -> None:
    one.execute(
        "CREATE TRIGGER no_more BEFORE UPDATE ON up_check BEGIN"
        " SELECT raise(abort, 'database or disk is full'); END"
    )


def wrong_public_key(one: Installation) -> None:
    one.environ["WIX_PUBLIC_KEY"] = pem().replace("\n", "\\n")
    one.refuse("wix", "InvalidSignatureError")


def wrong_webhook_secret(one: Installation) -> None:
    one.refuse("own-service", "bad_signature", 5)


def wrong_app_secret(one: Installation) -> None:
    one.environ["WIX_APP_SECRET"] = "wrong"


def wrong_token(one: Installation) -> None:
    one.environ["OWN_SERVICE_TOKEN"] = "wrong"


def remote_answers_503(one: Installation) -> None:
    one.box.reviews.faults.set("unavailable", chance=1.0)
    one.undo.append(lambda: one.box.reviews.faults.set("unavailable", chance=0.0))


def paused(one: Installation) -> None:
    one.execute("UPDATE site SET state = 'paused'")


def never_compared(one: Installation) -> None:
    one.execute("DELETE FROM run")


def two_up(one: Installation) -> None:
    one.seen(ProcessKind.BEAT, 99)
    one.execute("UPDATE heartbeat SET started_at = started_at - 60 WHERE kind = 'beat'")


def budget_used_up(one: Installation) -> None:
    ledger = sql_ledger(one.engine)
    for number in range(3):
        new = NewDelivery(
            Side.EXTERNAL, "own-service", f"e-{number}", Change.UPSERT, f"r-{number}", {}
        )
        ledger.inbox.store(new)
    one.execute("UPDATE inbox SET reason = 'rate_limited', received_at = received_at - 30")


def process_clock_off(one: Installation) -> None:
    hour = SqlHeartbeats(Transactions(one.engine), lambda: datetime.now(UTC).timestamp() - 3600)
    hour.note(Process(ProcessKind.WORKER, "host", 1, slots=8, up_seconds=600.0))


def remote_clock_off(one: Installation) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    date = ahead.strftime("%a, %d %b %Y %H:%M:%S GMT")
    served = serving(one.folder, f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n")
    one.environ["GATEWAY_PUBLIC_URL"] = enter(one, served)


def certificate_ends(one: Installation) -> None:
    served = serving(one.folder, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", days=3)
    one.environ["GATEWAY_PUBLIC_URL"] = enter(one, served)


def account_refused(one: Installation) -> None:
    one.execute(
        "INSERT INTO site_side (site_id, side, state, since, reason, next_probe_at)"
        " VALUES (1, 'external', 'failing', 1.0, 'answered 401', 0)"
    )


def delivery_waits(one: Installation) -> None:
    sql_ledger(one.engine).inbox.store(
        NewDelivery(Side.EXTERNAL, "own-service", "e", Change.UPSERT, "r", {})
    )
    one.execute("UPDATE inbox SET received_at = received_at - 400")


BROKEN: dict[Callable[[Installation], None], tuple[str, str]] = {
    no_worker: ("no worker runs since", "no worker runs since"),
    no_scheduler: ("no scheduler runs since", "no scheduler runs since"),
    no_gateway: ("no gateway runs since", "no gateway runs since"),
    nothing_runs: ("nothing runs since", "nothing runs since"),
    redis_away: ("Redis does not answer", "does not answer"),
    ledger_read_only: ("cannot be written: attempt to write a readonly database",) * 2,
    full_disk: ("cannot be written: database or disk is full",) * 2,
    wrong_public_key: ("every webhook of Wix is refused since",) * 2,
    wrong_webhook_secret: ("every webhook of own-service is refused since",) * 2,
    wrong_app_secret: ("Wix refuses our credentials", "wix 11111111 token: no access"),
    wrong_token: ("own-service refuses our credentials", "connector own-service probe"),
    remote_answers_503: ("own-service cannot be read", "connector own-service probe"),
    paused: ("site 1 (own-service) is paused",) * 2,
    never_compared: ("both sides of site 1 (own-service) were never compared",) * 2,
    two_up: ("two installations work on this ledger",) * 2,
    budget_used_up: ("a request budget is used up: 3 deliveries wait of own-service",) * 2,
    process_clock_off: ("the clock of the worker on host (pid 1) is 60 minutes behind",) * 2,
    remote_clock_off: ("the clock of our public address is 60 minutes ahead of",) * 2,
    certificate_ends: ("the certificate of our public address (127.0.0.1) ends at",) * 2,
    account_refused: ("own-service refuses our credentials for site 1", "refuses us since"),
    delivery_waits: ("1 delivery waits of own-service on the way",) * 2,
}


@pytest.mark.parametrize(
    "strike",
    [
        pytest.param(one, id=one.__name__, marks=[] if place % 4 == 0 else pytest.mark.full)
        for place, one in enumerate(BROKEN)
    ],
)
def test_status_and_doctor_name_what_is_broken(
    well: Installation, strike: Callable[[Installation], None]
) -> None:
    """Each alone, in one sentence, with status 1."""
    strike(well)
    for command, words in zip(("status", "doctor"), BROKEN[strike], strict=True):
        status, sentences = well.ask(command)
        assert status == 1, (command, sentences)
        assert [words in sentence for sentence in sentences] == [True], sentences


@pytest.mark.full
def test_hooks_that_the_system_disabled_are_named(tmp_path: Path, redis: Redis) -> None:
    """A fresh look at the system, not what a worker noted a quarter of an hour ago."""
    with a_shop(tmp_path, "woocommerce") as shop:
        store = shop.box.platform
        assert isinstance(store, WooCommerce)
        store.connect(f"http://127.0.0.1:9/webhooks/external/{shop.box.connector}")
        hook = store.hooks[1]
        hook.status = "disabled"
        environ = {**shop.environ, "PATH": os.environ["PATH"]}
        for command in ("status", "doctor"):
            done = run_command([command], tmp_path, environ)
            assert done.returncode == 1
            assert "disabled" in done.stdout
            assert hook.topic in done.stdout


def test_database_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    environ = OWN_SERVICE | {"PATH": os.environ["PATH"], "RATINGS_SYNC_HOME": str(tmp_path)}
    environ["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:9/none"
    for command in ("status", "doctor"):
        done = run_command([command, "--offline"], tmp_path, environ)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "the ledger's database cannot be opened" in done.stdout


# -- what must not be a trouble


def test_one_forgery_beside_genuine_webhooks_is_no_trouble(well: Installation) -> None:
    """Anybody may send one: it says nothing of the key."""
    well.admin.door_counts.add(DoorNews({}, [SourceNews("wix", accepted_ago=5.0)]))
    well.refuse("wix", "InvalidSignatureError", 2)
    assert well.ask("status", "--offline") == (0, [])
    well.refuse("wix", "InvalidSignatureError", 1)
    status, (sentence,) = well.ask("status", "--offline")
    assert status == 1
    assert "(3 so far): they are not signed by the key in WIX_PUBLIC_KEY" in sentence


def test_refusals_under_earlier_settings_are_no_trouble(well: Installation) -> None:
    """Whoever corrects the key and starts the gateway again is not told of the past."""
    well.refuse("wix", "InvalidSignatureError", 9)
    well.seen(ProcessKind.GATEWAY, 0, up=0.0)
    assert well.ask("status", "--offline") == (0, [])


def test_worker_that_is_replaced_is_no_second_installation(well: Installation) -> None:
    well.seen(ProcessKind.WORKER, 7, up=0.0)
    well.execute("UPDATE heartbeat SET seen_at = seen_at - 5 WHERE pid = 1")
    assert well.ask("status", "--offline") == (0, [])


def test_list_says_first_that_nothing_was_ever_compared(well: Installation) -> None:
    never_compared(well)
    nothing_runs(well)
    paused_later = well.ask("status", "--offline")[1]
    assert "never compared" in paused_later[0]
    assert "nothing runs" in paused_later[1]
    done = run_command(["status", "--offline"], well.folder, well.environ)
    first, second = done.stdout.splitlines()[:2]
    assert first.startswith("✗ Both sides of site 1 (own-service) were never compared")
    assert second.startswith("    → `ratings-sync reconcile --site 1 --dry-run`")


# -- an address of our own


def enter(one: Installation, served: AbstractContextManager[str]) -> str:
    url = served.__enter__()
    one.undo.append(lambda: served.__exit__(None, None, None))
    return url
