"""Files of mappings: what they bring in comes back as it was, and a bad row is told its place."""

from __future__ import annotations

import pytest

from sync_worker.core.hold_keys import email_hold_key, entity_hold_key
from sync_worker.core.values import EntityRef, Side
from tests.integration.shell import ENTITIES, Shell

pytestmark = pytest.mark.full

CONTACTS = "wix_contact_id,email,external_author_id\n"
FIELDS = (
    "wix_attribute,external_field,wix_min,wix_max,wix_step,"
    "external_min,external_max,external_step,mapping\n"
)


def test_imported_rows_come_back_as_they_were(site: Shell) -> None:
    entities = ENTITIES + "reviews,stores,beans,,SKU-1\nreviews,stores,tea,drinks,SKU-2\n"
    assert "2 added, 0 changed, 0 were there" in site.good(
        "map", "entities", "import", site.file("e.csv", entities)
    )
    assert site.good("map", "entities", "list") == entities
    assert "0 added, 0 changed, 2 were there" in site.good("map", "entities", "import", "e.csv")
    contacts = CONTACTS + "contact-1, Ada@Example.com ,author-9\n"
    site.good("map", "contacts", "import", site.file("c.csv", contacts))
    assert site.good("map", "contacts", "list") == CONTACTS + "contact-1,ada@example.com,author-9\n"
    fields = FIELDS + "quality,taste,0,100,1,0,10,1,span\n"
    site.good("map", "fields", "import", site.file("f.csv", fields))
    assert site.good("map", "fields", "list").splitlines()[2] == "quality,taste,0,100,1,0,10,1,span"


def test_changed_row_replaces_the_old_one_while_no_rating_uses_it(site: Shell) -> None:
    site.good(
        "map", "entities", "import", site.file("e.csv", ENTITIES + "reviews,stores,beans,,SKU-1\n")
    )
    changed = site.file("e2.csv", ENTITIES + "reviews,stores,beans,,SKU-9\n")
    assert "0 added, 1 changed" in site.good("map", "entities", "import", changed)
    assert "SKU-1" not in site.good("map", "entities", "list")


BAD_FILES: dict[str, tuple[str, str, str]] = {
    "wrong header": ("entities", "a,b\n", "bad.csv:1: the header must be wix_namespace,wix_group,"),
    "empty file": ("entities", "", "bad.csv: is empty; the first line must name the columns"),
    "empty cell": (
        "entities",
        ENTITIES + "reviews,stores,,,SKU-1\n",
        "bad.csv:2: wix_entity_id: is empty",
    ),
    "missing cell": (
        "entities",
        ENTITIES + "reviews,stores,x\n",
        "bad.csv:2: 3 cells, but the header has 5",
    ),
    "twice in the file": (
        "entities",
        ENTITIES + "reviews,stores,a,,SKU-1\nreviews,stores,b,,SKU-1\n",
        "bad.csv:3: external_entity_id: '/SKU-1' stands on line 2 already",
    ),
    "no e-mail": (
        "contacts",
        CONTACTS + "c-1,ada,\n",
        "bad.csv:2: email: 'ada' is not an e-mail address",
    ),
    "e-mail twice": (
        "contacts",
        CONTACTS + "c-1,a@b.c,\nc-2,A@B.C,\n",
        "bad.csv:3: email: 'a@b.c' stands on line 2",
    ),
    "no number": (
        "fields",
        FIELDS + "q,q,0,x,1,0,10,1,span\n",
        "bad.csv:2: wix_max: 'x' is not a number",
    ),
    "infinite": (
        "fields",
        FIELDS + "q,q,0,100,1,0,inf,1,span\n",
        "bad.csv:2: external_max: 'inf' is not a number",
    ),
    "impossible step": (
        "fields",
        FIELDS + "q,q,0,100,7,0,10,1,span\n",
        "bad.csv:2: mapping: scale 0..100 step 7",
    ),
    "unknown mapping": (
        "fields",
        FIELDS + "q,q,0,100,1,0,10,1,linear\n",
        "bad.csv:2: mapping: 'linear' is neither",
    ),
    "scales that do not convert": (
        "fields",
        FIELDS + "q,q,0,100,1,4,5,0.01,proportional\n",
        "bad.csv:2: mapping: the two scales do not convert both ways",
    ),
    "beyond Wix": (
        "fields",
        FIELDS + "q,q,0,200,1,0,10,1,span\n",
        "bad.csv:2: wix_max: Wix takes 0 to 100",
    ),
}


@pytest.mark.parametrize("case", sorted(BAD_FILES))
def test_bad_row_is_named_with_its_place_and_nothing_is_imported(site: Shell, case: str) -> None:
    """A bad row is named with file, line, column and why, and nothing is imported."""
    kind, content, complaint = BAD_FILES[case]
    before = site.good("map", kind, "list")
    error = site.bad("map", kind, "import", site.file("bad.csv", content))
    assert complaint in error
    assert "nothing was imported" in error
    assert site.good("map", kind, "list") == before


def test_every_bad_row_is_told_at_once(site: Shell) -> None:
    content = CONTACTS + "c-1,ada,\n,b@c.d,\nc-3,ok@example.com,\nc-4,@,\n"
    error = site.bad("map", "contacts", "import", site.file("bad.csv", content))
    assert [line.split(":")[1] for line in error.splitlines() if line.startswith("bad.csv")] == [
        "2",
        "3",
        "5",
    ]


def test_file_in_another_encoding_is_refused_with_advice(site: Shell) -> None:
    (site.folder / "bad.csv").write_bytes(
        CONTACTS.encode() + "c-1,jürgen@example.com,\n".encode("latin-1")
    )
    assert "is not UTF-8; save it as 'CSV UTF-8'" in site.bad(
        "map", "contacts", "import", "bad.csv"
    )


def test_import_releases_what_was_held_for_it(site: Shell) -> None:
    site.store(hold_key=entity_hold_key(Side.WIX, EntityRef("beans", "stores", "reviews")))
    output = site.good(
        "map", "entities", "import", site.file("e.csv", ENTITIES + "reviews,stores,beans,,SKU-1\n")
    )
    assert "1 held deliveries had waited for these" in output
    site.store(
        dedupe_id="event-2", reason="unknown_contact", hold_key=email_hold_key("Ada@example.com")
    )
    output = site.good(
        "map", "contacts", "import", site.file("c.csv", CONTACTS + "c-1,ada@example.com,\n")
    )
    assert "1 held deliveries" in output
