"""Each thing that the doctor looks at, broken: it says what is wrong and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Response
from redis import Redis
from sqlalchemy import text

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.processes import Process, ProcessKind
from sync_worker.doctor.check import Check
from sync_worker.doctor.doctor import Doctor
from sync_worker.ledger.administration.site_faults import SqlSiteFaults
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.tables import run
from sync_worker.ledger.transactions import Transactions
from sync_worker.manifest.default_field import default_field
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring import Wiring

pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]

Ask = Callable[..., dict[str, Check]]


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        yield box


@pytest.fixture
def ask(
    ledger_at_home: str, tmp_path: Path, box: Sandbox, redis: Redis, redis_server: EmbeddedRedis
) -> Iterator[Ask]:
    """Checks by name, of a good installation with some settings changed."""
    opened: list[Wiring] = []

    def checks(*, with_site: bool = True, **changes: str) -> dict[str, Check]:
        gateway = {"GATEWAY_BIND": "127.0.0.1:9", "WIX_BUDGET_PER_MINUTE": "60000"}
        environ = (
            box.settings()
            | {"RATINGS_SYNC_HOME": str(tmp_path), "REDIS_URL": redis_server.url}
            | gateway
            | changes
        )
        wiring = Wiring(load_settings(environ), environ)
        opened.append(wiring)
        if with_site and not wiring.admin.sites.all():
            manifest = wiring.manifests["own-service"]
            wiring.admin.sites.add(box.wix.instance_id, "own-service", [default_field(manifest)])
            for kind in ProcessKind:
                wiring.admin.heartbeats.note(Process(kind, "host", 1))
            done = {"site_id": 1, "kind": "baseline", "state": "done", "counts": {}}
            with wiring.admin.engine.begin() as connection:
                connection.execute(run.insert().values(started_at=0.0, ended_at=1.0, **done))
        return {check.name: check for check in Doctor(wiring).checks()}

    yield checks
    for wiring in opened:
        wiring.close()


@pytest.mark.full
def test_good_installation_has_nothing_wrong(ask: Ask) -> None:
    found = ask()
    assert [check for check in found.values() if check.verdict == "bad"] == []
    names = (
        "wix 11111111 token",
        "wix 11111111 ratings",
        "clock of Wix",
        "connector own-service probe",
        "redis eviction",
    )
    assert all(found[name].verdict == "ok" for name in names)
    assert found["gateway"].verdict == "skipped"


@pytest.mark.full
def test_record_is_read_and_a_wrong_path_is_named(ask: Ask, box: Sandbox, tmp_path: Path) -> None:
    """A probe alone is green for a manifest that reads nothing."""
    draft = {"subject": {"id": "22"}, "author": {"email": "ada@example.com"}, "score": 4}
    box.reviews.create(draft, by="visitor")
    assert ask()["connector own-service: a record"].what.startswith("id r1, product 22, by a…@e…")
    manifest = tmp_path / "ours.yaml"
    manifest.write_text("extends: own-service\nid: ours\noperations: {list: {items_path: rows}}\n")
    check = ask(CONNECTORS=f"own-service,{manifest}")["connector ours: a record"]
    assert (check.verdict, check.next_step) == (
        "bad",
        "look at operations.list.items_path of the manifest",
    )
    assert "operations.list.items_path: nothing at `rows`, the answer has: data" in check.what


@pytest.mark.full
def test_without_a_site_it_says_how_to_get_one(ask: Ask) -> None:
    assert "ratings-sync setup" in ask(with_site=False)["wix"].next_step


@pytest.mark.full
@pytest.mark.parametrize(
    ("changes", "name", "what", "next_step"),
    [
        ({"WIX_APP_SECRET": ""}, "settings", "WIX_APP_SECRET not set", "dev.wix.com"),
        (
            {"WIX_APP_SECRET": "wrong"},
            "wix 11111111 token",
            "no access",
            "check WIX_APP_ID, WIX_APP_SECRET",
        ),
        (
            {"WIX_PUBLIC_KEY": "nothing"},
            "webhook keys",
            "holds no public key",
            "correct the setting",
        ),
        (
            {"OWN_SERVICE_TOKEN": "wrong"},
            "connector own-service probe",
            "credentials",
            "check its token",
        ),
        (
            {"OWN_SERVICE_URL": "http://127.0.0.1:9"},
            "connector own-service probe",
            "could not connect",
            "its address",
        ),
        (
            {"REDIS_URL": "redis://127.0.0.1:9/0"},
            "redis broker",
            "does not answer",
            "check REDIS_URL",
        ),
        (
            {"BUDGET_PROCESSES": "4"},
            "sql workers",
            "SQLite serves one worker process",
            "PostgreSQL",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_next_step(
    ask: Ask, changes: dict[str, str], name: str, what: str, next_step: str
) -> None:
    check = ask(**changes)[name]
    assert check.verdict == "bad"
    assert what in check.what
    assert next_step in check.next_step


@pytest.mark.full
def test_broker_and_cache_in_one_database_are_told(ask: Ask, redis_server: EmbeddedRedis) -> None:
    assert ask(REDIS_CACHE_URL=redis_server.url)["redis databases"].verdict == "bad"


@pytest.mark.full
def test_redis_that_would_evict_the_queue_is_told(ask: Ask, redis: Redis) -> None:
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        check = ask()["redis eviction"]
    finally:
        redis.config_set("maxmemory-policy", "noeviction")
    assert (check.verdict, check.next_step) == ("bad", "set maxmemory-policy noeviction")


@pytest.mark.full
def test_typing_error_in_a_setting_is_noted(ask: Ask) -> None:
    found: Any = ask(WIX_BUDGET_PER_MINUT="5")
    assert found["settings"].next_step == "did you mean WIX_BUDGET_PER_MINUTE?"


@pytest.mark.full
def test_older_name_beside_the_new_one_is_noted(ask: Ask) -> None:
    found: Any = ask(WORKER_SLOTS="12", WORKER_CONCURRENCY="6")
    assert "a worker has 12 slots" in found["settings"].what
    assert found["settings"].next_step == "remove WORKER_CONCURRENCY"


@pytest.mark.full
def test_setting_that_does_nothing_any_more_is_noted(ask: Ask) -> None:
    found: Any = ask(WORKER_ONE_CORE="true")
    assert found["settings"].what == "WORKER_ONE_CORE does nothing any more"
    assert found["settings"].next_step == "remove WORKER_ONE_CORE"


@pytest.mark.full
def test_wix_that_is_down_is_told_in_words(ask: Ask, box: Sandbox) -> None:
    box.wix.faults.set("unavailable", chance=1.0)
    check = ask()["wix 11111111 token"]
    assert check.verdict == "bad"
    assert "WIX_API_BASE_URL" in check.next_step
    assert box.wix.faults.struck["unavailable"] == 3, "the tries of one call: a person looks on"


@pytest.mark.full
def test_rule_that_guesses_what_is_gone_is_noted(ask: Ask, tmp_path: Path) -> None:
    rules = "[{status: [404, 410], outcome: gone}]"
    manifest = tmp_path / "mine.yaml"
    manifest.write_text(
        "extends: own-service\nid: own-service\noperations:\n"
        f"  {{get: {{errors: {rules}}}, update: {{errors: []}}, delete: {{errors: []}}}}\n"
    )
    found = ask(CONNECTORS=str(manifest))["connector own-service gone"]
    assert found.verdict == "note"
    assert "operations.get.errors[0]" in found.what
    assert "change this rule" in found.next_step


@pytest.mark.full
def test_site_from_before_hears_once_what_guests_may_change(ask: Ask, tmp_path: Path) -> None:
    """Only where the system says who is a guest; a new site has it with its other policies."""
    shop = {
        "CONNECTORS": "own-service,woocommerce",
        "WOO_BASE_URL": "https://shop.example.com",
        "WOO_CONSUMER_KEY": "k",
        "WOO_CONSUMER_SECRET": "s",
        "WOO_WEBHOOK_SECRET": "w",
    }
    assert not [name for name in ask(**shop) if name.startswith("guests")]
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE site SET policy = '{}'"))
    assert not [name for name in ask(**shop) if name.startswith("guests")]
    with engine.begin() as connection:
        connection.execute(text("UPDATE site SET connector = 'woocommerce'"))
    found = ask(**shop)["guests of woocommerce"]
    assert (found.verdict, "guest_change" in found.what) == ("note", True)
    assert "guest_may_change=allow" in found.next_step
    wiring = Wiring(load_settings({"RATINGS_SYNC_HOME": str(tmp_path)}), {})
    wiring.admin.sites.set_policy(1, {"guest_may_change": "hold"})
    wiring.close()
    engine.dispose()
    assert not [name for name in ask(**shop) if name.startswith("guests")]


@pytest.mark.full
def test_it_names_the_work_of_a_site_that_fails(ask: Ask, tmp_path: Path) -> None:
    assert ask()["site work"].verdict == "ok"
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    SqlSiteFaults(Transactions(engine)).note("hooks", "own-service", "KeyError", 3600.0)
    engine.dispose()
    found = ask()["hooks of own-service"]
    assert found.verdict == "bad"
    assert re.fullmatch(r"fails once, last \d+ s ago: KeyError \(again in \d+ s\)", found.what)
    assert "hooks_failed" in found.next_step


def test_error_in_the_checks_of_one_site_leaves_those_of_the_others(ask: Ask, box: Sandbox) -> None:
    """An answer that nobody foresaw ends the checks of its own site only."""
    odd = Response('{"site": ["?"]}', content_type="application/json")
    box.wix.faults.watch = lambda moment, call: odd if call.endswith("/instance") else None
    found = ask()
    assert found["wix 11111111"].verdict == "bad"
    assert found["connector own-service probe"].verdict == "ok"
