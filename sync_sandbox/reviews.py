"""The stand-in review service: the reference contract of docs/connectors.md, webhooks signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Literal

from flask import Flask, Response, request

from sync_sandbox.faults import HTTP_FAULTS, REVIEW_FAULTS, WEBHOOK_FAULTS, Faults, install
from sync_sandbox.products import Product, as_own_service
from sync_sandbox.served import StandIn
from sync_sandbox.texts import TEXT_FAULTS, TextRefused, checked
from sync_sandbox.webhooks import WIX_RETRY_SECONDS, Sending, WebhookSender
from sync_worker.core import exact_json
from sync_worker.core.words import as_received

API = ("/v1/",)
MOST = {"headline": 120}  # characters
NO_SUCH_RATING = "no_such_rating"
HALF = Decimal("0.5")
WRITABLE = ("subject", "author", "score", "headline", "text", "visibility", "aspects", "origin")


class Refusal(Exception):
    """An error answer: ``{"error": …}`` and what helps."""

    def __init__(self, status: int, error: str, **more: Any) -> None:
        super().__init__(error)
        self.status, self.body = status, {"error": error, **more}


@dataclass
class ReviewsState:
    """All that the stand-in knows. Every write is in ``journal``."""

    token: str = "sandbox-reviews-token"  # noqa: S105 - a stand-in's own
    webhook_secret: str = "sandbox-reviews-webhook-secret"  # noqa: S105 - so is this
    signature: Literal["pairs", "standard"] = "pairs"
    seed: int = 0
    webhook_url: str | None = None
    retry_scale: float = 1.0
    sender_threads: int = 4
    ratings: dict[str, dict[str, Any]] = field(default_factory=dict)
    catalogue: list[Product] = field(default_factory=list)
    journal: list[dict[str, Any]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.faults = Faults(HTTP_FAULTS | WEBHOOK_FAULTS | REVIEW_FAULTS | TEXT_FAULTS, self.seed)
        self._by_author: dict[tuple[str, str], str] = {}
        self._idempotent: dict[str, str] = {}
        self._ids = itertools.count(1)
        self._order = itertools.count(1)
        self.webhooks = WebhookSender(
            self.webhook_url,
            self.faults,
            accepts=lambda status: 200 <= status < 300,
            retry_seconds=[seconds * self.retry_scale for seconds in WIX_RETRY_SECONDS],
            seed=self.seed,
            threads=self.sender_threads,
        )

    def create(
        self, draft: Mapping[str, Any], *, by: str, key: str | None = None
    ) -> dict[str, Any]:
        """Raises Refusal: malformed, or this author has rated this subject already (409 with
        ``existing_id``).
        """
        with self.lock:
            if key is not None and key in self._idempotent:
                return self.ratings[self._idempotent[key]]
            record = self._checked(draft)
            owner = _owner_of(record)
            if (twin := self._by_author.get(owner)) is not None:
                raise Refusal(409, "this author has rated this subject already", existing_id=twin)
            now = _now()
            if self.faults.strikes("moderates"):
                record["visibility"] = "queue"
            record |= {"id": f"r{next(self._ids)}", "version": 1, "created": now, "modified": now}
            self.ratings[record["id"]] = record
            self._by_author[owner] = record["id"]
            if key is not None:
                self._idempotent[key] = record["id"]
            self._note("create", None, record, by)
            self._tell("rating.created", record)
            return record

    def replace(
        self, rating_id: str, draft: Mapping[str, Any], *, by: str, version: int | None = None
    ) -> dict[str, Any]:
        with self.lock:
            old = self.alive(rating_id)
            if version is not None and version != old["version"]:
                raise Refusal(412, "the rating has another version", version=old["version"])
            record = self._checked(draft)
            if _owner_of(record) != _owner_of(old):
                raise Refusal(422, "subject and author of a rating cannot change")
            fixed = {
                "id": rating_id,
                "version": old["version"] + 1,
                "created": old["created"],
                "modified": _now(),
            }
            record |= fixed
            self.ratings[rating_id] = record
            self._note("update", old, record, by)
            self._tell("rating.updated", record)
            return record

    def change(self, rating_id: str, changes: Mapping[str, Any], *, by: str) -> dict[str, Any]:
        """What a visitor or a moderator changes; the rest stays."""
        with self.lock:
            old = self.alive(rating_id)
            names = (*WRITABLE, "photos")
            return self.replace(
                rating_id, {name: old.get(name) for name in names} | dict(changes), by=by
            )

    def remove(self, rating_id: str, *, by: str) -> None:
        with self.lock:
            old = self.alive(rating_id)
            removed = old | {
                "visibility": "removed",
                "version": old["version"] + 1,
                "modified": _now(),
            }
            self.ratings[rating_id] = removed
            del self._by_author[_owner_of(old)]
            self._note("delete", old, None, by)
            self._tell(
                "rating.deleted", {name: removed[name] for name in ("id", "version", "visibility")}
            )

    def alive(self, rating_id: str) -> dict[str, Any]:
        """Raises Refusal: 404 for an unknown rating, 410 for a removed one."""
        record = self.ratings.get(rating_id)
        if record is None:
            raise Refusal(404, "there is no such rating", code=NO_SUCH_RATING)
        if record["visibility"] == "removed":
            raise Refusal(410, "the rating was removed", code=NO_SUCH_RATING)
        return record

    def find(self, subject: str, email: str) -> list[dict[str, Any]]:
        with self.lock:
            rating_id = self._by_author.get((subject, email.lower()))
            return [self.ratings[rating_id]] if rating_id is not None else []

    def list(self, since: str | None, cursor: int, limit: int) -> dict[str, Any]:
        """Everything, with ``updated_since`` also what was removed, by id."""
        with self.lock:
            everything = sorted(self.ratings.values(), key=lambda one: int(one["id"][1:]))
        if since is not None:
            start = _moment(since)
            chosen = [one for one in everything if _moment(one["modified"]) > start]
        else:
            chosen = [one for one in everything if one["visibility"] != "removed"]
        page = [one for one in chosen if int(one["id"][1:]) > cursor][:limit]
        more = bool(page) and page[-1] is not chosen[-1]
        return {"data": page, "paging": {"next": str(page[-1]["id"][1:]) if more else None}}

    def _checked(self, draft: Mapping[str, Any]) -> dict[str, Any]:
        subject, author = draft.get("subject"), draft.get("author")
        if not isinstance(subject, Mapping) or not isinstance(subject.get("id"), str):
            raise Refusal(422, "subject.id is missing")
        if not isinstance(author, Mapping) or "@" not in str(author.get("email")):
            raise Refusal(422, "author.email is missing")
        record = {name: draft.get(name) for name in WRITABLE}
        # Shown only where there are some, as of whoever serves the contract without them.
        if draft.get("photos") is not None:
            record["photos"] = draft["photos"]
        record["score"] = self._score(draft.get("score"))
        for name in ("headline", "text"):
            record[name] = self._text(name, draft.get(name))
        record["visibility"] = draft.get("visibility") or "public"
        if record["visibility"] not in ("public", "queue", "blocked"):
            raise Refusal(422, "visibility is unknown")
        record["aspects"] = [_aspect(one) for one in draft.get("aspects") or []]
        return record

    def _score(self, value: Any) -> Decimal:
        try:
            score = Decimal(str(value))
        except InvalidOperation:
            raise Refusal(422, "score is no number") from None
        if not HALF <= score <= 5 or score % HALF:
            raise Refusal(422, "score must be 0.5 to 5 in half steps")
        return score.quantize(Decimal(1), ROUND_HALF_UP) if self.faults.strikes("rounds") else score

    def _text(self, name: str, text: Any) -> str | None:
        try:
            return checked(text, MOST.get(name), self.faults)
        except TextRefused as refused:
            raise Refusal(422, f"{name} {refused}") from None

    def _note(
        self,
        operation: str,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        by: str,
    ) -> None:
        record = after or before or {}
        self.journal.append(
            {
                "number": next(self._order),
                "side": "external",
                "operation": operation,
                "id": record["id"],
                "before": before and before["score"],
                "after": after and after["score"],
                "by": by,
                "entity": record["subject"]["id"],
                "person": record["author"]["email"],
            }
        )

    def _tell(self, event_type: str, record: Mapping[str, Any]) -> None:
        event_id = str(uuid.uuid4())
        event = {"event_id": event_id, "type": event_type, "data": dict(record)}
        body = as_received(exact_json.dumps(event)).encode()
        self.webhooks.send(
            Sending(event_id, record["id"], lambda: (body, self.signed(event_id, body)))
        )

    def signed(self, event_id: str, body: bytes) -> dict[str, str]:
        """The headers of a webhook, in the chosen form of signature."""
        now, secret = str(int(time.time())), self.webhook_secret.encode()
        if self.signature == "standard":
            text = f"{event_id}.{now}.".encode() + body
            signature = base64.b64encode(hmac.new(secret, text, hashlib.sha256).digest()).decode()
            headers = {
                "webhook-id": event_id,
                "webhook-timestamp": now,
                "webhook-signature": f"v1,{signature}",
            }
        else:
            signature = hmac.new(secret, f"{now}.".encode() + body, hashlib.sha256).hexdigest()
            headers = {"X-Acme-Signature": f"t={now},v1={signature}"}
        return {"Content-Type": "application/json", **headers}


def _owner_of(record: Mapping[str, Any]) -> tuple[str, str]:
    return record["subject"]["id"], record["author"]["email"].lower()


def _aspect(aspect: Any) -> dict[str, Any]:
    is_named = isinstance(aspect, Mapping) and isinstance(aspect.get("code"), str)
    score = aspect.get("score") if is_named else None
    if isinstance(score, bool) or not isinstance(score, int) or not 0 <= score <= 10:
        raise Refusal(422, "an aspect needs a code and a score from 0 to 10")
    return {"code": aspect["code"], "score": score}


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(422, "updated_since is a time such as 2026-05-01T10:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def create_reviews_app(reviews: ReviewsState) -> Flask:
    """The API of the stand-in. Control endpoints are added by ``sync_sandbox.control``."""
    app = StandIn()

    @app.before_request
    def admit() -> Response | None:
        if not request.path.startswith(API):
            return None
        path = "/".join(
            "{id}" if part[:1] == "r" and part[1:].isdigit() else part
            for part in request.path.split("/")
        )
        reviews.calls[f"{request.method} {path}"] += 1
        if request.headers.get("Authorization") != f"Bearer {reviews.token}":
            return _answer({"error": "unknown token"}, 401)
        return None

    install(app, reviews.faults, API)

    @app.errorhandler(Refusal)
    def refuse(refusal: Refusal) -> Response:
        return _answer(refusal.body, refusal.status)

    @app.get("/v1/health")
    def health() -> Response:
        return _answer({"status": "ok"})

    _add_ratings(app, reviews)
    _add_subjects(app, reviews)
    return app


def _add_subjects(app: Flask, reviews: ReviewsState) -> None:
    @app.get("/v1/subjects")
    def subjects() -> Response:
        if reviews.faults.strikes("no_subjects"):
            raise Refusal(404, "not found")
        cursor, limit = request.args.get("cursor", "0"), request.args.get("limit", "100")
        start, size = int(cursor), min(int(limit), 500)
        rows = [as_own_service(one) for one in reviews.catalogue[start : start + size]]
        following = start + size if start + size < len(reviews.catalogue) else None
        return _answer({"data": rows, "paging": {"next": following}})


def _add_ratings(app: Flask, reviews: ReviewsState) -> None:
    @app.get("/v1/ratings")
    def find_or_list() -> Response:
        subject, email = request.args.get("subject"), request.args.get("email")
        if subject is not None and email is not None:
            return _answer({"data": reviews.find(subject, email)})
        cursor, limit = request.args.get("cursor", "0"), request.args.get("limit", "100")
        if not cursor.isdigit() or not limit.isdigit():
            raise Refusal(422, "cursor and limit are numbers")
        return _answer(
            reviews.list(request.args.get("updated_since"), int(cursor), min(int(limit), 500))
        )

    @app.post("/v1/ratings")
    def create() -> Response:
        return _answer(
            reviews.create(_body(), by="app", key=request.headers.get("Idempotency-Key")), 201
        )

    @app.get("/v1/ratings/<rating_id>")
    def get(rating_id: str) -> Response:
        return _answer(reviews.alive(rating_id))

    @app.put("/v1/ratings/<rating_id>")
    def replace(rating_id: str) -> Response:
        wanted = request.headers.get("If-Match", "").strip('"')
        version = int(wanted) if wanted.isdigit() else None
        return _answer(reviews.replace(rating_id, _body(), by="app", version=version))

    @app.delete("/v1/ratings/<rating_id>")
    def delete(rating_id: str) -> Response:
        reviews.remove(rating_id, by="app")
        return Response(status=204)


def _body() -> dict[str, Any]:
    try:
        body = exact_json.loads(request.get_data())
    except ValueError:
        raise Refusal(400, "the body is no JSON") from None
    if not isinstance(body, dict):
        raise Refusal(400, "the body is no object")
    return body


def _answer(body: Any, status: int = 200) -> Response:
    text = as_received(exact_json.dumps(body))
    return Response(text, status, mimetype="application/json")
