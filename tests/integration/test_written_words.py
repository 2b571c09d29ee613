"""Words written through each shipped connector to its stand-in, over real HTTP.

What changed is sent, and reads as it was meant; all else stays byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sync_sandbox.control.platform import platform_app
from sync_sandbox.platforms.platform import Platform
from sync_sandbox.reviews import ReviewsState, create_reviews_app
from sync_worker.core import exact_json
from sync_worker.core.errors import Gone, Permanent
from sync_worker.core.values import Draft, EntityRef, Person, Record
from sync_worker.core.values.plain_text import plain_text
from sync_worker.manifest.loader import shipped_manifest
from sync_worker.remotes.external.remote import ExternalRemote
from tests.integration.remote_server import RemoteServer, Reply
from tests.integration.small_connector import a_draft, a_manifest, a_remote, a_row
from tests.integration.test_owners_bytes import PLATFORMS, Sent, remote_at, served

ANA = Person(contact_id="c-1", email="ana@example.com", name="Ana M.")
WRITTEN = datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)
HARD = "I don't \"like\" C:\\new \\ at 'all' \U0001f600 \u202eabc\u200b"


@contextmanager
def connected(name: str) -> Iterator[tuple[ExternalRemote, Platform, Sent]]:
    platform = PLATFORMS[name][0]()
    with served(platform_app(platform)) as (url, sent):
        environ = {**platform.settings(), "WOO_BASE_URL": url}
        yield remote_at(url, shipped_manifest(name), environ), platform, sent
    platform.webhooks.stop()


def made_by(remote: ExternalRemote, **words: str) -> Record:
    draft = Draft(
        {"value": Decimal(4)},
        EntityRef("22"),
        ANA,
        mapped=frozenset({"value"}),
        words=words,
        written_at=WRITTEN,
    )
    return remote.create(draft, "key-1")


def changed(remote: ExternalRemote, before: Record, stars: str, **words: str) -> Record:
    """As the engine does it: all that the record shall hold, and the names of what changed."""
    assert before.entity is not None
    names = {"value"} if before.values["value"] != Decimal(stars) else set()
    draft = Draft(
        {"value": Decimal(stars)},
        before.entity,
        ANA,
        last=before.raw,
        mapped=frozenset({"value"}),
        words={**before.words, **words},
        changed=frozenset(names | set(words)),
    )
    return remote.update(before.remote_id, draft, before.revision)


def html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


@pytest.mark.parametrize("name", PLATFORMS)
def test_new_review_carries_words_name_and_the_day_it_was_written(name: str) -> None:
    with connected(name) as (remote, platform, _):
        made = made_by(remote, title="Fine", body=HARD)
        (review,) = platform.reviews.values()
    assert (review.author, review.created) == ("Ana M.", WRITTEN)
    assert (plain_text(review.text) if name == "woocommerce" else review.text) == HARD
    assert review.title == ("" if name == "woocommerce" else "Fine")
    assert made.written_at == WRITTEN


def test_woocommerce_takes_changed_words_without_a_backslash_more() -> None:
    """Its update takes backslashes away, and puts one before each quote."""
    with connected("woocommerce") as (remote, shop, sent):
        made = made_by(remote, body="Nice")
        after = changed(remote, made, "4", body=html(HARD))
        again = changed(remote, after, "4", body=html(HARD + " <br> & more"))
    (review,) = shop.reviews.values()
    assert plain_text(after.words["body"]) == HARD
    assert plain_text(again.words["body"]) == HARD + " <br> & more"
    assert review.text == again.words["body"]
    # Nothing but the words is sent.
    assert [set(body) for body in sent.updates] == [{"review"}, {"review"}]


@pytest.mark.parametrize("name", PLATFORMS)
def test_new_stars_alone_leave_the_words_byte_for_byte(name: str) -> None:
    with connected(name) as (remote, platform, sent):
        review = platform.create(
            "22", "ana@example.com", "Ana", 4, by="visitor", title="T", text="<b>It's</b> \\ me"
        )
        before = remote.get(platform.remote_id(review))
        assert before is not None
        changed(remote, before, "2")
        after = platform.reviews[review.id]
    assert (after.stars, after.title, after.text) == (2, "T", "<b>It's</b> \\ me")
    expected = {"woocommerce": {"rating": 2}, "fera": {"data": {"rating": 2}}}
    assert name == "bigcommerce" or sent.updates == [expected[name]]


def test_fera_gets_stars_and_words_of_one_change_in_one_call() -> None:
    with connected("fera") as (remote, account, sent):
        made = made_by(remote, title="Fine", body="Nice")
        after = changed(remote, made, "2", body=HARD)
        emptied = changed(remote, after, "2", title="")
    assert sent.updates == [{"data": {"rating": 2, "body": HARD}}, {"data": {"heading": ""}}]
    assert emptied.words == {"title": "", "body": HARD, "reply": ""}
    (review,) = account.reviews.values()
    assert (review.title, review.text, review.stars) == ("", HARD, 2)


def test_bigcommerce_gets_its_own_record_back_with_the_new_words() -> None:
    with connected("bigcommerce") as (remote, store, sent):
        made = made_by(remote, title="Fine", body="Nice")
        changed(remote, made, "4", title="Good", body="")
        (review,) = store.reviews.values()
    assert (review.title, review.text, review.stars) == ("Good", "", 4)
    own = {key: value for key, value in made.raw.items() if key not in ("id", "date_created")}
    del own["date_modified"]
    assert sent.updates == [own | {"title": "Good", "text": ""}]


def test_emptied_words_become_the_placeholder_where_the_shop_insists() -> None:
    with connected("woocommerce") as (remote, shop, _):
        made = made_by(remote, body="Nice")
        after = changed(remote, made, "4", body="")
        again = changed(remote, after, "2", body="")
    assert after.words == {"body": "(rated without a comment)"} == again.words
    assert shop.reviews[int(made.remote_id)].stars == 2


def test_own_service_keeps_words_and_gets_them_under_its_version() -> None:
    reviews = ReviewsState()
    with served(create_reviews_app(reviews)) as (url, sent):
        environ = {
            "OWN_SERVICE_URL": url,
            "OWN_SERVICE_TOKEN": reviews.token,
            "OWN_SERVICE_WEBHOOK_SECRET": reviews.webhook_secret,
        }
        remote = remote_at(url, shipped_manifest("own-service"), environ)
        made = made_by(remote, title="Fine", body=HARD)
        after = changed(remote, made, "4", title="Good")
    reviews.webhooks.stop()
    assert (after.words, after.revision) == ({"title": "Good", "body": HARD}, 2)
    assert sent.updates[0]["text"] == HARD
    assert sent.updates[0]["score"] == 4


# -- what stands for the whole kind


WORDED: dict[str, Any] = {
    "fields__title": {"path": "head"},
    "fields__body": {"path": "text"},
    "text": {"sync": ["title", "body"]},
    "operations__update__body": {
        "stars": {"from": "rating.value", "as": "int", "required": True},
        "head": {"from": "rating.title"},
        "text": {"from": "rating.body"},
        "both": {"from": "rating.[title, body]"},
    },
}


def asked_to_update(server: RemoteServer, draft: Draft, **changes: Any) -> Any:
    server.answer = lambda asked: Reply(body=a_row())
    a_remote(a_manifest(server, **{**WORDED, **changes})).update("1", draft, None)
    return exact_json.loads(server.asked[-1].body)


UPDATED = {
    "stars": {"from": "rating.value"},
    "head": {"from": "rating.title"},
    "text": {"from": "rating.body"},
}
LAST = a_row(head="H", text="T")


@pytest.mark.parametrize(
    ("names", "sent"),
    [
        (frozenset({"value"}), {"stars": 2}),
        (frozenset({"title"}), {"stars": 4, "head": "new", "both": ["new", "T"]}),
        (frozenset({"value", "body"}), {"stars": 2, "text": "news", "both": ["H", "news"]}),
        (
            frozenset({"title", "body"}),
            {"stars": 4, "head": "new", "text": "news", "both": ["new", "news"]},
        ),
        (None, {"stars": 2, "head": "new", "text": "news", "both": ["new", "news"]}),
    ],
)
def test_patch_names_what_this_write_changes(
    server: RemoteServer, names: frozenset[str] | None, sent: Any
) -> None:
    """What is `required` goes as the system holds it, whatever we hold of it."""
    draft = replace(
        a_draft(last=LAST),
        values={"value": Decimal(2)},
        words={"title": "new", "body": "news"},
        changed=names,
    )
    assert asked_to_update(server, draft) == sent


@pytest.mark.parametrize("names", [frozenset({"value", "body"}), None])
def test_patch_that_repeats_what_is_there_is_written_all_the_same(
    server: RemoteServer, names: frozenset[str] | None
) -> None:
    """The record on file may be older than what stands there."""
    draft = replace(a_draft(last=LAST), words={"body": "T"} if names else {}, changed=names)
    sent = asked_to_update(server, draft, operations__update__body=UPDATED)
    assert sent == ({"stars": 4, "text": "T"} if names else {"stars": 4})


def test_patch_without_a_record_on_file_names_only_the_change(server: RemoteServer) -> None:
    draft = replace(a_draft(), words={"title": "new", "body": "same"}, changed=frozenset({"title"}))
    sent = asked_to_update(
        server,
        draft,
        operations__update__body=UPDATED,
    )
    assert sent == {"head": "new"}


def test_sub_rating_that_this_write_does_not_change_stays_in_its_list(server: RemoteServer) -> None:
    """Somebody may have changed it since: what stands there is not ours to write."""
    marks = [{"code": "fit", "score": 7}, {"code": "looks", "score": 3, "by": "ana"}]
    draft = replace(
        a_draft(last=a_row(marks=marks)),
        values={"value": Decimal(4), "fit": Decimal(9), "looks": Decimal(5)},
        mapped=frozenset({"value", "fit", "looks"}),
        changed=frozenset({"fit"}),
    )
    sent = asked_to_update(
        server,
        draft,
        attributes_list={"items": "marks", "name": "code", "value": "score"},
        operations__update__body={
            "marks": {"from": "rating.attributes[].{code: name, score: value}"}
        },
    )
    assert sent == {"marks": [{"code": "fit", "score": 9}, marks[1]]}


def test_full_update_over_a_hidden_word_reads_the_record_first(server: RemoteServer) -> None:
    """Unseen words are not nulled: the whole record is read before it goes back."""
    whole = a_row(head="H", text="T")

    def answer(asked: Any) -> Reply:
        return Reply(body=whole if asked.method == "GET" else a_row())

    server.answer = answer
    manifest = a_manifest(server, **WORDED, operations__update_mode="full")
    draft = replace(a_draft(last=a_row()), words={"title": "new"}, changed=frozenset({"title"}))
    a_remote(manifest).update("1", draft, None)
    assert [asked.method for asked in server.asked] == ["GET", "PUT"]
    assert server.asked[1].json == whole | {"head": "new", "both": ["new", "T"]}


def test_manifest_without_words_to_sync_sends_an_update_as_before(server: RemoteServer) -> None:
    draft = replace(a_draft(last=LAST), values={"value": Decimal(2)})
    assert asked_to_update(server, draft, text={}) == {"stars": 2}


# -- the shop's reply


def test_reply_is_a_call_of_its_own_and_comes_back_with_the_record() -> None:
    with connected("fera") as (remote, account, sent):
        made = made_by(remote, body="Nice")
        replied = remote.reply(made.remote_id, "Thank you")
        with pytest.raises(Permanent, match="no way to take a reply away"):
            remote.reply(made.remote_id, "")
        account.remove(next(iter(account.reviews)), by="visitor")
        with pytest.raises(Gone):
            remote.reply(made.remote_id, "Thank you")
    assert replied.words == {"title": "", "body": "Nice", "reply": "Thank you"}
    assert sent.updates[0] == {"data": {"store_reply": {"body": "Thank you"}}}


def test_reply_where_the_system_takes_none_is_unsupported() -> None:
    with connected("woocommerce") as (remote, _, __), pytest.raises(Permanent) as refused:
        remote.reply("1", "Thank you")
    assert refused.value.reason == "unsupported"


@pytest.mark.parametrize("name", ["woocommerce", "fera", "bigcommerce"])
def test_refused_text_is_a_refusal_and_changes_nothing(name: str) -> None:
    with connected(name) as (remote, platform, _):
        made = made_by(remote, title="Fine", body="Nice")
        platform.faults.set("blocked_words", next=1)
        with pytest.raises(Permanent):
            changed(remote, made, "2", body="Casino")
        (review,) = platform.reviews.values()
    assert (review.text, review.stars) == ("Nice", 4)
