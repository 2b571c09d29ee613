"""A file of ratings in the browser: sent, looked at, said yes to by its number, and watched."""

from __future__ import annotations

import pytest
from playwright.sync_api import FilePayload, expect

from sync_worker.core.scale import FieldMap
from sync_worker.ledger.imports.values import RowEnd
from sync_worker.ledger.imports.work import SqlImportWork
from sync_worker.manifest.default_field import STARS, WIX_SCALE
from sync_worker.services.access.who import Role
from tests.console.looking import Console

pytestmark = pytest.mark.full
HOSTILE = "<script>alert(1)</script>"
FILE = FilePayload(
    name="reviews.csv",
    mimeType="text/csv",
    buffer=(
        "rating,curated,reviewer_name,reviewer_email,product_id,body\n"
        f"5,ok,Ada,ada@example.com,P1,{HOSTILE}\n"
        "nine,ok,Bob,bob@example.com,P1,\n4,ok,C,c@example.com,P2,\n"
    ).encode(),
)


def test_file_is_sent_looked_at_and_imported_by_its_number(console: Console) -> None:
    ground = console.ground
    number = len(ground.admin.sites.all()) + 1
    field = FieldMap("overall", "value", WIX_SCALE, STARS)
    site, _ = ground.admin.sites.add(f"imports-{number}", f"shop-{number}", [field])
    path, work = f"/sites/{site.id}/imports", SqlImportWork(ground.parts.transactions)
    console.check(path)
    with console.open(Role.OWNER, site.id) as page:
        page.goto(path)
        expect(page.get_by_text("No file was sent yet.")).to_be_visible()
        page.get_by_label("File", exact=True).set_input_files(FILE)
        page.get_by_label("It comes from").select_option("judgeme")
        page.get_by_role("button", name="Send the file").click()
        told = page.get_by_role("status")
        expect(told).to_contain_text("3 rows have come in, 1 of them cannot be imported.")
        page.get_by_role("link", name="reviews.csv").click()
        expect(page.get_by_text("'nine' is not a number")).to_have_count(2)
        page.get_by_role("button", name="Look what would become of each row").click()
        expect(page.get_by_text("0 of 3 rows")).to_be_visible()
        claim = work.claim()
        assert claim is not None
        rejected = RowEnd(3, "rejected", "rating", "'nine' is not a number")
        work.save(claim, [RowEnd(2, "created"), RowEnd(4, "created"), rejected], {})
        work.rest(claim)
        # Told live: nobody loads the page anew.
        expect(page.get_by_text("2 would be created on Wix")).to_be_visible(timeout=20_000)
        # What a look foresees has not become so yet.
        foreseen = page.get_by_role("cell", name="would be created on Wix")
        expect(foreseen).to_have_count(2)
        page.get_by_label("How many").fill("3")
        page.get_by_role("button", name="Import", exact=True).click()
        expect(page.get_by_text("It is about 2 rows now, not 3")).to_be_visible()
        page.goto(f"{path}/{claim.file.id}")
        page.get_by_label("How many").fill("2")
        page.get_by_role("button", name="Import", exact=True).click()
        expect(told).to_contain_text("The workers import the file now")
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("stopped, can go on")).to_be_visible()
        page.get_by_label("How many").fill("3")
        page.get_by_role("button", name="Go on").click()
        claim = work.claim()
        assert claim is not None
        work.save(claim, [RowEnd(2, "created"), RowEnd(4, "there"), rejected], {})
        work.rest(claim)
        expect(page.get_by_text("1 created on Wix")).to_be_visible(timeout=20_000)
        with page.expect_download() as download:
            page.get_by_role("link", name="Download them").click()
        content = download.value.path().read_text()
        assert content.splitlines()[1].startswith("3,rating,")
    for shown in (path, f"{path}/{claim.file.id}"):
        console.check(shown)
        console.check(shown, Role.VIEWER)
