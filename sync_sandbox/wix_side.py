"""What visitors do on the stand-in Wix, and what they see there: in Ratings, or in Reviews."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from sync_sandbox.wix.reviews.moderation import APPROVED
from sync_sandbox.wix.reviews.records import status_of
from sync_sandbox.wix.state import WixState
from sync_worker.core.values import WixKind

NAMESPACE, GROUP = "reviews", "stores"
MEMBER = {"identityType": "MEMBER", "memberId": "visitor"}


@dataclass(frozen=True, slots=True)
class Words:
    """Title and body of one review; empty where a side has none."""

    title: str = ""
    body: str = ""


NO_WORDS = Words()


class WixSide(Protocol):
    """One of the two APIs. Products and people are those of Wix."""

    def rate(self, contact_id: str, product: str, value: int, words: Words) -> str:
        """Returns the id."""

    def change(self, record_id: str, value: int | None, words: Words | None) -> None:
        """``None``: stays as it is."""

    def delete(self, record_id: str) -> None: ...

    def id_of(self, contact_id: str, product: str) -> str | None: ...

    def seen(self) -> dict[tuple[str, str], tuple[Decimal, Words]]:
        """Product and contact → what a visitor sees."""


@dataclass(frozen=True, slots=True)
class RatingsSide:
    """Numbers from 0 to 100, without words."""

    wix: WixState

    def rate(self, contact_id: str, product: str, value: int, words: Words) -> str:
        rating = {
            "namespace": NAMESPACE,
            "group": GROUP,
            "entityId": product,
            "attributeName": "overall",
            "value": value,
            "owner": {"contactId": contact_id},
        }
        return str(self.wix.create_rating(rating, MEMBER)["id"])

    def change(self, record_id: str, value: int | None, words: Words | None) -> None:
        if value is not None:
            self.wix.update_rating(record_id, value, MEMBER)

    def delete(self, record_id: str) -> None:
        self.wix.delete_rating(record_id, MEMBER)

    def id_of(self, contact_id: str, product: str) -> str | None:
        return self.wix.rating_id(contact_id, product)

    def seen(self) -> dict[tuple[str, str], tuple[Decimal, Words]]:
        with self.wix.lock:
            return {
                (one["entityId"], one["owner"].get("contactId", "")): (
                    Decimal(one["value"]),
                    NO_WORDS,
                )
                for one in self.wix.ratings.values()
            }


@dataclass(frozen=True, slots=True)
class ReviewsSide:
    """1 to 5 stars with words; what is not published, nobody sees."""

    wix: WixState

    def rate(self, contact_id: str, product: str, value: int, words: Words) -> str:
        review = {
            "namespace": "stores",
            "entityId": product,
            "author": {
                "contactId": contact_id,
                "authorName": self.wix.contacts[contact_id]["info"]["name"]["first"],
            },
            "content": {"rating": value} | _texts(words),
        }
        return str(self.wix.reviews.create(review, MEMBER)["id"])

    def change(self, record_id: str, value: int | None, words: Words | None) -> None:
        content: dict[str, Any] = {} if value is None else {"rating": value}
        if words is not None:
            content |= {"title": words.title or None, "body": words.body or None}
        self.wix.reviews.update(record_id, {"content": content}, MEMBER, is_client=False)

    def delete(self, record_id: str) -> None:
        self.wix.reviews.delete(record_id, MEMBER)

    def id_of(self, contact_id: str, product: str) -> str | None:
        return self.wix.reviews.id_of(contact_id, product)

    def seen(self) -> dict[tuple[str, str], tuple[Decimal, Words]]:
        with self.wix.lock:
            published = [
                one for one in self.wix.reviews.by_id.values() if status_of(one) == APPROVED
            ]
        return {
            (one["entityId"], one["author"]["contactId"]): (
                Decimal(one["content"]["rating"]),
                Words(one["content"].get("title") or "", one["content"].get("body") or ""),
            )
            for one in published
        }


def wix_side(kind: WixKind, wix: WixState) -> WixSide:
    """The API that a site uses."""
    return ReviewsSide(wix) if kind is WixKind.REVIEWS else RatingsSide(wix)


def _texts(words: Words) -> dict[str, str]:
    texts = {"title": words.title, "body": words.body}
    return {name: text for name, text in texts.items() if text}
