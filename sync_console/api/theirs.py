"""What a program may mean: a site, and held ones, of those that its token is for.

Nothing here needs the right to look: a token may be for one kind of action alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from flask import g

from sync_console.api.asked import WhichHeld
from sync_console.web.parts import parts
from sync_worker.core.values import Site
from sync_worker.services.access.who import NotThere
from sync_worker.services.held.held import HeldFilter


def known_site(site_id: int) -> Site:
    """Raises NotThere."""
    found = parts().admin.site_pages.some([site_id])
    # Whether there is a site of somebody else is nobody's business.
    if not found or g.who.site_id not in (None, site_id):
        raise NotThere(f"there is no site {site_id}")
    return found[0]


def site_meant(site_id: int | None) -> Site | None:
    """``None``: all that there are. Raises NotThere."""
    site_id = g.who.site_id if site_id is None else site_id
    return None if site_id is None else known_site(site_id)


def held_meant(asked: WhichHeld, numbers: Sequence[int] | None = None) -> HeldFilter:
    """Raises NotThere."""
    until = None
    if asked.older_days is not None:
        until = datetime.now(UTC) - timedelta(days=asked.older_days)
    return HeldFilter(
        asked.reason or None,
        asked.side,
        site_meant(asked.site_id),
        inbox_ids=numbers,
        until=until,
        person=asked.person or None,
        product=asked.product or None,
    )
