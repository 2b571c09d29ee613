"""Whether each site's calls stayed with its own account."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.world import Shop


def reached_by_another_site(shop: Shop) -> Iterator[str]:
    """I28: no write of a site reaches another site's account, nor any other call that we make."""
    for crossing in shop.crossings:
        yield f"I28 {crossing}, reached {shop.site.instance_id}"
