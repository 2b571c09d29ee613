"""A listing that never ends is an error after a few calls, and everybody who should hears of it."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from flask import Response, request

from sync_sandbox.platforms.bigcommerce import BigCommerce
from sync_sandbox.platforms.woocommerce import Hook, WooCommerce
from sync_worker.core.errors import Permanent
from sync_worker.core.sweep_values import RunKind
from sync_worker.doctor.ledger import check_site_work
from sync_worker.remotes.http.authorization import FixedHeaders
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.options import HttpOptions
from sync_worker.remotes.wix.api import WixApi
from sync_worker.remotes.wix.people import WixPeople
from sync_worker.runtime.waiting import patiently
from tests.integration.remote_server import Reply, always, remote_server
from tests.integration.shell import Shell
from tests.integration.shipped_pace import CONNECTORS, Shop, a_shop

pytestmark = pytest.mark.full

LONG = 260  # more than a page of any platform


def full_shop(shop: Shop) -> None:
    """All reviews are of one product, so that its own listing has pages, too."""
    for number in range(LONG):
        shop.rate_outside(number * 10, prefix="stranger")
    shop.calls()


@pytest.mark.parametrize("kind", [RunKind.SWEEP, RunKind.DRY_RUN])
@pytest.mark.parametrize("platform", CONNECTORS)
def test_ignored_page_parameter_ends_the_run_with_the_key_to_check(
    tmp_path: Path, platform: str | None, kind: RunKind
) -> None:
    """At most three tries of two pages each, and nothing is planned from what was seen."""
    with a_shop(tmp_path, platform) as shop:
        full_shop(shop)
        (shop.box.platform or shop.box.reviews).faults.set("paging_ignored", chance=1.0)
        with pytest.raises(Permanent, match=r"operations\.\w+\.pagination") as refused:
            shop.run(kind)
        assert refused.value.reason == "paging_repeats"
        _, external = shop.calls()
        # BigCommerce is asked for its products first.
        assert external.total() <= 3 * (3 if platform == "bigcommerce" else 2), external
        state, counts = shop.run_state()
        # Its first page is empty: the products come before their reviews.
        assert counts.pop("empty_external", 0) == 0
        assert (state, counts) == ("running", {"listed_external": 0, "begun_again_external": 0})


@pytest.mark.parametrize("kind", [RunKind.SWEEP, RunKind.DRY_RUN])
def test_cursor_of_wix_that_leads_nowhere_ends_the_run(tmp_path: Path, kind: RunKind) -> None:
    with a_shop(tmp_path, None) as shop:
        shop.add_people(LONG // 10)
        for number in range(LONG):
            shop.rate_on_wix(number)
        shop.calls()
        shop.box.wix.faults.set("paging_ignored", chance=1.0)
        with pytest.raises(Permanent, match="Query Ratings") as refused:
            shop.run(kind)
        assert refused.value.reason == "paging_repeats"
        wix, _ = shop.calls()
        assert wix["POST /ratings/v1/ratings/query"] <= 6, wix


def test_listing_that_is_cut_again_and_again_ends_after_three_tries(tmp_path: Path) -> None:
    """A later page that is refused each time: the next run begins anew, and may succeed."""
    with a_shop(tmp_path, "woocommerce") as shop:
        full_shop(shop)
        refuse_second_pages(shop)
        with pytest.raises(Permanent, match="holds no list"):
            shop.run(RunKind.DRY_RUN)
        _, external = shop.calls()
        assert external.total() == 6
        assert shop.box.platform is not None
        shop.box.platform.faults.watch = None
        assert len(shop.run(RunKind.DRY_RUN)) == LONG


def refuse_second_pages(shop: Shop) -> None:
    """With a page of maintenance in the form of a success."""

    def watch(moment: str, call: str) -> Response | None:
        if moment == "arrived" and request.args.get("page") == "2":
            return Response('{"message": "maintenance"}', mimetype="application/json")
        return None

    assert shop.box.platform is not None
    shop.box.platform.faults.watch = watch


def test_short_cut_listing_begins_again_and_is_whole(tmp_path: Path) -> None:
    with a_shop(tmp_path, "woocommerce") as shop:
        full_shop(shop)
        assert shop.box.platform is not None
        shop.box.platform.faults.set("paging_ignored", next=2)
        assert len(shop.run(RunKind.DRY_RUN)) == LONG


def test_listing_too_long_is_not_tried_again(tmp_path: Path) -> None:
    with a_shop(tmp_path, "woocommerce", most_pages=2) as shop:
        full_shop(shop)
        with pytest.raises(
            Permanent, match=r"more than 2 pages; check operations\.list\.pagi"
        ) as it:
            shop.run(RunKind.DRY_RUN)
        assert it.value.reason == "paging_too_long"
        _, external = shop.calls()
        assert external.total() == 2


# -- who hears of it


@pytest.mark.parametrize("work", [RunKind.SWEEP, RunKind.POLL])
def test_sweep_and_poll_that_never_end_show_in_status_and_doctor(
    tmp_path: Path, work: RunKind
) -> None:
    """And they pause, so that the system is not asked again and again."""
    with a_shop(tmp_path, "woocommerce") as shop:
        shop.run()
        full_shop(shop)
        shop.age_runs(2 * 86_400 if work is RunKind.SWEEP else 1_000)
        assert shop.box.platform is not None
        shop.box.platform.faults.set("paging_ignored", chance=1.0)
        for _ in range(3):
            shop.wiring.sweeps.nightly().work()
        _, external = shop.calls()
        assert external.total() <= 6, external
        (fault,) = shop.wiring.databases.figures().site_faults
        assert (fault.work, fault.source) == (str(work), "woocommerce-sandbox")
        assert "operations.list.pagination.param" in fault.error
        shown = {one.name: one for one in check_site_work(shop.wiring)}
        assert "operations.list.pagination.param" in shown[f"{work} of {fault.source}"].what


@pytest.mark.full
def test_command_names_the_key_and_status_shows_it_until_it_works(tmp_path: Path) -> None:
    with a_shop(tmp_path, "woocommerce") as shop:
        full_shop(shop)
        environ = {**shop.environ, "PATH": os.environ["PATH"], "COLUMNS": "200"}
        shell = Shell(tmp_path, environ)
        assert shop.box.platform is not None
        shop.box.platform.faults.set("paging_ignored", chance=1.0)
        for words in (["reconcile", "--dry-run"], ["map", "contacts", "match"]):
            assert "operations.list.pagination.param" in shell.bad(*words)
        assert "operations.list.pagination.param" in shell.run("status").stdout
        shop.box.platform.faults.clear()
        shell.good("reconcile", "--dry-run")
        assert "operations.list.pagination" not in shell.run("status").stdout


# -- listings beside those of ratings


def test_webhooks_and_products_are_listed_to_an_end_or_an_error(tmp_path: Path) -> None:
    with a_shop(tmp_path, "woocommerce") as shop:
        platform = shop.box.platform
        assert isinstance(platform, WooCommerce)
        for number in range(150):
            platform.hooks[number] = Hook(number, f"action.wc_{number}", "https://x.example/", "s")
        platform.faults.set("paging_ignored", chance=1.0)
        with pytest.raises(Permanent, match=r"webhook\.manage\.list\.pagination\.param"):
            patiently(shop.wiring.remotes.hooks("woocommerce-sandbox").ours, shop.clock.wait)
    with a_shop(tmp_path / "two", "bigcommerce") as shop:
        platform = shop.box.platform
        assert isinstance(platform, BigCommerce)
        platform.products |= set(range(1, 600))
        platform.faults.set("paging_ignored", chance=1.0)
        with pytest.raises(Permanent, match=r"operations\.parents\.pagination\.param"):
            shop.run(RunKind.DRY_RUN)


def test_import_stops_where_the_search_for_twins_never_ends(tmp_path: Path) -> None:
    """Not row by row: no rating could be looked for."""
    with a_shop(tmp_path, "woocommerce") as shop:
        shop.add_people(3)
        refuse_totals(shop)
        shell = Shell(tmp_path, {**shop.environ, "PATH": os.environ["PATH"]})
        rows = [f"101,4,person{number}@example.com,P" for number in range(3)]
        shell.file("r.csv", "\n".join(["product,stars,email,name", *rows]) + "\n")
        columns = {"entity": "product", "email": "email", "name": "name", "overall": "stars"}
        pairs = [
            word for name, column in columns.items() for word in ("--column", f"{name}={column}")
        ]
        told = shell.bad("import", "r.csv", *pairs, "--scale", "1:5:1", "--entity-of", "external")
        assert "operations.find.pagination.param" in told
        assert shop.box.wix.ratings == {}


def refuse_totals(shop: Shop) -> None:
    """Every search shows the same full page, and says that there are more."""
    for number in range(150):
        shop.rate_outside(number * 10, prefix="stranger")

    def watch(moment: str, call: str) -> Response | None:
        if moment == "arrived" and request.args.get("reviewer_email"):
            rows = [{"id": number} for number in range(100)]
            return Response(
                json.dumps(rows), mimetype="application/json", headers={"X-WP-TotalPages": "9"}
            )
        return None

    assert shop.box.platform is not None
    shop.box.platform.faults.watch = watch


def test_export_from_wix_ends_with_an_error_and_no_file(tmp_path: Path) -> None:
    with a_shop(tmp_path, None) as shop:
        shop.add_people(LONG // 10)
        for number in range(LONG):
            shop.rate_on_wix(number)
        shop.box.wix.faults.set("paging_ignored", chance=1.0)
        shell = Shell(tmp_path, {**shop.environ, "PATH": os.environ["PATH"]})
        assert "Query Ratings of Wix" in shell.bad("export", "wix", "--out", "r.csv")
        assert not (tmp_path / "r.csv").exists()


def test_contacts_of_wix_that_repeat_are_an_error() -> None:
    """A page is full, and the next one is the same."""
    page = [{"id": str(number)} for number in range(1_000)]
    with remote_server() as server:
        server.answer = always(Reply(body={"contacts": page}))
        options = HttpOptions(allow_private_hosts=True)
        http = RemoteHttp(
            server.url,
            remote="wix",
            authorization=FixedHeaders({}),
            budget=NoBudget(),
            options=options,
        )
        with pytest.raises(Permanent, match="Query Contacts of Wix"):
            WixPeople(WixApi(http)).by_ids(["1"])
        assert len(server.asked) == 2


# -- what is not mapped


def test_sixty_reviews_of_unmapped_products_cost_no_look_at_one(tmp_path: Path) -> None:
    """A row that names its product is held as it is, by the first run; the next ones know it."""
    with a_shop(tmp_path, "woocommerce") as shop:
        shop.add_people(6)
        assert shop.box.platform is not None
        for number in range(60):
            email = f"person{number // 10}@example.com"
            shop.box.platform.create(
                f"90{number % 10}", email, "P", 4, by="visitor", text=str(number)
            )
        for _ in range(2):
            shop.run()
        _, external = shop.calls()
        assert external == {"GET /wp-json/wc/v3/products/reviews": 2}
        held = Counter(one.reason for one in shop.wiring.admin.held.all())
        assert held == {"unknown_entity": 60}
