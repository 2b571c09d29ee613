"""``connector check`` reads what it checks: what a manifest says and can never mean."""

from __future__ import annotations

import json
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from sync_worker.manifest.check import Finding, check_manifest
from sync_worker.manifest.default_field import WIX_SCALE
from sync_worker.manifest.loader import parse_manifest
from sync_worker.manifest.source.resolving import Placeholders
from tests.documents import document_of
from webhook_gateway.external import read_deliveries

TEXT = """
version: 1
id: ours
base_url: https://ratings.example.com
key: {id: {path: id}}
fields:
  entity: {path: product, required: true}
  value: {path: stars, as: decimal, required: true}
  email: {path: email, as: email}
  state: {path: status}
scale: {min: 1, max: 5}
states: {read: {live: published, hidden: rejected}, write: {published: live}}
operations:
  get: {method: GET, path: "/r/{key.id}"}
  find: {method: GET, path: /r, query: {product: {from: entity.external_id}}}
  list: {method: GET, path: /r}
  create:
    method: POST
    path: /r
    body:
      product: {from: entity.external_id}
      email: {from: contact.email}
      stars: {from: rating.value}
      status: {from: rating.state}
  update: {method: PATCH, path: "/r/{key.id}", body: {stars: {from: rating.value}}}
  delete: {method: DELETE, path: "/r/{key.id}", success: [204]}
webhook:
  verify: [{type: url_token, secret: {env: TOKEN}}]
  event: {path: event}
  events: [{match: changed, change: upsert}, {match: gone, change: delete}]
  key: {id: id}
"""

ROW = {"id": 1, "product": "22", "stars": 4, "email": "ada@example.com", "status": "live"}


def checked(changes: dict[str, Any]) -> list[Finding]:
    document = document_of(TEXT)
    for place, value in changes.items():
        *path, last = place.split(".")
        part = document
        for name in path:
            part = part.setdefault(name, {})
        part[last] = deepcopy(value)
    manifest = parse_manifest(document, Placeholders({}), Path("ours.yaml"))
    return check_manifest(manifest, read_deliveries, WIX_SCALE, time.time())


def wrong_in(changes: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one.place, one.wrong) for one in checked(changes) if one.wrong]


def test_whole_manifest_has_nothing_wrong() -> None:
    assert wrong_in({}) == []


LEAF = "operations.create.body.x"


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        (
            {LEAF: {"from": "rating.stars"}},
            LEAF,
            "`rating.stars` is never filled: rating has no stars; it has attributes, body, by_name,"
            " created_at, reply, revision, state, title, value",
        ),
        ({LEAF: {"from": "rating.valeu"}}, LEAF, "did you mean `value`?"),
        (
            {LEAF: {"from": "rating.attributes[].{code: nme, score: value}"}},
            LEAF,
            "did you mean `name`?",
        ),
        ({LEAF: {"from": "conn.store"}}, LEAF, "conn has no store; it has nothing"),
        ({LEAF: {"from": "key.id"}}, LEAF, "a create knows no key"),
        ({LEAF: {"from": "contact.mail || contact.email"}}, LEAF, "contact has no mail"),
        ({LEAF: [{"y": {"from": "contact.phone"}}]}, f"{LEAF}.0.y", "contact has no phone"),
        (
            {"operations.get.path": "/r/{key.number}"},
            "operations.get.path",
            "`key.number` is never filled: key has no number; it has id",
        ),
        (
            {"operations.find.query.mail": {"from": "rating.value"}},
            "operations.find.query.mail",
            "a find knows no rating; it knows conn, contact, entity, page",
        ),
        (
            {"operations.update.body": {"text": {"from": "rating.body"}}},
            "operations.update",
            "carries no mark, so an edit would change nothing; send one: {from: rating.value}",
        ),
        (
            {"operations.update.body": None},
            "operations.update",
            "carries no mark",
        ),
        (
            {"operations.create.body": {"stars": {"from": "rating.value"}}},
            "operations.create",
            "does not say what is rated; send {from: entity.external_id}",
        ),
        (
            {
                "operations.create.body": {
                    "stars": {"from": "rating.value"},
                    "product": {"from": "entity.external_id"},
                }
            },
            "operations.create",
            "does not say who rated; send {from: contact.email}",
        ),
        (
            {"operations.delete.path": "/r"},
            "operations.delete",
            "does not say which record is meant; put {key.id} into its path",
        ),
        (
            {"operations.delete.method": "GET"},
            "operations.delete.method",
            "GET changes nothing; a delete is mostly DELETE",
        ),
        (
            {"operations.list.method": "DELETE"},
            "operations.list.method",
            "DELETE may change what it should only read; write GET",
        ),
        (
            {
                "operations.get.errors": [
                    {"status": [404], "path": "code", "equals": "none", "outcome": "gone"},
                    {"status": [401], "outcome": "gone"},
                ]
            },
            "operations.get.errors.1",
            "401 and 403 never say that a record is gone",
        ),
        (
            {"webhook.key": {"id": "key || keys[0]"}},
            "webhook.key.id",
            "`key || keys[0]` takes one of a list: an event about several records loses the others;"
            " name the list in webhook.items_path",
        ),
        ({"webhook.key": {"id": "data.ids | [0]"}}, "webhook.key.id", "takes one of a list"),
        ({"webhook.key": {"id": "join(',', keys)"}}, "webhook.key.id", "takes one of a list"),
        (
            {"states.read": {}},
            "states.read",
            "no word reads as published, so nothing crosses",
        ),
        (
            {"states.write": {"published": "Live"}},
            "states.write.published",
            "we write 'Live', which states.read reads as pending; did you mean 'live'?",
        ),
    ],
)
def test_what_can_never_work_is_named_with_its_key(
    changes: dict[str, Any], place: str, words: str
) -> None:
    found = wrong_in(changes)
    assert place in [where for where, _ in found], found
    assert words in "; ".join(wrong for where, wrong in found if where == place)


