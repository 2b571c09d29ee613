"""The HTTP API of the stand-in WooCommerce shop."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, request

from sync_sandbox.faults import install
from sync_sandbox.platforms.platform import Refusal, Review, whole
from sync_sandbox.platforms.woocommerce import SHOP_OFFSET, WooCommerce
from sync_sandbox.products import as_woocommerce
from sync_sandbox.served import StandIn
from sync_sandbox.texts import TextRefused, json_text
from sync_worker.core import exact_json

ROOT = "/wp-json/wc/v3"
REVIEWS = f"{ROOT}/products/reviews"
STATES = ("approved", "hold", "spam", "unspam", "trash", "untrash")


def create_woocommerce_app(shop: WooCommerce) -> Flask:
    """The routes."""
    app = StandIn()
    _add_admission(app, shop)
    _add_listing(app, shop)
    _add_products(app, shop)
    _add_creating(app, shop)
    _add_reviews(app, shop)
    _add_hooks(app, shop)
    return app


def _add_admission(app: Flask, shop: WooCommerce) -> None:
    @app.before_request
    def admit() -> Response | None:
        if not request.path.startswith(shop.api):
            return None
        shop.calls[f"{request.method} {re.sub(r'/[0-9]+$', '/{id}', request.path)}"] += 1
        login = request.authorization
        if login is None or (login.username, login.password) != (shop.key, shop.key_secret):
            return _answer(refusal(401, "woocommerce_rest_cannot_view").body, 401)
        # The key's permission is looked at before the route, by the method alone
        # (WC_REST_Authentication::check_permissions).
        if request.method != "GET" and shop.faults.strikes("read_only_key"):
            message = "The API key provided does not have write permissions."
            return _answer(refusal(401, "woocommerce_rest_authentication_error", message).body, 401)
        return None

    install(app, shop.faults, shop.api)

    @app.errorhandler(TextRefused)
    def refuse_text(error: TextRefused) -> Response:
        return _answer(
            refusal(400, "woocommerce_rest_review_content_invalid", str(error)).body, 400
        )

    @app.errorhandler(Refusal)
    def refuse(error: Refusal) -> Response:
        return _answer(error.body, error.status)


def _add_listing(app: Flask, shop: WooCommerce) -> None:
    @app.get(REVIEWS)
    def listed() -> Response:
        asked, status = request.args, request.args.get("status", "approved")
        with shop.lock:
            chosen = list(shop.reviews.values())
        # For WordPress, all is neither spam nor trash.
        states = ("approved", "hold") if status == "all" else (status,)
        chosen = [review for review in chosen if review.state in states]
        if product := asked.get("product"):
            chosen = [review for review in chosen if review.product in product.split(",")]
        if email := asked.get("reviewer_email"):
            chosen = [review for review in chosen if review.email.lower() == email.lower()]
        if product or email:
            chosen = shop.searched(chosen)
        if after := asked.get("after"):
            # It compares the shop's own time; of a zone in the question it knows nothing.
            since = datetime.fromisoformat(after).replace(tzinfo=UTC)
            chosen = [review for review in chosen if review.created + SHOP_OFFSET > since]
        chosen.sort(key=lambda review: review.id, reverse=asked.get("order", "desc") == "desc")
        return _paged([as_json(review, asked.get("context", "view")) for review in chosen])


def _add_products(app: Flask, shop: WooCommerce) -> None:
    @app.get(f"{ROOT}/products")
    def products() -> Response:
        status = request.args.get("status", "any")
        rows = [as_woocommerce(product) for product in shop.catalogue]
        return _paged([row for row in rows if status in ("any", row["status"])])


def _add_creating(app: Flask, shop: WooCommerce) -> None:
    @app.post(f"{REVIEWS}/batch")
    def batch() -> Response:
        if shop.faults.strikes("wrong_role"):
            message = "Sorry, you are not allowed to batch manipulate this resource."
            raise refusal(403, "woocommerce_rest_cannot_batch", message)
        if _body():
            raise refusal(501, "sandbox_batches_are_empty")
        return _answer([])

    @app.post(REVIEWS)
    def create() -> Response:
        if shop.faults.strikes("wrong_role"):
            message = "Sorry, you are not allowed to create resources."
            raise refusal(403, "woocommerce_rest_cannot_create", message)
        body = _body()
        product_id = whole(body.get("product_id"))
        if product_id is None or product_id in shop.missing_products:
            raise refusal(404, "woocommerce_rest_product_invalid_id", "Invalid product ID.")
        text, email, author = (
            str(body.get(name) or "") for name in ("review", "reviewer_email", "reviewer")
        )
        if "@" not in email or not author:
            raise refusal(
                400, "rest_missing_callback_param", "Missing parameter(s): reviewer, reviewer_email"
            )
        text = shop.kept(filtered(text))
        if not text:
            raise refusal(400, "woocommerce_rest_review_content_invalid", "Invalid review content.")
        if shop.faults.strikes("flood"):
            raise refusal(
                400, "woocommerce_rest_comment_flood", "You are posting comments too quickly."
            )
        stars, state = whole(body.get("rating")) or 0, _status(body) or "approved"
        with shop.lock:
            _refuse_twin(shop, str(product_id), email, author, text)
            review = shop.create(
                str(product_id),
                email,
                author,
                stars,
                by="app",
                text=text,
                state=state,
                created=_date(body.get("date_created_gmt")),
            )
        return _answer(as_json(review, "edit"), 201)


def _refuse_twin(shop: WooCommerce, product: str, email: str, author: str, text: str) -> None:
    """WordPress takes an equal text of one person for a mistake, but for one in the trash."""
    for review in shop.of(product, email):
        if (review.author, review.text) == (author, text) and review.state != "trash":
            raise refusal(409, "woocommerce_rest_comment_duplicate", "Duplicate comment detected.")


def _add_reviews(app: Flask, shop: WooCommerce) -> None:
    @app.get(f"{REVIEWS}/<int:review_id>")
    def get(review_id: int) -> Response:
        return _answer(as_json(_alive(shop, review_id), request.args.get("context", "view")))

    @app.put(f"{REVIEWS}/<int:review_id>")
    def update(review_id: int) -> Response:
        body, changes = _body(), dict[str, Any]()
        with shop.lock:
            _alive(shop, review_id)
            # 0 is taken for empty: a rating cannot be cleared.
            if stars := whole(body.get("rating")):
                changes["stars"] = stars
            if "review" in body:
                changes["text"] = shop.kept(slashed(str(body["review"])))
                if not changes["text"]:
                    raise refusal(400, "woocommerce_rest_review_content_invalid")
            if status := _status(body):
                changes["state"] = status
            return _answer(as_json(shop.change(review_id, by="app", **changes), "edit"))

    @app.delete(f"{REVIEWS}/<int:review_id>")
    def delete(review_id: int) -> Response:
        with shop.lock:
            before = _alive(shop, review_id)
            if request.args.get("force") == "true":
                shop.remove(review_id, by="app")
                return _answer({"deleted": True, "previous": as_json(before, "edit")})
            if shop.faults.strikes("trash_disabled"):
                raise refusal(501, "woocommerce_rest_trash_not_supported")
            if before.state == "trash":
                raise refusal(410, "woocommerce_rest_already_trashed")
            return _answer(as_json(shop.change(review_id, by="app", state="trash"), "edit"))


def _add_hooks(app: Flask, shop: WooCommerce) -> None:
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
        secret, name = str(body.get("secret", "")), str(body.get("name", ""))
        return _answer(shop.add_hook(topic, url, secret, name).as_json(), 201)

    @app.put(f"{ROOT}/webhooks/<int:hook_id>")
    def set_hook(hook_id: int) -> Response:
        hook = shop.hooks.get(hook_id)
        if hook is None:
            raise refusal(404, "woocommerce_rest_webhook_invalid_id")
        # The failures in a row are kept: one more, and the hook is disabled again.
        hook.status = str(_body().get("status", hook.status))
        return _answer(hook.as_json())

    @app.delete(f"{ROOT}/webhooks/<int:hook_id>")
    def remove_hook(hook_id: int) -> Response:
        # https://github.com/woocommerce/woocommerce/blob/trunk/plugins/woocommerce/includes/rest-api/Controllers/Version1/class-wc-rest-webhooks-v1-controller.php
        if request.args.get("force") not in ("true", "1"):
            raise refusal(501, "woocommerce_rest_trash_not_supported")
        hook = shop.hooks.pop(hook_id, None)
        if hook is None:
            raise refusal(404, "woocommerce_rest_webhook_invalid_id")
        return _answer(hook.as_json())


def _alive(shop: WooCommerce, review_id: int) -> Review:
    found = shop.reviews.get(review_id)
    if found is None:
        raise refusal(404, "woocommerce_rest_review_invalid_id", "Invalid review ID.")
    return found


def filtered(text: str) -> str:
    """What WordPress keeps (`wp_filter_kses`): no scripts, no blanks around, `&` as an entity."""
    without = re.sub(r"(?is)<(script|style)\b.*?</\1>", "", text).strip()
    return re.sub(r"&(?!#?\w+;)", "&amp;", without)


def slashed(text: str) -> str:
    """As an update stores a text, and a create does not: no backslash of it, and one before each
    quote.

    Seen on WooCommerce 11.0.1: *don't* becomes *don\\'t* with each update that names ``review``.
    Its schema has ``wp_filter_post_kses`` sanitize it, which takes slashes away first, and adds
    them at the end; the arguments of a create name no such callback
    (github.com/woocommerce/woocommerce, class-wc-rest-product-reviews-controller.php).
    """
    bare = re.sub(r"\\(.?)", r"\1", text, flags=re.DOTALL)
    return re.sub(r"""(['"\\])""", r"\\\1", filtered(bare))


def as_json(review: Review, context: str) -> dict[str, Any]:
    links: dict[str, Any] = {"self": [{"href": f"{REVIEWS}/{review.id}"}]}
    # Only of a customer who was logged in; `verified` goes by the address alone.
    if not review.is_guest:
        user = {"embeddable": True, "href": f"/wp-json/wp/v2/users/{review.id}"}
        links["reviewer"] = [user]
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
        "_links": links,
    }


def refusal(status: int, code: str, message: str = "") -> Refusal:
    return Refusal(status, {"code": code, "message": message or code, "data": {"status": status}})


def _status(body: Mapping[str, Any]) -> str:
    status = str(body.get("status") or "")
    if status and status not in STATES:
        raise refusal(400, "rest_invalid_param", "Invalid parameter(s): status")
    return {"unspam": "approved", "untrash": "approved"}.get(status, status)


def _date(value: Any) -> datetime:
    """When it was written; what is no date counts as none (``rest_get_date_with_gmt``)."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return datetime.now(UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


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
    return Response(json_text(body), status, mimetype="application/json")
