"""Polls over real HTTP: what the listing is asked for, and what comes of it between both
stand-ins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Response
from sqlalchemy import update

from sync_sandbox.control.platform import platform_app
from sync_sandbox.platforms.woocommerce import WooCommerce
from sync_sandbox.served import Served
from sync_sandbox.volume import Volume, silently
from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.tables import run
from sync_worker.manifest.loader import parse_manifest, shipped_manifest
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.documents import document_of
from tests.integration.remote_server import Asked, RemoteServer, Reply, remote_server
from tests.integration.shipped_pace import far_hour
from tests.integration.small_connector import a_manifest, a_remote, a_row
from tests.integration.test_reconcile import RAISED, Ground, make_ground, nightly

pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LIST = {"method": "GET", "path": "/r", "items_path": "rows"}
CREATED = {"param": "since", "semantics": "created"}
WEBHOOK = {
    "verify": [{"type": "url_token", "secret": {"env": "URL"}}],
    "event": {"const": "changed"},
    "events": [{"match": "changed", "change": "upsert"}],
    "key": {"id": "id"},
}


# -- what the listing is asked for


@pytest.mark.parametrize(
    ("form", "asked"),
    [("iso8601", "2026-05-01T11:59:00Z"), ("epoch_s", "1777636740"), ("epoch_ms", "1777636740000")],
)
def test_each_look_begins_before_the_newest_time_by_the_overlap(form: str, asked: str) -> None:
    incremental = CREATED | {"format": form, "overlap_s": 60}
    rows = [a_row(1, made="2026-05-01T13:00:00+02:00"), a_row(2, made="?")]
    with remote_server() as server:
        server.answer = lambda asked: Reply(body={"rows": rows})
        remote = a_remote(
            a_manifest(server, operations__poll={"every_s": 60, "incremental": incremental})
        )
        page = remote.changed_page(NOON)
        remote.changed_page(None)
        remote.list_page()
    assert [one.query.get("since") for one in server.asked] == [asked, None, None]
    assert page.newest == NOON - timedelta(hours=1)
    assert [record.remote_id for record in page.records] == ["1", "2"]


def test_every_page_is_asked_for_the_same_time_and_a_next_link_as_it_is() -> None:
    poll = {"every_s": 60, "incremental": CREATED}
    for paging, second in (("page", "2026-05-01T11:55:00Z"), ("next_link", "theirs")):
        with remote_server() as server:
            server.answer = _two_pages(server)
            paged = LIST | {"pagination": {"kind": paging}}
            remote = a_remote(a_manifest(server, operations__list=paged, operations__poll=poll))
            remote.changed_page(NOON, remote.changed_page(NOON).cursor)
        assert [one.query["since"] for one in server.asked] == ["2026-05-01T11:55:00Z", second]


def _two_pages(server: RemoteServer) -> Callable[[Asked], Reply]:
    def answer(asked: Asked) -> Reply:
        links = {"Link": '</r?page=2&since=theirs>; rel="next"'} if len(server.asked) == 1 else {}
        return Reply(body={"rows": [a_row(len(server.asked))]}, headers=links)

    return answer


def test_system_without_a_listing_of_changes_is_looked_at_whole() -> None:
    with remote_server() as server:
        server.answer = lambda asked: Reply(body={"rows": [a_row(1, made="2026-05-01T13:00:00Z")]})
        page = a_remote(a_manifest(server, operations__poll={"every_s": 60})).changed_page(NOON)
    assert (server.asked[0].query, len(page.records), page.newest) == ({}, 1, None)


def test_new_review_of_a_shop_is_seen_whatever_its_time_zone() -> None:
    """WooCommerce compares its own time, which the question does not know."""
    shop = WooCommerce()
    served = Served(platform_app(shop), 0)
    environ = shop.settings() | {"WOO_BASE_URL": served.url, "WOO_WEBHOOK_SECRET_OLD": ""}
    document = document_of(shipped_manifest("woocommerce").read_text()) | {
        "allow_private_hosts": True
    }
    remote = a_remote(parse_manifest(document, environ, Path("woocommerce.yaml")))
    old = shop.create("22", "ana@example.com", "Ana", 4, by="visitor", text="good")
    shop.reviews[old.id] = replace(old, created=old.created - timedelta(days=9))
    before = remote.changed_page(None)
    new = shop.create("23", "ana@example.com", "Ana", 4, by="visitor", text="good")
    shop.reviews[new.id] = replace(new, created=new.created - timedelta(hours=11))
    found = remote.changed_page(datetime.now(UTC))
    served.stop()
    assert [one.remote_id for one in before.records] == [str(old.id)]
    assert before.newest == shop.reviews[old.id].created.replace(microsecond=0)
    assert [one.remote_id for one in found.records] == [str(new.id)]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {
                "operations__poll": {
                    "every_s": 60,
                    "incremental": CREATED | {"semantics": "updated"},
                }
            },
            "fields.updated_at",
        ),
        (
            {"operations__poll": {"every_s": 60}, "operations__list": None, "webhook": WEBHOOK},
            "needs operations.list",
        ),
        (
            {
                "operations__poll": {"every_s": 60, "incremental": CREATED},
                "operations__list": {"handler": "x"},
            },
            "not to a handler",
        ),
    ],
)
def test_poll_that_could_never_work_is_refused_with_its_reason(
    changes: dict[str, Any], complaint: str
) -> None:
    with remote_server() as server, pytest.raises(Misconfigured, match=complaint):
        a_manifest(server, **changes)


# -- between both sides


@pytest.fixture
def ground(tmp_path: Path, redis_server: EmbeddedRedis, redis: Any) -> Iterator[Ground]:
    # At the hour of the daily sweeps one would go before each poll.
    settings = {**RAISED, "RECONCILE_AT": far_hour()}
    volume = Volume(each_side=20, conflicting=0, strangers=2)
    yield from make_ground(tmp_path, redis_server, volume, settings)


def tick(ground: Ground) -> None:
    """A worker's minute, ten minutes later: what is due for this site."""
    with ground.wiring.sweeps.runs._transactions.write() as connection:
        connection.execute(update(run).values(started_at=run.c.started_at - 601))
    assert not nightly(ground)


