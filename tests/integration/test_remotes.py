"""Both remotes behave alike, in memory and over HTTP, whatever the wire does to a call."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from sync_sandbox.faults import FALSE_ANSWERS
from sync_worker.core.errors import (
    Conflict,
    Duplicate,
    Gone,
    Permanent,
    RateLimited,
    Transient,
    UnknownOutcome,
)
from sync_worker.core.values import Person, Side
from tests.integration.both_remotes import (
    BEANS,
    VALUES,
    Ground,
    ground,
    list_all,
    outside,
    real,
    wix,
)

pytestmark = [pytest.mark.usefixtures("ledger_at_home", "short_pauses"), pytest.mark.any_redis]

__all__ = ["ground", "outside", "real", "wix"]  # fixtures


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
