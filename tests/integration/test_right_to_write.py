"""``connector check --live`` and ``doctor`` tell credentials that may only read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sync_sandbox.control.platform import platform_app
from sync_sandbox.platforms.woocommerce import WooCommerce
from sync_sandbox.served import Served
from sync_worker.cli.connector.group import connector
from sync_worker.config import load_settings
from sync_worker.doctor.remotes import check_external
from sync_worker.wiring import Wiring
from tests.integration.remote_server import RemoteServer
from tests.integration.small_shop import SmallShop, settings_of, write_manifest

pytestmark = pytest.mark.full

RIGHT = "live: the right to write"
READ_ONLY = (
    "our credentials may read, but not write: 401 woocommerce_rest_authentication_error: The API"
    " key provided does not have write permissions.; give them that right there"
)


class Shop(WooCommerce):
    """A stand-in shop, served, with a review in it."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.create("22", "ana@example.com", "Ana", 4, by="visitor", text="Good", state="approved")
        self.served = Served(platform_app(self), 0)
        self.file = home / "shop.yaml"
        self.file.write_text("extends: woocommerce\nid: shop\nallow_private_hosts: true\n")
        self.environ = {
            **self.settings(),
            "WOO_BASE_URL": self.served.url,
            "CONNECTORS": str(self.file),
            "RATINGS_SYNC_HOME": str(home / "home"),
        }

    def asked(self) -> Result:
        words = ["check", str(self.file), "--live"]
        return CliRunner().invoke(connector, words, env=self.environ)


@pytest.fixture
def woo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.chdir(tmp_path)
    shop = Shop(tmp_path)
    yield shop
    shop.webhooks.stop()
    shop.served.stop()


def test_key_that_may_write_is_told_and_nothing_is_written(woo: Shop) -> None:
    result = woo.asked()
    assert (result.exit_code, f"✓ {RIGHT}: our credentials have it" in result.output) == (0, True)
    assert len(woo.reviews) == 1
    writes = {call: count for call, count in woo.calls.items() if not call.startswith("GET")}
    assert writes == {"POST /wp-json/wc/v3/products/reviews/batch": 1}


def test_key_that_may_only_read_is_no_good(woo: Shop) -> None:
    woo.faults.set("read_only_key", chance=1.0)
    result = woo.asked()
    assert result.exit_code == 1
    assert f"✗ {RIGHT}: {READ_ONLY} (" in result.output
    with_doctor = Wiring(load_settings(woo.environ), woo.environ)
    said = {check.name: check for check in check_external(with_doctor)}
    check = said["connector shop: the right to write"]
    assert (check.verdict, check.what) == ("bad", READ_ONLY)


def test_key_of_somebody_who_may_not_write_is_no_good(woo: Shop) -> None:
    woo.faults.set("wrong_role", chance=1.0)
    result = woo.asked()
    assert result.exit_code == 1
    assert "may read, but not write: 403 woocommerce_rest_cannot_batch: Sorry, you" in result.output


def test_answer_that_does_not_tell_is_a_note(
    server: RemoteServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as that of a proxy: what is not known is no mistake of the manifest."""
    shop = SmallShop()
    shop.fill(1)
    server.answer = shop.answer
    monkeypatch.chdir(tmp_path)
    asked = {"method": "PATCH", "path": "/nowhere"}
    write_manifest(Path("shop.yaml"), operations__may_write=asked)
    words = ["check", "./shop.yaml", "--live"]
    result = CliRunner().invoke(connector, words, env=settings_of(server))
    assert result.exit_code == 0, result.output
    assert f"! {RIGHT}: it could not be told: the answer is no JSON" in result.output
