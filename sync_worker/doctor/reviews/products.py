"""Whether each product of a site of Wix Reviews has one map. Pure."""

from __future__ import annotations

from collections.abc import Sequence

NEXT_STEP = "`map entities remove --external-id ID` takes a map away that no rating uses"


def maps_in_excess(twice: Sequence[str]) -> str:
    """What comes of products with more than one map, given in words; empty: there are none."""
    if not twice:
        return ""
    return (
        f"{'; '.join(twice)}: Wix Reviews names a product by its id alone, so the first map of each"
        " counts, and reviews of the others meet its own"
    )
