"""A stand-in of Directus 11 with collections ``reviews`` and ``people``, and a Flow that tells.

Sources: https://directus.io/docs/api/items, https://directus.io/docs/guides/connect/filter-rules,
https://directus.io/docs/guides/automate/triggers.
"""

from __future__ import annotations

import re
from typing import Any

from tests.headless.cms import Clock, Document, Hear, deaf
from tests.integration.remote_server import Asked, Reply

TOKEN = "directus-token-0123456789"
SECRET = "directus-flow-secret-0123456789"
FORBIDDEN = "You don't have permission to access this."
FILTER = re.compile(r"filter((?:\[\w+\])+)")


class Directus:
    """``may_read``: whether the token's role may read; items that are missing look the same."""

    name = "directus"

    def __init__(self) -> None:
        self.reviews: dict[str, Document] = {}
        self.people: dict[str, Document] = {}
        self.hear: Hear = deaf
        self.may_read = True
        self._clock, self._last = Clock(), 0

    def settings(self, url: str) -> dict[str, str]:
        return {
            "DIRECTUS_URL": url,
            "DIRECTUS_TOKEN": TOKEN,
            "DIRECTUS_FLOW_SECRET": SECRET,
        }

    # -- what visitors do

    def rate(self, email: str, product: str, stars: int, text: str = "Nice") -> str:
        found = [one["id"] for one in self.people.values() if one["email"] == email]
        author = found[0] if found else self._make_person({"email": email, "name": "Visitor"})["id"]
        fields = {"product": product, "stars": stars, "text": text, "author": author}
        return str(self._create({**fields, "status": "published"})["id"])

    def change(self, review_id: str, **fields: Any) -> None:
        self._update(self.reviews[review_id], fields)

    def remove(self, review_id: str) -> None:
        del self.reviews[review_id]
        self._tell("delete", keys=[int(review_id)], payload=[int(review_id)])

    # -- what the API does

    def __call__(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(401, "INVALID_CREDENTIALS", "Invalid user credentials.")
        match asked.path.strip("/").split("/"):
            case ["items", "reviews"] if asked.method == "GET":
                return self._listed([self._shown(one) for one in self.reviews.values()], asked)
            case ["items", "people"] if asked.method == "GET":
                return self._listed(list(self.people.values()), asked)
            case ["items", "people"] if asked.method == "POST":
                return self._new_person(asked.json)
            case ["items", "reviews"] if asked.method == "POST":
                return Reply(200, {"data": self._shown(self._create(asked.json))})
            case ["items", "reviews", review_id] if review_id in self.reviews:
                return self._one(asked, review_id)
            case ["items", _, *_]:
                return refusal(403, "FORBIDDEN", FORBIDDEN)
            case _:
                return refusal(404, "ROUTE_NOT_FOUND", f"Route {asked.path} doesn't exist.")

    def _one(self, asked: Asked, review_id: str) -> Reply:
        review = self.reviews[review_id]
        match asked.method:
            case "GET":
                return Reply(200, {"data": self._shown(review)})
            case "PATCH":
                self._update(review, asked.json)
                return Reply(200, {"data": self._shown(review)})
            case _:
                self.remove(review_id)
                return Reply(204)

    def _listed(self, rows: list[Document], asked: Asked) -> Reply:
        if not self.may_read:
            return refusal(403, "FORBIDDEN", FORBIDDEN)
        rows = [row for row in rows if fits(row, asked.query)]
        rows.sort(key=lambda row: row["id"])
        return Reply(200, {"data": rows[: int(asked.query.get("limit", 100))]})

    def _new_person(self, person: Document) -> Reply:
        if any(one["email"] == person["email"] for one in self.people.values()):
            return refusal(400, "RECORD_NOT_UNIQUE", "Value for field email has to be unique.")
        return Reply(200, {"data": self._make_person(person)})

    def _make_person(self, person: Document) -> Document:
        made = {"id": self._next_id(), **person}
        self.people[str(made["id"])] = made
        return made

    def _create(self, fields: Document) -> Document:
        review = {"id": self._next_id(), "text": None, "status": "draft", **fields}
        review |= {"date_created": self._clock.tick(), "date_updated": None}
        self.reviews[str(review["id"])] = review
        self._tell("create", key=review["id"], payload=fields)
        return review

    def _update(self, review: Document, fields: Document) -> None:
        review |= {**fields, "date_updated": self._clock.tick()}
        self._tell("update", keys=[review["id"]], payload=fields)

    def _tell(self, what: str, **more: Any) -> None:
        body = {"event": f"reviews.items.{what}", "collection": "reviews", **more}
        self.hear(body, {"X-Flow-Secret": SECRET})

    def _shown(self, review: Document) -> Document:
        """With ``fields=*,author.email,author.name``."""
        person = self.people.get(str(review["author"]), {})
        return {**review, "author": {"email": person.get("email"), "name": person.get("name")}}

    def _next_id(self) -> int:
        self._last += 1
        return self._last


def fits(row: Document, query: dict[str, str]) -> bool:
    """Filters by dotted fields: all that stand alone, and any of those in ``[_or]``."""
    alone, any_of = [], []
    for name, wanted in query.items():
        found = FILTER.fullmatch(name)
        if found is None:
            continue
        parts = re.findall(r"\w+", found[1])
        if parts[0] == "_or":
            any_of.append(_holds(row, parts[2:], wanted))
        else:
            alone.append(_holds(row, parts, wanted))
    return all(alone) and (any(any_of) or not any_of)


def _holds(row: Document, parts: list[str], wanted: str) -> bool:
    *fields, operator = parts
    value: Any = row
    for name in fields:
        value = value.get(name) if isinstance(value, dict) else None
    if value is None:
        return False
    if operator == "_eq":
        return str(value) == wanted
    limit = type(value)(wanted)
    return bool(value > limit if operator == "_gt" else value >= limit)


def refusal(status: int, code: str, message: str) -> Reply:
    return Reply(status, {"errors": [{"message": message, "extensions": {"code": code}}]})
