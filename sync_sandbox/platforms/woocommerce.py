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
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sync_sandbox.platforms.platform import Change, Platform, Review
from sync_sandbox.webhooks import Sending
from sync_worker.core import exact_json

ROOT = "/wp-json/wc/v3"
REVIEWS = f"{ROOT}/products/reviews"
MAX_FAILURES = 5  # WC_Webhook::failed_delivery: counted beyond it, the next one disables
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
        "read_only_key": "401 to each write: the key has the permission Read",
        "wrong_role": "403 to a batch or a create: no Shop manager has made the key",
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

    def stand_apart(self, number: int) -> None:
        self.key, self.key_secret = f"ck_sandbox_{number}", f"cs_sandbox_{number}"
        self.webhook_secret = f"woo0sandbox0secret{number:014}"

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

    def forget_hooks(self) -> None:
        self.hooks.clear()

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
        """No delivery is tried again; the seventh failure in a row disables the hook.

        It compares the count before it adds to it, and adds no more to a disabled one:
        https://github.com/woocommerce/woocommerce/blob/trunk/plugins/woocommerce/includes/class-wc-webhook.php
        """
        with self.lock:
            if status in self.accepts:
                hook.failures = 0
            elif hook.failures > MAX_FAILURES:
                hook.status = "disabled"
            else:
                hook.failures += 1
