"""The first hour: guided setup that may be left and resumed, contacts matched in batches, exports
that go on.
"""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.core.errors import Misconfigured
from sync_worker.import_export.exporting import Writer, export_to_file
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.commands import run_command
from tests.integration.console.table_of_keys import ALONE
from tests.integration.shell import ENTITIES, Shell

pytestmark = [pytest.mark.any_redis, pytest.mark.full]

WIX_CATALOGUE = (
    "handleId,fieldType,name,sku\n"
    "beans,Product,Beans,SKU-1\ntea,Product,Tea,\nmug,Product,Mug,SKU-3\n"
)
SHOP_CATALOGUE = "ID,SKU,Name\n10,SKU-1,Coffee\n11,,tea\n12,SKU-9,Pot\n"


@pytest.fixture
def live(
    home: Path, shell: Shell, redis: Redis, redis_server: EmbeddedRedis
) -> Iterator[tuple[Shell, Sandbox]]:
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        shell.environ |= box.settings() | {
            "REDIS_URL": redis_server.url,
            "WIX_BUDGET_PER_MINUTE": "60000",
        }
        yield shell, box


def answer(shell: Shell, *lines: str) -> subprocess.CompletedProcess[str]:
    typed = "".join(f"{line}\n" for line in lines)
    return run_command(["setup"], shell.folder, shell.environ, typed=typed)


def steps(shell: Shell) -> dict[str, bool]:
    return {
        one["name"]: one["is_done"]
        for one in json.loads(shell.run("setup", "--status", "--json").stdout)["steps"]
    }


def test_setup_that_was_left_goes_on_where_it_stopped(live: tuple[Shell, Sandbox]) -> None:
    shell, box = live
    shell.file("wix.csv", WIX_CATALOGUE)
    shell.file("shop.csv", SHOP_CATALOGUE)
    left = answer(shell, box.wix.instance_id, "catalogues")
    assert left.returncode == 1
    assert "`ratings-sync setup` goes on from here" in left.stderr
    assert steps(shell) == {
        "settings": True,
        "connector": True,
        "site": True,
        "entities": False,
        "contacts": True,
        "fields": True,
    }
    done = answer(shell, "catalogues", "wix.csv", "shop.csv", "y", "n", "y")
    assert done.returncode == 0, done.stderr
    assert "2 pairs (0 by id, 1 by sku, 1 by name), 2 doubtful" in done.stdout
    assert "ratings-sync reconcile --dry-run" in done.stdout
    assert (
        shell.good("map", "entities", "list")
        == ENTITIES + "reviews,stores,beans,,10\nreviews,stores,tea,,11\n"
    )
    assert all(steps(shell).values())


def test_setup_adds_no_site_that_wix_does_not_know_unless_one_insists(
    live: tuple[Shell, Sandbox],
) -> None:
    shell, _ = live
    done = answer(shell, "22222222-0000-4000-8000-000000000002", "n")
    assert done.returncode == 1
    assert "no access" in done.stdout
    assert shell.good("site", "list") == ""


def test_setup_stops_at_a_wrong_setting_with_the_next_step(live: tuple[Shell, Sandbox]) -> None:
    shell, _ = live
    shell.environ["WIX_PUBLIC_KEY"] = "nothing"
    done = answer(shell)
    assert done.returncode == 1
    assert "WIX_PUBLIC_KEY holds no public key" in done.stdout


def test_contacts_are_matched_in_batches_and_doubtful_ones_listed(
    live: tuple[Shell, Sandbox],
) -> None:
    shell, box = live
    shell.good("site", "add", box.wix.instance_id, "--connector", "own-service")
    for number in range(120):
        box.wix.add_contact(f"Person{number}@Example.com", f"P{number}")
    twin = box.wix.add_contact("person7@example.com", "Twin", allow_duplicates=True)
    rows = (
        "".join(f"person{number}@example.com\n" for number in range(120)) + "nobody@example.com\n"
    )
    before = box.wix.calls["POST /contacts/v4/contacts/query"]
    report = json.loads(
        shell.good(
            "map", "contacts", "match", "--emails", shell.file("c.csv", "email\n" + rows), "--json"
        )
    )
    assert box.wix.calls["POST /contacts/v4/contacts/query"] - before <= 3
    assert (report["certain"], report["added"], report["doubtful"]) == (119, 119, 3)
    assert set(report) == ALONE["map contacts match", ""], "as docs/api.md says"
    with open(shell.folder / report["doubtful_file"], newline="", encoding="utf-8") as listed:
        doubtful = list(csv.DictReader(listed))
    assert {one["email"] for one in doubtful} == {"person7@example.com", "nobody@example.com"}
    chosen = (
        f"wix_contact_id,email,external_author_id,note\n{twin['id']},person7@example.com,,the right"
        " one\n"
    )
    assert "1 added" in shell.good("map", "contacts", "import", shell.file("chosen.csv", chosen))


