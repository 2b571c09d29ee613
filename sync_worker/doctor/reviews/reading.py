"""A look at Wix Reviews of one site that writes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from sync_worker.core.errors import SyncError
from sync_worker.doctor.check import Check, bad, note, ok, skipped
from sync_worker.remotes.wix.answers import inside, objects_in
from sync_worker.remotes.wix.api import WixApi
from sync_worker.remotes.wix.learned import SEES_REJECTED
from sync_worker.remotes.wix.reviews import WixReviews
from sync_worker.runtime.waiting import shortly

PERMISSIONS = ("Manage Reviews", "Read Contacts")
STORES = "stores"  # as Get App Instance names Wix's own apps; it has no word for Wix Reviews
NO_STORE = "STORES_NOT_INSTALLED"
MANAGE = (
    "give the app the permission Manage Reviews in its dashboard (an API key: when it is made), and"
    " let the site's owner agree to it"
)

LOUD = "LOUD"  # so the probe says that something is wrong
LEFT_OUT = "whether one that we brought was rejected or deleted is then held (maybe_unpublished)"

T = TypeVar("T")


def review_checks(
    name: str, api: WixApi, reviews: WixReviews, learned: Mapping[str, str]
) -> Iterator[Check]:
    """Whether reviews can be read, unpublished ones too, and what the site has installed.

    ``learned``: what a probe found out there.
    """
    try:
        shortly(reviews.probe, time.sleep)
    except SyncError as error:
        yield bad(f"{name} reviews", f"Query Reviews fails: {error}", _advice(error))
        return
    yield ok(f"{name} reviews", "the Reviews API answers, asked for unpublished ones too")
    yield _unpublished(f"{name} unpublished", reviews, learned.get(SEES_REJECTED, ""))
    yield _store(name, api)


def installed_check(name: str, body: Mapping[str, Any]) -> Iterator[Check]:
    """Whether the site has a store, where Wix names its apps."""
    installed = [
        str(one).casefold() for one in objects_in(inside(body, "site"), "installedWixApps")
    ]
    if installed and STORES not in installed:
        yield note(
            f"{name} apps",
            f"Wix Stores is not among the site's apps ({', '.join(sorted(installed))})",
            "add Wix Stores and Wix Reviews from the App Market: reviews are of products",
        )


def _unpublished(name: str, reviews: WixReviews, probed: str) -> Check:
    """With and without the unpublished ones: a missing permission may show as silence.

    https://dev.wix.com/docs/api-reference/crm/community/reviews/reviews/count-reviews
    """
    try:
        published = shortly(lambda: reviews.count(with_unpublished=False), time.sleep)
        whole = shortly(lambda: reviews.count(with_unpublished=True), time.sleep)
    except SyncError as error:
        if error.facts.code == "TOO_MANY_TO_COUNT":
            return _as_probed(name, "more reviews than Wix counts", probed)
        return bad(name, f"Count Reviews fails: {error}", _advice(error))
    if whole > published:
        what = f"{whole} reviews, {whole - published} of them unpublished, and we are shown those"
        return ok(name, what)
    return _as_probed(name, f"{whole} reviews, none unpublished", probed)


def _as_probed(name: str, what: str, probed: str) -> Check:
    """A review that we are not shown looks deleted."""
    if probed.startswith(LOUD):
        return bad(name, f"{what}; a probe was not shown its rejected review: {LEFT_OUT}", MANAGE)
    if probed:
        return ok(name, f"{what}; a probe was shown its rejected review")
    return note(
        name,
        f"{what}: not proven that we are shown such; {LEFT_OUT}",
        "prove it: `doctor --probe-reviews PRODUCT_ID --allow-writes`; then deletions that only a"
        " sweep finds cross by themselves",
    )


def _store(name: str, api: WixApi) -> Check:
    """Reviews are of products of Wix Stores, in either version of its catalog.

    https://dev.wix.com/docs/api-reference/business-solutions/stores/catalog-versioning/introduction
    """
    body = _asked(lambda: api.call("get_catalog_version").body)
    version = inside(body, "catalogVersion")
    if not isinstance(version, str):
        return skipped(f"{name} store", "Wix does not say which catalog the site has")
    if version == NO_STORE:
        return bad(
            f"{name} store",
            "Wix Stores is not installed on the site, and reviews are of its products",
            "add Wix Stores to the site",
        )
    return ok(f"{name} store", f"catalog {version}")


def _asked(ask: Callable[[], T]) -> T | None:
    try:
        return shortly(ask, time.sleep)
    except SyncError:
        return None


def _advice(error: SyncError) -> str:
    status = error.facts.status
    if status in (401, 403):
        return MANAGE
    if status in (404, 501):
        return "are Wix Stores and Wix Reviews installed on the site? add them in its App Market"
    return "try again; if it stays, report the request id to Wix"
