"""What the body of an update holds that a draft of a manifest describes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core import exact_json
from sync_worker.core.errors import Permanent
from sync_worker.core.values import Draft
from tests.integration.remote_server import Asked, RemoteServer, Reply
from tests.integration.small_connector import ADA, MUG, a_draft, a_manifest, a_remote, a_row

# -- what stands for the whole kind: a system that keeps whatever it is sent

WHOLE = {
    "id": 1,
    "product": "22",
    "email": "Ada@Example.COM",
    "stars": 4,
    "made": "2026-01-02T03:04:05.678+02:00",
    "weight": Decimal("1.50"),
    "note": None,
    "source": "shop",
}
DRAFTED: dict[str, Any] = {
    "stars": {"from": "rating.value", "as": "int", "required": True},
    "email": {"from": "contact.email", "required": True},
    "made": {"from": "rating.created_at", "as": "iso8601"},
    "product": {"from": "entity.external_id", "as": "int"},
    "note": {"from": "contact.name", "default": "Customer"},
    "source": "wix",
    "origin": {"system": "wix", "id": {"from": "sync.wix_id"}},
    "notify": False,
}


def asked_to_update(server: RemoteServer, draft: Draft, **changes: Any) -> Any:
    """The body of the update that the small connector sends."""
    server.answer = lambda asked: Reply(body=a_row())
    a_remote(a_manifest(server, **changes)).update("1", draft, None)
    return exact_json.loads(server.asked[-1].body)


def test_full_update_keeps_address_times_numbers_origin_and_nulls(server: RemoteServer) -> None:
    sent = asked_to_update(
        server,
        replace(a_draft(last=WHOLE), values={"value": Decimal(2)}, source_id="wix-1"),
        operations__update_mode="full",
        operations__update__body=DRAFTED,
    )
    assert sent == WHOLE | {"stars": 2, "notify": False}
    assert b'"weight":1.50' in server.asked[-1].body


def test_patch_names_the_stars_and_what_the_system_insists_on(server: RemoteServer) -> None:
    """What is `required` goes as the system itself holds it."""
    sent = asked_to_update(
        server,
        replace(a_draft(last=WHOLE), values={"value": Decimal(2)}, source_id="wix-1"),
        operations__update__body=DRAFTED,
    )
    assert sent == {"stars": 2, "email": "Ada@Example.COM", "notify": False}


def test_patch_names_only_the_sub_rating_that_changed(server: RemoteServer) -> None:
    last = a_row(stars="4.0", taste=2, looks="5.0")
    draft = Draft(
        {"value": Decimal(4), "taste": Decimal(3), "looks": Decimal(5)},
        MUG,
        ADA,
        last=last,
        mapped=frozenset({"value", "taste", "looks"}),
    )
    sent = asked_to_update(
        server,
        draft,
        attributes={"taste": "taste", "looks": "looks", "smell": "smell"},
        operations__update__body={
            "stars": {"from": "rating.value", "as": "int"},
            "taste": {"from": "rating.by_name.taste"},
            "looks": {"from": "rating.by_name.looks"},
            "smell": {"from": "rating.by_name.smell"},
        },
    )
    assert sent == {"taste": 3}


def test_state_word_of_the_owner_is_not_replaced(server: RemoteServer) -> None:
    """Two words of the system mean published; the one that the owner chose stays."""
    for mode, expected in (("full", a_row(status="featured", stars=2)), ("patch", {"stars": 2})):
        sent = asked_to_update(
            server,
            replace(a_draft(last=a_row(status="featured")), values={"value": Decimal(2)}),
            fields__state={"path": "status"},
            states={
                "read": {"approved": "published", "featured": "published"},
                "write": {"published": "approved"},
            },
            operations__update_mode=mode,
            operations__update__body={
                "stars": {"from": "rating.value", "as": "int"},
                "status": {"from": "rating.state"},
            },
        )
        assert sent == expected


def test_what_says_which_record_is_meant_is_always_sent(server: RemoteServer) -> None:
    sent = asked_to_update(
        server,
        replace(a_draft(last=a_row()), values={"value": Decimal(2)}),
        conn={"shop": "s-1"},
        operations__update__body={
            "data": {
                "type": "reviews",
                "id": {"from": "key.id"},
                "shop": {"from": "conn.shop"},
                "attributes": {"stars": {"from": "rating.value", "as": "int"}},
            }
        },
    )
    assert sent == {
        "data": {"type": "reviews", "id": "1", "shop": "s-1", "attributes": {"stars": 2}}
    }


def test_full_update_without_a_record_on_file_reads_it_first(server: RemoteServer) -> None:
    own = a_row(email="Ada@Example.COM", source="shop")

    def answer(asked: Asked) -> Reply:
        return Reply(body=own if asked.method == "GET" else a_row())

    server.answer = answer
    manifest = a_manifest(server, operations__update_mode="full", operations__update__body=DRAFTED)
    a_remote(manifest).update("1", replace(a_draft(), values={"value": Decimal(2)}), None)
    assert [asked.method for asked in server.asked] == ["GET", "PUT"]
    assert server.asked[1].json == own | {"stars": 2, "notify": False}


# -- a last record that shows less than the update's tree names


def updated_in_full(
    server: RemoteServer, last: dict[str, Any], fresh: dict[str, Any], **changes: Any
) -> tuple[list[str], Any]:
    """The calls of a full update, and what it sent. ``fresh``: what a read shows."""
    shown = exact_json.dumps(fresh).encode()
    server.answer = lambda asked: Reply(raw=shown) if asked.method == "GET" else Reply(body=a_row())
    manifest = a_manifest(
        server, operations__update_mode="full", **{"operations__update__body": DRAFTED, **changes}
    )
    draft = replace(a_draft(last=last), values={"value": Decimal(2)}, source_id="wix-1")
    a_remote(manifest).update("1", draft, None)
    return [asked.method for asked in server.asked], exact_json.loads(server.asked[-1].body)


def test_full_update_reads_what_the_last_record_left_out(server: RemoteServer) -> None:
    """An answer of an update, a webhook, or a row of a listing may show less than a read."""
    partial = {"id": 1, "stars": 4, "product": "22"}
    calls, sent = updated_in_full(server, partial, WHOLE)
    assert calls == ["GET", "PUT"]
    assert sent == {**WHOLE, "weight": Decimal("1.50"), "stars": 2, "notify": False}


def test_full_update_sends_whose_it_is_where_no_record_shows_it(server: RemoteServer) -> None:
    """The address is known; time, name and where it was born would be invented."""
    hidden = {"id": 1, "stars": 4, "product": "22", "source": "shop"}
    _, sent = updated_in_full(server, hidden, hidden)
    assert sent == hidden | {"stars": 2, "email": "ada@example.com", "notify": False}


@pytest.mark.parametrize("taste", [3, 0])
def test_full_update_sends_our_values_that_are_shown_elsewhere(
    server: RemoteServer, taste: int
) -> None:
    """The sub-rating is read at one place and written at another; it did not change."""
    shown = a_row(details={"taste": taste})
    body = {
        "stars": {"from": "rating.value", "as": "int"},
        "taste": {"from": "rating.by_name.taste", "as": "int"},
        "smell": {"from": "rating.by_name.smell", "default": 0},
    }
    _, sent = updated_in_full(
        server,
        shown,
        shown,
        attributes={"taste": "details.taste", "smell": "details.smell"},
        operations__update__body=body,
    )
    assert sent == {**shown, "stars": 2, "taste": taste}


@pytest.mark.parametrize(
    ("source", "kind"), [("title", "str"), ("body", "str"), ("created_at", "iso8601")]
)
def test_full_update_that_would_invent_a_demanded_leaf_is_refused(
    server: RemoteServer, source: str, kind: str
) -> None:
    body = {
        "stars": {"from": "rating.value", "as": "int"},
        "words": {"from": f"rating.{source}", "required": True, "as": kind},
    }
    text = {"required_title": True, "placeholder_title": "Rating", "placeholder_body": "-"}
    changes = {"text": text, "operations__update__body": body, "fields__created_at": None}
    with pytest.raises(Permanent, match=r"update\.body\.words") as refused:
        updated_in_full(server, a_row(), a_row(), **changes)
    assert refused.value.reason == "cannot_write"
    assert [asked.method for asked in server.asked] == ["GET"]