def kinds(ground: Ground) -> list[str]:
    with ground.wiring.sweeps.runs._transactions.read() as connection:
        return [
            f"{row.kind} {row.state}" for row in connection.execute(run.select().order_by(run.c.id))
        ]


def test_changes_that_no_webhook_told_cross_with_the_next_poll(
    ground: Ground,
) -> None:
    """A change, a rating and a removal that no webhook told cross with the next poll."""
    ground.run()
    tick(ground)  # the first poll: it lists everything
    ground.box.reviews.calls.clear()
    ground.box.wix.calls.clear()
    changed, removed, *_ = list(ground.box.reviews.ratings)
    with silently(ground.box):
        ground.box.reviews.change(changed, {"score": Decimal("1")}, by="visitor")
        ground.box.reviews.remove(removed, by="visitor")
        author = {"email": "person2@example.com", "display_name": "P"}
        ground.box.reviews.create(
            {"subject": {"id": "SKU-9"}, "author": author, "score": Decimal(2)}, by="visitor"
        )
    tick(ground)
    wix, external = ground.sides()
    assert {
        key: value for key, value in external.items() if not key[1].startswith("stranger")
    } == wix
    assert kinds(ground) == ["baseline done", "poll done", "poll done"]
    assert ground.held() == {"unknown_contact": 2}
    writes = {call: count for call, count in ground.box.wix.calls.items() if "ratings/v1" in call}
    tick(ground)
    assert {
        call: count for call, count in ground.box.wix.calls.items() if "ratings/v1" in call
    } == writes


@pytest.mark.full
def test_poll_is_not_due_before_its_time_nor_just_after_a_sweep(ground: Ground) -> None:
    assert not nightly(ground)
    ground.run()
    assert not nightly(ground)
    assert kinds(ground) == ["baseline done"]


@pytest.mark.full
def test_poll_whose_slice_is_over_goes_on_in_the_next_one(ground: Ground) -> None:
    ground.run()
    with ground.wiring.sweeps.runs._transactions.write() as connection:
        connection.execute(update(run).values(started_at=run.c.started_at - 601))
    assert nightly(ground, 0.0)
    assert not nightly(ground)
    assert kinds(ground) == ["baseline done", "poll done"]


@pytest.mark.full
def test_poll_that_the_system_refuses_is_over_and_the_next_comes_in_time(
    ground: Ground,
) -> None:
    """A poll that the system refuses is over and the next one is due in time."""
    ground.run()
    ground.box.reviews.faults.watch = lambda moment, call: Response(status=400)
    tick(ground)
    assert kinds(ground) == ["baseline done", "poll abandoned"]
    assert not nightly(ground)
    assert kinds(ground) == ["baseline done", "poll abandoned"]
