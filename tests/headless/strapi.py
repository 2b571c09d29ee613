"""A stand-in of Strapi 5 with a collection type ``review``, draft & publish, and one webhook.

Sources: https://docs.strapi.io/cms/api/rest, https://docs.strapi.io/cms/api/rest/filters,
https://docs.strapi.io/cms/backend-customization/webhooks.
"""

from __future__ import annotations

import re
from math import ceil
from typing import Any

from tests.headless.cms import Clock, Document, Hear, deaf
from tests.integration.remote_server import Asked, Reply

TOKEN = "strapi-token-0123456789"
SECRET = "strapi-webhook-secret-0123456789"
FILTER = re.compile(r"filters\[(\w+)\]\[\$(\w+)\]")


class Strapi:
    """The numeric id of a document is a new one with each version; ``documentId`` stays."""

    name = "strapi"

    def __init__(self) -> None:
        self.reviews: dict[str, Document] = {}
        self.hear: Hear = deaf
        self.may_read = True
        self._clock, self._versions = Clock(), 0

    def settings(self, url: str) -> dict[str, str]:
        return {"STRAPI_URL": url, "STRAPI_TOKEN": TOKEN, "STRAPI_WEBHOOK_SECRET": SECRET}

    # -- what visitors do

    def rate(self, email: str, product: str, stars: int, text: str = "Nice") -> str:
        fields = {"product": product, "stars": stars, "text": text, "email": email, "name": "V"}
        return str(self._create(fields)["documentId"])

    def change(self, review_id: str, **fields: Any) -> None:
        self._update(self.reviews[review_id], fields)

    def remove(self, review_id: str) -> None:
        self._tell("entry.delete", self.reviews.pop(review_id))

    def publish_article(self) -> None:
        """Another collection type: the webhook is the same."""
        entry = {"id": 1, "documentId": "a5b6c7d8e9f0a1b2c3d4e5f6"}
        self._tell("entry.publish", entry, model="article")

    # -- what the API does

    def __call__(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(401, "UnauthorizedError", "Missing or invalid credentials")
        if not self.may_read and asked.method == "GET":
            return refusal(403, "ForbiddenError", "Forbidden")
        match asked.path.strip("/").split("/"):
            case ["api", "reviews"] if asked.method == "GET":
                return self._listed(asked)
            case ["api", "reviews"] if asked.method == "POST":
                return Reply(201, {"data": self._create(asked.json["data"]), "meta": {}})
            case ["api", "reviews", review_id] if review_id in self.reviews:
                return self._one(asked, review_id)
            case _:
                return refusal(404, "NotFoundError", "Not Found")

    def _one(self, asked: Asked, review_id: str) -> Reply:
        review = self.reviews[review_id]
        match asked.method:
            case "GET":
                return Reply(200, {"data": review, "meta": {}})
            case "PUT":
                self._update(review, asked.json["data"])
                return Reply(200, {"data": review, "meta": {}})
            case _:
                self.remove(review_id)
                return Reply(204)

    def _listed(self, asked: Asked) -> Reply:
        rows = [one for one in self.reviews.values() if _fits(one, asked.query)]
        rows = [one for one in rows if one["publishedAt"] is not None]
        rows.sort(key=lambda row: (row["createdAt"], row["documentId"]))
        page = int(asked.query.get("pagination[page]", 1))
        size = min(int(asked.query.get("pagination[pageSize]", 25)), 100)
        places = {"page": page, "pageSize": size, "total": len(rows)}
        places["pageCount"] = ceil(len(rows) / size)
        shown = rows[(page - 1) * size : page * size]
        return Reply(200, {"data": shown, "meta": {"pagination": places}})

    def _create(self, fields: Document) -> Document:
        now = self._clock.tick()
        times = dict.fromkeys(("createdAt", "updatedAt", "publishedAt"), now)
        review = {"documentId": f"doc{len(self.reviews) + self._versions:021d}", "text": None}
        review = {**self._version(), **review, **fields, **times}
        self.reviews[str(review["documentId"])] = review
        self._tell("entry.create", review)
        self._tell("entry.publish", review)
        return review

    def _update(self, review: Document, fields: Document) -> None:
        review |= {**self._version(), **fields, "updatedAt": self._clock.tick()}
        self._tell("entry.update", review)

    def _version(self) -> Document:
        self._versions += 1
        return {"id": self._versions}

    def _tell(self, event: str, entry: Document, model: str = "review") -> None:
        body = {"event": event, "model": model, "uid": f"api::{model}.{model}", "entry": entry}
        self.hear(body, {"X-Webhook-Secret": SECRET, "X-Strapi-Event": event})


def _fits(row: Document, query: dict[str, str]) -> bool:
    for name, wanted in query.items():
        found = FILTER.fullmatch(name)
        if found is None:
            continue
        value = str(row.get(found[1]))
        match found[2]:
            case "eq":
                fits = value == wanted
            case "eqi":
                fits = value.lower() == wanted.lower()
            case _:
                fits = value >= wanted
        if not fits:
            return False
    return True


def refusal(status: int, name: str, message: str) -> Reply:
    error = {"status": status, "name": name, "message": message, "details": {}}
    return Reply(status, {"data": None, "error": error})
