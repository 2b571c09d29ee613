"""Imports that are killed, lose answers, have 10,000 rows, or bring words."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.integration.import_shop import Shop, home_of_shop, row, shop
from tests.integration.shell import COMMAND, ENTITIES, Shell

pytestmark = [pytest.mark.any_redis, pytest.mark.full]

__all__ = ["home_of_shop", "shop"]  # fixtures


def test_lost_answer_of_a_create_makes_no_second_rating(shop: Shop) -> None:
    shop.add_people(6)
    shop.box.wix.faults.set("gateway_timeout", chance=0.5)
    report = shop.import_file(
        shop.judgeme("r.csv", [row(number) for number in range(6)]), "--preset", "judgeme"
    )
    assert report["created"] + report["there"] == 6
    assert [one["operation"] for one in shop.box.wix.journal] == ["create"] * 6


@pytest.mark.timeout(300)
def test_import_that_is_killed_again_and_again_brings_each_rating_once(shop: Shop) -> None:
    count = 150
    shop.add_people(count)
    name = shop.judgeme(
        "r.csv", [row(number, product=f"P{number % 9 + 1}") for number in range(count)]
    )
    chance = random.Random(3)
    for _ in range(4):
        command = [COMMAND, "import", name, "--preset", "judgeme"]
        process = subprocess.Popen(
            command, cwd=shop.shell.folder, env=shop.shell.environ, stdout=subprocess.DEVNULL
        )
        begun = shop.wix_writes()
        until = time.monotonic() + 20
        while (
            process.poll() is None
            and shop.wix_writes() < begun + chance.randint(5, 30)
            and time.monotonic() < until
        ):
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    report = shop.import_file(name, "--preset", "judgeme")
    assert report["created"] + report["there"] == count
    assert [one["operation"] for one in shop.box.wix.journal] == ["create"] * count
    assert len(shop.box.reviews.ratings) == count


@pytest.mark.long
def test_ten_thousand_rows_with_fifty_bad_ones(shop: Shop) -> None:
    shop.add_people(1_200)
    rows = [row(number % 1_200, product=f"P{number // 1_200 + 1}") for number in range(10_000)]
    for number in range(50):
        rows[number * 199] = row(0, rating="bad")
    name = shop.judgeme("r.csv", rows)
    shop.shell.timeout = 3_000
    report = shop.import_file(name, "--preset", "judgeme", status=1)
    assert (report["created"], report["rejected"]) == (9_950, 50)
    assert len(shop.rejected(report)) == 50
    writes = (shop.wix_writes(), shop.external_writes())
    again = shop.import_file(name, "--preset", "judgeme", status=1)
    assert (again["created"], again["there"], again["rejected"]) == (0, 9_950, 50)
    assert (shop.wix_writes(), shop.external_writes()) == writes


# -- words, on a site of Wix Reviews


@pytest.fixture
def reviewed(home: Path, shell: Shell, redis: Redis, redis_server: EmbeddedRedis) -> Iterator[Shop]:
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        shell.environ |= box.settings() | {"REDIS_URL": redis_server.url}
        shell.environ |= {"CONNECTORS": "own-service"}
        added = ("site", "add", box.wix.instance_id, "--connector", "own-service")
        shell.good(*added, "--wix-api", "reviews")
        products = "".join(f"reviews,stores,wix-{number},,P{number}\n" for number in range(1, 4))
        shell.good("map", "entities", "import", shell.file("e.csv", ENTITIES + products))
        yield Shop(shell, box)


def test_words_name_and_day_of_a_file_come_to_wix_and_go_on(reviewed: Shop) -> None:
    reviewed.add_people(3)
    lines = [
        row(0, rating=5, product="P1").replace("T,", '"Don\'t miss, 👍",', 1),
        row(1, product="P2").replace("T,", f"{'t' * 3001},", 1),
        row(2, product="P3").replace("T,", f"{'t' * 200},", 1),
    ]
    report = reviewed.import_file(reviewed.judgeme("r.csv", lines), "--preset", "judgeme", status=1)
    assert (report["created"], report["rejected"]) == (2, 1)
    (rejected,) = reviewed.rejected(report)
    assert rejected["rejected_reason"].startswith("too_long: the title has 3001 characters")
    on_wix = {one["entityId"]: one for one in reviewed.box.wix.reviews.by_id.values()}
    said = on_wix["wix-1"]
    assert said["content"]["title"] == "Don't miss, 👍"
    assert said["content"]["body"] == "two\nlines"
    assert (said["content"]["rating"], said["author"]["authorName"]) == (5, "Person 0")
    assert said["reviewDate"].startswith("2025-01-01T00:00:00")
    # A title that only Wix takes in full stays there, and the rest crosses.
    outside = {one["subject"]["id"]: one for one in reviewed.box.reviews.ratings.values()}
    assert (outside["P1"]["headline"], outside["P1"]["text"]) == ("Don't miss, 👍", "two\nlines")
    assert (outside["P3"]["headline"], outside["P3"]["text"]) == (None, "two\nlines")
    out = reviewed.shell.good("export", "wix")
    (exported,) = (one for one in csv.DictReader(out.splitlines(True)) if one["value"] == "5")
    assert (exported["title"], exported["body"]) == ("Don't miss, 👍", "two\nlines")
    assert (exported["author_name"], exported["date"][:10]) == ("Person 0", "2025-01-01")
    out = reviewed.shell.good("export", "ledger", "--entity", "wix-1")
    (agreed,) = csv.DictReader(out.splitlines(True))
    assert (agreed["wix_title"], agreed["external_title"]) == ("Don't miss, 👍",) * 2
    assert (agreed["wix_body"], agreed["external_body"]) == ("two\nlines",) * 2
    assert (agreed["title"], agreed["body"]) == ("Don't miss, 👍", "two\nlines")
    assert (agreed["author_name"], agreed["date"][:10]) == ("Person 0", "2025-01-01")
