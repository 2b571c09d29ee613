"""What ``connector conformance`` fails for, where it refuses to write, and how long it waits."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from sync_worker.cli.connector.conformance import events_of, seconds_to_wait
from sync_worker.core.values import EntityRef
from sync_worker.doctor.conformance import Conformance
from sync_worker.doctor.measured import Measured
from sync_worker.manifest.loader import load_manifest, shipped_manifest
from sync_worker.manifest.source.resolving import Placeholders
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import remote_of
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.tokens import OwnTokens
from tests.commands import run_command
from tests.integration.remote_server import RemoteServer
from tests.integration.small_shop import SmallShop, settings_of, write_manifest


class Clock:
    """Time that passes only while somebody waits."""

    now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def shop(server: RemoteServer) -> SmallShop:
    shop = SmallShop()
    shop.fill(12)
    server.answer = shop.answer
    return shop


class Suite:
    """The suite against the small shop, on a clock of its own.

    ``event_delay``: so many seconds after it was made, each change is heard of.
    """

    def __init__(self, folder: Path, server: RemoteServer, shop: SmallShop, **changes: Any) -> None:
        file = folder / "shop.yaml"
        write_manifest(file, **changes)
        self.manifest = load_manifest(file, settings_of(server))
        self.http = http_of(self.manifest, NoBudget(), OwnTokens())
        self.clock, self.shop, self.event_delay = Clock(), shop, 0.0
        self.seen: list[tuple[float, str, str]] = []
        self.known = {number: dict(row) for number, row in shop.reviews.items()}

    def heard(self, ids: Sequence[str]) -> list[str]:
        """Changes since the last look are noted with the time at which they are told."""
        due = self.clock.now + self.event_delay
        rows = self.shop.reviews
        for number in rows.keys() | self.known.keys():
            if number not in rows:
                self.seen.append((due, str(number), "delete"))
            elif rows[number] != self.known.get(number):
                self.seen.append((due, str(number), "upsert"))
        self.known = {number: dict(row) for number, row in rows.items()}
        told = [one for one in self.seen if one[0] <= self.clock.now]
        return [change for _, number, change in told if not ids or number in ids]

    def run(self, wait: float = 30.0, *, writes: bool = True) -> dict[str, Measured]:
        suite = Conformance(
            remote_of(self.manifest, self.http),
            self.manifest.scale.scale,
            EntityRef("99"),
            events_of(self.manifest),
            self.heard,
            self.clock.sleep,
            self.clock.monotonic,
            wait,
            writes_follow=writes,
        )
        measured = list(suite.read())
        if writes:
            measured += suite.write()
        self.http.close()
        self.left = suite.made
        return {one.what: one for one in measured}


def differing(measured: dict[str, Measured]) -> dict[str, str]:
    return {what: one.seen for what, one in measured.items() if one.differs}


def test_healthy_system_has_no_difference(
    tmp_path: Path, server: RemoteServer, shop: SmallShop
) -> None:
    suite = Suite(tmp_path, server, shop)
    assert differing(suite.run()) == {}
    assert (suite.left, len(shop.reviews)) == ([], 12)


def test_no_record_to_read_fails_unless_one_is_made(
    tmp_path: Path, server: RemoteServer, shop: SmallShop
) -> None:
    shop.reviews.clear()
    assert differing(Suite(tmp_path, server, shop).run(writes=False)) == {
        "a record can be read": "no: the listing is empty; add a record there"
    }
    assert differing(Suite(tmp_path, server, shop).run()) == {}


@pytest.mark.parametrize(
    ("changes", "what", "seen"),
    [
        (
            {"fields__value": {"path": "mark", "as": "decimal", "required": True}},
            "a record can be read",
            "no: none of 10 rows; fields.value: nothing at `mark`",
        ),
        (
            {"fields__email": {"path": "author.mail", "as": "email"}},
            "people of the first page are recognised",
            "no: not one of 10 records names an address",
        ),
        (
            {"fields__entity": {"path": "product.sku"}},
            "products of the first page are recognised",
            "no: not one of 10 records names what it rates",
        ),
        (
            {"operations__list__path": "/api/rewievs"},
            "a record can be read",
            "no: the answer is no JSON",
        ),
    ],
)
def test_first_page_that_is_not_understood_fails(
    tmp_path: Path,
    server: RemoteServer,
    shop: SmallShop,
    changes: dict[str, Any],
    what: str,
    seen: str,
) -> None:
    measured = Suite(tmp_path, server, shop, **changes).run(writes=False)
    assert differing(measured)[what].startswith(seen)
    assert measured[what].key.startswith(("fields.", "operations.list", "base_url"))


@pytest.mark.parametrize(
    ("quirk", "what", "seen", "key"),
    [
        (
            "moderates",
            "a create lands in the state that was asked for",
            "pending",
            "states.write and operations.create.body",
        ),
        ("forgets", "an update is applied", "no", "operations.update"),
    ],
)
def test_write_that_is_answered_and_not_done_fails(
    tmp_path: Path,
    server: RemoteServer,
    shop: SmallShop,
    quirk: str,
    what: str,
    seen: str,
    key: str,
) -> None:
    shop.quirks.add(quirk)
    suite = Suite(tmp_path, server, shop)
    measured = suite.run(wait=2.0)
    assert (differing(measured)[what], measured[what].key) == (seen, key)
    assert (suite.left, len(shop.reviews)) == ([], 12)


def test_rule_that_locks_our_own_record_fails(
    tmp_path: Path, server: RemoteServer, shop: SmallShop
) -> None:
    rule = {"path": "author.name != 'Conformance Test'"}
    measured = Suite(tmp_path, server, shop, fields__can_update=rule).run(wait=2.0)
    what = "we may update what we made"
    assert (differing(measured), measured[what].key) == ({what: "no"}, "fields.can_update")


def test_call_that_is_refused_is_a_line_and_what_is_left_is_named(
    tmp_path: Path, server: RemoteServer, shop: SmallShop
) -> None:
    """A wrong verb ended the command with an error, and nobody heard of the record."""
    suite = Suite(tmp_path, server, shop, operations__delete__method="POST")
    measured = suite.run(wait=2.0)
    (refused,) = [one for one in measured.values() if one.key == "operations.delete.method"]
    assert refused.differs
    assert "status=405" in refused.seen
    assert len(suite.left) == len(shop.reviews) - 12 > 0


def test_events_of_a_slow_queue_are_awaited(
    tmp_path: Path, server: RemoteServer, shop: SmallShop
) -> None:
    """WordPress runs its queue once a minute: 30 seconds said that its events never come."""
    suite = Suite(tmp_path, server, shop)
    suite.event_delay = 61.0
    assert differing(suite.run(wait=90.0)) == {}
    woo = load_manifest(shipped_manifest("woocommerce"), Placeholders({}))
    assert seconds_to_wait(woo, None) == 90.0
    assert seconds_to_wait(woo, 5.0) == 5.0
    assert seconds_to_wait(suite.manifest, None) == 30.0


# -- the command


def command(folder: Path, server: RemoteServer, *words: str) -> CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    settings = {"RATINGS_SYNC_HOME": str(folder), "CONNECTORS": "./shop.yaml"}
    return run_command(words, folder, kept | settings_of(server) | settings)


def conformance(folder: Path, server: RemoteServer, *words: str) -> CompletedProcess[str]:
    return command(folder, server, "connector", "conformance", *words)


@pytest.mark.full
def test_file_is_measured_without_a_ledger(
    tmp_path: Path, server: RemoteServer, shop: SmallShop
) -> None:
    write_manifest(tmp_path / "other.yaml")
    write_manifest(tmp_path / "shop.yaml")
    done = conformance(tmp_path, server, "./other.yaml")
    assert done.returncode == 0, done.stderr
    assert "✓ people of the first page are recognised: yes" in done.stdout
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.full
def test_it_writes_only_where_it_can_clean_up(
    tmp_path: Path, server: RemoteServer, shop: SmallShop
) -> None:
    words = ("./shop.yaml", "--allow-writes", "--product", "99", "--wait", "0")
    document = yaml.safe_load((Path(__file__).parent / "small_shop.py").read_text().split('"""')[3])
    del document["operations"]["delete"]
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(document))
    done = conformance(tmp_path, server, *words)
    assert done.returncode == 1
    assert "shop declares no operations.delete, so its test records would stay" in done.stderr
    write_manifest(tmp_path / "shop.yaml", operations__delete_means="hide")
    assert "would stay, hidden" in conformance(tmp_path, server, *words).stderr
    assert len(shop.reviews) == 12


