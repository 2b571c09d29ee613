"""``connector check --live`` reads one real record through every declared path, and the pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sync_worker.cli.connector.group import connector
from tests.integration.remote_server import Asked, RemoteServer, Reply, always
from tests.integration.small_shop import SmallShop, settings_of, write_manifest


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def shop(server: RemoteServer) -> SmallShop:
    shop = SmallShop()
    shop.fill(25)
    server.answer = shop.answer
    return shop


def live(server: RemoteServer, **changes: Any) -> Result:
    write_manifest(Path("shop.yaml"), **changes)
    words = ["check", "./shop.yaml", "--live"]
    return CliRunner().invoke(connector, words, env=settings_of(server))


def test_record_is_printed_as_we_understand_it(server: RemoteServer, shop: SmallShop) -> None:
    """And the person is masked: the line may be pasted anywhere."""
    result = live(server)
    assert result.exit_code == 0, result.output
    assert (
        "✓ live: a record: id 1, product 23, by p…@e…, 2 of 1..5 step 1, published (approved),"
        " made 2026-11-01 01:00 UTC" in result.output
    )
    assert "person1" not in result.output
    assert "✓ live: the second page" in result.output
    assert "✓ live: the record by its id" in result.output
    assert "✓ live: the search" in result.output
    assert "✓ live: what changed" in result.output


def test_empty_system_is_no_mistake_and_no_proof(server: RemoteServer, shop: SmallShop) -> None:
    shop.reviews.clear()
    result = live(server)
    assert result.exit_code == 0
    assert "! live: a record: there is none yet; add one there and check again" in result.output


HTML = Reply(raw=b"<html>Welcome</html>", headers={"Content-Type": "text/html"})


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (HTML, "the answer is no JSON"),
        (Reply(raw=b'{"data": [}'), "the answer is no JSON"),
        (Reply(), "operations.list: the answer is empty"),
        (Reply(body={"data": None}), "operations.list.items_path: null at `data`"),
        (Reply(body={"rows": []}), "operations.list.items_path: nothing at `data`, the answer has"),
        (Reply(500), "the remote is down"),
        (Reply(405, {"code": "x"}), "check operations.list.method"),
        (Reply(404, {"code": "x"}), "check base_url and operations.list.path"),
        (Reply(400, {"code": "x"}), "check operations.list.query"),
        (Reply(401, {"code": "x"}), "check auth"),
        (
            Reply(301, headers={"Location": "https://shop.example/x"}),
            "a redirect to https://shop.example/x",
        ),
    ],
)
def test_answer_that_is_no_page_of_records_is_wrong(
    server: RemoteServer, reply: Reply, words: str
) -> None:
    server.answer = always(reply)
    result = live(server)
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if line.startswith("✗ live")]
    assert words in line


def changed_rows(shop: SmallShop, change: Callable[[dict[str, Any]], None]) -> None:
    for row in shop.reviews.values():
        change(row)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"fields__author": {"path": "author.nick"}},
            "! live: fields.author: nothing at `author.nick`, `author` has: email, name, in each of"
            " 10 records",
        ),
        (
            {"fields__email": {"path": "author.mail", "as": "email"}},
            "✗ live: fields.email: nothing at `author.mail`, `author` has: email, name, in each of"
            " 10 records",
        ),
        (
            {"fields__created_at": {"path": "created", "as": "datetime", "unit": "epoch_s"}},
            "✗ live: fields.created_at: '2026-11-01T01:00:00+00:00' is no time (unit: epoch_s)",
        ),
        (
            {"operations__find__query": {"produkt": {"from": "entity.external_id"}}},
            "! live: the search: operations.find lists records of others, too: does the system know"
            " its parameter produkt?",
        ),
        (
            {"operations__list__pagination": {"kind": "cursor", "next_path": "meta.next"}},
            "✗ live: the second page: nothing leads to it, and the answer tells of 25 records",
        ),
        (
            {"operations__poll__incremental__format": "epoch_s"},
            "✗ live: what changed: updated_since is refused",
        ),
        (
            {"operations__list__pagination": {"kind": "none"}},
            "✗ live: the second page: the answer tells of 25 records, and has 20",
        ),
    ],
)
def test_path_that_finds_nothing_is_named(
    server: RemoteServer, shop: SmallShop, changes: dict[str, Any], words: str
) -> None:
    result = live(server, **changes)
    assert words in result.output
    assert result.exit_code == (1 if words.startswith("✗") else 0), result.output


def test_record_that_reads_otherwise_by_its_id_is_wrong(
    server: RemoteServer, shop: SmallShop
) -> None:
    def answer(asked: Asked) -> Reply:
        reply = shop.answer(asked)
        if asked.path.endswith("/reviews/1"):
            return Reply(body={"data": reply.body["data"] | {"stars": 5}})
        return reply

    server.answer = answer
    result = live(server)
    assert result.exit_code == 1
    assert "✗ live: the record by its id: it shows 5, the listing 2" in result.output


def test_findings_for_programs_name_their_place(server: RemoteServer, shop: SmallShop) -> None:
    write_manifest(Path("shop.yaml"), fields__email={"path": "mail", "as": "email"})
    words = ["check", "./shop.yaml", "--live", "--json"]
    result = CliRunner().invoke(connector, words, env=settings_of(server))
    places = [one["place"] for one in json.loads(result.stdout)["findings"] if one["wrong"]]
    assert places == ["fields.email.path"]


@pytest.mark.parametrize(
    ("pagination", "words"),
    [
        ({"kind": "page"}, "check operations.list.pagination.param and start"),
        (
            {"kind": "cursor", "next_path": "next"},
            "check operations.list.pagination.param and next_path",
        ),
    ],
)
def test_empty_second_page_names_the_keys_of_its_kind(
    server: RemoteServer, shop: SmallShop, pagination: dict[str, Any], words: str
) -> None:
    def answer(asked: Asked) -> Reply:
        """It knows its pages by another parameter, and takes ours for its end."""
        if "cursor" in asked.query or asked.query.get("page") == "2":
            return Reply(body={"data": []})
        reply = shop.answer(asked)
        return Reply(reply.status, reply.body | {"next": "abc"})

    server.answer = answer
    size = {"size": 10, "size_param": "per_page"}
    result = live(server, operations__list__pagination=pagination | size, operations__poll=None)
    assert (
        f"✗ live: the second page: it is empty, and there are at least 10 records; {words}"
        in result.output
    )
