"""The field that a new site maps by itself."""

from __future__ import annotations

from decimal import Decimal

from sync_worker.core.errors import Misconfigured
from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.values import WixKind
from sync_worker.manifest.manifest import Manifest

# https://dev.wix.com/docs: Ratings takes whole numbers 0 to 100
WIX_SCALE = Scale(Decimal(0), Decimal(100), Decimal(1))
# https://dev.wix.com/docs: Reviews takes whole stars 1 to 5
STARS = Scale(Decimal(1), Decimal(5), Decimal(1))
WIX_SCALES = {WixKind.RATINGS: WIX_SCALE, WixKind.REVIEWS: STARS}
MAIN = "overall"


def default_field(manifest: Manifest, wix_api: WixKind = WixKind.RATINGS) -> FieldMap:
    """Wix ``overall`` ↔ the connector's main value.

    Raises Misconfigured if the scales do not convert both ways.
    """
    wix, outside = WIX_SCALES[wix_api], manifest.scale
    field = FieldMap(MAIN, "value", wix, outside.scale, outside.mapping)
    if violations := field.violations():
        raise Misconfigured(
            f"connector {manifest.id}: its scale does not convert both ways: {violations[0]}"
        )
    return field
