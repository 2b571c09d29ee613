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
import time
import uuid
from collections.abc import Mapping
from typing import Any

from sync_sandbox.platforms.platform import Change, Platform, Review, whole
from sync_sandbox.webhooks import Sending
from sync_worker.core import exact_json

WINDOW_SECONDS = 30.0
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

    def stand_apart(self, number: int) -> None:
        self.store_hash, self.access_token = f"store{number}", f"bc-sandbox-token-{number}"
        self.client_secret = f"bc-sandbox-client-secret-{number:010}"

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

    def forget_hooks(self) -> None:
        self.hooks.clear()

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

    @property
    def requests_left(self) -> int:
        """As the answers' header says it; without a limit, that of a usual plan."""
        return (self.requests_per_window or 150) - self._window[1]

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
