"""The service under commands, API and pages: what it refuses and what it keeps, on both ledgers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync_worker.config import load_settings
from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Account
from sync_worker.ledger.accounts.sealing import new_key, public_of
from sync_worker.ledger.accounts.store import StaleVersion
from sync_worker.services.accounts.giving import BadValues, parted
from sync_worker.wiring import Wiring
from tests.unit.manifest.test_settings import SMALL, written

VALUES = {
    "base_url": "https://shop.example.org",
    "token": "t-canary",
    "hook_secret": "s-canary",
    "region": "eu",
    "pace": "5",
}


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def wiring(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Wiring]:
    """A process that takes secrets in and can open none."""
    environ = {
        "RATINGS_SYNC_HOME": str(tmp_path),
        "DATABASE_URL": request.getfixturevalue(request.param),
        "CONNECTORS": str(written(tmp_path, SMALL)),
        "SECRETS_SEALING_KEY": public_of(new_key()),
    }
    wiring = Wiring(load_settings(environ), environ)
    wiring.admin.sites.add("instance-1", "", [])
    yield wiring
    wiring.close()


def added(wiring: Wiring, **changes: str) -> Account:
    site = wiring.admin.sites.find("1")
    return wiring.accounts.add(site, "small-shop", VALUES | changes, "api:owner")


def test_only_the_value_before_of_a_secret_that_rotates_stays_valid(wiring: Wiring) -> None:
    account = added(wiring)
    wiring.accounts.change(account, {"token": "t-2", "hook_secret": "s-2"}, "api:owner")
    sealed = wiring.accounts.store.sealed_of(account.id)
    assert {name: one.previous is not None for name, one in sealed.items()} == {
        "token": False,
        "hook_secret": True,
    }
    wiring.accounts.change(account, {"hook_secret": "s-3"}, "api:owner", keep_old_seconds=0.0)
    sealed = wiring.accounts.store.sealed_of(account.id)
    assert sealed["hook_secret"].previous is None


def test_empty_value_leaves_an_optional_setting_out_and_no_other(wiring: Wiring) -> None:
    account = added(wiring)
    assert account.settings["pace"] == "5"
    changed = wiring.accounts.change(account, {"pace": ""}, "api:owner")
    assert "pace" not in changed.settings
    with pytest.raises(BadValues) as refused:
        wiring.accounts.change(account, {"token": "", "region": "mars"}, "api:owner")
    assert set(refused.value.problems) == {"region"}
    with pytest.raises(BadValues, match=r"token \(Token\) cannot be left out"):
        wiring.accounts.change(account, {"token": ""}, "api:owner")


def test_all_problems_are_told_at_once_by_name_and_without_values(wiring: Wiring) -> None:
    wrong: dict[str, Any] = {"base_url": "canary", "region": "canary", "colour": "canary"}
    with pytest.raises(BadValues) as refused:
        added(wiring, **wrong)
    assert set(refused.value.problems) == {"base_url", "region", "colour"}
    assert "canary" not in str(refused.value)
    assert wiring.accounts.page() == []


def test_audit_names_what_changed_and_by_whom_and_no_secret(wiring: Wiring) -> None:
    account = added(wiring)
    wiring.accounts.change(account, {"token": "t-2", "pace": "7"}, "api:owner")
    newest, first = wiring.accounts.store.audit.of_account(account.id)
    assert (newest.what, newest.actor) == ("account.set", "api:owner")
    assert (newest.before["pace"], newest.after["pace"]) == ("5", "7")
    assert newest.after["secrets"] == ["token"]
    assert "canary" not in str((newest, first))


def test_revoked_account_takes_no_change(wiring: Wiring) -> None:
    account = wiring.accounts.revoke(added(wiring), "it leaked", "api:owner")
    for change in (
        lambda: wiring.accounts.pause(account, "", "api:owner"),
        lambda: wiring.accounts.resume(account, "api:owner"),
        lambda: wiring.accounts.change(account, {"pace": "7"}, "api:owner"),
        lambda: wiring.accounts.rotate_address(account, "api:owner"),
        lambda: wiring.accounts.revoke(account, "", "api:owner"),
        lambda: wiring.accounts.note_probe(account, {"good": True}, "api:owner"),
    ):
        with pytest.raises(Misconfigured, match="is revoked, and a revoked one stays so"):
            change()


def test_account_of_a_store_that_is_told_by_a_secret_may_get_another_one(
    wiring: Wiring, tmp_path: Path
) -> None:
    """Its hash tells accounts apart, and a secret given anew is no other shop."""
    document = SMALL | {"id": "secret-shop", "account_identity": ["token"]}
    environ = {**wiring.environ, "CONNECTORS": str(written(tmp_path, document))}
    other = Wiring(load_settings(environ), environ)
    site = other.admin.sites.find("1")
    account = other.accounts.add(site, "secret-shop", VALUES, "api:owner")
    second, _ = other.admin.sites.add("instance-2", "", [])
    with pytest.raises(Misconfigured, match="serves site 1 already"):
        other.accounts.add(second, "secret-shop", VALUES, "api:owner")
    changed = other.accounts.change(account, {"token": "t-2"}, "api:owner")
    assert changed.identity not in (None, account.identity)
    assert "t-2" not in str(changed.identity)
    other.accounts.add(second, "secret-shop", VALUES, "api:owner")
    other.close()


def test_one_shop_serves_one_site_after_two_changes_at_once(wiring: Wiring) -> None:
    """Both have looked at the account before either changed it."""
    seen = added(wiring)
    wiring.accounts.change(seen, {"base_url": "https://b.example.org"}, "ada")
    wiring.accounts.change(seen, {"region": "us"}, "bob")
    now = wiring.accounts.store.by_public_id(seen.public_id)
    assert now is not None
    assert (now.settings["base_url"], now.settings["region"]) == ("https://b.example.org", "us")
    assert "b.example.org" in str(now.identity)
    wiring.admin.sites.add("instance-2", "", [])
    neighbour = wiring.admin.sites.find("2")
    taken = VALUES | {"base_url": "https://b.example.org", "region": "us"}
    with pytest.raises(Misconfigured, match="serves site 1 already"):
        wiring.accounts.add(neighbour, "small-shop", taken, "api:owner")
    with pytest.raises(StaleVersion):
        wiring.accounts.change(seen, {"pace": "7"}, "bob", version=seen.version)
    wiring.accounts.add(neighbour, "small-shop", VALUES, "api:owner")


def test_values_taken_apart_show_no_secret(wiring: Wiring) -> None:
    parts = parted(wiring.connectors.code_of("small-shop").code, VALUES)
    assert parts.secrets["token"] == "t-canary"
    assert "canary" not in repr(parts)
