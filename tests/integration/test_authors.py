"""A person who is a record of its own at the system: found by address, made once, named by the
rating.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sync_worker.core.errors import Misconfigured, Permanent, Transient
from tests.integration.remote_server import Asked, RemoteServer, Reply, remote_server
from tests.integration.small_connector import a_draft, a_manifest, a_remote

AUTHOR = {
    "find": {
        "method": "GET",
        "path": "/people",
        "query": {"email": {"from": "contact.email"}},
        "items_path": "rows",
    },
    "create": {
        "method": "POST",
        "path": "/people",
        "body": {"email": {"from": "contact.email"}, "name": {"from": "contact.name"}},
        "result_path": "person",
    },
    "id": "id",
    "email": "email",
}
BODY = {
    "stars": {"from": "rating.value", "as": "int"},
    "product": {"from": "entity.external_id"},
    "author": {"from": "author.id"},
}
CHANGES: dict[str, Any] = {
    "operations__author": AUTHOR,
    "operations__create__body": BODY,
    "fields__email": {"path": "author.email", "as": "email"},
}


class Cms:
    """People and ratings, each in a collection of its own."""

    def __init__(self) -> None:
        self.people: dict[int, dict[str, Any]] = {}
        self.ratings: list[dict[str, Any]] = []
        self.ignores_filter = self.loses_answer = False
        self.refusal = 0

    def __call__(self, asked: Asked) -> Reply:
        match asked.method, asked.path:
            case "GET", "/people":
                return Reply(body={"rows": self._found(asked.query.get("email"))})
            case "POST", "/people":
                return self._make(asked.json)
            case "POST", "/r":
                self.ratings.append(asked.json)
                author = self.people[asked.json["author"]]
                return Reply(201, {**asked.json, "id": 1, "author": author})
            case _:
                return Reply(404)

    def _found(self, email: str | None) -> list[dict[str, Any]]:
        people = list(self.people.values())
        return [one for one in people if self.ignores_filter or one["email"] == email]

    def _make(self, person: dict[str, Any]) -> Reply:
        if self.refusal:
            return Reply(self.refusal, {"error": "no"})
        made = {**person, "id": len(self.people) + 7}
        self.people[made["id"]] = made
        return Reply(hangs_up=True) if self.loses_answer else Reply(201, {"person": made})


@pytest.fixture
def cms() -> Cms:
    return Cms()


@pytest.fixture
def server(cms: Cms) -> Iterator[RemoteServer]:
    with remote_server() as server:
        server.answer = cms
        yield server


def calls(server: RemoteServer) -> list[str]:
    return [f"{asked.method} {asked.path}" for asked in server.asked]


def test_author_is_made_once_and_named_by_the_rating(cms: Cms, server: RemoteServer) -> None:
    remote = a_remote(a_manifest(server, **CHANGES))
    record = remote.create(a_draft(), "i-1")
    assert cms.ratings == [{"stars": 4, "product": "22", "author": 7}]
    assert record.person.email == "ada@example.com"
    assert cms.people[7] == {"id": 7, "email": "ada@example.com", "name": "Ada"}
    remote.create(a_draft(), "i-2")
    assert len(cms.people) == 1
    assert calls(server) == [
        *("GET /people", "POST /people", "GET /people", "POST /r"),
        *("GET /people", "POST /r"),
    ]


def test_author_is_known_by_address_in_any_spelling(cms: Cms, server: RemoteServer) -> None:
    """A filter that the system does not know returns everybody: each row is compared again."""
    cms.people = {
        1: {"id": 1, "email": "eve@example.com"},
        2: {"id": 2, "email": "ADA@Example.com"},
        3: {"id": 3, "email": None},
    }
    cms.ignores_filter = True
    a_remote(a_manifest(server, **CHANGES)).create(a_draft(), "i-1")
    assert cms.ratings[0]["author"] == 2


def test_author_whose_answer_was_lost_is_looked_for_again(cms: Cms, server: RemoteServer) -> None:
    cms.loses_answer = True
    a_remote(a_manifest(server, **CHANGES)).create(a_draft(), "i-1")
    assert len(cms.people) == 1
    assert cms.ratings[0]["author"] == 7


def test_author_made_twice_at_once_is_the_older_for_both(cms: Cms, server: RemoteServer) -> None:
    """Another process made the same person between our look and our create."""
    make = cms._make

    def make_after_another(person: dict[str, Any]) -> Reply:
        make(person)
        return make(person)

    cms._make = make_after_another  # type: ignore[method-assign]  # a second process, just then
    remote = a_remote(a_manifest(server, **CHANGES))
    remote.create(a_draft(), "i-1")
    remote.create(a_draft(), "i-2")
    assert [one["author"] for one in cms.ratings] == [7, 7]


def test_author_of_a_listing_that_lags_is_the_one_made(cms: Cms, server: RemoteServer) -> None:
    cms._found = lambda email: []  # type: ignore[method-assign]  # its search lags
    a_remote(a_manifest(server, **CHANGES)).create(a_draft(), "i-1")
    assert cms.ratings[0]["author"] == 7


def test_no_rating_is_sent_while_its_author_is_not_known(cms: Cms, server: RemoteServer) -> None:
    cms.loses_answer, cms._found = True, lambda email: []  # type: ignore[method-assign]  # a second process, just then
    with pytest.raises(Transient, match="author"):
        a_remote(a_manifest(server, **CHANGES)).create(a_draft(), "i-1")
    assert cms.ratings == []


def test_author_that_is_refused_is_said_as_such(cms: Cms, server: RemoteServer) -> None:
    cms.refusal = 422
    with pytest.raises(Permanent):
        a_remote(a_manifest(server, **CHANGES)).create(a_draft(), "i-1")
    assert cms.ratings == []


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"operations__author": None}, "operations.create.body: 'author.id' starts with none of"),
        (
            {"operations__update__body": {"author": {"from": "author.id"}}},
            "operations.update.body: 'author.id' starts with none of",
        ),
    ],
)
def test_only_a_create_may_name_an_author_and_only_a_declared_one(
    server: RemoteServer, change: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(Misconfigured, match=wrong):
        a_manifest(server, **{**CHANGES, **change})
