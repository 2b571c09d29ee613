"""Wix Reviews: one review for each person and product, with stars, words and a moderation state.

https://dev.wix.com/docs/api-reference/crm/community/reviews/reviews/introduction
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any

from sync_worker.core.errors import Conflict, Duplicate, Gone, Permanent, SyncError, Transient
from sync_worker.core.numbers import whole_number
from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import PRODUCTS, Draft, EntityRef, Person, Record
from sync_worker.core.values.texts import BODY, REPLY, TITLE, TextRule
from sync_worker.remotes.wix.answers import gone_if_said, inside
from sync_worker.remotes.wix.api import OLDEST_FIRST, WixApi
from sync_worker.remotes.wix.learned import has_replaced, shows_hidden, takes_pictures
from sync_worker.remotes.wix.people import WixPeople
from sync_worker.remotes.wix.records import Kind, WixRecords
from sync_worker.remotes.wix.review_bulk import create_many, names_product
from sync_worker.remotes.wix.review_drafts import content_after, lost_in, new_review, pictures_of
from sync_worker.remotes.wix.review_record import review_of, review_of_event

LISTING = "Query Reviews of Wix, by cursor"
MAX_WORDS = 3_000
MAX_REPLY = 1_000  # what reads allow; Set Reply itself names 10,000
BULK = 100
OF_PRODUCTS = {"namespace": PRODUCTS}
NOTHING: Mapping[str, str] = MappingProxyType({})
# Refused for what a record is about or whose it is; which of them tells what is not documented.
BY_STATE = (400, 404, 422, 428)

CAPABILITIES = Capabilities(
    delete_is_final=True,
    words={
        TITLE: TextRule(max_length=MAX_WORDS),
        BODY: TextRule(max_length=MAX_WORDS),
        # By calls of its own.
        REPLY: TextRule(max_length=MAX_REPLY, can_create=False),
    },
    # Whether moderation counts as a change of the record is not documented.
    revision_covers_state=False,
    can_moderate=True,
    # Whether private reviews are shown, or silently left out, is not documented either.
    shows_hidden=False,
    bulk_create=BULK,
    media=True,
)


def now_in_utc() -> datetime:
    return datetime.now(UTC)


class WixReviews(WixRecords):
    """Implements ports.Remote, Moderation, Replies and BulkCreate.

    ``app_id``: of our app, which Wix names in the reviews that it made; empty: we have none.
    ``learned``: what was found out on the site, and ``note`` keeps what an answer shows of it, by
    the same names. Every read asks for unpublished reviews, too: else what waits for a moderator
    would look deleted.
    """

    def __init__(
        self,
        api: WixApi,
        app_id: str = "",
        now: Callable[[], datetime] = now_in_utc,
        learned: Mapping[str, str] = NOTHING,
        note: Callable[[Mapping[str, str]], None] = lambda learned: None,
    ) -> None:
        kind = Kind(
            "review",
            "reviews",
            LISTING,
            read=partial(review_of, app_id=app_id),
            has_deleted=_is_deleted,
            gone=gone_if_said("REVIEW", "ENTITY", "ITEM"),
            every={"filter": OF_PRODUCTS, "sort": OLDEST_FIRST},
            by_id={"returnPrivateReviews": "true"},
            # Beside the query, and on every page of it.
            beside={"returnPrivateReviews": True},
        )
        super().__init__(api, kind)
        self._app_id, self._now = app_id, now
        self.capabilities = replace(CAPABILITIES, shows_hidden=shows_hidden(learned))
        # What nobody has probed is found out as Wix does it.
        self._filters_contacts, self._replaces_content = True, takes_pictures(learned)
        self._note = note

    def record_in(self, payload: Mapping[str, Any]) -> Record | None:
        return review_of_event(payload, self._app_id)

    # -- reading

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        """The review of this contact for this product, whatever its state.

        A filter that Wix does not know may be refused, or leave everything in: each row is
        compared.
        """
        found = self._query_for([(entity, person)])
        return found.get((entity.entity_id, person.contact_id), [])

    def find_many(self, whose: Sequence[tuple[EntityRef, Person]]) -> Sequence[Sequence[Record]]:
        found = self._query_for(whose)
        return [found.get((entity.entity_id, person.contact_id), []) for entity, person in whose]

    def _query_for(
        self, whose: Sequence[tuple[EntityRef, Person]]
    ) -> dict[tuple[str, str | None], list[Record]]:
        """Reviews by product and contact, in one query."""
        products = sorted({entity.entity_id for entity, _ in whose})
        of_products: Any = products[0] if len(products) == 1 else {"$in": products}
        where = {**OF_PRODUCTS, "entityId": of_products}
        contacts = sorted({person.contact_id for _, person in whose if person.contact_id})
        by_contact = {**where, "author.contactId": {"$in": contacts}}
        found = self._found_by_contact(by_contact) if self._filters_contacts else None
        if found is None:
            found = list(self.query({"filter": where, "sort": OLDEST_FIRST}))
        by_key: dict[tuple[str, str | None], list[Record]] = {}
        for record in found:
            if record.entity is not None:
                key = (record.entity.entity_id, record.person.contact_id)
                by_key.setdefault(key, []).append(record)
        return by_key

    def _found_by_contact(self, where: Mapping[str, Any]) -> list[Record] | None:
        """``None``: this filter is refused; the table of 2023 did not have it."""
        try:
            return list(self.query({"filter": where, "sort": OLDEST_FIRST}))
        except Permanent as refusal:
            if refusal.facts.status != 400:
                raise
            self._filters_contacts = False
            return None

    def count(self, *, with_unpublished: bool = True) -> int:
        """How many reviews the site has."""
        # Another name for the flag than in reads, and the filter stands by itself.
        body = {"filter": OF_PRODUCTS, "includePrivateReviews": with_unpublished}
        number = whole_number(inside(self._api.call("count_reviews", json=body).body, "count"))
        if number is None:
            raise Transient("Wix answered a count without a number")
        return number

    # -- writing

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        try:
            return self._create(new_review(draft, self._now()))
        except Permanent as refusal:
            raise self._why_refused(refusal, draft) from None

    def _why_refused(self, refusal: Permanent, draft: Draft) -> SyncError:
        """What a create was refused for, where Wix documents no code: told by looking.

        Raises what looks raise.
        """
        facts = refusal.facts
        if facts.status not in BY_STATE:
            return refusal
        for twin in self.find(draft.entity, draft.person):
            return Duplicate(remote_id=twin.remote_id, facts=facts)
        # It names a field of ours.
        if not facts.code:
            return refusal
        contact_id = draft.person.contact_id
        found = WixPeople(self._api).by_id(contact_id) if contact_id else None
        if found is None or found.contact_id != contact_id:
            message, reason = "Wix does not know this contact", "contact_unknown"
        elif facts.status == 404 or names_product(facts.code):
            message, reason = "Wix does not know this product of the store", "unknown_entity"
        else:
            message, reason = refusal.message, "refused"
        return Permanent(message, reason=reason, facts=facts)

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        last = self._last_returned(remote_id, draft, revision)
        if self._replaces_content and pictures_of(last):
            raise Permanent(
                "not sent: Wix has taken the pictures of another review with an update that did not"
                " touch them",
                reason="content_replaced",
            )
        try:
            record = self._update(
                remote_id, {"content": content_after(last, draft)}, draft, revision
            )
        except Permanent as refusal:
            raise _organic_or(refusal, last) from None
        # Somebody else's change came after ours: its answer tells nothing of what ours did.
        if revision is None or record.revision != revision + 1:
            return record
        lost = lost_in(record, last, draft)
        if lost and not self._replaces_content:
            self._replaces_content = True
            self._note(has_replaced(lost))
        return replace(record, lost=lost)

    def _last_returned(
        self, remote_id: str, draft: Draft, revision: int | None
    ) -> Mapping[str, Any]:
        """The review as Wix returned it at this very revision. Raises Gone, Conflict.

        Words of an older memory under a newer revision would overwrite somebody's edit.
        """
        is_at_revision = whole_number(draft.last.get("revision")) == revision
        if is_at_revision and isinstance(draft.last.get("content"), Mapping):
            return draft.last
        record = self.get(remote_id)
        if record is None:
            raise Gone
        if record.revision != revision:
            raise Conflict
        return record.raw

    # -- moderation, which names no revision: https://dev.wix.com/docs/api-reference/crm/community/
    # feedback-moderation/reviews/reviews/update-moderation-status

    def withdraw(self, remote_id: str) -> Record:
        return self._moderate(remote_id, "REJECTED")

    def approve(self, remote_id: str) -> Record:
        return self._moderate(remote_id, "APPROVED")

    def _moderate(self, remote_id: str, status: str) -> Record:
        body = {"reviewId": remote_id, "status": status}
        return self._change("moderate_review", remote_id, json=body)

    # -- the owner's reply, which names no revision either

    def reply(self, remote_id: str, text: str) -> Record:
        if not text:
            return self._change("remove_reply", remote_id)
        if len(text) > MAX_REPLY:
            raise Permanent(f"Wix shows {MAX_REPLY:,} characters of a reply, and this is longer")
        return self._change("set_reply", remote_id, json={"reviewId": remote_id, "message": text})

    def _change(self, name: str, remote_id: str, **options: Any) -> Record:
        """A call that sets one thing of a review, however often it is sent."""
        return self._written(
            self._api.call(
                name, remote_id=remote_id, is_write=True, outcomes=self._kind.gone, **options
            )
        )

    # -- many at once

    def create_many(self, drafts: Sequence[Draft]) -> Sequence[Record | SyncError]:
        return create_many(self._api, drafts, self._kind.read, self._now())


def _is_deleted(body: Any, remote_id: str) -> bool:
    """A delete is answered with the review that it deleted."""
    deleted_id: object = inside(body, "review", "id")
    return deleted_id == remote_id


def _organic_or(refusal: Permanent, last: Mapping[str, Any]) -> Permanent:
    """Older documents say that apps cannot update what visitors wrote on the site."""
    is_organic = inside(last, "origin", "type") == "ORGANIC"
    # What Wix says of a field is about that field, and has no code.
    is_of_review = refusal.facts.status == 403 or (
        refusal.facts.status in BY_STATE and refusal.facts.code
    )
    if not is_organic or not is_of_review:
        return refusal
    return Permanent(
        "Wix refuses to change a review that a visitor wrote on the site",
        reason="organic_review",
        facts=refusal.facts,
    )
