"""The reviews of the stand-in Wix through our own remote, over real HTTP, with every switch that
concerns it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from sync_sandbox.control.wix import wix_app
from sync_sandbox.served import Served
from sync_sandbox.wix.reviews.moderation import Mode
from sync_sandbox.wix.state import WixState
from sync_worker.core.errors import Conflict, Duplicate, Permanent
from sync_worker.core.values import PRODUCTS, Draft, EntityRef, Person, Record, RecordState
from sync_worker.core.words import with_stand_ins
from sync_worker.remotes.http.authorization import FixedHeaders
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.options import HttpOptions
from sync_worker.remotes.wix.answers import error_code
from sync_worker.remotes.wix.api import WixApi
from sync_worker.remotes.wix.reviews import WixReviews

VISITOR = {"identityType": "MEMBER", "memberId": "visitor"}
PICTURE = {"image": {"id": "8bb438_ab12.jpg"}}
WORDS = {"title": "Good", "body": "Sturdy mug."}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[WixState, str]]:
    wix = WixState(rate_per_minute=None)
    served = Served(wix_app(wix), 0)
    yield wix, served.url
    served.stop()
    wix.webhooks.stop()


@pytest.fixture
def wix(served: tuple[WixState, str]) -> WixState:
    served[0].faults.clear()
    served[0].reviews.mode = Mode.OFF
    return served[0]


@pytest.fixture
def reviews(served: tuple[WixState, str], wix: WixState) -> WixReviews:
    http = RemoteHttp(
        served[1],
        remote="wix",
        authorization=FixedHeaders({"Authorization": wix.new_token()}),
        budget=NoBudget(),
        options=HttpOptions(allow_private_hosts=True, code_of=error_code),
    )
    return WixReviews(WixApi(http), wix.app_id)


@pytest.fixture
def ana(wix: WixState) -> Person:
    return Person(
        contact_id=wix.add_contact(f"{uuid.uuid4()}@example.com", "Ana")["id"], name="Ana"
    )


@pytest.fixture
def mug() -> EntityRef:
    return EntityRef(str(uuid.uuid4()), namespace=PRODUCTS)


@pytest.fixture
def draft(ana: Person, mug: EntityRef) -> Draft:
    return Draft({"overall": Decimal(4)}, mug, ana, words=WORDS)


def an_update(record: Record, stars: int, draft: Draft, **words: str) -> Draft:
    changed = frozenset({"overall", *words})
    values = {"overall": Decimal(stars)}
    return Draft(values, draft.entity, draft.person, record.raw, words=words, changed=changed)


def test_whole_life_of_a_review(reviews: WixReviews, draft: Draft) -> None:
    made = reviews.create(draft, "intent-1")
    assert (made.values, made.revision, made.is_ours) == (draft.values, 1, True)
    assert {name: made.words[name] for name in WORDS} == WORDS
    assert reviews.get(made.remote_id) == made
    changed = reviews.update(made.remote_id, an_update(made, 2, draft, body="Broke."), 1)
    assert (changed.values["overall"], changed.revision) == (Decimal(2), 2)
    assert not changed.lost
    assert (changed.words["title"], changed.words["body"]) == ("Good", "Broke.")
    with pytest.raises(Conflict):
        reviews.update(made.remote_id, an_update(made, 1, draft), 1)
    with pytest.raises(Duplicate):
        reviews.create(draft, "intent-2")
    assert [one.remote_id for one in reviews.find(draft.entity, draft.person)] == [made.remote_id]
    assert reviews.reply(made.remote_id, "Sorry!").words["reply"] == "Sorry!"
    assert reviews.reply(made.remote_id, "").words["reply"] == ""
    assert reviews.withdraw(made.remote_id).state is RecordState.REJECTED
    assert reviews.approve(made.remote_id).state is RecordState.PUBLISHED
    reviews.delete(made.remote_id, 2)
    assert reviews.get(made.remote_id) is None
    reviews.delete(made.remote_id, 2)


@pytest.mark.parametrize("mode", [Mode.MANUAL, Mode.REJECT])
def test_unpublished_review_is_neither_gone_nor_free(
    wix: WixState, reviews: WixReviews, draft: Draft, mode: Mode
) -> None:
    wix.reviews.mode = mode
    made = reviews.create(draft, "intent-1")
    assert made.state in (RecordState.PENDING, RecordState.REJECTED)
    assert reviews.get(made.remote_id) == made
    assert reviews.find(draft.entity, draft.person) == [made]
    published = reviews.count(with_unpublished=False)
    assert reviews.count() > published
    with pytest.raises(Duplicate):
        reviews.create(draft, "intent-2")
    listed = []
    cursor = None
    while True:
        page = reviews.list_page(cursor)
        listed += [record.remote_id for record in page.records]
        cursor = page.cursor
        if cursor is None:
            break
    assert made.remote_id in listed


@pytest.mark.parametrize("switch", ["duplicate_is_400", "no_contact_filter", "revision_as_number"])
def test_reviews_are_the_same_with_either_answer(
    wix: WixState, reviews: WixReviews, draft: Draft, switch: str
) -> None:
    wix.faults.set(switch, chance=1.0)
    made = reviews.create(draft, "intent-1")
    assert reviews.find(draft.entity, draft.person) == [made]
    with pytest.raises(Duplicate):
        reviews.create(draft, "intent-2")
    assert reviews.update(made.remote_id, an_update(made, 1, draft), 1).revision == 2


def a_visitors(wix: WixState, draft: Draft, **content: Any) -> str:
    review = {
        "namespace": PRODUCTS,
        "entityId": draft.entity.entity_id,
        "author": {"contactId": draft.person.contact_id},
        "content": {"rating": 4, **WORDS, **content},
    }
    return str(wix.reviews.create(review, VISITOR)["id"])


def test_update_leaves_pictures_alone(wix: WixState, reviews: WixReviews, draft: Draft) -> None:
    record = reviews.get(a_visitors(wix, draft, media=[PICTURE]))
    assert record is not None
    assert record.is_ours is False
    changed = reviews.update(record.remote_id, an_update(record, 1, draft), record.revision)
    assert len(changed.raw["content"]["media"]) == 1
    assert changed.lost == frozenset()


def test_wix_that_replaces_is_noticed_and_takes_no_second_picture(
    wix: WixState, reviews: WixReviews, draft: Draft
) -> None:
    wix.faults.set("patch_replaces_content", chance=1.0)
    record = reviews.get(a_visitors(wix, draft, media=[PICTURE]))
    assert record is not None
    changed = reviews.update(record.remote_id, an_update(record, 1, draft), record.revision)
    assert changed.lost == {"pictures"}
    # Words are safe with either answer.
    assert {name: changed.words[name] for name in WORDS} == WORDS
    with_picture = {**record.raw, "revision": str(changed.revision)}
    again = Draft({"overall": Decimal(2)}, draft.entity, draft.person, with_picture)
    with pytest.raises(Permanent) as refusal:
        reviews.update(record.remote_id, again, changed.revision)
    assert refusal.value.reason == "content_replaced"


@pytest.mark.parametrize(
    ("switch", "error", "reason"),
    [
        ("organic_read_only", Permanent, "organic_review"),
        ("organic_is_conflict", Conflict, ""),
    ],
)
def test_review_of_a_visitor_may_be_read_only(
    wix: WixState,
    reviews: WixReviews,
    draft: Draft,
    switch: str,
    error: type[Exception],
    reason: str,
) -> None:
    wix.faults.set(switch, chance=1.0)
    record = reviews.get(a_visitors(wix, draft))
    assert record is not None
    with pytest.raises(error) as refusal:
        reviews.update(record.remote_id, an_update(record, 1, draft), record.revision)
    assert getattr(refusal.value, "reason", "") == reason


def test_contact_and_product_that_wix_does_not_know(
    wix: WixState, reviews: WixReviews, draft: Draft, mug: EntityRef
) -> None:
    stranger = Draft(draft.values, mug, Person(contact_id=str(uuid.uuid4())))
    with pytest.raises(Permanent) as refusal:
        reviews.create(stranger, "intent-1")
    assert refusal.value.reason == "contact_unknown"
    wix.faults.set("unknown_product", chance=1.0)
    with pytest.raises(Permanent) as refusal:
        reviews.create(draft, "intent-1")
    assert refusal.value.reason == "unknown_entity"


def test_many_are_created_in_part(
    wix: WixState, reviews: WixReviews, draft: Draft, ana: Person
) -> None:
    there = reviews.create(draft, "intent-1")
    stranger = Draft(draft.values, draft.entity, Person(contact_id=str(uuid.uuid4())))
    others = [
        Draft(draft.values, EntityRef(str(uuid.uuid4()), namespace=PRODUCTS), ana, words=WORDS)
        for _ in range(3)
    ]
    made, duplicate, refused, *more = reviews.create_many([others[0], draft, stranger, *others[1:]])
    assert isinstance(made, Record)
    assert made.entity == others[0].entity
    assert isinstance(duplicate, Duplicate)
    assert isinstance(refused, Permanent)
    assert all(isinstance(one, Record) for one in more)
    assert reviews.get(there.remote_id) == there


@pytest.mark.parametrize(
    "text", ["Tea & <b>mugs</b>", "Quotes \"'\\", "שלום 👩‍👩‍👧 \u200b", "x" * 3_000, "\ud83d half"]
)
def test_words_come_back_in_the_bytes_that_were_shown(
    wix: WixState, reviews: WixReviews, draft: Draft, text: str
) -> None:
    """What Wix shows is sent back with the stars, byte for byte."""
    wix.faults.set("html_in_text_kept", chance=1.0)
    kept = with_stand_ins(text)
    record = reviews.get(a_visitors(wix, draft, body=kept))
    assert record is not None
    changed = reviews.update(record.remote_id, an_update(record, 1, draft), record.revision)
    assert changed.words == record.words
    assert wix.reviews.by_id[record.remote_id]["content"]["body"] == kept
