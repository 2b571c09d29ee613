"""One row of a system's catalogue as an item. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sync_worker.core.values.catalogue import CatalogueItem, item_of
from sync_worker.manifest.field_values import malformed, search
from sync_worker.manifest.schema.calls import CatalogueSpec
from sync_worker.manifest.source.stands import at_path

FIELDS = ("id", "sku", "name", "url", "image", "group")
PLACE = "operations.catalogue"


def read_item(spec: CatalogueSpec, row: Any) -> CatalogueItem:
    """The item that a row shows. Raises Permanent where it has no id."""
    parts = {name: _text(spec, name, row) for name in FIELDS}
    if not parts["id"]:
        raise malformed(f"{PLACE}.id: {at_path(spec.id, row)}")
    return item_of(parts)


def _text(spec: CatalogueSpec, name: str, row: Any) -> str:
    """What stands at one of the paths; empty where nothing of use does."""
    path = getattr(spec, name)
    found = None if path is None else search(path, row)
    if isinstance(found, str):
        return found.strip()
    # A flag is no number here, though Python counts it as one.
    if isinstance(found, bool) or not isinstance(found, int | Decimal):
        return ""
    is_whole = isinstance(found, int) or found == found.to_integral_value()
    return f"{found:f}".partition(".")[0] if is_whole else str(found)
