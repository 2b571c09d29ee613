"""The stand-in Fera.ai account, with the quirks of the real one.

A signed token in the webhook's address that does not cover the body, PUT answers 202, several
reviews of one person are allowed, ids that start with "f" are Fera's own. Sources:
developers.fera.ai (webhook-structure, webhook-failure-handling) and its OpenAPI document.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
from flask import Flask, Response, request

from sync_sandbox.faults import install
from sync_sandbox.platforms.platform import Change, Platform, Refusal, Review, whole
from sync_sandbox.products import as_fera
from sync_sandbox.served import StandIn
from sync_sandbox.texts import TextRefused, json_text
from sync_sandbox.webhooks import Sending
from sync_worker.core import exact_json

ROOT = "/v3/private"
TOKEN_SECONDS = 3600
STATES = ("approved", "pending", "pending_approval", "declined")
EVENTS = ("review_create", "review_update", "review_delete", "review_approve", "review_decline")


class Fera(Platform):
    """One account. ``hooks``: by event name, whether it is enabled (11 failed tries disable it)."""

    name = "fera"
    api = (f"{ROOT}/",)
    published, pending = "approved", "pending_approval"
    retry_seconds = tuple(60.0 * 2**attempt for attempt in range(1, 11))  # 2, 4, … 1024 minutes

    secret_key = "sk_sandbox_0123456789abcdef0123456789abcdef"  # noqa: S105 - a stand-in's own

    def __init__(self, **options: Any) -> None:
        self.hooks: dict[str, dict[str, Any]] = {}
        super().__init__(**options)

    def settings(self) -> dict[str, str]:
        return {"FERA_SECRET_KEY": self.secret_key}

    def stand_apart(self, number: int) -> None:
        self.secret_key = f"sk_sandbox_{number:032}"

    def remote_id(self, review: Review) -> str:
        return f"frev_{review.id}"

    def connect(self, url: str) -> None:
        """Register all five events; saving them sends an empty POST as a test."""
        self.webhooks.url = url
        for event in EVENTS:
            self.add_hook(event, url)

    def add_hook(self, event: str, url: str) -> dict[str, Any]:
        with self.lock:
            hook = {
                "id": f"fweb_{len(self.hooks) + 1}",
                "event_name": event,
                "url": url,
                "is_enabled": True,
            }
            self.hooks[event] = hook
        self.webhooks.url = self.webhooks.url or url
        self.webhooks.send(
            Sending(
                f"test-{hook['id']}", f"test-{hook['id']}", lambda: (b"", {}), address=lambda _: url
            )
        )
        return hook

    def forget_hooks(self) -> None:
        self.hooks.clear()

    def disable_hooks(self) -> None:
        for hook in self.hooks.values():
            hook["is_enabled"] = False

    def has_all_hooks(self) -> bool:
        return all(hook["is_enabled"] for hook in self.hooks.values())

    def tell(self, change: Change) -> None:
        event = {
            "created": "review_create",
            "updated": "review_update",
            "deleted": "review_delete",
        }[change.what]
        if change.before is not None and change.before.state != change.review.state:
            event = "review_approve" if change.review.state == "approved" else "review_decline"
        hook = self.hooks.get(event)
        if hook is None or not hook["is_enabled"]:
            return
        body = json_text(as_json(change.review)).encode()  # the bare resource
        event_id = f"{event}-{time.monotonic_ns()}"
        sending = Sending(
            event_id,
            self.remote_id(change.review),
            lambda: (body, {"Content-Type": "application/json"}),
            address=lambda url: f"{hook['url']}?jwt={self.token(event)}",
        )
        sending.heard = lambda status: self._heard(hook, sending)
        self.webhooks.send(sending)

    def _heard(self, hook: dict[str, Any], sending: Sending) -> None:
        if sending.is_given_up:
            hook["is_enabled"] = False

    def token(self, event: str) -> str:
        claims = {
            "webhook_id": f"fweb_{event}",
            "event_name": event,
            "store_id": "fsto_1",
            "store_domain": "shop.example",
        }
        return jwt.encode(
            claims | {"exp": int(time.time()) + TOKEN_SECONDS}, self.secret_key, algorithm="HS256"
        )


def as_json(review: Review) -> dict[str, Any]:
    customer = {
        "id": f"fcus_{abs(hash(review.email)) % 10**8}",
        "email": review.email,
        "name": review.author,
    }
    return {
        "id": f"frev_{review.id}",
        "subject": "product",
        "rating": review.stars,
        "heading": review.title or None,
        "body": review.text or None,
        "state": review.state,
        "store_reply": {"body": review.reply} if review.reply else None,
        "external_product_id": review.product,
        "product_id": f"fpro_{review.product}",
        "customer_id": customer["id"],
        "created_at": review.created.isoformat(),
        "updated_at": review.modified.isoformat(),
        "is_verified": not review.is_guest,
        "is_test": False,
        "customer": customer,
    }


def refusal(status: int, message: str, **errors: list[str]) -> Refusal:
    return Refusal(status, {"message": message, "errors": errors})


def create_fera_app(account: Fera) -> Flask:
    """The routes."""
    app = StandIn()
    _add_admission(app, account)
    _add_listing(app, account)
    _add_creating(app, account)
    _add_reviews(app, account)
    _add_hooks(app, account)
    return app


def _add_admission(app: Flask, account: Fera) -> None:
    @app.before_request
    def admit() -> Response | None:
        if not request.path.startswith(account.api):
            return None
        parts = [
            "{id}" if part.startswith(("frev_", "fweb_")) else part
            for part in request.path.split("/")
        ]
        account.calls[f"{request.method} {'/'.join(parts)}"] += 1
        if request.headers.get("SECRET-KEY") != account.secret_key:
            return _answer({"message": "Unauthorized"}, 401)
        return None

    install(app, account.faults, account.api)

    @app.errorhandler(TextRefused)
    def refuse_text(error: TextRefused) -> Response:
        return _answer(refusal(422, "Invalid", body=[str(error)]).body, 422)

    @app.errorhandler(Refusal)
    def refuse(error: Refusal) -> Response:
        return _answer(error.body, error.status)


def _add_listing(app: Flask, account: Fera) -> None:
    @app.get(f"{ROOT}/reviews")
    def listed() -> Response:
        product, email, state = (
            request.args.get(name) for name in ("product.id", "customer.email", "state")
        )
        with account.lock:
            chosen = list(account.reviews.values())
        if product is not None:
            chosen = [
                review for review in chosen if product in (review.product, f"fpro_{review.product}")
            ]
        if email is not None:
            chosen = [review for review in chosen if review.email.lower() == email.lower()]
        if product is not None or email is not None:
            chosen = account.searched(chosen)
        chosen = [review for review in chosen if state in (None, review.state)]
        return _paged(
            [as_json(review) for review in sorted(chosen, key=lambda review: review.created)]
        )

    @app.get(f"{ROOT}/products")
    def products() -> Response:
        return _paged([as_fera(product) for product in account.catalogue])


def _add_creating(app: Flask, account: Fera) -> None:
    @app.post(f"{ROOT}/reviews")
    def create() -> Response:
        sent = _data()
        customer = sent.get("customer")
        email = customer.get("email") if isinstance(customer, Mapping) else None
        product = sent.get("external_product_id") or sent.get("product_id")
        stars = whole(sent.get("rating"))
        if stars is None or not 1 <= stars <= 5:
            raise refusal(422, "Invalid", rating=["must be 1 to 5"])
        if not product or not isinstance(email, str) or "@" not in email:
            raise refusal(422, "Invalid", customer=["needs an email"], product=["must exist"])
        name = str(customer.get("name") or "") if isinstance(customer, Mapping) else ""
        texts = {"title": account.kept(sent.get("heading")), "text": account.kept(sent.get("body"))}
        review = account.create(
            str(product),
            email,
            name,
            stars,
            by="app",
            state=_state(sent) or "pending",
            created=_date(sent),
            **texts,
        )
        return _answer(as_json(review), 201)


def _add_reviews(app: Flask, account: Fera) -> None:
    @app.get(f"{ROOT}/reviews/<fera_id>")
    def get(fera_id: str) -> Response:
        return _answer(as_json(account.reviews[_number(account, fera_id)]))

    @app.put(f"{ROOT}/reviews/<fera_id>")
    def update(fera_id: str) -> Response:
        sent, changes = _data(), dict[str, Any]()
        if "rating" in sent:
            stars = whole(sent["rating"])
            if stars is None or not 1 <= stars <= 5:
                raise refusal(422, "Invalid", rating=["must be 1 to 5"])
            changes["stars"] = stars
        changes |= {
            name: account.kept(sent[key])
            for key, name in (("heading", "title"), ("body", "text"))
            if key in sent
        }
        if isinstance(reply := sent.get("store_reply"), Mapping):
            changes["reply"] = account.kept(reply.get("body"))
        if state := _state(sent):
            changes["state"] = state
        with account.lock:
            return _answer(
                as_json(account.change(_number(account, fera_id), by="app", **changes)), 202
            )

    @app.put(f"{ROOT}/reviews/<fera_id>/<any(approve, decline):verdict>")
    def moderate(fera_id: str, verdict: str) -> Response:
        with account.lock:
            account.change(
                _number(account, fera_id),
                by="app",
                state={"approve": "approved", "decline": "declined"}[verdict],
            )
        return Response(status=204)

    @app.delete(f"{ROOT}/reviews/<fera_id>")
    def delete(fera_id: str) -> Response:
        with account.lock:
            account.remove(_number(account, fera_id), by="app")
        return Response(status=204)


def _add_hooks(app: Flask, account: Fera) -> None:
    @app.get(f"{ROOT}/webhooks")
    def hooks() -> Response:
        return _paged(list(account.hooks.values()))

    @app.post(f"{ROOT}/webhooks")
    def register() -> Response:
        sent = _data()
        if sent.get("event_name") not in EVENTS or not isinstance(sent.get("url"), str):
            raise refusal(422, "Invalid", event_name=["is unknown"])
        return _answer(account.add_hook(str(sent["event_name"]), str(sent["url"])), 201)

    @app.put(f"{ROOT}/webhooks/<hook_id>")
    def set_hook(hook_id: str) -> Response:
        hook = next((own for own in account.hooks.values() if own["id"] == hook_id), None)
        if hook is None:
            raise refusal(404, "Webhook not found")
        hook["is_enabled"] = bool(_data().get("is_enabled", hook["is_enabled"]))
        return _answer(hook, 202)

    @app.delete(f"{ROOT}/webhooks/<hook_id>")
    def remove_hook(hook_id: str) -> Response:
        event = next((name for name, own in account.hooks.items() if own["id"] == hook_id), None)
        if event is None:
            raise refusal(404, "Webhook not found")
        del account.hooks[event]
        return Response(status=204)


def _number(account: Fera, fera_id: str) -> int:
    found = whole(fera_id.removeprefix("frev_"))
    if found is None or found not in account.reviews:
        raise refusal(404, "Review not found")
    return found


def _state(sent: Mapping[str, Any]) -> str:
    state = str(sent.get("state") or "")
    if state and state not in STATES:
        raise refusal(422, "Invalid", state=["is unknown"])
    return state


def _date(sent: Mapping[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(str(sent["created_at"]))
    except KeyError:
        return datetime.now(UTC)
    except ValueError:
        raise refusal(422, "Invalid", created_at=["is no date"]) from None


def _data() -> dict[str, Any]:
    """What is sent, inside its ``data``."""
    try:
        body = exact_json.loads(request.get_data())
    except ValueError:
        raise refusal(400, "The body is no JSON") from None
    sent = body.get("data") if isinstance(body, dict) else None
    if not isinstance(sent, dict):
        raise refusal(422, "Invalid", data=["is missing"])
    return sent


def _paged(rows: list[dict[str, Any]]) -> Response:
    page, size = (
        whole(request.args.get("page", "1")) or 1,
        min(whole(request.args.get("page_size", "20")) or 20, 100),
    )
    meta = {
        "page": page,
        "page_size": size,
        "page_count": max(-(-len(rows) // size), 1),
        "total_count": len(rows),
    }
    return _answer({"data": rows[(page - 1) * size : page * size], "meta": meta})


def _answer(body: Any, status: int = 200) -> Response:
    return Response(json_text(body), status, mimetype="application/json")
