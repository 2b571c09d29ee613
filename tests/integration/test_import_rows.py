"""Bad rows of a file of ratings are explained, and take no neighbour along."""

from __future__ import annotations

import sqlite3
from decimal import Decimal

import pytest

from tests.integration.import_shop import JUDGEME, MEMBER, Shop, home_of_shop, row, shop

pytestmark = [pytest.mark.any_redis, pytest.mark.full]

__all__ = ["home_of_shop", "shop"]  # fixtures
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
