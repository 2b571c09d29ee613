"""What Wix alone does as a remote, and what the external system alone."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync_worker.core.errors import (
    Misconfigured,
    Permanent,
    Transient,
)
from sync_worker.remotes.http.authorization import FixedHeaders
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.calls import Call
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.tokens import OwnTokens, TokenAuthorization
from tests.integration.both_remotes import Ground, list_all, outside, real, wix

pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]

__all__ = ["outside", "real", "wix"]  # fixtures


# -- Wix


def test_revoked_token_is_renewed_once(wix: Ground) -> None:
    created = wix.remote.create(wix.draft(), "key-1")
    assert wix.box is not None
    wix.box.wix.revoke_tokens()
    assert wix.remote.get(created.remote_id) is not None
    assert wix.box.wix.calls["POST /oauth2/token"] == 2


def test_token_revoked_twice_within_seconds_is_renewed_twice(wix: Ground) -> None:
    """A second 401 within seconds is no proof of a missing permission: the token counts."""
    created = wix.remote.create(wix.draft(), "key-1")
    assert wix.box is not None
    for _ in range(3):
        wix.box.wix.revoke_tokens()
        assert wix.remote.get(created.remote_id) is not None
    assert wix.box.wix.calls["POST /oauth2/token"] == 4


def test_newer_token_of_the_fleet_is_kept_when_an_older_one_is_refused() -> None:
    fetched = iter(["second", "third"])
    tokens = OwnTokens()
    tokens.put("instance", "first", 3600)
    ours = TokenAuthorization(lambda: {"access_token": next(fetched)}, tokens, "instance")
    assert ours.headers() == {"Authorization": "Bearer first"}
    tokens.put("instance", "newer", 3600)  # another worker has fetched it meanwhile
    ours.refresh()
    assert ours.headers() == {"Authorization": "Bearer newer"}
    ours.refresh()
    assert ours.headers() == {"Authorization": "Bearer second"}


def test_contact_is_found_in_any_spelling_and_created_once(wix: Ground) -> None:
    assert wix.people is not None
    assert wix.people.by_email("ADA@example.com") == wix.people.by_email("ada@example.com")
    new = wix.people.create("ben@example.com", "Ben")
    assert wix.people.create("ben@example.com", "Ben").contact_id == new.contact_id
    assert wix.people.by_email("nobody@example.com") is None


def test_150_addresses_are_matched_with_two_calls(wix: Ground) -> None:
    assert wix.box is not None
    assert wix.people is not None
    addresses = [f"person{number}@example.com" for number in range(150)]
    ids = {one: wix.box.wix.add_contact(one, "P")["id"] for one in addresses[:140]}
    found = wix.people.matches(addresses)
    assert {
        address: [one.contact_id for one in contacts] for address, contacts in found.items()
    } == {address: [contact_id] for address, contact_id in ids.items()}
    assert wix.box.wix.calls["POST /contacts/v4/contacts/query"] == 2


def test_150_contacts_are_shown_by_their_ids_with_two_calls(
    wix: Ground,
) -> None:
    """150 contacts are shown by their ids with two calls but not those merged away."""
    assert wix.box is not None
    assert wix.people is not None
    ids = [
        wix.box.wix.add_contact(f"person{number}@example.com", "P")["id"] for number in range(150)
    ]
    wix.box.wix.merge_contacts(ids[3], ids[4])
    found = wix.people.by_ids([*ids, "nobody"])
    assert list(found) == [one for one in ids if one != ids[3]]
    assert {one.email for one in found.values()} >= {"person0@example.com", "person149@example.com"}
    assert wix.box.wix.calls["POST /contacts/v4/contacts/query"] == 2


def test_several_contacts_of_one_address_come_oldest_first(wix: Ground) -> None:
    assert wix.box is not None
    assert wix.people is not None
    ids = [
        wix.box.wix.add_contact("eve@example.com", "Eve", allow_duplicates=True)["id"]
        for _ in range(3)
    ]
    assert [
        one.contact_id for one in wix.people.matches(["Eve@Example.com"])["eve@example.com"]
    ] == ids
    assert (
        wix.people.by_email("EVE@example.com")
        == wix.people.matches(["eve@example.com"])["eve@example.com"][0]
    )


def test_listing_of_wix_costs_one_call_for_each_100(wix: Ground) -> None:
    assert wix.box is not None
    for number in range(250):
        rating = {
            "namespace": "reviews",
            "group": "stores",
            "entityId": f"p-{number}",
            "attributeName": "overall",
        }
        owner = {"owner": {"contactId": wix.person.contact_id}, "value": 80}
        wix.box.wix.create_rating(rating | owner, {"identityType": "MEMBER"})
    assert sorted(list_all(wix.remote)) == sorted(wix.box.wix.ratings)
    assert wix.box.wix.calls["POST /ratings/v1/ratings/query"] == 3


def test_member_is_resolved_to_the_contact(wix: Ground) -> None:
    assert wix.box is not None
    assert wix.people is not None
    member_id = wix.box.wix.add_member(str(wix.person.contact_id))
    found = wix.people.by_member(member_id)
    assert found is not None
    assert (found.contact_id, found.email) == (wix.person.contact_id, "ada@example.com")


def test_merged_contact_is_found_under_its_old_id(wix: Ground) -> None:
    assert wix.box is not None
    assert wix.people is not None
    other = wix.people.create("ada.b@example.com", "Ada")
    wix.box.wix.merge_contacts(other.contact_id, str(wix.person.contact_id))
    found = wix.people.by_id(other.contact_id)
    assert found is not None
    assert found.contact_id == wix.person.contact_id


def test_failure_names_the_request_id_of_wix_and_no_secret(wix: Ground) -> None:
    with pytest.raises(Permanent) as refusal:
        wix.remote.create(wix.draft(values={"overall": Decimal(500)}), "key-1")
    assert "request_id=" in str(refusal.value)
    assert "ada@example.com" not in str(refusal.value)


# -- outside


def test_full_update_keeps_what_is_not_ours(outside: Ground) -> None:
    assert outside.box is not None
    created = outside.remote.create(outside.draft(), "key-1")
    outside.box.reviews.change(
        created.remote_id, {"text": "Lovely", "aspects": [{"code": "taste", "score": 9}]}, by="v"
    )
    record = outside.remote.get(created.remote_id)
    assert record is not None
    outside.remote.update(created.remote_id, outside.draft(1, last=record.raw), record.revision)
    kept = outside.box.reviews.ratings[created.remote_id]
    assert (kept["text"], kept["aspects"]) == ("Lovely", [{"code": "taste", "score": 9}])


def test_several_attributes_travel_in_one_record(outside: Ground) -> None:
    values = {"value": Decimal(4), "taste": Decimal(9)}
    created = outside.remote.create(outside.draft(values=values, mapped=frozenset(values)), "key-1")
    assert created.values == values


def test_strange_ids_cannot_leave_their_place_in_the_address(outside: Ground) -> None:
    for strange in ("a?b=c", "%2e%2e", "ü"):
        assert outside.remote.get(strange) is None
    # No record of that service can have a slash in its id: it answers with a page of its own.
    for strange in ("../health", "a/b"):
        with pytest.raises(Transient):
            outside.remote.get(strange)
    with pytest.raises(Permanent):
        outside.remote.get("..")


def test_private_addresses_are_refused_unless_allowed() -> None:
    http = RemoteHttp(
        "http://127.0.0.1:9", remote="x", authorization=FixedHeaders({}), budget=NoBudget()
    )
    with pytest.raises((Misconfigured, Permanent)):
        http.call(Call("GET", "/", "get"))
    http.close()
