"""Checks of our webhooks at the external systems: there, enabled, and heard of."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sync_worker.core.errors import SyncError
from sync_worker.core.values import SiteState
from sync_worker.doctor.check import Check, bad, note, ok, safely
from sync_worker.ledger.administration.hook_states import HookState, hook_words
from sync_worker.manifest.manifest import Manifest
from sync_worker.remotes.external.hooks import HookState as Hook
from sync_worker.runtime.waiting import shortly
from sync_worker.wiring import Wiring


def check_hooks(wiring: Wiring) -> Iterator[Check]:
    """Of each connector that sites use, and whose system lets us look."""
    sites = wiring.admin.sites.all()
    used = {site.connector for site in sites if site.state is not SiteState.REMOVED}
    for manifest in wiring.manifests.values():
        if manifest.id in used and manifest.webhook is not None and manifest.webhook.manage:
            yield from safely(f"webhooks of {manifest.id}", _checked(wiring, manifest))


def _checked(wiring: Wiring, manifest: Manifest) -> Iterator[Check]:
    name, hooks = f"webhooks of {manifest.id}", wiring.remotes.hooks(manifest.id)
    try:
        ours = shortly(hooks.ours, time.sleep)
    except SyncError as error:
        yield note(name, f"cannot be listed: {error}", "see the connector's probe")
        return
    known = wiring.admin.hook_states.of(manifest.id)
    topics = {hook.topic for hook in ours}
    missing = [topic for topic in hooks.topics if topic not in topics]
    yield _verdict(manifest.id, ours, missing, known)


def _verdict(
    connector: str, ours: list[Hook], missing: list[str], known: HookState | None
) -> Check:
    name, command = f"webhooks of {connector}", "ratings-sync connector webhooks"
    disabled = [hook.topic for hook in ours if not hook.is_enabled]
    if disabled:
        return bad(
            name,
            f"disabled by the system: {', '.join(disabled)}",
            f"let the gateway answer, then `{command} enable {connector}`; the worker tries that by"
            " itself (HOOK_CHECK_SECONDS), and scans for what was missed",
        )
    if missing:
        step = f"`{command} register {connector} --url ADDRESS`; until then only scans see changes"
        return note(name, f"none for {', '.join(missing)}", step)
    if known is None or known.heard_ago is None:
        return note(
            name,
            f"{len(ours)} enabled, and nothing has reached the gateway yet",
            "change a rating there; if nothing comes, the system cannot reach the address: "
            + ", ".join(sorted({hook.url for hook in ours})),
        )
    if known.is_watched:
        step = "see why its deliveries failed: one more failure may disable a webhook again"
        return note(name, hook_words(known), step)
    return ok(name, f"{len(ours)} enabled, heard of {known.heard_ago:.0f} s ago")