AUTHOR = {
    "find": {"method": "GET", "path": "/p", "query": {"mail": {"from": "contact.email"}}},
    "create": {"method": "POST", "path": "/p", "body": {"mail": {"from": "contact.email"}}},
    "id": "id",
    "email": "mail",
}
WITH_AUTHOR = {
    "operations.author": AUTHOR,
    "operations.create.body": {
        "product": {"from": "entity.external_id"},
        "author": {"from": "author.id"},
        "stars": {"from": "rating.value"},
    },
}


def test_author_that_is_a_record_of_its_own_is_known() -> None:
    assert wrong_in(WITH_AUTHOR) == []
    ((place, wrong),) = wrong_in(WITH_AUTHOR | {LEAF: {"from": "author.name"}})
    assert (place, wrong) == (LEAF, "`author.name` is never filled: author has no name; it has id")


def test_list_whose_first_item_is_meant_is_proved_by_a_sample() -> None:
    """A sample with such a list and one delivery says that the others are no records."""
    event = {"event": "changed", "args": [7, "other"]}
    sample = {
        "name": "arguments of a hook",
        "query": {"token": "t"},
        "example_secret": "t",
        "body": json.dumps(event),
        "expect": [{"change": "upsert", "remote_id": "7"}],
    }
    changes = {"webhook.key": {"id": "args[0]"}, "examples.deliveries": [sample]}
    assert wrong_in(changes) == []


def test_sample_with_a_state_that_is_not_read_is_named() -> None:
    sample = {"name": "one", "resource": ROW | {"status": "approved"}, "expect": {"value": 4}}
    (place, wrong), *_ = wrong_in({"examples.records": [sample]})
    assert (place, wrong) == (
        "states.read",
        "the sample 'one' says 'approved', which is not among the words of states.read (hidden,"
        " live): it reads as pending and does not cross",
    )
    # Who expects that has seen it.
    expected = sample | {"expect": {"state": "pending"}}
    assert wrong_in({"examples.records": [expected]}) == []


def test_sample_of_an_event_without_a_rule_names_those_that_are_known() -> None:
    sample = {
        "name": "one",
        "query": {"token": "t"},
        "example_secret": "t",
        "body": '{"event": "review.changed", "id": 7}',
        "expect": [{"change": "upsert", "remote_id": "7"}],
    }
    ((place, wrong),) = wrong_in({"examples.deliveries": [sample]})
    assert place == "examples.deliveries.0"
    assert wrong == (
        "expected 1 deliveries, is ignored: no rule of webhook.events matches 'review.changed';"
        " known are changed, gone"
    )
    sample["body"] = '{"event": "changed", "review": 7}'
    ((_, wrong),) = wrong_in({"examples.deliveries": [sample]})
    assert wrong == (
        "expected 1 deliveries, is unreadable: webhook.key.id: nothing at `id`, the event has:"
        " event, review"
    )


OF_ITS_OWN: dict[str, Any] = {
    "find": {"method": "GET", "path": "/people", "query": {"email": {"from": "contact.email"}}},
    "create": {"method": "POST", "path": "/people", "body": {"email": {"from": "contact.email"}}},
    "id": "id",
    "email": "email",
}
BY_AUTHOR = {
    "operations.author": OF_ITS_OWN,
    "operations.create.body.author": {"from": "author.id"},
}


def test_author_who_is_found_again_and_named_has_nothing_wrong() -> None:
    assert wrong_in(BY_AUTHOR) == []


def test_author_who_is_made_anew_with_each_rating_is_wrong() -> None:
    """Without an address in the record that is made, no later look finds the person."""
    wrong = wrong_in(BY_AUTHOR | {"operations.author.create.body": {"name": "A"}})
    assert wrong == [
        (
            "operations.author.create",
            "does not say the person's address, so nobody is found again, and each rating makes one"
            " more person; send {from: contact.email}",
        )
    ]


def test_rating_that_does_not_name_its_declared_author_is_wrong() -> None:
    assert wrong_in({"operations.author": OF_ITS_OWN}) == [
        (
            "operations.create",
            "does not name the person whom operations.author finds or makes; send"
            " {from: author.id}, or take operations.author out",
        )
    ]


def test_author_who_is_looked_for_among_all_is_advised_against() -> None:
    found = checked(BY_AUTHOR | {"operations.author.find.query": {}})
    (advice,) = [one for one in found if one.what == "operations.author.find"]
    assert advice.is_good
    assert advice.advice == (
        "lists everybody at each create; filter by the address, with {from: contact.email}"
    )


POLL = {"every_s": 60, "incremental": {"param": "since", "semantics": "updated"}}


@pytest.mark.parametrize("key", ["param", "size_param"])
def test_one_parameter_for_two_things_is_told(key: str) -> None:
    """The time would take the place of the page: each look would see the first one only."""
    changes: dict[str, Any] = {
        "fields.updated_at": {"path": "updated", "as": "datetime"},
        "operations.poll": POLL,
        "operations.list.pagination": {"kind": "page", key: "since"},
    }
    place = "operations.poll.incremental.param"
    said = f"`since` is operations.list.pagination.{key}, too; one request cannot carry both"
    assert (place, said) in wrong_in(changes)
    changes["operations.list.pagination"][key] = "other"
    assert place not in dict(wrong_in(changes))
