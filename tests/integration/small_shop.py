"""A small review system of our own, as the author of a manifest meets one: it checks its token,
pages, filters, knows what changed, and answers a page of HTML at every other address.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.documents import document_of
from tests.integration.remote_server import Asked, RemoteServer, Reply

TOKEN, SECRET = "shop-token", "shop-secret-0123456789"
PAGE = Reply(404, raw=b"<html>Nothing here</html>", headers={"Content-Type": "text/html"})
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
MANIFEST = """
version: 1
id: shop
base_url: {env: SHOP_URL}
allow_private_hosts: true
auth: {type: bearer, token: {env: SHOP_TOKEN}}
http: {budget: {requests: 1000}}
key: {id: {path: id}}
fields:
  entity: {path: product.id, required: true}
  value: {path: stars, as: decimal, required: true}
  email: {path: author.email, as: email}
  author: {path: author.name}
  state: {path: status}
  created_at: {path: created, as: datetime}
  updated_at: {path: updated, as: datetime}
scale: {min: 1, max: 5}
states: {read: {approved: published, waiting: pending}, write: {published: approved}}
operations:
  get:
    method: GET
    path: /api/reviews/{key.id}
    result_path: data
    errors: &gone [{status: [404], path: code, equals: no_such_review, outcome: gone}]
  find:
    method: GET
    path: /api/reviews
    query: {product: {from: entity.external_id}, email: {from: contact.email}}
    items_path: data
  list:
    method: GET
    path: /api/reviews
    items_path: data
    pagination: {kind: page, param: page, size_param: per_page, size: 10}
  create:
    method: POST
    path: /api/reviews
    result_path: data
    body:
      product: {from: entity.external_id}
      email: {from: contact.email}
      name: {from: contact.name}
      stars: {from: rating.value, as: int}
      status: {from: rating.state}
  update:
    method: PATCH
    path: /api/reviews/{key.id}
    result_path: data
    body: {stars: {from: rating.value, as: int}}
    errors: *gone
  delete: {method: DELETE, path: "/api/reviews/{key.id}", success: [204], errors: *gone}
  poll: {every_s: 600, incremental: {param: updated_since, semantics: updated}}
webhook:
  verify: [{type: hmac, header: X-Shop-Signature, secret: {env: SHOP_WEBHOOK_SECRET}}]
  event: {path: event}
  events: [{match: review.changed, change: upsert}, {match: review.deleted, change: delete}]
  key: {id: review_id}
"""


@dataclass
class SmallShop:
    """``quirks``: what it does otherwise than it says."""

    reviews: dict[int, dict[str, Any]] = field(default_factory=dict)
    quirks: set[str] = field(default_factory=set)

    def fill(self, count: int) -> None:
        for number in range(1, count + 1):
            self.add(22 + number % 3, f"person{number}@example.com", "Ann", 1 + number % 5)

    def add(
        self, product: Any, email: Any, name: Any, stars: Any, status: Any = "approved"
    ) -> dict[str, Any]:
        number = len(self.reviews) + 1
        while number in self.reviews:
            number += 1
        when = (FIRST + timedelta(hours=number)).isoformat()
        self.reviews[number] = {
            "id": number,
            "product": {"id": product, "name": "Mug"},
            "stars": stars,
            "author": {"email": email, "name": name},
            "status": status,
            "created": when,
            "updated": when,
        }
        return self.reviews[number]

    def answer(self, asked: Asked) -> Reply:
        if not asked.path.startswith("/api/reviews"):
            return PAGE
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Reply(401, {"code": "unauthorized"})
        if asked.path == "/api/reviews":
            return self._create(asked) if asked.method == "POST" else self._listed(asked)
        return self._one(asked)

    def _listed(self, asked: Asked) -> Reply:
        query = asked.query
        rows = list(self.reviews.values())
        if "product" in query:
            rows = [row for row in rows if str(row["product"]["id"]) == query["product"]]
        if "email" in query:
            rows = [row for row in rows if row["author"]["email"] == query["email"]]
        if "updated_since" in query and "no_since" not in self.quirks:
            try:
                since = datetime.fromisoformat(query["updated_since"])
            except ValueError:
                return Reply(400, {"code": "bad_date"})
            rows = [row for row in rows if datetime.fromisoformat(row["updated"]) >= since]
        size, page = int(query.get("per_page", 20)), int(query.get("page", 1))
        return Reply(body={"data": rows[(page - 1) * size : page * size], "total": len(rows)})

    def _create(self, asked: Asked) -> Reply:
        new = asked.json
        status = "waiting" if "moderates" in self.quirks else new.get("status", "waiting")
        stars = new.get("stars")
        if stars not in (1, 2, 3, 4, 5):
            return Reply(422, {"code": "stars_out_of_range"})
        row = self.add(new.get("product"), new.get("email"), new.get("name"), stars, status)
        return Reply(201, {"data": row})

    def _one(self, asked: Asked) -> Reply:
        number = int(asked.path.rpartition("/")[2])
        row = self.reviews.get(number)
        if row is None:
            return Reply(404, {"code": "no_such_review"})
        match asked.method:
            case "GET":
                return Reply(body={"data": row})
            case "PATCH":
                changed = row | asked.json
                if "forgets" not in self.quirks:
                    self.reviews[number] = changed
                return Reply(body={"data": changed})
            case "DELETE":
                del self.reviews[number]
                return Reply(204)
            case _:
                return Reply(405, {"code": "method_not_allowed"})


def settings_of(server: RemoteServer) -> dict[str, str]:
    return {"SHOP_URL": server.url, "SHOP_TOKEN": TOKEN, "SHOP_WEBHOOK_SECRET": SECRET}


def write_manifest(file: Path, **changes: Any) -> None:
    """``changes``: place with ``__`` between its keys → what stands there instead."""
    document = document_of(MANIFEST)
    for place, value in changes.items():
        *path, last = place.split("__")
        part = document
        for name in path:
            part = part[int(name)] if isinstance(part, list) else part.setdefault(name, {})
        part[int(last) if isinstance(part, list) else last] = value
    file.write_text(yaml.safe_dump(document, sort_keys=False))


def a_delivery(event: str = "review.changed", **body: Any) -> str:
    """A captured webhook of this system, as JSON."""
    text = json.dumps({"event": event, "review_id": 7} | body)
    signature = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    return json.dumps({"headers": {"X-Shop-Signature": signature}, "body": text})
