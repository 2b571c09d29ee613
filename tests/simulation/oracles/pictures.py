"""Whether pictures went where the policy lets them go, and nowhere else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from sync_worker.core.values import Pictures, Side
from tests.simulation.oracles.reading import key_of, our_writes
from tests.simulation.world import Shop

Media = tuple[str, ...]


def pictures_astray(shop: Shop) -> Iterator[str]:
    """A review that we make on Wix has the pictures that its source showed; no other write has any.

    Where several reviews outside are of one person and one thing, those of any of them.
    """
    shown = _shown_outside(shop)
    travel = shop.site.policy.pictures is Pictures.TO_WIX
    for side, entry in our_writes(shop):
        if side is Side.EXTERNAL or not travel:
            if entry.operation == "create" and entry.media:
                yield f"pictures of {entry.remote_id} on {side} are {entry.media}, written by us"
        elif entry.operation == "create":
            expected = shown[key_of(shop, side, entry)]
            if entry.media not in expected:
                yield f"pictures of {entry.remote_id} are {entry.media}, outside {expected}"


def _shown_outside(shop: Shop) -> dict[tuple[str, str], set[Media]]:
    shown = defaultdict[tuple[str, str], set[Media]](set)
    for entry in shop.remotes[Side.EXTERNAL].journal:
        if entry.after is not None:
            shown[key_of(shop, Side.EXTERNAL, entry)].add(entry.media)
    return shown