def test_contacts_come_from_the_external_listing(live: tuple[Shell, Sandbox]) -> None:
    shell, box = live
    shell.good("site", "add", box.wix.instance_id, "--connector", "own-service")
    box.wix.add_contact("ada@example.com", "Ada")
    draft = {
        "subject": {"id": "10"},
        "author": {"email": "Ada@example.com", "display_name": "Ada"},
        "score": 4,
    }
    box.reviews.create(draft, by="visitor")
    assert "1 added" in shell.good("map", "contacts", "match")


def test_wix_is_exported_by_pages_and_by_namespace(live: tuple[Shell, Sandbox]) -> None:
    shell, box = live
    shell.good("site", "add", box.wix.instance_id, "--connector", "own-service")
    contact = box.wix.add_contact("ada@example.com", "Ada")
    for number in range(130):
        rating = {
            "group": "stores",
            "entityId": f"p{number}",
            "attributeName": "overall",
            "value": number % 101,
        }
        space = {
            "namespace": "comments" if number % 10 == 0 else "reviews",
            "owner": {"contactId": contact["id"]},
        }
        box.wix.create_rating(rating | space, {"identityType": "MEMBER"})
    shell.good("export", "wix", "--namespace", "reviews", "--out", "r.csv")
    with open(shell.folder / "r.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert (len(rows), {row["namespace"] for row in rows}) == (117, {"reviews"})
    lines = shell.good("export", "wix", "--entity", "p7", "--format", "jsonl").splitlines()
    assert [json.loads(line)["value"] for line in lines] == [7]
    assert "exists; remove it" in shell.bad("export", "wix", "--out", "r.csv")


class Killed(BaseException):
    pass


def test_killed_export_goes_on_at_its_cursor_and_repeats_no_line(tmp_path: Any) -> None:
    pages: dict[str | None, Any] = {
        None: ([{"n": 1}, {"n": 2}], "a"),
        "a": ([{"n": 3}], "b"),
        "b": ([{"n": 4}], None),
    }
    asked: list[str | None] = []

    def page_of(cursor: str | None) -> Any:
        asked.append(cursor)
        if asked == [None, "a", "b"]:
            raise Killed
        return pages[cursor]

    out, writer = tmp_path / "o.csv", Writer("csv", ["n"])
    with pytest.raises(Killed):
        list(export_to_file(out, writer, page_of, what="this"))
    with (tmp_path / "o.csv.part").open("a") as part:
        part.write("half a li")
    with pytest.raises(Misconfigured, match="is the begun export of this"):
        list(export_to_file(out, writer, page_of, what="another"))
    assert list(export_to_file(out, writer, page_of, what="this")) == [3, 1]
    assert asked == [None, "a", "b", "b"]
    assert out.read_text() == "n\n1\n2\n3\n4\n"
    assert [one.name for one in tmp_path.iterdir()] == ["o.csv"]


def test_text_that_a_spreadsheet_would_run_is_defused() -> None:
    assert Writer("csv", ["a"]).line({"a": "=HYPERLINK(1)"}) == "'=HYPERLINK(1)\n"


def test_ledger_export_shows_links_with_both_ids_and_values(live: tuple[Shell, Sandbox]) -> None:
    shell, box = live
    # An import leaves to the echo what the budget refuses, and here nobody hears an echo.
    generous = "extends: own-service\nid: own-service\nhttp: {budget: {requests: 5000}}\n"
    shell.environ["CONNECTORS"] = str(shell.folder / shell.file("generous.yaml", generous))
    shell.good("site", "add", box.wix.instance_id, "--connector", "own-service")
    shell.good(
        "map", "entities", "import", shell.file("e.csv", ENTITIES + "reviews,stores,beans,,SKU-1\n")
    )
    box.wix.add_contact("ada@example.com", "Ada")
    shell.good(
        "import",
        shell.file("r.csv", "who,what,stars\nada@example.com,SKU-1,4\n"),
        *(
            "--column",
            "email=who",
            "--column",
            "entity=what",
            "--column",
            "overall=stars",
            "--scale",
            "1:5:1",
        ),
    )
    (line,) = shell.good("export", "ledger", "--format", "jsonl").splitlines()
    shown = json.loads(line)
    assert (shown["wix_value"], shown["external_value"], shown["email"]) == (
        "80",
        "4",
        "ada@example.com",
    )
    assert shown["wix_id"] in box.wix.ratings
    assert shown["external_id"] in box.reviews.ratings
