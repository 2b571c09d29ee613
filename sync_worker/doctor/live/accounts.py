"""One account live: what stands between it and a rating that crosses, each in a line."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sync_worker.core.errors import Held, Misconfigured
from sync_worker.core.said import said
from sync_worker.core.values import Account, Site
from sync_worker.doctor.check import Check, bad, note, ok, safely, skipped
from sync_worker.doctor.live.pace import Patience
from sync_worker.doctor.remotes import external_checks, wix_checks
from sync_worker.manifest.manifest import Manifest
from sync_worker.runtime.waiting import shortly
from sync_worker.services.account_troubles import KEY_STEP
from sync_worker.services.accounts.standing import address_of, current_address
from sync_worker.wiring import Wiring

MEND = said("give the values anew: `ratings-sync account set`")
NO_WEBHOOKS = said("the shop's system has no webhooks: looks and scans see what happens")


def account_checks(wiring: Wiring, account: Account, site: Site) -> Iterator[Check]:
    """Secrets, external system, webhooks, Wix. Nothing is written anywhere."""
    try:
        manifest = wiring.book.of_source(account.source).manifest
    except Held as error:
        yield bad("secrets", error.message, KEY_STEP)
        return
    except Misconfigured as error:
        yield bad("settings", error.message, MEND)
        return
    yield ok("secrets", said("they open"))
    yield from safely("external system", _external(wiring, account, manifest))
    yield from safely("webhooks", _webhooks(wiring, account, manifest))
    yield from safely("wix", wix_checks(wiring, site))


def _external(wiring: Wiring, account: Account, manifest: Manifest) -> Iterator[Check]:
    remotes, source = wiring.remotes, account.source
    yield from external_checks(
        manifest.id,
        manifest,
        remotes.external(source),
        lambda: remotes.external_http(source, Patience()),
    )


def _webhooks(wiring: Wiring, account: Account, manifest: Manifest) -> Iterator[Check]:
    """Whether they come here, or what to paste where."""
    if manifest.webhook is None:
        yield skipped("webhooks", NO_WEBHOOKS)
        return
    public_url = wiring.settings.gateway_public_url
    url = address_of(public_url, account.connector, current_address(account))
    if manifest.webhook.manage is None:
        what = said("its system does not let us make them")
        yield note("webhooks", what, make_it_yourself(url))
        return
    ours = shortly(wiring.remotes.hooks(account.source).ours, time.sleep)
    if disabled := [hook.topic for hook in ours if not hook.is_enabled]:
        step = said(
            "let the gateway answer; a worker enables them again by itself (HOOK_CHECK_SECONDS)"
        )
        what = said("disabled by the system: %(topics)s", topics=", ".join(disabled))
        yield bad("webhooks", what, step)
    elif ours:
        yield ok("webhooks", said("%(num)s enabled", num=len(ours)))
    elif public_url:
        step = said("a worker registers them for %(url)s by itself (HOOK_CHECK_SECONDS)", url=url)
        yield note("webhooks", said("none is registered yet"), step)
    else:
        what = said("none is registered, for our public address is not known")
        step = said("set GATEWAY_PUBLIC_URL: a worker then registers them for its %(url)s", url=url)
        yield note("webhooks", what, step)


def make_it_yourself(url: str) -> str:
    """Of a shop whose system makes webhooks in its own dashboard only."""
    return said("in the shop's own dashboard make a webhook to %(url)s", url=url)
