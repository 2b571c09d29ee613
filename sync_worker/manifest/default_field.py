"""The field that a new site maps by itself."""

from __future__ import annotations

from decimal import Decimal

from sync_worker.core.errors import Misconfigured
from sync_worker.core.scale import FieldMap, Scale
from sync_worker.manifest.manifest import Manifest

# https://dev.wix.com/docs: Ratings takes whole numbers 0 to 100
WIX_SCALE = Scale(Decimal(0), Decimal(100), Decimal(1))


def default_field(manifest: Manifest) -> FieldMap:
    """Wix ``overall`` ↔ the connector's main value.

    Raises Misconfigured if the scales do not convert both ways.
    """
    field = FieldMap("overall", "value", WIX_SCALE, manifest.scale.scale, manifest.scale.mapping)
    if violations := field.violations():
        raise Misconfigured(
            f"connector {manifest.id}: its scale does not convert both ways: {violations[0]}"
        )
    return field
