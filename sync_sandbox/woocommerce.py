"""The stand-in WooCommerce shop with the companion file of docs/platforms.md, and the quirks of the
real one.

Same-second delivery ids, an unsigned ping, no retries, hooks disabled after failures, 409 for an
equal text, texts altered by WordPress, trash, naive times, `X-WP-TotalPages`. Sources: the
controllers of github.com/woocommerce/woocommerce (class-wc-rest-product-reviews-controller.php,
class-wc-webhook.php).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import itertools
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, Response, request

from sync_sandbox.faults import install
from sync_sandbox.platform import Change, Platform, Refusal, Review, whole
from sync_sandbox.webhooks import Sending
from sync_worker.core import exact_json

ROOT = "/wp-json/wc/v3"
REVIEWS = f"{ROOT}/products/reviews"
MAX_FAILURES = 5  # WC_Webhook::failed_delivery: one more disables the hook
SHOP_OFFSET = timedelta(hours=1)  # `date_created` is the shop's own time, without saying so
STATES = ("approved", "hold", "spam", "unspam", "trash", "untrash")
EVENT = {"created": "created", "updated": "updated", "deleted": "deleted"}


@dataclass
class Hook:
    """A registered webhook; ``failures`` in a row."""

    id: int
    topic: str
    url: str
    secret: str
    name: str = ""
    status: str = "active"
    failures: int = 0

    def as_json(self) -> dict[str, Any]:
        fields = {"id": self.id, "name": self.name, "status": self.status, "topic": self.topic}
        return fields | {
            "delivery_url": self.url,
            "resource": "action",
            "event": self.topic.partition(".")[2],
        }


class WooCommerce(Platform):
    """The shop. Products whose id is in ``missing_products`` do not exist."""

    name = "woocommerce"
    api = (f"{ROOT}/",)
    published, pending = "approved", "hold"
    quirks = {  # noqa: RUF012 - a table, as in sync_sandbox.faults
        "flood": "400: the visitor is posting too fast",
        "trash_disabled": "501: this shop has no trash",
    }
    accepts = range(200, 303)

    key, key_secret = "ck_sandbox", "cs_sandbox"  # a stand-in's own
    webhook_secret = "woo0sandbox0secret0123456789abcdef"  # noqa: S105 - so is this: letters and digits only

    def __init__(self, **options: Any) -> None:
        self.hooks: dict[int, Hook] = {}
        self.missing_products: set[int] = set()
        self._hook_ids = itertools.count(1)
        super().__init__(**options)

    def settings(self) -> dict[str, str]:
        return {
            "WOO_CONSUMER_KEY": self.key,
            "WOO_CONSUMER_SECRET": self.key_secret,
            "WOO_WEBHOOK_SECRET": self.webhook_secret,
        }

    # -- webhooks

    def connect(self, url: str) -> None:
        """Register the three hooks of the companion file, as its owner would in the shop's
        settings.
        """
        self.webhooks.url = url
        for event in EVENT:
            self.add_hook(f"action.woocommerce_rating_sync_{event}", url, self.webhook_secret)

    def add_hook(self, topic: str, url: str, secret: str, name: str = "") -> Hook:
        with self.lock:
            hook = Hook(next(self._hook_ids), topic, url, secret, name)
            self.hooks[hook.id] = hook
        self.webhooks.url = self.webhooks.url or url
        ping = f"webhook_id={hook.id}".encode()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self.webhooks.send(
            Sending(
                f"ping-{hook.id}", f"ping-{hook.id}", lambda: (ping, form), address=lambda _: url
            )
        )
        return hook

    def disable_hooks(self) -> None:
        for hook in self.hooks.values():
            hook.status = "disabled"

    def has_all_hooks(self) -> bool:
        return all(hook.status == "active" for hook in self.hooks.values())

    def tell(self, change: Change) -> None:
        action = f"woocommerce_rating_sync_{EVENT[change.what]}"
        for hook in list(self.hooks.values()):
            if hook.topic == f"action.{action}" and hook.status == "active":
                self._send(hook, action, change.review)

    def _send(self, hook: Hook, action: str, review: Review) -> None:
        body = exact_json.dumps({"action": action, "arg": review.id}).encode()

        def signed() -> tuple[bytes, Mapping[str, str]]:
            # The delivery id is a hash of hook and second: two reviews in one second share it.
            delivery_id = hashlib.sha256(f"{hook.id}{int(time.time())}".encode()).hexdigest()[:32]
            signature = hmac.new(html.unescape(hook.secret).encode(), body, hashlib.sha256).digest()
            return body, {
                "Content-Type": "application/json",
                "X-WC-Webhook-Topic": hook.topic,
                "X-WC-Webhook-Signature": base64.b64encode(signature).decode(),
                "X-WC-Webhook-ID": str(hook.id),
                "X-WC-Webhook-Delivery-ID": delivery_id,
            }

        event_id = f"{hook.id}-{time.monotonic_ns()}"
        sending = Sending(event_id, str(review.id), signed, address=lambda _: hook.url)
        sending.heard = lambda status: self._count(hook, status)
        self.webhooks.send(sending)

    def _count(self, hook: Hook, status: int) -> None:
        """No delivery is tried again; more than five failures in a row disable the hook."""
        with self.lock:
            hook.failures = 0 if status in self.accepts else hook.failures + 1
            if hook.failures > MAX_FAILURES:
                hook.status = "disabled"

    # -- the API

    def app(self) -> Flask:
        return create_app(self)


def filtered(text: str) -> str:
    """What WordPress keeps of a text (`wp_filter_kses`): no scripts, no blanks around it, `&` as an
    entity.
    """
    without = re.sub(r"(?is)<(script|style)\b.*?</\1>", "", text).strip()
    return re.sub(r"&(?!#?\w+;)", "&amp;", without)


def as_json(review: Review, context: str) -> dict[str, Any]:
    return {
        "id": review.id,
        "date_created": (review.created + SHOP_OFFSET).strftime("%Y-%m-%dT%H:%M:%S"),
        "date_created_gmt": review.created.strftime("%Y-%m-%dT%H:%M:%S"),
        "product_id": whole(review.product) or review.product,
        "status": review.state,
        "reviewer": review.author,
        "reviewer_email": review.email,
        "review": review.text if context == "edit" else f"<p>{review.text}</p>\n",
        "rating": review.stars,
        "verified": False,
    }


def refusal(status: int, code: str, message: str = "") -> Refusal:
    return Refusal(status, {"code": code, "message": message or code, "data": {"status": status}})


def create_app(shop: WooCommerce) -> Flask:
    """The routes."""
    app = Flask(__name__)

    @app.before_request
    def admit() -> Response | None:
        if not request.path.startswith(shop.api):
            return None
        shop.calls[f"{request.method} {re.sub(r'/[0-9]+$', '/{id}', request.path)}"] += 1
        login = request.authorization
        if login is None or (login.username, login.password) != (shop.key, shop.key_secret):
            return _answer(refusal(401, "woocommerce_rest_cannot_view").body, 401)
        return None

    install(app, shop.faults, shop.api)

    @app.errorhandler(Refusal)
    def refuse(error: Refusal) -> Response:
        return _answer(error.body, error.status)

    def alive(review_id: int) -> Review:
        found = shop.reviews.get(review_id)
        if found is None:
            raise refusal(404, "woocommerce_rest_review_invalid_id", "Invalid review ID.")
        return found

    @app.get(REVIEWS)
    def listed() -> Response:
        asked, status = request.args, request.args.get("status", "approved")
        with shop.lock:
            chosen = [one for one in shop.reviews.values() if status in ("all", one.state)]
        if status == "all":
            chosen = [
                one for one in chosen if one.state in ("approved", "hold")
            ]  # WordPress: neither spam nor trash
        if product := asked.get("product"):
            chosen = [one for one in chosen if one.product in product.split(",")]
        if email := asked.get("reviewer_email"):
            chosen = [one for one in chosen if one.email.casefold() == email.casefold()]
        if product or email:
            chosen = shop.searched(chosen)
        if after := asked.get(
            "after"
        ):  # compares the shop's own time; of a zone in the question it knows nothing
            since = datetime.fromisoformat(after).replace(tzinfo=UTC)
            chosen = [one for one in chosen if one.created + SHOP_OFFSET > since]
        chosen.sort(key=lambda one: one.id, reverse=asked.get("order", "desc") == "desc")
        return _paged([as_json(one, asked.get("context", "view")) for one in chosen])

    @app.post(REVIEWS)
    def create() -> Response:
        body = _body()
        if (
            whole(body.get("product_id")) is None
            or whole(body["product_id"]) in shop.missing_products
        ):
            raise refusal(404, "woocommerce_rest_product_invalid_id", "Invalid product ID.")
        text, email, author = (
            str(body.get(name) or "") for name in ("review", "reviewer_email", "reviewer")
        )
        if "@" not in email or not author:
            raise refusal(
                400, "rest_missing_callback_param", "Missing parameter(s): reviewer, reviewer_email"
            )
        text = filtered(text)
        if not text:
            raise refusal(400, "woocommerce_rest_review_content_invalid", "Invalid review content.")
        if shop.faults.strikes("flood"):
            raise refusal(
                400, "woocommerce_rest_comment_flood", "You are posting comments too quickly."
            )
        product = str(whole(body["product_id"]))
        with shop.lock:
            twins = [
                one for one in shop.of(product, email) if (one.author, one.text) == (author, text)
            ]
            if any(one.state != "trash" for one in twins):
                raise refusal(
                    409, "woocommerce_rest_comment_duplicate", "Duplicate comment detected."
                )
            stars = whole(body.get("rating")) or 0
            review = shop.create(
                product,
                email,
                author,
                stars,
                by="app",
                text=text,
                state=_status(body) or "approved",
            )
        return _answer(as_json(review, "edit"), 201)

    @app.get(f"{REVIEWS}/<int:review_id>")
    def get(review_id: int) -> Response:
        return _answer(as_json(alive(review_id), request.args.get("context", "view")))

    @app.put(f"{REVIEWS}/<int:review_id>")
    def update(review_id: int) -> Response:
        body, changes = _body(), dict[str, Any]()
        with shop.lock:
            alive(review_id)
            if stars := whole(
                body.get("rating")
            ):  # 0 is taken for empty: a rating cannot be cleared
                changes["stars"] = stars
            if "review" in body:
                changes["text"] = filtered(str(body["review"]))
                if not changes["text"]:
                    raise refusal(400, "woocommerce_rest_review_content_invalid")
            if status := _status(body):
                changes["state"] = status
            return _answer(as_json(shop.change(review_id, by="app", **changes), "edit"))

    @app.delete(f"{REVIEWS}/<int:review_id>")
    def delete(review_id: int) -> Response:
        with shop.lock:
            before = alive(review_id)
            if request.args.get("force") == "true":
                shop.remove(review_id, by="app")
                return _answer({"deleted": True, "previous": as_json(before, "edit")})
            if shop.faults.strikes("trash_disabled"):
                raise refusal(501, "woocommerce_rest_trash_not_supported")
            if before.state == "trash":
                raise refusal(410, "woocommerce_rest_already_trashed")
            return _answer(as_json(shop.change(review_id, by="app", state="trash"), "edit"))

    @app.get(f"{ROOT}/webhooks")
    def hooks() -> Response:
        return _paged([hook.as_json() for hook in shop.hooks.values()])

    @app.post(f"{ROOT}/webhooks")
    def register() -> Response:
        body = _body()
        topic, url = str(body.get("topic", "")), str(body.get("delivery_url", ""))
        if not topic.startswith(("action.woocommerce_", "action.wc_")) or not url.startswith(
            ("http://", "https://")
        ):
            raise refusal(
                400, "woocommerce_rest_webhook_invalid", "Topic or delivery URL is invalid."
            )
        return _answer(
            shop.add_hook(
                topic, url, str(body.get("secret", "")), str(body.get("name", ""))
            ).as_json(),
            201,
        )

    @app.put(f"{ROOT}/webhooks/<int:hook_id>")
    def set_hook(hook_id: int) -> Response:
        hook = shop.hooks.get(hook_id)
        if hook is None:
            raise refusal(404, "woocommerce_rest_webhook_invalid_id")
        hook.status = str(_body().get("status", hook.status))
        hook.failures = 0
        return _answer(hook.as_json())

    return app


def _status(body: Mapping[str, Any]) -> str:
    status = str(body.get("status") or "")
    if status and status not in STATES:
        raise refusal(400, "rest_invalid_param", "Invalid parameter(s): status")
    return {"unspam": "approved", "untrash": "approved"}.get(status, status)


def _body() -> dict[str, Any]:
    try:
        body = exact_json.loads(request.get_data())
    except ValueError:
        raise refusal(400, "rest_invalid_json") from None
    if not isinstance(body, dict):
        raise refusal(400, "rest_invalid_json")
    return body


def _paged(rows: list[dict[str, Any]]) -> Response:
    page, size = (
        whole(request.args.get("page", "1")) or 1,
        min(whole(request.args.get("per_page", "10")) or 10, 100),
    )
    pages = -(-len(rows) // size)
    answer = _answer(rows[(page - 1) * size : page * size])
    answer.headers["X-WP-Total"], answer.headers["X-WP-TotalPages"] = str(len(rows)), str(pages)
    if page < pages:
        answer.headers["Link"] = f'<{request.base_url}?page={page + 1}>; rel="next"'
    return answer


def _answer(body: Any, status: int = 200) -> Response:
    return Response(exact_json.dumps(body), status, mimetype="application/json")
