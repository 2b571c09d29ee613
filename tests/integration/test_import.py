"""Files of ratings into Wix: each once, the bad rows explained, and nothing written the second
time.
"""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.integration.shell import COMMAND, ENTITIES, Shell, shell_in

pytestmark = pytest.mark.any_redis

JUDGEME = (
    "title,body,rating,review_date,source,"
    "curated,reviewer_name,reviewer_email,product_id,product_handle\n"
)
WOOCOMMERCE = (
    "comment_ID,comment_post_ID,comment_author,"
    "comment_author_email,comment_approved,comment_parent,rating\n"
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


def test_judgeme_file_goes_into_wix_and_on_to_the_external_system(shop: Shop) -> None:
    shop.add_people(3)
    report = shop.import_file(
        shop.judgeme("r.csv", [row(0), row(1, rating=2), row(2, curated="spam")]),
        "--preset",
        "judgeme",
    )
    assert (report["created"], report["skipped"], report["rejected"]) == (2, 1, 0)
    assert shop.values_on_wix() == [40, 80]
    assert sorted(Decimal(one["score"]) for one in shop.box.reviews.ratings.values()) == [2, 4]


def test_import_is_a_run_that_status_shows_with_its_counts(shop: Shop) -> None:
    shop.add_people(2)
    name = shop.judgeme("r.csv", [row(0), row(1, rating="bad"), row(2, curated="spam")])
    shop.import_file(name, "--preset", "judgeme", status=1)
    (run,) = shop.shell.how()["figures"]["runs"]
    assert (run["kind"], run["state"], run["counts"]) == (
        "import",
        "done",
        {"created": 1, "skipped": 1, "rejected": 1},
    )


def test_second_import_writes_nothing_and_asks_wix_nothing(shop: Shop) -> None:
    shop.add_people(2)
    name = shop.judgeme("r.csv", [row(0), row(1)])
    shop.import_file(name, "--preset", "judgeme")
    before, calls = (shop.wix_writes(), shop.external_writes()), sum(shop.box.wix.calls.values())
    report = shop.import_file(name, "--preset", "judgeme")
    assert (report["created"], report["there"], report["differs"]) == (0, 2, 0)
    assert (shop.wix_writes(), shop.external_writes()) == before
    assert sum(shop.box.wix.calls.values()) == calls


def test_a_rating_of_wix_or_of_the_external_system_is_newer_than_the_file(shop: Shop) -> None:
    shop.add_people(2)
    contacts = {one["primaryInfo"]["email"]: one["id"] for one in shop.box.wix.contacts.values()}
    rating = {
        "namespace": "reviews",
        "group": "stores",
        "entityId": "wix-1",
        "attributeName": "overall",
        "value": 20,
    }
    shop.box.wix.create_rating(
        rating | {"owner": {"contactId": contacts["person0@example.com"]}}, MEMBER
    )
    draft = {
        "subject": {"id": "P1"},
        "author": {"email": "person1@example.com", "display_name": "P"},
    }
    shop.box.reviews.create(draft | {"score": Decimal(3)}, by="visitor")
    report = shop.import_file(
        shop.judgeme("r.csv", [row(0, rating=5), row(1, rating=5)]), "--preset", "judgeme"
    )
    assert (report["created"], report["there"], report["differs"]) == (0, 2, 2)
    assert shop.values_on_wix() == [20, 60]
    assert sorted(Decimal(one["score"]) for one in shop.box.reviews.ratings.values()) == [1, 3]


def test_import_never_brings_back_what_was_deleted_since(shop: Shop) -> None:
    shop.add_people(1)
    name = shop.judgeme("r.csv", [row(0)])
    shop.shell.good("site", "policy", "direction=to_wix")
    shop.import_file(name, "--preset", "judgeme")
    (rating_id,) = shop.box.wix.ratings
    shop.box.wix.delete_rating(rating_id, MEMBER)
    from sync_worker.config import load_settings
    from sync_worker.core.values import Change, NewDelivery, Side
    from sync_worker.wiring import Wiring

    wiring = Wiring(load_settings(shop.shell.environ), shop.shell.environ)
    new = NewDelivery(Side.WIX, shop.box.wix.instance_id, "event", Change.DELETE, rating_id, {})
    outcome = wiring.intake(_NoBell()).process(wiring.ledger.inbox.store(new).inbox_id)
    assert str(outcome) == "in_step"
    wiring.close()
    assert shop.import_file(name, "--preset", "judgeme")["deleted_since"] == 1
    assert shop.values_on_wix() == []


class _NoBell:
    def ring(self, inbox_ids: Any) -> None:
        return


COLUMNS = (
    *("--column", "entity=product_id", "--column", "email=reviewer_email"),
    *("--column", "overall=rating", "--scale", "1:5:1"),
)
MANGLED = {
    "1.23E+15": "a spreadsheet has rounded",
    "7891234567890.0": "is the id 7891234567890?",
    '"=""0012"""': "is a spreadsheet's formula",
    "'0012345": "begins with the apostrophe",
    "w-4\u200b": "has an invisible character in it (U+200B)",
    "#REF!": "is a spreadsheet's error",
}
BAD = {
    "no number": (row(0, rating="five"), "rating", "'five' is not a number"),
    "off the scale": (row(0, rating=6), "rating", "6 is not on the scale 1..5 step 1"),
    "no value": (row(0, rating=""), "rating", "is empty"),
    "no address": (row(0, email="ada"), "reviewer_email", "'ada' is not an e-mail address"),
    "unknown person": (
        row(0, email="stranger@example.com"),
        "reviewer_email",
        "unknown_contact: no contact",
    ),
    "unknown thing": (row(0, product="P99"), "product_id", "unknown_entity: P99 is not mapped"),
    "too few cells": ("only,three,cells", "", "3 cells, but the header has 10"),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_row_is_rejected_with_line_column_and_reason(shop: Shop, case: str) -> None:
    shop.add_people(2)
    bad, column, reason = BAD[case]
    report = shop.import_file(shop.judgeme("r.csv", [row(1), bad]), "--preset", "judgeme", status=1)
    assert (report["created"], report["rejected"]) == (1, 1)
    (rejected,) = shop.rejected(report)
    assert (rejected["rejected_line"], rejected["rejected_column"]) == ("4", column)
    assert reason in rejected["rejected_reason"]


def everything(shop: Shop) -> tuple[object, ...]:
    """All that an import might change: both sides, the ledger's rows, the files."""
    tables = {}
    with sqlite3.connect(shop.shell.folder / "home" / "ledger.db") as ledger:
        for (name,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            # Signs of life and the probe of a write are no data of an import.
            if name not in ("up_check", "heartbeat"):
                tables[name] = ledger.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608
    return (
        tables,
        repr(shop.box.wix.ratings),
        repr(shop.box.wix.contacts),
        repr(shop.box.reviews.ratings),
        shop.wix_writes(),
        shop.external_writes(),
        sorted(path.name for path in shop.shell.folder.iterdir()),
    )


def test_dry_run_changes_nothing_and_foresees_what_the_run_does(shop: Shop) -> None:
    """For each row: created, there, differs, skipped, rejected, a new contact, a new mapping."""
    shop.add_people(7)
    shop.shell.good("site", "policy", "unknown_entity=same_id", "unknown_contact=create")
    linked = shop.judgeme("linked.csv", [row(0), row(1)])
    shop.import_file(linked, "--preset", "judgeme")
    contacts = {one["primaryInfo"]["email"]: one["id"] for one in shop.box.wix.contacts.values()}
    shop.box.wix.create_rating(
        {
            "namespace": "reviews",
            "group": "stores",
            "entityId": "wix-1",
            "attributeName": "overall",
            "value": 20,
            "owner": {"contactId": contacts["person2@example.com"]},
        },
        MEMBER,
    )
    draft = {"subject": {"id": "P1"}, "author": {"email": "person3@example.com"}}
    shop.box.reviews.create(draft | {"score": Decimal(3)}, by="visitor")
    rows = [
        *(row(0), row(1, rating=1), row(2, rating=5), row(3, rating=5), row(4)),
        *(row(5, product="NEW-1"), row(6, curated="spam"), row(4, rating=3), row(6, rating=9)),
        *(row(7, email="new@example.com"), row(8, email="new@example.com", product="NEW-1")),
    ]
    name = shop.judgeme("r.csv", rows)
    before = everything(shop)
    foreseen = shop.import_file(name, "--preset", "judgeme", "--dry-run", status=1)
    assert everything(shop) == before
    words = [str(one["what"]) for one in foreseen["rows"]]
    assert words == [
        *("there", "there", "there", "there", "created", "created"),
        *("skipped: not published (spam)", "rejected", "rejected", "created", "created"),
    ]
    assert foreseen["rows"][0]["line"] == 2
    assert "rated the same thing on line" in foreseen["rows"][7]["reason"]
    assert (foreseen["new_contacts"], foreseen["new_entities"]) == (1, 1)
    wrote = (shop.wix_writes(), shop.external_writes())
    report = shop.import_file(name, "--preset", "judgeme", status=1)
    for count in ("created", "there", "differs", "deleted_since", "held", "skipped", "rejected"):
        assert foreseen[count] == report[count], count
    writes = foreseen["writes"]
    created = sum(count for what, count in writes.items() if what.endswith("wix"))
    assert shop.wix_writes() - wrote[0] == created
    assert shop.external_writes() - wrote[1] == sum(writes.values()) - created
    told = shop.shell.run("import", name, "--preset", "judgeme", "--dry-run")
    assert told.returncode == 1
    assert "a dry run: nothing was written\n0 would be created on Wix\n" in told.stdout
    assert "r.csv:18: rating: 9 is not on the scale 1..5 step 1" in " ".join(told.stderr.split())
    assert "2 would be rejected" in told.stderr


def test_mangled_id_makes_no_rating_of_a_product_that_is_none(shop: Shop) -> None:
    """Also where equal ids map themselves and raters become contacts, nothing is created."""
    shop.shell.good("site", "policy", "unknown_entity=same_id", "unknown_contact=create")
    rows = [row(number, product=product) for number, product in enumerate(MANGLED)]
    formula = row(8).replace("Person 8", '"=HYPERLINK(""x"")"')
    report = shop.import_file(
        shop.judgeme("r.csv", [*rows, formula, row(9, product="0012")]),
        *("--preset", "judgeme"),
        status=1,
    )
    assert (report["created"], report["rejected"]) == (1, len(MANGLED) + 1)
    *mangled, name = shop.rejected(report)
    for rejected, reason in zip(mangled, MANGLED.values(), strict=True):
        assert rejected["rejected_column"] == "product_id"
        assert reason in rejected["rejected_reason"]
    assert name["rejected_column"] == "reviewer_name"
    written = (shop.shell.folder / report["rejected_file"]).read_text()
    assert "'=HYPERLINK" in written
    assert ",=" not in written
    assert len(shop.box.wix.contacts) == 1
    assert {one["entityId"] for one in shop.box.wix.ratings.values()} == {"0012"}


def test_broken_row_leaves_its_neighbours_and_can_be_mended(shop: Shop) -> None:
    """Each row ends on its own: good ones are imported, bad ones stand in the rejected file."""
    shop.add_people(4)
    opened = row(1).replace('"two\nlines"', '"open')
    content = JUDGEME + "\n".join([row(0), opened, "a,b", row(2)]) + "\n"
    path = shop.shell.folder / "r.csv"
    path.write_bytes(content.encode() + row(3).replace("Person", "Ren\u00e9").encode("cp1252"))
    report = shop.import_file("r.csv", "--preset", "judgeme", status=1)
    assert (report["created"], report["rejected"]) == (2, 3)
    lines = [(one["rejected_line"], one["rejected_reason"]) for one in shop.rejected(report)]
    assert [line for line, _ in lines] == ["4", "5", "8"]
    assert "is not UTF-8; save it as 'CSV UTF-8'" in lines[2][1]
    name = report["rejected_file"]
    assert shop.import_file(name, "--preset", "judgeme", status=1)["created"] == 1


def test_yotpo_file_is_read_without_what_was_rejected_there(shop: Shop) -> None:
    shop.add_people(2)
    header = (
        "appKey,Review ID,Review Creation Date,Review Type,Review Status,Review Score,Review Title,"
        "Reviewer Display Name,Reviewer Email,Product ID,Product Title\n"
    )
    rows = "".join(
        f"K,{number},2022-07-18,product_review,{state},5,T,P,person{number}@example.com,P1,Beans\n"
        for number, state in enumerate(("Published", "Rejected"))
    )
    report = shop.import_file(shop.shell.file("y.csv", header + rows), "--preset", "yotpo")
    assert (report["created"], report["skipped_why"]) == (1, {"not published (rejected)": 1})


def test_file_without_the_state_of_its_preset_is_told_of(shop: Shop) -> None:
    shop.add_people(1)
    name = shop.shell.file("r.csv", "rating,reviewer_email,product_id\n5,person0@example.com,P1\n")
    done = shop.shell.run("import", name, "--preset", "judgeme")
    assert done.returncode == 0
    assert "there is no column 'curated': every row counts as published" in done.stderr
    refused = shop.shell.run("import", name, "--preset", "judgeme", "--published", "ok")
    assert refused.returncode == 1
    assert "there is no column 'curated'; the columns are: rating" in refused.stderr


def test_semicolons_and_decimal_commas_are_read_with_a_state_of_ones_own(shop: Shop) -> None:
    shop.add_people(3)
    lines = ["sep=;", "Rating;Reviewer_Email;Product_ID;Stand;body"]
    lines += [
        f"{rating};person{number}@example.com;P1;{state};gut, sehr gut"
        for number, (rating, state) in enumerate((("4,5", "Frei"), ("4,0", "frei"), ("1", "weg")))
    ]
    report = shop.import_file(
        shop.shell.file("s.csv", "\n".join(lines)),
        *(*COLUMNS[:-1], "0:5:0.5", "--column", "state=stand", "--published", "FREI"),
    )
    assert (report["created"], report["skipped"], shop.values_on_wix()) == (2, 1, [80, 90])


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        (
            "d.csv",
            "rating,reviewer_email,product_id,Rating\n",
            "the column 'rating' stands 2 times",
        ),
        ("a.json", '[\n {"a": 1},\n {"a": 2}\n]', "is one JSON list; JSONL is needed"),
        ("x.csv", "PK\x03\x04", "is an Excel workbook"),
    ],
)
def test_file_that_cannot_be_read_is_refused_once_in_words(
    shop: Shop, name: str, content: str, complaint: str
) -> None:
    done = shop.shell.run("import", shop.shell.file(name, content), *COLUMNS)
    assert done.returncode == 1
    assert complaint in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_rejected_file_is_put_right_and_imported(shop: Shop) -> None:
    shop.add_people(3)
    report = shop.import_file(
        shop.judgeme("r.csv", [row(0), row(1, rating=9), row(2)]), "--preset", "judgeme", status=1
    )
    name = report["rejected_file"]
    path = shop.shell.folder / name
    path.write_text(path.read_text().replace(",9,2025", ",5,2025"))
    assert shop.import_file(name, "--preset", "judgeme")["created"] == 1
    assert shop.values_on_wix() == [80, 80, 100]


def test_rejected_file_that_somebody_edits_is_not_overwritten(shop: Shop) -> None:
    name = shop.judgeme("r.csv", [row(0)])
    first = shop.import_file(name, "--preset", "judgeme", status=1)["rejected_file"]
    second = shop.import_file(name, "--preset", "judgeme", status=1)["rejected_file"]
    assert first != second


def test_second_rating_of_one_person_is_rejected_with_the_first_line(
    shop: Shop,
) -> None:
    """A second rating of one person for one thing is rejected with the line of the first."""
    shop.add_people(1)
    report = shop.import_file(
        shop.judgeme("r.csv", [row(0), row(0, rating=2)]), "--preset", "judgeme", status=1
    )
    assert "rated the same thing on line 2" in shop.rejected(report)[0]["rejected_reason"]
    assert shop.values_on_wix() == [80]


def test_unknown_person_becomes_a_contact_only_if_the_site_says_so(shop: Shop) -> None:
    name = shop.judgeme(
        "r.csv", [row(0, email="New@Example.com"), row(1, product="P2", email="new@example.com")]
    )
    assert shop.import_file(name, "--preset", "judgeme", status=1)["rejected"] == 2
    shop.shell.good("site", "policy", "unknown_contact=skip")
    assert shop.import_file(name, "--preset", "judgeme")["skipped"] == 2
    shop.shell.good("site", "policy", "unknown_contact=create")
    assert shop.import_file(name, "--preset", "judgeme")["created"] == 2
    assert [one["primaryInfo"]["email"] for one in shop.box.wix.contacts.values()] == [
        "new@example.com"
    ]


def test_woocommerce_file_is_read_without_its_replies(shop: Shop) -> None:
    shop.add_people(2)
    rows = (
        "1,P1,P,person0@example.com,1,0,5\n2,P1,Shop,shop@example.com,1,1,\n"
        "3,P2,P,person1@example.com,0,0,1\n"
    )
    report = shop.import_file(
        shop.shell.file("w.csv", WOOCOMMERCE + rows), "--preset", "woocommerce"
    )
    assert (report["created"], report["skipped"]) == (1, 2)
    assert report["skipped_why"] == {"no rating": 1, "not published (0)": 1}


def test_jsonl_with_columns_by_options_and_a_bad_line(shop: Shop) -> None:
    shop.add_people(2)
    good = {"product": {"id": "wix-3"}, "who": "person0@example.com", "stars": 4.5}
    lines = json.dumps(good) + "\nnot json\n"
    columns = [
        "--column",
        "entity=product.id",
        "--column",
        "email=who",
        "--column",
        "overall=stars",
    ]
    options = [*columns, "--scale", "0:5:0.5", "--entity-of", "wix"]
    report = shop.import_file(shop.shell.file("r.jsonl", lines), *options, status=1)
    assert (report["created"], report["rejected"], shop.values_on_wix()) == (1, 1, [90])
    rejected = json.loads((shop.shell.folder / report["rejected_file"]).read_text())
    assert (rejected["rejected_line"], rejected["rejected_text"]) == ("2", "not json")


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (
            ("--preset", "nobody"),
            1,
            "there is no preset 'nobody'; shipped are: judgeme, woocommerce, yotpo",
        ),
        ((), 1, "choose a --preset, or name them: --column"),
        (
            ("--preset", "woocommerce"),
            1,
            "there is no column 'comment_post_ID'; the columns are: title",
        ),
        (
            ("--preset", "judgeme", "--column", "taste=rating"),
            1,
            "the attribute 'taste' is not mapped",
        ),
        (("--preset", "judgeme", "--column", "email"), 2, "is not PART=COLUMN"),
        (("--preset", "judgeme", "--scale", "1-5"), 2, "--scale takes MIN:MAX:STEP"),
        (
            (*COLUMNS, "--column", "state=curated"),
            1,
            "--column state=curated changes nothing: every row counts until --published WORD says",
        ),
        (
            (*COLUMNS, "--published", "ok"),
            1,
            "--published ok changes nothing: name the column of the state, too",
        ),
        (
            (*COLUMNS, "--column", "entity_namespace=source"),
            1,
            "--column entity_namespace=source changes nothing: ids of the external system have no",
        ),
        (
            ("--preset", "judgeme", "--column", "name=who"),
            1,
            "there is no column 'who'; the columns are: title",
        ),
        ((*COLUMNS, "--column", "email=body"), 2, "--column email is given twice"),
    ],
)
def test_wrong_option_is_told_in_words(
    shop: Shop, words: tuple[str, ...], status: int, complaint: str
) -> None:
    done = shop.shell.run("import", shop.judgeme("r.csv", [row(0)]), *words)
    assert done.returncode == status
    assert complaint in " ".join(done.stderr.split())


def test_lost_answer_of_a_create_makes_no_second_rating(shop: Shop) -> None:
    shop.add_people(6)
    shop.box.wix.faults.set("gateway_timeout", chance=0.5)
    report = shop.import_file(
        shop.judgeme("r.csv", [row(number) for number in range(6)]), "--preset", "judgeme"
    )
    assert report["created"] + report["there"] == 6
    assert [one["operation"] for one in shop.box.wix.journal] == ["create"] * 6


def test_import_that_is_killed_again_and_again_brings_each_rating_once(shop: Shop) -> None:
    count = 100
    shop.add_people(count)
    name = shop.judgeme(
        "r.csv", [row(number, product=f"P{number % 9 + 1}") for number in range(count)]
    )
    chance = random.Random(3)
    for _ in range(3):
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
