"""Webhooks of accounts at the door: each at its own address, under its own secret, or nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sync_worker.core.values import Account, AccountChange, SiteState
from sync_worker.ledger.accounts.sealing import new_key
from sync_worker.ledger.accounts.store import new_public_id
from sync_worker.ledger.database import open_engine
from tests.integration.account_ground import ACTOR, AccountGround, small_manifest

DAY_SECONDS = 86_400.0
IMPLICIT = {
    "SMALL_SHOP_BASE_URL": "https://zero.example.org",
    "SMALL_SHOP_TOKEN": "t-zero",
    "SMALL_SHOP_HOOK_SECRET": "s-zero",
    "SMALL_SHOP_REGION": "eu",
}
NOBODY = {"error": "there is nobody at this address"}


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = open_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def ground(engine: Engine, tmp_path: Path) -> AccountGround:
    return AccountGround(engine, small_manifest(tmp_path))


def test_delivery_is_stored_as_its_accounts(ground: AccountGround) -> None:
    one, two = ground.add("one"), ground.add("two")
    assert ground.post(one.public_id, "s-one") == (200, {"result": "stored"})
    assert ground.post(two.public_id, "s-two") == (200, {"result": "stored"})
    assert [new.source for new in ground.stored()] == [one.source, two.source]


def test_secret_of_another_account_opens_no_door_but_its_own(ground: AccountGround) -> None:
    """Whoever has an account of this connector knows a secret, and must not speak for others."""
    one, two = ground.add("one"), ground.add("two")
    status, body = ground.post(one.public_id, "s-two")
    assert (status, body) == (401, {"error": "not verified"})
    assert ground.stored() == []
    assert ground.post(two.public_id, "s-two")[0] == 200


def test_shop_of_the_environment_keeps_its_address_and_secret(
    engine: Engine, tmp_path: Path
) -> None:
    ground = AccountGround(engine, small_manifest(tmp_path), IMPLICIT)
    one = ground.add("one")
    path, headers = "/webhooks/external/small-shop", {"X-Sig": "00"}
    assert ground.post("", "s-zero")[0] == 404  # a slash more is another address
    assert ground.client.post(path, data=b"{}", headers=headers).status_code == 401
    assert ground.post(one.public_id, "s-zero")[0] == 401
    assert ground.post(one.public_id, "s-one")[0] == 200
    assert [new.source for new in ground.stored()] == [one.source]


def test_addresses_where_nobody_is_answer_alike(ground: AccountGround) -> None:
    """Unknown, revoked, under another connector, replaced long ago: nobody learns which."""
    revoked, moved = ground.add("revoked"), ground.add("moved")
    ground.store.revoke(revoked.public_id, ACTOR)
    ground.store.rotate_address(moved.public_id, 0.0, ACTOR)
    asked = [
        (new_public_id(), "small-shop"),
        ("not-an-address", "small-shop"),
        (revoked.public_id, "small-shop"),
        (moved.public_id, "small-shop"),
        (moved.public_id, "okendo"),
        (moved.public_id, "no-connector"),
    ]
    told = [ground.sent(address, "s-moved", "r-1", connector) for address, connector in asked]
    assert {answer.status_code for answer in told} == {404}
    assert {answer.get_data() for answer in told} == {told[0].get_data()}
    assert told[0].get_json() == NOBODY
    names = [{name for name, _ in answer.headers} for answer in told]
    assert all(each == names[0] for each in names)
    assert ground.stored() == []


def test_revoked_account_opens_nothing_a_second_later(ground: AccountGround) -> None:
    one = ground.add("one")
    ground.give_secret(one, "hook_secret", "s-new", DAY_SECONDS)
    assert ground.post(one.public_id, "s-one", "r-1")[0] == 200
    ground.store.revoke(one.public_id, ACTOR)
    ground.a_second_later()
    for secret in ("s-one", "s-new"):
        assert ground.post(one.public_id, secret, "r-2") == (404, NOBODY)


def test_rotated_secret_and_the_one_before_it_open_until_its_date(ground: AccountGround) -> None:
    one = ground.add("one")
    assert ground.post(one.public_id, "s-one", "r-1")[0] == 200
    ground.give_secret(one, "hook_secret", "s-new", 60.0)
    ground.a_second_later()
    assert ground.post(one.public_id, "s-one", "r-2")[0] == 200
    assert ground.post(one.public_id, "s-new", "r-3")[0] == 200
    ground.at += 60.0
    assert ground.post(one.public_id, "s-one", "r-4")[0] == 401
    assert ground.post(one.public_id, "s-new", "r-5")[0] == 200


def test_address_that_was_replaced_leads_on_for_a_day(ground: AccountGround) -> None:
    one = ground.add("one")
    fresh = ground.store.rotate_address(one.public_id, DAY_SECONDS, ACTOR)
    for number, address in enumerate((one.public_id, fresh)):
        assert ground.post(address, "s-one", f"r-{number}")[0] == 200
    assert {new.source for new in ground.stored()} == {one.source}
    ground.at += DAY_SECONDS + 1.0
    assert ground.post(one.public_id, "s-one", "r-8") == (404, NOBODY)
    assert ground.post(fresh, "s-one", "r-9")[0] == 200


def test_paused_account_is_still_listened_to(ground: AccountGround) -> None:
    """What comes meanwhile waits, and is not lost."""
    one = ground.add("one")
    change = AccountChange(state=type(one.state).PAUSED, paused_why="a sale")
    ground.store.change(one.public_id, change, actor=ACTOR)
    assert ground.post(one.public_id, "s-one")[0] == 200


def test_account_whose_secrets_do_not_open_here_is_asked_again(
    engine: Engine, tmp_path: Path
) -> None:
    """The sender tries again; with the right key nothing is lost."""
    ground = AccountGround(engine, small_manifest(tmp_path), key=new_key())
    one = ground.add("one")
    answer = ground.sent(one.public_id, "s-one", "r-1")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert ground.post(new_public_id(), "s-one") == (404, NOBODY)


def test_without_the_ledger_a_sender_is_asked_to_come_again(ground: AccountGround) -> None:
    one = ground.add("one")
    assert ground.post(one.public_id, "s-one", "r-1")[0] == 200
    with ground.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE account_change RENAME TO gone")
    ground.a_second_later()
    assert ground.post(one.public_id, "s-one", "r-2") == (503, {"error": "try again later"})
    assert ground.post(new_public_id(), "s-one") == (503, {"error": "try again later"})


def test_metrics_are_of_the_connector_whoever_has_an_account(ground: AccountGround) -> None:
    """No label of a metric grows with the number of shops."""
    one = ground.add("one")
    ground.post(one.public_id, "s-one")
    ground.post(one.public_id, "s-two", "r-2")
    shown = ground.metrics()
    assert 'ratings_sync_gateway_requests_total{result="stored",source="small-shop"}' in shown
    assert one.public_id not in shown


@pytest.mark.parametrize("database", ["sqlite_url", "postgres_url"])
def test_two_gateways_take_up_what_a_command_changes(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """On both databases: two processes and a third one that changes accounts."""
    engine = open_engine(request.getfixturevalue(database))
    manifest = small_manifest(tmp_path)
    grounds = [AccountGround(engine, manifest) for _ in range(2)]
    one: Account = grounds[0].add("one")
    for number, ground in enumerate(grounds):
        assert ground.post(one.public_id, "s-one", f"first-{number}")[0] == 200
    grounds[0].give_secret(one, "hook_secret", "s-new", 0.0)
    for number, ground in enumerate(grounds):
        ground.a_second_later()
        assert ground.post(one.public_id, "s-one", f"old-{number}")[0] == 401
        assert ground.post(one.public_id, "s-new", f"new-{number}")[0] == 200
    grounds[0].store.revoke(one.public_id, ACTOR)
    for ground in grounds:
        ground.a_second_later()
        assert ground.post(one.public_id, "s-new", "late") == (404, NOBODY)
    engine.dispose()


def test_door_of_the_own_shop_shuts_as_its_site_leaves(engine: Engine, tmp_path: Path) -> None:
    """Genuine and forged look alike from outside; it opens again with the site."""
    ground = AccountGround(engine, small_manifest(tmp_path), IMPLICIT)
    site, _ = ground.admin.sites.add("instance-own", "small-shop", [])
    assert ground.post_to_own_shop("s-zero", "r-1") == (200, {"result": "stored"})
    ground.ledger.sites.note_lifecycle(site.id, SiteState.REMOVED, None)
    ground.a_second_later()
    for secret in ("s-zero", "forged"):
        assert ground.post_to_own_shop(secret, "r-2") == (404, NOBODY)
    ground.ledger.sites.note_lifecycle(site.id, SiteState.ACTIVE, None)
    ground.a_second_later()
    assert ground.post_to_own_shop("s-zero", "r-3") == (200, {"result": "stored"})
    assert [new.remote_id for new in ground.stored()] == ["r-1", "r-3"]


def test_own_shop_is_heard_while_nothing_tells_whether_its_site_left(
    engine: Engine, tmp_path: Path
) -> None:
    """The question fails, and no delivery is lost over it: a worker asks again."""
    ground = AccountGround(engine, small_manifest(tmp_path), IMPLICIT)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE site RENAME TO away")
    assert ground.post_to_own_shop("s-zero") == (200, {"result": "stored"})
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO site")
    assert [new.remote_id for new in ground.stored()] == ["r-1"]


def test_door_of_a_site_that_left_shuts_within_a_second(ground: AccountGround) -> None:
    """And opens no more with the site: its owner gives the account again, and gets an address."""
    one = ground.add("one")
    assert ground.post(one.public_id, "s-one")[0] == 200
    ground.ledger.sites.note_lifecycle(one.site_id, SiteState.REMOVED, None)
    ground.a_second_later()
    assert ground.post(one.public_id, "s-one") == (404, NOBODY)
    ground.ledger.sites.note_lifecycle(one.site_id, SiteState.ACTIVE, None)
    ground.a_second_later()
    assert ground.post(one.public_id, "s-one") == (404, NOBODY)
