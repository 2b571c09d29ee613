"""Checks of the door: the keys and secrets that webhooks are verified with, and the gateway."""

from __future__ import annotations

from collections.abc import Iterator

from sync_worker.doctor.check import ASK_SECONDS, Check, bad, note, ok, skipped
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.verify import Secrets, StandardWebhooksVerify
from sync_worker.remotes.wix.public_keys import load_public_keys
from sync_worker.runtime.local.gateway_port import ready_status
from sync_worker.wiring import Wiring

MIN_SECRET = 16
OK = 200


def check_webhook_keys(wiring: Wiring) -> Iterator[Check]:
    """The public keys of the Wix app."""
    if not wiring.settings.has_app:
        yield skipped("webhook keys", "no app, so Wix sends no webhooks: polls see what happens")
        return
    count = len(load_public_keys(wiring.settings.wix_public_key))
    words = "1 public key" if count == 1 else f"{count} public keys (any of them may sign)"
    yield ok("webhook keys", f"WIX_PUBLIC_KEY holds {words}")


def check_webhook_secrets(wiring: Wiring) -> Iterator[Check]:
    """The secrets of each connector's webhooks."""
    for manifest in wiring.manifests.values():
        yield _secrets(manifest)


def _secrets(manifest: Manifest) -> Check:
    name = f"connector {manifest.id} webhooks"
    if manifest.webhook is None:
        return skipped(name, "it has no webhooks: scans see what happens")
    for scheme in manifest.webhook.verify:
        if not isinstance(scheme, Secrets):
            continue
        secret = scheme.secret.get_secret_value()
        if len(secret) < MIN_SECRET and not isinstance(scheme, StandardWebhooksVerify):
            step = f"agree on one of {MIN_SECRET} characters or more, made by chance"
            return note(name, f"the secret is {len(secret)} characters short", step)
        old = scheme.previous_secret
        if old is not None and old.get_secret_value() == secret:
            return note(
                name,
                "the old secret is the new one",
                "remove the old one once the rotation is over",
            )
    return ok(name, f"{len(manifest.webhook.verify)} signature scheme(s) with their secrets")


def check_gateway(wiring: Wiring) -> Iterator[Check]:
    bind = wiring.settings.gateway_bind.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - compared only
    status = ready_status(f"http://{bind}", ASK_SECONDS)
    if status is None:
        yield skipped("gateway", f"does not run at {bind}", "start it with `ratings-sync up`")
    elif status == OK:
        yield ok("gateway", f"is ready at {bind}")
    else:
        yield bad(
            "gateway",
            f"answers {status} at {bind}/readyz",
            "its lines in the log say why",
        )
