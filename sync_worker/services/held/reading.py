"""What a held delivery tells, read without a remote: who rated what, and how."""

from __future__ import annotations

from collections.abc import Callable

from sync_worker.core.errors import SyncError
from sync_worker.core.hold_keys import entity_of_hold_key
from sync_worker.core.record_codec import mapped_values, record_listed
from sync_worker.core.values import EntityRef, NewDelivery, Record, Side, Site, Value, WixKind
from sync_worker.ledger.console.held_pages import HeldRow
from sync_worker.manifest.manifest import Manifest
from sync_worker.remotes.external.webhook_record import record_in_webhook
from sync_worker.remotes.wix.events import record_of_event
from sync_worker.remotes.wix.review_record import review_of_event

ManifestOf = Callable[[str], Manifest | None]
MAIN = "overall"


class Readings:
    """``manifest_of``: of a connector, by name, for what is the same for all of its shops."""

    def __init__(self, manifest_of: ManifestOf, wix_app_id: str) -> None:
        self._manifest_of, self._wix_app_id = manifest_of, wix_app_id

    def record(self, row: HeldRow) -> Record | None:
        """The record that the delivery carries; ``None``: it carries none that can be read."""
        if row.site is None:
            return None
        try:
            return record_listed(row.delivery.new.payload) or self._shown(
                row.site, row.delivery.new
            )
        except (SyncError, ArithmeticError, LookupError, TypeError, ValueError):
            # It may be held because it cannot be read.
            return None

    def _shown(self, site: Site, new: NewDelivery) -> Record | None:
        if new.side is Side.EXTERNAL:
            manifest = self._manifest_of(site.connector)
            return None if manifest is None else record_in_webhook(manifest, new.payload)
        if site.wix_api is WixKind.REVIEWS:
            return review_of_event(new.payload, self._wix_app_id)
        return record_of_event(new.payload)


def missing_thing(row: HeldRow, record: Record | None) -> EntityRef | None:
    """What is rated, as the side calls it that the delivery came from; ``None``: nobody knows."""
    waits_for = entity_of_hold_key(row.hold_key or "")
    if waits_for is not None:
        return waits_for[1]
    if record is not None and record.entity is not None:
        return record.entity
    if row.facts is not None:
        return row.facts.entity.on(row.delivery.new.side)
    return None


def both_values(row: HeldRow, record: Record | None) -> tuple[Value | None, Value | None]:
    """The main value where the delivery came from, and on the other side, as far as is known."""
    side = row.delivery.new.side
    wix = external = None
    if row.facts is not None:
        known = row.facts.differs or row.facts.bases
        wix, external = known.get(MAIN) or next(iter(known.values()), (None, None))
    here, there = (wix, external) if side is Side.WIX else (external, wix)
    if record is not None and row.site is not None:
        told = mapped_values(record, side, row.site.fields)
        here = told.get(MAIN, next(iter(told.values()), here))
    return here, there
