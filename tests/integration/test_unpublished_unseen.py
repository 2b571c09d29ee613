"""Wix Reviews silently leaves out what is not published: the key lacks the permission."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync_sandbox.wix.reviews.moderation import Mode
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import SiteState, WixKind
from sync_worker.doctor.reviews.reading import review_checks
from sync_worker.manifest.default_field import default_field
from sync_worker.remotes.wix.learned import SEES_REJECTED, SHOWN
from sync_worker.remotes.wix.reviews import WixReviews
from tests.integration.test_owners_key import Keyed, keyed

__all__ = ["keyed"]
pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]
LEAVES_OUT = "private_needs_permission"


def change_to_reviews(keyed: Keyed) -> None:
    admin = keyed.wiring.admin
    admin.sites.set_state(keyed.site.id, SiteState.PAUSED)
    fields = [default_field(keyed.wiring.manifests["own-service"], WixKind.REVIEWS)]
    admin.wix_change.change(keyed.site.id, WixKind.REVIEWS, fields, SiteState.RECOVERY)
    keyed.site = admin.sites.find(None)


def rate_outside(keyed: Keyed, email: str) -> None:
    keyed.box.wix.add_contact(email, "P")
    author = {"email": email, "display_name": "A"}
    keyed.box.reviews.create(
        {"subject": {"id": "SKU-1"}, "author": author, "score": Decimal(4)}, by="visitor"
    )


def begin(keyed: Keyed) -> None:
    """Six imports are on Wix, all of them published."""
    change_to_reviews(keyed)
    for number in range(6):
        rate_outside(keyed, f"p{number}@example.com")
    keyed.reconcile(RunKind.SWEEP)
    keyed.wiring.admin.sites.set_state(keyed.site.id, SiteState.ACTIVE)
    keyed.site = keyed.wiring.admin.sites.find(None)


def shown_outside(keyed: Keyed) -> list[str]:
    return [one["visibility"] for one in keyed.box.reviews.ratings.values()]


@pytest.mark.full
def test_rejected_import_that_is_not_shown_any_more_keeps_its_source(keyed: Keyed) -> None:
    begin(keyed)
    reviews = keyed.box.wix.reviews
    reviews.moderate(next(iter(reviews.by_id)), "REJECTED", {"identityType": "WIX_USER"})
    keyed.reconcile(RunKind.SWEEP)
    keyed.box.wix.faults.set(LEAVES_OUT, chance=1.0)
    for _ in range(3):
        keyed.reconcile(RunKind.SWEEP)
    assert shown_outside(keyed) == ["public"] * 6


def reject_unseen(keyed: Keyed) -> None:
    keyed.box.wix.faults.set(LEAVES_OUT, chance=1.0)
    reviews = keyed.box.wix.reviews
    reviews.moderate(next(iter(reviews.by_id)), "REJECTED", {"identityType": "WIX_USER"})
    for _ in range(3):
        keyed.reconcile(RunKind.SWEEP)


def reasons_held(keyed: Keyed) -> set[str]:
    return {row.reason for row in keyed.wiring.admin.held.all()}


def test_import_that_is_rejected_unseen_is_held_and_keeps_its_source(keyed: Keyed) -> None:
    begin(keyed)
    reject_unseen(keyed)
    assert shown_outside(keyed) == ["public"] * 6
    assert reasons_held(keyed) == {"maybe_unpublished"}
    # The key may read private reviews from now on.
    keyed.box.wix.faults.set(LEAVES_OUT, chance=0.0)
    keyed.reconcile(RunKind.SWEEP)
    assert shown_outside(keyed) == ["public"] * 6
    assert reasons_held(keyed) == set()


@pytest.mark.full
def test_deletion_found_by_sweeps_crosses_after_a_probe_was_shown_all(keyed: Keyed) -> None:
    """A review that a sweep misses is deleted then, and not only out of sight."""
    begin(keyed)
    reviews = keyed.box.wix.reviews
    reviews.delete(next(iter(reviews.by_id)), {"identityType": "WIX_USER"})
    for _ in range(2):
        keyed.reconcile(RunKind.SWEEP)
    assert shown_outside(keyed) == ["public"] * 6
    assert reasons_held(keyed) == {"maybe_unpublished"}
    keyed.wiring.admin.sites.note_learned(keyed.site.id, {SEES_REJECTED: SHOWN})
    keyed.site = keyed.wiring.admin.sites.find(None)
    keyed.reconcile(RunKind.SWEEP)
    assert sorted(shown_outside(keyed)) == ["public"] * 5 + ["removed"]
    assert reasons_held(keyed) == set()


@pytest.mark.full
def test_import_that_waits_and_is_never_shown_keeps_its_source(keyed: Keyed) -> None:
    keyed.box.wix.faults.set(LEAVES_OUT, chance=1.0)
    begin(keyed)
    keyed.box.wix.reviews.mode = Mode.MANUAL
    rate_outside(keyed, "new@example.com")
    for _ in range(3):
        keyed.reconcile(RunKind.SWEEP)
    assert shown_outside(keyed) == ["public"] * 7


@pytest.mark.full
def test_doctor_is_content_only_when_unpublished_reviews_were_shown(keyed: Keyed) -> None:
    begin(keyed)
    api = keyed.wiring.remotes.wix_api(keyed.site.instance_id)
    records = keyed.wiring.remotes.wix_records(keyed.site)
    assert isinstance(records, WixReviews)

    def said(learned: str = "") -> tuple[str, str, str]:
        checks = review_checks("wix", api, records, {"U10": learned} if learned else {})
        (one,) = [check for check in checks if check.name == "wix unpublished"]
        return one.verdict, one.what, one.next_step

    verdict, what, advice = said()
    assert (verdict, what) == (
        "note",
        "6 reviews, none unpublished: not proven that we are shown such; whether one that we"
        " brought was rejected or deleted is then held (maybe_unpublished)",
    )
    assert "--probe-reviews" in advice
    assert said("a rejected review is shown to us")[0] == "ok"
    verdict, _, advice = said("LOUD: a rejected review is hidden from us, although we ask for it")
    assert verdict == "bad"
    assert "Manage Reviews" in advice
    reviews = keyed.box.wix.reviews
    reviews.moderate(next(iter(reviews.by_id)), "REJECTED", {"identityType": "WIX_USER"})
    assert said()[:2] == ("ok", "6 reviews, 1 of them unpublished, and we are shown those")
    keyed.box.wix.faults.set(LEAVES_OUT, chance=1.0)
    assert said()[0] == "note"
