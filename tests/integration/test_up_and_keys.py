"""What ``ratings-sync up`` does about keys before it starts anything."""

from __future__ import annotations

import stat
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from sync_worker.config import load_settings
from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.accounts.sealing import new_key
from sync_worker.services.accounts.standing import site_account_words, state_words
from sync_worker.wiring import Wiring
from sync_worker.wiring.secret_keys import locked_sites, warn_of_locked
from sync_worker.wiring.single_machine import check_all

VALUES = {
    "base_url": "https://shop.example.org",
    "consumer_key": "ck",
    "consumer_secret": "cs",
    "webhook_secret": "hook-secret",
}


@pytest.fixture
def environ(home: Path) -> dict[str, str]:
    return {
        "RATINGS_SYNC_HOME": str(home),
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "CONNECTORS": "woocommerce",
        "WOO_BASE_URL": "https://own.example.org",
        "WOO_CONSUMER_KEY": "ck",
        "WOO_CONSUMER_SECRET": "cs",
        "WOO_WEBHOOK_SECRET": "hook-secret",
    }


def checked(environ: dict[str, str]) -> list[str]:
    said: list[str] = []
    check_all(said.append, environ)
    return said


def give(environ: dict[str, str]) -> None:
    wiring = Wiring(load_settings(environ), environ)
    site, _ = wiring.admin.sites.add("instance-1", "", [])
    wiring.accounts.add(site, "woocommerce", VALUES, "test")
    wiring.close()


def test_key_is_made_at_the_first_start_and_kept(home: Path, environ: dict[str, str]) -> None:
    (made,) = checked(environ)
    assert f"made {home / 'secrets_key'}" in made
    key = (home / "secrets_key").read_text().strip()
    assert key not in made
    assert stat.S_IMODE((home / "secrets_key").stat().st_mode) == 0o600
    assert checked(environ) == []
    give(environ)
    assert checked(environ) == []


def test_no_key_is_made_before_the_settings_are_right(home: Path, environ: dict[str, str]) -> None:
    del environ["WOO_CONSUMER_KEY"]
    with pytest.raises(Misconfigured, match="WOO_CONSUMER_KEY is not set"):
        checked(environ)
    assert not (home / "secrets_key").exists()


def test_up_with_connectors_alone_makes_the_key_for_their_accounts(home: Path) -> None:
    environ = {
        "RATINGS_SYNC_HOME": str(home),
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "CONNECTORS": "woocommerce,bigcommerce,judgeme",
    }
    (made,) = checked(environ)
    assert f"made {home / 'secrets_key'}" in made
    give(environ)
    assert checked(environ) == []


def test_lost_key_is_told_and_no_other_takes_its_place(home: Path, environ: dict[str, str]) -> None:
    checked(environ)
    give(environ)
    (home / "secrets_key").unlink()
    (said,) = checked(environ)
    assert "the secrets of 1 account do not open" in said
    assert not (home / "secrets_key").exists()


@pytest.mark.parametrize("key", ["another", "no key at all"])
def test_wrong_key_is_one_line_and_stops_nothing(environ: dict[str, str], key: str) -> None:
    checked(environ)
    give(environ)
    wrong = new_key() if key == "another" else "sk_canary"
    (said,) = checked(environ | {"SECRETS_KEY": wrong})
    assert "the secrets of 1 account do not open" in said
    assert len(said.splitlines()) == 1
    assert wrong not in said


def test_gateway_and_worker_say_it_in_one_line_at_their_start(
    environ: dict[str, str],
) -> None:
    checked(environ)
    give(environ)
    wrong = environ | {"SECRETS_KEY": new_key()}
    wiring = Wiring(load_settings(wrong), wrong)
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.BoundLogger)
    try:
        with capture_logs() as lines:
            warn_of_locked(wiring.settings, wiring.admin.transactions)
    finally:
        structlog.configure(wrapper_class=before)
    wiring.close()
    assert [line["event"] for line in lines] == ["accounts_locked"]
    assert "the secrets of 1 account do not open" in lines[0]["why"]


def test_site_whose_shop_left_the_environment_is_told_of(environ: dict[str, str]) -> None:
    checked(environ)
    wiring = Wiring(load_settings(environ), environ)
    wiring.admin.sites.add("instance-1", "woocommerce", [])
    wiring.close()
    without = {name: text for name, text in environ.items() if not name.startswith("WOO_")}
    (said,) = checked(without)
    assert "site 1 uses connector woocommerce, and WOO_BASE_URL is not set" in said
    assert checked(environ) == []


def test_lists_say_of_an_account_that_it_is_locked(home: Path, environ: dict[str, str]) -> None:
    """Whose key is lost: it is neither new nor active for whoever has to bring it back."""
    checked(environ)
    give(environ)
    with closing(Wiring(load_settings(environ), environ)) as wiring:
        assert locked_sites(wiring.settings, wiring.admin.sealed) == frozenset()
        (home / "secrets_key").rename(home / "elsewhere")
        locked = locked_sites(wiring.settings, wiring.admin.sealed)
        (account,) = wiring.accounts.page()
        site = wiring.admin.sites.find(None)
        assert state_words(account, site, locked) == "account_locked"
        assert site_account_words(site, locked) == "account_locked"
        (home / "secrets_key").write_text(new_key())
        assert locked_sites(wiring.settings, wiring.admin.sealed) == {site.id}