@pytest.mark.full
def test_product_that_would_reach_a_live_site_is_refused(
    tmp_path: Path, server: RemoteServer, shop: SmallShop
) -> None:
    """A test rating of it would stand on Wix, and its made-up person among the contacts."""
    write_manifest(tmp_path / "shop.yaml")
    words = ("./shop.yaml", "--allow-writes", "--product", "99", "--wait", "0")
    instance = "11111111-2222-4333-8444-555555555555"
    policies = ("-p", "unknown_entity=same_id", "-p", "unknown_contact=create")
    add = ("site", "add", instance, "--connector", "shop", *policies)
    assert command(tmp_path, server, *add).returncode == 0
    done = conformance(tmp_path, server, *words)
    assert done.returncode == 1
    assert (
        "site 1 maps every product by its id (unknown_entity=same_id): the test rating would reach"
        " its customers, and a contact would stay there (unknown_contact=create)" in done.stderr
    )
    assert command(tmp_path, server, "site", "policy", "unknown_entity=hold").returncode == 0
    mapping = "wix_namespace,wix_group,wix_entity_id,external_group,external_entity_id\n"
    (tmp_path / "things.csv").write_text(f"{mapping}reviews,stores,mug,,99\n")
    mapped = command(tmp_path, server, "map", "entities", "import", "things.csv")
    assert mapped.returncode == 0, mapped.stderr
    refused = conformance(tmp_path, server, *words).stderr
    assert "product 99 is mapped to mug on site 1" in refused
    assert len(shop.reviews) == 12
    other = ("./shop.yaml", "--allow-writes", "--product", "98", "--wait", "0")
    assert "✓ an update is applied: yes" in conformance(tmp_path, server, *other).stdout
    assert len(shop.reviews) == 12
