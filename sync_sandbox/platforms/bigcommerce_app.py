"""The HTTP API of the stand-in BigCommerce store."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import Any

from flask import Flask, Response, request

from sync_sandbox.faults import install
from sync_sandbox.platforms.bigcommerce import SCOPE, WINDOW_SECONDS, BigCommerce
from sync_sandbox.platforms.platform import Refusal, Review, whole
from sync_sandbox.products import Product, as_bigcommerce
from sync_sandbox.served import StandIn
from sync_sandbox.texts import TextRefused, json_text
from sync_worker.core import exact_json

STATES = ("approved", "pending", "disapproved")
# Theirs and ours.
NAMES = {
    "rating": "stars",
    "title": "title",
    "text": "text",
    "status": "state",
    "email": "email",
    "name": "author",
}


def create_bigcommerce_app(store: BigCommerce) -> Flask:
    """The routes."""
    app = StandIn()
    root = f"/stores/{store.store_hash}/v3"
    _add_admission(app, store, root)
    _add_reading(app, store, root)
    _add_writing(app, store, root)
    _add_hooks(app, store, root)
    return app


def _add_admission(app: Flask, store: BigCommerce, root: str) -> None:
    @app.before_request
    def admit() -> Response | None:
        if not request.path.startswith(store.api):
            return None
        path = re.sub(r"/[0-9]+(?=/|$)", "/{id}", request.path.removeprefix(root))
        store.calls[f"{request.method} {path}"] += 1
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
            answer.headers["X-Rate-Limit-Requests-Left"] = str(store.requests_left)
        return answer

    @app.errorhandler(TextRefused)
    def refuse_text(error: TextRefused) -> Response:
        return _answer(_refusal(422, f"text {error}").body, 422)

    @app.errorhandler(Refusal)
    def refuse(error: Refusal) -> Response:
        return _answer(error.body, error.status)


def _add_reading(app: Flask, store: BigCommerce, root: str) -> None:
    @app.get(f"{root}/catalog/products")
    def products() -> Response:
        with store.lock:
            counts = Counter(int(review.product) for review in store.reviews.values())
        shown = {int(product.id): product for product in store.catalogue}
        ids = sorted(store.products | set(counts) | set(shown))
        rows = [
            as_bigcommerce(shown.get(product, Product(str(product))), counts[product])
            for product in ids
        ]
        if "primary_image" not in request.args.get("include", ""):
            rows = [{name: row[name] for name in row if name != "primary_image"} for row in rows]
        return _paged(rows)

    @app.get(f"{root}/catalog/products/<int:product>/reviews")
    def listed(product: int) -> Response:
        with store.lock:
            chosen = [found for found in store.reviews.values() if found.product == str(product)]
        status = request.args.get("status")
        if status is not None:
            # A number here, a word in the records.
            state = {"1": "approved", "0": "pending"}.get(status)
            chosen = [review for review in chosen if review.state == state]
        if not chosen:
            return Response(status=204)
        return _paged([as_json(review) for review in chosen])

    @app.get(f"{root}/catalog/products/<int:product>/reviews/<int:review_id>")
    def get(product: int, review_id: int) -> Response:
        return _answer({"data": as_json(_alive(store, product, review_id)), "meta": {}})


def _add_writing(app: Flask, store: BigCommerce, root: str) -> None:
    @app.post(f"{root}/catalog/products/<int:product>/reviews")
    def create(product: int) -> Response:
        sent = _checked(_body())
        review = store.create(
            str(product),
            str(sent.get("email") or ""),
            str(sent.get("name") or ""),
            whole(sent.get("rating")) or 0,
            by="app",
            title=store.kept(sent["title"]),
            text=store.kept(sent.get("text")),
            state=sent.get("status") or "pending",
            created=_date(sent["date_reviewed"]),
        )
        return _answer({"data": as_json(review), "meta": {}})

    @app.put(f"{root}/catalog/products/<int:product>/reviews/<int:review_id>")
    def update(product: int, review_id: int) -> Response:
        sent = _checked(_body())
        changes = {
            NAMES[key]: value if value is not None else ""
            for key, value in sent.items()
            if key in NAMES
        }
        changes |= {
            name: store.kept(changes[name]) for name in ("title", "text") if name in changes
        }
        if "stars" in changes:
            changes["stars"] = whole(changes["stars"]) or 0
        with store.lock:
            _alive(store, product, review_id)
            changed = store.change(
                review_id, by="app", created=_date(sent["date_reviewed"]), **changes
            )
        return _answer({"data": as_json(changed), "meta": {}})

    @app.delete(f"{root}/catalog/products/<int:product>/reviews/<int:review_id>")
    def delete(product: int, review_id: int) -> Response:
        with store.lock:
            _alive(store, product, review_id)
            store.remove(review_id, by="app")
        return Response(status=204)


def _add_hooks(app: Flask, store: BigCommerce, root: str) -> None:
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
        hook = next((known for known in store.hooks if known["id"] == hook_id), None)
        if hook is None:
            raise _refusal(404, "The hook was not found")
        hook["is_active"] = bool(_body().get("is_active", hook["is_active"]))
        return _answer({"data": hook, "meta": {}})

    @app.delete(f"{root}/hooks/<int:hook_id>")
    def remove_hook(hook_id: int) -> Response:
        hook = next((known for known in store.hooks if known["id"] == hook_id), None)
        if hook is None:
            raise _refusal(404, "The hook was not found")
        store.hooks.remove(hook)
        return _answer({"data": hook, "meta": {}})


def _alive(store: BigCommerce, product: int, review_id: int) -> Review:
    found = store.reviews.get(review_id)
    if found is None or found.product != str(product):
        raise _refusal(404, "The review was not found")
    return found


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
    return Response(json_text(body), status, mimetype="application/json")
