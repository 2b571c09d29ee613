"""Checks of the live systems: the Wix app on each site, and each external system."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from sync_worker.core.errors import Permanent, SyncError
from sync_worker.core.ports.remote import Remote
from sync_worker.core.values import Policy, Site, WixKind
from sync_worker.doctor.check import Check, bad, clock, note, ok, safely, skipped
from sync_worker.doctor.live.pace import Patience
from sync_worker.doctor.live.reading import read_live
from sync_worker.doctor.live.system import LiveSystem
from sync_worker.doctor.reviews.products import NEXT_STEP, maps_in_excess
from sync_worker.doctor.reviews.reading import PERMISSIONS as OF_REVIEWS
from sync_worker.doctor.reviews.reading import installed_check, review_checks
from sync_worker.doctor.reviews.replies import replies_in_vain
from sync_worker.ledger.administration.site_pages import SiteFilter
from sync_worker.manifest.manifest import Manifest
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.wix.api import WixApi
from sync_worker.remotes.wix.reviews import WixReviews
from sync_worker.runtime.waiting import shortly
from sync_worker.wiring import Wiring

MAX_SITES = 20  # that are asked one after the other
PERMISSIONS = {
    WixKind.RATINGS: (
        "Read Ratings",
        "Manage Ratings",
        "Read Contacts",
        "Manage Contacts",
        "Read Members",
    ),
    WixKind.REVIEWS: OF_REVIEWS,
}


def check_wix(wiring: Wiring, new_instance: str | None = None) -> Iterator[Check]:
    """Every site as Wix shows it to us, and an app instance that is not added yet."""
    found = wiring.admin.site_pages.page(SiteFilter(), limit=MAX_SITES + 1)
    sites = [row.site for row in found[:MAX_SITES]]
    # As `site add` would add it.
    if new_instance is not None and new_instance not in {site.instance_id for site in sites}:
        sites.append(Site(0, new_instance, "", Policy(), (), wix_api=wiring.settings.first_wix_api))
    if not sites:
        yield skipped(
            "wix", "there is no site yet", "`ratings-sync setup`, or `doctor --instance ID`"
        )
    for site in sites:
        yield from safely(f"wix {site.instance_id[:8]}", wix_checks(wiring, site))
    if len(found) > MAX_SITES:
        yield skipped(
            "wix, further sites",
            f"the first {MAX_SITES} were asked; workers ask where one is refused",
            "`ratings-sync account probe SITE` asks for one of them",
        )


def wix_checks(wiring: Wiring, site: Site) -> Iterator[Check]:
    yield from _replies(wiring, site)
    if excess := maps_in_excess(wiring.admin.wix_change.mapped_twice(site)):
        yield bad(f"products of site {site.id}", excess, NEXT_STEP)
    name, api = f"wix {site.instance_id[:8]}", wiring.remotes.wix_api(site.instance_id)
    if wiring.remotes.has_key(site.instance_id):
        yield ok(f"{name} key", "the owner's API key is all that we have: no app, no webhooks")
    else:
        checks = list(_instance(name, api, site.wix_api))
        yield from checks
        # Without a token there is nothing to ask.
        if checks[0].verdict == "bad":
            return
    records = wiring.remotes.wix_records(site)
    if isinstance(records, WixReviews):
        yield from review_checks(name, api, records, wiring.admin.sites.learned(site.id))
    else:
        yield _ratings(name, api)


def _replies(wiring: Wiring, site: Site) -> Iterator[Check]:
    manifest = wiring.manifests.get(site.connector)
    why = replies_in_vain(site, manifest.capabilities.words) if manifest else ""
    if why:
        step = "`site policy replies=off`, or a connector whose text.sync names the reply"
        yield note(f"replies of site {site.id}", why, step)


def _instance(name: str, api: WixApi, kind: WixKind) -> Iterator[Check]:
    try:
        answer = shortly(lambda: api.call("get_instance"), time.sleep)
    except SyncError as error:
        yield bad(f"{name} token", f"no access: {error}", _token_advice(error))
        return
    body = answer.body if isinstance(answer.body, dict) else {}
    site_name = (body.get("site") or {}).get("siteDisplayName") or "a site without a name"
    yield ok(f"{name} token", f"the app may act on {site_name}")
    yield _permissions(name, (body.get("instance") or {}).get("permissions"), PERMISSIONS[kind])
    if kind is WixKind.REVIEWS:
        yield from installed_check(name, body)
    yield from _remote_clock(answer.headers.get("Date"))


def _ratings(name: str, api: Any) -> Check:
    """Ratings was never published as REST operations: only asking tells whether it answers."""
    query = {"query": {"cursorPaging": {"limit": 1}}}
    try:
        shortly(lambda: api.call("query_ratings", json=query), time.sleep)
    except SyncError as error:
        return bad(f"{name} ratings", f"Query Ratings fails: {error}", _ratings_advice(error))
    return ok(f"{name} ratings", "the Ratings API answers")


def _permissions(name: str, granted: Any, wanted: Sequence[str]) -> Check:
    """A difference is a note only: how Wix names permissions is not documented, calls decide."""
    if not isinstance(granted, Sequence) or isinstance(granted, str):
        return note(f"{name} permissions", "Wix does not say which are granted")
    shown = {str(permission).casefold() for permission in granted}
    missing = [one for one in wanted if one.casefold() not in shown]
    if not missing:
        return ok(f"{name} permissions", ", ".join(wanted))
    step = (
        "add them under Permissions in your app's dashboard and let the site's owner agree to the"
        " new version"
    )
    return note(f"{name} permissions", f"not listed: {', '.join(missing)}", step)


def _remote_clock(date: str | None) -> Iterator[Check]:
    if date is None:
        return
    try:
        there = parsedate_to_datetime(date)
    except ValueError:
        return
    there = there if there.tzinfo else there.replace(tzinfo=UTC)
    yield clock("clock of Wix", (there - datetime.now(UTC)).total_seconds())


def _token_advice(error: SyncError) -> str:
    status = error.facts.status
    if status in (400, 401, 403, 404):
        return (
            "check WIX_APP_ID, WIX_APP_SECRET and the instance id; is the app still installed on"
            " the site?"
        )
    return "is WIX_API_BASE_URL right, and can this machine reach it?"


def _ratings_advice(error: SyncError) -> str:
    status = error.facts.status
    if status == 403:
        return "give the app the permission Read Ratings (and Manage Ratings) in its dashboard"
    if status in (404, 501):
        return (
            "the Ratings API is not open to this app or site: ask Wix to open it, or use Wix"
            " Reviews (`ratings-sync site set --wix-api reviews`)"
        )
    return "try again; if it stays, report the request id to Wix"


def check_external(wiring: Wiring) -> Iterator[Check]:
    """Whether each external system answers and takes our credentials."""
    for manifest in wiring.manifests.values():
        yield from safely(f"connector {manifest.id} probe", _of_environment(wiring, manifest))


def _of_environment(wiring: Wiring, manifest: Manifest) -> Iterator[Check]:
    remotes = wiring.remotes
    yield from external_checks(
        f"connector {manifest.id}",
        manifest,
        remotes.external(manifest.id),
        lambda: remotes.external_http(manifest.id, Patience()),
    )


def external_checks(
    name: str, manifest: Manifest, remote: Remote, http: Callable[[], RemoteHttp]
) -> Iterator[Check]:
    """One external system with what a shop gives: a cheap read, then a real record.

    ``http``: its client, asked for when a record is to be read.
    """
    probed = _probe(name, manifest, remote)
    yield probed
    # A plugin makes its own calls: its rows are not ours to look into.
    if probed.verdict == "ok" and manifest.plugin is None:
        yield from _read(name, LiveSystem(manifest, http()))


def _read(whose: str, system: LiveSystem) -> Iterator[Check]:
    """One real record through every declared path, and what is wrong around it."""
    for finding in read_live(system):
        what = finding.what.removeprefix("live: ")
        name, _, shown = what.partition(": ")
        name = f"{whose}: {name}"
        if finding.wrong:
            yield bad(name, finding.wrong, f"look at {finding.place} of the manifest")
        elif finding.advice:
            yield note(name, finding.advice)
        elif shown:
            yield ok(name, shown)


def _probe(whose: str, manifest: Manifest, remote: Remote) -> Check:
    name = f"{whose} probe"
    # A plugin has a probe or has not.
    probe = getattr(remote, "probe", None)
    if probe is None:
        return skipped(name, "its plugin has no probe")
    try:
        is_probed = shortly(probe, time.sleep)
    except Permanent as error:
        if error.reason == "unauthorized":
            return bad(name, str(error), "check its token")
        return bad(name, str(error), _address_advice(manifest))
    except SyncError as error:
        return bad(name, str(error), _address_advice(manifest))
    if not is_probed:
        return skipped(name, "its manifest declares no operation `probe`")
    return ok(name, "answers, and takes our credentials")


def _address_advice(manifest: Manifest) -> str:
    return f"check its address ({manifest.base_url}) and that it runs"
