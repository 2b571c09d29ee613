"""One account live: what stands between it and a rating that crosses, each in a line."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sync_worker.core.errors import SyncError
from sync_worker.core.values import Account, Site
from sync_worker.doctor.check import Check, bad, note, ok, safely, skipped
from sync_worker.doctor.live.pace import Patience, pace_of
from sync_worker.doctor.remotes import external_checks, wix_checks
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.source.values import Given
from sync_worker.remotes.external.hooks import ExternalHooks
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import remote_of
from sync_worker.runtime.waiting import shortly
from sync_worker.services.account_troubles import KEY_STEP
from sync_worker.services.accounts.standing import address_of, current_address
from sync_worker.wiring import Wiring
from sync_worker.wiring.secret_keys import opener


def account_checks(wiring: Wiring, account: Account, site: Site) -> Iterator[Check]:
    """Secrets, external system, webhooks, Wix. Nothing is written anywhere."""
    try:
        manifest = _manifest(wiring, account)
    except SyncError as error:
        yield bad("secrets", error.message, KEY_STEP)
        return
    yield ok("secrets", "they open")
    yield from safely("external system", _external(wiring, manifest))
    yield from safely("webhooks", _webhooks(wiring, account, manifest))
    yield from safely("wix", wix_checks(wiring, site))


def _manifest(wiring: Wiring, account: Account) -> Manifest:
    """The connector's, with what the account gives. Raises Misconfigured, CannotOpen."""
    values, opens = dict(account.settings), opener(wiring.settings)
    for name, secret in wiring.accounts.store.sealed_of(account.id).items():
        values[name] = opens.opened(secret.sealed, account=account.public_id, name=name)
    return wiring.connectors.code_of(account.connector).of(account.source, Given(values))


def _external(wiring: Wiring, manifest: Manifest) -> Iterator[Check]:
    http = http_of(manifest, pace_of(manifest), wiring.redis.tokens)
    remote = remote_of(manifest, http, wiring.redis.first_looks(manifest.source))
    yield from external_checks(manifest.id, manifest, remote, lambda: http.waiting(Patience()))


def _webhooks(wiring: Wiring, account: Account, manifest: Manifest) -> Iterator[Check]:
    """Whether they come here, or what to paste where."""
    if manifest.webhook is None:
        yield skipped("webhooks", "it has none: scans see what happens")
        return
    address = current_address(account)
    url = address_of(wiring.settings.gateway_public_url, account.connector, address)
    if manifest.webhook.manage is None:
        step = f"in its own dashboard make a webhook to {url}"
        yield note("webhooks", "its system does not let us make them", step)
        return
    http = http_of(manifest, pace_of(manifest), wiring.redis.tokens).waiting(Patience())
    ours = shortly(ExternalHooks(manifest, http, address).ours, time.sleep)
    if disabled := [hook.topic for hook in ours if not hook.is_enabled]:
        step = "let the gateway answer; a worker enables them again by itself (HOOK_CHECK_SECONDS)"
        yield bad("webhooks", f"disabled by the system: {', '.join(disabled)}", step)
    elif ours:
        yield ok("webhooks", f"{len(ours)} enabled")
    else:
        step = f"a worker registers them for {url} by itself (HOOK_CHECK_SECONDS)"
        yield note("webhooks", "none is registered yet", step)
