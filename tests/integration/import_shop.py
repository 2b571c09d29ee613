"""A shop that imports files of ratings: a site between stand-ins, products and contacts."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.integration.shell import ENTITIES, Shell, shell_in

JUDGEME = (
    "title,body,rating,review_date,source,"
    "curated,reviewer_name,reviewer_email,product_id,product_handle\n"
)
MEMBER = {"identityType": "MEMBER"}


@dataclass
class Shop:
    """A site with stand-ins on both sides, products P1 to P9, and contacts."""

    shell: Shell
    box: Sandbox

    def add_people(self, count: int) -> None:
        for number in range(count):
            self.box.wix.add_contact(f"person{number}@example.com", f"Person {number}")

    def judgeme(self, name: str, rows: list[str]) -> str:
        return self.shell.file(name, JUDGEME + "\n".join(rows) + "\n")

    def import_file(self, *words: str, status: int = 0) -> dict[str, Any]:
        done = self.shell.run("import", *words, "--json")
        assert done.returncode == status, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def wix_writes(self) -> int:
        return len(self.box.wix.journal)

    def external_writes(self) -> int:
        return len(self.box.reviews.journal)

    def values_on_wix(self) -> list[int]:
        return sorted(int(one["value"]) for one in self.box.wix.ratings.values())

    def rejected(self, report: dict[str, Any]) -> list[dict[str, str]]:
        with open(
            self.shell.folder / report["rejected_file"], newline="", encoding="utf-8"
        ) as file:
            return list(csv.DictReader(file))


def settings_of_shop(shell: Shell, box: Sandbox, redis_url: str) -> dict[str, str]:
    manifest = (
        "extends: own-service\nid: own-service\nhttp: {budget: {requests: 5000, concurrency: 16}}\n"
    )
    return box.settings() | {
        "REDIS_URL": redis_url,
        "WIX_BUDGET_PER_MINUTE": "600000",
        "WIX_BUDGET_CAPACITY": "1000",
        "CONNECTORS": str(shell.folder / shell.file("fast.yaml", manifest)),
    }


@pytest.fixture(scope="module")
def home_of_shop(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, redis_server: EmbeddedRedis
) -> Path:
    """A folder with the ledger of the shop before its first import, to be copied."""
    shell = shell_in(tmp_path_factory.mktemp("shop"))
    home = shell.folder / "home"
    home.mkdir(mode=0o700)
    shutil.copy(sqlite_template, home)
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        shell.environ |= settings_of_shop(shell, box, redis_server.url)
        shell.good("site", "add", box.wix.instance_id, "--connector", "own-service")
        products = "".join(f"reviews,stores,wix-{number},,P{number}\n" for number in range(1, 10))
        shell.good("map", "entities", "import", shell.file("e.csv", ENTITIES + products))
    return home


@pytest.fixture
def shop(
    home_of_shop: Path, shell: Shell, redis: Redis, redis_server: EmbeddedRedis
) -> Iterator[Shop]:
    shutil.copytree(home_of_shop, shell.folder / "home")
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        shell.environ |= settings_of_shop(shell, box, redis_server.url)
        yield Shop(shell, box)


def row(
    number: int,
    *,
    rating: object = 4,
    product: str = "P1",
    email: str | None = None,
    curated: str = "ok",
) -> str:
    address = f"person{number}@example.com" if email is None else email
    return (
        f'T,"two\nlines",{rating},2025-01-01,web,{curated},Person'
        f" {number},{address},{product},handle"
    )


COLUMNS = (
    *("--column", "entity=product_id", "--column", "email=reviewer_email"),
    *("--column", "overall=rating", "--scale", "1:5:1"),
)
