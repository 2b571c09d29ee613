"""The stand-in BigCommerce store, with the quirks of the real one.

Reviews live under their product, an empty list is 204, PUT wants title and date again, and the only
webhook is the product's, when the number of its reviews changes: an edited mark tells nothing.
Sources: github.com/bigcommerce/docs (products_catalog.v3.yml, docs/integrations/webhooks,
api-rate-limits).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Flask, Response, request

from sync_sandbox.faults import install
from sync_sandbox.platform import Change, Platform, Refusal, Review, whole
from sync_sandbox.webhooks import Sending
from sync_worker.core import exact_json

WINDOW_SECONDS = 30.0
STATES = ("approved", "pending", "disapproved")
SCOPE = "store/product/updated"


class BigCommerce(Platform):
    """One store. ``requests_per_window``: all apps of a store share it; ``None``: no limit."""

    name = "bigcommerce"
    api = ("/stores/",)
    published, pending = "approved", "pending"
    quirks = {  # noqa: RUF012 - a table, as in sync_sandbox.faults
        "product_storm": (
            "a price import: the product's webhook comes, with nothing to tell about its reviews"
        ),
    }
    retry_seconds = (
        60,
        180,
        180,
        300,
        600,
        900,
        1800,
        3600,
        7200,
        21600,
        50400,
    )  # 11 tries over 48 hours

    store_hash, access_token = "abcde", "bc-sandbox-token"  # a stand-in's own
    client_secret = "bc-sandbox-client-secret-0123456789"  # noqa: S105 - so is this

    def __init__(self, *, requests_per_window: int | None = None, **options: Any) -> None:
        self.requests_per_window = requests_per_window
        self.products: set[int] = set()
        self.hooks: list[dict[str, Any]] = []
        self._window = (0.0, 0)
        super().__init__(**options)

    def settings(self) -> dict[str, str]:
        return {
            "BC_STORE_HASH": self.store_hash,
            "BC_ACCESS_TOKEN": self.access_token,
            "BC_CLIENT_SECRET": self.client_secret,
        }

    def remote_id(self, review: Review) -> str:
        return exact_json.dumps({"id": str(review.id), "product_id": review.product})

    def connect(self, url: str) -> None:
        self.webhooks.url = url
        self.add_hook(SCOPE, url)

    def add_hook(self, scope: str, url: str) -> dict[str, Any]:
        with self.lock:
            hook = {
                "id": len(self.hooks) + 1,
                "scope": scope,
                "destination": url,
                "is_active": True,
            }
            self.hooks.append(hook)
        self.webhooks.url = self.webhooks.url or url
        return hook

    def disable_hooks(self) -> None:
        for hook in self.hooks:
            hook["is_active"] = False

    def has_all_hooks(self) -> bool:
        return all(hook["is_active"] for hook in self.hooks)

    def tell(self, change: Change) -> None:
        if change.what != "updated":  # the count is the same: no event
            self.tell_product(change.review.product)

    def tell_product(self, product: str, properties: list[str] | None = None) -> None:
        """The product's webhook.

        ``properties``: names of what changed, which the store may leave out.
        """
        for hook in self.hooks:
            if hook["scope"] == SCOPE and hook["is_active"]:
                self._send(hook, product, properties)

    def _send(self, hook: dict[str, Any], product: str, properties: list[str] | None) -> None:
        about = {"type": "product", "id": whole(product)} | (
            {"properties": properties} if properties else {}
        )
        payload: dict[str, Any] = {
            "scope": SCOPE,
            "store_id": "1025646",
            "data": about,
            "created_at": int(time.time()),
            "producer": f"stores/{self.store_hash}",
        }
        payload["hash"] = hashlib.sha1(exact_json.dumps(payload).encode()).hexdigest()  # noqa: S324 - the platform's own
        body, message_id = exact_json.dumps(payload).encode(), f"msg_{uuid.uuid4().hex}"
        sending = Sending(message_id, product, lambda: (body, self._signed(message_id, body)))
        sending.address = lambda _: str(hook["destination"])
        sending.heard = lambda status: hook.update(
            is_active=hook["is_active"] and not sending.is_given_up
        )
        self.webhooks.send(sending)

    def _signed(self, message_id: str, body: bytes) -> Mapping[str, str]:
        """Standard Webhooks; the key is the client secret as it is."""
        now = str(int(time.time()))
        text = f"{message_id}.{now}.".encode() + body
        signature = base64.b64encode(
            hmac.new(self.client_secret.encode(), text, hashlib.sha256).digest()
        ).decode()
        return {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": now,
            "webhook-signature": f"v1,{signature}",
        }

    def spend(self) -> tuple[int, float]:
        """Take one request of the window: how many are left (below 0: none was), and until when, in
        ms.
        """
        with self.lock:
            began, used = self._window
            if time.monotonic() - began > WINDOW_SECONDS:
                began, used = time.monotonic(), 0
            self._window = (began, used + 1)
            left = (self.requests_per_window or 150) - used - 1
            return left, 1000 * (WINDOW_SECONDS - (time.monotonic() - began))

    def app(self) -> Flask:
        return create_app(self)


def as_json(review: Review) -> dict[str, Any]:
    """Without the product: it stands in the address only."""
    return {
        "id": review.id,
        "title": review.title,
        "text": review.text,
        "status": review.state,
        "rating": review.stars,
        "email": review.email,
        "name": review.author,
        "date_reviewed": review.created.isoformat(),
        "date_created": review.created.isoformat(),
        "date_modified": review.modified.isoformat(),
    }


def create_app(store: BigCommerce) -> Flask:
    """The routes."""
    app = Flask(__name__)
    root = f"/stores/{store.store_hash}/v3"

    @app.before_request
    def admit() -> Response | None:
        if not request.path.startswith(store.api):
            return None
        store.calls[
            f"{request.method}"
            f" {re.sub(r'/[0-9]+(?=/|$)', '/{id}', request.path.removeprefix(root))}"
        ] += 1
        if request.headers.get("X-Auth-Token") != store.access_token:
            return _answer({"status": 401, "title": "Unauthorized"}, 401)
        left, reset_ms = store.spend()
        if store.requests_per_window is not None and left < 0:
            answer = _answer({"status": 429, "title": "Too many requests"}, 429)
            answer.headers["X-Rate-Limit-Time-Reset-Ms"] = str(int(reset_ms))
            return answer
        return None

    install(app, store.faults, store.api)

    @app.after_request
    def budget(answer: Response) -> Response:
        if request.path.startswith(store.api):
            answer.headers.setdefault("X-Rate-Limit-Time-Reset-Ms", str(int(WINDOW_SECONDS * 1000)))
            answer.headers["X-Rate-Limit-Requests-Left"] = str(
                (store.requests_per_window or 150) - store._window[1]
            )
        return answer

    @app.errorhandler(Refusal)
    def refuse(error: Refusal) -> Response:
        return _answer(error.body, error.status)

    def alive(product: int, review_id: int) -> Review:
        found = store.reviews.get(review_id)
        if found is None or found.product != str(product):
            raise _refusal(404, "The review was not found")
        return found

    @app.get(f"{root}/catalog/products")
    def products() -> Response:
        with store.lock:
            ids = sorted(store.products | {int(one.product) for one in store.reviews.values()})
            counts = {
                one: sum(review.product == str(one) for review in store.reviews.values())
                for one in ids
            }
        return _paged([{"id": one, "reviews_count": counts[one]} for one in ids])

    @app.get(f"{root}/catalog/products/<int:product>/reviews")
    def listed(product: int) -> Response:
        with store.lock:
            chosen = [one for one in store.reviews.values() if one.product == str(product)]
        if (
            status := request.args.get("status")
        ) is not None:  # a number here, a word in the records
            chosen = [
                one for one in chosen if one.state == {"1": "approved", "0": "pending"}.get(status)
            ]
        return _paged([as_json(one) for one in chosen]) if chosen else Response(status=204)

    @app.post(f"{root}/catalog/products/<int:product>/reviews")
    def create(product: int) -> Response:
        sent = _checked(_body())
        review = store.create(
            str(product),
            str(sent.get("email") or ""),
            str(sent.get("name") or ""),
            whole(sent.get("rating")) or 0,
            by="app",
            title=sent["title"],
            text=str(sent.get("text") or ""),
            state=sent.get("status") or "pending",
            created=_date(sent["date_reviewed"]),
        )
        return _answer({"data": as_json(review), "meta": {}})

    @app.get(f"{root}/catalog/products/<int:product>/reviews/<int:review_id>")
    def get(product: int, review_id: int) -> Response:
        return _answer({"data": as_json(alive(product, review_id)), "meta": {}})

    @app.put(f"{root}/catalog/products/<int:product>/reviews/<int:review_id>")
    def update(product: int, review_id: int) -> Response:
        sent = _checked(_body())
        names = {
            "rating": "stars",
            "title": "title",
            "text": "text",
            "status": "state",
            "email": "email",
            "name": "author",
        }
        changes = {
            names[key]: value if value is not None else ""
            for key, value in sent.items()
            if key in names
        }
        if "stars" in changes:
            changes["stars"] = whole(changes["stars"]) or 0
        with store.lock:
            alive(product, review_id)
            changed = store.change(
                review_id, by="app", created=_date(sent["date_reviewed"]), **changes
            )
        return _answer({"data": as_json(changed), "meta": {}})

    @app.delete(f"{root}/catalog/products/<int:product>/reviews/<int:review_id>")
    def delete(product: int, review_id: int) -> Response:
        with store.lock:
            alive(product, review_id)
            store.remove(review_id, by="app")
        return Response(status=204)

    @app.get(f"{root}/hooks")
    def hooks() -> Response:
        return _paged(store.hooks)

    @app.post(f"{root}/hooks")
    def register() -> Response:
        sent = _body()
        if sent.get("scope") != SCOPE or not isinstance(sent.get("destination"), str):
            raise _refusal(422, "scope or destination is invalid")
        return _answer({"data": store.add_hook(SCOPE, sent["destination"]), "meta": {}})

    @app.put(f"{root}/hooks/<int:hook_id>")
    def set_hook(hook_id: int) -> Response:
        hook = next((one for one in store.hooks if one["id"] == hook_id), None)
        if hook is None:
            raise _refusal(404, "The hook was not found")
        hook["is_active"] = bool(_body().get("is_active", hook["is_active"]))
        return _answer({"data": hook, "meta": {}})

    return app


def _refusal(status: int, title: str) -> Refusal:
    return Refusal(status, {"status": status, "title": title, "errors": {}})


def _checked(sent: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(sent.get("title"), str) or not 1 <= len(sent["title"]) <= 255:
        raise _refusal(422, "title is required, with at most 255 characters")
    _date(sent.get("date_reviewed"))
    stars = whole(sent.get("rating", 0))
    if stars is None or not 0 <= stars <= 5:
        raise _refusal(422, "rating must be 0 to 5")
    if sent.get("status") not in (None, *STATES):
        raise _refusal(422, "status is unknown")
    if sent.get("email") and "@" not in str(sent["email"]):
        raise _refusal(422, "email must be valid or empty")
    return sent


def _date(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        raise _refusal(422, "date_reviewed is required") from None


def _body() -> dict[str, Any]:
    try:
        body = exact_json.loads(request.get_data())
    except ValueError:
        raise _refusal(400, "The body is no JSON") from None
    if not isinstance(body, dict):
        raise _refusal(422, "The body is no object")
    return body


def _paged(rows: list[dict[str, Any]]) -> Response:
    page, size = (
        whole(request.args.get("page", "1")) or 1,
        min(whole(request.args.get("limit", "50")) or 50, 250),
    )
    pages = {
        "total": len(rows),
        "per_page": size,
        "current_page": page,
        "total_pages": max(-(-len(rows) // size), 1),
    }
    return _answer({"data": rows[(page - 1) * size : page * size], "meta": {"pagination": pages}})


def _answer(body: Any, status: int = 200) -> Response:
    return Response(exact_json.dumps(body), status, mimetype="application/json")
