"""What every remote does, in memory and over real HTTP against the stand-ins; and what faults on
the wire turn into.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sync_sandbox.faults import FALSE_ANSWERS, Faults
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.errors import (
    Conflict,
    Duplicate,
    Gone,
    Misconfigured,
    Permanent,
    RateLimited,
    Transient,
    UnknownOutcome,
)
from sync_worker.core.ports.people import People
from sync_worker.core.ports.remote import Remote
from sync_worker.core.values import Draft, EntityRef, Person, Policy, Record, Side, Site
from sync_worker.remotes.http.authorization import FixedHeaders
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.calls import Call
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.tokens import OwnTokens, TokenAuthorization
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring import Wiring
from tests.twins.memory_remote import MemoryRemote
from tests.twins.memory_system import OWN_SERVICE_CAPABILITIES, WIX_CAPABILITIES

pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]

BEANS = {Side.WIX: EntityRef("beans", "stores", "reviews"), Side.EXTERNAL: EntityRef("SKU-1")}
NAME = {Side.WIX: "overall", Side.EXTERNAL: "value"}
VALUES = {Side.WIX: (Decimal(80), Decimal(20)), Side.EXTERNAL: (Decimal(4), Decimal("1.5"))}


@dataclass
class Ground:
    remote: Remote
    person: Person
    faults: Faults | None = None
    people: People | None = None
    box: Sandbox | None = None

    def draft(self, number: int = 0, **changes: Any) -> Draft:
        side = self.remote.side
        draft = Draft(
            {NAME[side]: VALUES[side][number]},
            BEANS[side],
            self.person,
            mapped=frozenset({NAME[side]}),
        )
        return replace(draft, **changes)

    def value(self, record: Record | None) -> Decimal | None:
        return None if record is None else record.values[NAME[self.remote.side]]


@pytest.fixture
def real(
    tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis
) -> Iterator[tuple[Sandbox, Wiring, Person]]:
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        settings = box.settings() | {
            "RATINGS_SYNC_HOME": str(tmp_path),
            "REDIS_URL": redis_server.url,
            "WIX_BUDGET_PER_MINUTE": "60000",
        }
        wiring = Wiring(load_settings(settings), settings)
        contact_id = str(box.wix.add_contact("ada@example.com", "Ada")["id"])
        yield box, wiring, Person(contact_id=contact_id, email="ada@example.com", name="Ada")


@pytest.fixture(params=["memory wix", "memory external", "real wix", "real external"])
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    if request.param.startswith("memory"):
        side = Side(request.param.split()[1])
        capabilities = WIX_CAPABILITIES if side is Side.WIX else OWN_SERVICE_CAPABILITIES
        yield Ground(
            MemoryRemote(side, capabilities),
            Person(contact_id="c-1", email="ada@example.com", name="Ada"),
        )
        return
    yield _real_ground(request.getfixturevalue("real"), Side(request.param.split()[1]))


def _real_ground(real: tuple[Sandbox, Wiring, Person], side: Side) -> Ground:
    box, wiring, person = real
    own = "own-service"
    site = Site(1, box.wix.instance_id, own, Policy(), (), external_source=own)
    connection = wiring.remotes.connect(site)
    with pytest.raises(RateLimited):
        connection.remotes[
            side
        ].reserve_request()  # the bucket starts empty, as after a wiped Redis
    time.sleep(0.2)
    faults = box.wix.faults if side is Side.WIX else box.reviews.faults
    return Ground(connection.remotes[side], person, faults, connection.people, box)


@pytest.fixture
def wix(real: tuple[Sandbox, Wiring, Person]) -> Ground:
    return _real_ground(real, Side.WIX)


@pytest.fixture
def outside(real: tuple[Sandbox, Wiring, Person]) -> Ground:
    return _real_ground(real, Side.EXTERNAL)


# -- conformance


def test_created_record_is_read_found_changed_and_deleted(ground: Ground) -> None:
    remote = ground.remote
    created = remote.create(ground.draft(), "key-1")
    assert (
        ground.value(created)
        == ground.value(remote.get(created.remote_id))
        == VALUES[remote.side][0]
    )
    assert [one.remote_id for one in remote.find(BEANS[remote.side], ground.person)] == [
        created.remote_id
    ]
    changed = remote.update(created.remote_id, ground.draft(1, last=created.raw), created.revision)
    assert (
        ground.value(changed)
        == ground.value(remote.get(created.remote_id))
        == VALUES[remote.side][1]
    )
    assert (created.revision, changed.revision) == (1, 2)
    remote.delete(created.remote_id, changed.revision)
    assert remote.get(created.remote_id) is None
    assert list(remote.find(BEANS[remote.side], ground.person)) == []


def test_listing_shows_every_record_once_and_goes_on_at_a_cursor(ground: Ground) -> None:
    entities = [
        replace(BEANS[ground.remote.side], entity_id=f"listed-{number}") for number in range(5)
    ]
    created = [
        ground.remote.create(ground.draft(entity=one), f"key-{one}").remote_id for one in entities
    ]
    assert list_all(ground.remote) == created


def list_all(remote: Remote) -> list[str]:
    page = remote.list_page()
    listed = [record.remote_id for record in page.records]
    while page.cursor is not None:
        page = remote.list_page(page.cursor)
        listed += [record.remote_id for record in page.records]
    return listed


def test_second_record_of_one_person_is_a_duplicate(ground: Ground) -> None:
    ground.remote.create(ground.draft(), "key-1")
    with pytest.raises(Duplicate):
        ground.remote.create(ground.draft(1), "key-2")


def test_update_under_an_old_revision_is_a_conflict(ground: Ground) -> None:
    created = ground.remote.create(ground.draft(), "key-1")
    changed = ground.remote.update(
        created.remote_id, ground.draft(1, last=created.raw), created.revision
    )
    with pytest.raises(Conflict):
        ground.remote.update(created.remote_id, ground.draft(0, last=created.raw), created.revision)
    assert ground.value(ground.remote.get(created.remote_id)) == ground.value(changed)


def test_update_of_what_is_gone_is_gone_and_its_delete_a_success(ground: Ground) -> None:
    created = ground.remote.create(ground.draft(), "key-1")
    ground.remote.delete(created.remote_id, created.revision)
    with pytest.raises(Gone):
        ground.remote.update(created.remote_id, ground.draft(1, last=created.raw), created.revision)
    ground.remote.delete(created.remote_id, created.revision)


def test_record_that_never_was_is_none(ground: Ground) -> None:
    assert ground.remote.get("11111111-2222-4333-8444-555555555555") is None


def test_person_who_never_rated_has_no_record(ground: Ground) -> None:
    nobody = Person(contact_id="11111111-2222-4333-8444-555555555555", email="nobody@example.com")
    assert list(ground.remote.find(BEANS[ground.remote.side], nobody)) == []


# -- what the wire does to a call


@pytest.fixture(params=["wix", "outside"])
def over_http(request: pytest.FixtureRequest) -> Ground:
    found: Ground = request.getfixturevalue(request.param)
    return found


def arm(ground: Ground, fault: str, times: int = 1) -> None:
    assert ground.faults is not None
    ground.faults.set(fault, next=times)


@pytest.mark.parametrize(
    "fault", ["request_lost", "response_lost", "gateway_timeout", "unavailable", "limited"]
)
def test_read_is_tried_again(over_http: Ground, fault: str) -> None:
    created = over_http.remote.create(over_http.draft(), "key-1")
    arm(over_http, fault)
    assert over_http.remote.get(created.remote_id) is not None


def test_read_that_keeps_failing_is_transient(over_http: Ground) -> None:
    created = over_http.remote.create(over_http.draft(), "key-1")
    arm(over_http, "unavailable", 10)
    with pytest.raises(Transient):
        over_http.remote.get(created.remote_id)


@pytest.mark.parametrize("fault", sorted(FALSE_ANSWERS))
def test_false_answer_says_nothing_of_a_living_record(over_http: Ground, fault: str) -> None:
    """Neither that it is gone, nor that a write was carried out."""
    remote = over_http.remote
    created = remote.create(over_http.draft(), "key-1")
    arm(over_http, fault, 10)
    # An error where a record is due is no record: a person looks.
    with pytest.raises((Transient, Permanent)):
        remote.get(created.remote_id)
    # Own-service's bare 404 refuses an update as Gone: the look that follows decides.
    is_bare = fault == "no_route" and remote.side is Side.EXTERNAL
    with pytest.raises(Gone if is_bare else Transient):
        remote.update(created.remote_id, over_http.draft(1, last=created.raw), created.revision)
    with pytest.raises(Transient):
        remote.delete(created.remote_id, created.revision)
    arm(over_http, fault, 0)
    assert over_http.value(remote.get(created.remote_id)) == VALUES[remote.side][0]


@pytest.mark.parametrize("fault", ["response_lost", "gateway_timeout"])
def test_bare_create_with_a_lost_answer_is_never_repeated(wix: Ground, fault: str) -> None:
    """A bare create with a lost answer is of unknown outcome and never repeated."""
    list(
        wix.remote.find(BEANS[Side.WIX], wix.person)
    )  # the token is there: the fault strikes the create
    arm(wix, fault)
    with pytest.raises(UnknownOutcome):
        wix.remote.create(wix.draft(), "key-1")
    assert wix.box is not None
    assert wix.box.wix.calls["POST /ratings/v1/ratings"] == 1
    assert len(wix.box.wix.ratings) == 1


@pytest.mark.parametrize("fault", ["response_lost", "gateway_timeout", "request_lost"])
def test_create_with_an_idempotency_key_is_repeated_safely(outside: Ground, fault: str) -> None:
    arm(outside, fault)
    created = outside.remote.create(outside.draft(), "key-1")
    assert outside.box is not None
    assert list(outside.box.reviews.ratings) == [created.remote_id]


@pytest.mark.parametrize("fault", ["response_lost", "gateway_timeout"])
def test_update_whose_answer_was_lost_succeeds_by_its_own_revision(
    over_http: Ground, fault: str
) -> None:
    """The repetition is refused with a conflict; the record is ours, one revision on: that is
    success.
    """
    created = over_http.remote.create(over_http.draft(), "key-1")
    arm(over_http, fault)
    try:
        changed = over_http.remote.update(
            created.remote_id, over_http.draft(1, last=created.raw), created.revision
        )
    except UnknownOutcome:
        pytest.fail("an update under a precondition is safe to repeat")
    assert changed.revision == 2
    assert (
        over_http.value(over_http.remote.get(created.remote_id)) == VALUES[over_http.remote.side][1]
    )


def test_delete_whose_answer_was_lost_is_repeated(over_http: Ground) -> None:
    created = over_http.remote.create(over_http.draft(), "key-1")
    arm(over_http, "response_lost")
    over_http.remote.delete(created.remote_id, created.revision)
    assert over_http.remote.get(created.remote_id) is None


def test_silent_limit_is_passed_on_with_the_time_to_wait(over_http: Ground) -> None:
    arm(over_http, "limited_silently", 10)
    with pytest.raises(RateLimited) as limited:
        over_http.remote.get("11111111-2222-4333-8444-555555555555")
    assert limited.value.retry_after is None or limited.value.retry_after > 0


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_call_ends_within_its_deadline_whatever_the_remote_does(
    outside: Ground, fault: str
) -> None:
    created = outside.remote.create(outside.draft(), "key-1")
    arm(outside, fault, 10)
    started = time.monotonic()
    with pytest.raises(Transient):
        outside.remote.get(created.remote_id)
    assert time.monotonic() - started < 9.5  # the contract: 8 s with all retries; a lease lasts 15


def test_redirect_is_not_followed(outside: Ground) -> None:
    created = outside.remote.create(outside.draft(), "key-1")
    arm(outside, "redirect", 5)
    # A temporary one may pass.
    with pytest.raises(Transient):
        outside.remote.get(created.remote_id)


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
